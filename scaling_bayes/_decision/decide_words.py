"""What a decision comes to, in sentences."""

from __future__ import annotations

import numpy as np

from scaling_bayes._decision.allocation_range import allocation_range
from scaling_bayes._decision.interpolation import place_of
from scaling_bayes._decision.settled import Settled
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._prediction.law_draws import loss_unit_of
from scaling_bayes._prediction.mixture import largest_flops, weighted_laws
from scaling_bayes.units import format_quantity

_LEAST_UNSPENT = 0.01
"""Share of a budget left over that is said."""
_NEAR = 2.0
"""Largest factor beyond the runs' tokens per parameter that is not mentioned."""


def words_of(settled: Settled) -> tuple[str, ...]:
    """Return what a decision comes to, in sentences."""
    low, high = settled.loss_interval
    median = float(np.quantile(settled.loss, 0.5, method="inverted_cdf"))
    whose = "the mean curve" if settled.options.of == "mean_curve" else "one new run"
    known = settled.loss.size > 1
    score = settled.rule.score_in_words(settled.score)
    lines = [f"Train {settled.choice}: {settled.rule.words} ({score})."]
    hardware = settled.problem.hardware
    if hardware is not None:
        words = hardware.cost_in_words(settled.choice.total_flops) + _serving_in_words(settled)
        if hardware.n_devices is not None:
            trained = hardware.seconds(settled.choice.flops)
            words += f"; training takes {format_quantity(trained, kind='duration')}"
        lines.append(f"It costs {words}.")
    interval = f" [{low:.4f}, {high:.4f}] ({DEFAULT_PROB:.0%} equal-tailed)" if known else ""
    lines.append(f"Loss of {whose}: {median:.4f}{interval} {loss_unit_of(settled.problem.source)}.")
    if known:
        lines.append(
            f"Its regret is {settled.regret.mean():.2g} nats on average and "
            f"{np.quantile(settled.regret, 0.95, method='inverted_cdf'):.2g} at the 95th "
            f"percentile of draws; perfect knowledge of the law would gain "
            f"{settled.value_of_perfect_information:.2g} on average{_within_in_words(settled)}."
        )
        lines.append(str(allocation_range(settled.problem, settled.options, settled.budget)))
    if known and settled.monte_carlo_error is not None:
        lines.append(str(settled.monte_carlo_error))
    lines += _laws_in_words(settled)
    if settled.binding:
        bounds = ", ".join(settled.problem.limits.in_words(name) for name in settled.binding)
        lines.append(f"Limits that bind: {bounds}{_unspent_in_words(settled)}.")
    doubts = map(str, settled.doubts)
    return (*lines, *_beyond(settled), *doubts)


def _serving_in_words(settled: Settled) -> str:
    if not settled.problem.served_tokens:
        return ""
    return f", {settled.choice.flops / settled.choice.total_flops:.0%} of it for training"


def _within_in_words(settled: Settled) -> str:
    """Say what regret is within, where it is not any size."""
    if settled.problem.menu is not None:
        return ", of the sizes on the menu"
    return ", within the limits" if settled.binding else ""


def _unspent_in_words(settled: Settled) -> str:
    unspent = 1 - settled.choice.total_flops / settled.budget
    return f"; {unspent:.0%} of the budget is left" if unspent > _LEAST_UNSPENT else ""


def _laws_in_words(settled: Settled) -> list[str]:
    """Say what each law of an average expects of the choice."""
    member = settled.options.member
    if member is None:
        return []
    at = place_of(settled.options, settled.choice.n_params)
    each = []
    # One of very small weight may have no draw.
    for name in (name for name in settled.options.members if (member == name).any()):
        own = settled.options.only(member == name)
        regret = at.regret(own).mean()
        each.append(f"{own.best_loss.mean() + regret:.4f} by {name} (regret {regret:.2g})")
    return [f"Its expected loss is {', '.join(each)}."]


def _beyond(settled: Settled) -> tuple[str, ...]:
    """Say how far beyond its runs the source is asked."""
    fitted = [getattr(one, "runs", None) for one, _ in weighted_laws(settled.problem.source)]
    frames = [runs.frame for runs in fitted if runs is not None]
    if not frames:
        return ()
    words = []
    largest = largest_flops(settled.problem.source)
    times = settled.choice.flops / largest if largest else 0.0
    if times > 1:
        words.append(f"This is {times:.3g} times the compute of the largest run fitted.")
    ratios = np.concatenate([frame["tokens"] / frame["n_params"] for frame in frames])
    ratio = settled.choice.tokens / settled.choice.n_params
    if not ratios.min() / _NEAR <= ratio <= ratios.max() * _NEAR:
        words.append(
            f"The runs fitted have {ratios.min():.3g} to {ratios.max():.3g} tokens per "
            f"parameter, and this has {ratio:.3g}: the law is not known to hold there."
        )
    return tuple(words)
