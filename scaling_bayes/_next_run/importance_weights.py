"""Importance weights of draws, and whether they can be trusted."""

from __future__ import annotations

import numpy as np

_PRIOR_RUNS, _PRIOR_K = 10, 0.5
"""The weak prior of Pareto k: as many values as these say that it is about this."""


def normalised(log_weights: np.ndarray) -> np.ndarray:
    """Return weights that sum to one over the draws, of shape (outcome, draw)."""
    weights: np.ndarray = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def pareto_k(weights: np.ndarray) -> np.ndarray:
    """Return Pareto k of the weights of each outcome, as ArviZ does for one.

    A generalised Pareto distribution is fitted to the largest weights, all outcomes at once
    (Zhang & Stephens 2009; Vehtari et al. 2024, arXiv:1507.02646).

    Parameters
    ----------
    weights : ndarray, shape (outcome, draw)
        Importance weights.

    Returns
    -------
    ndarray, shape (outcome,)
        Infinite where hardly a draw has any weight; -infinite where the largest are alike.
    """
    n_draws = weights.shape[1]
    n = int(min(0.2 * n_draws, 3 * np.sqrt(n_draws)))
    largest = np.sort(np.partition(weights, n_draws - n - 1, axis=1)[:, n_draws - n - 1 :], axis=1)
    x = largest[:, 1:] - largest[:, :1]
    quartile = x[:, int(n / 4 + 0.5) - 1]
    n_theta = 30 + int(np.sqrt(n))
    with np.errstate(all="ignore"):
        theta = 1 - np.sqrt(n_theta / (np.arange(1, n_theta + 1) - 0.5))
        theta = theta / (3 * quartile[:, None]) + 1 / x[:, -1:]
        k = np.log1p(-theta[:, :, None] * x[:, None]).mean(axis=2)
        log_likelihood = n * (np.log(-theta / k) - k - 1)
        shares = normalised(log_likelihood)
        best = (theta * shares).sum(axis=1)
        found: np.ndarray = np.log1p(-best[:, None] * x).mean(axis=1)
    found = (n * found + _PRIOR_RUNS * _PRIOR_K) / (n + _PRIOR_RUNS)
    alike = x[:, -1] <= np.finfo(float).eps * largest[:, -1]
    return np.where(alike, -np.inf, np.where(np.isfinite(found), found, np.inf))


def most_trusted_k(n_draws: int) -> float:
    """Return the Pareto k up to which weights can be trusted (Vehtari et al. 2024)."""
    return float(min(1 - 1 / np.log10(n_draws), 0.7))
