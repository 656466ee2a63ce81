"""From runs and laws to a backtest, in this process or in many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from scaling_bayes._evidence.backtest.cuts import choose_cuts
from scaling_bayes._evidence.backtest.refit import ALL_RUNS, Outcome, Plan, Refit, carry_out, trades
from scaling_bayes._evidence.backtest.store import Store
from scaling_bayes._evidence.backtest.tables import Backtest, assemble
from scaling_bayes._files.user_path import path_of
from scaling_bayes._fit.fitter import Fitter
from scaling_bayes._fit.kept import sentence_on
from scaling_bayes._prediction.forecaster import Forecaster
from scaling_bayes._work.jobs import in_processes
from scaling_bayes._work.progress import watched
from scaling_bayes._work.seeds import check_seed
from scaling_bayes.errors import InputError
from scaling_bayes.laws import Law
from scaling_bayes.runs import Runs
from scaling_bayes.units import parse_quantity


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
        Whether to show how many refits are done; of the fits themselves nothing is shown.

    Returns
    -------
    Backtest
        Scores, and how the compute-optimal allocation drifts from cut to cut. Refits that raise
        an error of this package are listed in its ``failures``; the others go on.

    Raises
    ------
    InputError
        If an argument cannot be used, or a cut leaves nothing to fit or nothing to score.
    WorkerKilledError
        If a worker process was killed and the others cannot go on.

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
    check_seed(seed)
    if not isinstance(min_runs, int | np.integer) or min_runs < 1:
        raise InputError(f"min_runs is {min_runs!r}; it must be a whole number, at least 1.")
    chosen = choose_cuts(runs, along, cuts, min_runs=min_runs)
    largest = float(runs.frame["flops"].max()) if "flops" in runs.sizes else np.nan
    plan = Plan(
        along=along,
        probs=_checked_probs(probs),
        budget=largest if budget is None else parse_quantity(budget, kind="flops", name="budget"),
        seed=int(seed),
    )
    forecasters = _forecasters(laws)
    covariates: list[str] = [*runs.sizes, along]
    for forecaster in forecasters.values():
        if isinstance(forecaster, Fitter):
            covariates += runs.covariates(forecaster.law.covariates)
    refits = [
        Refit(name, cut)
        for name, forecaster in forecasters.items()
        for cut in _cuts_of(forecaster, chosen)
    ]
    store = None if directory is None else Store(path_of(directory), runs, forecasters, plan)
    with watched("Backtest", shown=progressbar) as watch:
        outcomes = _stored(refits, store)
        todo = [refit for refit in refits if refit not in outcomes]
        watch.count(len(outcomes), len(refits), "refits")
        computed = in_processes(
            _carried_out,
            [(refit.law, (forecasters[refit.law], runs, plan), refit) for refit in todo],
            n_jobs=n_jobs,
            kept_so_far=sentence_on(directory, "finished refits"),
        )
        with closing(computed):
            for refit, outcome in computed:
                if store is not None:
                    store.write(refit, outcome)
                outcomes[refit] = outcome
                watch.count(len(outcomes), len(refits), "refits")
    in_order = {refit: outcomes[refit] for refit in refits}
    return assemble(in_order, runs, plan, cuts=chosen, covariates=covariates)


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
            found[name] = Fitter(law)
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


def _carried_out(kept: tuple[Forecaster, Runs, Plan], refit: Refit) -> Outcome:
    return carry_out(refit, *kept)
