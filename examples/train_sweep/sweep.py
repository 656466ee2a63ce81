"""Train the runs of the plan that are still missing from a table.

    python sweep.py lr-check     four sizes at half, once and twice the rule's learning rate
    python sweep.py batch-check  five runs at half the rule's batch
    python sweep.py sweep        the runs that forecasts are fitted to
    python sweep.py held-out     the larger runs of a pre-registration
    python sweep.py held-out-check  one of these at half the learning rate, and at half the batch

Stop it whenever you like: a run is in the table as soon as it is finished, and the next start
goes on with those that are not. `--workers` is the number of runs trained at a time, each
about on one core.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import plan
import table
from corpus import standard_library
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from train import train

HERE = Path(__file__).parent
ONE_CORE = "--xla_cpu_multi_thread_eigen=false"
PLANS = {
    "lr-check": lambda _: plan.lr_check(),
    "batch-check": lambda _: plan.batch_check(),
    "sweep": lambda _: plan.sweep(),
    "held-out": plan.held_out,
    "held-out-check": plan.held_out_check,
}


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=PLANS)
    parser.add_argument("--table", type=Path, default=Path("tiny_transformers.csv"))
    parser.add_argument("--registered", type=Path, default=HERE / "preregistered" / "runs.csv")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    points = PLANS[arguments.what](arguments.registered)
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {ONE_CORE}"  # for the workers
    left = table.missing(points, arguments.table, standard_library())
    train_all(left, arguments.table, arguments.workers)


def train_all(points: list[plan.Point], path: Path, workers: int) -> None:
    """Train runs side by side, largest first, and add each to the table when it is finished.

    Parameters
    ----------
    points : list of Point
    path : Path
        The table.
    workers : int
        Runs at a time.

    Raises
    ------
    FloatingPointError
        When all are trained, and some diverged.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}% of the FLOPs"),
        TimeRemainingColumn(),
    )
    with (
        Progress(*columns) as progress,
        ProcessPoolExecutor(workers, get_context("spawn"), end_with_parent) as pool,
    ):
        task = progress.add_task(f"{len(points)} runs", total=sum(point.flops for point in points))
        largest_first = sorted(points, key=lambda point: -point.flops)
        running = {pool.submit(row_of_run, point): point for point in largest_first}
        diverged = []
        try:
            for finished in as_completed(running):
                try:
                    table.append(finished.result(), path)
                except FloatingPointError as error:
                    diverged.append(str(error))
                progress.advance(task, running[finished].flops)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if diverged:
        raise FloatingPointError(
            f"{len(diverged)} runs have no row, the others do. {' '.join(diverged)} Lower their "
            "learning rate in plan.py, and start again."
        )


def end_with_parent() -> None:
    """Let a worker end when the process that started it is killed."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def row_of_run(point: plan.Point) -> dict[str, object]:
    """Train one run; return its row."""
    text = standard_library()
    return table.row_of(point, train(point, text), text)


if __name__ == "__main__":
    main()
