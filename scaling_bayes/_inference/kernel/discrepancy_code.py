"""A discrepancy by components, centred where Normal noise would put it, forth and back."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes._inference.kernel.jit import summing


@summing
def shift(
    residual: np.ndarray,
    offset: np.ndarray,
    strengths: np.ndarray,
    effects: np.ndarray,
    sigma: float,
    tau: float,
    pull: np.ndarray,
    precision: np.ndarray,
    along: np.ndarray,
) -> tuple[float, float]:
    """Take the discrepancy out of residuals; return its log prior, and the slope by log tau.

    See `scaling_bayes.discrepancy.Smooth.create_centred`.

    Parameters
    ----------
    residual : ndarray, shape (run,)
        Observed log loss from the law; changed.
    offset : ndarray, shape (direction,)
        Coordinates.
    strengths : ndarray, shape (direction,)
        How much the runs tell of each direction.
    effects : ndarray, shape (direction, run)
        What a unit along each direction does to the runs. The rows are orthogonal, so that what
        has been taken out along one says nothing along the next.
    sigma, tau : float
        Scales of noise and discrepancy.
    pull, precision, along : ndarray, shape (direction,)
        Written; `along` are the weights.
    """
    n_components, n = effects.shape
    density, by_log_tau = 0.0, 0.0
    constant = 0.5 * math.log(2 * math.pi) + math.log(tau)
    for c in range(n_components):
        product = 0.0
        for j in range(n):
            product += residual[j] * effects[c, j]
        pull[c] = product / (sigma * sigma)
        precision[c] = strengths[c] / (sigma * sigma) + 1.0 / (tau * tau)
        along[c] = pull[c] / precision[c] + offset[c] / math.sqrt(precision[c])
        z = along[c] / tau
        density -= 0.5 * z * z + constant + 0.5 * math.log(precision[c])
        by_log_tau += z * z - 1.0
        for j in range(n):
            residual[j] -= along[c] * effects[c, j]
    return density, by_log_tau


@summing
def back_from_shift(
    by_mean: np.ndarray,
    offset: np.ndarray,
    strengths: np.ndarray,
    effects: np.ndarray,
    sigma: float,
    tau: float,
    pull: np.ndarray,
    precision: np.ndarray,
    along: np.ndarray,
    gradient: np.ndarray,
) -> tuple[float, float]:
    """Return the derivatives by log sigma and log tau, beside those that `shift` returned.

    The derivatives by the offsets are written to `gradient`; `by_mean`, by each run's mean, turns
    into that by its log loss under the law. The other parameters are those of `shift`.
    """
    n_components, n = effects.shape
    by_log_sigma, by_log_tau = 0.0, 0.0
    for c in range(n_components):
        by_along = 0.0
        for j in range(n):
            by_along += by_mean[j] * effects[c, j]
        slope = by_along - along[c] / (tau * tau)
        root = math.sqrt(precision[c])
        gradient[c] = slope / root
        by_pull = slope / precision[c]
        by_precision = -by_pull * (pull[c] / precision[c] + 0.5 * offset[c] / root)
        by_precision -= 0.5 / precision[c]
        of_strength = by_precision * strengths[c] / (sigma * sigma)
        by_log_sigma -= 2.0 * (by_pull * pull[c] + of_strength)
        by_log_tau -= 2.0 * by_precision / (tau * tau)
        scaled = by_pull / (sigma * sigma)
        for j in range(n):
            by_mean[j] -= scaled * effects[c, j]
    return by_log_sigma, by_log_tau
