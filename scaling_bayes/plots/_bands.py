"""Curves with credible bands, and the words that say what a band is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_bayes._intervals import IntervalKind, is_point
from scaling_bayes._prediction.average import Average
from scaling_bayes._prediction.forecast import forecast
from scaling_bayes._prediction.forecast_answer import Forecast, Of
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._prediction.mixture import weighted_laws
from scaling_bayes.errors import InputError
from scaling_bayes.units import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawable = LawDraws | Average

OPACITY: dict[Of, float] = {"new_run": 0.2, "mean_curve": 0.5}
"""The bands in the order in which they are drawn."""

_WORDS: dict[Of, str] = {"new_run": "a new run", "mean_curve": "the mean curve"}


def interval_words(what: str, prob: float, kind: IntervalKind) -> str:
    """Return what an interval is of, its probability and its kind, for a legend."""
    return f"{what}, {100 * prob:g}% {'HDI' if kind == 'hdi' else 'equal-tailed interval'}"


def band_words(of: Of, prob: float, kind: IntervalKind) -> str:
    """Return the legend of a band of losses."""
    return interval_words(_WORDS[of], prob, kind)


def known_bands(source: Drawable) -> list[Of]:
    """Return which bands a source has: none if it is a single draw without noise."""
    laws = [one for one, _ in weighted_laws(source)]
    known: dict[Of, bool] = {
        "new_run": all(one.noise is not None for one in laws),
        "mean_curve": len(laws) > 1 or not is_point(laws[0].draws[laws[0].law.parameter_names[0]]),
    }
    return [of for of in OPACITY if known[of]]


def chosen_bands(source: Drawable, of: Of | None) -> list[Of]:
    """Return the bands to draw: the one asked for, or all that are known.

    Raises
    ------
    InputError
        If the band asked for is not known.
    """
    known = known_bands(source)
    if of is None:
        return known
    if of not in OPACITY:
        raise InputError(f"of is {of!r}; take 'mean_curve', 'new_run' or None for both.")
    if of not in known:
        raise InputError(
            f"{source.label} has no interval of {_WORDS[of]}: it has "
            f"{'no noise' if of == 'new_run' else 'one value of each parameter'}. Leave out of=."
        )
    return [of]


def forecast_by(source: Drawable, points: pd.DataFrame, *, seed: int) -> Forecast:
    """Return the forecast of a law with draws, or of an average."""
    if isinstance(source, Average):
        return source.forecast(points, seed=seed)
    return forecast(source, points, seed=seed)


def smooth_forecast(source: Drawable, points: pd.DataFrame, *, seed: int) -> Forecast:
    """Forecast each point with the same seed, so that bands of new runs are smooth curves.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to forecast with.
    points : DataFrame
        The points, one a row.
    seed : int
        Seed of the noise at every point.
    """
    import xarray as xr

    whole = forecast_by(source, points, seed=seed)
    if whole.new_run is None:
        return whole
    each = [
        forecast_by(source, points.iloc[[i]], seed=seed).draws("new_run")
        for i in range(len(points))
    ]
    new_run = xr.concat(each, dim="point")
    return Forecast(whole.label, whole.points, whole.mean_curve, new_run, source)


@dataclass(frozen=True)
class Bands:
    """Which bands are drawn around a curve.

    Attributes
    ----------
    of : list of {"new_run", "mean_curve"}
        What the bands are intervals of, widest first.
    prob : float
        Probability inside.
    kind : {"equal-tailed", "hdi"}
        Kind of interval.
    seed : int
        Seed of the noise of new runs.
    """

    of: list[Of]
    prob: float
    kind: IntervalKind
    seed: int


@dataclass(frozen=True)
class Curve:
    """A curve that is computed and can be drawn.

    Attributes
    ----------
    label : str
        Its name in the legend.
    table : DataFrame
        What `Forecast.to_frame` gives along it.
    inside : ndarray of bool, shape (point,)
        Where the fitted runs reach; the line is dashed elsewhere.
    """

    label: str
    table: pd.DataFrame
    inside: np.ndarray


def forecast_curve(
    source: Drawable, points: pd.DataFrame, bands: Bands, *, label: str, inside: np.ndarray
) -> Curve:
    """Return the loss of a source along points, with bands."""
    answer = smooth_forecast(source, points, seed=bands.seed)
    return Curve(label, answer.to_frame(prob=bands.prob, kind=bands.kind), inside)


def draw_curve(ax: Axes, curve: Curve, along: Kind, bands: Bands, colour: Any) -> None:
    """Draw the median of the mean curve with bands around it.

    Parameters
    ----------
    ax : Axes
        Where.
    curve : Curve
        What to draw.
    along : {"n_params", "tokens", "flops"}
        What stands on the x axis.
    bands : Bands
        The bands.
    colour : matplotlib colour
        Of the line and the bands.
    """
    x, loss = curve.table[along].to_numpy(), curve.table["loss"].to_numpy()
    for of in bands.of:
        edges = curve.table[f"{of}_lower"], curve.table[f"{of}_upper"]
        ax.fill_between(x, *edges, color=colour, alpha=OPACITY[of], linewidth=0, zorder=1)
    inner = np.where(curve.inside, loss, np.nan)
    ax.plot(x, inner, color=colour, label=curve.label, zorder=2)
    if not curve.inside.all():
        ax.plot(x, loss, color=colour, linestyle="--", linewidth=1, zorder=2)


def add_key(ax: Axes, curves: Iterable[Curve], bands: Bands, colour: Any) -> None:
    """Say once in the legend what the bands and the dashes of all curves mean.

    Parameters
    ----------
    ax : Axes
        Where; it gets artists that show nothing.
    curves : iterable of Curve
        All curves drawn.
    bands : Bands
        The bands.
    colour : matplotlib colour
        Of the entries.
    """
    if not all(curve.inside.all() for curve in curves):
        ax.plot([], [], color=colour, linestyle="--", linewidth=1, label="beyond the fitted runs")
    for of in reversed(bands.of):
        label = band_words(of, bands.prob, bands.kind)
        ax.fill([], [], color=colour, alpha=OPACITY[of], linewidth=0, label=label)
