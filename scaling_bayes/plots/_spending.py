"""What budgets buy: loss against spend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._decision import Spending
from scaling_bayes._intervals import SAMPLE_DIMS, interval, is_point, quantile
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.mixture import mix
from scaling_bayes.plots._axes import (
    WIDE,
    axes_or_new,
    footnote,
    legend_place,
    literal,
    set_loss_axis,
    set_size_axis,
)
from scaling_bayes.plots._bands import OPACITY, band_words, interval_words
from scaling_bayes.units import format_money

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_LOW = 0.05
"""Height of the bar between the prices that are surely worth it and surely not."""
_NEAR = 30.0
"""L_inf is drawn if it is not further below the losses than this many times their spread."""


def plot_spending(spending: Spending, *, ax: Axes | None = None) -> Axes:
    """Draw the loss that each budget leads to against its price.

    Bands are equal-tailed intervals with the probability of the `Spending`, of the mean curve and
    where asked for of a new run. If a nat has a value, a vertical line shows from which price on
    another doubling is no longer worth it, and a bar how surely. A dashed line is the irreducible
    loss.

    Parameters
    ----------
    spending : Spending
        What to draw.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
    """
    place = legend_place(ax)
    ax = axes_or_new(ax, figsize=WIDE)
    prices = spending.prices
    known = not is_point(spending.mean_curve)
    drawn: dict[Of, xr.DataArray | None] = {
        "new_run": spending.new_run,
        "mean_curve": spending.mean_curve if known else None,
    }
    for of, draws in drawn.items():
        if draws is not None:
            lower, upper = interval(draws, prob=spending.prob).to_numpy()
            label = band_words(of, spending.prob, "equal-tailed")
            style: dict[str, Any] = {"color": "C0", "alpha": OPACITY[of], "linewidth": 0}
            ax.fill_between(prices, lower, upper, label=label, **style)
    median = quantile(spending.mean_curve, 0.5).to_numpy()
    label = "the mean curve, median" if known else "the mean curve"
    ax.plot(prices, median, "o-", color="C0", label=label, zorder=3)
    _draw_floor(ax, spending, median)
    _draw_stop(ax, spending)
    _set_price_axis(ax, spending)
    set_loss_axis(ax, spending.problem.source)
    ax.legend(**place, title=literal(spending.problem.source.label))
    return footnote(ax, spending.problem.source, "forecast", "allocation")


def _draw_floor(ax: Axes, spending: Spending, median: np.ndarray) -> None:
    """Draw the irreducible loss, where there is one and it is near."""
    if spending.laws_without_floor:
        return
    floor = mix(spending.problem.source, lambda one: one.draws["L_inf"])
    middle = quantile(floor, 0.5).item()
    if median.min() - middle > _NEAR * np.ptp(median):
        return
    if int(np.prod([floor.sizes[dim] for dim in SAMPLE_DIMS])) == 1:
        ax.axhline(middle, color="grey", linestyle="--", label=r"$L_\infty$")
        return
    label = interval_words(r"$L_\infty$", spending.prob, "equal-tailed")
    ax.axhspan(*interval(floor, prob=spending.prob), color="grey", alpha=0.2, linewidth=0, zorder=0)
    ax.axhline(
        middle, color="grey", linestyle="--", zorder=1, label=label.replace(",", ": median,", 1)
    )


def _draw_stop(ax: Axes, spending: Spending) -> None:
    """Draw the best price, and the price above which another doubling no longer pays."""
    stop = spending.stop
    if stop is None:
        return
    if 0 < stop.best < np.inf:
        at = spending.price_of(stop.best)
        label = f"worth less price largest, expected:\n{spending.price_in_words(at)}"
        ax.axvline(at, color="C2", linestyle="--", label=label)
    if not np.isfinite(stop.expected):
        return
    at = spending.price_of(stop.expected)
    words = f"another doubling no longer worth it\nfrom {spending.price_in_words(at)} on, expected"
    ax.axvline(at, color="C3", label=words)
    ends = [spending.price_of(end) for end in (stop.surely_worth_below, stop.surely_not_from)]
    if ends[0] < ends[1] < np.inf:
        label = f"worth it below and not above\nwith probability {spending.prob:g}"
        across: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "marker": "|"}
        ax.plot(ends, [_LOW, _LOW], color="C3", markersize=12, label=label, **across)


def _set_price_axis(ax: Axes, spending: Spending) -> None:
    from scaling_bayes.plots._ticks import set_log_ticks

    if not spending.priced:
        set_size_axis(ax, "x", "flops")
        ax.set(xlabel="compute spent (FLOPs)")
        return
    assert spending.problem.hardware is not None
    currency = spending.problem.hardware.currency
    ax.set(xscale="log", xlabel=f"price ({currency})" if currency else "price")
    set_log_ticks(ax.xaxis, lambda price: format_money(price, ""))
