"""The compute at which two recipes are equally good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._intervals import (
    DEFAULT_PROB,
    IntervalKind,
    interval,
    quantile,
    shown_in_words,
)
from scaling_bayes._prediction.compute_to_reach import best_loss, bisected
from scaling_bayes._printable import printed
from scaling_bayes._recipes.recipe import Recipe
from scaling_bayes.errors import InputError
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import xarray as xr

_GRID = 200
"""Computes looked at; two crossings between two of them are not seen."""


@dataclass(frozen=True, eq=False)
class Crossing:
    """Posterior of the compute at which the compute-optimal losses of two recipes cross.

    Attributes
    ----------
    names : tuple of str
        The first recipe and the second.
    range : tuple of float
        FLOPs between which crossings were looked for.
    flops : DataArray
        The lowest of them, with dims chain and draw; infinite where there is none in the range.
    count : DataArray
        How many there are, likewise: two power laws above a floor cross twice at most.
    second_better_above : DataArray
        Whether the second recipe is the better one just above the crossing, or, where there is
        none, in the whole range.
    """

    names: tuple[str, str]
    range: tuple[float, float]
    flops: xr.DataArray
    count: xr.DataArray
    second_better_above: xr.DataArray

    @property
    def probability_none(self) -> float:
        """The probability that they do not cross in the range."""
        return float((self.count == 0).mean())

    @property
    def probability_several(self) -> float:
        """The probability that they cross more than once in the range."""
        return float((self.count > 1).mean())

    @property
    def probability_second_overtakes(self) -> float:
        """The probability that they cross, and the second recipe is better above the lowest one."""
        return float(((self.count > 0) & self.second_better_above).mean())

    def interval(
        self, prob: float = DEFAULT_PROB, *, kind: IntervalKind = "equal-tailed"
    ) -> xr.DataArray:
        """Return the credible interval of the lowest crossing; infinite means none in the range."""
        return interval(self.flops, prob=prob, kind=kind)

    @printed
    def __repr__(self) -> str:
        def words(flops: float) -> str:
            return "none" if np.isinf(flops) else format_quantity(flops, kind="flops")

        first, second = self.names
        low, high = (format_quantity(flops, kind="flops") for flops in self.range)
        median = words(float(quantile(self.flops, 0.5)))
        lower, upper = (words(float(bound)) for bound in self.interval())
        return (
            f"Compute at which {first} and {second} cross, each spending it in its best way, "
            f"between {low} and {high}: {shown_in_words(self.flops)}\n"
            f"  {median} [{lower}, {upper}]\n"
            f"  no crossing with probability {self.probability_none:.3f}, more than one with "
            f"{self.probability_several:.3f}\n"
            f"  {second} overtakes {first} with probability "
            f"{self.probability_second_overtakes:.3f}"
        )


def crossing(recipes: dict[str, Recipe], least: float, most: float) -> Crossing:
    """Return where two recipes cross; see `RecipeComparison.crossing`."""
    import xarray as xr

    if not least < most:
        raise InputError(
            f"the range goes from {least:.4g} to {most:.4g} FLOPs; give a least compute below the "
            "most."
        )
    first, second = recipes.values()

    def second_better(flops: xr.DataArray) -> xr.DataArray:
        better: xr.DataArray = best_loss(second, flops) < best_loss(first, flops)
        return better

    grid = xr.DataArray(np.geomspace(least, most, _GRID), dims="budget")
    better = second_better(grid)
    changes = better.isel(budget=slice(1, None)) != better.isel(budget=slice(-1))
    place = changes.argmax("budget")
    log_grid = xr.ufuncs.log(grid)
    before = better.isel(budget=place)
    flops = bisected(
        lambda flops: second_better(flops) != before,
        log_grid.isel(budget=place),
        log_grid.isel(budget=place + 1),
    )
    count = changes.sum("budget")
    return Crossing(
        names=(first.label, second.label),
        range=(least, most),
        flops=flops.where(count > 0, np.inf),
        count=count,
        second_better_above=(count > 0) != before,
    )
