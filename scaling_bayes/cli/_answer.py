"""An answer in three shapes: tables and words for people, JSON, CSV."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scaling_bayes._printable import printable
from scaling_bayes.cli._remedies import in_options

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

    from scaling_bayes._doubt import Doubt
    from scaling_bayes.cli._options import Shape

_PIPED_WIDTH = 100
_MOST_ROWS = 1000
_ROWS_OF_END = 20
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes
    ----------
    tables : sequence of rich Group
        For people; see `table_of`.
    words : sequence of str
        Sentences below the tables; on standard error if a machine reads.
    frame : DataFrame
        For CSV.
    document : mapping
        For JSON; a frame in it becomes the list of its rows.
    opening : sequence of str
        Sentences above the tables, where they are what was asked for; likewise.
    doubts : sequence of Doubt
        What is doubtful about the answer: below the words unless they say it, and in JSON.
    """

    tables: Sequence[Group]
    words: Sequence[str]
    frame: pd.DataFrame
    document: Mapping[str, object]
    opening: Sequence[str] = ()
    doubts: Sequence[Doubt] = ()


def show(answer: Answer, shape: Shape) -> None:
    """Write the answer to standard output in the shape that was asked for."""
    said = [*answer.opening, *answer.words]
    doubts = [in_options(str(doubt)) for doubt in answer.doubts if str(doubt) not in said]
    below = [*answer.words, *doubts]
    words = [*answer.opening, *below]
    if shape.json:
        document = {**answer.document, "doubts": [doubt.to_dict() for doubt in answer.doubts]}
        _to_machine(json.dumps(document, indent=2, allow_nan=False, default=records) + "\n", words)
    elif shape.csv:
        _to_machine(csv_of(answer.frame), words)
    else:
        opening = "\n".join(f"- {sentence}" for sentence in answer.opening)
        parts: list[Group | str] = [opening, *answer.tables, "\n".join(below)]
        print_for_people(*(part for part in parts if part))


def print_for_people(*parts: Group | str) -> None:
    """Write tables and paragraphs to standard output, with a blank line after each."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    console = Console(width=width, highlight=False, emoji=False)
    with console.capture() as text:
        for part in parts:
            # A table is made of printable text, and may hold escapes for colours of its own.
            shown = printable(part) if isinstance(part, str) else part
            console.print(shown, "", sep="\n", markup=False, crop=False)
    sys.stdout.write(text.get())


def table_of(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = ""
) -> Group:
    """Return a table for people, with words above and below it.

    The first column is text, the others numbers, which fold rather than being cut. Columns with
    nothing in them are left out.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    def text(words: str, style: str = "") -> Text:
        return Text(printable(words), style=style)

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    filled = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    for index in filled:
        table.add_column(
            text(columns[index]), justify="right" if index else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(text(row[index]) for index in filled))
    below = [text(caption, "dim")] if caption else []
    return Group(text(title, "bold"), table, *below)


def records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a frame as JSON holds them: null for what is not a finite number."""
    known = frame.astype(object).where(frame.notna(), None)
    return [
        {str(name): _finite(value) for name, value in row.items()}
        for row in known.to_dict("records")
    ]


def csv_of(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, with text that neither a terminal nor a spreadsheet takes for orders.

    Spreadsheets read text that begins with =, +, - or @ as a formula, unless a quote precedes it.
    """
    safe = frame.map(_inert).rename(columns=_inert)
    return safe.to_csv(index=False)


def ends_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to show to people: all, or of more than 1000 the first and the last."""
    import pandas as pd

    if len(frame) <= _MOST_ROWS:
        return frame
    return pd.concat([frame.head(_ROWS_OF_END), frame.tail(_ROWS_OF_END)])


def left_out(frame: pd.DataFrame) -> list[str]:
    """Return what to say where `ends_of` leaves rows out; else nothing."""
    if len(frame) <= _MOST_ROWS:
        return []
    return [f"Shown are the first and last {_ROWS_OF_END} of {len(frame):,} rows; --csv has all."]


def note(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{printable(text)}\n")


def _inert(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _to_machine(text: str, words: Sequence[str]) -> None:
    sys.stdout.write(text)
    for sentence in words:
        note(sentence)
