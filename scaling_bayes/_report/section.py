"""What a report is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from scaling_bayes._printable import printable
from scaling_bayes.units import SIZES, format_quantity

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")


@dataclass(frozen=True)
class Picture:
    """A picture as SVG, with what it shows in words."""

    svg: str
    title: str
    description: str


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes
    ----------
    name : str
        What links point to; it stays the same from report to report.
    title : str
        Its heading.
    words : tuple of str
        Sentences, the answer first.
    columns, rows : tuple
        A table of cells as text; none where there are no columns.
    caption : str
        What the table's intervals are of.
    pictures : tuple of Picture
        Pictures.
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    caption: str = ""
    pictures: tuple[Picture, ...] = ()


def cells(frame: pd.DataFrame, shown: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return chosen columns of a frame as text, with sizes in people's units.

    Parameters
    ----------
    frame : DataFrame
        The frame.
    shown : mapping of str to str
        How each column is written: the kind of a size, or a format of a number; an empty one
        for text.
    """
    return tuple(
        tuple(_cell(row[name], form) for name, form in shown.items())
        for row in frame.to_dict("records")
    )


def _cell(value: object, form: str) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if form in SIZES:
        return format_quantity(float(value), kind=form)  # type: ignore[arg-type]
    return format(value, form)


def markdown_row(row: Sequence[str], *, raw: bool = False) -> str:
    """Return a row of a table in Markdown; raw cells are taken as they are."""
    return f"| {' | '.join(cell if raw else plain_in_markdown(cell) for cell in row)} |"


def plain_in_markdown(text: str) -> str:
    """Return text of which Markdown makes nothing."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))
