"""JSON records to a table: a list of them, or one a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scaling_bayes.errors import Problem
from scaling_bayes.runs._problems import error_of, whole_table

_DEEPEST = 20
_REMEDY = 'Give a list of records, or one record a line: {"n_params": ..., "tokens": ...}'


def looks_like_json(text: str) -> bool:
    """Return whether text is JSON rather than a table of cells."""
    return text.lstrip()[:1] in ("[", "{")


def json_cells(source: str, text: str) -> tuple[pd.DataFrame, str]:
    """Return records as a table, and what a row is called.

    Records in records become columns with a path: ``config/n_params``.

    Parameters
    ----------
    source : str
        The name of the file, for messages.
    text : str
        Its content.

    Raises
    ------
    RunsError
        If it is not JSON, or not records.
    """
    rows: list[int]
    if text.lstrip().startswith("["):
        records = _parsed(source, text, None)
        rows, word = list(range(len(records))), "record"
    else:
        lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
        try:
            records = [json.loads(text)]
            rows, word = [0], "record"
        except (ValueError, RecursionError):
            records = [_parsed(source, line, number) for number, line in lines]
            rows, word = [number for number, _ in lines], "line"
    wrong = [
        (row, record)
        for row, record in zip(rows, records, strict=True)
        if not isinstance(record, dict)
    ]
    if wrong:
        problems = [
            Problem(row, None, None, f"is a {type(record).__name__}, not a record", _REMEDY)
            for row, record in wrong
        ]
        raise error_of(source, word, problems)
    if not records:
        raise whole_table(source, "holds no records", _REMEDY)
    cells = [flat(record) for record in records]
    return pd.DataFrame(cells, index=pd.Index(rows), dtype=object), word


def _parsed(source: str, text: str, line: int | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        problem = Problem(line, None, None, f"is not JSON ({reason})", "Write it again")
        raise error_of(source, "line", [problem]) from None


def flat(record: Mapping[str, Any], path: str = "", depth: int = 0) -> dict[str, Any]:
    """Return the values of a record and of those in it, by path: ``config/n_params``."""
    cells: dict[str, Any] = {}
    for name, value in record.items():
        place = f"{path}/{name}" if path else name
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            cells |= flat(value, place, depth + 1)
        else:
            cells[place] = value
    return cells
