"""One map over joblib for all that is refitted many times, here or on a cluster."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from scaling_bayes._work.progress import watched
from scaling_bayes.errors import InputError, WorkerKilledError

_KEPT: dict[str, dict[str, Any]] = {}
"""What this process has worked with already, by call and name."""
# Neither PyTensor's compiler nor PyMC's samplers may run in two threads at once; the chains of a
# refit use the cores anyway.
_ONE_AT_A_TIME = threading.Lock()


def in_processes[Kept, Item, Result](
    work: Callable[[Kept, Item], Result],
    jobs: Sequence[tuple[str, Kept, Item]],
    *,
    n_jobs: int | None,
    kept_so_far: str,
) -> Generator[tuple[Item, Result]]:
    """Yield each item with what work made of it as soon as it is there, in any order.

    Parameters
    ----------
    work : callable
        Takes what is kept and an item. What it shows while it runs is not shown.
    jobs : sequence of (str, object, object)
        A name, what each process keeps by that name, such as a fitter with its compiled model,
        and the item. They are handed out in order, so that a process that gets jobs of the same
        name compiles as little as it can.
    n_jobs : int, optional
        Processes, as joblib counts them; by default what ``joblib.parallel_config`` says.
    kept_so_far : str
        A sentence on where finished work is, for the error.

    Raises
    ------
    InputError
        If `n_jobs` is no number of processes.
    WorkerKilledError
        If a worker process was killed and joblib cannot go on without it.
    """
    if n_jobs is not None and (not isinstance(n_jobs, int | np.integer) or n_jobs == 0):
        raise InputError(f"n_jobs is {n_jobs!r}; give a number of processes, or -1 for one a core.")
    call = uuid.uuid4().hex
    try:
        yield from _results([(call, work, *job) for job in jobs], n_jobs)
    except _errors_of_killed_workers() as error:
        raise WorkerKilledError(
            "a worker process was killed, most often for lack of memory: by the system, or by "
            f"Dask or Slurm at the limit of a job. {kept_so_far} What usually helps: fewer "
            "processes on a machine, or more memory for each."
        ) from error
    finally:
        _KEPT.pop(call, None)


def _results(tasks: Sequence[Any], n_jobs: int | None) -> Generator[Any]:
    import joblib
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    if hasattr(backend, "client"):
        yield from _on_dask(backend, tasks)
        return
    options = {"n_jobs": n_jobs, "batch_size": 1}
    try:
        parallel = joblib.Parallel(return_as="generator_unordered", **options)
    except ValueError:  # Backends such as multiprocessing return everything at the end.
        parallel = joblib.Parallel(return_as="list", **options)
    yield from parallel(joblib.delayed(_in_any_process)(task) for task in tasks)


def _on_dask(backend: Any, tasks: Sequence[Any]) -> Generator[Any]:
    """Hand tasks to the cluster of joblib's Dask backend.

    joblib 1.6 itself waits for ever for a task whose workers were killed.
    """
    from distributed import as_completed

    waiting = set(backend.client.map(_in_any_process, tasks, pure=False, **backend.submit_kwargs))
    try:
        for future, result in as_completed(list(waiting), with_results=True):
            waiting.discard(future)
            yield result
    finally:
        backend.client.cancel(list(waiting))


def _in_any_process[Kept, Item, Result](
    task: tuple[str, Callable[[Kept, Item], Result], str, Kept, Item],
) -> tuple[Item, Result]:
    """Work with what this process has kept already, if anything."""
    call, work, name, given, item = task
    with _ONE_AT_A_TIME, watched("Job", shown=False):
        if call not in _KEPT:
            _KEPT.clear()
        kept: Kept = _KEPT.setdefault(call, {}).setdefault(name, given)
        return item, work(kept, item)


def _errors_of_killed_workers() -> tuple[type[Exception], ...]:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if "distributed" not in sys.modules:
        return (TerminatedWorkerError,)
    from distributed.scheduler import KilledWorker

    return TerminatedWorkerError, KilledWorker
