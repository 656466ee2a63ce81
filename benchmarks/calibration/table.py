"""Score forecasts beyond the runs on every sweep, and write the table of the documentation.

Each sweep is cut at one or several levels of compute; every method is fitted to the runs below a
cut and scored on those at or above it. ``--output`` gets points.parquet with every forecast of a
run, the allocations, failures and warnings, and table.md, which docs/explanation/calibration.md
includes. Finished refits are kept in ``--directory``, so that a run that was stopped goes on where
it was. ``--data`` must hold the tables of all ``--sources``.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# Fits of a few rows only get slower with more threads in BLAS.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pandas as pd
from common import arguments
from pooled import CHOSEN, REFERENCE, report
from rich.progress import track
from rival import SimpleScalingLaws
from sweeps import SOURCES, Kind, Sweep, sweeps

import scaling_bayes as sb
from scaling_bayes._atomic import replacing
from scaling_bayes._identifiability import check_identifiable
from scaling_bayes.errors import IdentifiabilityError, IdentifiabilityWarning

QUIET = sb.SamplerSettings(progressbar=False)
QUICK_SOURCES = ("datablations", "nanogpt_width")


def methods() -> dict[Kind, dict[str, sb.Forecaster]]:
    """Return what is scored on sweeps over N and D, and on single curves."""
    chinchilla, curve = sb.laws.Chinchilla(), sb.laws.PowerLaw("tokens")
    smooth = sb.discrepancy.Smooth()
    alike: dict[str, sb.Forecaster] = {
        "log-linear least squares": sb.baselines.LogLinearLeastSquares(),
        "broken law (BNSL)": sb.baselines.BrokenLaw(),
        "last slope": sb.baselines.LastSlope(),
    }
    return {
        "joint": {
            REFERENCE: sb.Fitter(chinchilla, settings=QUIET),
            CHOSEN: sb.Fitter(chinchilla, discrepancy=smooth, settings=QUIET),
            "Huber + bootstrap": sb.baselines.HuberBootstrap(),
            **alike,
            "simple-scaling-laws": SimpleScalingLaws(),
        },
        "curve": {
            REFERENCE: sb.Fitter(curve, settings=QUIET),
            CHOSEN: sb.Fitter(curve, discrepancy=smooth, settings=QUIET),
            "Huber + bootstrap": sb.baselines.HuberBootstrap(curve),
            **alike,
        },
    }


def warned(sweep: Sweep, forecasters: Mapping[str, sb.Forecaster]) -> pd.DataFrame:
    """Return what the fits below each cut warn of.

    The runs are asked, not the fits: a refit that was kept does not warn again.
    """
    rows: list[dict[str, object]] = []
    flops = sweep.runs.frame["flops"].to_numpy()
    for law, forecaster in forecasters.items():
        if not isinstance(forecaster, sb.Fitter):
            continue
        for cut in sweep.cuts:
            with warnings.catch_warnings(record=True) as caught, suppress(IdentifiabilityError):
                warnings.simplefilter("always", IdentifiabilityWarning)
                check_identifiable(sweep.runs.where(flops < cut), forecaster.law)
            rows += [
                {
                    "law": law,
                    "cut": cut,
                    "warning": warning.category.__name__,
                    "message": str(warning.message),
                }
                for warning in caught
            ]
    return pd.DataFrame(rows, columns=["law", "cut", "warning", "message"])


def named(table: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Return a table with what its sweep is."""
    about = {
        "source": sweep.source,
        "sweep": sweep.name,
        "kind": sweep.kind,
        "set_aside": sweep.set_aside,
    }
    return table.assign(**about)


def main() -> None:
    """Backtest every sweep, write what came out, and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--directory", type=Path, help="where to keep finished refits")
    parser.add_argument("--output", type=Path, default=Path("calibration"))
    parser.add_argument("--sources", nargs="+", choices=SOURCES, help="(default: all)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sources = options.sources or (QUICK_SOURCES if options.quick else SOURCES)
    options.output.mkdir(parents=True, exist_ok=True)
    # A refit that fails is in the table of failures; the tool tells of each again.
    logging.getLogger("simple_scaling_laws").setLevel(logging.ERROR)
    start = time.perf_counter()
    scored = methods()
    tables: dict[str, list[pd.DataFrame]] = {
        "points": [],
        "allocation": [],
        "failures": [],
        "warnings": [],
    }
    for sweep in track(sweeps(options.data, tuple(sources)), "Sweeps"):
        if not sweep.cuts:
            continue
        with warnings.catch_warnings():
            # They are in the table of warnings.
            warnings.simplefilter("ignore", IdentifiabilityWarning)
            backtest = sb.backtest(
                sweep.runs,
                scored[sweep.kind],
                cuts=sweep.cuts,
                min_runs=1,
                seed=options.seed,
                directory=options.directory,
                progressbar=False,
            )
        for name in ("points", "allocation", "failures"):
            tables[name].append(named(getattr(backtest, name), sweep))
        tables["warnings"].append(named(warned(sweep, scored[sweep.kind]), sweep))
    for name, parts in tables.items():
        with replacing(options.output / f"{name}.parquet") as path:
            pd.concat(parts, ignore_index=True).to_parquet(path)
    text = report(options.output)
    with replacing(options.output / "table.md") as path:
        path.write_text(text)
    print(text)
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
