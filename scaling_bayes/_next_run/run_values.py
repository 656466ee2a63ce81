"""What each of some candidate runs is worth to a decision."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_bayes._decision import Decision
from scaling_bayes._next_run.candidates import COST, WEIGHT, read_candidates
from scaling_bayes._next_run.refits import Refits, refits_of
from scaling_bayes._next_run.simulation import Learned, Simulation, check_expected_loss, simulated
from scaling_bayes._notebook import InNotebook
from scaling_bayes._printable import printable, printed
from scaling_bayes._work.progress import Watch, watched
from scaling_bayes.errors import InputError
from scaling_bayes.units import SIZES, format_quantity

MOST_FAILED = 0.05
"""Share of outcomes with weights that cannot be trusted, up to which they do not matter."""

_LEAST_REFITS, _REFITS_EACH = 5, 10
"""Of one candidate: fewer than the first say too little of all outcomes that failed."""
_K_SHOWN = 0.95
_SHOWN = 10


@dataclass(frozen=True, eq=False)
class RunValues(InNotebook):
    """What candidate runs are worth to a decision, before they are trained.

    Attributes
    ----------
    decision : Decision
        The decision.
    table : DataFrame
        See `to_frame`.
    value_of_perfect_information : float
        Nats per token of expected loss that no run can exceed, but by Monte Carlo error.
    n_outcomes : int
        Outcomes simulated of each candidate.
    """

    decision: Decision
    table: pd.DataFrame
    value_of_perfect_information: float
    n_outcomes: int

    @property
    def best(self) -> pd.Series:
        """The candidate with the highest expected value of sample information."""
        return self._first("evsi")

    @property
    def best_per_cost(self) -> pd.Series:
        """The candidate with the highest expected value of sample information per cost."""
        return self._first("evsi_per_cost")

    def _first(self, by: str) -> pd.Series:
        return self.table.iloc[int(self.table[by].to_numpy().argmax())]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a candidate, with the index of the candidates.

        Returns
        -------
        DataFrame
            ``n_params``, ``tokens``, ``flops``, ``weight``, ``cost``; ``evsi``, the expected value
            of sample information in nats per token of expected loss, with ``evsi_se``, its Monte
            Carlo standard error, and ``evsi_per_cost``; ``worth_flops``, by how many FLOPs the
            decision's budget would have to grow to gain as much, its loss falling with the log of
            compute as it does there, NaN where more would gain nothing; ``information``, the
            expected information gain in nats on all that is uncertain, and ``information_...`` on
            each quantity, about; ``pareto_k``, which 95% of outcomes do not exceed; ``failed``,
            the share of outcomes whose weights cannot be trusted; ``n_refits``, how many of these
            were refitted instead; ``trusted``, whether ``evsi`` rests on weights that can be
            trusted, and on refits otherwise.
        """
        return self.table.copy()

    @property
    def words(self) -> tuple[str, ...]:
        """What the values come to, in sentences."""
        best = self.best
        lines = [
            f"Most value has {self._in_words(best)}. On average its outcome lowers the expected "
            f"loss of the decision by {best['evsi']:.2g} nats per token{self._as_compute(best)}.",
            self._verdict(),
            "Perfect knowledge of the mean curve would gain "
            f"{self.value_of_perfect_information:.2g}: no run is worth more.",
        ]
        doubtful = int((~self.table["trusted"]).sum())
        if doubtful:
            remedy = ": allow more refits" if refits_of(self.decision) is not None else ""
            lines.append(
                f"Of {doubtful} candidates the weights of the draws cannot be trusted{remedy}."
            )
        lines += map(str, self.decision.doubts)
        return tuple(map(printable, lines))

    @staticmethod
    def _as_compute(row: pd.Series) -> str:
        if np.isnan(row["worth_flops"]):
            return ""
        flops = format_quantity(row["worth_flops"], kind="flops")
        return f", as {flops} more for the decision would"

    def _verdict(self) -> str:
        """Say whether a candidate pays if its compute could go into the decision instead.

        It does if that holds for a value two standard errors lower, and does not if it fails for
        one two standard errors higher. Values that cannot be trusted are not judged.
        """
        table = self.table
        if table["worth_flops"].isna().all():
            return (
                "More compute for the decision would gain nothing within its limits, so that runs "
                "have no worth in compute."
            )
        compute = table["flops"] * table[WEIGHT]
        error = 2 * table["evsi_se"] / table["evsi"].where(table["evsi"] > 0)
        pays = table["trusted"] & (table["worth_flops"] * (1 - error) > compute)
        fails = table["trusted"] & ~(table["worth_flops"] * (1 + error) > compute)
        unsure = int((~(pays | fails)).sum())
        rest = f"; of {unsure} it cannot be told" if unsure else ""
        number = int(pays.sum()) or "None"
        are, their = ("is", "its") if pays.sum() <= 1 else ("are", "their")
        return (
            f"{number} of {len(table)} {are} worth more than {their} own compute, spent on the "
            f"decision instead{rest}."
        )

    @staticmethod
    def _in_words(row: pd.Series) -> str:
        size, data = (format_quantity(row[name], kind=name) for name in SIZES[:2])
        return f"candidate {row.name} (N {size}, D {data})"

    @printed
    def __repr__(self) -> str:
        best = self.table.sort_values("evsi", ascending=False).head(_SHOWN)
        shown = best[["n_params", "tokens", COST, "evsi", "evsi_se", "worth_flops"]].copy()
        for name in SIZES[:2]:
            shown[name] = [format_quantity(value, kind=name) for value in shown[name]]
        lines = [
            f"Values of {len(self.table)} candidate runs for a decision on "
            f"{format_quantity(self.decision.budget, kind='flops')}, in nats per token",
            shown.to_string(float_format="{:.3g}".format),
            *self.words,
        ]
        return "\n".join(lines)


def next_run(
    decision: Decision,
    candidates: pd.DataFrame,
    *,
    quantities: Mapping[str, object] | None = None,
    n_outcomes: int = 200,
    most_refits: int = 20,
    seed: int = 0,
    progressbar: bool = True,
) -> RunValues:
    r"""Return what training each of some candidate runs is worth to a decision.

    The expected value of sample information (Raiffa & Schlaifer 1961) is what the decision gains
    on average by choosing after the run instead of before it,

    .. math:: \min_a E[L(a)] - E_y \min_a E[L(a) \mid y],

    with a model sizes, L(a) the loss of the mean curve, and y the loss of the run. Outcomes y are
    simulated from draws of the decision, and weigh all its draws by their likelihood. Weights fail
    where a run would teach so much that hardly a draw agrees with its outcome (Pareto k); there
    the law can be refitted to the simulated outcome.

    Parameters
    ----------
    decision : Decision
        What is to be decided, by expected loss, from a fit or an average of fits.
    candidates : DataFrame
        One row a run that could be trained: two of ``n_params``, ``tokens`` and ``flops``;
        optional ``cost``, in any unit (FLOPs by default), and ``weight``, the number of equal
        runs that the row stands for. Where the decision limits unique tokens, candidates are
        taken to repeat them as its own choice does.
    quantities : mapping of str to DataArray or ndarray, optional
        Draws of quantities to learn about, such as ``{"alpha": fit.draws["alpha_N"]}``, beside
        the decision's ``optimal_n_params`` and ``optimal_loss``.
    n_outcomes : int
        Outcomes simulated of each candidate.
    most_refits : int
        Refits at most, for outcomes whose weights cannot be trusted: of the most valuable
        candidates first, ten of each. For fits only; a refit takes about a second.
    seed : int
        Source of simulated noise, and of refits.
    progressbar : bool
        Whether to show how many refits are done.

    Returns
    -------
    RunValues

    Raises
    ------
    InputError
        If the decision is by another rule, its source has no noise, there is no candidate, or one
        has no sizes or no positive cost.
    """
    check_expected_loss(decision)
    if not isinstance(most_refits, int | np.integer) or most_refits < 0:
        raise InputError(f"most_refits is {most_refits!r}; give a whole number, 0 for none.")
    table = read_candidates(candidates, decision.problem.k)
    with watched("Values of runs", shown=progressbar) as watch:
        watch.tell("simulating outcomes")
        simulation = simulated(
            decision, table, quantities=quantities or {}, n_outcomes=n_outcomes, seed=seed
        )
        learned = over_candidates(
            range(len(table)), lambda each: simulation.learned(simulation.log_weights(each))
        )
        values = table.join(pd.DataFrame([_summary(each) for each in learned], index=table.index))
        refits = refits_of(decision)
        if refits is not None:
            values = _refitted(values, learned, simulation, refits, most_refits, watch)
    return RunValues(
        decision=decision,
        table=_completed(values, simulation),
        value_of_perfect_information=simulation.value_of_perfect_information,
        n_outcomes=len(simulation.origins),
    )


def over_candidates[T](candidates: range | list[int], work: Callable[[int], T]) -> list[T]:
    """Return what some work gives for each candidate, on all cores."""
    from threadpoolctl import threadpool_limits

    # One candidate a core: BLAS with threads of its own would only get in their way.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, candidates))


def _summary(learned: Learned) -> dict[str, float]:
    n = len(learned.gain)
    return {
        "evsi": float(learned.gain.mean()),
        "evsi_se": float(learned.gain.std(ddof=1) / np.sqrt(n)),
        "information": float(learned.information.mean()),
        **{f"information_{name}": float(each.mean()) for name, each in learned.about.items()},
        "pareto_k": float(np.quantile(learned.pareto_k, _K_SHOWN, method="inverted_cdf")),
        "failed": float(learned.failed.mean()),
        "n_refits": 0,
    }


def _refitted(
    values: pd.DataFrame,
    learned: list[Learned],
    simulation: Simulation,
    refits: Refits,
    most_refits: int,
    watch: Watch,
) -> pd.DataFrame:
    """Return the values with refits in place of weights that fail, as far as allowed."""
    found = values.copy()
    chosen = _to_refit(values, learned, most_refits)
    total, n_done = sum(map(len, chosen.values())), 0
    for row, outcomes in chosen.items():
        gains = []
        for gain in refits.gains(simulation, row, values.iloc[row], outcomes):
            n_done += 1
            watch.count(n_done, total, "refits")
            if gain is not None:
                gains.append(gain)
        if len(gains) >= _LEAST_REFITS:
            failed = learned[row].failed
            found.loc[values.index[row], ["evsi", "evsi_se", "n_refits"]] = (
                *_stratified(learned[row].gain[~failed], np.array(gains), int(failed.sum())),
                len(gains),
            )
    return found


def _to_refit(
    values: pd.DataFrame, learned: list[Learned], most_refits: int
) -> dict[int, np.ndarray]:
    """Return which outcomes of which candidates to refit, the most valuable first."""
    chosen: dict[int, np.ndarray] = {}
    left = most_refits
    by_value = values["evsi"].to_numpy().argsort()[::-1]
    for row in (int(row) for row in by_value if values["failed"].iloc[row] > MOST_FAILED):
        failed = np.flatnonzero(learned[row].failed)
        n = min(left, _REFITS_EACH, len(failed))
        if n >= _LEAST_REFITS:
            left -= n
            chosen[row] = failed[np.linspace(0, len(failed) - 1, n).astype(int)]
    return chosen


def _stratified(kept: np.ndarray, refitted: np.ndarray, n_failed: int) -> tuple[float, float]:
    """Return mean and standard error over outcomes of which some stand for all that failed."""
    share = n_failed / (n_failed + len(kept))
    strata = [(share, refitted)] + ([(1 - share, kept)] if len(kept) > 1 else [])
    mean = sum(part * gains.mean() for part, gains in strata)
    variance = sum(part**2 * gains.var(ddof=1) / len(gains) for part, gains in strata)
    return float(mean), float(np.sqrt(variance))


def _completed(values: pd.DataFrame, simulation: Simulation) -> pd.DataFrame:
    """Return the columns of `RunValues.to_frame` in order."""
    found = values.assign(
        evsi_per_cost=values["evsi"] / values[COST],
        worth_flops=simulation.flops_worth(values["evsi"]),
        trusted=(values["failed"] <= MOST_FAILED) | (values["n_refits"] > 0),
    )
    information = [name for name in found if str(name).startswith("information")]
    first = [*SIZES, WEIGHT, COST, "evsi", "evsi_se", "evsi_per_cost", "worth_flops"]
    return found[[*first, *information, "pareto_k", "failed", "n_refits", "trusted"]]
