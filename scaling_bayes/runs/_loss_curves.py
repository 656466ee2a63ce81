"""Losses along training runs, and the table of their ends."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from scaling_bayes._notebook import page_of
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError, Problem, RunsWarning
from scaling_bayes.runs._chart import of_chart
from scaling_bayes.runs._loss_units import unit_of
from scaling_bayes.runs._names import listed, stand_in
from scaling_bayes.runs._one_row import RUN_COLUMNS
from scaling_bayes.runs._problems import error_of, whole_table
from scaling_bayes.runs._read import read_runs
from scaling_bayes.runs._runs import Runs
from scaling_bayes.runs._sources import Table, table_of

STEPS: Final = ("step", "_step", "global_step", "iteration", "iter")
_RUNS: Final = (*RUN_COLUMNS, "name")
_NUMBERS: Final = ("step", "tokens", "loss")
_FINISHED: Final = 0.99
"""Share of the planned tokens from which on a run counts as finished."""
_SHOWN: Final = 5


@dataclass(frozen=True, eq=False, repr=False)
class Curves:
    """Losses along training runs, one row a step that was logged. Made by `read_curves`.

    Attributes
    ----------
    frame : DataFrame
        Columns ``run`` (text), ``loss``, ``step`` or ``tokens`` or both, and whatever else was in
        the table; by run, and in each by tokens or else by step.
    source : str
        Where they come from.
    diverged : tuple of str
        Runs whose last logged loss is no finite number; their rows before it are in `frame`.
    loss_unit : str
        What losses are counted in, as `read_runs` takes it.
    """

    frame: pd.DataFrame
    source: str
    diverged: tuple[str, ...] = ()
    loss_unit: str = "nats_per_token"

    @property
    def along(self) -> str:
        """What orders the rows of a run: ``"tokens"``, or ``"step"`` where there are none."""
        return "tokens" if "tokens" in self.frame else "step"

    def ends(
        self,
        sizes: pd.DataFrame | Mapping[str, Mapping[str, Any]] | None = None,
        *,
        last: int = 1,
    ) -> Runs:
        """Return one row a run, with the loss at its end.

        Parameters
        ----------
        sizes : DataFrame or mapping, optional
            What the curves do not say of each run, such as ``n_params``: a table with a column
            ``run``, or values by run and column. ``tokens`` there are those that were planned,
            and ``batch_tokens`` are tokens a step.
        last : int
            How many of the last logged losses are averaged.

        Returns
        -------
        Runs
            As `read_runs` checks them, with the column ``run``.

        Raises
        ------
        InputError
            If `last` is no positive whole number, `sizes` lacks a run, or nothing says the tokens.
        RunsError
            If a size cannot be used.

        Warns
        -----
        RunsWarning
            If a run diverged, or ends before the tokens that were planned: it is left out.
        """
        if isinstance(last, bool) or not isinstance(last, int) or last < 1:
            raise InputError(f"last is {last!r}; give a number of losses, 1 or more.")
        kept = self.frame[~self.frame["run"].isin(self.diverged)]
        by_run = kept.groupby("run", sort=False)
        table = by_run.last()
        table["loss"] = by_run["loss"].apply(lambda losses: losses.iloc[-last:].mean())
        known = _by_run(sizes)
        missing = [name for name in table.index if sizes is not None and name not in known.index]
        if missing:
            raise InputError(f"sizes has no row for {listed(missing)}. Add it.")
        planned = known["tokens"].reindex(table.index) if "tokens" in known else None
        new = known.columns.difference([*table.columns, "tokens"], sort=False)
        table = table.join(known[new])
        table["tokens"] = self._tokens(table, planned)
        short = pd.Series(False, index=table.index)
        if planned is not None:
            short = table["tokens"] < _FINISHED * pd.to_numeric(planned)
        if short.all():
            raise InputError(f"{self.source} has no run that was trained to its end.")
        self._warn(list(table.index[short]))
        averaged = "" if last == 1 else f", mean of the last {last} losses of each run"
        rows = table[~short].reset_index().drop(columns="step", errors="ignore")
        ends = read_runs(rows, loss_unit=self.loss_unit)
        return replace(ends, source=f"{self.source}{averaged}")

    def _tokens(self, table: pd.DataFrame, planned: pd.Series | None) -> pd.Series:
        """Return the tokens at the end of each run, from what is known of them."""
        if "tokens" in self.frame:
            return table["tokens"]
        if "batch_tokens" in table:
            return table["step"] * pd.to_numeric(table["batch_tokens"])
        if planned is not None:
            return planned
        raise InputError(
            f"{self.source} has steps and no tokens. Give tokens a step, or tokens, of each run: "
            'ends({"run": {"n_params": 1e9, "batch_tokens": 5e5}}).'
        )

    def _warn(self, short: list[str]) -> None:
        for names, why in (
            (list(self.diverged), "diverged"),
            (short, "ended before the tokens that were planned"),
        ):
            if names:
                warnings.warn(
                    f"{self.source}: left out {_some(names)}, which {why}.",
                    RunsWarning,
                    stacklevel=3,
                )

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        return self.frame

    def _repr_html_(self) -> str:
        title, *lines = repr(self).splitlines()
        return page_of(title, self.frame, lines)

    @printed
    def __repr__(self) -> str:
        by_run = self.frame.groupby("run", sort=False)
        lines = [f"Curves from {self.source}: {len(self.frame):,} rows of {by_run.ngroups} runs"]
        for name, own in list(by_run)[:_SHOWN]:
            lines.append(
                f"  {name}: {len(own):,} rows to {self.along} {own[self.along].iloc[-1]:g}, "
                f"loss {own['loss'].iloc[-1]:.4g}"
            )
        if by_run.ngroups > _SHOWN:
            lines.append(f"  and {by_run.ngroups - _SHOWN} more")
        if self.diverged:
            lines.append(f"  diverged: {_some(list(self.diverged))}")
        return "\n".join(lines)


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
        A table with a row a logged step and a column that names the run, or the export of a
        chart of W&B over steps or tokens: ``Step``, and for each run ``name - metric`` with
        ``__MIN`` and ``__MAX``.
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
    table = table_of(source)
    chart = of_chart(table, metric=given.get("loss"))
    metric = given.get("loss", "loss")
    if chart is not None:
        table, metric = chart
    else:
        table = _renamed(table, given)
    frame = table.frame.copy()
    frame["run"] = frame["run"].astype(str)
    for name in _NUMBERS:
        if name in frame:
            frame[name] = _numbers(table, name)
    along = "tokens" if "tokens" in frame else "step"
    logged = frame["loss"].notna() | _said_to_be_none(table.frame["loss"])
    frame = frame[logged & frame[along].notna()].reset_index(drop=True)
    frame = frame.sort_values(["run", along], kind="stable", key=_in_order)
    last = frame.groupby("run", sort=False)["loss"].tail(1)
    diverged = tuple(frame.loc[last.index[~np.isfinite(last)], "run"])
    finite = frame[np.isfinite(frame["loss"])].reset_index(drop=True)
    if finite.empty:
        raise whole_table(table.source, "has no row with a loss", "Give the losses of each run")
    return Curves(finite, table.source, diverged, unit_of(metric, loss_unit))


def _renamed(table: Table, given: Mapping[str, str]) -> Table:
    """Return a table with the columns that curves need under their names."""
    frame = table.frame
    missing = [name for name in given.values() if name not in frame]
    if missing:
        raise InputError(f"columns names {listed(missing)}, which {table.source} does not have.")
    found = {
        "run": given.get("run") or _one_of(_RUNS, frame),
        "step": given.get("step") or _one_of(STEPS, frame),
        "tokens": given.get("tokens") or _like("tokens", frame),
        "loss": given.get("loss") or _like("loss", frame),
    }
    if found["run"] is None or found["loss"] is None or not (found["step"] or found["tokens"]):
        lacking = [name for name in ("run", "loss") if found[name] is None]
        lacking += [] if found["step"] or found["tokens"] else ["step or tokens"]
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


def _like(name: str, frame: pd.DataFrame) -> str | None:
    """Return the column of that name, or the one that stands for it."""
    return name if name in frame else stand_in(name, map(str, frame.columns))


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


def _by_run(sizes: pd.DataFrame | Mapping[str, Mapping[str, Any]] | None) -> pd.DataFrame:
    if sizes is None:
        return pd.DataFrame()
    if not isinstance(sizes, pd.DataFrame):
        return pd.DataFrame.from_dict(dict(sizes), orient="index")
    if "run" not in sizes:
        raise InputError(f"sizes has no column 'run'; its columns are {listed(sizes.columns)}.")
    if sizes["run"].duplicated().any():
        twice = sizes["run"][sizes["run"].duplicated()].iloc[0]
        raise InputError(f"sizes has the run {twice!r} more than once. Keep one row of it.")
    return sizes.assign(run=sizes["run"].astype(str)).set_index("run")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
