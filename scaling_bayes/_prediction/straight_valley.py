"""Beyond the runs, compute-optimal model sizes that nearly follow a power of compute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np

from scaling_bayes._prediction.best_allocation import optimum
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._prediction.optimum import optimal_n_params
from scaling_bayes.discrepancy import (
    WEIGHT,
    Discrepancy,
    DiscrepancyDraws,
    Shift,
    Smooth,
    SmoothFunctions,
    matern52,
)
from scaling_bayes.errors import NoOptimumError
from scaling_bayes.laws import Law
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

_GROWTH, _GROWTH_SD = 0.52, 0.05
"""Exponent of N* in compute, and its standard deviation over sweeps."""
_BEND, _BEND_LENGTH = 0.4, log(100.0)
"""Standard deviation of log N* around the power of compute, and its correlation length in log C."""
_LEVEL_SD = 10.0
_AMONG = 6
"""Budgets among the runs, from which N* is carried on."""
_FIRST = 0.1
"""Share of the runs below the first of them."""
_BEYOND = log(10.0) * np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
"""Logs of how far beyond the largest run N* is placed."""
_OFF = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
"""Distances from N*, in log N, at which the loss is given its slope along a budget."""
_LOOSE = 0.5
"""Standard deviation of a slope away from N*, of that of the law."""
_FLAT = 1e-5
"""Standard deviation of the slope at N*."""
_NO_SLOPE = 1e6
"""Variance of a slope that is not known."""
_PLACES = 128
_STEP = 1e-3
_TAILS, _TAILS_IN_SDS, _MOST_SDS = (0.05, 0.95), 3.29, 3.0
_ALIKE = 0.02
"""What is taken from correlations among budgets, so that their matrix can be inverted."""
_SEED = 2


def learned_discrepancy(
    discrepancy: Discrepancy,
    posterior: xr.Dataset,
    rows: np.ndarray,
    law: Law,
    law_draws: xr.Dataset,
    runs: Runs,
) -> DiscrepancyDraws:
    """Return a discrepancy as a fit has learned it, with a straight valley beyond the runs.

    Parameters
    ----------
    discrepancy : Discrepancy
        The model.
    posterior : Dataset
        Draws of its parameters and weights, with dims chain and draw.
    rows : ndarray of int, shape (landmark,)
        The runs that are landmarks; -1 where there are fewer landmarks than components.
    law, law_draws, runs
        As in `with_straight_valley`.
    """
    sizes = runs.covariates(discrepancy.covariates)
    found = DiscrepancyDraws(
        discrepancy,
        posterior[[*discrepancy.parameter_names, WEIGHT]],
        {name: values[rows[rows >= 0]] for name, values in sizes.items()},
    )
    return with_straight_valley(found, law, law_draws, runs)


def with_straight_valley(
    found: DiscrepancyDraws, law: Law, law_draws: xr.Dataset, runs: Runs
) -> DiscrepancyDraws:
    """Return a discrepancy under which N* nearly follows a power of compute beyond the runs.

    Parameters
    ----------
    found : DiscrepancyDraws
        As the runs leave it.
    law : Law
        The law that it belongs to. One that does not trade model size against tokens, or reads
        more than sizes, keeps its discrepancy as it is; so does a discrepancy of a user's own.
    law_draws : Dataset
        Natural parameters of the law, with dims chain and draw.
    runs : Runs
        The runs that it was learned from.
    """
    read = set(law.covariates)
    if len(read) < 2 or not read <= set(SIZES) or type(found.discrepancy) is not Smooth:
        return found
    return _StraightValley(
        found.discrepancy,
        found.draws,
        found.landmarks,
        law,
        law_draws,
        runs.flops_per_param_token,
        runs.frame["flops"].to_numpy(),
    )


@dataclass(frozen=True, eq=False)
class _StraightValley(DiscrepancyDraws):
    """A discrepancy that is drawn given where the smallest loss of each budget lies.

    A Gaussian process knows nothing of N*: where it is free, its own bends along a budget move the
    smallest loss by factors of ten and more. Measured minima of isoFLOP slices do not do so: log
    N* is a line in log C, with small bends. So, beyond the runs, each draw is given N* from such a
    line through its own N* among the runs, and the slopes of its law's valley around it.
    """

    law: Law
    law_draws: xr.Dataset
    k: float
    flops: np.ndarray

    @cached_property
    def functions(self) -> Shift:
        """The shift as a function of sizes; see `Discrepancy.functions`."""
        import xarray as xr

        bare = DiscrepancyDraws(self.discrepancy, self.draws, self.landmarks)
        free = cast("SmoothFunctions", bare.functions)
        source = cast("LawDraws", _Source(self.law, self.law_draws, self.k, bare))
        log_c = np.log(self.flops)
        among = np.linspace(np.quantile(log_c, _FIRST), log_c.max(), _AMONG)
        beyond = log_c.max() + _BEYOND
        try:
            known = optimum(source, xr.DataArray(np.exp(among), dims="budget"))["n_params"]
            by_law = optimal_n_params(source, xr.DataArray(np.exp(beyond), dims="budget"))
        except NoOptimumError:
            return free
        log_n = carried_on(_by_draw(known), among, beyond, np.random.default_rng(_SEED))
        return self._placed(free, beyond, log_n, _by_draw(by_law))

    def _placed(
        self, free: SmoothFunctions, log_c: np.ndarray, log_n: np.ndarray, by_law: np.ndarray
    ) -> SmoothFunctions:
        """Return functions whose smallest loss lies at given sizes.

        Parameters
        ----------
        free : SmoothFunctions
            What the runs leave.
        log_c : ndarray, shape (budget,)
            Logs of budgets.
        log_n, by_law : ndarray, shape (draw, budget)
            Logs of N*: where it is to be, and where it is by the law alone.
        """
        most = log_c - log(self.k)
        wanted = (log_n[..., None] + _OFF).clip(0.0, most[:, None])
        ends = wanted.min(axis=(0, 2)), wanted.max(axis=(0, 2))
        steps = (ends[1] - ends[0]) / (_PLACES - 1)
        at = np.round((wanted - ends[0][:, None]) / steps[:, None]).astype(int)
        log_sizes = ends[0][:, None] + steps[:, None] * at
        around = by_law.clip(0.0, most)[..., None] + _OFF
        valley = self._slope(around.reshape(len(at), -1), log_c)
        slopes = valley - self._slope(log_sizes.reshape(len(at), -1), log_c)
        off = np.where(np.tile(_OFF, len(log_c)) == 0, _FLAT, _LOOSE * np.abs(valley))
        # A draw whose law exceeds the largest float has no slope to give.
        known = np.isfinite(slopes)
        grid = ends[0][:, None] + steps[:, None] * np.arange(_PLACES)
        places = self._places(grid.ravel(), np.repeat(log_c, _PLACES))
        one, other = self._places(np.array([0.0, 1.0]), np.zeros(2))
        first_of = _PLACES * np.arange(len(log_c))
        return free.with_slopes(
            places,
            other - one,
            at=(at + first_of[:, None]).reshape(len(at), -1),
            slopes=np.where(known, slopes, 0.0),
            variance=np.where(known, off**2, _NO_SLOPE),
        )

    def _places(self, log_n: np.ndarray, log_c: np.ndarray) -> np.ndarray:
        """Return where model sizes at budgets lie in the coordinates of the discrepancy."""
        sizes = {"n_params": np.exp(log_n), "tokens": np.exp(log_c - log_n) / self.k}
        return cast("Smooth", self.discrepancy).places(sizes)

    def _slope(self, log_n: np.ndarray, log_c: np.ndarray) -> np.ndarray:
        """Return slopes of the log of the law's loss in log N along budgets.

        Parameters
        ----------
        log_n : ndarray, shape (draw, budget and distance)
            Logs of model sizes.
        log_c : ndarray, shape (budget,)
            Logs of budgets.
        """
        budgets = np.repeat(np.exp(log_c), len(_OFF))
        p = SimpleNamespace(
            **{
                name: self.law_draws[name].transpose("chain", "draw").to_numpy().reshape(-1, 1)
                for name in self.law.parameter_names
            }
        )

        def log_loss(log_n: np.ndarray) -> np.ndarray:
            n_params = np.exp(log_n)
            tokens = budgets / (self.k * n_params)
            sizes = SimpleNamespace(n_params=n_params, tokens=tokens, flops=budgets)
            found: np.ndarray = np.log(self.law.loss(p, sizes))
            return found

        with np.errstate(over="ignore", invalid="ignore"):
            slope: np.ndarray = (log_loss(log_n + _STEP) - log_loss(log_n - _STEP)) / (2 * _STEP)
        return slope


@dataclass(frozen=True, eq=False)
class _Source:
    """A law with its discrepancy as the runs leave it; see `LawDraws`."""

    law: Law
    draws: xr.Dataset
    flops_per_param_token: float
    discrepancy_draws: DiscrepancyDraws


def carried_on(
    log_n: np.ndarray, log_c: np.ndarray, beyond: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return draws of log N* at budgets beyond those where it is known.

    log N* is taken for a Gaussian process in log C: a line, and bends. The draws where it is known
    are what the runs tell of it, so that each draw is carried on from its own values.

    Parameters
    ----------
    log_n : ndarray, shape (draw, known)
        Draws of log N*.
    log_c, beyond : ndarray, shape (known,) and (budget,)
        Logs of the budgets of these, and of those asked for.
    rng : numpy.random.Generator
        Source of the line and its bends.

    Returns
    -------
    ndarray, shape (draw, budget)
    """
    n_known = len(log_c)
    away = np.concatenate([log_c, beyond]) - log_c[-1]
    prior = covariance_of_line(away, growth_sd=_GROWTH_SD, bend=_BEND)
    low, high = np.quantile(log_n, _TAILS, axis=0)
    middle, sd = np.median(log_n, axis=0), np.maximum((high - low) / _TAILS_IN_SDS, _STEP)
    # A draw whose smallest loss lies at an end of all sizes would pull the line there.
    scores = ((log_n - middle) / sd).clip(-_MOST_SDS, _MOST_SDS)
    alike = (1 - _ALIKE) * np.corrcoef(scores.T) + _ALIKE * np.eye(n_known)
    gain = np.linalg.solve(prior[:n_known, :n_known] + alike * np.outer(sd, sd), prior[:n_known])
    root = np.linalg.cholesky(prior + _STEP**2 * np.eye(len(away)))
    line = middle.mean() + _GROWTH * away + rng.standard_normal((len(log_n), len(away))) @ root.T
    drawn: np.ndarray = line + (middle + scores * sd - line[:, :n_known]) @ gain
    return drawn[:, n_known:]


def covariance_of_line(away: np.ndarray, *, growth_sd: float, bend: float) -> np.ndarray:
    """Return the covariance of log N* at budgets: of an unknown level, a slope, and bends.

    Parameters
    ----------
    away : ndarray, shape (budget,)
        Logs of the budgets, from the one that slopes turn around.
    growth_sd : float
        Standard deviation of the slope.
    bend : float
        Standard deviation of the bends.
    """
    places = away[:, None] / _BEND_LENGTH
    covariance: np.ndarray = (
        _LEVEL_SD**2 + growth_sd**2 * np.outer(away, away) + bend**2 * matern52(places, places)
    )
    return covariance


def _by_draw(n_params: xr.DataArray) -> np.ndarray:
    """Return logs of model sizes with dims chain, draw and budget as (draw, budget)."""
    ordered = np.log(n_params.transpose("chain", "draw", "budget").to_numpy())
    return ordered.reshape(-1, ordered.shape[-1])
