"""Least squares of log loss on logs of sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from scaling_bayes.baselines._curves import LogRuns

_RANK_TOLERANCE: Final = 1e-8


@dataclass(frozen=True, eq=False)
class Line:
    """A fit of log loss that is linear in the logs of the covariates.

    Attributes
    ----------
    covariates : tuple of str
        The sizes it is in.
    centre : ndarray, shape (covariate,)
        Logs of the sizes at which the intercept is taken.
    coefficients : ndarray, shape (1 + covariate,)
        Intercept and slopes.
    root : ndarray, shape (1 + covariate, 1 + covariate)
        A matrix R with R R^T the inverse of the normal matrix.
    residuals : ndarray, shape (run,)
        Residuals of log loss, times the root of the weight.
    """

    covariates: tuple[str, ...]
    centre: np.ndarray = field(repr=False)
    coefficients: np.ndarray
    root: np.ndarray = field(repr=False)
    residuals: np.ndarray = field(repr=False)

    @property
    def degrees_of_freedom(self) -> int:
        """Number of runs beyond that of coefficients."""
        return len(self.residuals) - len(self.coefficients)

    @property
    def scatter(self) -> float:
        """Unbiased estimate of the standard deviation of the noise on log loss."""
        return float(np.sqrt((self.residuals**2).sum() / self.degrees_of_freedom))

    @property
    def slopes(self) -> dict[str, float]:
        """The slope of log loss in the log of each covariate."""
        return dict(zip(self.covariates, self.coefficients[1:].tolist(), strict=True))

    def log_loss(self, coefficients: np.ndarray, log_sizes: np.ndarray) -> np.ndarray:
        """Return log loss, of shape (draw, point).

        Parameters
        ----------
        coefficients : ndarray, shape (draw, 1 + covariate)
            Intercepts and slopes.
        log_sizes : ndarray, shape (covariate, point)
            Logs of the covariates.
        """
        at_points: np.ndarray = coefficients @ _design(log_sizes, self.centre).T
        return at_points


def fitted_line(rows: LogRuns, covariates: tuple[str, ...]) -> Line | None:
    """Return the line of least squares, weighted by the weights of the runs.

    None where there are no degrees of freedom left for the noise, or the covariates do not
    determine the slopes.
    """
    centre = rows.sizes.mean(axis=1)
    design = _design(rows.sizes, centre) * rows.root_weight[:, None]
    n_coefficients = design.shape[1]
    if len(design) <= n_coefficients:
        return None
    u, singular, vt = np.linalg.svd(design, full_matrices=False)
    if singular[-1] <= _RANK_TOLERANCE * singular[0]:
        return None
    root = vt.T / singular
    target = rows.loss * rows.root_weight
    coefficients = root @ (u.T @ target)
    return Line(covariates, centre, coefficients, root, target - design @ coefficients)


def _design(log_sizes: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the columns one and centred log sizes, of shape (run, 1 + covariate)."""
    return np.column_stack([np.ones(log_sizes.shape[1]), (log_sizes - centre[:, None]).T])
