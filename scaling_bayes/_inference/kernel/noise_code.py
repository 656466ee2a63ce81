"""Noise on log loss: log likelihood and its derivatives."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes._inference.kernel.elementary_code import log
from scaling_bayes._inference.kernel.jit import jitted, summing


@jitted
def digamma(x: float) -> float:
    """Return the derivative of log gamma at x > 0, by recurrence and asymptotic series."""
    shifted = 0.0
    while x < 8.0:
        shifted -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    series = y * (
        1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132 - y * 691 / 32760))))
    )
    return shifted + math.log(x) - 0.5 / x - series


@summing
def student_t(
    residual: np.ndarray, root_weight: np.ndarray, sigma: float, nu: float, by_mean: np.ndarray
) -> tuple[float, float, float]:
    """Return the log likelihood but for weights, and its derivatives by log sigma and nu.

    The derivative by each run's mean is written to `by_mean`.
    """
    n = len(residual)
    log_factors, by_inverse, by_log_sigma = 0.0, 0.0, -float(n)
    for j in range(n):
        root = root_weight[j] / sigma
        z = residual[j] * root
        factor = 1.0 + z * z / nu
        log_factors += log(factor)
        pulled = (nu + 1.0) / nu * z / factor
        by_mean[j] = pulled * root
        by_log_sigma += pulled * z
        by_inverse += z * z / factor
    half = 0.5 * (nu + 1.0)
    top = math.lgamma(half) - math.lgamma(0.5 * nu) - 0.5 * math.log(math.pi * nu)
    by_nu = 0.5 * n * (digamma(half) - digamma(0.5 * nu) - 1.0 / nu)
    by_nu += half * by_inverse / (nu * nu) - 0.5 * log_factors
    return n * (top - math.log(sigma)) - half * log_factors, by_log_sigma, by_nu


@summing
def normal(
    residual: np.ndarray, root_weight: np.ndarray, sigma: float, by_mean: np.ndarray
) -> tuple[float, float]:
    """Return the log likelihood but for weights, and its derivative by log sigma.

    The derivative by each run's mean is written to `by_mean`.
    """
    n = len(residual)
    squares = 0.0
    for j in range(n):
        root = root_weight[j] / sigma
        z = residual[j] * root
        by_mean[j] = z * root
        squares += z * z
    constant = math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return -n * constant - 0.5 * squares, squares - n


@jitted
def roots_of_means(n_runs: np.ndarray, common: float, root_weight: np.ndarray) -> float:
    """Write by how much less the means of runs of a size scatter than a run; return a log sum.

    See `scaling_bayes.noise.BySize`. What is returned is the sum of the logs of `root_weight`.
    """
    total = 0.0
    for j in range(len(n_runs)):
        worth = n_runs[j] * (1.0 + common) / (1.0 + n_runs[j] * common)
        root_weight[j] = math.sqrt(worth)
        total += 0.5 * math.log(worth)
    return total


@jitted
def back_from_roots(
    residual: np.ndarray, by_mean: np.ndarray, n_runs: np.ndarray, common: float
) -> float:
    """Return the derivative by the log of `common`, of likelihood and log weights.

    Parameters
    ----------
    residual, by_mean : ndarray, shape (run,)
        As `student_t` and `normal` read and wrote them.
    n_runs : ndarray, shape (run,)
        Of how many runs each is the mean.
    common : float
        The ratio of variances.
    """
    total = 0.0
    for j in range(len(residual)):
        of_root = common / (1.0 + common) - n_runs[j] * common / (1.0 + n_runs[j] * common)
        total += 0.5 * of_root * (1.0 - residual[j] * by_mean[j])
    return total


@jitted
def scatter(
    repeats: float, squares: float, sigma: float, common: float
) -> tuple[float, float, float]:
    """Return the log likelihood of how runs scatter around the means of their sizes.

    Parameters
    ----------
    repeats, squares : float
        Runs beyond the first of each size, and the sum of their squares around the means.
    sigma, common : float
        Scale of the noise, and the ratio of variances.

    Returns
    -------
    density, by_log_sigma, by_log_common : float
        The log likelihood and its derivatives.
    """
    variance = sigma * sigma / (1.0 + common)
    density = -0.5 * (repeats * math.log(2 * math.pi * variance) + squares / variance)
    by_log_variance = 0.5 * (squares / variance - repeats)
    return density, 2.0 * by_log_variance, -common / (1.0 + common) * by_log_variance
