"""A fit at the runs it was fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from scaling_bayes._prediction.law_draws import LawDraws, discrepancy_of, law_loss, point_dataset
from scaling_bayes._work.blocks import block, n_blocks
from scaling_bayes.discrepancy import BASIS, WEIGHT
from scaling_bayes.noise import Noise

if TYPE_CHECKING:
    import xarray as xr

    from scaling_bayes.runs import Runs

ROWS_AT_ONCE: Final = 1000
"""Runs whose log likelihoods are held at once, of every draw."""


class Sampled(LawDraws, Protocol):
    """A law whose draws were sampled, with what its discrepancy read of the runs."""

    @property
    def data_tree(self) -> xr.DataTree:
        """The draws, as ArviZ knows them."""


class Fitted(Sampled, Protocol):
    """A law that was fitted to runs."""

    @property
    def noise(self) -> Noise:
        """The noise of single runs."""

    @property
    def noise_draws(self) -> xr.Dataset:
        """Parameters of the noise, with dims chain and draw."""

    @property
    def runs(self) -> Runs:
        """The runs."""


@dataclass(frozen=True, eq=False)
class ShiftAtRuns:
    """What a discrepancy adds to the log loss of the runs; what it leaves over counts as noise.

    Attributes
    ----------
    weights : DataArray
        Weights of its components, with dims chain, draw and component.
    basis : DataArray
        The components, with dims point and component.
    """

    weights: xr.DataArray
    basis: xr.DataArray

    def at(self, rows: slice) -> xr.DataArray:
        """Return draws of the shift at some runs, with dims chain, draw and point."""
        shift: xr.DataArray = self.weights.dot(self.basis.isel(point=rows), dim="component")
        return shift


def shift_at_runs(source: Sampled) -> ShiftAtRuns | None:
    """Return how the mean of the runs that were fitted differs from the law, where it may."""
    import xarray as xr

    error = discrepancy_of(source)
    if error is None:
        return None
    basis = source.data_tree["constant_data"][BASIS].to_numpy()
    return ShiftAtRuns(error.draws[WEIGHT], xr.DataArray(basis, dims=("point", "component")))


def log_curve(
    source: LawDraws, points: xr.Dataset, shift: ShiftAtRuns | None, rows: slice
) -> xr.DataArray:
    """Return the log of the mean curve at some of the runs, with dims chain, draw and point."""
    curve = law_loss(source, points.isel(point=rows))
    by_law: xr.DataArray = curve.copy(data=np.log(curve.to_numpy()))
    return by_law if shift is None else by_law + shift.at(rows)


def log_likelihoods(source: Fitted) -> Iterator[xr.DataArray]:
    """Yield the log density of the log loss of the runs, some of them at a time.

    Parameters
    ----------
    source : Fit
        The fit.

    Yields
    ------
    DataArray
        With dims chain, draw and run.
    """
    runs, shift = source.runs, shift_at_runs(source)
    points = point_dataset(runs.covariates(source.law.covariates))
    columns = runs.covariates(("loss", "weight"))
    p = SimpleNamespace(
        **{
            name: source.noise_draws[name].transpose("chain", "draw").to_numpy()[..., None]
            for name in source.noise.parameter_names
        }
    )
    for number in range(n_blocks(len(runs), ROWS_AT_ONCE)):
        rows = block(number, ROWS_AT_ONCE)
        log_loss = log_curve(source, points, shift, rows)
        density = source.noise.log_density(
            np.log(columns["loss"][rows]), log_loss, p, weight=columns["weight"][rows]
        )
        yield log_loss.copy(data=density).rename(point="run").rename("log_likelihood")
