"""Where to stop: the best budget, and the one above which another doubling no longer pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

_LEAST_RATIO = 1e-3
"""Lowest ratio of worth to price between which and a higher one the crossing is interpolated."""
_PER_STEP = 50
"""Places between two budgets at which the marginal gain is looked at."""


@dataclass(frozen=True)
class Stop:
    """Where to stop, in FLOPs: the best budget, and where another doubling no longer pays.

    Each is 0 if the smallest budget asked about is too much already. Gains are of the mean curve.
    A doubling is a large step: below the best budget it may not pay, and a smaller one still does.

    Attributes
    ----------
    best : float
        Where what the expected gain is worth, less the price, is largest: one FLOP more gains on
        average what it costs.
    surely_worth_below : float
        Below it a doubling is worth its price with the probability asked for.
    expected : float
        From here on its expected gain is worth less than its price.
    surely_not_from : float
        From here on it is worth less than its price with the probability asked for.
    """

    best: float
    surely_worth_below: float
    expected: float
    surely_not_from: float


def ratio_of(worth: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return worth divided by price; 0/0 is 0."""
    ratio: np.ndarray = np.divide(worth, price, out=np.zeros_like(worth), where=price > 0)
    return ratio


def best_budget(spent: np.ndarray, worth: np.ndarray, prices: np.ndarray) -> float:
    """Return the budget above which the marginal worth is below the marginal price.

    Parameters
    ----------
    spent : ndarray, shape (budget,)
        FLOPs, in order; equal ones are where limits keep more from being spent.
    worth : ndarray, shape (budget,)
        Expected worth of each, up to a constant.
    prices : ndarray, shape (budget,)
        What each costs, in proportion to the FLOPs.
    """
    rising = np.append(True, np.diff(spent) > 1e-6 * spent[:-1])
    if rising.sum() < 3:
        best = int((worth - prices)[rising].argmax())
        return float(spent[rising][best]) if best else 0.0
    log_spent = np.log(spent[rising])
    marginal = CubicSpline(log_spent, worth[rising]).derivative()
    places = np.linspace(log_spent[0], log_spent[-1], _PER_STEP * (len(log_spent) - 1) + 1)
    per_flop = prices[0] / spent[0]
    found = crossing(np.exp(places), marginal(places) / (per_flop * np.exp(places)))
    held_back = not rising.all()
    return float(spent[-1]) if np.isinf(found) and held_back else found


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
