"""Published parameter values, usable wherever a fit is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scaling_bayes.laws._law import Citation, Law
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class PublishedLaw:
    """A law with the parameter values of a paper, as one draw.

    `scaling_bayes.forecast`, `allocate`, `compute_to_reach`, `loss_given_up`, `compare` and the
    plots take it where they take a fit. It has no noise, so a forecast of a new run is not to be
    had from it: papers seldom publish the scatter.

    Attributes
    ----------
    label : str
        Short name, such as ``"hoffmann2022"``.
    law : Law
        The law.
    values : Mapping of str to float
        A value for every natural parameter of the law.
    citation : Citation
        The paper that gives the values.
    note : str
        What a reader has to know about the values.
    flops_per_param_token : float
        The k of C = k N D that the paper uses.
    """

    label: str
    law: Law
    values: Mapping[str, float]
    citation: Citation
    note: str = ""
    flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN
    noise: None = field(default=None, init=False, repr=False)
    noise_draws: None = field(default=None, init=False, repr=False)
    discrepancy_draws: None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if set(self.values) != set(self.law.parameter_names):
            raise ValueError(
                f"{self.label} gives {sorted(self.values)}, "
                f"but {self.law.name} has {sorted(self.law.parameter_names)}."
            )

    @property
    def draws(self) -> xr.Dataset:
        """The values as a data set of one chain with one draw."""
        import xarray as xr

        return xr.Dataset(
            {name: (("chain", "draw"), [[value]]) for name, value in self.values.items()},
            coords={"chain": [0], "draw": [0]},
        )
