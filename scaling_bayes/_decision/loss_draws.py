"""Draws of the loss at many points at once, as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import CubicSpline

from scaling_bayes._decision.repetition import Repetition, effective, warranted_n_params
from scaling_bayes._prediction.law_draws import LawDraws, discrepancy_of
from scaling_bayes._prediction.mixture import Source, mix
from scaling_bayes._prediction.optimum import optimal_n_params
from scaling_bayes.errors import InputError
from scaling_bayes.laws import HeldLaw, Law
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

Shift = Callable[[LawDraws, "xr.Dataset"], np.ndarray]
"""How the discrepancy is worked out at points: an array of shape (point, draw)."""

BLOCK = 64
"""Points that one thread works on at a time: their draws stay in its cache."""

_KNOTS = 80
"""Points of a curve at which a discrepancy is worked out; a cubic spline joins them."""


class Repeated:
    """What tokens read again are worth by each law: drawn and worked out once for all points.

    Parameters
    ----------
    repetition : Repetition
        What is believed of it.
    seed : int
        Source of draws, the same for every law.
    """

    def __init__(self, repetition: Repetition, seed: int) -> None:
        self._repetition, self._seed = repetition, seed
        self._lasts: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._warranted: dict[tuple[int, float], tuple[LawDraws, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what can be worked out again without what was: ids differ between processes."""
        return self.__dict__ | {"_warranted": {}}

    def worth(
        self, source: LawDraws, n_params: np.ndarray, tokens: np.ndarray, unique_tokens: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return effective model sizes and tokens, of shape (point, draw)."""
        n = n_draws(source)
        if n not in self._lasts:
            # A stream of its own, beside those of discrepancy and noise.
            rng = np.random.default_rng([self._seed, 2])
            self._lasts[n] = self._repetition.draws(n, rng)
        lasts_d, lasts_n = self._lasts[n]
        key = id(source), unique_tokens
        if key not in self._warranted:
            # The source is kept, so that its id is not given to another.
            self._warranted[key] = source, _warranted(source, unique_tokens)
        return (
            effective(n_params, self._warranted[key][1], lasts_n),
            effective(tokens, np.array(unique_tokens), lasts_d),
        )


def _knows_repetition(law: Law) -> bool:
    """Whether a law itself says what tokens read again are worth."""
    return isinstance(law, HeldLaw) and "unique_tokens" in law.at


def _warranted(source: LawDraws, unique_tokens: float) -> np.ndarray:
    """Return the model size for which the tokens are compute-optimal, for each draw."""
    import xarray as xr

    def optimal(flops: np.ndarray) -> np.ndarray:
        best = optimal_n_params(source, xr.DataArray(flops, dims="budget"))
        return best.transpose("budget", "chain", "draw").to_numpy().reshape(len(flops), -1)

    return warranted_n_params(optimal, unique_tokens, source.flops_per_param_token)


def over_blocks(n: int, work: Callable[[slice], None]) -> None:
    """Do some work on blocks of n rows, on all cores."""
    blocks = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(work, blocks):
            pass


def mean_losses(
    source: Source,
    points: xr.Dataset,
    *,
    shift_of: Shift,
    repeated: Repeated,
    unique_tokens: float | None = None,
) -> xr.DataArray:
    """Return draws of the mean curve at points, discrepancy included.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        Whose draws.
    points : Dataset
        ``n_params``, ``tokens`` and ``flops`` with dim ``point``.
    shift_of : callable
        How the discrepancy is worked out: `shift_at` or `shift_along`.
    repeated : Repeated
        What repeated tokens are worth.
    unique_tokens : float, optional
        Tokens that there are; without it none repeats.

    Returns
    -------
    DataArray
        Nats per token, with dims point, chain and draw, and for an average the coordinate
        ``member``.
    """
    import xarray as xr

    def of_law(one: LawDraws) -> xr.DataArray:
        n_params, tokens = (points[name].to_numpy()[:, None] for name in ("n_params", "tokens"))
        if unique_tokens is None or _knows_repetition(one.law):
            loss = _law_losses(one, n_params, tokens)
        else:
            # No worse than the run that had stopped when every token was read once.
            loss = _law_losses(one, n_params, np.minimum(tokens, unique_tokens))
            again = np.flatnonzero(tokens > unique_tokens)
            if again.size:
                worth = repeated.worth(one, n_params[again], tokens[again], unique_tokens)
                loss[again] = np.minimum(loss[again], _law_losses(one, *worth))
        if discrepancy_of(one) is not None:
            loss *= np.exp(shift_of(one, points))
        shape = [one.draws.sizes[dim] for dim in ("chain", "draw")]
        return xr.DataArray(loss.reshape(-1, *shape), dims=("point", "chain", "draw"))

    return mix(source, of_law).transpose("point", "chain", "draw")


def _law_losses(source: LawDraws, n_params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return draws of the law's loss, of shape (point, draw).

    Parameters
    ----------
    source : LawDraws
        The law and its draws.
    n_params, tokens : ndarray, shape (point, 1) or (point, draw)
        Sizes.
    """
    p, k = flat_parameters(source), source.flops_per_param_token
    loss = np.empty((len(n_params), n_draws(source)))

    def work(rows: slice) -> None:
        n, d = n_params[rows], tokens[rows]
        x = SimpleNamespace(n_params=n, tokens=d, flops=k * n * d)
        loss[rows] = source.law.loss(p, x)

    over_blocks(len(loss), work)
    return loss


def flat_parameters(source: LawDraws) -> SimpleNamespace:
    """Return the parameters of a law as arrays of shape (1, draw)."""
    foreign = [name for name in source.law.covariates if name not in SIZES]
    if foreign:
        raise InputError(
            f"{source.law.name} reads {' and '.join(foreign)}, which a budget does not determine. "
            f"Decisions need a law of {', '.join(SIZES)}."
        )
    ordered = source.draws.transpose("chain", "draw")
    return SimpleNamespace(
        **{str(name): values.to_numpy().reshape(1, -1) for name, values in ordered.items()}
    )


def n_draws(source: LawDraws) -> int:
    """Return how many draws a law has, over all chains."""
    return int(np.prod([source.draws.sizes[dim] for dim in ("chain", "draw")]))


def shift_at(source: LawDraws, points: xr.Dataset) -> np.ndarray:
    """Return draws of the discrepancy at points, of shape (point, draw)."""
    draws = discrepancy_of(source)
    assert draws is not None
    shift = draws.at(points).transpose("point", "chain", "draw").to_numpy()
    return np.asarray(shift.reshape(len(shift), -1))


def shift_along(source: LawDraws, points: xr.Dataset) -> np.ndarray:
    """Return draws of the discrepancy along a curve of points in order of N: smooth in log N."""
    log_n = np.log(points["n_params"].to_numpy())
    if len(log_n) <= _KNOTS:
        return shift_at(source, points)
    evenly = np.linspace(log_n[0], log_n[-1], _KNOTS)
    knots = np.unique(np.searchsorted(log_n, evenly).clip(0, len(log_n) - 1))
    at_knots = shift_at(source, points.isel(point=knots))
    # A spline is linear in its values, so that one matrix serves all draws.
    along: np.ndarray = CubicSpline(log_n[knots], np.eye(len(knots)))(log_n) @ at_knots
    return along
