"""A smoothly broken power law, as a point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np

from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes.baselines._curves import (
    log_runs,
    log_sizes,
    point_forecast,
    point_sizes,
    varying_sizes,
)
from scaling_bayes.baselines._option_checks import check_count
from scaling_bayes.baselines._residuals import ResampledResiduals, per_degree_of_freedom
from scaling_bayes.errors import ConvergenceError, IdentifiabilityError, InputError
from scaling_bayes.laws import Citation
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, Kind

CABALLERO_2022 = Citation("Caballero et al.", 2022, "Broken Neural Scaling Laws", "2210.14891")

_N_PARAMETERS: Final = 6
_FLOORS: Final = (0.02, 0.5, 0.9)
"""Starts of the limit a, as shares of the smallest loss."""
_BREAKS: Final = (0.25, 0.5, 0.75)
"""Starts of the break, as shares of the range of log sizes."""
_LOG_WIDTHS: Final = (np.log(0.1), 0.0)
_EDGE: Final = 0.01
"""Share of the range of a parameter that starts keep from its bounds."""
_OPTIONS: Final = {"ftol": 1e-6, "max_nfev": 3000}
_SLOPES: Final = (0.0, 3.0)
_CHANGES: Final = (-3.0, 3.0)


@dataclass(frozen=True, eq=False)
class BrokenFit:
    """A power law with one smooth break, fitted by least squares.

    Attributes
    ----------
    covariate : str
        The size X it is in.
    best : Mapping of str to float
        The letters a, b, c0, c1, d1 and f1 of Caballero et al. 2022, with d1 in units of X.
    noise : ResampledResiduals
        Its residuals, scaled for its degrees of freedom.
    n_draws : int
        Draws in a forecast.
    """

    covariate: str
    best: Mapping[str, float]
    noise: ResampledResiduals = field(repr=False)
    n_draws: int
    _theta: np.ndarray = field(repr=False)
    _centre: float = field(repr=False)

    @property
    def label(self) -> str:
        """Name of the law, for tables and legends."""
        return f"broken law in {self.covariate}"

    def forecast(self, points: Runs, *, seed: int | np.random.Generator | None = None) -> Forecast:
        """Forecast the loss at points.

        Parameters
        ----------
        points : Runs
            The points; their losses are not read.
        seed : int or Generator, optional
            Source of the noise of new runs.
        """
        where = point_sizes(points)
        (log_x,) = log_sizes(where, (self.covariate,)) - self._centre
        return point_forecast(self, where, _log_loss(self._theta, log_x), seed=seed)


@dataclass(frozen=True)
class BrokenLaw:
    """A power law with an irreducible loss and one smooth break, along one size.

    Caballero et al. 2022 (arXiv 2210.14891, equation 1) with n = 1:
    L = a + b X^-c0 (1 + (X / d1)^(1 / f1))^(-c1 f1). Here a is positive, c0 lies between 0 and 3,
    c1 between -3 and 3, the break d1 within the range of the runs, and its width f1 between 0.02
    and 5. Least squares on log loss, by Levenberg and Marquardt in logistic coordinates of these
    ranges, start from 18 combinations of a, d1 and f1 and end where a step lowers the sum of
    squares by less than 1e-6 of it; the best is taken.

    The mean curve is that point, the same in every draw. A new run adds a residual, drawn with
    replacement and scaled by sqrt(n / (n - 6)), with n runs.

    Attributes
    ----------
    covariate : {"n_params", "tokens", "flops"} or None
        The size X. None takes the one of N and D that varies between the runs, and compute where
        both do.
    n_draws : int
        Number of draws.

    Raises
    ------
    InputError
        If the size is none of the three, or the number of draws is out of range.
    """

    covariate: Kind | None = None
    n_draws: int = 1000

    def __post_init__(self) -> None:
        if self.covariate is not None and self.covariate not in SIZES:
            raise InputError(
                f"covariate is {self.covariate!r}; take one of {', '.join(SIZES)}, or None."
            )
        check_count("n_draws", self.n_draws, 2)

    def fit(self, runs: Runs, *, seed: int | np.random.Generator | None = None) -> BrokenFit:
        """Fit the runs.

        Parameters
        ----------
        runs : Runs
            The training runs.
        seed : int or Generator, optional
            Not used: the fit draws nothing.

        Raises
        ------
        IdentifiabilityError
            If the size takes no more distinct values than there are parameters, which is 6.
        ConvergenceError
            If least squares fail from every start.
        """
        from scipy.optimize import least_squares
        from scipy.special import expit, logit
        from threadpoolctl import threadpool_limits

        name = self.covariate or _only_varying(runs)
        rows = log_runs(runs, (name,))
        n_levels = len(np.unique(rows.sizes))
        if n_levels <= _N_PARAMETERS:
            raise IdentifiabilityError(
                f"{name} takes {n_levels} distinct values in {runs.source}, and the broken law has "
                f"{_N_PARAMETERS} parameters. Add runs with other {name}, or take LastSlope."
            )
        centre = float(rows.sizes.mean())
        log_x = rows.sizes[0] - centre
        lower, upper = _bounds(log_x, rows.loss)
        width = upper - lower

        def residuals(place: np.ndarray) -> np.ndarray:
            theta = lower + width * expit(place)
            found: np.ndarray = (_log_loss(theta, log_x) - rows.loss) * rows.root_weight
            return found

        def slopes(place: np.ndarray) -> np.ndarray:
            theta = lower + width * expit(place)
            inner = width * expit(place) * expit(-place)
            found: np.ndarray = _slopes(theta, log_x) * rows.root_weight[:, None] * inner
            return found

        # BLAS works on a handful of numbers here: waiting for threads takes most of the time.
        with threadpool_limits(1, user_api="blas"):
            tries = [
                least_squares(residuals, logit(share), slopes, method="lm", **_OPTIONS)
                for start in _starts(log_x, rows.loss)
                for share in [np.clip((start - lower) / width, _EDGE, 1 - _EDGE)]
            ]
        found = [
            done for done in tries if done.status > 0 and np.isfinite([done.cost, *done.x]).all()
        ]
        if not found:
            raise ConvergenceError(
                f"least squares of the broken law in {name} reached no minimum from any of "
                f"{len(tries)} starts on the {len(runs)} runs of {runs.source}. Add runs, or take "
                "LastSlope."
            )
        best = min(found, key=lambda done: float(done.cost))
        theta = lower + width * expit(best.x)
        return BrokenFit(
            name,
            _letters(theta, centre),
            ResampledResiduals(per_degree_of_freedom(best.fun, _N_PARAMETERS)),
            self.n_draws,
            theta,
            centre,
        )


def _only_varying(runs: Runs) -> Kind:
    names = varying_sizes(runs)
    return names[0] if len(names) == 1 else "flops"


def _log_loss(theta: np.ndarray, log_x: np.ndarray) -> np.ndarray:
    """Return log loss for (log a, log b, c0, c1, log d1, log f1), b and d1 at centred sizes."""
    log_a, log_b, c0, c1, log_d, log_f = theta
    bend = np.exp(log_f) * np.logaddexp(0, (log_x - log_d) / np.exp(log_f))
    log_loss: np.ndarray = np.logaddexp(log_a, log_b - c0 * log_x - c1 * bend)
    return log_loss


def _slopes(theta: np.ndarray, log_x: np.ndarray) -> np.ndarray:
    """Return the derivatives of log loss, of shape (run, parameter)."""
    from scipy.special import expit

    log_a, log_b, c0, c1, log_d, log_f = theta
    width = np.exp(log_f)
    past = (log_x - log_d) / width
    bend, beyond = width * np.logaddexp(0, past), expit(past)
    reducible = expit(log_b - c0 * log_x - c1 * bend - log_a)
    inner = [
        np.ones_like(log_x),
        -log_x,
        -bend,
        c1 * beyond,
        -c1 * (bend - width * past * beyond),
    ]
    return np.column_stack([1 - reducible, *(reducible * slope for slope in inner)])


def _bounds(log_x: np.ndarray, log_loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = log_loss.min(), log_loss.max()
    return (
        np.array([low - 15, low - 30, _SLOPES[0], _CHANGES[0], log_x.min(), np.log(0.02)]),
        np.array([high, high + 30, _SLOPES[1], _CHANGES[1], log_x.max(), np.log(5.0)]),
    )


def _starts(log_x: np.ndarray, log_loss: np.ndarray) -> Iterator[np.ndarray]:
    """Yield starts, each with the straight line of log reducible loss either side of its break."""
    for share, place, log_f in product(_FLOORS, _BREAKS, _LOG_WIDTHS):
        log_a = log_loss.min() + np.log(share)
        log_d = log_x.min() + place * np.ptp(log_x)
        reducible = np.log(np.exp(log_loss) - np.exp(log_a))
        hinge = np.column_stack([np.ones_like(log_x), -log_x, -np.maximum(log_x - log_d, 0)])
        log_b, c0, c1 = np.linalg.lstsq(hinge, reducible)[0]
        yield np.array([log_a, log_b, c0, c1, log_d, log_f])


def _letters(theta: np.ndarray, centre: float) -> dict[str, float]:
    """Return a, b, c0, c1, d1 and f1 for sizes as they are."""
    log_a, log_b, c0, c1, log_d, log_f = map(float, theta)
    return {
        "a": float(np.exp(log_a)),
        "b": float(np.exp(log_b + c0 * centre)),
        "c0": c0,
        "c1": c1,
        "d1": float(np.exp(log_d + centre)),
        "f1": float(np.exp(log_f)),
    }
