"""Logs of sizes and losses, and forecasts from curves of log loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from scaling_bayes._prediction.forecast import WEIGHT
from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes._prediction.law_draws import point_dataset
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import IdentifiabilityError
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, Kind

if TYPE_CHECKING:
    import xarray as xr

    from scaling_bayes.noise import Noise

_SAME_LOG_SIZE: Final = 0.01


@dataclass(frozen=True, eq=False)
class LogRuns:
    """What a fit reads of runs.

    Attributes
    ----------
    sizes : ndarray, shape (covariate, run)
        Logs of the covariates.
    loss : ndarray, shape (run,)
        Log loss.
    root_weight : ndarray, shape (run,)
        Root of the weight, by which residuals are multiplied.
    """

    sizes: np.ndarray
    loss: np.ndarray
    root_weight: np.ndarray


class PointFit(Protocol):
    """A fit whose curve is a point, with noise around it."""

    @property
    def label(self) -> str:
        """Name for tables and legends."""

    @property
    def noise(self) -> Noise:
        """How a new run scatters."""

    @property
    def n_draws(self) -> int:
        """Draws in a forecast."""


def log_runs(runs: Runs, covariates: tuple[str, ...]) -> LogRuns:
    """Return the logs of some covariates and of the loss."""
    columns = runs.covariates(dict.fromkeys((*covariates, "loss", WEIGHT)))
    return LogRuns(
        np.log([columns[name] for name in covariates]),
        np.log(columns["loss"]),
        np.sqrt(columns[WEIGHT]),
    )


def varying_sizes(runs: Runs) -> tuple[Kind, ...]:
    """Return which of N and D differ between the runs.

    Raises
    ------
    IdentifiabilityError
        If neither does.
    """
    both: tuple[Kind, ...] = ("n_params", "tokens")
    columns = runs.covariates(both)
    names = tuple(
        name
        for name in both
        if len(runs) and np.log(columns[name].max() / columns[name].min()) > _SAME_LOG_SIZE
    )
    if not names:
        raise IdentifiabilityError(
            f"neither n_params nor tokens varies between the {len(runs)} runs of {runs.source}, "
            "so no slope can be fitted. Add runs of other sizes."
        )
    return names


def point_sizes(points: Runs) -> xr.Dataset:
    """Return N, D and C of points, and their weights where these are not all one."""
    weighted = (WEIGHT,) if (points.frame[WEIGHT] != 1).any() else ()
    return point_dataset(points.covariates((*SIZES, *weighted)))


def log_sizes(points: xr.Dataset, covariates: tuple[str, ...]) -> np.ndarray:
    """Return the logs of some covariates, of shape (covariate, point)."""
    return np.log([points[name].to_numpy() for name in covariates])


def forecast_from_curves(
    label: str,
    points: xr.Dataset,
    log_loss: np.ndarray,
    noise: Noise,
    noise_draws: xr.Dataset | None,
    *,
    seed: int | np.random.Generator | None,
) -> Forecast:
    """Return the forecast whose mean curve has the given log loss.

    Parameters
    ----------
    label : str
        Name of what forecasts.
    points : Dataset
        The points, with dim ``point``.
    log_loss : ndarray, shape (draw, point)
        Draws of the log loss of the mean curve.
    noise : Noise
        How a new run scatters around it.
    noise_draws : Dataset or None
        Parameters of the noise, with dims chain and draw.
    seed : int or Generator, optional
        Source of the noise.
    """
    import xarray as xr

    rng = generator(seed)
    logs = xr.DataArray(log_loss[None], dims=("chain", "draw", "point"), name="loss")
    # Far out, a steep slope can lie beyond the largest float; infinity is its value.
    with np.errstate(over="ignore"):
        mean_curve: xr.DataArray = np.exp(logs)  # type: ignore[assignment]
        new_run: xr.DataArray = np.exp(
            noise.sample(logs, noise_draws, rng, weight=points.get(WEIGHT, 1.0))
        )
    units = {"units": "nats per token"}
    return Forecast(label, points, mean_curve.assign_attrs(units), new_run.assign_attrs(units))


def point_forecast(
    source: PointFit,
    points: xr.Dataset,
    log_loss: np.ndarray,
    *,
    seed: int | np.random.Generator | None,
) -> Forecast:
    """Return the forecast whose mean curve is the same in every draw.

    Parameters
    ----------
    source : PointFit
        What forecasts.
    points : Dataset
        The points, with dim ``point``.
    log_loss : ndarray, shape (point,)
        Log loss of the mean curve.
    seed : int or Generator, optional
        Source of the noise.
    """
    curves = np.repeat(log_loss[None], source.n_draws, axis=0)
    return forecast_from_curves(source.label, points, curves, source.noise, None, seed=seed)
