"""Which rows of a table a query or mask picks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scaling_bayes.errors import InputError
from scaling_bayes.runs._names import listed


def picked(frame: pd.DataFrame, condition: str | npt.ArrayLike) -> np.ndarray:
    """Return the rows that a pandas query or a boolean array picks.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table, of shape (run, column).
    condition : str or array-like of bool, shape (run,)
        The query or the mask.

    Returns
    -------
    numpy.ndarray of bool, shape (run,)

    Raises
    ------
    InputError
        If the query cannot be evaluated, or either is not one truth value a row.
    """
    if isinstance(condition, str):
        try:
            mask: Any = frame.eval(condition, engine="python")
        # pandas raises whatever the query makes Python raise: names, types, syntax, keys.
        except Exception as error:  # noqa: BLE001
            raise InputError(
                f"where = {condition!r} cannot be evaluated ({error}). "
                f"The columns are {listed(frame.columns)}."
            ) from None
        remedy = f"Compare columns, such as 'loss < 4'. The columns are {listed(frame.columns)}"
    else:
        mask = condition
        remedy = "Give a query, or a boolean array with one entry per run"
    try:
        answers = pd.array(np.asarray(mask), dtype="boolean")
    except (TypeError, ValueError):
        answers = pd.array([], dtype="boolean")
    if np.ndim(mask) != 1 or len(answers) != len(frame) or _is_number(mask):
        raise InputError(
            f"where = {condition!r} does not give one truth value for each of "
            f"{len(frame)} runs. {remedy}."
        )
    chosen: np.ndarray = answers.fillna(False).to_numpy(dtype=bool)
    return chosen


def last_rows(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the row with the most tokens of those that agree in some columns.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table, of shape (run, column), its rows counted from 0.
    columns : sequence of str
        The columns, without missing cells.

    Returns
    -------
    numpy.ndarray of bool, shape (run,)
    """
    chosen = np.zeros(len(frame), dtype=bool)
    chosen[frame.groupby(list(columns), sort=False)["tokens"].idxmax()] = True
    return chosen


def _is_number(mask: object) -> bool:
    return np.asarray(mask).dtype.kind in "iufc"
