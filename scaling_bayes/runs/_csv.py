"""CSV text to cells, with the line of each row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from scaling_bayes.errors import Problem
from scaling_bayes.runs._problems import error_of, whole_table

_MISSING_WORDS: Final = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "<na>"})
_DELIMITERS: Final = ",;\t"
_COMMA: Final = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?$")
_DECIMAL: Final = re.compile(r"[+-]?(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))(?:[eE][+-]?\d+)?$")
_POINT: Final = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?$")
_TRUTH: Final = {"true": True, "false": False}


def csv_cells(source: str, text: str) -> pd.DataFrame:
    """Return the cells as text; the index holds the lines, of which the header is the first.

    Lines that are blank or hold nothing but delimiters are passed over. The delimiter is a
    comma, semicolon or tab, whichever the header has most of.

    Raises
    ------
    RunsError
        If the text is not CSV, or a row has more or fewer cells than the header.
    """
    header_line = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[int] = []
    records: list[list[str]] = []
    start = 1
    try:
        for record in reader:
            if any(cell and not cell.isspace() for cell in record):
                lines.append(start)
                records.append(record)
            start = reader.line_num + 1
    except csv.Error as error:
        problem = Problem(
            start, None, None, f"is not CSV ({error})", "Close the quotes, or double those in text"
        )
        raise error_of(source, "line", [problem]) from None
    if not records:
        raise whole_table(source, "holds no cells", "Give a header and one row per run")
    header = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(records.pop(0))]
    lines = lines[1:]
    _check_lengths(source, header, lines, records)
    cells = np.empty((len(records), len(header)), dtype=object)
    if records:
        cells[:] = records
        if delimiter != "," and _has_decimal_commas(records):
            cells = _with_points(cells)
    return pd.DataFrame(
        cells, index=pd.Index(lines, dtype=np.int64), columns=pd.Index(header, dtype=object)
    )


def _has_decimal_commas(records: Sequence[Sequence[str]]) -> bool:
    """Whether numbers have commas that can be no thousands, and none has a point."""
    every = [cell.strip() for record in records for cell in record]
    return any(_DECIMAL.match(cell) for cell in every) and not any(map(_POINT.match, every))


def _with_points(cells: np.ndarray) -> np.ndarray:
    """Return cells with a point for the comma of each number."""
    with_points = [
        [cell.replace(",", ".") if _COMMA.match(cell.strip()) else cell for cell in row]
        for row in cells
    ]
    changed = np.empty(cells.shape, dtype=object)
    changed[:] = with_points
    return changed


def is_missing_word(text: str) -> bool:
    """Return whether a text cell says that there is nothing in it, such as ``NA``."""
    return text.strip().lower() in _MISSING_WORDS


def as_plain(cells: Iterable[str]) -> list[Any]:
    """Return text cells as whole numbers, numbers, truth values or text, whichever fits all."""
    present = [None if is_missing_word(cell) else cell for cell in cells]
    readers: tuple[Callable[[str], object], ...] = (int, float, lambda cell: _TRUTH[cell.lower()])
    for read in readers:
        try:
            return [None if cell is None else read(cell) for cell in present]
        except (ValueError, KeyError):
            continue
    return present


def _check_lengths(
    source: str, header: Sequence[str], lines: Sequence[int], records: Sequence[Sequence[str]]
) -> None:
    problems = [
        Problem(
            line,
            None,
            None,
            f"has {len(record)} cells, where the header has {len(header)}",
            "Write one cell per column; put text with commas in quotes, and no commas in numbers",
        )
        for line, record in zip(lines, records, strict=True)
        if len(record) != len(header)
    ]
    if problems:
        raise error_of(source, "line", problems)
