"""Cells of one column to floats, and why some of them are none."""

from __future__ import annotations

import datetime
import numbers
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from scaling_bayes.runs._covariates import covariate
from scaling_bayes.runs._csv import is_missing_word
from scaling_bayes.units import parse_quantity, unreadable_because

_PLAIN_NUMBER: Final = "Write a plain number, with a decimal point"


class Fault(NamedTuple):
    """What is wrong with a cell or column, and what usually helps."""

    reason: str
    remedy: str


@dataclass
class Cells:
    """One column as numbers.

    Attributes
    ----------
    values : numpy.ndarray of float, shape (run,)
        The numbers; NaN where a cell is missing or faulty.
    faults : dict of int to Fault
        Position of each cell that holds something else than a number.
    column_fault : Fault or None
        Why no cell of the column can be a number.
    """

    values: np.ndarray
    faults: dict[int, Fault] = field(default_factory=dict)
    column_fault: Fault | None = None


def read_cells(column: pd.Series, name: str) -> Cells:
    """Return a column as numbers, with units such as ``"7B"`` read where it is a size."""
    dtype = column.dtype
    for is_kind, kind in (
        (types.is_bool_dtype, "truth values"),
        (types.is_complex_dtype, "complex numbers"),
        (types.is_datetime64_any_dtype, "dates"),
        (types.is_timedelta64_dtype, "time spans"),
    ):
        if is_kind(dtype):
            fault = Fault(f"the column holds {kind}, not numbers", "Give the column of numbers")
            return Cells(np.full(len(column), np.nan), column_fault=fault)
    if types.is_numeric_dtype(dtype):
        return Cells(column.to_numpy(dtype=float, na_value=np.nan))
    objects = column.to_numpy(dtype=object)
    if types.infer_dtype(objects, skipna=False) == "string":
        try:
            return Cells(objects.astype(float))
        except ValueError:
            pass  # some need a closer look
    cells = Cells(np.full(len(column), np.nan))
    for position, cell in enumerate(objects):
        number = _number(cell, name)
        if isinstance(number, Fault):
            cells.faults[position] = number
        else:
            cells.values[position] = number
    return cells


def read_labels(column: pd.Series) -> tuple[pd.Series, dict[int, Fault]]:
    """Return a column as text, and the positions of its missing cells."""
    cells = column.to_numpy(dtype=object)
    missing = [_is_missing(cell) for cell in cells]
    fault = Fault("is missing", "Name the group of every run, or delete the column")
    labels = [None if gone else str(cell) for cell, gone in zip(cells, missing, strict=True)]
    faults = {position: fault for position, gone in enumerate(missing) if gone}
    return pd.Series(labels, index=column.index, dtype="str"), faults


def _number(cell: object, name: str) -> float | Fault:
    if isinstance(cell, str):
        return _number_in_text(cell, name)
    if _is_missing(cell):
        return np.nan
    kind = type(cell).__name__
    match cell:
        case bool() | np.bool_():
            return Fault("is a truth value, not a number", _PLAIN_NUMBER)
        case numbers.Real() | Decimal():
            try:
                return float(cell)
            except OverflowError:
                return np.inf if cell > 0 else -np.inf  # type: ignore[operator]
            except ValueError:  # a signalling NaN of decimal
                return np.nan
        case numbers.Complex():
            return Fault("is a complex number", "Write its real part, if that is meant")
        case datetime.date() | datetime.time() | datetime.timedelta() | np.datetime64():
            return Fault("is a date or time, not a number", _PLAIN_NUMBER)
        case list() | tuple() | set() | dict() | np.ndarray():
            return Fault(f"holds a {kind}, not one number", "Write one row per run")
    return Fault(f"is a {kind}, not a number", _PLAIN_NUMBER)


def _number_in_text(cell: str, name: str) -> float | Fault:
    try:
        return float(cell)
    except ValueError:
        pass
    if is_missing_word(cell):
        return np.nan
    kind = covariate(name).kind
    if kind is None:
        return Fault("is not a number", _PLAIN_NUMBER)
    fault = unreadable_because(cell, kind)
    return parse_quantity(cell, kind=kind) if fault is None else Fault(*fault)


def _is_missing(cell: object) -> bool:
    if isinstance(cell, str):
        return is_missing_word(cell)
    return (
        cell is None
        or cell is pd.NA
        or cell is pd.NaT
        or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))
    )
