"""Lines of constant compute: where to look for a minimum, and where it is."""

from __future__ import annotations

import numpy as np

from scaling_bayes._draws import LawDraws
from scaling_bayes._optimum import optimal_n_params

_AROUND = np.log(20.0)
"""How far, in log N, beyond nearly all optima of the law a minimum is looked for."""
_MOST = np.log(1e4)
"""How far, in log N, from the middle of them it is looked for."""
_NEARLY_ALL = (0.005, 0.5, 0.995)
_NEWTON = 4


def window(source: LawDraws, flops: float) -> tuple[float, float]:
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


def minima(log_n: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
