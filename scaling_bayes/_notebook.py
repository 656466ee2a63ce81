"""Results as a notebook shows them: a title, one small table, and sentences."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import isnan
from typing import TYPE_CHECKING, Any

from scaling_bayes._printable import printable
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 20


class InNotebook:
    """A result that a notebook shows as a table.

    It takes the title from the first line of ``repr``, the table from `to_frame`, and sentences
    from ``words`` or else from ``doubts``, so that no number stands without its caveat. A class
    overrides what is otherwise with it.
    """

    def _repr_html_(self) -> str:
        said: Any = getattr(self, "words", None) or getattr(self, "doubts", ())
        return page_of(self._notebook_title(), self._notebook_frame(), map(str, said))

    def _notebook_title(self) -> str:
        """Return what the numbers are."""
        return repr(self).partition("\n")[0]

    def _notebook_frame(self) -> pd.DataFrame:
        """Return the table to show."""
        result: Any = self
        frame: pd.DataFrame = result.to_frame()
        return frame


def page_of(title: str, frame: pd.DataFrame, sentences: Iterable[str]) -> str:
    """Return HTML of a result, in which nothing of a name or a file is a tag or a formula.

    Parameters
    ----------
    title : str
        What the numbers are.
    frame : DataFrame
        One row each; of more than twenty the first are shown.
    sentences : iterable of str
        What is said of it.
    """
    shown = frame.head(_MOST_ROWS)
    named = not _only_counts(shown)
    heads = [*([str(shown.index.name or "")] if named else []), *map(str, shown.columns)]
    columns = [_cells(name, shown.iloc[:, at]) for at, name in enumerate(map(str, shown.columns))]
    rows = []
    for at, label in enumerate(shown.index):
        first = f"<th>{_text(label)}</th>" if named else ""
        rows.append(f"<tr>{first}{''.join(f'<td>{column[at]}</td>' for column in columns)}</tr>")
    more = len(frame) - len(shown)
    lines = list(sentences) + ([f"{more} more rows are in to_frame()."] if more else [])
    return (
        f"<div><p><strong>{_text(title)}</strong></p>"
        f'<table class="dataframe"><thead><tr>'
        f"{''.join(f'<th>{_text(head)}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
        f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul></div>"
    )


def _only_counts(frame: pd.DataFrame) -> bool:
    """Return whether an index says nothing but the number of a row."""
    return frame.index.name is None and list(frame.index) == list(range(len(frame)))


def _cells(name: str, values: pd.Series) -> list[str]:
    """Return the cells of a column, with sizes as people write them."""
    kinds: dict[str, Any] = {"n_params": "n_params", "flops": "flops", "tokens": "tokens"}
    kind = next((kinds[each] for each in kinds if each in name and "_per_" not in name), None)

    def cell(value: Any) -> str:
        if isinstance(value, str | bool) or not hasattr(value, "__float__"):
            return _text("" if value is None else value)
        number = float(value)
        if isnan(number):
            return ""
        if kind is not None and number > 0:
            return _text(format_quantity(number, kind=kind))
        return f"{number:.4f}" if "loss" in name else f"{number:.4g}"

    return [cell(value) for value in values]


def _text(value: object) -> str:
    """Return text in which tags are shown, and a dollar sign begins no formula."""
    return escape(printable(str(value))).replace("$", "<span>$</span>")
