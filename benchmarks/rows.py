"""Time and memory as the table of runs grows from 240 to 100,000 rows.

Each size runs in a process of its own, which reads simulated runs from a CSV file, fits
Chinchilla's law (2 x 500 draws), and forecasts every row. A slope of 1 between two sizes in
log-log is linear; fixed costs make it smaller. Memory is the highest the process reached by the
end of each step.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import print_table
from sweep import arguments, simulated_runs

import scaling_bayes as sb

SIZES = (240, 2_400, 24_000, 100_000)
STEPS = ("read", "sample", "forecast")


def peak_megabytes() -> float:
    """Return the most memory that this process has held so far."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(n_rows: int) -> dict[str, float]:
    """Return seconds and peak memory of each step, for one size, in this process."""
    settings = sb.SamplerSettings(draws=500, tune=500, chains=2, progressbar=False)
    fitter = sb.Fitter(sb.laws.Chinchilla(), settings=settings, discrepancy=None)
    fitter.fit(sb.read_runs(simulated_runs(240)), seed=1)  # compiles
    figures = {"peak MB before": peak_megabytes()}

    def note(step: str, start: float) -> None:
        figures[f"{step} s"] = time.perf_counter() - start
        figures[f"peak MB after {step}"] = peak_megabytes()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        simulated_runs(n_rows).to_csv(path, index=False)
        start = time.perf_counter()
        runs = sb.read_runs(path)
        note("read", start)
    start = time.perf_counter()
    fit = fitter.fit(runs, seed=1)
    note("sample", start)
    start = time.perf_counter()
    fit.forecast(runs, seed=1).interval()
    note("forecast", start)
    return figures


def in_own_process(n_rows: int) -> dict[str, float]:
    """Return what `measure` returns, from a new process."""
    command = [sys.executable, __file__, "--rows", str(n_rows)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, help="measure this size only, and print JSON")
    options = parser.parse_args()
    if options.rows:
        print(json.dumps(measure(options.rows)))
        return
    sizes = (60, 240) if options.quick else SIZES
    figures = [in_own_process(n_rows) for n_rows in sizes]
    print_table(
        "Simulated runs, one process a size",
        [{"rows": n, **found} for n, found in zip(sizes, figures, strict=True)],
    )
    columns = [f"{step} s" for step in STEPS]
    print_table(
        "Slope in log-log (1 is linear)",
        [
            {
                "from": sizes[i],
                "to": sizes[i + 1],
                **{
                    column: np.log(figures[i + 1][column] / figures[i][column])
                    / np.log(sizes[i + 1] / sizes[i])
                    for column in columns
                },
            }
            for i in range(len(sizes) - 1)
        ],
    )


if __name__ == "__main__":
    main()
