"""Regret against model size: how much each size gives up, and how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._decision import Decision
from scaling_bayes._decision.allocation_range import DEFAULT_EPSILON
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.plots._axes import (
    WIDE,
    axes_or_new,
    footnote,
    legend_place,
    literal,
    set_size_axis,
)
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REGRET_LABEL = "regret (nats per token)"
PROBS = (0.9, 0.5)
"""Probability inside the bands, in the order in which they are drawn."""

_OPACITY = (0.2, 0.45)
_BESIDE = 3.0
"""Factor in N that is shown on either side of what is marked."""
_MENU_WIDTH = 1.05
"""Factor on either side of a size of a menu that is shaded."""
_HEADROOM, _BELOW_ZERO = 1.15, -0.03
_FIRST_MARK, _NEXT_MARK = 1.03, 0.045
"""Heights of what other rules choose, above the axes: sizes that agree do not overlap."""


def plot_regret(
    decision: Decision,
    *,
    epsilon: float = DEFAULT_EPSILON,
    prob: float = DEFAULT_PROB,
    ax: Axes | None = None,
) -> Axes:
    """Draw the regret of every model size within the budget, with the choice and its range.

    Regret is the loss of the mean curve above the smallest that the same draw allows. Bands hold
    50% and 90% of the draws, equal-tailed. What other rules choose is marked above
    the axes.

    Parameters
    ----------
    decision : Decision
        What to draw.
    epsilon : float
        Nats per token: sizes are shaded whose regret is below it with probability `prob`.
    prob : float
        That probability.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If epsilon is not positive, or `prob` is not between 0 and 1.
    """
    found = decision.range(epsilon=epsilon, prob=prob)
    table = decision.alternatives()
    others = table.loc[[str(name).startswith("by ") for name in table.index], "n_params"]
    low, high = _window(decision, [decision.choice.n_params, *others, *found.n_params])
    place = legend_place(ax)
    ax = axes_or_new(ax, figsize=WIDE)
    top = max(_draw_regret(ax, decision, low, high), 2 * epsilon)
    if not found.empty:
        label = f"regret below {epsilon:g} nats with probability {prob:g}"
        style: dict[str, Any] = {"color": "C2", "alpha": 0.2, "linewidth": 0, "zorder": 0}
        if decision.problem.menu is None:
            ax.axvspan(*found.n_params, label=label, **style)
        else:
            for n_params in found.inside:
                ends = n_params / _MENU_WIDTH, n_params * _MENU_WIDTH
                ax.axvspan(*ends, label=label if n_params == found.inside[0] else None, **style)
    ax.plot(
        decision.choice.n_params,
        decision.regret.mean(),
        "o",
        color="black",
        zorder=4,
        label=f"choice: {decision.rule.words},\nat its mean regret",
    )
    _mark_others(ax, others)
    ax.axhline(epsilon, color="grey", linestyle=":", linewidth=1, label=f"{epsilon:g} nats")
    set_size_axis(ax, "x", "n_params")
    ax.set(xlim=(low, high), ylim=(_BELOW_ZERO * top, top), ylabel=REGRET_LABEL)
    budget = format_quantity(decision.budget, kind="flops")
    ax.legend(**place, title=f"{literal(decision.problem.source.label)}, {budget}")
    return footnote(ax, decision.problem.source, "forecast", "allocation")


def _window(decision: Decision, marked: list[float]) -> tuple[float, float]:
    """Return the ends of the model sizes that are shown."""
    ends = decision.options.n_params[[0, -1]]
    if decision.problem.menu is not None:
        return ends[0] / _BESIDE, ends[1] * _BESIDE
    sizes = np.array([n for n in marked if np.isfinite(n)])
    return max(ends[0], sizes.min() / _BESIDE), min(ends[1], sizes.max() * _BESIDE)


def _draw_regret(ax: Axes, decision: Decision, low: float, high: float) -> float:
    """Draw the median and the bands; return the end of the axis that shows them."""
    n_params = decision.options.n_params
    shown = (n_params >= low) & (n_params <= high)
    x, regret = n_params[shown], decision.options.regret[shown]
    draw = _draw_curve if decision.problem.menu is None else _draw_menu
    tails = [tail for prob in PROBS for tail in ((1 - prob) / 2, (1 + prob) / 2)]
    quantiles = np.quantile(regret, [0.5, *tails], axis=1, method="inverted_cdf")
    known = regret.shape[1] > 1
    draw(ax, x, quantiles[0], list(zip(quantiles[1::2], quantiles[2::2], strict=True)) * known)
    return float(quantiles[2 if known else 0].max()) * _HEADROOM


Bounds = list[tuple[np.ndarray, np.ndarray]]


def _draw_curve(ax: Axes, x: np.ndarray, median: np.ndarray, bounds: Bounds) -> None:
    ax.plot(x, median, color="C0", label="median" if bounds else "regret", zorder=2)
    for (lower, upper), prob, alpha in zip(bounds, PROBS, _OPACITY, strict=False):
        style: dict[str, Any] = {"color": "C0", "alpha": alpha, "linewidth": 0, "zorder": 1}
        ax.fill_between(x, lower, upper, label=_band_words(prob), **style)


def _draw_menu(ax: Axes, x: np.ndarray, median: np.ndarray, bounds: Bounds) -> None:
    ax.plot(x, median, "_", color="C0", label="median" if bounds else "regret", zorder=2)
    for (lower, upper), prob, width in zip(bounds, PROBS, (1.5, 5.0), strict=False):
        ax.vlines(x, lower, upper, color="C0", linewidth=width, zorder=1, label=_band_words(prob))


def _band_words(prob: float) -> str:
    return f"{prob:.0%} equal-tailed interval"


def _mark_others(ax: Axes, others: Any) -> None:
    """Mark what other rules choose above the axes, where no height is taken for a regret."""
    markers = ("^", "s", "D", "v", "P", "X")
    for i, ((name, n_params), marker) in enumerate(zip(others.items(), markers, strict=False)):
        ax.plot(
            n_params,
            _FIRST_MARK + i * _NEXT_MARK,
            marker,
            color="C3",
            markerfacecolor="none",
            transform=ax.get_xaxis_transform(),
            zorder=4,
            label=literal(str(name).replace("_", " ")),
            linestyle="none",
            clip_on=False,
        )
