"""The tables of forecasts, from points: a point is one run forecast by one method at one cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from methods import DEFAULT
from weights import by_source, exponential, markdown, span, weights, wide, with_interval

PROBS = (50, 80, 90, 95)
BANDS = (1.5, 2.5, 5, 10, 30, 100)
"""Ends of the bands of distance: compute of the run over the largest compute that was fitted."""
MEAN_CURVE = ", mean curve only"
SHARES = tuple(f"{prob}%" for prob in PROBS)
SIZES = ("width", "CRPS", "bias")
FORMATS: dict[str, Callable[..., str]] = (
    dict.fromkeys((*SHARES, "below 5%", "above 95%"), "{:.2f}".format)
    | dict.fromkeys(("CRPS", "bias"), "{:.2f}".format)
    | {"width": "{:.1f}".format}
)


def with_scores(points: pd.DataFrame) -> pd.DataFrame:
    """Return points with whether each interval holds the run, and scores of log loss in percent."""
    observed = points["observed"]
    columns: dict[str, object] = {
        share: (points[f"lower_{prob}"] <= observed) & (observed <= points[f"upper_{prob}"])
        for prob, share in zip(PROBS, SHARES, strict=True)
    }
    mean_curve = points["of"] == "mean_curve"
    return points.assign(
        **columns,
        width=100 * np.log(points["upper_90"] / points["lower_90"]),
        CRPS=100 * points["crps"],
        bias=100 * points["error"],
        method=points["method"].where(~mean_curve, points["method"] + MEAN_CURVE),
        run=points["sweep"] + " " + points["row"].astype(str),
        refit=points["sweep"] + " " + points["cut"].astype(str),
        distance=bands(points["factor"]),
        **{"below 5%": points["pit"] < 0.05, "above 95%": points["pit"] > 0.95},
    )


def bands(factor: pd.Series) -> pd.Series:
    """Return in which band of distance each budget lies."""
    ends = ["1", *(f"{end:g}" for end in BANDS)]
    names = [f"{low} to {high}" for low, high in pairwise(ends)]
    return pd.cut(factor, [0, *BANDS, np.inf], labels=[*names, "100 and more"])


def counts(points: pd.DataFrame) -> dict[str, int]:
    """Return how much was forecast."""
    names = {"sweeps": "sweep", "cuts": "refit", "runs": "run"}
    found = {name: points[column].nunique() for name, column in names.items()}
    return found | {"forecasts": len(points)}


def in_common(points: pd.DataFrame) -> pd.DataFrame:
    """Return points of the refits that no method failed at, with finite scores, methods compared.

    A method that failed at more than a tenth of them does not count, and is left out.
    """
    scored = points[np.isfinite(points["crps"])]
    managed = scored.groupby("method")["refit"].nunique() / scored["refit"].nunique()
    counting = scored[scored["method"].isin(managed.index[managed >= 0.9])]
    methods_at = counting.groupby("refit")["method"].nunique()
    return counting[counting["refit"].map(methods_at) == counting["method"].nunique()]


def of_methods(points: pd.DataFrame) -> str:
    """Return means over sources, one row a method, with intervals over sources.

    Of the refits that all methods managed.
    """
    common = in_common(points)
    of_one = common[common["method"] == common["method"].iloc[0]]
    numbers = {"sources": of_one["source"].nunique()} | counts(of_one)
    told = ", ".join(f"{number} {name}" for name, number in numbers.items())
    measured = {
        method: by_source(part, [*SHARES, *SIZES])
        for method, part in common.groupby("method", sort=False)
    }
    rows = {}
    for method, table in measured.items():
        row = {share: f"{table[share].mean():.2f}" for share in SHARES}
        row["90%"] = with_interval(table["90%"])
        row["90% by source"] = span(table["90%"])
        row |= {name: FORMATS[name](table[name].mean()) for name in SIZES}
        if DEFAULT in measured:
            ratio = np.log(table["CRPS"] / measured[DEFAULT]["CRPS"])
            row["CRPS, times the default's"] = (
                "1" if method == DEFAULT else with_interval(ratio, exponential(2))
            )
        rows[method] = row
    return (
        f"Refits that all methods managed: {told}.\n\n"
        f"{markdown(pd.DataFrame(rows).T.rename_axis('method'))}"
    )


def of_groups(points: pd.DataFrame, by: str, *, chose: bool = False) -> str:
    """Return means by source or sweep of one method's points."""
    rows = {}
    for name, part in points.groupby(by, sort=False):
        row: dict[str, object] = {}
        if chose:
            row["chose kernel, tau"] = _chose(part)
        columns = [*SHARES, "below 5%", "above 95%", *SIZES]
        rows[name] = row | counts(part) | by_source(part, columns).mean().to_dict()
    return markdown(pd.DataFrame(rows).T.rename_axis(by), FORMATS)


def _chose(points: pd.DataFrame) -> str:
    sweeps = points.drop_duplicates("sweep")["chose_kernel"]
    return "yes" if sweeps.all() else f"{sweeps.sum()} of {len(sweeps)}" if sweeps.any() else "no"


def of_bands(points: pd.DataFrame, by: str = "distance") -> str:
    """Return means over sources of one method's points in each band, with intervals over them."""
    rows = {}
    for name, part in points.groupby(by, sort=by == "distance", observed=True):
        table = by_source(part, [*SHARES, *SIZES])
        row: dict[str, object] = {"sources": len(table), "forecasts": len(part)}
        row |= {share: f"{table[share].mean():.2f}" for share in SHARES}
        row |= {"90%": with_interval(table["90%"]), "90% by source": span(table["90%"])}
        rows[name] = row | {size: FORMATS[size](table[size].mean()) for size in SIZES}
    return markdown(pd.DataFrame(rows).T.rename_axis(by))


def of_pit(points: pd.DataFrame) -> str:
    """Return the shares of the probability integral transform in tenths, one row a method."""
    edges = np.linspace(0, 1, 11)
    names = [f"{low:.1f} to {high:.1f}" for low, high in pairwise(edges)]
    rows = {
        method: dict(
            zip(
                names,
                np.histogram(part["pit"], edges, weights=weights(part))[0].round(2),
                strict=True,
            )
        )
        for method, part in points.groupby("method", sort=False)
    }
    formats = dict.fromkeys(names, "{:.2f}".format)
    return markdown(pd.DataFrame(rows).T.rename_axis("method"), formats)


def forecast_parts(points: pd.DataFrame) -> list[str]:
    """Return the tables of sweeps over N and D, with their titles, in Markdown."""
    every = points[points["kind"] == "joint"]
    if not len(every):
        return []
    new_run = every[every["of"] == "new_run"]
    shown = every[(every["of"] == "new_run") | every["method"].str.startswith("Huber")]
    default = new_run[new_run["method"] == DEFAULT]
    apart = default.assign(
        sweeps=np.where(
            default["chose_kernel"],
            "chose kernel, tau and law",
            np.where(
                default["source"].isin(default.loc[default["chose_kernel"], "source"]),
                "chose the law; source has others that chose kernel and tau",
                "chose the law; source new to kernel and tau",
            ),
        )
    )
    by_distance = new_run.sort_values("distance", kind="stable")
    return [
        "**Forecasts: sweeps over N and D, every source weighs the same**\n\n" + of_methods(shown),
        "**The default by source**\n\n" + of_groups(default, "source", chose=True),
        "**The default by distance**: compute of the run over the largest fitted\n\n"
        + of_bands(default),
        "**The default by what the sweeps chose**\n\n" + of_bands(apart, "sweeps"),
        "**90% intervals that hold, by source**\n\n" + markdown(wide(new_run, "90%", "source")),
        "**CRPS by source**\n\n" + markdown(wide(new_run, "CRPS", "source")),
        "**90% intervals that hold, by distance**\n\n"
        + markdown(wide(by_distance, "90%", "distance")),
        "**CRPS by distance**\n\n" + markdown(wide(by_distance, "CRPS", "distance")),
        "**Probability integral transform, in tenths**\n\n" + of_pit(new_run),
        "**The default by sweep**\n\n" + of_groups(default, "sweep", chose=True),
    ]


def curve_parts(points: pd.DataFrame) -> list[str]:
    """Return the table of single curves, if any were scored."""
    curves = points[(points["kind"] == "curve") & (points["of"] == "new_run")]
    pools = {
        "Single curves": curves[curves["source"] != "double_descent"],
        "Double descent": curves[curves["source"] == "double_descent"],
    }
    return [
        f"**{title}, every source weighs the same**\n\n" + of_methods(pool)
        for title, pool in pools.items()
        if len(pool)
    ]
