"""Score forecasts and allocations beyond the runs, and write the table of the documentation.

Each sweep over N and D is cut at several levels of compute; every method is fitted to the runs
below a cut (at most 200 of them), scored on those at or above it (at most 60), and asked for N* at
the isoFLOP minima measured there. ``--output`` gets points.parquet with every forecast of a run,
the allocations, failures and warnings, and table.md, which docs/explanation/calibration.md
includes. Finished refits are kept in ``--directory``, so that a run that was stopped goes on where
it was; after a change to the package's code the same command makes them again. ``--all`` adds the
slow rest: single curves, three more baselines, simple-scaling-laws, and the sweeps that count the
parameters of the same trainings in another way. ``--data`` must hold the tables of all
``--sources``; tiny_transformers, which ``--quick`` takes, comes with the package.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import joblib
import pandas as pd
from common import arguments
from report import report
from rich.progress import track
from scored import Cut, scored
from sweeps import CURVES, SOURCES, sweeps

from scaling_bayes._files.whole_files import write_whole

QUICK_SOURCE, QUICK_CUTS = "tiny_transformers", 2


def main() -> None:
    """Score every cut of every sweep, write what came out, and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--directory", type=Path, help="where to keep finished refits")
    parser.add_argument("--output", type=Path, default=Path("calibration"))
    parser.add_argument("--sources", nargs="+", choices=SOURCES, help="(default: all)")
    parser.add_argument("--all", action="store_true", help="the slow rest, and single curves too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=-1, help="processes (default: one a core)")
    options = parser.parse_args()
    usual = [source for source in SOURCES if options.all or source not in CURVES]
    sources = options.sources or ([QUICK_SOURCE] if options.quick else usual)
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    cuts = [
        Cut(sweep, flops)
        for sweep in sweeps(options.data, tuple(sources))
        if options.all or not sweep.repeats
        for flops in sweep.cuts[: QUICK_CUTS if options.quick else None]
    ]
    parallel = joblib.Parallel(n_jobs=options.jobs, batch_size=1, return_as="generator")
    found = parallel(
        joblib.delayed(scored)(
            cut, every=options.all, seed=options.seed, directory=options.directory
        )
        for cut in cuts
    )
    tables = list(track(found, "Cuts", total=len(cuts)))
    for name in tables[0]:
        whole = pd.concat([each[name] for each in tables], ignore_index=True)
        write_whole(options.output / f"{name}.parquet", whole.to_parquet())
    text = report(options.output)
    write_whole(options.output / "table.md", text.encode())
    print(text)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes, load now {load}")


if __name__ == "__main__":
    main()
