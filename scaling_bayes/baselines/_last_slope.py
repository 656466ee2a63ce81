"""The slope of the largest runs, held on to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes.baselines._curves import (
    log_runs,
    log_sizes,
    point_forecast,
    point_sizes,
    varying_sizes,
)
from scaling_bayes.baselines._linear import Line, fitted_line
from scaling_bayes.baselines._option_checks import check_count, check_positive
from scaling_bayes.baselines._residuals import ResampledResiduals, per_degree_of_freedom
from scaling_bayes.errors import IdentifiabilityError
from scaling_bayes.runs import Runs

_LEAST_FREE = 2
"""Runs beyond the number of coefficients, so that the noise does not rest on one residual."""


@dataclass(frozen=True, eq=False)
class LastSlopeFit:
    """The straight line through the largest runs, in logs.

    Attributes
    ----------
    line : Line
        The fit of least squares to the largest runs.
    noise : ResampledResiduals
        Its residuals, scaled for its degrees of freedom.
    n_draws : int
        Draws in a forecast.
    """

    line: Line
    noise: ResampledResiduals = field(repr=False)
    n_draws: int

    @property
    def label(self) -> str:
        """Name of the method, for tables and legends."""
        return f"last slope in {' and '.join(self.line.covariates)}"

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
        curve = self.line.log_loss(
            self.line.coefficients[None], log_sizes(where, self.line.covariates)
        )
        return point_forecast(self, where, curve[0], seed=seed)


@dataclass(frozen=True)
class LastSlope:
    """The local slope of the largest runs persists.

    Log loss is linear in log N and log D, with the terms of those sizes that vary, fitted by least
    squares to the runs within the last decades of compute. Where these are too few, or do not
    determine the slopes, such as runs that all have the same compute, the runs at the next lower
    level of compute are added until they do. For one curve this is a straight line through its
    last points. It has a slope for each size, so it forecasts points at any tokens per parameter.

    The mean curve is that line, the same in every draw. A new run adds a residual of the runs
    fitted, drawn with replacement and scaled by sqrt(n / (n - p)), with n runs and p coefficients.

    Attributes
    ----------
    decades : float
        How far below the largest compute the runs go that are fitted, in powers of ten.
    n_draws : int
        Number of draws.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    decades: float = 1.0
    n_draws: int = 1000

    def __post_init__(self) -> None:
        check_positive("decades", self.decades)
        check_count("n_draws", self.n_draws, 2)

    def fit(self, runs: Runs, *, seed: int | np.random.Generator | None = None) -> LastSlopeFit:
        """Fit the largest runs.

        Parameters
        ----------
        runs : Runs
            The training runs.
        seed : int or Generator, optional
            Not used: the fit draws nothing.

        Raises
        ------
        IdentifiabilityError
            If no size varies, or even all runs do not determine the slopes.
        """
        names = varying_sizes(runs)
        flops = runs.covariates(("flops",))["flops"]
        last = flops.max() / 10**self.decades
        for lowest in (last, *np.unique(flops[flops < last])[::-1]):
            line = fitted_line(log_runs(runs.where(flops >= lowest), names), names)
            if line is not None and line.degrees_of_freedom >= _LEAST_FREE:
                noise = ResampledResiduals(per_degree_of_freedom(line.residuals, 1 + len(names)))
                return LastSlopeFit(line, noise, self.n_draws)
        raise IdentifiabilityError(
            f"the {len(runs)} runs of {runs.source} do not determine the slopes in "
            f"{' and '.join(names)} and the noise: there are too few, or the sizes vary together. "
            "Add runs, at other tokens per parameter."
        )
