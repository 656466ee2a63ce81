"""From runs and laws to a backtest, in this process or in many."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from scaling_bayes._backtest._cuts import choose_cuts
from scaling_bayes._backtest._refit import ALL_RUNS, Outcome, Plan, Refit, carry_out, trades
from scaling_bayes._backtest._store import Store
from scaling_bayes._backtest._tables import Backtest, assemble
from scaling_bayes._fitter import Fitter
from scaling_bayes._forecaster import Forecaster
from scaling_bayes._sampling import SamplerSettings
from scaling_bayes.errors import InputError
from scaling_bayes.laws import Law
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, parse_quantity

_KEPT: dict[str, dict[str, Forecaster]] = {}
"""Forecasters that this process has refitted with already, by call and name."""
# Neither PyTensor's compiler nor PyMC's samplers may run in two threads at once; the chains of a
# refit use the cores anyway.
_ONE_AT_A_TIME = threading.Lock()


def backtest(
    runs: Runs,
    laws: Mapping[str, Law | Forecaster],
    *,
    cuts: Iterable[float | str] | None = None,
    along: str = "flops",
    probs: Iterable[float] = (0.5, 0.8, 0.9, 0.95),
    budget: float | str | None = None,
    min_runs: int = 5,
    seed: int = 0,
    directory: str | Path | None = None,
    n_jobs: int | None = None,
    progressbar: bool = True,
) -> Backtest:
    """Fit laws to the runs below each cut, and score their forecasts of those at or above it.

    This is what extrapolation asks: the larger runs are never fitted. Leave-one-out
    cross-validation, as in `compare`, scores runs inside the range of sizes.

    Parameters
    ----------
    runs : Runs
        The training runs.
    laws : mapping of str to Law or Forecaster
        What to test, by name. A law is fitted by a `Fitter` with default settings; give a
        `Fitter` to change them, or anything with ``fit(runs, seed=...)`` that returns something
        with ``label`` and ``forecast(runs, seed=...)``. A law is compiled once for all cuts, in
        each process.
    cuts : iterable of float or str, optional
        Values of `along`; sizes may have units, such as ``"1e21 FLOPs"``. By default the lowest
        values with 35, 50, 65 and 80% of the runs strictly below.
    along : str
        The numeric column that is cut: ``"flops"``, ``"n_params"``, ``"tokens"`` or any other.
    probs : iterable of float
        Probabilities inside the equal-tailed intervals.
    budget : float or str, optional
        Compute to allocate in every refit; by default the largest compute of the runs.
    min_runs : int
        Fewest runs below a cut.
    seed : int
        Source of randomness. Each refit draws from it by its law's name and its cut, so that it
        gives the same numbers whatever else is refitted.
    directory : str or Path, optional
        Folder that keeps every finished refit. A later call reads those that it would compute
        alike, and computes the rest. What determines a refit is the table of runs, the law or
        forecaster with its priors and settings, its name, `along`, `probs`, `budget`, `seed` and
        the version of this package; a change to the code of a law of your own is not seen.
    n_jobs : int, optional
        Processes, as joblib counts them: -1 for one a core. By default what
        ``joblib.parallel_config`` says, and else this process alone. Each process compiles each
        law for itself, and nutpie spreads the chains of one refit over the cores anyway, so more
        processes pay with more cores than chains, and for forecasters that use one core. On a
        Dask cluster::

            with joblib.parallel_config("dask"):
                sb.backtest(runs, laws)
    progressbar : bool
        Whether to show progress.

    Returns
    -------
    Backtest
        Scores, and how the compute-optimal allocation drifts from cut to cut. Refits that raise
        an error of this package are listed in its ``failures``; the others go on.

    Raises
    ------
    InputError
        If an argument cannot be used, or a cut leaves nothing to fit or nothing to score.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> found = sb.backtest(
    ...     sb.datasets.load_tiny_transformers(),
    ...     {"log-linear": sb.baselines.LogLinearLeastSquares()},
    ...     progressbar=False,
    ... )
    >>> found.pooled()[["law", "of", "n_cuts", "n_scored"]]
              law          of  n_cuts  n_scored
    0  log-linear     new_run       4       177
    1  log-linear  mean_curve       4       177
    """
    if not isinstance(runs, Runs):
        raise InputError(f"runs is a {type(runs).__name__}; give what sb.read_runs(...) returns.")
    _check_counts(min_runs=min_runs, seed=seed, n_jobs=n_jobs)
    chosen = choose_cuts(runs, along, cuts, min_runs=min_runs)
    largest = float(runs.frame["flops"].max())
    plan = Plan(
        along=along,
        probs=_checked_probs(probs),
        budget=largest if budget is None else parse_quantity(budget, kind="flops", name="budget"),
        seed=int(seed),
    )
    forecasters = _forecasters(laws)
    covariates: list[str] = [*SIZES, along]
    for forecaster in forecasters.values():
        if isinstance(forecaster, Fitter):
            covariates += runs.covariates(forecaster.law.covariates)
    refits = [
        Refit(name, cut)
        for name, forecaster in forecasters.items()
        for cut in _cuts_of(forecaster, chosen)
    ]
    store = None
    if directory is not None:
        store = Store(Path(directory), runs, forecasters, plan)
    outcomes = _stored(refits, store)
    todo = [refit for refit in refits if refit not in outcomes]
    computed = _computed(todo, forecasters, runs, plan, n_jobs)
    with closing(computed), _progress(len(refits), progressbar) as advance:
        advance(len(outcomes))
        for refit, outcome in computed:
            if store is not None:
                store.write(refit, outcome)
            outcomes[refit] = outcome
            advance(1)
    in_order = {refit: outcomes[refit] for refit in refits}
    return assemble(in_order, runs, plan, cuts=chosen, covariates=covariates)


def _check_counts(*, min_runs: int, seed: int, n_jobs: int | None) -> None:
    for name, value, least in (("min_runs", min_runs, 1), ("seed", seed, 0)):
        if not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name} is {value!r}; it must be a whole number, at least {least}.")
    if n_jobs is not None and (not isinstance(n_jobs, int | np.integer) or n_jobs == 0):
        raise InputError(f"n_jobs is {n_jobs!r}; give a number of processes, or -1 for one a core.")


def _checked_probs(probs: Iterable[float]) -> tuple[float, ...]:
    if isinstance(probs, str | int | float):
        raise InputError(f"probs is {probs!r}; give a list, such as [0.5, 0.9].")
    checked = tuple(dict.fromkeys(float(prob) for prob in probs))
    for prob in checked:
        if not 0 < prob < 1:
            raise InputError(
                f"probs holds {prob!r}; an interval needs a probability between 0 and 1."
            )
    if not checked:
        raise InputError("probs is empty; give at least one probability, such as 0.9.")
    return checked


def _forecasters(laws: Mapping[str, Law | Forecaster]) -> dict[str, Forecaster]:
    if not isinstance(laws, Mapping) or not laws:
        raise InputError('give the laws by name, such as {"chinchilla": sb.laws.Chinchilla()}.')
    found: dict[str, Forecaster] = {}
    for name, law in laws.items():
        if not isinstance(name, str):
            raise InputError(f"the law {law!r} has the name {name!r}; names are text.")
        if isinstance(law, Law):
            found[name] = Fitter(law, settings=SamplerSettings(progressbar=False))
        elif isinstance(law, type) or not callable(getattr(law, "fit", None)):
            hint = " Write it with parentheses." if isinstance(law, type) else ""
            raise InputError(
                f"{name!r} is {law!r}, which is neither a law nor has it a method fit; give one "
                f"such as sb.laws.Chinchilla().{hint}"
            )
        else:
            found[name] = law
    return found


def _cuts_of(forecaster: Forecaster, cuts: tuple[float, ...]) -> tuple[float, ...]:
    """Return the cuts, and all runs at the end unless nothing can be allocated with them."""
    law = getattr(forecaster, "law", None)
    if isinstance(law, Law) and not trades(law):
        return cuts
    return (*cuts, ALL_RUNS)


def _stored(refits: Iterable[Refit], store: Store | None) -> dict[Refit, Outcome]:
    if store is None:
        return {}
    read = {refit: store.read(refit) for refit in refits}
    return {refit: outcome for refit, outcome in read.items() if outcome is not None}


def _computed(
    refits: list[Refit],
    forecasters: Mapping[str, Forecaster],
    runs: Runs,
    plan: Plan,
    n_jobs: int | None,
) -> Generator[tuple[Refit, Outcome]]:
    """Yield each refit with its outcome as soon as it is there, in any order.

    Refits are handed out law by law, so that each process compiles as few laws as it can.
    """
    import joblib

    call = uuid.uuid4().hex
    # One argument that is a tuple: joblib would hand larger objects to a single Dask worker, and
    # every refit would fail when that worker dies.
    jobs = [
        joblib.delayed(_in_any_process)((call, refit, forecasters[refit.law], runs, plan))
        for refit in refits
    ]
    options = {"n_jobs": n_jobs, "batch_size": 1}
    try:
        parallel = joblib.Parallel(return_as="generator_unordered", **options)
    except ValueError:  # Backends such as multiprocessing return everything at the end.
        parallel = joblib.Parallel(return_as="list", **options)
    try:
        yield from parallel(jobs)
    finally:
        _KEPT.pop(call, None)


def _in_any_process(
    task: tuple[str, Refit, Forecaster, Runs, Plan],
) -> tuple[Refit, Outcome]:
    """Carry out a refit with the forecaster that this process has compiled already, if any."""
    call, refit, forecaster, runs, plan = task
    with _ONE_AT_A_TIME:
        if call not in _KEPT:
            _KEPT.clear()
        kept = _KEPT.setdefault(call, {}).setdefault(refit.law, forecaster)
        return refit, carry_out(refit, kept, runs, plan)


@contextmanager
def _progress(total: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """Give a function that advances a bar of refits by a number of them."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    bar = Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )
    with bar:
        task = bar.add_task("Backtest", total=total)
        yield lambda finished: bar.advance(task, finished)
