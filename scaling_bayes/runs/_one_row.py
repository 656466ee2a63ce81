"""One row for what several rows say of the same training run, or of runs of the same size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

SEED_SD: Final = "seed_sd"
"""Column of the standard deviation of log loss over the runs that a row is the mean of."""
RUN_COLUMNS: Final = ("run", "run_id", "run_name")
"""Columns that say which training run a row belongs to."""


def run_column(frame: pd.DataFrame) -> str | None:
    """Return the column that says which training run a row belongs to; None if there is none."""
    return next((name for name in RUN_COLUMNS if name in frame), None)


def ends(frame: pd.DataFrame) -> np.ndarray:
    """Return the rows at the end of a training run; all rows where the table does not tell runs.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table, of shape (run, column).

    Returns
    -------
    numpy.ndarray of bool, shape (run,)
    """
    column = run_column(frame)
    every = np.ones(len(frame), dtype=bool)
    if column is None or not {"n_params", "tokens"} <= set(frame):
        return every
    names = frame[column]
    if names.isna().any() or (frame.groupby(names)["n_params"].nunique() > 1).any():
        return every
    last: pd.Series = frame["tokens"] == frame.groupby(names)["tokens"].transform("max")
    return last.to_numpy()


def means_by_size(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return a table with one row for all runs that agree in some columns.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table, of shape (run, column); each row is one run.
    keys : sequence of str
        The columns.

    Returns
    -------
    pandas.DataFrame
        The first row of each, with the geometric mean of losses, the number of runs as
        ``weight``, and ``seed_sd``; missing where there is one run.
    """
    log_loss = np.log(frame["loss"]).groupby([frame[key] for key in keys], dropna=False, sort=False)
    first: pd.DataFrame = frame[log_loss.cumcount() == 0].drop(columns="seed", errors="ignore")
    first["loss"] = np.exp(log_loss.transform("mean"))[first.index]
    first["weight"] = log_loss.transform("size")[first.index].astype(float)
    first[SEED_SD] = log_loss.transform("std")[first.index]
    return first
