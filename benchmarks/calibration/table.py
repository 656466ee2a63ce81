"""Score forecasts beyond the runs on every sweep, and write the table of the documentation.

Each sweep is cut at one or several levels of compute; every method is fitted to the runs below a
cut and scored on those at or above it. ``--output`` gets points.parquet with every forecast of a
run, the allocations, failures and warnings, and table.md, which docs/explanation/calibration.md
includes. Finished refits are kept in ``--directory``, so that a run that was stopped goes on where
it was. ``--data`` must hold the tables of all ``--sources``.
"""

from __future__ import annotations

import time
from pathlib import Path

import joblib
import pandas as pd
from common import arguments
from pooled import report
from rich.progress import track
from scored import scored
from sweeps import SOURCES, sweeps

from scaling_bayes._atomic import replacing

QUICK_SOURCES = ("datablations", "nanogpt_width")


def main() -> None:
    """Backtest every sweep, write what came out, and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--directory", type=Path, help="where to keep finished refits")
    parser.add_argument("--output", type=Path, default=Path("calibration"))
    parser.add_argument("--sources", nargs="+", choices=SOURCES, help="(default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=-1, help="processes (default: one a core)")
    options = parser.parse_args()
    sources = options.sources or (QUICK_SOURCES if options.quick else SOURCES)
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    cut = [sweep for sweep in sweeps(options.data, tuple(sources)) if sweep.cuts]
    parallel = joblib.Parallel(n_jobs=options.jobs, batch_size=1, return_as="generator")
    found = parallel(
        joblib.delayed(scored)(sweep, seed=options.seed, directory=options.directory)
        for sweep in cut
    )
    tables = list(track(found, "Sweeps", total=len(cut)))
    for name in tables[0]:
        with replacing(options.output / f"{name}.parquet") as path:
            pd.concat([each[name] for each in tables], ignore_index=True).to_parquet(path)
    text = report(options.output)
    with replacing(options.output / "table.md") as path:
        path.write_text(text)
    print(text)
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
