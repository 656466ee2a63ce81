"""Loss over the plane of model size and tokens, with the compute-optimal frontier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, is_point, quantile
from scaling_bayes._prediction.allocate import allocate
from scaling_bayes._prediction.allocation import Allocation
from scaling_bayes._prediction.law_draws import mean_loss, point_dataset
from scaling_bayes._prediction.mixture import mix
from scaling_bayes.plots._axes import (
    WIDE,
    axes_or_new,
    footnote,
    legend_place,
    literal,
    set_size_axis,
)
from scaling_bayes.plots._bands import Drawable, interval_words
from scaling_bayes.plots._colours import LogColours
from scaling_bayes.plots._points import Limits, check_trades, grid
from scaling_bayes.plots._runs import draw_runs, own_runs, shown_runs, within_reach
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONTIER_COLOUR = "C1"
SIDE = 40
"""Points of a side of the grid that the contours are drawn through."""
_BUDGETS = 25
"""Budgets at which the frontier is found; few enough to wait for, enough to look smooth."""
MARGIN = 1.5
"""Factor of room around the runs."""
MOST_CONTOURS = 12


def plot_contours(
    source: Drawable,
    *,
    runs: Runs | None = None,
    held_out: Runs | None = None,
    n_params: Limits | None = None,
    tokens: Limits | None = None,
    levels: npt.ArrayLike | None = None,
    prob: float = DEFAULT_PROB,
    kind: IntervalKind = "equal-tailed",
    ax: Axes | None = None,
) -> Axes:
    """Draw contours of loss over N and D, the compute-optimal frontier, and the runs.

    The contours are those of the median of the mean curve. The frontier is the compute-optimal
    (N*, D*) of every budget, with its interval at each budget, taken along the line of equal
    compute. Runs have the colour of their own loss, so that one which stands out against the
    contours beside it is a run that the law misses.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to draw. The frontier of a published law is a line without a band.
    runs : Runs, optional
        Runs to draw; those of the fit by default.
    held_out : Runs, optional
        Runs that the fit has not seen, with a marker of their own.
    n_params, tokens : pair of float or str, optional
        Ends of the axes, such as ``("100M", "70B")``; by default some room around the runs.
    levels : array_like, optional
        Losses at which contours are drawn, in nats per token.
    prob : float
        Probability inside the interval of the frontier.
    kind : {"equal-tailed", "hdi"}
        Kind of the interval.
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
        If the law has no compute-optimal frontier.
    """
    check_trades(source, "plot_contours")
    tables = shown_runs([source], runs, held_out)
    frames = list(tables.values())
    x = grid("n_params", n_params, frames, margin=MARGIN, count=SIDE)
    y = grid("tokens", tokens, frames, margin=MARGIN, count=SIDE)
    k = source.flops_per_param_token
    budgets = np.geomspace(k * x[0] * y[0], k * x[-1] * y[-1], _BUDGETS)
    frontier = allocate(source, flops=budgets)
    edges = frontier.interval("n_params", prob=prob, kind=kind).to_numpy()
    place = legend_place(ax)
    ax = axes_or_new(ax, figsize=WIDE)
    set_size_axis(ax, "x", "n_params")
    set_size_axis(ax, "y", "tokens")
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    colours = _draw_contours(ax, source, x, y, levels)
    _draw_frontier(ax, frontier)
    if not is_point(frontier.optimum["n_params"]):
        label = interval_words("N* and D* at each compute", prob, kind)
        _draw_frontier_band(ax, edges, budgets / k, label)
    for name, table in tables.items():
        x_y, colour = (table["n_params"], table["tokens"]), colours.of(table["loss"])
        draw_runs(ax, name, *x_y, colour=colour, which=", coloured by their loss")
    ax.legend(**place, title="contours: loss (nats per token),\nmedian of the mean curve")
    return footnote(ax, source, "forecast")


def _draw_contours(
    ax: Axes, source: Drawable, x: np.ndarray, y: np.ndarray, levels: npt.ArrayLike | None
) -> LogColours:
    """Draw the contours, and return the colours of losses."""
    n_params, tokens = np.meshgrid(x, y)
    k = source.flops_per_param_token
    points = {"n_params": n_params, "tokens": tokens, "flops": k * n_params * tokens}
    surface = point_dataset({name: values.ravel() for name, values in points.items()})
    draws = mix(source, lambda one: mean_loss(one, surface))
    loss = quantile(draws, 0.5).to_numpy().reshape(n_params.shape)
    chosen = _round_levels(loss) if levels is None else np.unique(levels)
    colours = LogColours([loss.min(), chosen])
    contours = ax.contour(
        n_params, tokens, loss, chosen, colors=colours.of(chosen), linewidths=1, zorder=1
    )
    ax.clabel(contours, fmt="%g", fontsize="small")
    return colours


def _draw_frontier(ax: Axes, frontier: Allocation) -> None:
    """Draw the median of the compute-optimal N* and the D* that each budget leaves for it."""
    source, flops = frontier.source, frontier.flops
    n_params = quantile(frontier.optimum["n_params"], 0.5).to_numpy()
    tokens = flops / (source.flops_per_param_token * n_params)
    own = own_runs(source)
    inside = within_reach(flops, None if own is None else own.frame["flops"].to_numpy())
    label = f"{literal(source.label)}: compute-optimal N*, D*"
    ax.plot(
        np.where(inside, n_params, np.nan), tokens, color=FRONTIER_COLOUR, label=label, zorder=2
    )
    if not inside.all():
        style: dict[str, Any] = {"linestyle": "--", "linewidth": 1, "zorder": 2}
        ax.plot(n_params, tokens, color=FRONTIER_COLOUR, label="beyond the fitted runs", **style)


def _draw_frontier_band(ax: Axes, edges: np.ndarray, product: np.ndarray, label: str) -> None:
    """Fill between the bounds of N*, each with the D* that makes N D the same product."""
    n_params = np.concatenate([edges[0], edges[1, ::-1]])
    tokens = np.concatenate([product, product[::-1]]) / n_params
    ax.fill(n_params, tokens, color=FRONTIER_COLOUR, alpha=0.3, linewidth=0, label=label, zorder=2)


def _round_levels(loss: np.ndarray) -> np.ndarray:
    """Return evenly spaced, round losses; they leave out the corners of high loss."""
    from matplotlib.ticker import MaxNLocator

    low, high = np.quantile(loss, [0, 0.9])
    ticks = MaxNLocator(MOST_CONTOURS, steps=[1, 2, 5, 10]).tick_values(low, high)
    return np.asarray([tick for tick in ticks if tick > loss.min()])
