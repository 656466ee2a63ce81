"""Minima and level sets of the loss along isoFLOP lines, where N D = C / k is constant."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
from scipy.optimize import elementwise

from scaling_bayes.errors import NoOptimumError
from scaling_bayes.laws import Law

_LEAST_POINTS = 9
_GRID_STEP = 0.8
"""Distance in log size between the points of the coarse grid."""

_COMPLEX_STEP = 1e-20
_ROUNDING = 1e-12
_BESIDE = 12.0
"""Distance in log size within which rounding can have moved a minimum."""

Objective = Callable[..., np.ndarray]


def loss_along(
    law: Law,
    p: SimpleNamespace,
    log_n: np.ndarray,
    flops: np.ndarray,
    flops_per_param_token: float,
) -> np.ndarray:
    """Return the loss at model size exp(log_n) and the tokens that a budget leaves for it."""
    n_params = np.exp(log_n)
    tokens = flops / (flops_per_param_token * n_params)
    loss: np.ndarray = law.loss(p, SimpleNamespace(n_params=n_params, tokens=tokens, flops=flops))
    return loss


def minimise(
    objective: Objective,
    lower: np.ndarray,
    upper: np.ndarray,
    args: tuple[np.ndarray, ...],
    *,
    what: str,
) -> np.ndarray:
    """Return the x in (lower, upper) that minimises ``objective(x, *args)``, elementwise.

    A coarse grid finds the cell of the smallest value, Chandrupatla's method the minimum
    inside it. So a second, shallower minimum does no harm.

    Parameters
    ----------
    objective : callable
        Elementwise function of x and `args`.
    lower, upper : ndarray
        Ends of the range searched; they broadcast with `args`.
    args : tuple of ndarray
        Further arguments of the objective.
    what : str
        What is minimised, for the message.

    Raises
    ------
    NoOptimumError
        If the smallest value of some element lies at an end of the range.
    """
    lower, upper, *rest = np.broadcast_arrays(lower, upper, *args)
    n_points = max(_LEAST_POINTS, int(np.ceil(np.max(upper - lower) / _GRID_STEP)) + 1)
    step = (upper - lower) / (n_points - 1)
    best = np.full(lower.shape, np.inf)
    place = np.zeros(lower.shape)
    for i in range(n_points):
        value = objective(lower + i * step, *rest)
        better = value < best
        best, place = np.where(better, value, best), np.where(better, i, place)
    at_end = (place == 0) | (place == n_points - 1)
    if at_end.any():
        raise NoOptimumError(
            f"{what} has no compute-optimal model size inside the range searched "
            f"({np.exp(lower.min()):.1g} to {np.exp(upper.max()):.1g} parameters) for "
            f"{at_end.mean():.1%} of the draws and budgets: the loss keeps falling towards an "
            "end of the range."
        )
    centre = lower + place * step
    found = elementwise.find_minimum(
        objective, (centre - step, centre, centre + step), args=tuple(rest)
    )
    minimum: np.ndarray = found.x
    return minimum


def stationary(objective: Objective, near: np.ndarray, args: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the x beside `near` where the objective's slope changes sign, elementwise.

    Where an objective is flat to rounding, its smallest value says little of the place. Its
    slope by the complex step, Im f(x + ih) / h, has no rounding to suffer from (Squire and
    Trapp 1998). Where it cannot be had, since the objective is not analytic, `near` stands.

    Parameters
    ----------
    objective : callable
        Elementwise function of x and `args`.
    near : ndarray
        The minimum as far as the objective's values tell.
    args : tuple of ndarray
        Further arguments of the objective.
    """

    def slope(x: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        derivative: np.ndarray = np.imag(objective(x + 1j * _COMPLEX_STEP, *rest)) / _COMPLEX_STEP
        return derivative

    low, high = near - _BESIDE, near + _BESIDE
    try:
        changes_sign = (slope(low, *args) < 0) & (slope(high, *args) > 0)
    except TypeError:
        return near
    found = elementwise.find_root(slope, (low, high), args=args)
    polished = np.where(changes_sign & found.success, found.x, near)
    # Functions such as abs drop the imaginary part without a word: a worse place gives that away.
    value = objective(near, *args)
    no_worse = objective(polished, *args) <= value + _ROUNDING * np.abs(value)
    return np.where(no_worse, polished, near)


def level_set(
    objective: Objective,
    minimum: np.ndarray,
    level: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    args: tuple[np.ndarray, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the x below and above `minimum` where the objective reaches `level`.

    Infinity stands in where the objective does not reach the level inside the range.
    """

    def excess(x: np.ndarray, target: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        above: np.ndarray = objective(x, *rest) - target
        return above

    edges = []
    for end in (lower, upper):
        reached = excess(end, level, *args) > 0
        found = elementwise.find_root(
            excess, (np.minimum(minimum, end), np.maximum(minimum, end)), args=(level, *args)
        )
        edges.append(np.where(reached, found.x, np.copysign(np.inf, end - minimum)))
    return edges[0], edges[1]
