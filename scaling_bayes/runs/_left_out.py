"""Rows that are left out before any cell is read: repetitions, and runs that did not finish."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from scaling_bayes.errors import InputError, RunsWarning
from scaling_bayes.runs._names import listed
from scaling_bayes.runs._problems import whole_table
from scaling_bayes.runs._sources import Table

Duplicates = Literal["refuse", "drop", "keep"]
Unfinished = Literal["drop", "keep"]

_DONE: Final = frozenset({"finished", "completed", "complete", "succeeded", "success", "done"})
_NOT_DONE: Final = frozenset(
    {
        "crashed",
        "failed",
        "killed",
        "running",
        "pending",
        "preempted",
        "aborted",
        "diverged",
        "unfinished",
    }
)
_STATE: Final = ("state", "status")
_NAME: Final = ("name", "run", "run_id", "id")
_SHOWN: Final = 5
REPEATED: Final = "repetition"
"""The column that tells apart rows that are kept although they repeat others."""


def kept(table: Table, *, duplicates: Duplicates, unfinished: Unfinished) -> Table:
    """Return a table without the rows that are to be left out.

    Parameters
    ----------
    table : Table
        The table.
    duplicates, unfinished : str
        As in `read_runs`.

    Raises
    ------
    InputError
        If an option is unknown.
    RunsError
        If no row is left.

    Warns
    -----
    RunsWarning
        If rows are left out; it names the first of them.
    """
    for name, value, known in (
        ("duplicates", duplicates, get_args(Duplicates)),
        ("unfinished", unfinished, get_args(Unfinished)),
    ):
        if value not in known:
            raise InputError(f"{name} is {value!r}; take one of {', '.join(known)}.")
    frame = table.frame
    if unfinished == "drop":
        out = _unfinished(frame)
        frame = _without(table, frame, out, "did not finish", 'pass unfinished="keep"')
    if duplicates != "refuse":
        repeated = _repeated(frame)
        if duplicates == "drop":
            frame = _without(table, frame, repeated, "repeat other rows", 'pass duplicates="keep"')
        elif repeated.any():
            columns = list(frame.columns)
            number = comparable(frame).groupby(columns, dropna=False, sort=False).cumcount()
            frame = frame.assign(**{REPEATED: number.to_numpy()})
    return replace(table, frame=frame)


def _without(
    table: Table, frame: pd.DataFrame, out: np.ndarray, why: str, otherwise: str
) -> pd.DataFrame:
    """Return the rows that stay, and warn of those that do not."""
    if not out.any():
        return frame
    if out.all():
        raise whole_table(table.source, "holds no finished run", otherwise.capitalize())
    column = _column(frame, _NAME)
    rows = frame[out]
    names = [f"{table.row_word} {row}" for row in rows.index]
    if column is not None:
        names = [f"{name} ({cell})" for name, cell in zip(names, rows[column], strict=True)]
    warnings.warn(
        f"{len(rows)} of {len(frame)} rows of {table.source} {why} and are left out: "
        f"{listed(names, most=_SHOWN)}. To keep them, {otherwise}.",
        RunsWarning,
        stacklevel=4,
    )
    return frame[~out]


def _unfinished(frame: pd.DataFrame) -> np.ndarray:
    """Return which rows a column of states calls unfinished, if there is one."""
    column = _column(frame, _STATE)
    if column is None:
        return np.zeros(len(frame), dtype=bool)
    states = frame[column].map(lambda cell: str(cell).strip().lower())
    if not set(states) <= _DONE | _NOT_DONE:
        return np.zeros(len(frame), dtype=bool)
    return states.isin(_NOT_DONE).to_numpy()


def _column(frame: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    by_lower = {str(name).lower(): str(name) for name in reversed(list(frame.columns))}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _repeated(frame: pd.DataFrame) -> np.ndarray:
    return comparable(frame).duplicated(keep="first").to_numpy()


def comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return cells that can be compared by hash: lists and the like by their text."""
    cells: pd.DataFrame = frame.apply(lambda x: x.map(repr) if x.dtype == object else x)
    return cells
