"""Losses along training runs, and the table of their ends."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from scaling_bayes._notebook import page_of
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError, RunsWarning
from scaling_bayes.runs._names import listed
from scaling_bayes.runs._read import read_runs
from scaling_bayes.runs._runs import Runs

_FINISHED: Final = 0.99
"""A run with at least this share of its planned tokens counts as finished."""
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
                some = listed(map(repr, names), most=_SHOWN)
                warnings.warn(
                    f"{self.source}: left out {some}, which {why}.",
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
            lines.append(f"  diverged: {listed(map(repr, self.diverged), most=_SHOWN)}")
        return "\n".join(lines)


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
