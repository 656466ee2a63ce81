"""Ordinary least squares of log loss on the logs of the sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes._work.seeds import generator
from scaling_bayes.baselines._curves import (
    forecast_from_curves,
    log_runs,
    log_sizes,
    point_sizes,
    varying_sizes,
)
from scaling_bayes.baselines._linear import Line, fitted_line
from scaling_bayes.baselines._option_checks import check_count
from scaling_bayes.errors import IdentifiabilityError
from scaling_bayes.noise import Normal
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class LogLinearFit:
    """A log-linear law, with draws of its coefficients and of its noise.

    Attributes
    ----------
    line : Line
        The fit of least squares.
    coefficients : ndarray, shape (draw, 1 + covariate)
        Draws of the intercept, at the mean log sizes of the runs, and of the slopes.
    noise_draws : Dataset
        Draws of ``sigma``, with dims chain (one) and draw.
    """

    line: Line
    coefficients: np.ndarray = field(repr=False)
    noise_draws: xr.Dataset = field(repr=False)

    @property
    def label(self) -> str:
        """Name of the method, for tables and legends."""
        return f"log-linear in {' and '.join(self.line.covariates)} by least squares"

    def forecast(self, points: Runs, *, seed: int | np.random.Generator | None = None) -> Forecast:
        """Forecast the loss at points.

        Parameters
        ----------
        points : Runs
            The points; their losses are not read.
        seed : int or Generator, optional
            Source of the noise of new runs.
        """
        where = point_sizes(points)
        curves = self.line.log_loss(self.coefficients, log_sizes(where, self.line.covariates))
        return forecast_from_curves(
            self.label, where, curves, Normal(), self.noise_draws, seed=seed
        )


@dataclass(frozen=True)
class LogLinearLeastSquares:
    """Log loss linear in log N and log D, by ordinary least squares.

    The loss is a product of powers with no irreducible part: log L = c + c_N log N + c_D log D,
    with the terms of those sizes that vary between the runs. Draws are from the posterior under
    the flat prior on the coefficients and on log sigma (Gelman et al. 2013, Bayesian Data
    Analysis, section 14.2): (n - p) s^2 / sigma^2 is chi-squared with n - p degrees of freedom,
    and the coefficients given sigma are Normal. So intervals of a new run are the classical
    Student-t prediction intervals, to the precision of the draws.

    Attributes
    ----------
    n_draws : int
        Number of draws.

    Raises
    ------
    InputError
        If the number of draws is no whole number, or below two.
    """

    n_draws: int = 4000

    def __post_init__(self) -> None:
        check_count("n_draws", self.n_draws, 2)

    def fit(self, runs: Runs, *, seed: int | np.random.Generator | None = None) -> LogLinearFit:
        """Fit the runs.

        Parameters
        ----------
        runs : Runs
            The training runs.
        seed : int or Generator, optional
            Source of the draws.

        Raises
        ------
        IdentifiabilityError
            If no size varies, the sizes vary together, or there are no more runs than
            coefficients.
        """
        import xarray as xr

        names = varying_sizes(runs)
        line = fitted_line(log_runs(runs, names), names)
        if line is None:
            raise IdentifiabilityError(
                f"the {len(runs)} runs of {runs.source} do not determine the slopes in "
                f"{' and '.join(names)} and the noise: there are too few, or the sizes vary "
                "together. Add runs, at other tokens per parameter."
            )
        rng = generator(seed)
        df = line.degrees_of_freedom
        sigma = line.scatter * np.sqrt(df / rng.chisquare(df, self.n_draws))
        scatter = rng.standard_normal((self.n_draws, len(line.coefficients))) @ line.root.T
        return LogLinearFit(
            line,
            line.coefficients + sigma[:, None] * scatter,
            xr.Dataset({"sigma": (("chain", "draw"), sigma[None])}),
        )
