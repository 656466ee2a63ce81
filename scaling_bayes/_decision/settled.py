"""A problem that a rule has settled: options, choice, loss and regret."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scaling_bayes._decision.choice import Choice
from scaling_bayes._decision.interpolation import chosen
from scaling_bayes._decision.monte_carlo import MonteCarloError, monte_carlo_error
from scaling_bayes._decision.options import Options
from scaling_bayes._decision.problem import Problem
from scaling_bayes._decision.rules import Rule
from scaling_bayes._doubt import Doubt, doubts_of
from scaling_bayes._intervals import DEFAULT_PROB


@dataclass(frozen=True, eq=False)
class Settled:
    """What a rule chose, and what that costs; see `Decision`."""

    problem: Problem
    rule: Rule
    budget: float
    given: float | None
    options: Options
    choice: Choice
    loss: np.ndarray
    regret: np.ndarray
    score: float

    @property
    def binding(self) -> tuple[str, ...]:
        """Names of the limits that hold the choice back, other than the budget."""
        return self.problem.binding(self.choice.n_params, self.budget)

    @property
    def value_of_perfect_information(self) -> float:
        """What knowing the law exactly would gain on average, in nats per token.

        The smallest expected loss minus the expected loss of the best choice in each draw: no
        further run can be worth more for this decision (Raiffa & Schlaifer 1961).
        """
        return float(self.options.expected_loss.min() - self.options.best_loss.mean())

    @property
    def expected_loss(self) -> float:
        """Expected loss of the choice's mean curve, in nats per token."""
        return float(self.options.best_loss.mean() + self.regret.mean())

    @property
    def loss_interval(self) -> tuple[float, float]:
        """The 90% equal-tailed interval of the loss of the choice."""
        tail = (1 - DEFAULT_PROB) / 2
        low, high = np.quantile(self.loss, [tail, 1 - tail], method="inverted_cdf")
        return float(low), float(high)

    @cached_property
    def monte_carlo_error(self) -> MonteCarloError | None:
        """How far other draws of the posterior would move the choice; None if they are too few."""
        return monte_carlo_error(self.problem, self.options, self.rule, self.budget)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about the fit and matters to a decision; see `Fit.doubts`."""
        return doubts_of(self.problem.source, "forecast", "allocation")


def settle(problem: Problem, rule: Rule, given: float | None) -> Settled:
    """Return what a rule chooses, with a budget in FLOPs or, if it finds that itself, without."""
    budget = rule.budget(problem, given)
    options = problem.options(budget)
    at = chosen(problem, options, rule)
    point = problem.points(np.array([at.n_params]), budget).isel(point=0)
    unique = problem.limits.unique_tokens
    tokens = float(point["tokens"])
    return Settled(
        problem=problem,
        rule=rule,
        budget=budget,
        given=given,
        options=options,
        choice=Choice(
            n_params=at.n_params,
            tokens=tokens,
            flops=float(point["flops"]),
            total_flops=float(point["total_flops"]),
            epochs=None if unique is None else tokens / float(unique),
        ),
        loss=at.loss(options),
        regret=at.regret(options),
        score=float(rule.scores(options).min()),
    )
