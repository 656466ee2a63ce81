"""From draws of a law to the loss of runs that are not trained yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from scaling_bayes._draws import LawDraws, complete_sizes, discrepancy_of, law_loss, point_dataset
from scaling_bayes._intervals import (
    DEFAULT_PROB,
    SAMPLE_DIMS,
    IntervalKind,
    interval,
    is_point,
    quantile,
    shown_in_words,
)
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Of = Literal["mean_curve", "new_run"]

WEIGHT = "weight"
OBSERVED = "observed_loss"
"""What the loss of a table of points is called, beside the one that is forecast."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Posterior of the loss at points (N, D).

    Two questions are kept apart. The mean curve is the law itself, times its discrepancy if it
    has one: where the middle of many runs at that point would lie. A new run scatters around it
    by the noise of the fit.

    Attributes
    ----------
    label : str
        The fit or published law that made the forecast.
    points : Dataset
        The covariates, with dim ``point``.
    mean_curve : DataArray
        Its loss in nats per token, with dims chain, draw and point.
    new_run : DataArray or None
        Loss of a single new run, likewise, or of the mean of as many as the point's ``weight``
        says; None for a published law, whose noise is unknown.
    """

    label: str
    points: xr.Dataset
    mean_curve: xr.DataArray
    new_run: xr.DataArray | None

    def draws(self, of: Of = "new_run") -> xr.DataArray:
        """Return the draws of the mean curve or of a new run.

        Raises
        ------
        InputError
            If a new run is asked of a law whose noise is not known.
        """
        if of == "mean_curve":
            return self.mean_curve
        if of != "new_run":
            raise InputError(f"of is {of!r}; take 'mean_curve' or 'new_run'.")
        if self.new_run is None:
            raise InputError(
                f"{self.label} has no noise, so a new run cannot be forecast from it. "
                "Ask for of='mean_curve'."
            )
        return self.new_run

    def interval(
        self,
        *,
        prob: float = DEFAULT_PROB,
        of: Of = "new_run",
        kind: IntervalKind = "equal-tailed",
    ) -> xr.DataArray:
        """Return the credible interval of the loss at each point.

        Parameters
        ----------
        prob : float
            Probability inside.
        of : {"new_run", "mean_curve"}
            What the interval is of.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.

        Returns
        -------
        DataArray
            With dims ``bound`` (lower, upper) and ``point``.
        """
        return interval(self.draws(of), prob=prob, kind=kind)

    def probability_below(self, target: float, *, of: Of = "new_run") -> xr.DataArray:
        """Return the probability that the loss is below a target, at each point.

        Parameters
        ----------
        target : float
            Loss in nats per token.
        of : {"new_run", "mean_curve"}
            Whose loss.
        """
        below: xr.DataArray = (self.draws(of) < target).mean(SAMPLE_DIMS)
        return below.rename("probability_below").assign_attrs(units="1", target=target)

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a point: its covariates, the median loss, and the intervals.

        Columns ``mean_curve_lower`` and ``mean_curve_upper``, and where the noise is known
        ``new_run_lower`` and ``new_run_upper``, bound the intervals of probability `prob`.
        """
        frame = self.points.to_dataframe()
        frame["loss"] = quantile(self.mean_curve, 0.5).values
        known: tuple[Of, ...] = (
            ("mean_curve",) if self.new_run is None else ("mean_curve", "new_run")
        )
        for of in known:
            lower, upper = self.interval(prob=prob, of=of, kind=kind).values
            frame[f"{of}_lower"], frame[f"{of}_upper"] = lower, upper
        return frame

    def __repr__(self) -> str:
        frame = self.to_frame()
        if is_point(self.mean_curve):
            frame = frame.drop(columns=["mean_curve_lower", "mean_curve_upper"])
        for name in SIZES:
            if name in frame:
                frame[name] = [format_quantity(value, kind=name) for value in frame[name]]
        return (
            f"Forecast by {self.label}: loss in nats per token, "
            f"{shown_in_words(self.mean_curve)}\n"
            + frame.to_string(index=False, float_format="{:.4f}".format)
        )


def points_of(
    source: LawDraws,
    points: pd.DataFrame | Runs | None,
    *,
    n_params: object = None,
    tokens: object = None,
    flops: object = None,
) -> xr.Dataset:
    """Return the points to forecast, with whatever of N, D and C follows from what is given.

    Raises
    ------
    InputError
        If both a table and sizes are given, or neither, or all three sizes.
    """
    given = dict(zip(SIZES, (n_params, tokens, flops), strict=True))
    if points is None:
        if all(values is not None for values in given.values()):
            raise InputError(
                "give two of n_params, tokens and flops; the third follows from C = k N D with "
                f"k = {source.flops_per_param_token:g}."
            )
        return point_dataset(complete_sizes(given, source.flops_per_param_token))
    if any(values is not None for values in given.values()):
        raise InputError("give the points as a table or as n_params, tokens and flops, not both.")
    if isinstance(points, Runs):
        weighted = (WEIGHT,) if (points.frame[WEIGHT] != 1).any() else ()
        names = dict.fromkeys((*SIZES, *source.law.covariates, *weighted))
        return point_dataset(points.covariates(names))
    columns = {OBSERVED if name == "loss" else name: points[name].to_numpy() for name in points}
    in_table = {name: columns.pop(name, None) for name in SIZES}
    return point_dataset(complete_sizes(in_table, source.flops_per_param_token) | columns)


def mean_loss(source: LawDraws, points: xr.Dataset, rng: np.random.Generator) -> xr.DataArray:
    """Return the loss of the mean curve: of the law, times what its discrepancy makes of it.

    Parameters
    ----------
    source : Fit or PublishedLaw
        The law and its draws.
    points : Dataset
        What `points_of` returned.
    rng : numpy.random.Generator
        Source of what the runs do not tell of the discrepancy; not used where there is none.

    Returns
    -------
    DataArray
        Nats per token, with dims chain, draw and point.
    """
    by_law = law_loss(source, points)
    error = discrepancy_of(source)
    if error is None:
        return by_law
    return (by_law * np.exp(error.at(points))).assign_attrs(by_law.attrs)


def forecast(
    source: LawDraws,
    points: pd.DataFrame | Runs | None = None,
    *,
    n_params: object = None,
    tokens: object = None,
    flops: object = None,
    seed: int | np.random.Generator | None = None,
) -> Forecast:
    """Forecast the loss at points (N, D).

    Parameters
    ----------
    source : Fit or PublishedLaw
        What to forecast with.
    points : DataFrame or Runs, optional
        A table with the covariates of the law; instead of the sizes. Further columns of a
        DataFrame are carried along, a column ``loss`` as ``observed_loss``.
    n_params, tokens, flops : float, str or array_like, optional
        Sizes of the points, scalar or of shape (point,); ``"70B"`` is read as 70e9. Two of
        them give the third by C = k N D.
    seed : int or Generator, optional
        Source of the noise of new runs, and of the discrepancy between and beyond the fitted
        runs.

    Returns
    -------
    Forecast
        Draws of the mean curve and of a new run at each point.

    Raises
    ------
    InputError
        If the points do not hold what the law needs.
    """
    where = points_of(source, points, n_params=n_params, tokens=tokens, flops=flops)
    rng = np.random.default_rng(seed)
    mean_curve = mean_loss(source, where, rng)
    new_run = None
    if source.noise is not None:
        # A draw with very heavy tails can lie beyond the largest float; infinity is its value.
        with np.errstate(over="ignore"):
            log_loss = source.noise.sample(
                np.log(mean_curve), source.noise_draws, rng, weight=where.get(WEIGHT, 1.0)
            )
            new_run = np.exp(log_loss)
        new_run = new_run.assign_attrs(mean_curve.attrs)
    return Forecast(source.label, where, mean_curve, new_run)
