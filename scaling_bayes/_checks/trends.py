"""Test quantities of what a law leaves unexplained, and their posterior predictive p-values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._checks.at_runs import Fitted, ShiftAtRuns, log_curve, shift_at_runs
from scaling_bayes._prediction.forecast import WEIGHT, points_of
from scaling_bayes._prediction.law_draws import LawDraws, law_loss
from scaling_bayes._work.seeds import generator
from scaling_bayes.laws import Law
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

TOKENS_PER_PARAM = "tokens_per_param"
AGAINST = (*SIZES, TOKENS_PER_PARAM)
"""What residuals are held against, each as its log."""
CENTRAL = 0.6827
"""Share of the noise within one noise scale, as within one standard deviation of a normal."""
CLIPPED_AT = 3.0
"""Noise scales at which a residual stops pulling on a trend, so that a stray run makes none."""
LEAST_FREE = 0.02
"""Share of a trend that must be left by law and discrepancy, for the trend to be tested."""
LEAST_RANGE = 1.5
"""Largest over smallest size, below which no trend is looked for."""
MOST_CELLS = 10_000_000
"""Draws times runs that are held at once; beyond, draws are thinned."""

LEAST_FREE_RUNS = 3
"""Runs beyond what law and discrepancy take up, below which spread and tails are not tested."""

_COLUMNS = ["size", "unit", "replicated_lower", "replicated_upper", "absorbed", "p"]
_BEYOND = 1e3
_STEP = 0.01
_LARGEST_STEP = 0.1


@dataclass(frozen=True)
class _Draws:
    """Draws of a law."""

    label: str
    law: Law
    draws: xr.Dataset
    flops_per_param_token: float
    noise: None = None
    noise_draws: None = None


@dataclass(frozen=True)
class _DrawsAtRuns:
    """As many draws of a fit as can be held for its runs."""

    label: str
    law: Law
    draws: xr.Dataset
    flops_per_param_token: float
    noise: Noise
    noise_draws: xr.Dataset
    shift: ShiftAtRuns | None


@dataclass(frozen=True, eq=False)
class Scatter:
    """How log losses scatter around the mean curve, of the runs and of replicates.

    Attributes
    ----------
    runs : Runs
        The runs.
    expected : ndarray
        Log of the median of the mean curve, of shape (run,).
    observed, replicated : ndarray
        Log loss of the runs, and of replicates of them, less the log of the same draw's mean
        curve; of shape (draw, run).
    absorbed : ndarray
        Orthogonal directions of shape (run, direction) in which the law or its discrepancy can
        move log losses at these runs to first order, in noise scales. The square of the length
        of each is the share of residuals along it that is taken up: 1 for the law, less where
        the prior holds the discrepancy back.
    shift : ndarray
        Median of what the discrepancy adds to the law's log loss, of shape (run,).
    """

    runs: Runs
    expected: np.ndarray
    observed: np.ndarray
    replicated: np.ndarray
    absorbed: np.ndarray
    shift: np.ndarray

    @cached_property
    def scale(self) -> np.ndarray:
        """Noise scale of each run, of shape (run,): half the width of the central 68%."""
        return _noise_scale(self.replicated)

    def free_part(self, direction: np.ndarray) -> np.ndarray:
        """Return what law and discrepancy leave of a direction, of shape (run,)."""
        left: np.ndarray = direction - self.absorbed @ (self.absorbed.T @ direction)
        return left

    @property
    def n_absorbed(self) -> float:
        """Number of directions that law and discrepancy take up, each by its share."""
        return round(float(np.sum(self.absorbed**2)), 6)

    @property
    def n_free(self) -> float:
        """Number of runs less the directions that are taken up."""
        return len(self.runs) - self.n_absorbed

    @cached_property
    def free(self) -> tuple[np.ndarray, np.ndarray]:
        """Residuals in noise scales without what law and discrepancy take up; (draw, run)."""
        observed, replicated = (
            z - (z @ self.absorbed) @ self.absorbed.T
            for z in (self.observed / self.scale, self.replicated / self.scale)
        )
        return observed, replicated

    @cached_property
    def clipped(self) -> tuple[np.ndarray, np.ndarray]:
        """Residuals in noise scales, clipped: observed and replicated, of shape (draw, run)."""
        observed, replicated = (
            np.clip(values / self.scale, -CLIPPED_AT, CLIPPED_AT)
            for values in (self.observed, self.replicated)
        )
        return observed, replicated

    def along(self, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return clipped residuals along a direction: observed, replicated."""
        observed, replicated = (values @ direction for values in self.clipped)
        return observed, replicated


def scatter_of(
    source: Fitted, runs: Runs, *, seed: int | np.random.Generator | None = None
) -> Scatter:
    """Return how runs and replicates of them scatter around the mean curve.

    Parameters
    ----------
    source : Fit
        Draws of a law and its noise.
    runs : Runs
        The runs that it was fitted to.
    seed : int or Generator, optional
        Source of the noise of replicates.
    """
    drawn = _thinned(source, len(runs))
    points = points_of(drawn, runs)
    curve = log_curve(drawn, points, drawn.shift, slice(None))
    replicates = drawn.noise.sample(
        curve, drawn.noise_draws, generator(seed), weight=points.get(WEIGHT, 1.0)
    )
    mean = curve.to_numpy().reshape(-1, len(runs))
    replicated = np.clip(replicates.to_numpy().reshape(mean.shape) - mean, -_BEYOND, _BEYOND)
    centre = mean.mean(axis=0)
    central_draw = int(np.argmin(np.sum((mean - centre) ** 2, axis=1)))
    scale = _noise_scale(replicated)[:, None]
    absorbed = _orthonormal(_moves(drawn, points, central_draw) / scale)
    shift = np.zeros(len(runs))
    if drawn.shift is not None:
        basis, weights = drawn.shift.basis.to_numpy(), drawn.shift.weights.to_numpy()
        weights = weights.reshape(len(mean), -1)
        absorbed = np.column_stack([absorbed, _taken_up(basis / scale, weights, absorbed)])
        shift = np.median(weights @ basis.T, axis=0)
    return Scatter(
        runs=runs,
        expected=np.median(mean, axis=0),
        observed=np.log(runs.frame["loss"].to_numpy()) - mean,
        replicated=replicated,
        absorbed=absorbed,
        shift=shift,
    )


def covariates_of(runs: Runs) -> pd.DataFrame:
    """Return the sizes of the runs and, of those with N and D, their ratio, one row a run."""
    sizes = runs.frame[list(runs.sizes)]
    if {"n_params", "tokens"} - set(runs.sizes):
        return sizes
    return sizes.assign(**{TOKENS_PER_PARAM: sizes["tokens"] / sizes["n_params"]})


def trends_of(scatter: Scatter) -> pd.DataFrame:
    """Return every test quantity of residuals against sizes, with its p-value.

    Residuals of log loss in noise scales, clipped, are regressed on the log of a size, scaled
    to [-1, 1]. From observed and replicated residuals alike the part is taken out that law and
    discrepancy can take up themselves, so that replicates are as if they had been fitted. Then a
    p-value is the posterior predictive one of Gelman, Meng and Stern 1996, two-sided.

    Parameters
    ----------
    scatter : Scatter
        Residuals of runs and of replicates.

    Returns
    -------
    DataFrame
        One row a quantity; see `Check`.
    """
    rows = [*_against_sizes(scatter)]
    if scatter.n_free >= LEAST_FREE_RUNS:
        share = scatter.n_absorbed / len(scatter.runs)
        rows.append(_row("tails", "", "kurtosis", share, *map(_kurtosis, scatter.free)))
    return pd.DataFrame(rows, columns=["quantity", "against", *_COLUMNS])


def groups_of(scatter: Scatter, column: str = "group") -> pd.DataFrame:
    """Return the mean residual of each group, with its p-value; no rows for a single group.

    Parameters
    ----------
    scatter : Scatter
        Residuals of runs and of replicates.
    column : str
        The column that names the group of a run.

    Returns
    -------
    DataFrame
        One row a group; see `Check`.
    """
    frame = scatter.runs.frame
    labels = frame[column].dropna().unique() if column in frame else ()
    rows = []
    for label in labels if len(labels) > 1 else ():
        inside = (frame[column] == label).to_numpy(dtype=bool)
        precision = np.where(inside, 1 / scatter.scale, 0.0)
        row = _linear("mean", column, 100.0, precision / np.sum(precision**2), scatter)
        rows.append({"group": label, "n_runs": int(inside.sum())} | row)
    return pd.DataFrame(rows, columns=["group", "n_runs", *_COLUMNS])


def adjusted(p: np.ndarray) -> np.ndarray:
    """Return p-values adjusted for their number after Holm 1979; NaN stays NaN."""
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    result = np.full(len(p), np.nan)
    factors = np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return result


def _noise_scale(replicated: np.ndarray) -> np.ndarray:
    scale: np.ndarray = np.quantile(np.abs(replicated), CENTRAL, axis=0)
    return scale


def _against_sizes(scatter: Scatter) -> Iterator[dict[str, object]]:
    for name, values in covariates_of(scatter.runs).items():
        if values.max() / values.min() < LEAST_RANGE:
            continue
        x = np.log(values.to_numpy())
        u = 2 * (x - x.min()) / (x.max() - x.min()) - 1
        n_levels = len(np.unique(u.round(3)))
        for degree, quantity, factor in ((1, "slope", 200.0), (2, "bend", 100.0)):
            if n_levels <= degree:
                continue
            design = np.vander(u, degree + 1, increasing=True) / scatter.scale[:, None]
            yield _linear(quantity, str(name), factor, np.linalg.pinv(design)[-1], scatter)
        if name == "flops" and scatter.n_free >= LEAST_FREE_RUNS:
            yield _spread(u, scatter)


def _linear(
    quantity: str, against: str, factor: float, direction: np.ndarray, scatter: Scatter
) -> dict[str, object]:
    """Return the row of a quantity that is linear in residuals, in percent of the loss."""
    free = scatter.free_part(direction)
    absorbed = 1 - float(np.sum(free**2) / np.sum(direction**2))
    observed, replicated = scatter.along(factor * free)
    return _row(quantity, against, "% of loss", absorbed, observed, replicated)


def _spread(u: np.ndarray, scatter: Scatter) -> dict[str, object]:
    """Return the row of the factor on the size of residuals from the least to the most compute."""
    slope = np.linalg.pinv(np.vander(u, 2, increasing=True))[-1]
    factors = []
    for values in scatter.free:
        away = np.minimum(np.abs(values), CLIPPED_AT)
        factors.append(np.exp(2 * (away @ slope) / away.mean(axis=1)))
    observed, replicated = factors
    share = scatter.n_absorbed / len(scatter.runs)
    return _row("spread", "flops", "factor", share, observed, replicated)


def _kurtosis(z: np.ndarray) -> np.ndarray:
    from scipy import stats

    kurtosis: np.ndarray = stats.kurtosis(z, axis=1, fisher=False)
    return kurtosis


def _row(
    quantity: str,
    against: str,
    unit: str,
    absorbed: float,
    observed: np.ndarray,
    replicated: np.ndarray,
) -> dict[str, object]:
    lower, upper = np.quantile(replicated, [0.05, 0.95])
    tail = min(np.sum(replicated >= observed), np.sum(replicated <= observed))
    testable = absorbed <= 1 - LEAST_FREE
    return {
        "quantity": quantity,
        "against": against,
        "size": float(np.median(observed)),
        "replicated_lower": float(lower),
        "replicated_upper": float(upper),
        "unit": unit,
        "absorbed": absorbed,
        "p": min(1.0, 2 * float(1 + tail) / (1 + len(observed))) if testable else np.nan,
    }


def _thinned(source: Fitted, n_runs: int) -> _DrawsAtRuns:
    """Return a source with as many draws as can be held for the runs that it was fitted to."""
    draws, shift = source.draws, shift_at_runs(source)
    every = int(np.ceil(draws.sizes["chain"] * draws.sizes["draw"] * n_runs / MOST_CELLS))
    some = {"draw": slice(None, None, every)}
    return _DrawsAtRuns(
        source.label,
        source.law,
        draws.isel(some),
        source.flops_per_param_token,
        source.noise,
        source.noise_draws.isel(some),
        None if shift is None else replace(shift, weights=shift.weights.isel(some)),
    )


def _moves(source: LawDraws, points: xr.Dataset, draw: int) -> np.ndarray:
    """Return how log losses move with each parameter, of shape (run, parameter)."""
    n_draws = source.draws.sizes["draw"]
    centre = source.draws.isel(chain=[draw // n_draws], draw=[draw % n_draws])
    columns = []
    for name in source.law.free_names:
        # Relative to the value as well, so that a positive parameter stays positive.
        at, spread = abs(centre[name].item()), float(source.draws[name].std())
        step = min(_STEP * spread, _LARGEST_STEP * at)
        ends = []
        for sign in (1, -1):
            moved = centre.assign({name: centre[name] + sign * step})
            there = _Draws(source.label, source.law, moved, source.flops_per_param_token)
            ends.append(np.log(law_loss(there, points).to_numpy().ravel()))
        columns.append(ends[0] - ends[1])
    return np.stack(columns, axis=1)


def _taken_up(basis: np.ndarray, weights: np.ndarray, by_law: np.ndarray) -> np.ndarray:
    """Return the directions in which a discrepancy takes up residuals, besides the law.

    The covariance of log losses a posteriori, in noise scales, is the matrix that takes residuals
    to what is taken up of them, were all Normal (Rasmussen and Williams 2006, section 2.6).

    Parameters
    ----------
    basis : ndarray, shape (run, component)
        Components of the discrepancy, in noise scales.
    weights : ndarray, shape (draw, component)
        Draws of their weights.
    by_law : ndarray, shape (run, direction)
        Orthonormal directions that the law takes up.

    Returns
    -------
    ndarray, shape (run, direction)
        See `Scatter.absorbed`.
    """
    directions, moves = np.linalg.qr(basis - by_law @ (by_law.T @ basis))
    along = (weights - weights.mean(axis=0)) @ moves.T
    shares, turns = np.linalg.eigh(along.T @ along / len(along))
    found: np.ndarray = directions @ turns * np.sqrt(np.clip(shares, 0, 1))
    return found


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the span of columns, some of which may be dependent."""
    lengths = np.linalg.norm(columns, axis=0)
    moving = columns[:, lengths > 0] / lengths[lengths > 0]
    basis, strengths, _ = np.linalg.svd(moving, full_matrices=False)
    used: np.ndarray = basis[:, strengths > 1e-6 * strengths.max(initial=0.0)]
    return used
