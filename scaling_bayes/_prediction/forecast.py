"""From draws of a law to the loss of runs that are not trained yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._plausible import Size, warn_of_first
from scaling_bayes._prediction.forecast_answer import POINTS_AT_ONCE, Forecast, Of
from scaling_bayes._prediction.forecast_parts import ForecastInParts
from scaling_bayes._prediction.law_draws import (
    LawDraws,
    check_covariates,
    complete_sizes,
    mean_loss,
    point_dataset,
)
from scaling_bayes._prediction.mixture import check_source
from scaling_bayes._work.blocks import block, n_blocks
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs, read_at
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

WEIGHT = "weight"
OBSERVED = "observed_loss"
"""What the loss of a table of points is called, beside the one that is forecast."""


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
        names = dict.fromkeys((*points.sizes, *source.law.covariates, *weighted))
        return point_dataset(points.covariates(names))
    columns = {OBSERVED if name == "loss" else name: points[name].to_numpy() for name in points}
    in_table = {name: columns.pop(name, None) for name in SIZES}
    return point_dataset(complete_sizes(in_table, source.flops_per_param_token) | columns)


def forecast(
    source: LawDraws,
    points: pd.DataFrame | Runs | None = None,
    *,
    n_params: object = None,
    tokens: object = None,
    flops: object = None,
    at: Mapping[str, Any] | None = None,
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
    at : mapping of str to float or str, optional
        Value of each covariate of the law other than N, D and C, the same at all points, such as
        ``{"unique_tokens": "10B"}``; a table of points may have a column instead.
    seed : int or Generator, optional
        Source of the noise of new runs.

    Returns
    -------
    Forecast
        Draws of the mean curve and of a new run at each point. Of more than 1000 points, draws
        are made where they are read, always the same; intervals and probabilities of a million
        points need no more memory than those of a thousand. Each draw is one curve for all points.

    Raises
    ------
    InputError
        If the points do not hold what the law needs.
    """
    check_source(source)
    where = points_of(source, points, n_params=n_params, tokens=tokens, flops=flops)
    if points is None:
        warn_of_first(_sizes_given(where), "Check the units of the sizes.")
    where = _with_held(where, source, read_at(at or {}))
    rng = generator(seed)
    n_points = where.sizes["point"]
    check_covariates(source, where)
    if n_points <= POINTS_AT_ONCE:
        return _drawn(source, where, rng, "new_run")
    known: tuple[Of, ...] = ("mean_curve",) if source.noise is None else ("mean_curve", "new_run")
    seeds = rng.integers(2**63, size=n_blocks(n_points, POINTS_AT_ONCE))
    return ForecastInParts(source.label, where, known, _Parts(source, where, seeds), source)


def _with_held(points: xr.Dataset, source: LawDraws, at: Mapping[str, float]) -> xr.Dataset:
    """Return points with what is the same for all of them.

    Raises
    ------
    InputError
        If the points have it already, or the law does not read it.
    """
    for name, value in at.items():
        if name in points:
            raise InputError(f"the points have {name}, and at gives it too. Leave out one of them.")
        if name not in source.law.covariates:
            raise InputError(f"at gives {name}, which {source.law.name} does not read.")
        points = points.assign({name: ("point", np.full(points.sizes["point"], value))})
    return points


def _sizes_given(points: xr.Dataset) -> Iterator[tuple[str, Size, float]]:
    """Give the smallest and the largest of each size of points, and of tokens per parameter."""
    for name in SIZES:
        if name in points:
            for end in (float(points[name].min()), float(points[name].max())):
                yield f"{name} {format_quantity(end, kind=name)}", name, end
    if {"n_params", "tokens"} <= set(points):
        ratio = points["tokens"] / points["n_params"]
        for end in (float(ratio.min()), float(ratio.max())):
            yield f"{end:.3g} tokens per parameter", "tokens_per_param", end


@dataclass(frozen=True, eq=False)
class _Parts:
    """What makes the parts of a forecast by a law, each from a seed of its own."""

    source: LawDraws
    points: xr.Dataset
    seeds: np.ndarray

    def __call__(self, number: int, of: Of) -> Forecast:
        some = self.points.isel(point=block(number, POINTS_AT_ONCE))
        return _drawn(self.source, some, np.random.default_rng(self.seeds[number]), of)


def _drawn(source: LawDraws, points: xr.Dataset, rng: np.random.Generator, of: Of) -> Forecast:
    """Return the forecast of points; without a new run if that is not asked for, or not known."""
    mean_curve = mean_loss(source, points)
    if of == "mean_curve" or source.noise is None:
        return Forecast(source.label, points, mean_curve, None, source)
    # A draw with very heavy tails can lie beyond the largest float; infinity is its value.
    with np.errstate(over="ignore"):
        log_loss = source.noise.sample(
            np.log(mean_curve), source.noise_draws, rng, weight=points.get(WEIGHT, 1.0)
        )
        new_run = np.exp(log_loss).assign_attrs(mean_curve.attrs)
    return Forecast(source.label, points, mean_curve, new_run, source)
