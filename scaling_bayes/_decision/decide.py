"""From draws of a law, a budget and a rule to a choice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from scaling_bayes._decision import rules
from scaling_bayes._decision.allocation_range import (
    DEFAULT_EPSILON,
    AllocationRange,
    allocation_range,
)
from scaling_bayes._decision.alternatives import alternatives
from scaling_bayes._decision.changes import changes
from scaling_bayes._decision.decide_words import words_of
from scaling_bayes._decision.doubtful_choice import warn_of_doubtful
from scaling_bayes._decision.hardware import Hardware, budget_in_flops
from scaling_bayes._decision.limits import Limits
from scaling_bayes._decision.loss_draws import Repeated
from scaling_bayes._decision.problem import Problem
from scaling_bayes._decision.repetition import Repetition
from scaling_bayes._decision.rules import Rule
from scaling_bayes._decision.settled import Settled, settle
from scaling_bayes._decision.source_within import source_within
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.law_draws import sizes
from scaling_bayes._prediction.mixture import Source
from scaling_bayes._printable import printable, printed
from scaling_bayes.errors import InputError
from scaling_bayes.units import format_quantity, parse_quantity


class Decision(InNotebook, Settled):
    """A choice of model size and tokens, and how it compares with what else could be chosen.

    Losses are in nats per token. Regret is the loss of the mean curve above the best that is
    possible within budget and limits, draw by draw.

    Attributes
    ----------
    problem : Problem
        Source, limits and hardware.
    rule : Rule
        What makes one choice better than another.
    budget : float
        FLOPs for training and serving.
    given : float or None
        The budget that was given, which a rule need not spend; None if none was.
    options : Options
        The model sizes compared, each with draws of its loss.
    choice : Choice
        The run to train.
    loss : ndarray, shape (draw,)
        Draws of the loss of the choice: of the mean curve or a new run, as the decision was asked.
    regret : ndarray, shape (draw,)
        Draws of its regret.
    score : float
        What the rule says of the best of the options, the lower the better.
    """

    def alternatives(self, *, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return the choice beside other sizes and what other rules would choose.

        Parameters
        ----------
        prob : float
            Probability inside the equal-tailed intervals of the loss.

        Returns
        -------
        DataFrame
            One row an alternative: ``n_params``, ``tokens``, ``flops``; median ``loss`` with
            ``loss_lower`` and ``loss_upper``; of its regret the mean, the median, the 95th
            percentile, and in ``probability_best`` how often it is the size with the smallest
            loss, of all but those of other rules; ``mismatch``, the share of the choice's compute
            that its expected regret is worth: so much less, spent on the size with the smallest
            expected loss, would do as well on average. NaN if that is more than 0.9999.

        Raises
        ------
        InputError
            If `prob` is not between 0 and 1.
        """
        return alternatives(self, prob)

    def range(
        self, *, epsilon: float = DEFAULT_EPSILON, prob: float = DEFAULT_PROB
    ) -> AllocationRange:
        """Return the allocations whose regret is below epsilon with some probability.

        Parameters
        ----------
        epsilon : float
            Nats per token.
        prob : float
            That probability.

        Raises
        ------
        InputError
            If epsilon is not positive, or `prob` is not between 0 and 1.
        """
        return allocation_range(self.problem, self.options, self.budget, epsilon=epsilon, prob=prob)

    def what_would_change_it(self) -> pd.DataFrame:
        """Return what would change the choice, and how far.

        Returns
        -------
        DataFrame
            One row a change: its ``kind`` (budget, or target where the rule finds the budget;
            limit, parameter, law, rule), what it is, and the choice then: ``n_params``,
            ``tokens``, ``times``, its size against the choice's; ``gain``, by how much the
            expected loss falls, where the change is one of the budget, the target or a limit, in
            nats per token. Of a parameter the rows show the choice by the fifth of the draws in
            which it is lowest, and highest.
        """
        return changes(self)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What the decision comes to, in sentences."""
        return tuple(map(printable, words_of(self)))

    def _notebook_frame(self) -> pd.DataFrame:
        return self.alternatives()

    @printed
    def __repr__(self) -> str:
        title = (
            f"Decision by {self.problem.source.label} on "
            f"{format_quantity(self.budget, kind='flops')}"
        )
        return "\n".join([title, *(f"- {line}" for line in self.words)])


def decide(
    source: Source,
    *,
    flops: object = None,
    gpu_hours: object = None,
    money: object = None,
    rule: Rule | str = "expected_loss",
    hardware: Hardware | None = None,
    limits: Limits | None = None,
    served_tokens: object = None,
    repetition: Repetition | None = None,
    n_params: object = None,
    of: Of = "mean_curve",
    n_candidates: int = 1000,
    at: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Decision:
    """Choose model size and tokens within a budget.

    Every model size within the limits is compared, each with all the tokens that budget and
    limits leave to it. Draws are those of the posterior, of all laws of an average by their
    weights, and of the discrepancy where a fit has one.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What the loss of a choice follows from.
    flops, gpu_hours, money : float or str, optional
        The budget, in one of these; GPU-hours and money need `hardware`. It pays for training,
        and for serving where `served_tokens` are given.
    rule : Rule or str
        What makes one choice better than another: one of `scaling_bayes.rules`, or the name of
        one that needs nothing said: ``"expected_loss"``, ``"quantile"``, ``"cvar"``,
        ``"cvar_regret"``, ``"minimax_regret"``.
    hardware : Hardware, optional
        What turns GPU-hours, money and time into FLOPs.
    limits : Limits, optional
        On model size, tokens, unique tokens and time.
    served_tokens : float or str, optional
        Tokens that the model will serve; each costs 2 N FLOPs beside the training's k N D
        (Sardana et al. 2024, arXiv:2401.00448), so that smaller models trained for longer win.
    repetition : Repetition, optional
        What tokens read again are worth, where ``limits.unique_tokens`` are too few.
    n_params : float, str or array_like, optional
        A menu of model sizes to choose from; any size by default.
    of : {"mean_curve", "new_run"}
        Whose loss rules of loss look at: the middle of many runs, or the one that is trained.
    n_candidates : int
        Model sizes compared.
    at : mapping of str to float or str, optional
        Value of each covariate of the law other than N, D and C, such as
        ``{"unique_tokens": "10B"}``.
    seed : int
        Source of noise, discrepancy, and of what repeated data are worth.

    Returns
    -------
    Decision
        With the ``choice``: ``n_params``, ``tokens``, ``flops``.

    Raises
    ------
    UnitError
        If a quantity is not positive or has the wrong unit.
    InputError
        If the budget is missing, given twice or below the smallest feasible, or the rule does not
        suit.
    NoOptimumError
        If the law does not trade N against D, or has no best size.

    Warns
    -----
    PlausibilityWarning
        If a limit, the budget or the choice is far from those of any training run.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> law = sb.laws.Chinchilla.published["besiroglu2024"]
    >>> decision = sb.decide(law, flops="5.88e23", limits=sb.Limits(n_params="30B"))
    >>> f"{decision.choice.n_params:.2e} {decision.binding}"
    "3.00e+10 ('n_params',)"
    """
    bounds = limits or Limits()
    problem = Problem(
        source_within(source, at, bounds),
        limits=bounds,
        hardware=hardware,
        served_tokens=served(served_tokens),
        repeated=Repeated(repetition or Repetition(), seed),
        menu=None if n_params is None else sizes("n_params", n_params),
        of=of,
        n_candidates=n_candidates,
        seed=seed,
    )
    given = budget_in_flops(flops=flops, gpu_hours=gpu_hours, money=money, hardware=hardware)
    decision = Decision(**vars(settle(problem, resolved(rule), given)))
    warn_of_doubtful(problem, [decision.choice])
    return decision


def served(tokens: object) -> float:
    """Return served tokens as a number; 0 for none."""
    if not tokens:
        return 0.0
    return parse_quantity(tokens, kind="tokens", name="served_tokens")  # type: ignore[arg-type]


def resolved(rule: Rule | str) -> Rule:
    """Return a rule, by its name where that says all.

    Raises
    ------
    InputError
        If there is no such rule.
    """
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, str) or rule not in rules.REGISTRY:
        raise InputError(
            f"rule is {rule!r}; take one of {', '.join(rules.REGISTRY)}, or a rule such as "
            "sb.rules.Cheapest(loss=2.0, prob=0.9)."
        )
    return rules.REGISTRY[rule]()
