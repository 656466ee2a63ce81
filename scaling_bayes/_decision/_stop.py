"""From which budget on another doubling no longer pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LEAST_RATIO = 1e-3
"""Lowest ratio of worth to price between which and a higher one the crossing is interpolated."""


@dataclass(frozen=True)
class Stop:
    """Budgets from which on another doubling no longer pays, in FLOPs.

    Each is 0 if that is so already at the smallest budget asked about. Gains are of the mean curve.

    Attributes
    ----------
    surely_worth_below : float
        Below it a doubling is worth its price with the probability asked for.
    expected : float
        From here on its expected gain is worth less than its price.
    surely_not_from : float
        From here on it is worth less than its price with the probability asked for.
    """

    surely_worth_below: float
    expected: float
    surely_not_from: float


def ratio_of(worth: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return worth divided by price; nothing for nothing is 0."""
    ratio: np.ndarray = np.divide(worth, price, out=np.zeros_like(worth), where=price > 0)
    return ratio


def crossing(budgets: np.ndarray, ratio: np.ndarray) -> float:
    """Return the budget at which a ratio falls below 1; 0 if it is at first, infinity if never."""
    below = np.flatnonzero(ratio < 1)
    if not below.size:
        return np.inf
    at = int(below[0])
    if at == 0:
        return 0.0
    logs = np.log(np.maximum(ratio[[at, at - 1]], _LEAST_RATIO))
    return float(np.exp(np.interp(0.0, logs, np.log(budgets[[at, at - 1]]))))
