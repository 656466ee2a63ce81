"""Whether the law follows the differences that pairs of runs show."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd

from scaling_bayes._intervals import interval, quantile
from scaling_bayes._printable import printed
from scaling_bayes._recipes.pairs import Pairs
from scaling_bayes._recipes.recipe import Recipe
from scaling_bayes.errors import InputError

SUSPECT = 0.05
"""Tail probability below which the law is said to miss how differences move."""


@dataclass(frozen=True, eq=False)
class PairCheck:
    """Differences of pairs beside those that the fit gives them.

    If the law holds, the differences lie on either side of it at random. If it bends away, pairs of
    about the same compute lie on the same side, whatever the noise.

    Attributes
    ----------
    names : tuple of str
        The first recipe and the second.
    table : DataFrame
        One row a pair, by compute: ``n_params``, ``tokens`` and ``flops`` of the first recipe's
        run; ``log_ratio``, the log of the second's loss over the first's; ``by_law``, the median of
        that of the mean curves, with the 90% equal-tailed interval ``by_law_lower`` and
        ``by_law_upper``.
    same_side : float
        The share of neighbours by compute that lie on the same side of the law, a mean over draws;
        0.5 is expected.
    tail_probability : float
        The posterior predictive probability of a share as large (Gelman, Meng & Stern 1996).
    """

    names: tuple[str, str]
    table: pd.DataFrame
    same_side: float
    tail_probability: float

    @property
    def suspect(self) -> bool:
        """Whether the law misses how the differences move with compute."""
        return self.tail_probability < SUSPECT

    @printed
    def __repr__(self) -> str:
        first, second = self.names
        judged = "misses" if self.suspect else "follows"
        remedy = (
            " A crossing, or a difference at another scale, may come from that: leave out the runs "
            "that bend, or take another law."
            if self.suspect
            else ""
        )
        return (
            f"The law {judged} how the loss of {second} over that of {first} moves with compute: "
            f"{self.same_side:.0%} of neighbours among {len(self.table)} pairs lie on the same "
            f"side of it (50% are expected; tail probability {self.tail_probability:.3f}).{remedy}"
        )


def check_pairs(recipes: dict[str, Recipe], pairs: Pairs) -> PairCheck:
    """Return the check of pairs; see `RecipeComparison.check_pairs`."""
    import xarray as xr
    from scipy.stats import binom

    if len(pairs) < 2:
        raise InputError(
            f"there are {len(pairs)} pairs of runs, too few to check. Name in pair_by the columns "
            "in which the runs of both recipes agree."
        )
    first, second = recipes.values()
    frames = [first.runs.frame.iloc[pairs.first], second.runs.frame.iloc[pairs.second]]
    order = np.lexsort([frames[0][name] for name in ("n_params", "flops")])
    frames = [frame.iloc[order].reset_index(drop=True) for frame in frames]
    losses = []
    for one, frame in zip((first, second), frames, strict=True):
        sizes = {name: xr.DataArray(frame[name], dims="pair") for name in one.law.covariates}
        losses.append(one.law.loss(one.draws, SimpleNamespace(**sizes)))
    by_law: xr.DataArray = xr.ufuncs.log(losses[1] / losses[0]).transpose("chain", "draw", "pair")
    log_ratio = np.log(frames[1]["loss"].to_numpy() / frames[0]["loss"].to_numpy())
    above = log_ratio > by_law.to_numpy()
    same = (above[..., 1:] == above[..., :-1]).sum(axis=-1)
    n_neighbours = len(pairs) - 1
    lower, upper = interval(by_law).values
    return PairCheck(
        names=(first.label, second.label),
        table=frames[0][["n_params", "tokens", "flops"]].assign(
            log_ratio=log_ratio,
            by_law=quantile(by_law, 0.5).values,
            by_law_lower=lower,
            by_law_upper=upper,
        ),
        same_side=float(same.mean() / n_neighbours),
        tail_probability=float(binom.sf(same - 1, n_neighbours, 0.5).mean()),
    )
