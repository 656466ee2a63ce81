"""Limits, budgets and choices that cannot be meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from scaling_bayes._plausible import Size, warn_of_first
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from scaling_bayes._decision.choice import Choice
    from scaling_bayes._decision.problem import Problem

_LIMITS: Final[dict[str, Size]] = {
    "n_params": "n_params",
    "least_n_params": "n_params",
    "tokens": "tokens",
    "unique_tokens": "tokens",
}


def warn_of_doubtful(problem: Problem, choices: Iterable[Choice]) -> None:
    """Warn of the first limit or budget, or of the first choice within them, that is implausible.

    Warns
    -----
    PlausibilityWarning
        If there is one.
    """
    warn_of_first(_given(problem, choices), "Check units, limits and the budget.")


def _given(problem: Problem, choices: Iterable[Choice]) -> Iterator[tuple[str, Size, float]]:
    limits = problem.limits
    for name, size in _LIMITS.items():
        if getattr(limits, name) is not None:
            yield f"limits.{name}, {limits.in_words(name)},", size, limits.of(name, 0.0)
    for n_params in () if problem.menu is None else problem.menu:
        yield f"n_params {format_quantity(n_params, kind='n_params')}", "n_params", n_params
    for choice in choices:
        spent = format_quantity(choice.total_flops, kind="flops")
        yield f"the budget, of which the choice spends {spent},", "flops", choice.total_flops
        yield f"the choice, {choice},", "n_params", choice.n_params
        yield f"the choice, {choice},", "tokens", choice.tokens
        yield f"the choice, {choice},", "tokens_per_param", choice.tokens / choice.n_params
        if problem.hardware is not None and problem.hardware.n_devices is not None:
            seconds = problem.hardware.seconds(choice.flops)
            days = f"{seconds / 86_400:,.0f} days of training of the choice, {choice},"
            yield days, "training_seconds", seconds
