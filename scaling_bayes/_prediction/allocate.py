"""From draws of a law to compute-optimal model sizes and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from scaling_bayes._plausible import warn_of_first
from scaling_bayes._prediction.allocation import Allocation
from scaling_bayes._prediction.allocation_parts import BUDGETS_AT_ONCE, AllocationInParts
from scaling_bayes._prediction.best_allocation import optimum
from scaling_bayes._prediction.forecast import points_of
from scaling_bayes._prediction.held import held
from scaling_bayes._prediction.law_draws import LawDraws, loss_unit_of, mean_loss, sizes
from scaling_bayes._prediction.mixture import Source, mix, weighted_laws
from scaling_bayes._prediction.optimum import check_trades
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


def allocate(source: Source, *, flops: object, at: Mapping[str, Any] | None = None) -> Allocation:
    """Return the posterior of the compute-optimal allocation for each budget.

    In each draw it is where the mean of runs, the law with its discrepancy, is smallest among the
    sizes that a budget allows.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to allocate with.
    flops : float, str or array_like
        Training budgets in FLOPs; ``"3e4 PF-days"`` is read too.
    at : mapping of str to float or str, optional
        Value of each covariate of the law other than N, D and C, such as
        ``{"unique_tokens": "10B"}``.

    Returns
    -------
    Allocation
        Draws of N*, D*, tokens per parameter and loss, and a recommendation. Of more than 500
        budgets, draws are made where they are read; a table of ten thousand budgets needs no more
        memory than one of five hundred.

    Raises
    ------
    UnitError
        If a budget is not a positive quantity of compute.
    InputError
        If a member of an average has no draws of a law.
    NoOptimumError
        If the law has no optimum inside.
    """
    source = held(source, at)
    budgets = sizes("flops", flops)
    ends = [
        (f"the budget {format_quantity(budget, kind='flops')}", SIZES[2], budget)
        for budget in (budgets.min(), budgets.max())
    ]
    warn_of_first(ends, "Check its unit.")
    if len(budgets) <= BUDGETS_AT_ONCE:
        return _at_once(source, budgets)
    for one, _ in weighted_laws(source):
        check_trades(one.law)
    return AllocationInParts(source, budgets, partial(_at_once, source))


def _at_once(source: Source, flops: np.ndarray) -> Allocation:
    import xarray as xr

    budgets = xr.DataArray(flops, dims="budget")
    best = mix(source, lambda one: optimum(one, budgets))
    return Allocation(source, best.assign_coords(flops=("budget", flops)))


def loss_given_up(
    source: Source,
    *,
    n_params: object = None,
    tokens: object = None,
    flops: object = None,
    at: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Return the loss that runs give up against the optimum at their own compute.

    It is that of the mean of runs, the law with its discrepancy.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to judge with.
    n_params, tokens, flops : float, str or array_like, optional
        Two of the three, of each run.
    at : mapping of str to float or str, optional
        As in `allocate`.

    Returns
    -------
    DataArray
        Nats per token above the optimum for C = k N D, with dims chain, draw and point.

    Raises
    ------
    InputError
        If the sizes do not determine the points, or a member of an average has no draws of a
        law.
    """
    source = held(source, at)

    def of_law(one: LawDraws) -> xr.DataArray:
        points = points_of(one, None, n_params=n_params, tokens=tokens, flops=flops)
        spent = one.flops_per_param_token * points["n_params"] * points["tokens"]
        return mean_loss(one, points.assign(flops=spent)) - optimum(one, spent)["loss"]

    return mix(source, of_law).rename("loss_given_up").assign_attrs(units=loss_unit_of(source))
