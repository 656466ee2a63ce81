"""The sweeps that forecasts are scored on, where each is cut, and what each of them chose.

The sweeps of `SET_ASIDE` had no part when kernel and prior scale of the discrepancy were chosen:
whole sources (misfitting, clark), training sets that no other sweep shares (OpenWebText2 in porian,
RedPajama and RefinedWeb in gadre, translation in alabdulmohsin), and every second setting or curve
of nanogpt and colpret. Nor had farseer and marin, which came later. But the law of the default, and
its priors, were chosen by looking at forecasts of all sweeps over N and D: for the law, none is set
aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from minima import LEVEL, Minimum, minima

import scaling_bayes as sb
from scaling_bayes._evidence.backtest.cuts import SHARES_BELOW
from scaling_bayes.datasets import load_tiny_transformers

Kind = Literal["joint", "curve"]

SET_ASIDE = (
    "misfitting",
    "porian owt2",
    "gadre rpj",
    "gadre rw",
    "clark",
    "alabdulmohsin NMT",
    "farseer",
    "marin",
)
"""Beginnings of the names of sweeps that did not choose kernel and tau, besides small curves."""

CHINCHILLA_CUTS = (2e19, 5e19, 1e20, 3e20, 1e21)
MIN_BELOW, MIN_ABOVE = 12, 5
LONGEST_CURVE = 60


@dataclass(frozen=True)
class Sweep:
    """Runs that belong together.

    Attributes
    ----------
    name : str
        Source and setting.
    source : str
        File it comes from, without ending; weighs as one when sweeps are pooled by source.
    kind : {"joint", "curve"}
        Runs that vary N and D, or one curve in one variable, which stands under ``tokens``.
    runs : Runs
        The runs.
    cuts : tuple of float
        FLOPs: fitted are runs below, scored are runs at or above.
    chose_kernel : bool
        Whether kernel and prior of tau were chosen on it. The law was chosen on all joint ones.
    isoflop : bool
        Whether minima of its isoFLOP slices are measured.
    repeats : bool
        Whether another sweep has the same trainings, with parameters counted in another way.
    """

    name: str
    source: str
    kind: Kind
    runs: sb.Runs
    cuts: tuple[float, ...]
    chose_kernel: bool
    isoflop: bool = False
    repeats: bool = False

    def minima(self) -> list[Minimum]:
        """Return the minima of its isoFLOP slices; none where they are not measured."""
        return self._minima

    @cached_property
    def _minima(self) -> list[Minimum]:
        return minima(self.runs.frame) if self.isoflop else []


def cuts_of(runs: sb.Runs) -> tuple[float, ...]:
    """Return the compute of the runs that have the shares `SHARES_BELOW` of all before them.

    Where several runs have the same compute, all of them lie above, so that fewer than the share
    lie below. The default cuts of `sb.backtest` never have fewer below; the two differ on most
    sweeps. A level that leaves fewer than `MIN_BELOW` below or `MIN_ABOVE` above is left out.
    """
    flops = np.sort(runs.frame["flops"].to_numpy())
    cuts = {}
    for share in SHARES_BELOW:
        cut = flops[min(int(np.ceil(share * len(flops))), len(flops) - 1)]
        below = int(np.sum(flops < cut))
        if below >= MIN_BELOW and len(flops) - below >= MIN_ABOVE:
            cuts[below] = float(cut)
    return tuple(cuts.values())


def joint(
    name: str,
    source: str,
    runs: pd.DataFrame | sb.Runs,
    cuts: tuple[float, ...] | None = None,
    *,
    isoflop: bool = False,
) -> Sweep:
    """Return a sweep over N and D, cut by its shares of runs unless cuts are given."""
    runs = runs if isinstance(runs, sb.Runs) else sb.read_runs(runs)
    cuts = cuts_of(runs) if cuts is None else cuts
    return Sweep(name, source, "joint", runs, cuts, not name.startswith(SET_ASIDE), isoflop)


def curve(
    name: str, source: str, x: pd.Series, loss: pd.Series, first_held_out: float, *, chose: bool
) -> Sweep:
    """Return one curve of loss in x, cut at one value of x; the size stands at 1."""
    columns = {"n_params": 1.0, "tokens": x.to_numpy(), "flops": 6.0 * x.to_numpy()}
    # read_runs would rightly doubt a model of one parameter.
    runs = sb.Runs(pd.DataFrame(columns | {"loss": loss.to_numpy(), "weight": 1.0}), name)
    return Sweep(
        name,
        source,
        "curve",
        runs,
        (first_held_out * runs.flops_per_param_token * (1 - 1e-9),),
        chose,
    )


def chinchilla(folder: Path) -> Iterator[Sweep]:
    """Yield the 240 runs of Besiroglu's refit."""
    runs = sb.read_runs(folder / "chinchilla_fig4.csv", where="besiroglu_included == 1")
    yield joint("chinchilla_fig4", "chinchilla_fig4", runs, CHINCHILLA_CUTS, isoflop=True)


def porian(folder: Path) -> Iterator[Sweep]:
    """Yield each group, in each of its ways to count parameters.

    All but one of the ways are repeats: the standard one is not, or the only one there is.
    """
    table = pd.read_csv(folder / "porian_isoflop.csv")
    ways = table.groupby("group")["param_count"].unique()
    for (group, count), rows in table.groupby(["group", "param_count"]):
        levels = rows.assign(**{LEVEL: rows["flops"]})
        sweep = joint(f"porian {group}|{count}", "porian_isoflop", levels, isoflop=True)
        yield replace(sweep, repeats="standard" in ways[group] and count != "standard")


def gadre(folder: Path) -> Iterator[Sweep]:
    """Yield the runs of each training set."""
    table = pd.read_csv(folder / "gadre_overtraining.csv")
    for group, rows in table.groupby("group"):
        yield joint(f"gadre {str(group).removesuffix('_original')}", "gadre_overtraining", rows)


def datablations(folder: Path) -> Iterator[Sweep]:
    """Yield the runs that read no token twice."""
    table = pd.read_csv(folder / "datablations.csv")
    once = table[(table["epochs"] <= 1) & (table["variant"] != "dedup")]
    yield joint("datablations", "datablations", once.drop(columns="seed"))


def misfitting(folder: Path) -> Iterator[Sweep]:
    """Yield the run with the best learning rate of each N and D."""
    table = pd.read_csv(folder / "misfitting.csv")
    best = table.loc[table.groupby(["n_params", "tokens"])["loss"].idxmin()]
    yield joint("misfitting", "misfitting", best.drop(columns="flops"), isoflop=True)


def steplaw(folder: Path) -> Iterator[Sweep]:
    """Yield the best of each grid over learning rate and batch size."""
    table = pd.read_csv(folder / "steplaw_dense.csv")
    sizes = ["n_params_non_embedding", "tokens"]
    best = table.loc[table.groupby(sizes)["loss"].idxmin()]
    best = best.assign(n_params=best["n_params_non_embedding"]).drop(columns="flops")
    yield joint("steplaw_dense", "steplaw_dense", best, isoflop=True)


def clark(folder: Path) -> Iterator[Sweep]:
    """Yield checkpoints of the dense models, eight of each.

    A step has 524,288 tokens: the paper trains on 130 billion tokens in 250,000 steps.
    """
    table = pd.read_csv(folder / "clark_routed.csv")
    steps = [10_000, 20_000, 40_000, 70_000, 100_000, 150_000, 200_000, 249_000]
    dense = table[(table["group"] == "Dense") & table["step"].isin(steps)]
    rows = dense.assign(tokens=524_288.0 * dense["step"])[["n_params", "tokens", "loss", "seed"]]
    yield joint("clark dense", "clark_routed", rows)


def tiny_transformers(_folder: Path) -> Iterator[Sweep]:
    """Yield our own sweep, with the larger runs that were trained after it."""
    runs = load_tiny_transformers()
    yield joint("tiny_transformers", "tiny_transformers", runs, isoflop=True)


def farseer(folder: Path) -> Iterator[Sweep]:
    """Yield the grid, and the grid with seven larger runs, which are forecast from all of it."""
    table = pd.read_csv(folder / "farseer.csv")
    train, target = (table[table["split"] == split] for split in ("train", "target"))
    yield joint("farseer", "farseer", train, isoflop=True)
    yield joint("farseer target", "farseer", table, (float(target["flops"].min()),))


def marin(folder: Path) -> Iterator[Sweep]:
    """Yield the ladder of each corpus; its budgets are round as the trainer counts FLOPs."""
    table = pd.read_csv(folder / "marin_isoflop.csv")
    eighth = np.round(8 * np.log10(table["flops_logged"])) / 8
    for group, rows in table.assign(**{LEVEL: eighth}).groupby("group"):
        yield joint(f"marin {group}", "marin_isoflop", rows, isoflop=True)


def alabdulmohsin(folder: Path) -> Iterator[Sweep]:
    """Yield the ten curves, cut where upstream cuts them."""
    table = pd.read_csv(folder / "alabdulmohsin_lang.csv")
    for (domain, group), rows in table.groupby(["domain", "group"]):
        first = rows.loc[rows["split"] == "test", "examples"].min()
        yield curve(
            f"alabdulmohsin {domain} {group}",
            "alabdulmohsin_lang",
            rows["examples"],
            rows["loss"],
            first,
            chose=domain != "NMT",
        )


def nanogpt(folder: Path) -> Iterator[Sweep]:
    """Yield the smallest loss against width of each setting; the last width is held out."""
    table = pd.read_csv(folder / "nanogpt_width.csv")
    smallest = table[table["metric"] == "min_val_loss"]
    for i, (group, rows) in enumerate(smallest.groupby("group")):
        yield curve(
            f"nanogpt {group}",
            "nanogpt_width",
            rows["n_embd"],
            rows["loss"],
            rows["n_embd"].max(),
            chose=i % 2 == 0,
        )


def colpret(folder: Path) -> Iterator[Sweep]:
    """Yield each learning curve, thinned evenly to 60 points; the last half is held out."""
    table = pd.read_csv(folder / "colpret_curves.csv")
    for i, (group, rows) in enumerate(table.groupby("group")):
        ordered = rows.sort_values("tokens").drop_duplicates("tokens")
        kept = np.unique(
            np.linspace(0, len(ordered) - 1, min(len(ordered), LONGEST_CURVE)).round().astype(int)
        )
        thin = ordered.iloc[kept]
        yield curve(
            f"colpret {group}",
            "colpret_curves",
            thin["tokens"],
            thin["loss"],
            thin["tokens"].iloc[len(thin) // 2],
            chose=i % 2 == 0,
        )


def double_descent(folder: Path) -> Iterator[Sweep]:
    """Yield each curve; the second half is held out. No monotone law can follow them."""
    table = pd.read_csv(folder / "double_descent.csv")
    for group, rows in table[(table["x"] > 0) & (table["loss"] > 0)].groupby("group"):
        averaged = rows.groupby("x", as_index=False)["loss"].mean()
        yield curve(
            f"double_descent {group}",
            "double_descent",
            averaged["x"],
            averaged["loss"],
            averaged["x"].iloc[len(averaged) // 2],
            chose=True,
        )


SOURCES: dict[str, Callable[[Path], Iterator[Sweep]]] = {
    "chinchilla_fig4": chinchilla,
    "porian_isoflop": porian,
    "gadre_overtraining": gadre,
    "datablations": datablations,
    "misfitting": misfitting,
    "steplaw_dense": steplaw,
    "clark_routed": clark,
    "tiny_transformers": tiny_transformers,
    "farseer": farseer,
    "marin_isoflop": marin,
    "alabdulmohsin_lang": alabdulmohsin,
    "nanogpt_width": nanogpt,
    "colpret_curves": colpret,
    "double_descent": double_descent,
}
CURVES = ("alabdulmohsin_lang", "nanogpt_width", "colpret_curves", "double_descent")
"""Sources of single curves."""


def sweeps(folder: Path, sources: tuple[str, ...] = tuple(SOURCES)) -> list[Sweep]:
    """Return the sweeps of some sources."""
    return [sweep for source in sources for sweep in SOURCES[source](folder)]
