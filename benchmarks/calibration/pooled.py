"""The table of the documentation, from the scored runs that table.py has written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

REFERENCE = "plain Bayes"
CHOSEN = "Bayes + discrepancy"
MIN_ABOVE = 20
MANAGED = 0.9
PROBS = (50, 80, 90, 95)


def with_scores(points: pd.DataFrame) -> pd.DataFrame:
    """Return points with whether each interval holds the run, and how wide it is in log loss.

    A point is a forecast: of one run, by one method, from the runs below one cut.
    """
    columns = {}
    for prob in PROBS:
        lower, upper = points[f"lower_{prob}"], points[f"upper_{prob}"]
        columns[f"inside_{prob}"] = (lower <= points["observed"]) & (points["observed"] <= upper)
        columns[f"width_{prob}"] = np.log(upper / lower)
    return points.assign(
        **columns,
        method=np.where(
            points["of"] == "new_run", points["law"], points["law"] + ", mean curve only"
        ),
        run=points["sweep"] + " " + points["row"].astype(str),
        n_above=points.groupby(["sweep", "law", "of", "cut"])["row"].transform("size"),
    )


def scores(points: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return means of the scores over points, in thousandths where they are of log loss.

    A run is counted once however many cuts it lies above, and its forecasts are counted all.
    """
    groups = points.groupby(by, sort=False)
    table = pd.DataFrame(
        {
            "forecasts": groups.size(),
            "runs": groups["run"].nunique(),
            "sweeps": groups["sweep"].nunique(),
        }
    )
    for prob in PROBS:
        table[f"{prob}%"] = groups[f"inside_{prob}"].mean()
    table["width"] = 1e3 * groups["width_90"].mean()
    table["CRPS"] = 1e3 * groups["crps"].mean()
    table["interval score"] = 1e3 * groups["interval_score_90"].mean()
    table["RMSE"] = 1e3 * groups["error"].agg(lambda error: np.sqrt(np.mean(error**2)))
    table["bias"] = 1e3 * groups["error"].mean()
    return table


def of_sources(points: pd.DataFrame) -> pd.DataFrame:
    """Return means of the scores over sources, which all weigh the same, however many their runs.

    Each source has the scores of its own points; RMSE is left out, being no mean.
    """
    groups = scores(points, ["method", "source"]).groupby("method", sort=False)
    counts = groups[["forecasts", "runs", "sweeps"]].sum()
    means = groups.mean().drop(columns=["RMSE", *counts])
    return pd.concat([groups.size().rename("sources"), counts, means], axis=1)


def in_common(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points of the refits that no method failed at, with finite scores.

    A method that failed at more than a tenth of them does not count, and is scored where it did
    not fail.
    """
    scored = points[np.isfinite(points["crps"])]
    refit = scored["sweep"] + scored["cut"].astype(str)
    managed = refit.groupby(scored["method"]).nunique() / refit.nunique()
    counting = scored["method"].isin(managed.index[managed >= MANAGED])
    counts = scored[counting].groupby(refit[counting])["method"].nunique()
    return scored[refit.map(counts) == counts.max()]


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    shown = table.reset_index()
    formats = {f"{prob}%": "{:.2f}".format for prob in PROBS} | dict.fromkeys(
        ("width", "CRPS", "interval score", "RMSE", "bias"), "{:.1f}".format
    )
    rows = [
        [formats.get(name, str)(value).replace("|", " ") for name, value in row.items()]
        for row in shown.to_dict("records")
    ]
    lines = [list(map(str, shown.columns)), ["---"] * len(shown.columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report(folder: Path) -> str:
    """Return the tables of a folder that table.py has written to, in Markdown."""
    points = with_scores(pd.read_parquet(folder / "points.parquet"))
    allocation = pd.read_parquet(folder / "allocation.parquet")
    failures = pd.read_parquet(folder / "failures.parquet")
    warnings = pd.read_parquet(folder / "warnings.parquet")
    joint = points[points["kind"] == "joint"]
    large = joint[joint["n_above"] >= MIN_ABOVE]
    curves = points[(points["kind"] == "curve") & (points["source"] != "double_descent")]
    of_new_run = points[points["of"] == "new_run"]
    both = of_new_run[of_new_run["law"].isin([REFERENCE, CHOSEN])]
    pools = {
        f"Sweeps over N and D, cuts with at least {MIN_ABOVE} runs above": large,
        "The same, sweeps that chose the model": large[~large["set_aside"]],
        "The same, sweeps set aside": large[large["set_aside"]],
        "Single curves": curves,
        "Single curves set aside": curves[curves["set_aside"]],
        "Double descent": points[points["source"] == "double_descent"],
    }
    parts = []
    for title, pool in pools.items():
        if len(pool):
            common = in_common(pool)
            parts += [
                f"**{title}**, refits that the methods managed",
                markdown(scores(common, ["method"])),
            ]
    if len(large):
        parts += [
            f"**Sweeps over N and D, at least {MIN_ABOVE} runs above, every source weighs the "
            "same**, refits that the methods managed",
            markdown(of_sources(in_common(large))),
        ]
    parts += [
        f"**{title}, every refit**" + "\n\n" + markdown(scores(pool, ["law"]))
        for title, pool in {
            f"Sweeps over N and D, at least {MIN_ABOVE} runs above": both[
                (both["kind"] == "joint") & (both["n_above"] >= MIN_ABOVE)
            ],
            "Single curves": both[(both["kind"] == "curve") & (both["source"] != "double_descent")],
        }.items()
        if len(pool)
    ]
    parts += [
        "**By sweep and cut pooled, every refit**",
        markdown(scores(_by_sweep(both), ["name", "law"])),
    ]
    parts += ["**Allocation: early intervals that hold the value of all runs**", _drift(allocation)]
    parts += ["**Refits that failed**", _counted(failures, ["law", "kind", "step", "error"])]
    parts += ["**Refits that warned**", _counted(warnings, ["law", "kind", "warning"])]
    return "\n\n".join(parts) + "\n"


def _by_sweep(points: pd.DataFrame) -> pd.DataFrame:
    """Return points with a name: the sweep for sweeps over N and D, the source for curves."""
    return points.assign(
        name=np.where(points["kind"] == "joint", points["sweep"], points["source"])
    )


def _drift(allocation: pd.DataFrame) -> str:
    """Return how often the interval of a and of N* at an early cut holds the median of all runs."""
    early = allocation[np.isfinite(allocation["cut"])].dropna(subset=["a"])
    rows = early.groupby("law", sort=False).agg(
        refits=("cut", "size"),
        a=("a_contained", "mean"),
        n_params=("n_params_contained", "mean"),
    )
    shown = rows.rename(columns={"a": "holds a", "n_params": "holds N*"}).round(2).reset_index()
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.astype(str).to_numpy()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _counted(events: pd.DataFrame, by: list[str]) -> str:
    """Return how many refits each method failed at, or warned in, and of what."""
    if not len(events):
        return "None."
    refits = events.drop_duplicates([*by, "sweep", "cut"])
    shown = refits.groupby(by).size().rename("refits").reset_index()
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.astype(str).to_numpy()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
