"""One refit of a backtest: fit below a cut, score at and above it, allocate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from scaling_bayes._evidence.scores import (
    crps,
    interval_score,
    log_draws,
    log_score,
    pit,
    quantile_of,
)
from scaling_bayes._prediction.allocate import allocate
from scaling_bayes._prediction.allocation import Allocation
from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes._prediction.forecaster import Forecaster, Forecasting
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._prediction.mixture import Mixture
from scaling_bayes.errors import InputError, ScalingBayesError
from scaling_bayes.laws import Law
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

ALL_RUNS = np.inf
"""The cut that every run is below."""
ALLOCATED = ("a", "n_params")
"""Exponent of N* in compute, and N* at the budget."""
BOUNDS = ("lower", "upper")
SCORED_PROB = 0.9
"""Probability of the intervals of the interval score and of the allocation."""

_SLOPE_FACTOR = 10**0.25
"""How far the budgets lie to either side, between which the local exponent is taken."""


@dataclass(frozen=True)
class Plan:
    """What all refits of a backtest share.

    Attributes
    ----------
    along : str
        The column that is cut.
    probs : tuple of float
        Probabilities inside the intervals.
    budget : float
        Compute in FLOPs that is allocated.
    seed : int
        Source of randomness.
    """

    along: str
    probs: tuple[float, ...]
    budget: float
    seed: int


@dataclass(frozen=True)
class Refit:
    """Which law is fitted below which cut."""

    law: str
    cut: float

    def seeds(self, seed: int) -> tuple[int, int]:
        """Return seeds of fit and forecast, which do not depend on what else is refitted."""
        digest = hashlib.sha256(f"{self.law}\0{self.cut.hex()}".encode()).digest()
        fit, forecast = np.random.SeedSequence([seed, int.from_bytes(digest[:16])]).generate_state(
            2
        )
        return int(fit), int(forecast)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one refit gave.

    Attributes
    ----------
    points : DataFrame
        One row a run above the cut and ``of``; empty if the refit failed, or nothing is above.
    allocation : dict of str to float
        Median and bounds of what is allocated; empty where the law cannot be allocated with.
    failures : list of dict
        ``step``, ``error`` and ``message`` of each failure.
    """

    points: pd.DataFrame
    allocation: dict[str, float] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)


def label_of(prob: float) -> str:
    """Return the ending of columns of an interval, such as ``"90"``."""
    return f"{100 * prob:g}"


def trades(law: Law) -> bool:
    """Return whether a law trades model size against tokens."""
    return len(set(law.covariates) & set(SIZES)) > 1


def carry_out(refit: Refit, forecaster: Forecaster, runs: Runs, plan: Plan) -> Outcome:
    """Fit, score and allocate; errors of this package become failures."""
    fit_seed, forecast_seed = refit.seeds(plan.seed)
    above = runs.covariates((plan.along,))[plan.along] >= refit.cut
    nothing = _points([], plan)
    try:
        fitted = forecaster.fit(runs.where(~above), seed=fit_seed)
        points = nothing
        if above.any():
            forecast = fitted.forecast(runs.where(above), seed=forecast_seed)
            points = _scored(forecast, runs, above, plan)
    except ScalingBayesError as error:
        return Outcome(nothing, failures=[_failure("fit", error)])
    try:
        return Outcome(points, allocation=_allocation(fitted, plan))
    except ScalingBayesError as error:
        return Outcome(points, failures=[_failure("allocation", error)])


def _failure(step: str, error: ScalingBayesError) -> dict[str, str]:
    return {"step": step, "error": type(error).__name__, "message": str(error)}


def _scored(forecast: Forecast, runs: Runs, above: np.ndarray, plan: Plan) -> pd.DataFrame:
    rows = np.flatnonzero(above)
    observed = runs.frame["loss"].to_numpy()[rows]
    tables = []
    for of, loss in (("new_run", forecast.new_run), ("mean_curve", forecast.mean_curve)):
        if loss is not None:
            _check_loss(loss, len(rows), forecast.label)
            scores = _scores_of(log_draws(loss), observed, plan.probs)
            tables.append(pd.DataFrame({"row": rows, "of": of, "observed": observed} | scores))
    return _points(tables, plan)


def _points(tables: list[pd.DataFrame], plan: Plan) -> pd.DataFrame:
    """Return tables of scored runs as one, whose columns and dtypes are the same if it is empty."""
    bounds = [f"{bound}_{label_of(prob)}" for prob in plan.probs for bound in BOUNDS]
    numbers = ["observed", "median", *bounds, "crps", "log_score", "interval_score_90", "pit"]
    dtypes = {"row": "int64", "of": "str"} | dict.fromkeys((*numbers, "error"), "float64")
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(dtypes))
    return table[list(dtypes)].astype(dtypes)


def _check_loss(loss: xr.DataArray, n_points: int, label: str) -> None:
    if loss.sizes["point"] != n_points:
        raise InputError(
            f"{label} forecast {loss.sizes['point']} points where {n_points} were asked for."
        )
    bad = int((~(loss >= 0)).sum())
    if bad:
        raise InputError(
            f"{label} forecast a loss that is negative or no number in {bad} of {loss.size} "
            "draws. Forecast log loss, and take its exponential."
        )


def _scores_of(
    draws: np.ndarray, observed: np.ndarray, probs: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Return predictions of loss, and scores of log loss, each of shape (point,)."""
    log_observed = np.log(observed)
    median = quantile_of(draws, 0.5)
    columns = {"median": np.exp(median)}
    for prob in probs:
        for bound, q in zip(BOUNDS, _tails(prob), strict=True):
            columns[f"{bound}_{label_of(prob)}"] = np.exp(quantile_of(draws, q))
    lower, upper = (quantile_of(draws, q) for q in _tails(SCORED_PROB))
    return columns | {
        "crps": crps(draws, log_observed),
        "log_score": log_score(draws, log_observed),
        "interval_score_90": interval_score(lower, upper, log_observed, prob=SCORED_PROB),
        "pit": pit(draws, log_observed),
        "error": median - log_observed,
    }


def _allocation(fitted: Forecasting, plan: Plan) -> dict[str, float]:
    """Return median and equal-tailed bounds of the exponent a and of N* at the budget."""
    if not _allocates(fitted):
        return {}
    source = cast("LawDraws | Mixture", fitted)
    derived: dict[str, Any] = (
        {} if isinstance(source, Mixture) else source.law.derived(source.draws)
    )
    return _spread(allocate(source, flops=_budgets(plan)), exponents=derived.get("a"))


def _allocates(fitted: object) -> bool:
    """Return whether it has draws of a law that trades N against D; of an average, all members."""
    if isinstance(fitted, Mixture):
        return all(_allocates(member) for member in fitted.weighted.values())
    known = all(hasattr(fitted, name) for name in ("law", "draws", "flops_per_param_token"))
    return known and trades(cast("LawDraws", fitted).law)


def _budgets(plan: Plan) -> np.ndarray:
    return plan.budget * np.array([1 / _SLOPE_FACTOR, 1.0, _SLOPE_FACTOR])


def _spread(allocation: Allocation, *, exponents: Any) -> dict[str, float]:
    """Return median and bounds; where there are no exponents, of the slope of N* around."""
    n_params = allocation.optimum["n_params"]
    low, middle, high = n_params.transpose("budget", ...).to_numpy().reshape(3, -1)
    slope = np.log(high / low) / (2 * np.log(_SLOPE_FACTOR))
    a = slope if exponents is None else np.asarray(exponents).ravel()
    return {
        f"{name}{ending}": float(quantile_of(draws, q))
        for name, draws in zip(ALLOCATED, (a, middle), strict=True)
        for ending, q in zip(("", "_lower", "_upper"), (0.5, *_tails(SCORED_PROB)), strict=True)
    }


def _tails(prob: float) -> tuple[float, float]:
    return (1 - prob) / 2, (1 + prob) / 2
