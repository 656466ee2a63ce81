"""Time and memory as rows grow from 240 to 100,000, and points and budgets beyond.

Each size runs in a process of its own. By rows, it reads simulated runs from a CSV file, fits
Chinchilla's law, alone and with discrepancy (2 x 500 draws), scores it by PSIS-LOO,
checks it, and forecasts every row. By points and budgets, it asks a fit of 240 runs (4 x 1000
draws, or 4 x 100 for a million points) for the table of a forecast or an allocation. A slope of 1
between two sizes in log-log is linear; fixed costs make it smaller. Seconds are those of the
processor. Memory is the highest that the process reached by the end of each step.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from measure import print_table
from sweep import arguments, simulated_runs

import scaling_bayes as sb

ROWS = (240, 2_400, 24_000, 100_000)
POINTS = (1_000, 10_000, 100_000)
BUDGETS = (500, 2_000, 10_000)
LAWS = ("alone", "smooth")

Figures = dict[str, float]


def peak_megabytes() -> float:
    """Return the most memory that this process has held so far."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def fitter_of(law: str, draws: int, chains: int) -> sb.Fitter:
    """Return what fits Chinchilla's law, alone or with discrepancy."""
    settings = sb.SamplerSettings(draws=draws, tune=500, chains=chains, progressbar=False)
    discrepancy = sb.discrepancy.Smooth() if law == "smooth" else None
    return sb.Fitter(
        sb.laws.Chinchilla(), discrepancy=discrepancy, settings=settings, on_failure="warn"
    )


class Steps:
    """Seconds of the processor and peak memory of one step after the other."""

    def __init__(self) -> None:
        self.figures: Figures = {"peak MB before": peak_megabytes()}

    def __call__[T](self, step: str, task: Callable[[], T]) -> T:
        """Carry out a step, and return what it returns."""
        start = time.process_time()
        found = task()
        self.figures[f"{step} s"] = time.process_time() - start
        self.figures[f"peak MB after {step}"] = peak_megabytes()
        return found


def by_rows(law: str, n_rows: int) -> Figures:
    """Return the figures of what is asked of a table of runs, in this process."""
    fitter = fitter_of(law, 500, 2)
    fitter.fit(sb.read_runs(simulated_runs(240)), seed=1)  # compiles
    step = Steps()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        simulated_runs(n_rows).to_csv(path, index=False)
        runs = step("read", lambda: sb.read_runs(path))
    fit = step("fit", lambda: fitter.fit(runs, seed=1))
    step("forecast", lambda: fit.forecast(runs, seed=1).interval())
    step("compare", lambda: sb.compare({"one": fit}))
    step("check", lambda: fit.check(seed=1))
    return step.figures


def by_points(law: str, n_points: int) -> Figures:
    """Return the figures of a forecast of many points, in this process."""
    draws = 100 if n_points > max(POINTS) else 1000
    fit = fitter_of(law, draws, 4).fit(sb.read_runs(simulated_runs(240)), seed=1)
    points = simulated_runs(n_points)[["n_params", "tokens"]]
    step = Steps()
    made = step("forecast", lambda: fit.forecast(points, seed=1))
    step("table", made.to_frame)
    return step.figures


def by_budgets(law: str, n_budgets: int) -> Figures:
    """Return the figures of an allocation of many budgets, in this process."""
    fit = fitter_of(law, 1000, 4).fit(sb.read_runs(simulated_runs(240)), seed=1)
    step = Steps()
    made = step("allocate", lambda: fit.allocate(flops=np.geomspace(1e18, 1e26, n_budgets)))
    step("table", made.to_frame)
    return step.figures


KINDS: dict[str, Callable[[str, int], Figures]] = {
    "rows": by_rows,
    "points": by_points,
    "budgets": by_budgets,
}


def in_own_process(kind: str, law: str, size: int) -> Figures:
    """Return the figures of one size, from a new process."""
    command = [sys.executable, __file__, "--one", kind, law, str(size)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures


def report(kind: str, law: str, sizes: tuple[int, ...]) -> None:
    """Measure every size, and print figures, and slopes between sizes."""
    figures = [in_own_process(kind, law, size) for size in sizes]
    print_table(
        f"By {kind}, law {law}, one process a size",
        [{kind: size, **found} for size, found in zip(sizes, figures, strict=True)],
    )
    changes = pd.DataFrame(figures).map(np.log).diff().iloc[1:]
    slopes = changes.div(np.diff(np.log(sizes)), axis=0)
    print_table(
        "Slope in log-log (1 is linear, 0 does not grow)",
        [
            {"from": sizes[i], "to": sizes[i + 1], **row}
            for i, row in enumerate(slopes.to_dict("records"))
        ],
    )


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--one", nargs=3, help="kind, law and size to measure only, as JSON")
    parser.add_argument(
        "--million", action="store_true", help="a million points too, of 4 x 100 draws"
    )
    options = parser.parse_args()
    if options.one:
        kind, law, size = options.one
        print(json.dumps(KINDS[kind](law, int(size))))
        return
    million = (1_000_000,) if options.million else ()
    sizes = {"rows": ROWS, "points": POINTS + million, "budgets": BUDGETS}
    if options.quick:
        sizes = {"rows": (60, 240), "points": (60,), "budgets": (60,)}
    for kind, every in sizes.items():
        for law in LAWS[:1] if options.quick or kind == "budgets" else LAWS:
            report(kind, law, every)


if __name__ == "__main__":
    main()
