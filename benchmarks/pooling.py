"""How well runs of a group are forecast from few of its own: pooled, by itself, and as one law.

Of one group after the other all but 4, 6 or 10 runs are hidden, those that are kept drawn from the
half of least compute; the other groups keep theirs. The hidden runs are forecast by a pooled fit,
by a fit of the runs that are left of the group alone, and by one law for the runs of all groups.
Scores are of log loss, in percent: CRPS, how often the 90% interval (equal-tailed, of a new run)
holds, and its width. Each is a mean over sources, in which groups weigh the same. Four runs are
fewer than a law has parameters, so that there is no fit of the group by itself. A group of which
another fit fails is left out of all ways and counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
from measure import print_table
from scores import scores
from sweep import arguments

import scaling_bayes as sb

KEPT = (4, 6, 10)
QUICK_KEPT = (6,)
MOST_HIDDEN = 60
FEWEST_OF_A_GROUP = 12
WAYS, FEWEST_BY_ITSELF = 3, 6
PORIAN = (
    ("tuned", "short", "const"),
    ("base", "short", "chinchilla"),
    ("base", "long", "kaplan"),
)
GADRE_LOSSES = ("loss_c4_val", "loss_openlm", "loss_paloma_redpajama")


def sweeps(folder: Path) -> Iterator[tuple[str, sb.Runs]]:
    """Yield tables of runs in groups, each with the source that it is of."""
    tiny = sb.datasets.load_tiny_transformers().frame
    frame = tiny[["n_params", "tokens", "loss"]].assign(group="batch " + tiny["batch"].astype(str))
    large = frame.groupby("group")["loss"].transform("size") >= FEWEST_OF_A_GROUP
    yield "tiny_transformers", sb.read_runs(frame[large], duplicates="drop")
    gadre = pd.read_csv(folder / "gadre_overtraining.csv")
    for column in GADRE_LOSSES:
        frame = gadre[["n_params", "tokens", "group"]].assign(loss=gadre[column])
        yield "gadre", sb.read_runs(frame.dropna(), duplicates="drop")
    marin = pd.read_csv(folder / "marin_isoflop.csv")
    yield "marin", sb.read_runs(marin[["n_params", "tokens", "loss", "group"]], duplicates="drop")
    porian = pd.read_csv(folder / "porian_isoflop.csv")
    for settings in PORIAN:
        chosen = porian[
            (porian[["hparams", "warmup", "decay"]] == settings).all(axis=1)
            & (porian["param_count"] == "standard")
            & (porian["loss_split"] == "val")
        ]
        frame = chosen[["n_params", "tokens", "loss"]].assign(group=chosen["dataset"])
        yield "porian", sb.read_runs(frame, duplicates="drop")


def splits(runs: sb.Runs, kept: int) -> Iterator[tuple[str, sb.Runs, sb.Runs]]:
    """Yield each group with the runs that are left of all groups, and its hidden ones."""
    frame = runs.frame
    for name, own in frame.groupby("group"):
        if len(own) < kept + 3:
            continue
        cheaper = own.sort_values("flops").iloc[: max(kept, len(own) // 2)]
        left = cheaper.sample(kept, random_state=1).index
        hidden = own.drop(left)
        if len(hidden) > MOST_HIDDEN:
            hidden = hidden.sample(MOST_HIDDEN, random_state=0)
        rest = frame[(frame["group"] != name) | frame.index.isin(left)]
        yield (
            str(name),
            sb.Runs(rest.reset_index(drop=True)),
            sb.Runs(hidden.reset_index(drop=True)),
        )


def ways(rest: sb.Runs, hidden: sb.Runs, name: str, **how: object) -> dict[str, dict[str, float]]:
    """Return the scores of each way; those that do not converge are left out."""
    own = sb.Runs(rest.frame[rest.frame["group"] == name].reset_index(drop=True))
    fits = {
        "pooled": lambda: sb.fit(rest, groups="group", **how)[name],
        "by itself": lambda: sb.fit(own, **how),
        "one law": lambda: sb.fit(rest, **how),
    }
    found = {}
    for way, make in fits.items():
        try:
            found[way] = scores(make().forecast(hidden, seed=1), hidden)
        except (sb.errors.ConvergenceError, sb.errors.IdentifiabilityError) as error:
            print(f"  {name}, {way}: {type(error).__name__}: {str(error)[:160]}")
    return found


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    warnings.simplefilter("ignore", sb.errors.ScalingBayesWarning)
    how: dict[str, object] = {"seed": 1}
    if options.quick:
        how["settings"] = sb.SamplerSettings(progressbar=False)
        how["on_failure"] = "warn"
    rows, failed = [], []
    for source, runs in sweeps(options.data):
        for kept in QUICK_KEPT if options.quick else KEPT:
            for name, rest, hidden in islice(splits(runs, kept), 1 if options.quick else None):
                found = ways(rest, hidden, name, **how)
                row = {"source": source, "kept": kept, "group": name}
                if len(found) < WAYS - (kept < FEWEST_BY_ITSELF):
                    failed.append(row)
                    continue
                rows += [row | {"way": way} | values for way, values in found.items()]
        if options.quick:
            break
    table = pd.DataFrame(rows)
    by = ["kept", "way"]
    means = table.groupby([*by, "source"])[["CRPS", "held", "width"]].mean()
    pooled = means.groupby(by).mean().reset_index()
    print_table("Mean over sources", pooled.to_dict("records"))
    each = means.reset_index().pivot(index=["source", "kept"], columns="way", values="CRPS")
    print_table("CRPS by source", each.reset_index().to_dict("records"))
    print(f"{len(failed)} groups were left out, where a fit did not converge: {failed}")


if __name__ == "__main__":
    main()
