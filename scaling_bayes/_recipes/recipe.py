"""One of two recipes, as a source of forecasts and allocations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_bayes._printable import printed
from scaling_bayes.laws import PowerSum
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Recipe:
    """The posterior of one recipe's law, given the runs of both.

    `scaling_bayes.forecast`, `allocate`, `compute_to_reach` and `decide` take it. Its draws
    belong to those of the other recipe one by one.

    Attributes
    ----------
    label : str
        The recipe.
    law : PowerSum
        The law.
    noise : Noise
        The noise on log loss, the same for both recipes.
    runs : Runs
        The runs of this recipe.
    draws : Dataset
        Natural parameters, with dims chain and draw.
    noise_draws : Dataset
        Parameters of the noise, likewise.
    """

    label: str
    law: PowerSum
    noise: Noise
    runs: Runs
    draws: xr.Dataset
    noise_draws: xr.Dataset

    @property
    def flops_per_param_token(self) -> float:
        """The k of C = k N D, as in the runs."""
        return self.runs.flops_per_param_token

    @printed
    def __repr__(self) -> str:
        return f"Recipe {self.label} by {self.law.name}, {len(self.runs)} runs of its own"
