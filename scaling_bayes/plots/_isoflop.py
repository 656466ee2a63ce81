"""Loss against model size at fixed compute, and where it is smallest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, is_point, quantile
from scaling_bayes._prediction.allocate import allocate
from scaling_bayes._prediction.allocation import Allocation
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.law_draws import sizes
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import (
    WIDE,
    axes_or_new,
    footnote,
    legend_place,
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
    interval_words,
)
from scaling_bayes.plots._colours import LogColours
from scaling_bayes.plots._points import GRID, budgets, check_trades, close_to, level_words
from scaling_bayes.plots._runs import draw_runs, own_runs, shown_runs, within_reach
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEFAULT_NEAR = 1.2
BEYOND_MINIMUM = 5.0
"""Factor by which a curve goes at least beyond the interval of its minimum."""


def plot_isoflop(
    source: Drawable,
    *,
    flops: object = None,
    runs: Runs | None = None,
    held_out: Runs | None = None,
    near: float = DEFAULT_NEAR,
    of: Of | None = None,
    prob: float = DEFAULT_PROB,
    kind: IntervalKind = "equal-tailed",
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw isoFLOP curves: loss against model size at fixed compute, with their minimum.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to draw. A published law has lines without bands.
    flops : float, str or array_like, optional
        Compute budgets; by default those, five at most, near which runs of most model sizes lie.
    runs : Runs, optional
        Runs to draw; those of the fit by default.
    held_out : Runs, optional
        Runs that the fit has not seen, with a marker of their own.
    near : float
        A run is drawn if its compute is within this factor of a budget.
    of : {"mean_curve", "new_run"}, optional
        The one band to draw; by default both, where the noise is known.
    prob : float
        Probability inside the bands and the interval of the minimum.
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
        If the law does not trade model size against tokens.
    NoOptimumError
        If the curves have no minimum.
    """
    check_trades(source, "plot_isoflop")
    if not near > 1:
        raise InputError(f"near is {near!r}; it is a factor and must be larger than 1.")
    bands = Bands(chosen_bands(source, of), prob, kind, seed)
    tables = shown_runs([source], runs, held_out)
    chosen = (
        budgets(list(tables.values()), near=near)
        if flops is None
        else np.unique(sizes("flops", flops))
    )
    optima = allocate(source, flops=chosen)
    best_n = optima.interval("n_params", prob=prob, kind=kind).to_numpy()
    curves = [
        _curve(source, budget, ends, tables, near, bands)
        for budget, ends in zip(chosen, best_n.T, strict=True)
    ]
    place = legend_place(ax)
    ax = axes_or_new(ax, figsize=WIDE)
    colours = LogColours([chosen])
    for curve, budget in zip(curves, chosen, strict=True):
        draw_curve(ax, curve, "n_params", bands, colours.of(budget))
    add_key(ax, curves, bands, "grey")
    for name, table in tables.items():
        shown = pd.concat([_near(table, budget, near).assign(level=budget) for budget in chosen])
        colour, which = colours.of(shown["level"]), f" within {near - 1:.0%} of a budget"
        draw_runs(ax, name, shown["n_params"], shown["loss"], colour=colour, which=which)
    _draw_minima(ax, optima, best_n, prob, kind)
    set_size_axis(ax, "x", "n_params")
    set_loss_axis(ax, source)
    ax.legend(**place)
    return footnote(ax, source, "forecast", "allocation")


def _curve(
    source: Drawable,
    budget: float,
    best_n: np.ndarray,
    tables: Mapping[str, pd.DataFrame],
    near: float,
    bands: Bands,
) -> Curve:
    """Return the curve at a budget, from below the runs and the minimum to above them."""
    own = own_runs(source)
    around = [best_n / BEYOND_MINIMUM, best_n * BEYOND_MINIMUM]
    ends = np.concatenate(
        [*around, *(_near(table, budget, near)["n_params"] for table in tables.values())]
    )
    n_params = np.geomspace(ends.min(), ends.max(), GRID)
    reached = None if own is None else _near(own.frame, budget, near)["n_params"].to_numpy()
    return forecast_curve(
        source,
        pd.DataFrame({"n_params": n_params, "flops": budget}),
        bands,
        label=level_words("flops", budget),
        inside=within_reach(n_params, reached),
    )


def _draw_minima(
    ax: Axes, optima: Allocation, best_n: np.ndarray, prob: float, kind: IntervalKind
) -> None:
    """Mark the median of the minimum of each curve, with the interval of its model size."""
    n_params, loss = (quantile(optima.optimum[name], 0.5).values for name in ("n_params", "loss"))
    known = not is_point(optima.optimum["n_params"])
    ax.errorbar(
        n_params,
        loss,
        xerr=abs(best_n - n_params) if known else None,
        fmt="|",
        color="black",
        capsize=4,
        zorder=4,
        label=interval_words("minimum N*: median", prob, kind) if known else "minimum N*",
    )


def _near(runs: pd.DataFrame, budget: float, near: float) -> pd.DataFrame:
    """Return the runs whose compute is within a factor of a budget."""
    return runs[close_to(runs["flops"].to_numpy(), budget, near)]
