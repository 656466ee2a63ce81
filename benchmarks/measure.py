"""Time and memory of a task, and the table that a benchmark prints."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import pandas as pd


@dataclass(frozen=True)
class Timing:
    """Medians over rounds: seconds that pass, and seconds of work on all cores."""

    wall: float
    cpu: float


def alternate(tasks: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Timing]:
    """Time tasks in turn, A B A B, so that a busy spell of the machine strikes all of them.

    Parameters
    ----------
    tasks : mapping of str to callable
        What to time, by name. Each is called once more at first, to warm up.
    rounds : int
        Times that each is timed.
    """
    for task in tasks.values():
        task()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            wall, cpu = time.perf_counter(), time.process_time()
            task()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Timing(wall=median(w for w, _ in pairs), cpu=median(c for _, c in pairs))
        for name, pairs in seconds.items()
    }


def peak_megabytes(task: Callable[[], object]) -> float:
    """Return the most memory that the task holds at once beyond what was held before."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def print_table(title: str, rows: list[dict[str, object]]) -> None:
    """Print rows under a title; numbers get three digits."""
    print(f"\n{title}")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
