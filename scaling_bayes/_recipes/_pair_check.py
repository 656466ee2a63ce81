"""Whether the law follows the differences that pairs of runs show."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._intervals import DEFAULT_PROB, interval, quantile
from scaling_bayes._recipes._model import CORRELATION
from scaling_bayes._recipes._pairs import Pairs
from scaling_bayes._recipes._recipe import Recipe
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

SUSPECT = 0.05
"""Tail probability below which the law is said to miss the largest pairs."""

_LARGEST = 0.25


@dataclass(frozen=True, eq=False)
class PairCheck:
    """Differences of pairs beside those that the fit gives them.

    What a difference will be at a larger scale follows from the law, so the largest pairs are
    looked at by themselves.

    Attributes
    ----------
    names : tuple of str
        The first recipe and the second.
    table : DataFrame
        One row a pair, by compute: ``n_params``, ``tokens`` and ``flops`` of the first recipe's
        run; ``log_ratio``, the log of the second's loss over the first's; ``by_law``, the median of
        that of the mean curves, with the 90% equal-tailed interval ``by_law_lower`` and
        ``by_law_upper``.
    n_largest : int
        Number of pairs, a quarter, that have the most compute.
    observed : float
        Mean log ratio of these.
    replicated : DataArray
        The same of replicates, with noise, with dims chain and draw.
    """

    names: tuple[str, str]
    table: pd.DataFrame
    n_largest: int
    observed: float
    replicated: xr.DataArray

    @property
    def tail_probability(self) -> float:
        """Twice the smaller share of replicates beyond the mean log ratio of the largest pairs."""
        below = float((self.replicated < self.observed).mean())
        return 2 * min(below, 1 - below)

    def __repr__(self) -> str:
        first, second = self.names
        lower, upper = interval(self.replicated).values
        median = float(quantile(self.replicated, 0.5))
        judged = "misses" if self.tail_probability < SUSPECT else "agrees with"
        return (
            f"The law {judged} the differences of the largest pairs: over {self.n_largest} of "
            f"{len(self.table)} pairs the log of the loss of {second} over that of {first} is "
            f"{self.observed:+.4f} on average, and {median:+.4f} [{lower:+.4f}, {upper:+.4f}] in "
            f"replicates (median and {DEFAULT_PROB:.0%} equal-tailed interval), tail probability "
            f"{self.tail_probability:.3f}"
        )


def check_pairs(
    recipes: dict[str, Recipe], pairs: Pairs, data_tree: xr.DataTree, rng: np.random.Generator
) -> PairCheck:
    """Return the check of pairs; see `RecipeComparison.check_pairs`."""
    import xarray as xr

    if not len(pairs):
        raise InputError("there are no pairs of runs to check. Name their columns in pair_by.")
    first, second = recipes.values()
    frames = [first.runs.frame.iloc[pairs.first], second.runs.frame.iloc[pairs.second]]
    order = np.argsort(frames[0]["flops"].to_numpy(), kind="stable")
    frames = [frame.iloc[order].reset_index(drop=True) for frame in frames]
    log_losses = [
        xr.ufuncs.log(
            one.law.loss(
                one.draws,
                SimpleNamespace(
                    **{name: xr.DataArray(frame[name], dims="pair") for name in one.law.covariates}
                ),
            )
        )
        for one, frame in zip((first, second), frames, strict=True)
    ]
    by_law = (log_losses[1] - log_losses[0]).transpose("chain", "draw", "pair")
    log_ratio = np.log(frames[1]["loss"] / frames[0]["loss"])
    weights = [xr.DataArray(frame["weight"], dims="pair") for frame in frames]
    correlation = data_tree["posterior"][CORRELATION]
    variance = 1 / weights[0] + 1 / weights[1] - 2 * correlation / (weights[0] * weights[1]) ** 0.5
    replicates = first.noise.sample(by_law, first.noise_draws, rng, weight=1 / variance)
    n_largest = max(1, round(_LARGEST * len(pairs)))
    lower, upper = interval(by_law).values
    return PairCheck(
        names=(first.label, second.label),
        table=frames[0][["n_params", "tokens", "flops"]].assign(
            log_ratio=log_ratio,
            by_law=quantile(by_law, 0.5).values,
            by_law_lower=lower,
            by_law_upper=upper,
        ),
        n_largest=n_largest,
        observed=float(log_ratio[-n_largest:].mean()),
        replicated=replicates.isel(pair=slice(-n_largest, None)).mean("pair"),
    )
