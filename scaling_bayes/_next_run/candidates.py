"""Runs that could be trained, as a table with sizes and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._prediction.law_draws import complete_sizes, point_dataset
from scaling_bayes.errors import InputError
from scaling_bayes.units import FLOPS_TOLERANCE, SIZES, format_quantity, parse_quantity

if TYPE_CHECKING:
    import xarray as xr

COST = "cost"
WEIGHT = "weight"
ROUNDING = 1e-9
"""Share of a budget by which sums of costs may exceed it, being rounded."""


def read_candidates(table: object, flops_per_param_token: float) -> pd.DataFrame:
    """Return candidate runs with all sizes, weight and cost.

    Parameters
    ----------
    table : DataFrame
        One row a candidate: two of ``n_params``, ``tokens`` and ``flops``; optional ``weight``,
        the number of equal runs that the row stands for, and ``cost``, in any unit.
    flops_per_param_token : float
        The k of C = k N D.

    Returns
    -------
    DataFrame
        ``n_params``, ``tokens``, ``flops``, ``weight`` (1 by default) and ``cost`` (the FLOPs of
        all of the row's runs by default), with the index of `table`.

    Raises
    ------
    InputError
        If there is no candidate, a size is missing, three sizes contradict each other, or a cost
        or weight is not positive.
    UnitError
        If a size is not a positive quantity.
    """
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"candidates is a {type(table).__name__}; give a DataFrame with two of "
            f"{', '.join(SIZES)}, and a column cost if that is not the FLOPs."
        )
    if not len(table):
        raise InputError("there is no candidate; give a table with at least one row.")
    if not table.index.is_unique:
        label = table.index[table.index.duplicated()][0]
        raise InputError(
            f"two candidates have the index label {label!r}; number them with reset_index()."
        )
    given = {name: table[name].to_numpy() for name in SIZES if name in table}
    if len(given) < 2:
        raise InputError(
            f"the candidates have the columns {', '.join(map(str, table))}; give two of "
            f"{', '.join(SIZES)}."
        )
    frame = pd.DataFrame(complete_sizes(given, flops_per_param_token), index=table.index)
    _check_compute(frame, flops_per_param_token)
    frame[WEIGHT] = _positive(table, WEIGHT) if WEIGHT in table else 1.0
    frame[COST] = _positive(table, COST) if COST in table else frame["flops"] * frame[WEIGHT]
    return frame


def points_of_candidates(candidates: pd.DataFrame) -> xr.Dataset:
    """Return the sizes of candidates as points."""
    return point_dataset({name: candidates[name].to_numpy() for name in SIZES})


def parsed_budget(budget: object, candidates: pd.DataFrame) -> float:
    """Return a budget in the unit of the candidates' costs.

    Raises
    ------
    UnitError
        If the budget is not a positive quantity.
    InputError
        If it pays for no candidate.
    """
    own_unit = (candidates[COST] != candidates["flops"] * candidates[WEIGHT]).any()
    if own_unit and isinstance(budget, str) and not _is_number(budget):
        raise InputError(
            f"the budget is {budget!r}, and the candidates have costs of their own. Give a number, "
            "in the unit of these."
        )
    amount = parse_quantity(budget, kind="flops", name="budget")  # type: ignore[arg-type]
    cheapest = candidates[COST].min()
    if amount < cheapest:
        raise InputError(
            f"a budget of {amount:.4g} is below the cost of the cheapest candidate, "
            f"{cheapest:.4g}. Give a larger budget or a cheaper candidate, in the same unit."
        )
    return amount


def _check_compute(frame: pd.DataFrame, flops_per_param_token: float) -> None:
    """Refuse FLOPs that are not those of the model size and the tokens."""
    ratio = frame["flops"] / (flops_per_param_token * frame["n_params"] * frame["tokens"])
    bad = ((ratio - 1).abs() > FLOPS_TOLERANCE).to_numpy()
    if not bad.any():
        return
    label = frame.index[bad][0]
    row = frame.loc[label]
    given = ", ".join(f"{name} {format_quantity(row[name], kind=name)}" for name in SIZES)
    raise InputError(
        f"candidate {label!r} has {given}, which is {ratio[label]:.3g} times "
        f"{flops_per_param_token:g} n_params x tokens. Correct one of the three, or leave one out."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _positive(table: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of positive, finite numbers."""
    try:
        values = table[name].to_numpy(dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"the column {name} of the candidates is not numeric.") from None
    bad = ~((values > 0) & np.isfinite(values))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"the {name} of candidate {table.index[row]!r} is {values[row]:g}; give a positive "
            "number."
        )
    return values
