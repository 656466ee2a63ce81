"""Several runs under a budget, chosen one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_bayes._decision import Decision
from scaling_bayes._next_run.candidates import COST, ROUNDING, parsed_budget, read_candidates
from scaling_bayes._next_run.run_values import MOST_FAILED, over_candidates
from scaling_bayes._next_run.simulation import Learned, Simulation, check_expected_loss, simulated
from scaling_bayes._notebook import InNotebook
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError
from scaling_bayes.units import SIZES, format_quantity

Merit = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From marginal values and costs to what is made as large as possible."""

_MERITS: tuple[Merit, ...] = (lambda value, cost: value / cost, lambda value, _: value)


@dataclass(frozen=True, eq=False)
class RunPlan(InNotebook):
    """Runs to train together under a budget, in the order in which they were chosen.

    Attributes
    ----------
    decision : Decision
        The decision that they are for.
    budget : float
        What they may cost together.
    table : DataFrame
        See `to_frame`.
    stopped : str
        Why there is no further run in the plan.
    """

    decision: Decision
    budget: float
    table: pd.DataFrame
    stopped: str

    @property
    def cost(self) -> float:
        """What the runs cost together."""
        return float(self.table[COST].sum())

    @property
    def evsi(self) -> float:
        """Expected value of the outcomes of all runs together, in nats per token."""
        return float(self.table["evsi_joint"].iloc[-1])

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run, with the index of the candidates, in the order of choice.

        Returns
        -------
        DataFrame
            ``n_params``, ``tokens``, ``flops``, ``weight``, ``cost``; ``evsi``, what the run adds
            to the expected value of those before it, in nats per token of expected loss;
            ``evsi_joint``, that of all so far together, with its Monte Carlo standard error
            ``evsi_joint_se``; ``cost_so_far``; ``failed``, the share of simulated outcomes whose
            weights cannot be trusted.
        """
        return self.table.copy()

    @printed
    def __repr__(self) -> str:
        shown = self.table[["n_params", "tokens", COST, "evsi", "evsi_joint"]].copy()
        for name in SIZES[:2]:
            shown[name] = [format_quantity(value, kind=name) for value in shown[name]]
        return "\n".join(
            [
                f"Plan of {len(shown)} runs for {self.cost:.3g} of {self.budget:.3g}, worth "
                f"{self.evsi:.2g} nats per token of expected loss",
                shown.to_string(float_format="{:.3g}".format),
                f"It ends there because {self.stopped}.",
            ]
        )


def plan_runs(
    decision: Decision,
    candidates: pd.DataFrame,
    budget: float | str,
    *,
    n_outcomes: int = 100,
    seed: int = 0,
) -> RunPlan:
    """Return runs to train together under a budget, chosen greedily by what they add.

    Each is the candidate that adds most per cost to the expected value of sample information of
    those chosen before it; see `next_run`. A second plan takes the candidate that adds most,
    whatever its cost, and the plan whose outcomes are worth more together is returned: the first
    alone may spend a budget on trifles (Leskovec et al. 2007). Neither is the best of all plans
    for certain.

    Parameters
    ----------
    decision : Decision
        What is to be decided, by expected loss, from a fit or an average of fits.
    candidates : DataFrame
        As for `next_run`. Each row is trained once at most; give it twice for two runs.
    budget : float or str
        What the runs may cost together, in the unit of the candidates' costs.
    n_outcomes : int
        Joint outcomes simulated.
    seed : int
        Source of simulated noise.

    Returns
    -------
    RunPlan
        It ends where the budget does, where no candidate adds anything, or where the draws no
        longer carry the weights of their outcomes: then train these runs, refit and plan again.

    Raises
    ------
    InputError
        As `next_run`; also if the budget is below the cost of the cheapest candidate, or the
        weights fail for every single candidate.
    """
    check_expected_loss(decision)
    table = read_candidates(candidates, decision.problem.k)
    amount = parsed_budget(budget, table)
    simulation = simulated(decision, table, quantities={}, n_outcomes=n_outcomes, seed=seed)
    plans = [_greedy(simulation, table[COST].to_numpy(), amount, merit) for merit in _MERITS]
    best = max(plans, key=lambda plan: plan.value)
    if not best.steps:
        raise InputError(
            f"no plan can be made: {best.stopped}. Look at single runs by sb.next_run, which "
            "refits where weights fail."
        )
    rows = [step.row for step in best.steps]
    joint = np.array([step.learned.gain.mean() for step in best.steps])
    chosen = table.iloc[rows]
    found = chosen.assign(
        evsi=np.diff(joint, prepend=0.0),
        evsi_joint=joint,
        evsi_joint_se=[
            step.learned.gain.std(ddof=1) / np.sqrt(len(simulation.origins)) for step in best.steps
        ],
        cost_so_far=chosen[COST].cumsum(),
        failed=[step.learned.failed.mean() for step in best.steps],
    )
    return RunPlan(decision, amount, found, best.stopped)


@dataclass(frozen=True, eq=False)
class _Step:
    """A run that was chosen, and what it teaches together with those before it."""

    row: int
    learned: Learned


@dataclass(frozen=True, eq=False)
class _Greedy:
    """Steps of one greedy plan, and why there are no more."""

    steps: list[_Step]
    stopped: str

    @property
    def value(self) -> float:
        """Expected value of all outcomes together."""
        return float(self.steps[-1].learned.gain.mean()) if self.steps else -np.inf


def _greedy(simulation: Simulation, cost: np.ndarray, budget: float, merit: Merit) -> _Greedy:
    steps: list[_Step] = []
    taught = np.zeros((len(simulation.origins), simulation.curve.shape[1]))
    value, left = 0.0, budget
    while True:
        taken = {step.row for step in steps}
        within = budget - left + cost <= budget * (1 + ROUNDING)
        affordable = [int(row) for row in np.flatnonzero(within) if row not in taken]
        if not affordable:
            return _Greedy(steps, _spent(len(taken), len(cost)))
        learned = _with_each(simulation, taught, affordable, len(steps))
        trusted = {row: each for row, each in learned.items() if each.failed.mean() <= MOST_FAILED}
        if not trusted:
            return _Greedy(steps, "the weights of the draws cannot be trusted beyond")
        rows = np.array(list(trusted))
        added = np.array([each.gain.mean() for each in trusted.values()]) - value
        best = int(merit(added, cost[rows]).argmax())
        if added[best] <= 0:
            return _Greedy(steps, "no other candidate adds anything")
        row = int(rows[best])
        taught = taught + simulation.log_weights(row, len(steps))
        steps.append(_Step(row, trusted[row]))
        value, left = value + float(added[best]), left - cost[row]


def _with_each(
    simulation: Simulation, taught: np.ndarray, rows: list[int], step: int
) -> Mapping[int, Learned]:
    """Return what each candidate teaches together with the runs that `taught` is from."""

    def work(row: int) -> Learned:
        return simulation.learned(taught + simulation.log_weights(row, step))

    return dict(zip(rows, over_candidates(rows, work), strict=True))


def _spent(n_taken: int, n_candidates: int) -> str:
    if n_taken == n_candidates:
        return "there is no other candidate"
    return "the rest of the budget pays for no other candidate"
