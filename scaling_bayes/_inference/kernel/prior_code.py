"""Densities of priors, and positive parameters sampled by their logs."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes._inference.kernel.jit import jitted

NORMAL, LOG_NORMAL, HALF_NORMAL, GAMMA = range(4)
"""Families of priors."""
N_FIELDS = 5
"""Numbers that describe a prior: family, its two parameters, lower bound, log constant."""


@jitted
def log_prior(prior: np.ndarray, log_x: float, x: float) -> tuple[float, float]:
    """Return the log density of a prior at x > 0, and its derivative by log x."""
    family, a, b, constant = prior[0], prior[1], prior[2], prior[4]
    if family == LOG_NORMAL:
        z = (log_x - a) / b
        return constant - 0.5 * z * z - log_x, -z / b - 1.0
    if family == GAMMA:
        return constant + (a - 1.0) * log_x - b * x, a - 1.0 - b * x
    z = (x - a) / b
    return constant - 0.5 * z * z, -z / b * x


@jitted
def sampled(prior: np.ndarray, z: float) -> tuple[float, float, float, float, float]:
    """Return what follows from the coordinate z of a parameter x = lower + exp(z).

    That is x, log x, the derivative of log x by z, the log density in z, and its derivative.
    """
    above, lower = math.exp(z), prior[3]
    x = lower + above
    log_x = math.log(x) if lower > 0.0 else z
    by_z = above / x
    density, slope = log_prior(prior, log_x, x)
    return x, log_x, by_z, density + z, slope * by_z + 1.0
