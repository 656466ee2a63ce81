"""Loss against compute along a way of spending it, and where a loss is reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._draws import LawDraws, law_loss
from scaling_bayes._optimum import check_trades, optimum
from scaling_bayes._reach import LEAST_FLOPS, MOST_FLOPS
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

Path = Callable[[LawDraws, "xr.DataArray"], "xr.DataArray"]
"""From a law and compute to the loss of the mean curve there."""

_BISECTIONS = 50


def optimal(source: LawDraws, flops: xr.DataArray) -> xr.DataArray:
    """Return the loss of compute that is spent in the way best for the law.

    Raises
    ------
    NoOptimumError
        If the law neither reads compute alone nor trades N against D.
    """
    if set(source.law.covariates) & set(SIZES) == {"flops"}:
        return law_loss(source, flops.to_dataset(name="flops"))
    check_trades(source.law)
    best: xr.DataArray = optimum(source, flops)["loss"]
    return best


def along(tokens_per_param: xr.DataArray) -> Path:
    """Return the path on which tokens per parameter stay as they are."""

    def loss(source: LawDraws, flops: xr.DataArray) -> xr.DataArray:
        n_params = (flops / (source.flops_per_param_token * tokens_per_param)) ** 0.5
        points = n_params.to_dataset(name="n_params")
        return law_loss(source, points.assign(tokens=tokens_per_param * n_params, flops=flops))

    return loss


def flops_to_reach(path: Path, source: LawDraws, loss: xr.DataArray) -> xr.DataArray:
    """Return the compute at which each draw of a law reaches its own target.

    Parameters
    ----------
    path : Path
        How compute is spent; the loss falls along it.
    source : LawDraws
        The law and its draws.
    loss : DataArray
        Targets in nats per token, with dims chain, draw and any others.

    Returns
    -------
    DataArray
        FLOPs between 1e10 and 1e45; infinite where more would be needed.
    """
    import xarray as xr

    low, high = (xr.full_like(loss, np.log(bound)) for bound in (LEAST_FLOPS, MOST_FLOPS))
    never = path(source, xr.ufuncs.exp(high)) > loss
    reached = bisected(lambda flops: path(source, flops) <= loss, low, high)
    flops: xr.DataArray = reached.where(~never, np.inf)
    return flops


def bisected(
    holds: Callable[[xr.DataArray], xr.DataArray], low: xr.DataArray, high: xr.DataArray
) -> xr.DataArray:
    """Return the compute from which a condition holds, between two log computes."""
    import xarray as xr

    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        enough = holds(xr.ufuncs.exp(middle))
        low, high = low.where(enough, middle), high.where(~enough, middle)
    flops: xr.DataArray = xr.ufuncs.exp(high)
    return flops
