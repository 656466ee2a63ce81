"""Policies replayed on a table of runs: how fast a decision settles under each."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from scaling_bayes._decision import Decision, decide
from scaling_bayes._fit.fit import Fit
from scaling_bayes._fit.fitter import Fitter
from scaling_bayes._fit.kept import sentence_on
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._next_run.candidates import COST, ROUNDING, WEIGHT, read_candidates
from scaling_bayes._next_run.policies import Policy
from scaling_bayes._next_run.replay_store import StartStore
from scaling_bayes._next_run.replay_table import MEASURES, Replay
from scaling_bayes._next_run.simulation import expected_losses
from scaling_bayes._work.jobs import in_processes
from scaling_bayes._work.progress import watched
from scaling_bayes.errors import (
    ConvergenceWarning,
    IdentifiabilityWarning,
    InputError,
    ScalingBayesError,
)
from scaling_bayes.laws import Law
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, parse_quantity

_AMONG = 3
"""Cheapest runs that the start is drawn from, as a multiple of the start."""


def replay(
    runs: Runs,
    policies: Mapping[str, Policy],
    *,
    law: Law | Fitter,
    flops: float | str,
    budgets: Iterable[float | str],
    runs_per_budget: int = 3,
    start: int = 10,
    among: int | None = None,
    n_starts: int = 10,
    seed: int = 0,
    directory: str | Path | None = None,
    n_jobs: int | None = None,
    progressbar: bool = True,
) -> Replay:
    """Let policies choose runs one by one from a table of runs that are trained already.

    Each starts from the same few cheap runs. At each budget it may choose a few more, one after
    the other, and pays their compute from what was released so far; after each the law is
    refitted and the decision made again. So policies are compared at the same compute released.

    Parameters
    ----------
    runs : Runs
        The table.
    policies : mapping of str to Policy
        What to compare, by name; see `scaling_bayes.policies`.
    law : Law or Fitter
        What is fitted. A `Fitter` with ``on_failure="warn"`` goes on with draws that fail their
        checks, as those of few runs may.
    flops : float or str
        Compute that the decision is about.
    budgets : iterable of float or str
        Compute released in all, ascending; that of the start is not counted.
    runs_per_budget : int
        Runs chosen at each budget, at most; fewer where none is affordable.
    start : int
        Runs to start from.
    among : int, optional
        How many of the cheapest runs these are drawn from; three times as many by default.
    n_starts : int
        Random starts.
    seed : int
        Source of starts, policies and fits.
    directory : str or Path, optional
        Folder that keeps every finished start. A later call reads those that it would compute
        alike, and computes the rest, as `backtest` does.
    n_jobs : int, optional
        Processes, as for `backtest`: each takes one start after the other.
    progressbar : bool
        Whether to show how many starts are done; of the fits themselves nothing is shown.

    Returns
    -------
    Replay
        Refits that fail are noted, and the policy goes on by its last decision.

    Raises
    ------
    InputError
        If an argument cannot be used.
    NoOptimumError
        If the law has no decision by all runs.
    ConvergenceError
        If the fit to all runs fails.
    WorkerKilledError
        If a worker process was killed and the others cannot go on.
    """
    _check(runs, policies, law)
    _check_counts(start=start, n_starts=n_starts, runs_per_budget=runs_per_budget)
    among = min(_AMONG * start if among is None else among, len(runs))
    if among < start:
        raise InputError(
            f"the start of {start} runs cannot be drawn from the {among} cheapest of "
            f"{len(runs)} runs. Lower start, or raise among."
        )
    plan = _Plan(
        runs=runs,
        policies=dict(policies),
        fitter=law if isinstance(law, Fitter) else Fitter(law),
        flops=parse_quantity(flops, kind="flops"),
        budgets=_released(budgets),
        runs_per_budget=runs_per_budget,
        start=start,
        among=among,
        seed=seed,
    )
    store = None if directory is None else StartStore(directory, plan)
    with watched("Replay", shown=progressbar) as watch:
        watch.tell("deciding by all runs")
        reference = plan.decision(runs, seed)
        done = {} if store is None else store.read(range(n_starts))
        watch.count(len(done), n_starts, "starts")
        todo = [("replay", plan, each) for each in range(n_starts) if each not in done]
        replayed = in_processes(
            _replayed, todo, n_jobs=n_jobs, kept_so_far=sentence_on(directory, "finished starts")
        )
        with closing(replayed):
            for finished, records in replayed:
                if store is not None:
                    store.write(finished, records)
                done[finished] = records
                watch.count(len(done), n_starts, "starts")
    table = pd.DataFrame([row for each in range(n_starts) for row in done[each]])
    table = table.astype({"run": "Int64"})
    table.insert(list(table).index("n_params") + 1, "regret", _regrets(reference, table))
    return Replay(reference, table)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What all starts of a replay share."""

    runs: Runs
    policies: dict[str, Policy]
    fitter: Fitter
    flops: float
    budgets: tuple[float, ...]
    runs_per_budget: int
    start: int
    among: int
    seed: int

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """All runs of the table as candidates."""
        return read_candidates(self.runs.frame[[*SIZES, WEIGHT]], self.runs.flops_per_param_token)

    def decision(self, runs: Runs, seed: int) -> Decision:
        """Return the decision by some runs."""
        with warnings.catch_warnings():
            # That few runs determine little is what is looked at; R-hat is in the table.
            warnings.simplefilter("ignore", IdentifiabilityWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            return decide(self.fitter.fit(runs, seed=seed), flops=self.flops, seed=self.seed)

    def decision_by(self, rows: list[int], start: int) -> Decision:
        """Return the decision by some rows of the table."""
        (seed,) = np.random.SeedSequence([self.seed, start, len(rows)]).generate_state(1)
        return self.decision(replace(self.runs, frame=self.runs.frame.iloc[rows]), int(seed))

    def first_rows(self, start: int) -> list[int]:
        """Return the rows of the table that a start has."""
        cheapest = np.argsort(self.runs.frame["flops"].to_numpy(), kind="stable")[: self.among]
        rng = np.random.default_rng([self.seed, start])
        return sorted(int(row) for row in rng.choice(cheapest, self.start, replace=False))


@dataclass
class _Path:
    """The runs that one policy has from one start, and the decision by them.

    Attributes
    ----------
    plan : _Plan
        What all starts share.
    start : int
        Number of the start.
    policy : str
        Name of the policy.
    rows : list of int
        Rows of the table.
    decision : Decision
        The last that was made.
    spent : float
        FLOPs of the runs chosen.
    """

    plan: _Plan
    start: int
    policy: str
    rows: list[int]
    decision: Decision
    spent: float = 0.0

    def follow(self) -> list[dict[str, Any]]:
        """Choose runs at each budget, and return what became of the decision."""
        seed = [self.plan.seed, self.start, zlib.crc32(self.policy.encode())]
        rng = np.random.default_rng(seed)
        records = [self._record(0.0)]
        for budget in self.plan.budgets:
            records += self._at(budget, rng)
        return records

    def _at(self, budget: float, rng: np.random.Generator) -> list[dict[str, Any]]:
        """Choose runs at one budget."""
        records: list[dict[str, Any]] = []
        while len(records) < self.plan.runs_per_budget:
            left = self.plan.candidates.drop(index=self.rows)
            affordable = left[self.spent + left[COST] <= budget * (1 + ROUNDING)]
            if not len(affordable):
                break
            run = self.plan.policies[self.policy].choose(self.decision, affordable, rng)
            self.rows.append(run)
            self.spent += float(self.plan.candidates[COST].iloc[run])
            records.append(self._record(budget, run, self._refit()))
        return records or [self._record(budget)]

    def _refit(self) -> str:
        """Decide by the runs so far, and return what failed."""
        try:
            self.decision = self.plan.decision_by(self.rows, self.start)
        except ScalingBayesError as error:
            return _words(error)
        return ""

    def _record(self, budget: float, run: int | None = None, error: str = "") -> dict[str, Any]:
        about = {"start": self.start, "policy": self.policy, "budget": budget}
        measured = _unknown(error) if error else _measured(self.decision)
        return about | {"spent": self.spent, "run": run} | measured


def _replayed(plan: _Plan, start: int) -> list[dict[str, Any]]:
    """Return the records of all policies from one start."""
    rows = plan.first_rows(start)
    try:
        decision = plan.decision_by(rows, start)
    except ScalingBayesError as error:
        about = {"start": start, "budget": 0.0, "spent": 0.0, "run": None}
        unknown = _unknown(_words(error))
        return [about | {"policy": policy} | unknown for policy in plan.policies]
    return [
        record
        for policy in plan.policies
        for record in _Path(plan, start, policy, list(rows), decision).follow()
    ]


def _measured(decision: Decision) -> dict[str, Any]:
    source = cast("Fit", decision.problem.source)
    optima = decision.options.n_params[decision.options.mean_curve.argmin(axis=0)]
    tail = (1 - DEFAULT_PROB) / 2
    low, high = np.quantile(optima, [tail, 1 - tail], method="inverted_cdf")
    return {
        "n_params": decision.choice.n_params,
        "interval_factor": float(high / low),
        "value_of_perfect_information": decision.value_of_perfect_information,
        "r_hat": float(source.diagnostics.parameters["r_hat"].max()),
        "error": "",
    }


def _unknown(error: str) -> dict[str, Any]:
    """Return what is measured of a decision that could not be made."""
    unknown = dict.fromkeys(("n_params", *MEASURES[1:], "r_hat"), np.nan)
    return unknown | {"error": error}


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _regrets(reference: Decision, table: pd.DataFrame) -> np.ndarray:
    """Return the expected loss of each choice above the smallest, by the decision on all runs."""
    import xarray as xr

    known = table["n_params"].notna().to_numpy()
    n_params, place = np.unique(table["n_params"].to_numpy()[known], return_inverse=True)
    chosen = reference.problem.points(n_params, reference.budget)
    best = reference.problem.points(np.array([reference.choice.n_params]), reference.budget)
    points = xr.concat([best, chosen], dim="point")
    expected = expected_losses(reference.problem, points)
    regrets = np.full(len(table), np.nan)
    regrets[known] = np.maximum(expected[1:] - expected[0], 0.0)[place]
    return regrets


def _released(budgets: Iterable[float | str]) -> tuple[float, ...]:
    if isinstance(budgets, str | int | float):
        raise InputError(f"budgets is {budgets!r}; give a list, such as [{budgets!r}].")
    released = tuple(parse_quantity(budget, kind="flops", name="budgets") for budget in budgets)
    if not released or list(released) != sorted(set(released)):
        raise InputError(
            f"budgets are {list(released)}; give at least one, ascending: compute released in all."
        )
    return released


def _check(runs: Runs, policies: Mapping[str, Policy], law: object) -> None:
    if not isinstance(runs, Runs):
        raise InputError(f"runs is a {type(runs).__name__}; give what sb.read_runs(...) returns.")
    if not isinstance(policies, Mapping) or not policies:
        raise InputError('give the policies by name, such as {"random": sb.policies.Random()}.')
    for name, policy in policies.items():
        if not isinstance(policy, Policy):
            raise InputError(
                f"the policy {name!r} is {policy!r}; give one such as sb.policies.MostValue(), "
                "with parentheses."
            )
    if not isinstance(law, Law | Fitter):
        raise InputError(
            f"law is {law!r}; give a law such as sb.laws.Chinchilla(), or an sb.Fitter."
        )


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise InputError(f"{name} is {value!r}; give a whole number, at least 1.")
