"""Which rows of a table a condition or mask picks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from scaling_bayes.errors import InputError
from scaling_bayes.runs._where import truth_of_rows


def picked(frame: pd.DataFrame, condition: str | npt.ArrayLike) -> np.ndarray:
    """Return the rows that a condition or a boolean array picks.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table, of shape (run, column).
    condition : str or array-like of bool, shape (run,)
        The condition or the mask.

    Returns
    -------
    numpy.ndarray of bool, shape (run,)

    Raises
    ------
    InputError
        If the condition cannot be evaluated, or either is not one truth value a row.
    """
    if isinstance(condition, str):
        return truth_of_rows(frame, condition)
    try:
        answers = pd.array(np.asarray(condition), dtype="boolean")
    except (TypeError, ValueError):
        answers = pd.array([], dtype="boolean")
    if np.ndim(condition) != 1 or len(answers) != len(frame) or _is_number(condition):
        raise InputError(
            f"where = {condition!r} does not give one truth value for each of "
            f"{len(frame)} runs. Give a condition, or a boolean array with one entry per run."
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
