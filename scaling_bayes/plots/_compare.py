"""Several laws on one pair of axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import axes_or_new, footnote, literal, set_loss_axis, set_size_axis
from scaling_bayes.plots._bands import (
    OPACITY,
    Bands,
    Drawable,
    add_key,
    draw_curve,
    forecast_curve,
    known_bands,
)
from scaling_bayes.plots._points import (
    OFF_OPTIMUM,
    OTHER,
    Limits,
    close_to,
    curve_points,
    follows_optimum,
    grid,
    level_words,
    levels,
    needs_level,
    resolve_along,
)
from scaling_bayes.plots._runs import (
    check_sources,
    draw_runs,
    own_runs,
    run_colour,
    shown_runs,
    within_reach,
)
from scaling_bayes.runs import Runs
from scaling_bayes.units import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL_REACH = 1.5
"""Factor around the common level within which runs are drawn."""


def plot_compare(
    sources: Mapping[str, Drawable],
    *,
    along: Kind = "flops",
    runs: Runs | None = None,
    held_out: Runs | None = None,
    at: float | str | None = None,
    limits: Limits | None = None,
    of: Of = "mean_curve",
    prob: float = DEFAULT_PROB,
    kind: IntervalKind = "equal-tailed",
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the loss of several fits and published laws on one pair of axes.

    Along compute, each law in N and D is followed where it recommends to train, by its own
    lights; see `plot_loss`. The lines are dashed beyond the runs that each was fitted to.

    Parameters
    ----------
    sources : mapping of str to Fit, PublishedLaw or Average
        What to draw, by the name that the legend gives it.
    along : {"n_params", "tokens", "flops"}
        What stands on the x axis.
    runs : Runs, optional
        Runs to draw; those of the fits by default.
    held_out : Runs, optional
        Runs that no fit has seen, with a marker of their own.
    at : float or str, optional
        Level of the other size along N or D, for all laws in both; the middle of the runs by
        default.
    limits : pair of float or str, optional
        Ends of the curves, such as ``("1e19", "1e26")``; those of the runs by default.
    of : {"mean_curve", "new_run"}
        What the bands are intervals of. A source that does not know it is a line without one.
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
        If there are no sources, some law does not depend on `along`, or one that reads one size
        alone has a discrepancy, which needs two.
    NoOptimumError
        If a law in N and D has no compute-optimal allocation to follow along compute.
    """
    check_sources(sources)
    if of not in OPACITY:
        raise InputError(f"of is {of!r}; take 'mean_curve' or 'new_run'.")
    for source in sources.values():
        resolve_along(source, along)
    tables = shown_runs(sources.values(), runs, held_out)
    x = grid(along, limits, list(tables.values()))
    level = _common_level(sources, along, at, tables)
    drawn = {name: [each for each in known_bands(sources[name]) if each == of] for name in sources}
    bands = {name: Bands(each, prob, kind, seed) for name, each in drawn.items()}
    curves = {
        name: forecast_curve(
            source,
            curve_points(source, along, x, level if needs_level(source, along) else None),
            bands[name],
            label=literal(name),
            inside=_reached(source, along, x),
        )
        for name, source in sources.items()
    }
    ax = axes_or_new(ax)
    for i, (name, curve) in enumerate(curves.items()):
        draw_curve(ax, curve, along, bands[name], f"C{i}")
    widest = max(bands.values(), key=lambda each: len(each.of))
    add_key(ax, curves.values(), widest, "grey")
    for name, table in tables.items():
        if level is None:
            draw_runs(ax, name, table[along], table["loss"], colour=run_colour(name))
        else:
            close = table[close_to(table[OTHER[along]].to_numpy(), level, LEVEL_REACH)]
            which = f" within {LEVEL_REACH:g}x of {level_words(OTHER[along], level)}"
            colour = run_colour(name)
            draw_runs(ax, name, close[along], close["loss"], colour=colour, which=which)
    set_size_axis(ax, "x", along)
    set_loss_axis(ax, sources)
    ax.legend(title=_where(sources, along, level, with_runs=bool(tables)))
    return footnote(ax, sources, "forecast")


def _reached(source: Drawable, along: Kind, x: np.ndarray) -> np.ndarray:
    """Return where a curve lies inside the range of the runs of its own source."""
    own = own_runs(source)
    return within_reach(x, None if own is None else own.frame[along].to_numpy())


def _common_level(
    sources: Mapping[str, Drawable],
    along: Kind,
    at: float | str | None,
    tables: Mapping[str, pd.DataFrame],
) -> float | None:
    """Return the level of the other size at which all laws are drawn; None if none needs one."""
    if any(needs_level(source, along) for source in sources.values()):
        return float(levels(OTHER[along], at, list(tables.values()), spread=(0.5,))[0])
    if at is not None:
        raise InputError(f"at={at!r} has no meaning along {along} for these laws. Leave it out.")
    return None


def _where(
    sources: Mapping[str, Drawable], along: Kind, level: float | None, *, with_runs: bool
) -> str | None:
    """Return at which N and D the curves are drawn, for the title of the legend."""
    if level is not None:
        return f"at {level_words(OTHER[along], level)}"
    if any(follows_optimum(source, along) for source in sources.values()):
        where = "laws in N and D: each at its own optimum"
        return f"{where};\n{OFF_OPTIMUM}" if with_runs else where
    return None
