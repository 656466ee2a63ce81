"""How far a choice rests on which draws the posterior happened to give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_bayes._decision.interpolation import chosen
from scaling_bayes._decision.options import Options
from scaling_bayes._decision.problem import Problem
from scaling_bayes._decision.rules import Rule
from scaling_bayes.errors import InputError

_BATCHES = 10
_FEWEST = 100
"""Draws below which batches of a tenth of them say nothing."""


@dataclass(frozen=True)
class MonteCarloError:
    """Standard errors of a choice over draws of the same posterior.

    Attributes
    ----------
    n_params : float
        Of the model size, as a share of it.
    budget : float
        Of the budget, likewise; 0 where it is given and not found by the rule, and infinite where
        the rule's probability does not change with the budget.
    """

    n_params: float
    budget: float

    def __str__(self) -> str:
        words = f"Other draws of the posterior would move N by {self.n_params:.1%}"
        if np.isinf(self.budget):
            words += "; they do not determine the budget"
        elif self.budget:
            words += f" and the budget by {self.budget:.0%}"
        return f"{words} (Monte Carlo standard error)."


def monte_carlo_error(
    problem: Problem, options: Options, rule: Rule, budget: float
) -> MonteCarloError | None:
    """Return the Monte Carlo error of what a rule chooses, by ten batches of draws.

    Every tenth draw is a batch. The spread of what is chosen by each is that of what all draws
    choose, times a power of ten: see `Rule.rate`.

    Parameters
    ----------
    problem : Problem
        What is decided.
    options : Options
        What could be chosen.
    rule : Rule
        What chooses.
    budget : float
        The budget, in FLOPs.

    Returns
    -------
    MonteCarloError or None
        None where there are fewer than 100 draws, or a batch has too few for the rule.
    """
    n_draws = options.mean_curve.shape[1]
    if n_draws < _FEWEST:
        return None
    batches = [options.only(np.arange(first, n_draws, _BATCHES)) for first in range(_BATCHES)]
    try:
        sizes = [chosen(problem, batch, rule).n_params for batch in batches]
        of_budget = rule.budget_error(problem, options, batches, budget)
    except InputError:
        return None
    error = float(np.std(np.log(sizes), ddof=1) * _BATCHES**-rule.rate)
    return MonteCarloError(error, of_budget)
