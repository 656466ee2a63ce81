"""The Huber loss of a sum of power-law terms, its gradient, its minimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from scaling_bayes.baselines._curves import LogRuns

_EXPONENTS: Final = (0.0, 0.5, 1.0, 1.5, 2.0)
_LOG_COEFFICIENTS: Final = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
_LOG_FLOORS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""The grid of Hoffmann et al. 2022, section D.2, whose letters are alpha, a and e."""

_LEAST_EXPONENT: Final = 0.003
_MOST_EXPONENT: Final = 20.0
_LEAST_LOG_SHARE: Final = -30.0
"""Log of a term, over the smallest loss, below which it counts as none."""
_MOST_LOG_SCALE: Final = 690.0
"""Log of a scale that a float still holds."""

_GRID_CELLS: Final = 4_000_000
"""Points of the grid times runs that are computed; of more runs every second and so on."""
_SPARE: Final = 4
_OPTIONS: Final = {"ftol": 1e-10, "gtol": 1e-6, "maxiter": 5000, "maxfun": 20_000}
"""For an objective near one: in units of delta, which the sum of residuals comes near."""
_OUT_OF_STEPS: Final = 1


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimum of the Huber loss: where, and its value."""

    theta: np.ndarray
    objective: float


class HuberLoss:
    """Summed Huber loss of log loss under L_inf + sum of (X_c / X)^e.

    Its coordinates theta are the log of every term at the mean log size of the runs, the log of
    L_inf if there is one, and the exponents. So centred, they hardly correlate, and L-BFGS takes
    few steps. Sums are log-sum-exp, which no step can make overflow.

    Parameters
    ----------
    rows : LogRuns
        The runs, with one row of `sizes` a term.
    irreducible : bool
        Whether there is an L_inf.
    delta : float
        Residual beyond which the loss is linear.
    """

    def __init__(self, rows: LogRuns, *, irreducible: bool, delta: float) -> None:
        self._rows = rows
        self._delta = delta
        self._irreducible = irreducible
        self._centre = rows.sizes.mean(axis=1)
        self._centred = rows.sizes - self._centre[:, None]
        self._n_terms = len(rows.sizes)
        self._n_levels = self._n_terms + irreducible
        low, high = rows.loss.min(), rows.loss.max()
        self.bounds = [(low + _LEAST_LOG_SHARE, high + 3.0)] * self._n_levels + [
            (_LEAST_EXPONENT, _MOST_EXPONENT)
        ] * self._n_terms

    def __call__(self, theta: np.ndarray, times: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss in units of delta, and its gradient.

        Parameters
        ----------
        theta : ndarray, shape (coordinate,)
            The coordinates.
        times : ndarray, shape (run,)
            How often each run counts.
        """
        levels = self._log_levels(theta)
        top = levels.max(axis=0)
        shares = np.exp(levels - top)
        total = shares.sum(axis=0)
        residual = (top + np.log(total) - self._rows.loss) * self._rows.root_weight
        clipped = np.clip(residual, -self._delta, self._delta)
        value = float((times * clipped * (residual - clipped / 2)).sum()) / self._delta
        slopes = shares * (times * clipped * self._rows.root_weight / total / self._delta)
        by_exponent = -(slopes[: self._n_terms] * self._centred).sum(axis=1)
        return value, np.concatenate([slopes.sum(axis=1), by_exponent])

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """Return the residuals of log loss, times the root of the weight, of shape (run,)."""
        log_loss = np.logaddexp.reduce(self._log_levels(theta), axis=0)
        found: np.ndarray = (self._rows.loss - log_loss) * self._rows.root_weight
        return found

    def objective(self, value: float) -> float:
        """Return the summed Huber loss, from the loss in units of delta."""
        return value * self._delta

    def best_starts(self, n_starts: int) -> np.ndarray:
        """Return the points of the grid with the smallest loss, each once, best first.

        Parameters
        ----------
        n_starts : int
            How many.

        Returns
        -------
        ndarray, shape (start, coordinate)
        """
        exponents, coefficients = map(np.ravel, np.meshgrid(_EXPONENTS, _LOG_COEFFICIENTS))
        floors = np.array(_LOG_FLOORS) if self._irreducible else np.array([-np.inf])
        n_points = len(floors) * len(exponents) ** self._n_terms
        step = -(-n_points * len(self._rows.loss) // _GRID_CELLS)
        sizes, loss, root_weight = (
            self._rows.sizes[:, ::step],
            self._rows.loss[::step],
            self._rows.root_weight[::step],
        )
        sums = np.exp(floors)[:, None]
        for log_size in sizes:
            term = np.exp(coefficients[:, None] - exponents[:, None] * log_size)
            sums = (sums[:, None] + term).reshape(-1, len(loss))
        residual = np.abs((np.log(sums) - loss) * root_weight)
        clipped = np.minimum(residual, self._delta)
        value = (clipped * (residual - clipped / 2)).sum(axis=1)
        shape = (len(floors), *(len(exponents),) * self._n_terms)
        # The bounds make some of the grid coincide.
        order = np.argsort(value)[: _SPARE * n_starts]
        floor, *which = np.unravel_index(order, shape)
        picked = np.array(which)
        at_centre = coefficients[picked] - exponents[picked] * self._centre[:, None]
        levels = [*at_centre, floors[floor]] if self._irreducible else [*at_centre]
        lower, upper = np.transpose(self.bounds)
        starts = np.clip(np.stack([*levels, *exponents[picked]], axis=1), lower, upper)
        distinct = np.sort(np.unique(starts, axis=0, return_index=True)[1])
        best: np.ndarray = starts[distinct[:n_starts]]
        return best

    def natural(self, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return scales and exponents, of shape (fit, term), and L_inf of shape (fit,).

        A term that is all but nothing can have a scale that no float holds: it keeps its value
        at the mean log size, and has the next exponent that can be written.
        """
        at_centre = thetas[:, : self._n_terms]
        exponents = thetas[:, self._n_levels :]
        ratio = at_centre / exponents
        held = np.clip(self._centre + ratio, -_MOST_LOG_SCALE, _MOST_LOG_SCALE) - self._centre
        exponents = np.where(held == ratio, exponents, exponents * np.abs(ratio / held))
        floors = np.exp(thetas[:, self._n_terms]) if self._irreducible else None
        return np.exp(self._centre + held), exponents, floors

    def _log_levels(self, theta: np.ndarray) -> np.ndarray:
        """Return the log of every term and of L_inf, of shape (level, run)."""
        levels = np.repeat(theta[: self._n_levels, None], len(self._rows.loss), axis=1)
        levels[: self._n_terms] -= theta[self._n_levels :, None] * self._centred
        return levels


def minimised(huber: HuberLoss, start: np.ndarray, times: np.ndarray) -> Minimum | None:
    """Return the minimum that L-BFGS reaches from a start; None if it reaches none.

    Parameters
    ----------
    huber : HuberLoss
        The loss.
    start : ndarray, shape (coordinate,)
        Where to start.
    times : ndarray, shape (run,)
        How often each run counts.
    """
    from scipy.optimize import minimize

    found = minimize(
        huber, start, (times,), "L-BFGS-B", jac=True, bounds=huber.bounds, options=_OPTIONS
    )
    # A line search that finds nothing better has arrived as far as rounding lets it.
    if found.status == _OUT_OF_STEPS or not np.isfinite([found.fun, *found.x]).all():
        return None
    return Minimum(found.x, huber.objective(float(found.fun)))
