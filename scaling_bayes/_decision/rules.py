"""Rules of decision: what makes one choice better than another when the loss is uncertain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from scaling_bayes._decision.limits import Limits
from scaling_bayes._decision.loss_draws import over_blocks
from scaling_bayes._intervals import DEFAULT_PROB, interval, is_point, quantile
from scaling_bayes._prediction.forecast_answer import check_target
from scaling_bayes._prediction.mixture import Source, mix, weighted_laws
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from scaling_bayes._decision.options import Options
    from scaling_bayes._decision.problem import Problem

__all__ = [
    "REGISTRY",
    "CVaR",
    "Cheapest",
    "ExpectedLoss",
    "MeetTarget",
    "MinimaxRegret",
    "Quantile",
    "Rule",
]

MOST_FLOPS = 1e32
"""Where the search for the cheapest budget starts if none is given."""

_STEP, _BISECTIONS = 100.0, 24
_FOR_SLOPE = 1.3
_LEAST_DRAWS = 100
COARSE_CANDIDATES = 200
"""Model sizes compared where many budgets are."""
CUBE_ROOT = 1 / 3
"""Rate of a choice by counts of draws, which jump from size to size (Kim & Pollard 1990)."""


class Rule(ABC):
    """What makes one choice better than another.

    A rule of your own has one method, `scores`, and words for what it does.
    """

    words: str
    """What the rule does, after "the choice with"."""
    rate: ClassVar[float] = 1 / 2
    """The Monte Carlo error of the choice falls with this power of the number of draws."""

    @abstractmethod
    def scores(self, options: Options) -> np.ndarray:
        """Return a score for each option, the lower the better, of shape (point,).

        Parameters
        ----------
        options : Options
            ``options.loss`` and ``options.regret`` hold draws of shape (point, draw), in nats per
            token.
        """

    def score_in_words(self, score: float) -> str:
        """Return the score of a choice for people."""
        return f"{score:.4f}"

    def suits(self, options: Options) -> bool:
        """Return whether the rule can judge these options."""
        return True

    def budget(self, problem: Problem, budget: float | None) -> float:
        """Return the budget to spend, in FLOPs: all of it, for most rules.

        Raises
        ------
        InputError
            If there is none.
        """
        if budget is None:
            raise InputError("give the budget: flops, gpu_hours or money.")
        return budget

    def budget_error(
        self, problem: Problem, options: Options, batches: Sequence[Options], budget: float
    ) -> float:
        """Return the Monte Carlo standard error of the budget, as a share: none where it is given.

        Parameters
        ----------
        problem : Problem
            What is decided.
        options : Options
            What can be chosen with the budget.
        batches : sequence of Options
            The same with some of the draws each.
        budget : float
            The budget, in FLOPs.
        """
        return 0.0


@dataclass(frozen=True)
class ExpectedLoss(Rule):
    """The smallest expected loss of the mean curve, which has the smallest expected regret.

    Of a new run with heavy-tailed noise on log loss there is no expectation.
    """

    words = "the smallest expected loss"

    def scores(self, options: Options) -> np.ndarray:
        """Return expected losses; see `Rule.scores`."""
        return options.expected_loss


@dataclass(frozen=True)
class Quantile(Rule):
    """The smallest loss that is kept with some probability.

    Parameters
    ----------
    prob : float
        That probability.
    """

    prob: float = 0.9
    rate = CUBE_ROOT

    def __post_init__(self) -> None:
        _check_prob(self.prob)

    @property
    def words(self) -> str:  # type: ignore[override]
        """What the rule does."""
        return f"the smallest loss that is kept with probability {self.prob:g}"

    def scores(self, options: Options) -> np.ndarray:
        """Return quantiles of the loss; see `Rule.scores`."""
        loss, scores = options.loss, np.empty(len(options.n_params))

        def work(rows: slice) -> None:
            scores[rows] = np.quantile(loss[rows], self.prob, axis=1, method="inverted_cdf")

        over_blocks(len(scores), work)
        return scores


@dataclass(frozen=True)
class MeetTarget(Rule):
    """The highest probability that the loss is at or below a target.

    Among choices with the same probability, that with the smallest expected loss is taken.

    Parameters
    ----------
    loss : float
        The target, in nats per token.
    """

    loss: float
    rate = CUBE_ROOT

    def __post_init__(self) -> None:
        check_target(self.loss)

    @property
    def words(self) -> str:  # type: ignore[override]
        """What the rule does."""
        return f"the highest probability of a loss of at most {self.loss:g}"

    def scores(self, options: Options) -> np.ndarray:
        """Return the probabilities of missing the target; see `Rule.scores`."""
        missed: np.ndarray = (options.loss > self.loss).mean(axis=1)
        return missed

    def score_in_words(self, score: float) -> str:
        """Return the probability of meeting the target; see `Rule.score_in_words`."""
        met = 1 - score
        if met in (0.0, 1.0):
            return f"probability {met:g}: the smallest expected loss decided"
        return f"probability {met:.3g}"


@dataclass(frozen=True)
class CVaR(Rule):
    """The smallest conditional value at risk: the mean over the worst draws.

    (Rockafellar & Uryasev 2000.) The worst are those above the quantile `prob`: the
    ceil((1 - prob) n) largest of n draws. Of new runs with heavy-tailed noise it rests on the few
    worst draws; take it of the mean curve or of regret.

    Parameters
    ----------
    prob : float
        Where the worst draws begin.
    of : {"loss", "regret"}
        What is averaged over them.
    """

    prob: float = 0.9
    of: Literal["loss", "regret"] = "loss"

    def __post_init__(self) -> None:
        _check_prob(self.prob)
        if self.of not in ("loss", "regret"):
            raise InputError(f"of is {self.of!r}; take 'loss' or 'regret'.")

    @property
    def words(self) -> str:  # type: ignore[override]
        """What the rule does."""
        return f"the smallest mean {self.of} in the worst {1 - self.prob:.3g} of draws"

    def scores(self, options: Options) -> np.ndarray:
        """Return means over the worst draws; see `Rule.scores`."""
        values = options.loss if self.of == "loss" else options.regret
        n = values.shape[1]
        # Rounded first: (1 - 0.9) * 1000 is a little more than 100.
        worst = max(1, int(np.ceil(round((1 - self.prob) * n, 6))))
        scores = np.empty(len(values))

        def work(rows: slice) -> None:
            tail = np.partition(values[rows], n - worst, axis=1)[:, n - worst :]
            scores[rows] = tail.mean(axis=1)

        over_blocks(len(values), work)
        return scores


@dataclass(frozen=True)
class MinimaxRegret(Rule):
    """The smallest largest regret over laws: the choice that no law finds very bad.

    For each law of an average, the regret of a choice is its expected loss by that law above the
    smallest by it (Savage 1951). The laws' weights count only in that a law needs 100 draws.
    """

    words = "the smallest regret under the law that finds it worst"

    def suits(self, options: Options) -> bool:
        """Return whether there are several laws."""
        return options.member is not None

    def scores(self, options: Options) -> np.ndarray:
        """Return largest expected regrets over laws; see `Rule.scores`."""
        member = options.member
        if member is None:
            raise InputError(
                "minimax regret is over several laws; give sb.average({...}) of them. For one law "
                "take sb.rules.CVaR(of='regret')."
            )
        regrets = []
        for name in options.members:
            own = member == name
            if own.sum() < _LEAST_DRAWS:
                raise InputError(
                    f"{name!r} has {own.sum()} draws of the average, too few for an expectation by "
                    f"it; its weight must give it {_LEAST_DRAWS} at least. Give it a larger one."
                )
            expected = options.mean_curve[:, own].mean(axis=1)
            regrets.append(expected - expected.min())
        largest: np.ndarray = np.max(regrets, axis=0)
        return largest


@dataclass(frozen=True)
class Cheapest(Rule):
    """The smallest budget that meets a target with some probability.

    Parameters
    ----------
    loss : float
        The target, in nats per token.
    prob : float
        The probability to meet it with.
    """

    loss: float
    prob: float = 0.9
    rate = CUBE_ROOT

    def __post_init__(self) -> None:
        _check_prob(self.prob)
        check_target(self.loss)

    @property
    def words(self) -> str:  # type: ignore[override]
        """What the rule does."""
        return (
            f"the smallest budget that keeps the loss at or below {self.loss:g} with probability "
            f"{self.prob:g}"
        )

    def scores(self, options: Options) -> np.ndarray:
        """Return the probabilities of missing the target; see `Rule.scores`."""
        return MeetTarget(self.loss).scores(options)

    def score_in_words(self, score: float) -> str:
        """Return the probability of meeting the target; see `Rule.score_in_words`."""
        return MeetTarget(self.loss).score_in_words(score)

    def budget(self, problem: Problem, budget: float | None) -> float:
        """Return the smallest budget that does, by bisection; at most the one that is given.

        Raises
        ------
        InputError
            If the budget given, or 1e32 FLOPs, is too small.
        """
        most = MOST_FLOPS if budget is None else budget
        coarse = replace(problem, n_candidates=COARSE_CANDIDATES)
        best = self._probability(coarse, most)
        if best < self.prob:
            remedies = [
                *([] if budget is None else ["a larger budget"]),
                *(["wider limits"] if problem.limits != Limits() else []),
                *([] if problem.menu is None else ["a longer menu"]),
                "a higher target",
            ]
            spent = f"{most:.3g} FLOPs" if budget is not None else f"as much as {most:.3g} FLOPs"
            raise InputError(
                f"with {spent} a loss of at most {self.loss:g} is met with probability "
                f"{best:.3g} at best, not {self.prob:g}{_floor_in_words(problem.source)}. Give "
                f"{', '.join(remedies)} or a smaller probability."
            )
        enough = most
        while self._probability(coarse, too_little := enough / _STEP) >= self.prob:
            enough = too_little
        low, high = np.log(too_little), np.log(enough)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if self._probability(coarse, float(np.exp(middle))) >= self.prob:
                high = middle
            else:
                low = middle
        return float(np.exp(high))

    def budget_error(
        self, problem: Problem, options: Options, batches: Sequence[Options], budget: float
    ) -> float:
        """Return the error of the probability, divided by its slope in the log of the budget.

        Parameters are those of `Rule.budget_error`. It is infinite where more compute changes
        nothing.
        """
        best = int(self.scores(options).argmin())
        by_batch = [float(np.mean(batch.loss[best] <= self.loss)) for batch in batches]
        error = float(np.std(by_batch, ddof=1) / np.sqrt(len(by_batch)))
        coarse = replace(problem, n_candidates=COARSE_CANDIDATES)
        ends = [self._probability(coarse, budget * step) for step in (1 / _FOR_SLOPE, _FOR_SLOPE)]
        slope = (ends[1] - ends[0]) / (2 * np.log(_FOR_SLOPE))
        return error / slope if slope > 0 else np.inf

    def _probability(self, problem: Problem, budget: float) -> float:
        try:
            options = problem.options(budget)
        except InputError:
            return 0.0
        return 1 - float(self.scores(options).min())


REGISTRY: dict[str, Callable[[], Rule]] = {
    "expected_loss": ExpectedLoss,
    "quantile": Quantile,
    "cvar": CVaR,
    "cvar_regret": partial(CVaR, of="regret"),
    "minimax_regret": MinimaxRegret,
}
"""Rules that need nothing said, by name."""


def _floor_in_words(source: Source) -> str:
    """Say where the irreducible loss lies, of which no budget gets below."""
    laws = [one.law for one, _ in weighted_laws(source)]
    if any("L_inf" not in law.parameter_names for law in laws):
        return ""
    floor = mix(source, lambda one: one.draws["L_inf"])
    words = f"; the irreducible loss is {quantile(floor, 0.5).item():.4g}"
    if is_point(floor):
        return words
    low, high = interval(floor).to_numpy()
    return f"{words} [{low:.4g}, {high:.4g}] ({DEFAULT_PROB:.0%} equal-tailed)"


def _check_prob(prob: float) -> None:
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; give a probability between 0 and 1.")
