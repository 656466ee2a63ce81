"""The export of a chart: a column for each run, with its smallest and largest value beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import pandas as pd

from scaling_bayes.runs._names import listed
from scaling_bayes.runs._problems import whole_table
from scaling_bayes.runs._sources import Table

_ENDS: Final = ("__MIN", "__MAX")
_BETWEEN: Final = " - "
_STEP: Final = re.compile(r"(?:^|[^a-z])(?:step|iter|iteration)s?$")
_TOKENS: Final = re.compile(r"(?:^|[^a-z])tokens?(?:_seen)?$")


def is_chart(frame: pd.DataFrame) -> bool:
    """Return whether a table is the export of a chart of W&B."""
    return bool(_series(frame))


def of_chart(table: Table, *, metric: str | None) -> tuple[Table, str] | None:
    """Return the export of a chart as one row a run and step, and what it is of.

    Parameters
    ----------
    table : Table
        The table.
    metric : str or None
        The metric that is the loss, where the chart has several.

    Returns
    -------
    tuple of Table and str, or None
        The rows with columns ``run``, ``step`` or ``tokens``, and ``loss``, and the metric; None
        where the table is no such export.

    Raises
    ------
    RunsError
        If it has several metrics and none is chosen, or is not over steps or tokens.
    """
    frame = table.frame
    series = _series(frame)
    if not series:
        return None
    metrics = list(dict.fromkeys(name.rpartition(_BETWEEN)[2] for name in series))
    if metric is None and len(metrics) > 1:
        raise whole_table(
            table.source,
            f"is a chart of several metrics: {listed(metrics)}",
            f'Choose the loss: read_curves(..., columns={{"loss": {metrics[0]!r}}})',
        )
    chosen = metrics[0] if metric is None else metric
    own = [name for name in series if name.endswith(f"{_BETWEEN}{chosen}")]
    if not own:
        raise whole_table(
            table.source, f"has no metric {chosen!r}", f"Take one of {listed(metrics)}"
        )
    drawn = {f"{name}{end}" for name in series for end in ("", *_ENDS)}
    axis = next((str(name) for name in frame if name not in drawn), "")
    along = _along(axis)
    if along is None:
        raise whole_table(
            table.source,
            f"is a chart over {axis!r}",
            "Export it over steps, or over a metric that counts tokens",
        )
    end = f"{_BETWEEN}{chosen}"
    each = [
        pd.DataFrame({"run": name.removesuffix(end), along: frame[axis], "loss": frame[name]})
        for name in own
    ]
    return replace(table, frame=pd.concat(each)), chosen


def _series(frame: pd.DataFrame) -> list[str]:
    """Return the columns that have their smallest and largest value beside them."""
    names = set(map(str, frame.columns))
    return [
        name
        for name in map(str, frame.columns)
        if _BETWEEN in name and all(f"{name}{end}" in names for end in _ENDS)
    ]


def _along(axis: str) -> str | None:
    name = axis.lower().strip()
    if _TOKENS.search(name):
        return "tokens"
    return "step" if _STEP.search(name) else None
