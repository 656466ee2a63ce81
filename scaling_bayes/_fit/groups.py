"""One fit a group of runs, here or on a cluster."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from pathlib import Path

import numpy as np

from scaling_bayes._fit.fit import Fit, load
from scaling_bayes._fit.fitter import Fitter
from scaling_bayes._fit.grouping import runs_by_group
from scaling_bayes._fit.kept import describe, digest_of, file_in, folder_at, sentence_on
from scaling_bayes._version import __version__
from scaling_bayes._work.jobs import in_processes
from scaling_bayes._work.progress import watched
from scaling_bayes._work.seeds import check_seed
from scaling_bayes.errors import (
    ConvergenceError,
    FileFormatError,
    GroupsError,
    InputError,
    ScalingBayesError,
)
from scaling_bayes.laws import Law
from scaling_bayes.runs import Runs


def fit_groups(
    runs: Runs,
    law: Law | Fitter,
    *,
    by: str = "group",
    seed: int = 0,
    directory: str | Path | None = None,
    n_jobs: int | None = None,
    progressbar: bool = True,
) -> dict[str, Fit]:
    """Fit a law to each group of runs by itself.

    Nothing is shared between the groups but the law, its priors, and the model, which each
    process compiles once.

    Parameters
    ----------
    runs : Runs
        The training runs of all groups.
    law : Law or Fitter
        What is fitted; a law by a `Fitter` with default settings.
    by : str
        The column that says which group a run is of, such as a corpus or an architecture.
    seed : int
        Source of randomness. Each group draws from it by its name, so that it gives the same
        numbers whatever other groups there are.
    directory : str or Path, optional
        Folder that keeps every finished fit. A later call reads those that it would compute
        alike, and computes the rest, as `backtest` does.
    n_jobs : int, optional
        Processes, as for `backtest`.
    progressbar : bool
        Whether to show how many groups are fitted; of the fits themselves nothing is shown.

    Returns
    -------
    dict of str to Fit
        A fit for each group, in the order in which groups appear in the table.

    Raises
    ------
    InputError
        If an argument cannot be used, or cells of the column are missing.
    GroupsError
        If some groups cannot be fitted, after all others were; it holds these.
    WorkerKilledError
        If a worker process was killed and the others cannot go on.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> runs = sb.datasets.load_tiny_transformers().where("batch <= 8")
    >>> fits = sb.fit_groups(runs, sb.laws.PowerLaw("flops"), by="batch", progressbar=False)
    >>> {name: fit.runs.counted for name, fit in fits.items()}
    {'8': '31 runs in 21 rows', '4': '41 runs in 33 rows'}
    """
    if not isinstance(runs, Runs):
        raise InputError(f"runs is a {type(runs).__name__}; give what sb.read_runs(...) returns.")
    check_seed(seed)
    fitter = law if isinstance(law, Fitter) else Fitter(law)
    groups = runs_by_group(runs, by)
    files = {} if directory is None else _files(directory, groups, fitter, int(seed))
    with watched("Fits", shown=progressbar) as watch:
        fits = {name: fit for name, path in files.items() if (fit := _read(path, fitter))}
        errors: dict[str, ScalingBayesError] = {}
        todo = [
            ("fitter", fitter, (name, own, _seed(int(seed), name)))
            for name, own in groups.items()
            if name not in fits
        ]
        watch.count(len(fits), len(groups), "groups")
        fitted = in_processes(
            _fitted, todo, n_jobs=n_jobs, kept_so_far=sentence_on(directory, "finished fits")
        )
        with closing(fitted):
            for (name, *_), found in fitted:
                if isinstance(found, Fit):
                    if name in files:
                        found.save(files[name])
                    fits[name] = found
                else:
                    errors[name] = found
                watch.count(len(fits) + len(errors), len(groups), "groups")
    in_order = {name: fits[name] for name in groups if name in fits}
    if errors:
        listed = "; ".join(f"{name}: {error}" for name, error in errors.items())
        raise GroupsError(
            f"{len(errors)} of {len(groups)} groups could not be fitted: {listed} The fits of the "
            "others are in .fits of this error. Leave these out, or give them more runs.",
            errors,
            in_order,
        )
    return in_order


def _fitted(fitter: Fitter, group: tuple[str, Runs, int]) -> Fit | ScalingBayesError:
    _, runs, seed = group
    try:
        return fitter.fit(runs, seed=seed)
    except ScalingBayesError as error:
        return error


def _seed(seed: int, name: str) -> int:
    """Return the seed of a group, which does not depend on the others."""
    digest = hashlib.sha256(name.encode()).digest()
    (own,) = np.random.SeedSequence([seed, int.from_bytes(digest[:16])]).generate_state(1)
    return int(own)


def _files(
    directory: str | Path, groups: dict[str, Runs], fitter: Fitter, seed: int
) -> dict[str, Path]:
    """Return the file of each group's fit, whether it is there or not."""
    folder = folder_at(directory)
    shared = {"version": __version__, "fitter": describe(fitter, "law"), "seed": seed}
    return {
        name: file_in(folder, json.dumps(shared | {"group": name, "runs": digest_of(own)}), ".nc")
        for name, own in groups.items()
    }


def _read(path: Path, fitter: Fitter) -> Fit | None:
    """Return a fit; None if there is no file, it is damaged, or its draws are refused."""
    try:
        return load(
            path,
            law=fitter.law,
            noise=fitter.noise,
            discrepancy=fitter.discrepancy,
            on_failure=fitter.on_failure,
        )
    except (FileFormatError, ConvergenceError):
        return None
