"""Proper scores of predictive draws against what was observed, one value a point.

Everything is computed from draws alone, so that a posterior, a bootstrap and a point forecast
are scored alike. Draws and observations are on one scale; the backtest gives log loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import logsumexp

from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

Estimator = Literal["fair", "ordinary"]

_NORMAL_IQR = 1.34
"""Interquartile range of a Normal over its standard deviation, as Silverman rounds it."""


def log_draws(loss: xr.DataArray) -> np.ndarray:
    """Return draws of log loss, of shape (draw, point), from loss with dims chain, draw, point."""
    draws = loss.transpose("chain", "draw", "point").to_numpy()
    with np.errstate(divide="ignore"):
        return np.log(draws.reshape(-1, draws.shape[-1]))


def quantile_of(draws: np.ndarray, q: float) -> np.ndarray:
    """Return quantiles over the first axis; each is one of the draws, so that infinity is safe."""
    value: np.ndarray = np.quantile(draws, q, axis=0, method="inverted_cdf")
    return value


def crps(draws: np.ndarray, observed: np.ndarray, *, estimator: Estimator = "fair") -> np.ndarray:
    """Return the continuous ranked probability score; lower is better.

    E|X - y| - E|X - X'| / 2 (Gneiting & Raftery 2007, equation 21), from sorted draws in
    O(n log n). Of a single draw it is the absolute error.

    Parameters
    ----------
    draws : ndarray, shape (draw, point)
        Predictive draws.
    observed : ndarray, shape (point,)
        What was observed.
    estimator : {"fair", "ordinary"}
        How E|X - X'| is estimated. ``"fair"`` averages over pairs of different draws: it is
        unbiased for the distribution that the draws come from, so forecasters with many and with
        few draws compare. ``"ordinary"`` averages over all pairs, and is the exact score of the
        draws as they stand (Ferro 2014).

    Returns
    -------
    ndarray, shape (point,)
        In the unit of the draws; infinite where a draw is infinite.

    Raises
    ------
    InputError
        If the shapes do not match or the estimator is unknown.
    """
    if estimator not in ("fair", "ordinary"):
        raise InputError(f"estimator is {estimator!r}; take 'fair' or 'ordinary'.")
    _check_shapes(draws, observed)
    n_draws = len(draws)
    n_pairs = n_draws * (n_draws - 1 if estimator == "fair" else n_draws)
    finite = np.isfinite(draws).all(axis=0)
    # Differences from the observation: sums of large numbers that nearly cancel would round.
    ordered = np.sort(np.where(finite, draws - observed, 0.0), axis=0)
    ranks = 2.0 * np.arange(1, n_draws + 1) - n_draws - 1
    spread = ranks @ ordered / max(n_pairs, 1)
    return np.where(finite, np.abs(ordered).mean(axis=0) - spread, np.inf)


def interval_score(
    lower: np.ndarray, upper: np.ndarray, observed: np.ndarray, *, prob: float
) -> np.ndarray:
    """Return the interval score of Winkler; lower is better.

    Width, plus 2 / (1 - prob) times the distance to an observation outside (Gneiting & Raftery
    2007, equation 43). It is proper for equal-tailed intervals.

    Parameters
    ----------
    lower, upper : ndarray, shape (point,)
        Bounds of the equal-tailed interval.
    observed : ndarray, shape (point,)
        What was observed.
    prob : float
        Probability inside the interval.

    Returns
    -------
    ndarray, shape (point,)
        In the unit of the bounds.

    Raises
    ------
    InputError
        If `prob` is not between 0 and 1.
    """
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; an interval needs a probability between 0 and 1.")
    outside = np.maximum(lower - observed, 0) + np.maximum(observed - upper, 0)
    score: np.ndarray = upper - lower + 2 / (1 - prob) * outside
    return score


def log_score(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the log predictive density at the observations; higher is better.

    The density is a Gaussian kernel estimate from the draws. A posterior could give its exact
    density, but a bootstrap or a point forecast has draws only: one estimate for all treats them
    alike. The bandwidth is Silverman's, 0.9 min(sd, IQR / 1.34) n^(-1/5) (Silverman 1986,
    equation 3.31), since a few far draws of a heavy tail would blow up the standard deviation.
    The estimate is that of the draws blurred by the bandwidth, slightly wider than the truth; far
    outside of all draws it falls off as a Gaussian, faster than a heavy tail.

    Parameters
    ----------
    draws : ndarray, shape (draw, point)
        Predictive draws.
    observed : ndarray, shape (point,)
        What was observed.

    Returns
    -------
    ndarray, shape (point,)
        Minus infinity where all draws are equal, as of a point forecast, which has no density.

    Raises
    ------
    InputError
        If the shapes do not match.
    """
    _check_shapes(draws, observed)
    n_draws = len(draws)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        bandwidth = 0.9 * _robust_scale(draws) * n_draws**-0.2
        exponents = -0.5 * ((observed - draws) / bandwidth) ** 2
        density = logsumexp(exponents, axis=0) - np.log(n_draws * bandwidth * np.sqrt(2 * np.pi))
    return np.where(bandwidth > 0, density, -np.inf)


def pit(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the probability integral transform: the share of draws below each observation.

    Draws equal to the observation count as half below. Under a calibrated forecaster the values
    are uniform between 0 and 1 (Dawid 1984); they are 0 or 1 where the observation lies outside
    of all draws.

    Parameters
    ----------
    draws : ndarray, shape (draw, point)
        Predictive draws.
    observed : ndarray, shape (point,)
        What was observed.

    Returns
    -------
    ndarray, shape (point,)

    Raises
    ------
    InputError
        If the shapes do not match.
    """
    _check_shapes(draws, observed)
    below: np.ndarray = np.mean((draws < observed) + 0.5 * (draws == observed), axis=0)
    return below


def _robust_scale(draws: np.ndarray) -> np.ndarray:
    """Return min(sd, IQR / 1.34), or the one of them that is positive and finite."""
    # The sd of equal draws can come out as a rounding error instead of 0.
    equal = draws.min(axis=0) == draws.max(axis=0)
    sd = np.where(equal, 0.0, draws.std(axis=0))
    low, high = np.quantile(draws, [0.25, 0.75], axis=0, method="inverted_cdf")
    iqr = (high - low) / _NORMAL_IQR
    scale = np.minimum(np.where(np.isfinite(sd), sd, iqr), iqr)
    return np.where(iqr > 0, scale, sd)


def _check_shapes(draws: np.ndarray, observed: np.ndarray) -> None:
    if draws.ndim != 2 or not len(draws) or observed.shape != draws.shape[1:]:
        raise InputError(
            f"draws have the shape {draws.shape} and observations {observed.shape}; give draws of "
            "shape (draw, point), at least one of them, and one observation a point."
        )
