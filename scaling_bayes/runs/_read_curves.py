"""From tables of logged losses to curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from scaling_bayes.errors import InputError, Problem
from scaling_bayes.runs._chart import of_chart
from scaling_bayes.runs._loss_curves import Curves
from scaling_bayes.runs._loss_units import unit_of
from scaling_bayes.runs._names import called_elsewhere, listed
from scaling_bayes.runs._one_row import RUN_COLUMNS
from scaling_bayes.runs._problems import error_of, whole_table
from scaling_bayes.runs._sources import Table, matching, path_of_table, table_of

_STEPS: Final = ("step", "_step", "global_step", "iteration", "iter")
_RUNS: Final = (*RUN_COLUMNS, "name")
_NUMBERS: Final = ("step", "tokens", "loss")


def read_curves(
    source: object,
    *,
    columns: Mapping[str, str] | None = None,
    loss_unit: str | None = None,
) -> Curves:
    """Read losses along training runs.

    Parameters
    ----------
    source : str, Path, list of them, or a data frame
        A table with a row a logged step and a column that names the run; files with the rows of
        one run each, which the file names; or the export of a chart of W&B over steps or tokens:
        ``Step``, and for each run ``name - metric`` with ``__MIN`` and ``__MAX``.
    columns : mapping of str to str, optional
        Your name of ``run``, ``step``, ``tokens`` or ``loss``; in a chart of several metrics,
        the metric that is the loss.
    loss_unit : str, optional
        As in `read_runs`.

    Returns
    -------
    Curves
        Rows without a loss, as of steps at which other runs were logged, are left out.

    Raises
    ------
    RunsError
        If it cannot be read, lacks a column, or a cell is not a number.
    InputError
        If a name in `columns` cannot be used.

    Examples
    --------
    >>> import pandas as pd
    >>> import scaling_bayes as sb
    >>> table = pd.DataFrame({"Step": [1000, 2000], "a - loss": [3.5, 3.1],
    ...                       "a - loss__MIN": [3.5, 3.1], "a - loss__MAX": [3.5, 3.1]})
    >>> curves = sb.read_curves(table)
    >>> runs = curves.ends({"a": {"n_params": 7e7, "batch_tokens": 5e5}})
    >>> runs.frame[["run", "n_params", "tokens", "loss"]].values.tolist()
    [['a', 70000000.0, 1000000000.0, 3.1]]
    """
    given = dict(columns or {})
    unknown = [name for name in given if name not in ("run", *_NUMBERS)]
    if unknown:
        raise InputError(f"columns names {listed(unknown)}; give run, step, tokens or loss.")
    tables = _tables(source)
    read = [_rows_of(table, given) for table in tables]
    frame = pd.concat([rows for rows, _ in read], ignore_index=True)
    along = "tokens" if all("tokens" in rows for rows, _ in read) else "step"
    if along not in frame:
        raise whole_table(
            tables[0].source,
            "has tokens and no steps, other than the rest",
            "Read files that agree in that",
        )
    where = tables[0].source if len(tables) == 1 else f"{len(tables)} files"
    frame = frame[frame[along].notna()].sort_values(["run", along], kind="stable", key=_in_order)
    last = frame.groupby("run", sort=False)["loss"].tail(1)
    diverged = tuple(frame.loc[last.index[~np.isfinite(last)], "run"])
    finite = frame[np.isfinite(frame["loss"])].reset_index(drop=True)
    if finite.empty:
        raise whole_table(where, "has no row with a loss", "Give the losses of each run")
    return Curves(finite, where, diverged, unit_of(read[0][1], loss_unit))


def _tables(source: object) -> list[Table]:
    """Return one table, or that of each of several files."""
    if isinstance(source, list | tuple):
        if not source:
            raise InputError("source is an empty list; give the files of curves.")
        return [table_of(each) for each in source]
    if isinstance(source, str | Path) and (found := matching(path_of_table(source))):
        return [table_of(path) for path in found]
    return [table_of(source)]


def _rows_of(table: Table, given: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """Return the logged rows of a table with numbers in them, and what the loss is called."""
    chart = of_chart(table, metric=given.get("loss"))
    table, metric = chart or (_renamed(table, given), given.get("loss", "loss"))
    frame = table.frame.copy()
    frame["run"] = frame["run"].astype(str)
    for name in _NUMBERS:
        if name in frame:
            frame[name] = _numbers(table, name)
    return frame[frame["loss"].notna() | _said_to_be_none(table.frame["loss"])], metric


def _renamed(table: Table, given: Mapping[str, str]) -> Table:
    """Return a table with the columns that curves need under their names."""
    frame = table.frame
    if "run" not in given and _one_of(_RUNS, frame) is None and table.is_text:
        frame = frame.assign(run=Path(table.source.removesuffix(".gz")).stem)
    missing = [name for name in given.values() if name not in frame]
    if missing:
        raise InputError(f"columns names {listed(missing)}, which {table.source} does not have.")
    found = {
        "run": given.get("run") or _one_of(_RUNS, frame),
        "step": given.get("step") or _one_of(_STEPS, frame),
        "tokens": given.get("tokens") or called_elsewhere("tokens", map(str, frame)),
        "loss": given.get("loss") or called_elsewhere("loss", map(str, frame)),
    }
    lacking = [name for name in ("run", "loss") if found[name] is None]
    if found["step"] is found["tokens"] is None:
        lacking.append("step or tokens")
    if lacking:
        raise whole_table(
            table.source,
            f"has no column {', no column '.join(lacking)}; its columns are "
            f"{listed(frame.columns)}",
            'Name it: read_curves(..., columns={"loss": "eval/loss"})',
        )
    names = {old: new for new, old in found.items() if old is not None}
    others = [name for name in frame if name not in names and name not in found]
    return replace(table, frame=frame[[*names, *others]].rename(columns=names))


def _one_of(names: tuple[str, ...], frame: pd.DataFrame) -> str | None:
    by_lower = {str(name).lower(): str(name) for name in frame}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _numbers(table: Table, name: str) -> pd.Series:
    """Return a column as floats; an empty cell is missing, and so is text that says it is none."""
    cells = table.frame[name]
    numbers = pd.to_numeric(cells.replace("", np.nan), errors="coerce").astype(float)
    bad = numbers.isna() & cells.notna() & ~cells.astype(str).str.lower().isin(["", "nan", "none"])
    if bad.any():
        problems = [
            Problem(row, name, cell, "is not a number", "Correct it, or empty the cell")
            for row, cell in cells[bad].items()
        ]
        raise error_of(table.source, table.row_word, problems)
    return numbers


def _said_to_be_none(cells: pd.Series) -> np.ndarray:
    """Return which losses were logged as not a number, as those of runs that diverged are."""
    return np.array([isinstance(cell, str) and cell.strip().lower() == "nan" for cell in cells])


def _in_order(column: pd.Series) -> pd.Series:
    """Return runs by where they come first in the table, and numbers as they are."""
    return pd.Series(pd.factorize(column)[0], column.index) if column.name == "run" else column
