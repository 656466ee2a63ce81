"""What is scored on a sweep, and its backtest, in a module that processes can share."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

# Fits of a few rows only get slower with more threads in BLAS.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pandas as pd
from pooled import CHOSEN, REFERENCE
from rival import SimpleScalingLaws
from sweeps import Kind, Sweep

import scaling_bayes as sb
from scaling_bayes._identifiability import check_identifiable
from scaling_bayes.errors import IdentifiabilityError, IdentifiabilityWarning

QUIET = sb.SamplerSettings(progressbar=False)


@cache
def methods() -> dict[Kind, dict[str, sb.Forecaster]]:
    """Return what is scored on sweeps over N and D, and on single curves.

    Made once a process, so that it compiles each law once.
    """
    chinchilla, curve = sb.laws.Chinchilla(), sb.laws.PowerLaw("tokens")
    smooth = sb.discrepancy.Smooth()
    alike: dict[str, sb.Forecaster] = {
        "log-linear least squares": sb.baselines.LogLinearLeastSquares(),
        "broken law (BNSL)": sb.baselines.BrokenLaw(),
        "last slope": sb.baselines.LastSlope(),
    }
    return {
        "joint": {
            REFERENCE: sb.Fitter(chinchilla, settings=QUIET, discrepancy=None),
            CHOSEN: sb.Fitter(chinchilla, discrepancy=smooth, settings=QUIET),
            "Huber + bootstrap": sb.baselines.HuberBootstrap(),
            **alike,
            "simple-scaling-laws": SimpleScalingLaws(),
        },
        "curve": {
            REFERENCE: sb.Fitter(curve, settings=QUIET, discrepancy=None),
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


def scored(sweep: Sweep, *, seed: int, directory: Path | None) -> dict[str, pd.DataFrame]:
    """Return every forecast of a sweep, its allocations, failures and warnings."""
    # A refit that fails is in the table of failures; the tool tells of each again.
    logging.getLogger("simple_scaling_laws").setLevel(logging.ERROR)
    forecasters = methods()[sweep.kind]
    with warnings.catch_warnings():
        # They are in the table of warnings.
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        backtest = sb.backtest(
            sweep.runs,
            forecasters,
            cuts=sweep.cuts,
            min_runs=1,
            seed=seed,
            directory=directory,
            progressbar=False,
        )
    tables = {name: getattr(backtest, name) for name in ("points", "allocation", "failures")}
    tables["warnings"] = warned(sweep, forecasters)
    return {name: named(table, sweep) for name, table in tables.items()}
