"""One group of a pooled fit, as a source of forecasts and allocations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_bayes._doubt import Doubt
from scaling_bayes._prediction.answers import Answers
from scaling_bayes._printable import printed
from scaling_bayes.laws import PowerSum
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

    from scaling_bayes.discrepancy import DiscrepancyDraws


@dataclass(frozen=True, eq=False)
class GroupFit(Answers):
    """The posterior of one group's law, given the runs of all groups.

    Whatever asks for draws of a law takes it: forecasts, allocations, decisions, averages and
    plots. Its draws belong to those of the other groups one by one.

    Attributes
    ----------
    label : str
        The group.
    law : PowerSum
        The law.
    noise : Noise
        The noise on log loss, the same for all groups.
    runs : Runs
        The runs of this group; of a new group those of all groups.
    draws : Dataset
        Natural parameters, with dims chain and draw.
    noise_draws : Dataset
        Parameters of the noise, likewise.
    discrepancy_draws : DiscrepancyDraws or None
        How the mean of its runs differs from the law.
    doubts : tuple of Doubt
        What is doubtful about it.
    """

    label: str
    law: PowerSum
    noise: Noise
    runs: Runs
    draws: xr.Dataset
    noise_draws: xr.Dataset
    discrepancy_draws: DiscrepancyDraws | None
    doubts: tuple[Doubt, ...] = ()

    @property
    def flops_per_param_token(self) -> float:
        """The k of C = k N D, as in the runs."""
        return self.runs.flops_per_param_token

    @printed
    def __repr__(self) -> str:
        return f"Group {self.label} of a pooled fit of {self.law.name}, {self.runs.counted}"
