"""Two recipes at the same scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import pandas as pd

from scaling_bayes._intervals import (
    DEFAULT_PROB,
    SAMPLE_DIMS,
    IntervalKind,
    interval,
    quantile,
    shown_in_words,
)
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.compute_to_reach import Path, best_loss, flops_to_reach
from scaling_bayes._prediction.forecast import points_of
from scaling_bayes._prediction.law_draws import law_loss
from scaling_bayes._printable import printed
from scaling_bayes._recipes.compute_paths import along
from scaling_bayes._recipes.recipe import Recipe
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class RecipesAt(InNotebook):
    """Posterior of what two recipes reach at the same scale. All of it is of the mean curve.

    Attributes
    ----------
    names : tuple of str
        The first recipe and the second.
    points : Dataset
        The sizes given, and what follows from them, with dim ``point``.
    loss : DataArray
        Nats per token, with dims recipe, chain, draw and point. Where compute alone is given, each
        recipe spends it in the way that is best for it, draw by draw.
    multiplier : DataArray or None
        How many times the compute the first recipe needs to reach the loss that the second has
        here, with dims chain, draw and point: above 1 where the second is better, infinite where
        the first never gets there. Compute is spent in the way best for each or, where a model
        size is given, with as many tokens per parameter as here. None where the sizes given do not
        say what compute is.
    most_flops : float
        Compute of the largest run of both; above it, the words name the extrapolation.
    """

    names: tuple[str, str]
    points: xr.Dataset
    loss: xr.DataArray
    multiplier: xr.DataArray | None
    most_flops: float

    @property
    def difference(self) -> xr.DataArray:
        """Loss of the second minus that of the first, in nats per token."""
        first, second = (self.loss.sel(recipe=name, drop=True) for name in self.names)
        return second - first

    @property
    def ratio(self) -> xr.DataArray:
        """Loss of the second over that of the first."""
        first, second = (self.loss.sel(recipe=name, drop=True) for name in self.names)
        return second / first

    @property
    def probability_better(self) -> xr.DataArray:
        """The probability that each recipe has the lower loss, with dims recipe and point."""
        import xarray as xr

        second = (self.difference < 0).mean(SAMPLE_DIMS)
        joined = xr.concat([1 - second, second], "recipe")
        return joined.assign_coords(recipe=list(self.names))

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a point: its sizes, medians with intervals, and who is better.

        Parameters
        ----------
        prob : float
            Probability inside the intervals, which end in ``_lower`` and ``_upper``.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.

        Returns
        -------
        DataFrame
            ``loss`` of each recipe, and their ``difference``, ``ratio`` and ``multiplier``, which
            are of the second against the first; ``better`` of each, the probability that its loss
            is the lower one.
        """
        frame = pd.DataFrame({name: self.points[name].values for name in self.points})
        quantities = {
            f"loss_{name}": self.loss.sel(recipe=name, drop=True) for name in self.names
        } | {"difference": self.difference, "ratio": self.ratio}
        if self.multiplier is not None:
            quantities["multiplier"] = self.multiplier
        for name, draws in quantities.items():
            frame[name] = quantile(draws, 0.5).values
            frame[f"{name}_lower"], frame[f"{name}_upper"] = interval(
                draws, prob=prob, kind=kind
            ).values
        for name in self.names:
            frame[f"better_{name}"] = self.probability_better.sel(recipe=name).values
        return frame

    @printed
    def __repr__(self) -> str:
        first, second = self.names
        lines = [f"Mean curves of {first} and {second}: {shown_in_words(self.difference)}"]
        for row in self.to_frame().to_dict("records"):
            at = ", ".join(
                f"{letter} {format_quantity(row[name], kind=name)}"
                for letter, name in zip("NDC", SIZES, strict=True)
                if name in row
            )
            lines += [
                f"At {at}:",
                f"  loss of {first} {_shown(row, f'loss_{first}', '.4f')}, of {second} "
                f"{_shown(row, f'loss_{second}', '.4f')} nats per token",
                f"  {second} minus {first} {_shown(row, 'difference', '+.4f')} nats per token",
            ]
            if self.multiplier is not None:
                times = _shown(row, "multiplier", ".3g")
                lines.append(
                    f"  {first} needs {times} times the compute to reach the loss of {second}"
                )
            lines.append(f"  {second} is better with probability {row[f'better_{second}']:.3f}")
        asked = float(self.points["flops"].max()) if "flops" in self.points else 0.0
        if asked > self.most_flops * (1 + 1e-9):
            lines.append(
                f"This reaches {asked / self.most_flops:.3g} times the compute of the largest run: "
                "intervals take the law for the truth there."
            )
        return "\n".join(lines)


def _shown(row: Mapping[Hashable, float], name: str, form: str) -> str:
    median, lower, upper = (
        format(row[column], form) for column in (name, f"{name}_lower", f"{name}_upper")
    )
    return f"{median} [{lower}, {upper}]"


def recipes_at(
    recipes: dict[str, Recipe],
    *,
    n_params: object = None,
    tokens: object = None,
    flops: object = None,
    most_flops: float = inf,
) -> RecipesAt:
    """Return what two recipes reach at the same scale; see `RecipeComparison.at`."""
    import xarray as xr

    first, second = recipes.values()
    points = points_of(first, None, n_params=n_params, tokens=tokens, flops=flops)
    if n_params is None and tokens is None:
        path: Path | None = best_loss
        losses = [best_loss(one, points["flops"]) for one in (first, second)]
    else:
        losses = [law_loss(one, points) for one in (first, second)]
        known = {"n_params", "tokens"} <= set(points)
        path = along(points["tokens"] / points["n_params"]) if known else None
    multiplier = None
    if path is not None:
        multiplier = flops_to_reach(path, first, losses[1], least=1.0) / points["flops"]
    return RecipesAt(
        names=(first.label, second.label),
        points=points,
        loss=xr.concat(losses, "recipe").assign_coords(recipe=list(recipes)),
        multiplier=multiplier,
        most_flops=most_flops,
    )
