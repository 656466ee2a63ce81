"""What would change a choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._decision import rules
from scaling_bayes._decision.interpolation import chosen
from scaling_bayes._decision.loss_draws import flat_parameters
from scaling_bayes._prediction.mixture import Mixture
from scaling_bayes.errors import ScalingBayesError
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from scaling_bayes._decision.decide import Decision
    from scaling_bayes._decision.problem import Problem

_FACTORS = (0.5, 2.0)
_TARGETS = (0.99, 1.01)
"""What the target of a rule for the cheapest budget is multiplied by."""
_FIFTH = 0.2
_N_PARAMETERS = 3
"""Parameters shown: those on which the optimum depends most."""


def changes(decision: Decision) -> pd.DataFrame:
    """Return what would change a choice; see `Decision.what_would_change_it`."""
    rows = [
        *(_targets if isinstance(decision.rule, rules.Cheapest) else _budgets)(decision),
        *_limits(decision),
        *_parameters(decision),
        *_laws(decision),
        *_rules(decision),
    ]
    table = pd.DataFrame(rows, columns=["kind", "change", "n_params", "tokens", "gain"])
    table.insert(4, "times", table["n_params"] / decision.choice.n_params)
    return table


Row = tuple[str, str, float, float, float]


def _budgets(decision: Decision) -> Iterator[Row]:
    for factor in _FACTORS:
        budget = factor * decision.budget
        for other in _decided(decision.problem, _within(decision), budget):
            yield _beside(decision, "budget", f"{factor:g} times the budget", other)


def _targets(decision: Decision) -> Iterator[Row]:
    """Yield the choice where less, or more, is asked of the cheapest budget."""
    rule = decision.rule
    assert isinstance(rule, rules.Cheapest)
    missed = 1 - rule.prob
    asked = {
        f"a loss of at most {factor * rule.loss:.4g}": replace(rule, loss=factor * rule.loss)
        for factor in _TARGETS
    }
    if decision.loss.size > 1:
        shares = (factor * missed for factor in _FACTORS)
        asked |= {
            f"with probability {1 - share:.4g}": replace(rule, prob=1 - share)
            for share in shares
            if share < 1
        }
    for words, changed in asked.items():
        for other in _decided(decision.problem, changed, decision.given):
            flops = format_quantity(other.choice.flops, kind="flops")
            yield _beside(decision, "target", f"{words}: train with {flops}", other)


def _limits(decision: Decision) -> Iterator[Row]:
    limits = decision.problem.limits
    for name in decision.binding:
        factor = 0.5 if name == "least_n_params" else 2.0
        relaxed = replace(limits, **{name: limits.of(name, np.nan) * factor})
        words = f"{relaxed.in_words(name)} instead of {limits.in_words(name)}"
        problem = replace(decision.problem, limits=relaxed)
        for other in _decided(problem, _within(decision), decision.budget):
            yield _beside(decision, "limit", words, other)


def _decided(problem: Problem, rule: rules.Rule, budget: float | None) -> Iterator[Decision]:
    """Yield the decision on a problem; nothing where there is none."""
    from scaling_bayes._decision.decide import decision_on

    try:
        yield decision_on(problem, rule, budget)
    except ScalingBayesError:
        return


def _beside(decision: Decision, kind: str, words: str, other: Decision) -> Row:
    """Return the choice of another decision, and how much lower its expected loss is."""
    here = decision.problem.points(np.array([decision.choice.n_params]), decision.budget)
    there = other.problem.points(np.array([other.choice.n_params]), other.budget)
    gain = float(
        decision.problem.expected_losses([here, there])[0]
        - other.problem.expected_losses([here, there])[1]
    )
    return kind, words, other.choice.n_params, other.choice.tokens, gain


def _within(decision: Decision) -> rules.Rule:
    """Return the rule that chooses within a budget, where the decision's own chooses that."""
    rule = decision.rule
    return rules.MeetTarget(rule.loss) if isinstance(rule, rules.Cheapest) else rule


def _parameters(decision: Decision) -> Iterator[Row]:
    """Yield the choice where the parameters that it depends on most are low, and high."""
    source = decision.problem.source
    if isinstance(source, Mixture) or decision.loss.size < 1 / _FIFTH:
        return
    best = np.log(decision.options.n_params[decision.options.mean_curve.argmin(axis=0)])
    draws = {name: values.ravel() for name, values in vars(flat_parameters(source)).items()}
    order = {
        name: _rank_correlation(values, best) for name, values in draws.items() if np.ptp(values)
    }
    for name in sorted(order, key=lambda each: -abs(order[each]))[:_N_PARAMETERS]:
        low, high = np.quantile(draws[name], [_FIFTH, 1 - _FIFTH])
        for words, some in (("low", draws[name] <= low), ("high", draws[name] >= high)):
            at = chosen(decision.problem, decision.options.only(some), _within(decision))
            values = draws[name][some]
            tokens = decision.problem.tokens(np.array([at.n_params]), decision.budget)[0]
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


def _laws(decision: Decision) -> Iterator[Row]:
    member = decision.options.member
    if member is None:
        return
    # Over one law there is no largest regret.
    several = isinstance(decision.rule, rules.MinimaxRegret)
    by = rules.ExpectedLoss() if several else _within(decision)
    for name in np.unique(member):
        at = chosen(decision.problem, decision.options.only(member == name), by)
        tokens = decision.problem.tokens(np.array([at.n_params]), decision.budget)[0]
        yield "law", f"{name} alone", at.n_params, float(tokens), np.nan


def _rules(decision: Decision) -> Iterator[Row]:
    for name, row in decision.alternatives().iterrows():
        if str(name).startswith("by "):
            yield "rule", str(name).removeprefix("by "), row["n_params"], row["tokens"], np.nan
