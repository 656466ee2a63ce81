"""The smallest mean of runs at a budget, draw by draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._draws import LawDraws, discrepancy_of, law_loss, mean_loss, point_dataset
from scaling_bayes._isoflop_line import minima, window
from scaling_bayes._optimum import optimal_n_params

if TYPE_CHECKING:
    import xarray as xr

_SIZES = 96


def optimum(source: LawDraws, flops: xr.DataArray) -> xr.Dataset:
    """Return draws of N*, D*, D*/N* and the loss there: the smallest mean of runs at a budget.

    Parameters
    ----------
    source : LawDraws
        The law, its draws and its discrepancy.
    flops : DataArray
        Budgets, with one dim.

    Raises
    ------
    NoOptimumError
        If the law does not trade N against D, or its optimum lies at no finite size.
    """
    import xarray as xr

    flops = flops.drop_vars("flops", errors="ignore")
    k = source.flops_per_param_token
    if discrepancy_of(source) is None:
        n_params = optimal_n_params(source, flops)
        tokens = (flops / (k * n_params)).transpose(*n_params.dims)
        points = n_params.to_dataset(name="n_params").assign(tokens=tokens, flops=flops)
        loss = law_loss(source, points)
    else:
        found = [_lowest(source, float(budget)) for budget in flops]
        like = source.draws[source.law.parameter_names[0]].transpose("chain", "draw")
        log_n, lowest = (
            xr.DataArray(
                np.stack(each, axis=-1).reshape(*like.shape, -1),
                dims=(*like.dims, *flops.dims),
                coords=like.coords,
            )
            for each in zip(*found, strict=True)
        )
        n_params = xr.ufuncs.exp(log_n)
        tokens = (flops / (k * n_params)).transpose(*n_params.dims)
        loss = lowest.rename("loss").assign_attrs(units="nats per token")
    return n_params.to_dataset(name="n_params").assign(
        tokens=tokens, tokens_per_param=tokens / n_params, loss=loss
    )


def _lowest(source: LawDraws, flops: float) -> tuple[np.ndarray, np.ndarray]:
    """Return log N and loss at the minimum of each draw of the mean of runs."""
    log_n = np.linspace(*window(source, flops), _SIZES)
    n_params = np.exp(log_n)
    tokens = flops / (source.flops_per_param_token * n_params)
    points = point_dataset(
        {"n_params": n_params, "tokens": tokens, "flops": np.full(_SIZES, flops)}
    )
    loss = mean_loss(source, points).transpose("point", "chain", "draw").to_numpy()
    return minima(log_n, loss.reshape(_SIZES, -1))
