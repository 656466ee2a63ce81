"""A model size among the options, on their grid or between its points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial

from scaling_bayes._decision.options import Options
from scaling_bayes._decision.problem import Problem
from scaling_bayes._decision.rules import Rule

_BESIDE = 1
"""Options on either side of a size that a parabola is drawn through."""
_FOR_VERTEX = 2
"""Options on either side of the best that a polynomial is drawn through to find the lowest point:
with one alone, the third decimal of the size depended on where the options lie."""


@dataclass(frozen=True, eq=False)
class Place:
    """A model size, and the options whose weighted mean it is.

    Between options, losses are interpolated by a parabola in log N, draw by draw: of all sources
    alike, whether a loss can be computed there or is drawn jointly with that of the others.

    Attributes
    ----------
    n_params : float
        Model size.
    rows : ndarray, shape (row,)
        The nearest options.
    weights : ndarray, shape (row,)
        Lagrange's weights of these.
    """

    n_params: float
    rows: np.ndarray
    weights: np.ndarray

    def loss(self, options: Options) -> np.ndarray:
        """Return draws of the loss there that a rule looks at, of shape (draw,)."""
        return options.as_asked(self._mean_curve(options))

    def regret(self, options: Options) -> np.ndarray:
        """Return draws of the regret there, of shape (draw,); the best has none."""
        above: np.ndarray = np.maximum(self._mean_curve(options) - options.best_loss, 0.0)
        return above

    def _mean_curve(self, options: Options) -> np.ndarray:
        at: np.ndarray = self.weights @ options.mean_curve[self.rows]
        return at


def place_of(options: Options, n_params: float) -> Place:
    """Return a model size within the range of the options."""
    log_n = np.log(options.n_params)
    x = np.log(n_params)
    exact = np.flatnonzero(np.isclose(log_n, x, rtol=0, atol=1e-12))
    if exact.size or len(log_n) <= 2 * _BESIDE:
        nearest = exact[:1] if exact.size else np.array([np.abs(log_n - x).argmin()])
        return Place(n_params, nearest, np.ones(1))
    middle = int(np.abs(log_n - x).argmin().clip(_BESIDE, len(log_n) - 1 - _BESIDE))
    rows = np.arange(middle - _BESIDE, middle + _BESIDE + 1)
    knots = log_n[rows]
    weights = np.array(
        [
            np.prod((x - np.delete(knots, i)) / (knots[i] - np.delete(knots, i)))
            for i in range(len(knots))
        ]
    )
    return Place(n_params, rows, weights)


def chosen(problem: Problem, options: Options, rule: Rule) -> Place:
    """Return the best size by a rule: any size, or one of the menu."""
    return best_place(options, rule) if problem.menu is None else best_option(options, rule)


def best_option(options: Options, rule: Rule) -> Place:
    """Return the best of the options; of equally good ones, that with less expected loss."""
    row = _best_row(options, rule.scores(options))
    return Place(float(options.n_params[row]), np.array([row]), np.ones(1))


def best_place(options: Options, rule: Rule) -> Place:
    """Return the best model size: the lowest point of the polynomial around the best option.

    At an end of the options, at a kink where another limit takes over, and where the polynomial
    has no lowest point between the neighbours, it is the best option itself.
    """
    scores = rule.scores(options)
    row = _best_row(options, scores)
    if 0 < row < len(scores) - 1 and row not in options.kinks:
        log_n = np.log(options.n_params)
        beside = _smooth_around(row, len(scores), options.kinks)
        rows = slice(row - beside, row + beside + 1)
        around = Polynomial.fit(log_n[rows], scores[rows], 2 * beside)
        turns = [turn.real for turn in around.deriv().roots() if turn.imag == 0]
        lowest = [
            turn
            for turn in turns
            if log_n[row - 1] <= turn <= log_n[row + 1] and around.deriv(2)(turn) > 0
        ]
        if lowest:
            return place_of(options, float(np.exp(min(lowest, key=around))))
    return Place(float(options.n_params[row]), np.array([row]), np.ones(1))


def _smooth_around(row: int, n_options: int, kinks: tuple[int, ...]) -> int:
    """Return how many options on either side of a row a polynomial may be drawn through."""
    ends = row, n_options - 1 - row, *(abs(row - kink) for kink in kinks)
    return min(_FOR_VERTEX, *ends)


def _best_row(options: Options, scores: np.ndarray) -> int:
    return int(np.lexsort((options.expected_loss, scores))[0])
