"""The region of model sizes and tokens that give up next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._decision import Decision
from scaling_bayes._decision._decide import DEFAULT_EPSILON
from scaling_bayes._decision._losses import joint_shift
from scaling_bayes._draws import point_dataset
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.plots._axes import axes_or_new, legend_below, set_size_axis
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEVELS = np.linspace(0, 1, 11)
_LEAST_SHOWN = 0.05
"""Probability that the picture reaches to, and a little beyond."""
_BEYOND = 1.25
_SIDE, _FRONTIER = 45, 121
_LEAST_SHARE = 0.01
"""Smallest share of the tokens of the budget that is looked at."""


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
        If epsilon is not positive, or `prob` is not between 0 and 1.
    """
    found = decision.range(epsilon=epsilon, prob=prob)
    place = legend_below(ax)
    ax = axes_or_new(ax)
    n_params, tokens = _mesh(decision, epsilon)
    below = _probability(decision, n_params.ravel(), tokens.ravel(), epsilon)
    _draw_region(ax, n_params, tokens, below.reshape(n_params.shape), epsilon, prob)
    label = f"all that {format_quantity(decision.budget, kind='flops')} and limits allow"
    ax.plot(n_params[:, -1], tokens[:, -1], color="black", label=label)
    choice = decision.choice
    label = f"choice: {_point_in_words(choice.n_params, choice.tokens)}"
    ax.plot(choice.n_params, choice.tokens, "o", color="black", label=label, zorder=4)
    size, data, flops = found.cheapest
    if np.isfinite(flops):
        label = (
            f"cheapest inside: {_point_in_words(size, data)},\n"
            f"{flops / choice.flops:.0%} of the choice's training compute"
        )
        ax.plot(size, data, "s", color="C3", label=label, zorder=4)
    set_size_axis(ax, "x", "n_params")
    set_size_axis(ax, "y", "tokens")
    ax.legend(**place)
    return ax


def _mesh(decision: Decision, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Return model sizes and tokens that follow the line of the budget, of shape (size, share)."""
    options, chosen = decision.options, decision.choice
    probable = (options.regret < epsilon).mean(axis=1) > _LEAST_SHOWN
    sizes = np.append(options.n_params[probable], chosen.n_params)
    low, high = sizes.min() / _BEYOND, sizes.max() * _BEYOND
    low, high = max(low, options.n_params[0]), min(high, options.n_params[-1])
    shares = np.geomspace(_LEAST_SHARE, 1, _SIDE)
    at_choice = np.full(_SIDE, chosen.n_params)
    below = _probability(decision, at_choice, chosen.tokens * shares, epsilon)
    least = shares[below > _LEAST_SHOWN].min(initial=1.0) / _BEYOND
    n_params = np.geomspace(low, high, _SIDE)[:, None] * np.ones(_SIDE)
    tokens = decision.problem.tokens(n_params[:, 0], decision.budget)
    return n_params, tokens[:, None] * np.geomspace(least, 1, _SIDE)


def _probability(
    decision: Decision, n_params: np.ndarray, tokens: np.ndarray, epsilon: float
) -> np.ndarray:
    """Return how probably the regret at points is below epsilon, of shape (point,)."""
    ends = decision.options.n_params[[0, -1]]
    along = np.geomspace(ends[0], ends[1], _FRONTIER)
    n = np.concatenate([along, n_params])
    d = np.concatenate([decision.problem.tokens(along, decision.budget), tokens])
    points = point_dataset({"n_params": n, "tokens": d, "flops": decision.problem.k * n * d})
    losses = decision.problem.losses(points, joint_shift).to_numpy().reshape(len(n), -1)
    below: np.ndarray = losses[_FRONTIER:] - losses[:_FRONTIER].min(axis=0) < epsilon
    return below.mean(axis=1)


def _draw_region(
    ax: Axes,
    n_params: np.ndarray,
    tokens: np.ndarray,
    below: np.ndarray,
    epsilon: float,
    prob: float,
) -> None:
    """Draw contours of the probability, with an outline at the one asked for."""
    filled = ax.contourf(n_params, tokens, below, _LEVELS, cmap="Blues", alpha=0.9, zorder=0)
    ax.figure.colorbar(filled, ax=ax, label=f"probability of a regret below {epsilon:g} nats")
    if below.max() < prob:
        return
    style: dict[str, Any] = {"colors": "C3", "linewidths": 1.5, "linestyles": "--", "zorder": 1}
    ax.contour(n_params, tokens, below, [prob], **style)
    ax.plot([], [], color="C3", linestyle="--", label=f"probability {prob:g}")


def _point_in_words(n_params: float, tokens: float) -> str:
    size = format_quantity(n_params, kind="n_params")
    return f"N {size}, D {format_quantity(tokens, kind='tokens')}"
