"""A Gaussian process by its values at a few landmarks, and what these leave over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Covariance of two sets of places of shape (place, coordinate); 1 of a place with itself."""

_LEFT_OVER = 40
_NEGLIGIBLE = 1e-6
"""Variance left over, below which a place adds nothing but rounding."""


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

    @cached_property
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

    def extended(self, places: np.ndarray, *, at_most: int, left_over: float) -> Components:
        """Return these components and more, until little is left over at any of some places.

        Parameters
        ----------
        places : ndarray, shape (place, coordinate)
            Places that may become landmarks too.
        at_most : int
            Components to add at most.
        left_over : float
            The variance that counts as little.
        """
        rows, _ = _pivots(places, self.kernel, self.at(places), at_most, left_over)
        return Components(self.kernel, np.concatenate([self.landmarks, places[rows]]))

    def rest(self, places: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """Return draws of what the components leave over at places, of shape (draw, place).

        Draws are joint over the places in the leading components of the rest, and independent
        in the little that these leave over in turn.
        """
        explained = self.at(places)
        _, values = _pivots(places, self.kernel, explained, _LEFT_OVER, _NEGLIGIBLE)
        smooth = values[:, explained.shape[1] :]
        spread = np.sqrt(np.clip(1 - np.sum(values**2, axis=1), 0, None))
        draws: np.ndarray = rng.standard_normal((n_draws, smooth.shape[1])) @ smooth.T
        draws += spread * rng.standard_normal(draws.shape)
        return draws


def leading_rows(places: np.ndarray, kernel: Kernel, at_most: int) -> np.ndarray:
    """Return the rows of places, of shape (place, coordinate), that serve best as landmarks."""
    rows, _ = _pivots(places, kernel, np.empty((len(places), 0)), at_most, _NEGLIGIBLE)
    return np.array(rows, dtype=int)


def _pivots(
    places: np.ndarray, kernel: Kernel, values: np.ndarray, at_most: int, negligible: float
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
    negligible : float
        Variance left over everywhere, at which it is done.

    Returns
    -------
    list of int
        The places chosen.
    ndarray
        The factor with a column added for each of them.
    """
    variance = 1 - np.sum(values**2, axis=1)
    chosen: list[int] = []
    while len(chosen) < at_most and variance.max() > negligible:
        pivot = int(np.argmax(variance))
        column = kernel(places, places[[pivot]])[:, 0] - values @ values[pivot]
        values = np.column_stack([values, column / np.sqrt(variance[pivot])])
        variance = variance - values[:, -1] ** 2
        chosen.append(pivot)
    return chosen, values
