"""What would change a choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_bayes._decision import rules
from scaling_bayes._decision.alternatives import by_rules
from scaling_bayes._decision.interpolation import chosen
from scaling_bayes._decision.loss_draws import flat_parameters
from scaling_bayes._decision.problem import Problem
from scaling_bayes._decision.settled import Settled, settle
from scaling_bayes._prediction.mixture import Mixture
from scaling_bayes.errors import ScalingBayesError
from scaling_bayes.units import format_quantity

_FACTORS = (0.5, 2.0)
_TARGETS = (0.99, 1.01)
"""What the target of a rule for the cheapest budget is multiplied by."""
_FIFTH = 0.2
_N_PARAMETERS = 3
"""Parameters shown: those on which the optimum depends most."""


def changes(settled: Settled) -> pd.DataFrame:
    """Return what would change a choice; see `Decision.what_would_change_it`."""
    rows = [
        *(_targets if isinstance(settled.rule, rules.Cheapest) else _budgets)(settled),
        *_limits(settled),
        *_parameters(settled),
        *_laws(settled),
        *_rules(settled),
    ]
    table = pd.DataFrame(rows, columns=["kind", "change", "n_params", "tokens", "gain"])
    table.insert(4, "times", table["n_params"] / settled.choice.n_params)
    return table


Row = tuple[str, str, float, float, float]


def _budgets(settled: Settled) -> Iterator[Row]:
    for factor in _FACTORS:
        budget = factor * settled.budget
        for other in _decided(settled.problem, _within(settled), budget):
            yield _beside(settled, "budget", f"{factor:g} times the budget", other)


def _targets(settled: Settled) -> Iterator[Row]:
    """Yield the choice where less, or more, is asked of the cheapest budget."""
    rule = settled.rule
    assert isinstance(rule, rules.Cheapest)
    missed = 1 - rule.prob
    asked = {
        f"a loss of at most {factor * rule.loss:.4g}": replace(rule, loss=factor * rule.loss)
        for factor in _TARGETS
    }
    if settled.loss.size > 1:
        shares = (factor * missed for factor in _FACTORS)
        asked |= {
            f"with probability {1 - share:.4g}": replace(rule, prob=1 - share)
            for share in shares
            if share < 1
        }
    for words, changed in asked.items():
        for other in _decided(settled.problem, changed, settled.given):
            flops = format_quantity(other.choice.flops, kind="flops")
            yield _beside(settled, "target", f"{words}: train with {flops}", other)


def _limits(settled: Settled) -> Iterator[Row]:
    limits = settled.problem.limits
    for name in settled.binding:
        factor = 0.5 if name == "least_n_params" else 2.0
        relaxed = replace(limits, **{name: limits.of(name, np.nan) * factor})
        words = f"{relaxed.in_words(name)} instead of {limits.in_words(name)}"
        problem = replace(settled.problem, limits=relaxed)
        for other in _decided(problem, _within(settled), settled.budget):
            yield _beside(settled, "limit", words, other)


def _decided(problem: Problem, rule: rules.Rule, budget: float | None) -> Iterator[Settled]:
    """Yield the decision on a problem; nothing where there is none."""
    try:
        yield settle(problem, rule, budget)
    except ScalingBayesError:
        return


def _beside(settled: Settled, kind: str, words: str, other: Settled) -> Row:
    """Return the choice of another settled, and how much lower its expected loss is."""
    here = settled.problem.points(np.array([settled.choice.n_params]), settled.budget)
    there = other.problem.points(np.array([other.choice.n_params]), other.budget)
    gain = float(
        settled.problem.expected_losses([here, there])[0]
        - other.problem.expected_losses([here, there])[1]
    )
    return kind, words, other.choice.n_params, other.choice.tokens, gain


def _within(settled: Settled) -> rules.Rule:
    """Return the rule that chooses within a budget, where the decision's own chooses that."""
    rule = settled.rule
    return rules.MeetTarget(rule.loss) if isinstance(rule, rules.Cheapest) else rule


def _parameters(settled: Settled) -> Iterator[Row]:
    """Yield the choice where the parameters that it depends on most are low, and high."""
    source = settled.problem.source
    if isinstance(source, Mixture) or settled.loss.size < 1 / _FIFTH:
        return
    best = np.log(settled.options.n_params[settled.options.mean_curve.argmin(axis=0)])
    draws = {name: values.ravel() for name, values in vars(flat_parameters(source)).items()}
    order = {
        name: _rank_correlation(values, best) for name, values in draws.items() if np.ptp(values)
    }
    for name in sorted(order, key=lambda each: -abs(order[each]))[:_N_PARAMETERS]:
        low, high = np.quantile(draws[name], [_FIFTH, 1 - _FIFTH])
        for words, some in (("low", draws[name] <= low), ("high", draws[name] >= high)):
            at = chosen(settled.problem, settled.options.only(some), _within(settled))
            values = draws[name][some]
            tokens = settled.problem.tokens(np.array([at.n_params]), settled.budget)[0]
            yield (
                "parameter",
                f"{name} {words} ({values.min():.4g} to {values.max():.4g})",
                at.n_params,
                float(tokens),
                np.nan,
            )


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    if np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)


def _laws(settled: Settled) -> Iterator[Row]:
    member = settled.options.member
    if member is None:
        return
    # Over one law there is no largest regret.
    several = isinstance(settled.rule, rules.MinimaxRegret)
    by = rules.ExpectedLoss() if several else _within(settled)
    for name in np.unique(member):
        at = chosen(settled.problem, settled.options.only(member == name), by)
        tokens = settled.problem.tokens(np.array([at.n_params]), settled.budget)[0]
        yield "law", f"{name} alone", at.n_params, float(tokens), np.nan


def _rules(settled: Settled) -> Iterator[Row]:
    for name, n_params in by_rules(settled).items():
        tokens = settled.problem.tokens(np.array([n_params]), settled.budget)[0]
        yield "rule", name, n_params, float(tokens), np.nan
