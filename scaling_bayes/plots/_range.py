"""The region of model sizes and tokens that give up next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._decision import AllocationRange, Decision
from scaling_bayes._decision.allocation_range import DEFAULT_EPSILON
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import axes_or_new, footnote, legend_below, set_size_axis
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

_LEVELS = np.linspace(0, 1, 11)


def plot_range(
    decision: Decision,
    *,
    epsilon: float = DEFAULT_EPSILON,
    prob: float = DEFAULT_PROB,
    ax: Axes | None = None,
) -> Axes:
    """Draw how probably each (N, D) has a regret below epsilon, under the line of the budget.

    Regret is the loss of the mean curve above the best that the same draw allows with the whole
    budget. Marked are the choice, and the cheapest (N, D) found whose regret is below epsilon with
    probability `prob`.

    Parameters
    ----------
    decision : Decision
        What to draw.
    epsilon : float
        Nats per token.
    prob : float
        Probability inside the region that is outlined.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If epsilon is not positive, `prob` is not between 0 and 1, or there is but one model size.
    """
    if len(decision.options.n_params) < 2:
        raise InputError("there is but one model size, so there is no range to draw. Widen limits.")
    found = decision.range(epsilon=epsilon, prob=prob)
    place = legend_below(ax)
    ax = axes_or_new(ax)
    draw, line = (_draw_region, "-") if decision.problem.menu is None else (_draw_menu, ":")
    draw(ax, found)
    label = f"all that {format_quantity(decision.budget, kind='flops')} and limits allow"
    at_most = found.region["tokens"].isel(share=-1)
    ax.plot(at_most["n_params"], at_most, line, color="black", zorder=1, label=label)
    choice = decision.choice
    label = f"choice: {_point_in_words(choice.n_params, choice.tokens)}"
    ax.plot(choice.n_params, choice.tokens, "o", color="black", label=label, zorder=4)
    size, data, flops = found.cheapest
    if np.isfinite(flops):
        label = (
            f"cheapest inside: {_point_in_words(size, data)},\n"
            f"{flops / choice.flops:.0%} of the choice's training compute"
        )
        ax.plot(size, data, "D", color="C3", label=label, zorder=4)
    set_size_axis(ax, "x", "n_params")
    set_size_axis(ax, "y", "tokens")
    ax.legend(**place)
    return footnote(ax, decision.problem.source, "forecast", "allocation")


def _draw_menu(ax: Axes, found: AllocationRange) -> None:
    """Draw the probability for each size of a menu, outlined where it is the one asked for."""
    below, tokens = found.region.to_numpy(), found.region["tokens"].to_numpy()
    n_params = np.broadcast_to(found.region["n_params"].to_numpy()[:, None], tokens.shape)
    style: dict[str, Any] = {"marker": "s", "s": 40, "zorder": 2}
    colours: dict[str, Any] = {"cmap": "Blues", "vmin": 0.0, "vmax": 1.0, "edgecolors": "none"}
    drawn = ax.scatter(n_params, tokens, c=below, **colours, **style)
    _label_colours(ax, drawn, found)
    sure = below >= found.prob
    if sure.any():
        label = f"probability {found.prob:g}"
        ax.scatter(n_params[sure], tokens[sure], c="none", edgecolors="C3", label=label, **style)


def _label_colours(ax: Axes, drawn: ScalarMappable, found: AllocationRange) -> None:
    label = f"probability of a regret below {found.epsilon:g} nats"
    ax.figure.colorbar(drawn, ax=ax, label=label)


def _draw_region(ax: Axes, found: AllocationRange) -> None:
    """Draw contours of the probability, with an outline at the one asked for."""
    below, tokens = found.region.to_numpy(), found.region["tokens"].to_numpy()
    n_params = np.broadcast_to(found.region["n_params"].to_numpy()[:, None], tokens.shape)
    filled = ax.contourf(n_params, tokens, below, _LEVELS, cmap="Blues", alpha=0.9, zorder=0)
    _label_colours(ax, filled, found)
    if below.max() < found.prob:
        return
    style: dict[str, Any] = {"colors": "C3", "linewidths": 1.5, "linestyles": "--", "zorder": 1}
    ax.contour(n_params, tokens, below, [found.prob], **style)
    ax.plot([], [], color="C3", linestyle="--", label=f"probability {found.prob:g}")


def _point_in_words(n_params: float, tokens: float) -> str:
    size = format_quantity(n_params, kind="n_params")
    return f"N {size}, D {format_quantity(tokens, kind='tokens')}"
