"""The smallest mean of runs at a budget, draw by draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._prediction.law_draws import (
    LawDraws,
    discrepancy_of,
    law_loss,
    loss_unit_of,
    mean_loss,
    point_dataset,
)
from scaling_bayes._prediction.optimum import optimal_n_params

if TYPE_CHECKING:
    import xarray as xr

_SIZES = 96
_AROUND = np.log(20.0)
"""How far, in log N, beyond nearly all optima of the law a minimum is looked for."""
_MOST = np.log(1e4)
"""How far, in log N, from the middle of them it is looked for."""
_NEARLY_ALL = (0.005, 0.5, 0.995)
_NEWTON = 4


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
        loss = lowest.rename("loss").assign_attrs(units=loss_unit_of(source))
    return n_params.to_dataset(name="n_params").assign(
        tokens=tokens, tokens_per_param=tokens / n_params, loss=loss
    )


def _lowest(source: LawDraws, flops: float) -> tuple[np.ndarray, np.ndarray]:
    """Return log N and loss at the minimum of each draw of the mean of runs."""
    log_n = np.linspace(*_window(source, flops), _SIZES)
    n_params = np.exp(log_n)
    tokens = flops / (source.flops_per_param_token * n_params)
    points = point_dataset(
        {"n_params": n_params, "tokens": tokens, "flops": np.full(_SIZES, flops)}
    )
    loss = mean_loss(source, points).transpose("point", "chain", "draw").to_numpy()
    return _minima(log_n, loss.reshape(_SIZES, -1))


def _window(source: LawDraws, flops: float) -> tuple[float, float]:
    """Return the logs of the model sizes between which all draws have their minimum.

    Parameters
    ----------
    source : LawDraws
        The law, its draws and its discrepancy.
    flops : float
        The budget C, in FLOPs.
    """
    import xarray as xr

    by_law = np.log(optimal_n_params(source, xr.DataArray([flops], dims="budget")))
    low, middle, high = np.quantile(by_law, _NEARLY_ALL)
    tokens = flops / source.flops_per_param_token
    least = max(low - _AROUND, middle - _MOST, 0.0)
    return least, min(high + _AROUND, middle + _MOST, np.log(tokens))


def _minima(log_n: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log N and loss at the minimum of each draw, each of shape (draw,).

    By the polynomial through the smallest loss and two sizes to either side. A draw whose loss
    falls towards an end of the sizes has its minimum there.

    Parameters
    ----------
    log_n : ndarray, shape (size,)
        Logs of model sizes, evenly.
    loss : ndarray, shape (size, draw)
        The loss there, or any other function with a minimum.
    """
    place = loss.argmin(axis=0)
    centre = place.clip(2, len(log_n) - 3)
    draw = np.arange(loss.shape[1])
    a, b, c, d, e = (loss[centre + step, draw] for step in (-2, -1, 0, 1, 2))
    # The polynomial's coefficients of step, step^2 and so on.
    p, q = (a - 8 * b + 8 * d - e) / 12, (-a + 16 * b - 30 * c + 16 * d - e) / 24
    r, s = (-a + 2 * b - 2 * d + e) / 12, (a - 4 * b + 6 * c - 4 * d + e) / 24
    step = (place - centre).astype(float)
    for _ in range(_NEWTON):
        slope = p + step * (2 * q + step * (3 * r + step * 4 * s))
        bend = 2 * q + step * (6 * r + step * 12 * s)
        step = step - np.where(bend > 0, slope / np.where(bend > 0, bend, 1.0), 0.0)
        step = step.clip(place - centre - 1, place - centre + 1).clip(-2, 2)
    lowest = c + step * (p + step * (q + step * (r + step * s)))
    return log_n[centre] + step * (log_n[1] - log_n[0]), lowest
