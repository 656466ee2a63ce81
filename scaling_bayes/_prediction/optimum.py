"""Each draw's compute-optimal model size by the law."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._prediction.isoflop import loss_along, minimise, stationary
from scaling_bayes._prediction.law_draws import LawDraws, of_arrays
from scaling_bayes.errors import NoOptimumError
from scaling_bayes.laws import Law
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

_BLOCK = 8
"""Budgets searched at once; more would only take more memory."""


def check_trades(law: Law) -> None:
    """Refuse a law that does not trade model size against tokens.

    Raises
    ------
    NoOptimumError
        If it reads only one of N, D and C.
    """
    if len(set(law.covariates) & set(SIZES)) < 2:
        raise NoOptimumError(
            f"{law.name} has no compute-optimal model size: it reads {law.covariates[0]} alone, "
            "so it does not trade model size against tokens. Fit a law in N and D, such as "
            "Chinchilla."
        )


def n_params_within(
    laws: Iterable[Law], budget: Any, flops_per_param_token: float
) -> tuple[Any, Any]:
    """Return the smallest and largest model size at which laws are meant, for a budget in FLOPs.

    Parameters
    ----------
    laws : iterable of Law
        The laws, each with its range of tokens per parameter.
    budget : float or ndarray
        The budget C.
    flops_per_param_token : float
        The k of C = k N D.
    """
    product = budget / flops_per_param_token
    least, most = np.ones_like(product), product
    for law in laws:
        low, high = law.tokens_per_param
        least = np.maximum(least, np.sqrt(product / high))
        most = np.minimum(most, np.sqrt(product / low)) if low else most
    return least, most


def optimal_n_params(source: LawDraws, flops: xr.DataArray) -> xr.DataArray:
    """Return each draw's compute-optimal model size by the law, in closed form where it has one.

    Parameters
    ----------
    source : Fit or PublishedLaw
        The law and its draws.
    flops : DataArray
        Budgets.

    Raises
    ------
    NoOptimumError
        If the law does not trade N against D, or its optimum lies at no finite size.
    """
    law, k = source.law, source.flops_per_param_token
    check_trades(law)
    closed = of_arrays(
        lambda p, x: law.optimal_n_params(p, x.flops, k),
        source.draws,
        flops.to_dataset(name="flops"),
    )
    return numerical_optimum(source, flops) if closed is None else closed


def numerical_optimum(source: LawDraws, flops: xr.DataArray) -> xr.DataArray:
    """Return each draw's compute-optimal model size by minimising along isoFLOP lines.

    Searched are all sizes from one parameter to one token, and of these the ones at which the
    law is meant.

    Raises
    ------
    NoOptimumError
        If the loss keeps falling towards an end of that range.
    """
    import xarray as xr

    law, k = source.law, source.flops_per_param_token
    budgets, *parameters = xr.broadcast(
        flops, *(source.draws[name] for name in law.parameter_names)
    )
    budgets = budgets.transpose("chain", "draw", ...)
    arrays = [array.transpose(*budgets.dims).to_numpy() for array in (budgets, *parameters)]

    def objective(log_n: np.ndarray, flops: np.ndarray, *values: np.ndarray) -> np.ndarray:
        p = SimpleNamespace(**dict(zip(law.parameter_names, values, strict=True)))
        return loss_along(law, p, log_n, flops, k)

    log_n = np.empty(budgets.shape)
    for start in range(0, budgets.shape[-1], _BLOCK):
        block = np.s_[..., start : start + _BLOCK]
        some = tuple(array[block] for array in arrays)
        least, most = n_params_within([law], some[0], k)
        lowest = minimise(objective, np.log(least), np.log(most), some, what=law.name)
        log_n[block] = stationary(objective, lowest, some)
    return budgets.copy(data=np.exp(log_n))
