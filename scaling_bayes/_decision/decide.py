"""From draws of a law, a budget and a rule to a choice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from scaling_bayes._decision import rules
from scaling_bayes._decision.allocation_range import AllocationRange, allocation_range
from scaling_bayes._decision.choice import Choice
from scaling_bayes._decision.doubtful_choice import warn_of_doubtful
from scaling_bayes._decision.hardware import Hardware, budget_in_flops
from scaling_bayes._decision.interpolation import chosen, place_of
from scaling_bayes._decision.limits import Limits
from scaling_bayes._decision.loss_draws import Repeated
from scaling_bayes._decision.problem import Options, Problem
from scaling_bayes._decision.repetition import Repetition
from scaling_bayes._decision.rules import Rule
from scaling_bayes._doubt import Doubt, doubts_of
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.law_draws import sizes
from scaling_bayes._prediction.mixture import Source
from scaling_bayes._printable import printable, printed
from scaling_bayes.errors import InputError
from scaling_bayes.units import format_quantity, parse_quantity

DEFAULT_EPSILON = 0.001
"""Nats per token of regret that count as none."""

_BY = "by "
"""What the names of the choices of other rules begin with."""
_BESIDE = (0.25, 0.5, 2.0, 4.0)
"""Model sizes that stand beside the choice, as multiples of it."""


@dataclass(frozen=True, eq=False)
class Decision:
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
        if not 0 < prob < 1:
            raise InputError(f"prob is {prob!r}; give a probability between 0 and 1.")
        rows = self._rows()
        table = self._evaluated(list(rows.values()), prob)
        table.index = pd.Index(list(rows), name="alternative")
        sizes = [not name.startswith(_BY) for name in rows]
        regret = np.stack([place_of(self.options, n).regret(self.options) for n in rows.values()])
        best = regret[sizes].argmin(axis=0)
        shares = np.bincount(best, minlength=sum(sizes)) / regret.shape[1]
        table.loc[sizes, "probability_best"] = shares
        return table

    def _rows(self) -> dict[str, float]:
        """Return the model sizes of the alternatives, by what they are."""
        found = {"choice": self.choice.n_params}
        for name, rule in rules.REGISTRY.items() if self.loss.size > 1 else ():
            if rule() != self.rule and rule().suits(self.options):
                found[f"{_BY}{name}"] = chosen(self.problem, self.options, rule()).n_params
        low, high = self.options.n_params[[0, -1]]
        for factor in _BESIDE:
            n_params = self.choice.n_params * factor
            if self.problem.menu is None and low <= n_params <= high:
                found[f"{factor:g} N"] = n_params
        if self.problem.menu is not None:
            found |= {f"{n:.6g}": n for n in self.options.n_params if n != self.choice.n_params}
        return found

    def _evaluated(self, n_params: list[float], prob: float) -> pd.DataFrame:
        at = [place_of(self.options, n) for n in n_params]
        points = self.problem.points(np.array(n_params), self.budget)
        loss = np.stack([place.loss(self.options) for place in at])
        regret = np.stack([place.regret(self.options) for place in at])
        tail = (1 - prob) / 2
        lower, median, upper = np.quantile(
            loss, [tail, 0.5, 1 - tail], axis=1, method="inverted_cdf"
        )
        return pd.DataFrame(
            {
                "n_params": n_params,
                "tokens": points["tokens"].to_numpy(),
                "flops": points["flops"].to_numpy(),
                "loss": median,
                "loss_lower": lower,
                "loss_upper": upper,
                "regret_mean": regret.mean(axis=1),
                "regret_median": np.median(regret, axis=1),
                "regret_p95": np.quantile(regret, 0.95, axis=1, method="inverted_cdf"),
                "probability_best": np.nan,
                "mismatch": self._mismatch(regret.mean(axis=1)),
            }
        )

    def _mismatch(self, regret: np.ndarray) -> np.ndarray:
        """Return the share of the choice's compute that expected regrets are worth."""
        coarse = replace(self.problem, n_candidates=rules.COARSE_CANDIDATES)
        places, shares = [], np.geomspace(1, 1e-4, 25)
        for share in shares:
            budget = share * self.choice.total_flops
            try:
                options = coarse.options(budget)
            except InputError:
                break
            best = options.n_params[[options.expected_loss.argmin()]]
            places.append(coarse.points(best, budget))
        least = self.problem.expected_losses(places)
        rise = np.maximum.accumulate(least - least[0])
        rising = np.flatnonzero(np.diff(rise, prepend=-1.0) > 0)
        above = np.maximum(regret - self.value_of_perfect_information, 0)
        logs = np.interp(above, rise[rising], np.log(shares[rising]), right=np.nan)
        worth: np.ndarray = 1 - np.exp(logs)
        return worth

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
        from scaling_bayes._decision.changes import changes

        return changes(self)

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

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about the fit and matters to a decision; see `Fit.doubts`."""
        return doubts_of(self.problem.source, "forecast", "allocation")

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What the decision comes to, in sentences."""
        from scaling_bayes._decision.decide_words import words_of

        return tuple(map(printable, words_of(self)))

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
    problem = Problem(
        source,
        limits=limits or Limits(),
        hardware=hardware,
        served_tokens=served(served_tokens),
        repeated=Repeated(repetition or Repetition(), seed),
        menu=None if n_params is None else sizes("n_params", n_params),
        of=of,
        n_candidates=n_candidates,
        seed=seed,
    )
    given = budget_in_flops(flops=flops, gpu_hours=gpu_hours, money=money, hardware=hardware)
    decision = decision_on(problem, resolved(rule), given)
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


def decision_on(problem: Problem, rule: Rule, given: float | None) -> Decision:
    """Return the decision on a problem by a rule, with a budget in FLOPs."""
    budget = rule.budget(problem, given)
    options = problem.options(budget)
    at = chosen(problem, options, rule)
    point = problem.points(np.array([at.n_params]), budget).isel(point=0)
    unique = problem.limits.unique_tokens
    tokens = float(point["tokens"])
    return Decision(
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
