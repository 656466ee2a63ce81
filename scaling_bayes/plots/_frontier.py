"""The best model size or tokens against compute, with how far they are known and how flat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from scaling_bayes._decision import Decision, Hardware, Limits, decide
from scaling_bayes._decision.allocation_range import DEFAULT_EPSILON
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._prediction.law_draws import sizes
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import (
    WIDE,
    axes_or_new,
    footnote,
    legend_place,
    literal,
    set_size_axis,
)
from scaling_bayes.plots._bands import Drawable, interval_words
from scaling_bayes.plots._runs import own_runs, within_reach

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Of = Literal["n_params", "tokens", "tokens_per_param"]

_LETTERS: dict[Of, str] = {"n_params": "N*", "tokens": "D*", "tokens_per_param": "D*/N*"}


def plot_frontier(
    source: Drawable,
    *,
    flops: object,
    of: Of = "n_params",
    limits: Limits | None = None,
    hardware: Hardware | None = None,
    served_tokens: object = None,
    epsilon: float = DEFAULT_EPSILON,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the best model size, its tokens, or their ratio, against compute, with two bands.

    One band is the posterior of the optimum: its equal-tailed interval. The other is the range of
    allocations whose regret is below epsilon with probability `prob`: how flat the optimum is. It
    has gaps where no allocation is sure enough.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to decide with.
    flops : array_like of float or str
        Two budgets or more, for training and serving.
    of : {"n_params", "tokens", "tokens_per_param"}
        What stands on the y axis.
    limits, hardware, served_tokens : optional
        As for `scaling_bayes.decide`.
    epsilon : float
        Nats per token.
    prob : float
        Probability of both bands.
    seed : int
        Source of the discrepancy, and of what repeated data are worth.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If there are fewer than two budgets, one is below the smallest feasible, or `of` is unknown.
    NoOptimumError
        If the law does not trade N against D, or has no best size.
    """
    if of not in _LETTERS:
        raise InputError(f"of is {of!r}; take one of {', '.join(_LETTERS)}.")
    budgets = np.unique(sizes("flops", flops))
    if len(budgets) < 2:
        raise InputError(f"flops is {flops!r}; a curve needs two different budgets or more.")
    decisions = [
        decide(
            source,
            flops=budget,
            limits=limits,
            hardware=hardware,
            served_tokens=served_tokens,
            seed=seed,
        )
        for budget in budgets
    ]
    place = legend_place(ax)
    ax = axes_or_new(ax, figsize=WIDE)
    flat = np.array([_flat_range(each, of, epsilon, prob) for each in decisions]).T
    label = f"regret below {epsilon:g} nats with probability {prob:g}"
    ax.fill_between(budgets, *flat, facecolor=("C2", 0.25), edgecolor="C2", label=label)
    if decisions[0].loss.size > 1:
        optimum = np.array([_optimum_interval(each, of, prob) for each in decisions]).T
        label = interval_words(_LETTERS[of], prob, "equal-tailed")
        ax.fill_between(budgets, *optimum, color="C0", alpha=0.45, linewidth=0, label=label)
    _draw_choices(
        ax,
        source,
        budgets,
        np.array([_of(of, each.choice.n_params, each.choice.tokens) for each in decisions]),
    )
    set_size_axis(ax, "x", "flops")
    _set_y_axis(ax, of)
    ax.set(xlim=(budgets[0], budgets[-1]))
    ax.legend(**place, title=literal(source.label))
    return footnote(ax, source, "forecast", "allocation")


def _draw_choices(ax: Axes, source: Drawable, budgets: np.ndarray, chosen: np.ndarray) -> None:
    """Draw the line of choices, dashed beyond the fitted runs."""
    own = own_runs(source)
    inside = within_reach(budgets, None if own is None else own.frame["flops"].to_numpy())
    label = "smallest expected loss"
    if inside.all():
        ax.plot(budgets, chosen, color="C0", label=label)
        return
    ax.plot(budgets, np.where(inside, chosen, np.nan), color="C0", label=label)
    ax.plot(budgets, chosen, color="C0", linestyle="--", label="beyond the fitted runs")


def _flat_range(decision: Decision, of: Of, epsilon: float, prob: float) -> tuple[float, float]:
    """Return the ends of the allocation range, the smaller first."""
    found = decision.range(epsilon=epsilon, prob=prob)
    ends = [_of(of, *end) for end in zip(found.n_params, found.tokens, strict=True)]
    return min(ends), max(ends)


def _optimum_interval(decision: Decision, of: Of, prob: float) -> tuple[float, float]:
    """Return the equal-tailed interval of the best size of each draw, or of what goes with it."""
    best = decision.options.points.isel(point=decision.options.mean_curve.argmin(axis=0))
    values = _of(of, best["n_params"].to_numpy(), best["tokens"].to_numpy())
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    lower, upper = np.quantile(values, tails, method="inverted_cdf")
    return float(lower), float(upper)


def _of[T: (float, np.ndarray)](of: Of, n_params: T, tokens: T) -> T:
    """Return model size, tokens or their ratio."""
    values: dict[Of, T] = {
        "n_params": n_params,
        "tokens": tokens,
        "tokens_per_param": tokens / n_params,
    }
    return values[of]


def _set_y_axis(ax: Axes, of: Of) -> None:
    from scaling_bayes.plots._ticks import plain, set_log_ticks

    if of != "tokens_per_param":
        set_size_axis(ax, "y", of)
        return
    ax.set(yscale="log", ylabel="tokens per parameter D/N")
    set_log_ticks(ax.yaxis, plain)
