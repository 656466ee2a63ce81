"""Loss against model size, tokens or compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.mixture import law_names
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import (
    WIDE,
    axes_or_new,
    footnote,
    legend_place,
    literal,
    set_loss_axis,
    set_size_axis,
)
from scaling_bayes.plots._bands import (
    Bands,
    Curve,
    Drawable,
    add_key,
    chosen_bands,
    draw_curve,
    forecast_curve,
)
from scaling_bayes.plots._colours import LogColours
from scaling_bayes.plots._points import (
    LETTERS,
    OFF_OPTIMUM,
    OTHER,
    Limits,
    close_to,
    curve_points,
    curve_words,
    follows_optimum,
    grid,
    level_words,
    levels,
    needs_level,
    resolve_along,
)
from scaling_bayes.plots._runs import draw_runs, own_runs, run_colour, shown_runs, within_reach
from scaling_bayes.runs import Runs
from scaling_bayes.units import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREAD = (0.1, 0.5, 0.9)
"""Quantiles of the runs at which levels lie by default."""
LEVEL_REACH = 3.0
"""Factor around a level within which runs count as supporting the curve at that level."""


def plot_loss(
    source: Drawable,
    *,
    along: Kind | None = None,
    runs: Runs | None = None,
    held_out: Runs | None = None,
    at: object = None,
    limits: Limits | None = None,
    of: Of | None = None,
    prob: float = DEFAULT_PROB,
    kind: IntervalKind = "equal-tailed",
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw loss against model size, tokens or compute, with credible bands and the runs.

    Along compute, a law in N and D is followed where it recommends to train: at the
    allocation whose expected loss is smallest. Runs at other allocations lie above that curve.
    Along N, such a law is drawn at a few levels of D, and the other way round; colours say
    at which level a curve or a run is. The line is dashed beyond the fitted runs.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to draw. A published law is a line without bands.
    along : {"n_params", "tokens", "flops"}, optional
        What stands on the x axis; by default the one size that the law reads, or compute.
    runs : Runs, optional
        Runs to draw; those of the fit by default.
    held_out : Runs, optional
        Runs that the fit has not seen, with a marker of their own.
    at : float, str or array_like, optional
        Levels of the other size, such as ``["10B", "1T"]`` tokens along N; by default three
        that span the runs.
    limits : pair of float or str, optional
        Ends of the curve, such as ``("1e19", "1e25")``; those of the runs by default.
    of : {"mean_curve", "new_run"}, optional
        The one band to draw; by default both, where the noise is known.
    prob : float
        Probability inside the bands.
    kind : {"equal-tailed", "hdi"}
        Kind of the intervals.
    seed : int
        Seed of the noise of new runs.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the law does not depend on `along`, a band is asked for that is not known, or a law
        that reads one size alone has a discrepancy, which needs two.
    NoOptimumError
        If a law in N and D has no compute-optimal allocation to follow along compute.
    """
    along = resolve_along(source, along)
    bands = Bands(chosen_bands(source, of), prob, kind, seed)
    tables = shown_runs([source], runs, held_out)
    x = grid(along, limits, list(tables.values()))
    if needs_level(source, along):
        chosen = levels(OTHER[along], at, list(tables.values()), spread=SPREAD)
        curves = [_curve_at_level(source, along, x, level, bands) for level in chosen]
        place = legend_place(ax)
        ax = axes_or_new(ax, figsize=WIDE)
        _draw_levels(ax, curves, chosen, tables, along, bands)
        ax.legend(**place)
    else:
        if at is not None:
            raise InputError(
                f"at={at!r} has no meaning along {along} for {law_names(source)}. Leave it out."
            )
        curve = _only_curve(source, along, x, bands)
        ax = axes_or_new(ax)
        draw_curve(ax, curve, along, bands, "C0")
        add_key(ax, [curve], bands, "C0")
        for name, table in tables.items():
            draw_runs(ax, name, table[along], table["loss"], colour=run_colour(name))
        ax.legend(title=OFF_OPTIMUM if tables and follows_optimum(source, along) else None)
    set_size_axis(ax, "x", along)
    set_loss_axis(ax, source)
    return footnote(ax, source, "forecast")


def _only_curve(source: Drawable, along: Kind, x: np.ndarray, bands: Bands) -> Curve:
    """Return the one curve of a law in one size, or the compute-optimal one."""
    own = own_runs(source)
    return forecast_curve(
        source,
        curve_points(source, along, x, None),
        bands,
        label=curve_words(source, along),
        inside=within_reach(x, None if own is None else own.frame[along].to_numpy()),
    )


def _curve_at_level(
    source: Drawable, along: Kind, x: np.ndarray, level: float, bands: Bands
) -> Curve:
    """Return the curve at one level of the other size; runs near that level support it."""
    other = OTHER[along]
    own = own_runs(source)
    reached = None
    if own is not None:
        columns = own.covariates([along, other])
        reached = columns[along][close_to(columns[other], level, LEVEL_REACH)]
    return forecast_curve(
        source,
        curve_points(source, along, x, level),
        bands,
        label=f"{literal(source.label)} at {level_words(other, level)}",
        inside=within_reach(x, reached),
    )


def _draw_levels(
    ax: Axes,
    curves: list[Curve],
    chosen: np.ndarray,
    tables: Mapping[str, pd.DataFrame],
    along: Kind,
    bands: Bands,
) -> None:
    """Draw a curve for each level of the other size; runs have the colour of their own level."""
    other = OTHER[along]
    colours = LogColours([chosen, *(table[other] for table in tables.values())])
    for curve, level in zip(curves, chosen, strict=True):
        draw_curve(ax, curve, along, bands, colours.of(level))
    add_key(ax, curves, bands, "grey")
    for name, table in tables.items():
        colour, which = colours.of(table[other]), f", coloured by their {LETTERS[other]}"
        draw_runs(ax, name, table[along], table["loss"], colour=colour, which=which)
