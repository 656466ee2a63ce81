"""A discrepancy by components, centred where Normal noise would put it, forth and back."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes._inference.kernel.elementary_code import log
from scaling_bayes._inference.kernel.jit import summing


@summing
def products(effects: np.ndarray, values: np.ndarray, product: np.ndarray) -> None:
    """Write the product of effects with one value a run, for each direction.

    Four directions are taken at a time, so that a value is read once for them.

    Parameters
    ----------
    effects : ndarray, shape (direction, run)
        What a unit along each direction does to the runs.
    values : ndarray, shape (run,)
        Values.
    product : ndarray, shape (direction,)
        Written.
    """
    n_directions, n = effects.shape
    in_fours = n_directions - n_directions % 4
    for c in range(0, in_fours, 4):
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for j in range(n):
            first += effects[c, j] * values[j]
            second += effects[c + 1, j] * values[j]
            third += effects[c + 2, j] * values[j]
            fourth += effects[c + 3, j] * values[j]
        product[c], product[c + 1], product[c + 2], product[c + 3] = first, second, third, fourth
    for c in range(in_fours, n_directions):
        first = 0.0
        for j in range(n):
            first += effects[c, j] * values[j]
        product[c] = first


@summing
def take_out(values: np.ndarray, weights: np.ndarray, effects: np.ndarray) -> None:
    """Subtract from one value a run the effects of weights along each direction.

    The other parameters are those of `products`.

    Parameters
    ----------
    values : ndarray, shape (run,)
        Changed.
    weights : ndarray, shape (direction,)
        Weights.
    """
    n_directions, n = effects.shape
    in_fours = n_directions - n_directions % 4
    for c in range(0, in_fours, 4):
        first, second, third, fourth = weights[c], weights[c + 1], weights[c + 2], weights[c + 3]
        for j in range(n):
            values[j] -= (
                first * effects[c, j]
                + second * effects[c + 1, j]
                + third * effects[c + 2, j]
                + fourth * effects[c + 3, j]
            )
    for c in range(in_fours, n_directions):
        for j in range(n):
            values[j] -= weights[c] * effects[c, j]


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
    n_components = len(strengths)
    density, by_log_tau = 0.0, 0.0
    constant = 0.5 * math.log(2 * math.pi) + math.log(tau)
    products(effects, residual, pull)
    for c in range(n_components):
        pull[c] /= sigma * sigma
        precision[c] = strengths[c] / (sigma * sigma) + 1.0 / (tau * tau)
        along[c] = pull[c] / precision[c] + offset[c] / math.sqrt(precision[c])
        z = along[c] / tau
        density -= 0.5 * z * z + constant + 0.5 * log(precision[c])
        by_log_tau += z * z - 1.0
    take_out(residual, along, effects)
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
    n_components = len(strengths)
    by_log_sigma, by_log_tau = 0.0, 0.0
    scaled = np.empty(n_components)
    products(effects, by_mean, scaled)
    for c in range(n_components):
        slope = scaled[c] - along[c] / (tau * tau)
        root = math.sqrt(precision[c])
        gradient[c] = slope / root
        by_pull = slope / precision[c]
        by_precision = -by_pull * (pull[c] / precision[c] + 0.5 * offset[c] / root)
        by_precision -= 0.5 / precision[c]
        of_strength = by_precision * strengths[c] / (sigma * sigma)
        by_log_sigma -= 2.0 * (by_pull * pull[c] + of_strength)
        by_log_tau -= 2.0 * by_precision / (tau * tau)
        scaled[c] = by_pull / (sigma * sigma)
    take_out(by_mean, scaled, effects)
    return by_log_sigma, by_log_tau
