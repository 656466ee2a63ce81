"""A Gaussian process by its values at a few landmarks, and what these leave over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Covariance of two sets of places of shape (place, coordinate); 1 of a place with itself."""

_LEFT_OVER = 40
_NEGLIGIBLE = 1e-6
_AT_ONCE = 10_000
"""Places looked at together."""


@dataclass(frozen=True, eq=False)
class Components:
    """Functions that explain most of a Gaussian process of unit variance at some places.

    The process is f(x) = sum_j phi_j(x) w_j + rest(x), with w_j ~ Normal(0, 1) and
    phi(x) = k(x, z) inv(chol(k(z, z)))', where z are landmarks (Rasmussen and Williams 2006,
    section 8.3.1). The rest is zero at the landmarks and small between them.

    Attributes
    ----------
    kernel : Kernel
        The k.
    landmarks : ndarray, shape (component, coordinate)
        The z, each the place that the ones before it leave most uncertain (pivoted Cholesky).
    """

    kernel: Kernel
    landmarks: np.ndarray

    @property
    def root(self) -> np.ndarray:
        """The lower triangular Cholesky factor of k(z, z)."""
        factor: np.ndarray = np.linalg.cholesky(self.kernel(self.landmarks, self.landmarks))
        return factor

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return the phi_j at places, of shape (place, component)."""
        values: np.ndarray = solve_triangular(
            self.root, self.kernel(self.landmarks, places), lower=True
        ).T
        return values

    def with_leading(self, places: np.ndarray) -> Components:
        """Return these landmarks, and then the places that lead in what they leave over.

        Among very many places, the ones that lead in some of them compete for it (tournament
        pivoting, Grigori, Demmel and Xiang 2011), so that memory does not grow with the places.
        """
        while len(places) > _AT_ONCE:
            starts = range(0, len(places), _AT_ONCE)
            some = (places[start : start + _AT_ONCE] for start in starts)
            places = np.concatenate([self._leading(each) for each in some])
        leading = self._leading(places)
        return replace(self, landmarks=np.concatenate([self.landmarks, leading]))

    def _leading(self, places: np.ndarray) -> np.ndarray:
        rows, _ = _pivots(places, self.kernel, self.at(places), _LEFT_OVER)
        return places[rows]


def left_over(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of what components leave over at places, of shape (place,).

    Parameters
    ----------
    values : ndarray, shape (place, component)
        What `Components.at` returned.
    """
    spread: np.ndarray = np.sqrt(np.clip(1 - np.sum(values**2, axis=1), 0, None))
    return spread


def leading_rows(places: np.ndarray, kernel: Kernel, at_most: int) -> np.ndarray:
    """Return the rows of places, of shape (place, coordinate), that serve best as landmarks."""
    rows, _ = _pivots(places, kernel, np.empty((len(places), 0)), at_most)
    return np.array(rows, dtype=int)


def _pivots(
    places: np.ndarray, kernel: Kernel, values: np.ndarray, at_most: int
) -> tuple[list[int], np.ndarray]:
    """Go on with a Cholesky factor of the kernel, each time at the most uncertain place.

    Parameters
    ----------
    places : ndarray, shape (place, coordinate)
        Where.
    kernel : Kernel
        Covariance, 1 of a place with itself.
    values : ndarray, shape (place, column)
        The factor so far.
    at_most : int
        Columns to add at most.

    Returns
    -------
    list of int
        The places chosen.
    ndarray
        The factor with a column added for each of them.
    """
    variance = 1 - np.sum(values**2, axis=1)
    chosen: list[int] = []
    while len(chosen) < at_most and variance.max() > _NEGLIGIBLE:
        pivot = int(np.argmax(variance))
        column = kernel(places, places[[pivot]])[:, 0] - values @ values[pivot]
        values = np.column_stack([values, column / np.sqrt(variance[pivot])])
        variance = variance - values[:, -1] ** 2
        chosen.append(pivot)
    return chosen, values
