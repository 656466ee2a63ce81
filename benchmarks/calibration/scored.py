"""One cut of a sweep: every method fitted below, and its forecasts and allocations scored above."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

# Fits of a few rows only get slower with more threads in BLAS.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from methods import methods
from minima import Minimum
from sweeps import Sweep

import scaling_bayes as sb
from scaling_bayes._evidence.backtest.refit import Plan, Refit, _allocates, _scored
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes._fit.kept import describe, digest_of, file_in, folder_at
from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes._prediction.forecaster import Forecaster
from scaling_bayes.errors import IdentifiabilityError, IdentifiabilityWarning, ScalingBayesError

MOST_FITTED, MOST_SCORED = 200, 60
"""Rows below and above a cut that are taken, by chance, where there are more."""
PROBS = (0.5, 0.8, 0.9, 0.95)
TENFOLD = 10.0
"""Times the largest fitted compute, at which N* is asked for beside the measured minima."""
TABLES = ("points", "allocation", "failures", "warnings")

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Cut:
    """One cut of a sweep.

    Attributes
    ----------
    sweep : Sweep
        The sweep.
    flops : float
        Runs below are fitted, runs at or above are scored.
    """

    sweep: Sweep
    flops: float

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that are fitted and those that are scored, the same for each method."""
        rng = np.random.default_rng(
            [zlib.crc32(self.sweep.name.encode()), self.sweep.cuts.index(self.flops)]
        )
        below = self.sweep.runs.frame["flops"].to_numpy() < self.flops
        return tuple(
            np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows
            for rows, most in (
                (np.flatnonzero(below), MOST_FITTED),
                (np.flatnonzero(~below), MOST_SCORED),
            )
        )

    def parts(self) -> tuple[sb.Runs, np.ndarray]:
        """Return the runs that are fitted, and which of all are scored."""
        below, above = self.rows()
        chosen = np.zeros((2, len(self.sweep.runs)), dtype=bool)
        chosen[0, below] = chosen[1, above] = True
        return self.sweep.runs.where(chosen[0]), chosen[1]

    def about(self) -> dict[str, object]:
        """Return columns of what is scored."""
        return {
            "sweep": self.sweep.name,
            "source": self.sweep.source,
            "kind": self.sweep.kind,
            "chose_kernel": self.sweep.chose_kernel,
            "cut": self.flops,
        }


def scored(cut: Cut, *, every: bool, seed: int, directory: Path | None) -> dict[str, pd.DataFrame]:
    """Return what every method gives at a cut: points, allocation, failures and warnings.

    A finished refit is read from the directory; a change to the package's code, or to that of this
    folder which makes the numbers, makes all refits again.
    """
    # A refit that fails is in the table of failures; the tool tells of each again.
    logging.getLogger("simple_scaling_laws").setLevel(logging.ERROR)
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    for name, forecaster in methods(cut.sweep.kind, every=every).items():
        with warnings.catch_warnings():
            # They are in the table of warnings.
            warnings.simplefilter("ignore", IdentifiabilityWarning)
            points, rest = _kept(cut, name, forecaster, seed=seed, directory=directory)
        found["points"].append(points.assign(method=name))
        for kind, rows in rest.items():
            found[kind].append(pd.DataFrame(rows).assign(method=name))
    return {
        name: pd.concat(tables, ignore_index=True).assign(**cut.about())
        for name, tables in found.items()
    }


def _kept(
    cut: Cut, name: str, forecaster: Forecaster, *, seed: int, directory: Path | None
) -> tuple[pd.DataFrame, dict[str, Rows]]:
    if directory is None:
        return _refitted(cut, name, forecaster, seed=seed)
    determinants = [
        *(cut.sweep.name, digest_of(cut.sweep.runs), cut.flops.hex(), name, seed),
        *(describe(forecaster, name), code_digest()),
    ]
    path = file_in(folder_at(directory), json.dumps(determinants), ".parquet")
    with suppress(OSError, ValueError, KeyError):
        points = pd.read_parquet(path)
        return points, points.attrs.pop("rest")
    points, rest = _refitted(cut, name, forecaster, seed=seed)
    points.attrs = {"rest": rest}
    write_whole(path, points.to_parquet())
    points.attrs = {}
    return points, rest


@cache
def code_digest() -> str:
    """Return a digest of the code that the numbers depend on."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    package = sorted(Path(str(sb.__file__)).parent.rglob("*.py"))
    for path in (*package, *(here / f"{name}.py" for name in ("minima", "rival", "scored"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _refitted(
    cut: Cut, name: str, forecaster: Forecaster, *, seed: int
) -> tuple[pd.DataFrame, dict[str, Rows]]:
    """Fit, score and allocate; errors of the package become failures."""
    runs, (fitted_runs, above) = cut.sweep.runs, cut.parts()
    plan = Plan("flops", PROBS, cut.flops, seed)
    fit_seed, forecast_seed = Refit(name, cut.flops).seeds(seed)
    largest = float(fitted_runs.frame["flops"].max())
    rest: dict[str, Rows] = {
        "allocation": [],
        "failures": [],
        "warnings": _warned(fitted_runs, forecaster),
    }
    points, step = pd.DataFrame(), "fit"
    try:
        fitted = forecaster.fit(fitted_runs, seed=fit_seed)
        forecast = fitted.forecast(runs.where(above), seed=forecast_seed)
        points = _scored(forecast, runs, above, plan)
        flops = runs.frame["flops"].to_numpy()[points["row"]]
        points = points.assign(factor=flops / largest, n_fitted=len(fitted_runs))
        step = "allocation"
        if cut.sweep.isoflop and _allocates(fitted):
            minima = cut.sweep.minima()
            rest["allocation"] = allocated(fitted, minima, cut.flops, largest)
    except ScalingBayesError as error:
        rest["failures"] = [{"step": step, "error": type(error).__name__, "message": str(error)}]
    return points, rest


def allocated(fitted: Any, minima: Sequence[Minimum], cut: float, largest: float) -> Rows:
    """Return N* at the minima above a cut, and at ten times the largest fitted compute.

    Growth is the exponent of N* in compute, between the largest fitted compute and the budget; the
    measured one lies between the largest minimum of fitted runs and the one above.
    """
    above = [minimum for minimum in minima if minimum.least_flops >= cut]
    below = [minimum for minimum in minima if minimum.flops < cut]
    budgets = np.array([largest, *(minimum.flops for minimum in above), TENFOLD * largest])
    allocation = sb.allocate(fitted, flops=budgets)
    optimum = allocation.optimum["n_params"].transpose("budget", ...).to_numpy()
    log_n = np.log(optimum.reshape(len(budgets), -1))
    recommended = allocation.recommended["n_params"].to_numpy()
    rows = []
    for place, minimum in enumerate([*above, None], start=1):
        factor = budgets[place] / largest
        growth = (log_n[place] - log_n[0]) / np.log(factor)
        row = {"flops": budgets[place], "factor": factor, "recommended": recommended[place]}
        row |= _quantiles("n_params", np.exp(log_n[place])) | _quantiles("growth", growth)
        if minimum is not None:
            row |= {
                "measured": minimum.n_params,
                "measured_lower": minimum.lower,
                "measured_upper": minimum.upper,
                "regret": minimum.regret(recommended[place]),
            }
            if below:
                rise = np.log(minimum.n_params / below[-1].n_params)
                row["measured_growth"] = rise / np.log(minimum.flops / below[-1].flops)
        rows.append({name: float(value) for name, value in row.items()})
    return rows


def _quantiles(name: str, draws: np.ndarray) -> dict[str, float]:
    found = np.quantile(draws, (0.5, 0.05, 0.95))
    return dict(zip((name, f"{name}_lower", f"{name}_upper"), found.tolist(), strict=True))


def _warned(runs: sb.Runs, forecaster: Forecaster) -> Rows:
    """Return what a fit of runs warns of; the runs are asked, not the fit, which may be kept."""
    if not isinstance(forecaster, sb.Fitter):
        return []
    with warnings.catch_warnings(record=True) as caught, suppress(IdentifiabilityError):
        warnings.simplefilter("always", IdentifiabilityWarning)
        check_identifiable(runs, forecaster.law)
    return [
        {"warning": warning.category.__name__, "message": str(warning.message)}
        for warning in caught
    ]
