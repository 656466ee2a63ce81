"""Conditions on the rows of a table, in a small language of their own.

Python's parser reads the text, and only what is listed here is evaluated. Nothing is looked up but
columns of the table, and numbers are floats, so that neither files nor time are at risk.
"""

from __future__ import annotations

import ast
import operator
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from keyword import iskeyword
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api import types

from scaling_bayes.errors import InputError
from scaling_bayes.runs._names import did_you_mean, listed

MOST_CHARACTERS: Final = 10_000
MOST_OPERATIONS: Final = 200
DEEPEST: Final = 50
LARGEST_EXPONENT: Final = 100

_ALLOWED: Final = (
    "A condition is made of columns (in `backquotes` where a name is not a plain word), index, "
    "numbers, 'text', True and False, of == != < <= > >=, in [...], not in [...], is None, "
    "is not None, and, or, not, of + - * / // % **, and of last_of_each(column, ...)"
)
_SPECIAL: Final = re.compile(
    r"""(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|`(?P<name>[^`\n]+)`"""
    r"""|(?P<sign>[&|])|(?P<space>\s)|(?P<comment>\#)"""
)
_WORD_OF_SIGN: Final = {"&": " and ", "|": " or "}
_LONGEST_SHOWN: Final = 200

_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: Final[dict[type[ast.operator], np.ufunc]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.float_power,
}
_KINDS: Final = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float"), "numbers"),
    "boolean": "truth values",
    "string": "text",
    "empty": "nothing",
}


def truth_of_rows(frame: pd.DataFrame, text: str) -> np.ndarray:
    """Return whether a condition holds, row by row.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table, of shape (run, column).
    text : str
        The condition.

    Returns
    -------
    numpy.ndarray of bool, shape (run,)

    Raises
    ------
    InputError
        If the condition cannot be read, holds anything that is not listed in this file, is too
        long or too deep, names a column that does not exist, or is not a truth value of each row.
    """
    condition = _read(frame, text)
    _check_size(condition)
    answer = condition.value(condition.root)
    if not isinstance(answer, pd.Series):
        raise condition.refusal(None, "it does not give one truth value for each run")
    truth: np.ndarray = condition.truth(condition.root, answer).fillna(False).to_numpy(dtype=bool)
    return truth


def in_condition(name: str) -> str:
    """Return the name of a column as a condition takes it."""
    return name if name.isidentifier() and not iskeyword(name) else f"`{name}`"


def _read(frame: pd.DataFrame, text: str) -> _Condition:
    """Return a condition as Python parses it, with `&` and `|` as weak as `and` and `or`."""
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"where = {_shortened(text)} is {len(text):,} characters long; a condition has at "
            f"most {MOST_CHARACTERS:,}. Leave rows out of the table itself."
        )
    start = len(text) - len(text.lstrip())
    pieces: list[str] = []
    origins: list[int] = []

    def add(piece: str, origin: int, step: int) -> None:
        pieces.append(piece)
        origins.extend(origin + step * i for i in range(len(piece)))

    for found in _SPECIAL.finditer(text, start):
        add(text[start : found.start()], start, 1)
        start = found.end()
        match found.lastgroup:
            case "sign":
                add(_WORD_OF_SIGN[found[0]], found.start(), 0)
            case "space":
                add(" ", found.start(), 1)
            case "name":
                add("_" * len(found[0]), found.start(), 1)  # read back by its place
            case "text":
                add(found[0], found.start(), 1)
            case _:
                raise _unreadable(text, found.start())
    add(text[start:], start, 1)
    code = "".join(pieces)
    try:
        with warnings.catch_warnings():
            # Python warns of habits in programs, such as '\d', which mean nothing here.
            warnings.simplefilter("ignore")
            root = ast.parse(code, mode="eval").body
    except SyntaxError as error:
        offset = error.offset or len(code) + 1  # counted from 1; 0 at the end
        raise _unreadable(
            text, origins[offset - 1] if offset <= len(origins) else len(text)
        ) from None
    except (ValueError, MemoryError, RecursionError):  # lone surrogates; deeper than Python reads
        raise _unreadable(text, 0) from None
    return _Condition(frame, text, code.encode(), origins, root)


@dataclass(frozen=True)
class _Condition:
    """A condition and the table that it is about.

    `origins` holds the place in `text` of each character of `code`, the text that Python parses.
    """

    frame: pd.DataFrame
    text: str
    code: bytes
    origins: list[int]
    root: ast.expr

    def value(self, node: ast.expr) -> Any:
        """Return a column, of shape (run,), or a scalar."""
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name():
                return self._column(self._source(node), node)
            case ast.BoolOp(op=op, values=values):
                both = operator.and_ if isinstance(op, ast.And) else operator.or_
                return reduce(both, [self.truth(part, self.value(part)) for part in values])
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return ~self.truth(operand, self.value(operand))
            case ast.UnaryOp(op=op, operand=operand):
                number = self._number(operand)
                return -number if isinstance(op, ast.USub) else number
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._arithmetic(op, left, right)
            case ast.Compare():
                return self._comparison(node)
            case ast.Call(func=ast.Name(id="last_of_each"), args=[_, *_], keywords=[]):
                return self._last_of_each(node)
        raise self.refusal(node, "is not allowed")

    def truth(self, node: ast.expr, value: Any) -> pd.Series:
        """Return truth values of shape (run,), with missing ones as such."""
        if isinstance(value, bool):
            return pd.Series(value, index=range(len(self.frame)), dtype="boolean")
        if isinstance(value, pd.Series) and _kind(value) == "truth values":
            return value.astype("boolean")
        raise self.refusal(
            node,
            "does not give one truth value for each run: compare it, comparisons in brackets",
        )

    def refusal(self, node: ast.expr | None, reason: str) -> InputError:
        """Return the error that names the condition, the place and what is allowed."""
        place = "" if node is None else f"{self._place(node)} "
        return InputError(
            f"where = {_shortened(self.text)} cannot be evaluated: "
            f"{place}{reason}{'' if reason.endswith(('?', '.')) else '.'} {_ALLOWED}. "
            f"The columns are {listed(self.frame.columns)}."
        )

    def _literal(self, node: ast.Constant) -> object:
        value = node.value
        if isinstance(value, str | bool):
            return value
        if isinstance(value, int | float):
            if abs(value) <= sys.float_info.max:
                return value if abs(value) < 2**63 else float(value)
            raise self.refusal(node, "is larger than any float")
        raise self.refusal(node, "is not allowed here")

    def _column(self, name: str, node: ast.expr) -> pd.Series:
        index = self.frame.index
        if name in self.frame:
            column: Any = self.frame[name]
        elif name in index.names:
            column = index.get_level_values(name)
        elif name == "index" and index.nlevels == 1:
            column = index
        else:
            question = did_you_mean(name, map(str, self.frame.columns))
            raise self.refusal(node, f"is not a column.{question}")
        if column.ndim > 1:
            raise self.refusal(node, "is the name of several columns")
        if _kind(column) == "nothing":
            return pd.Series(np.nan, index=range(len(index)))
        return pd.Series(column.array)

    def _number(self, node: ast.expr) -> pd.Series | float:
        """Return floats, of shape (run,), or a float."""
        value = self.value(node)
        if _kind(value) != "numbers":
            raise self.refusal(node, "is not a number, and arithmetic takes numbers")
        if isinstance(value, pd.Series):
            return pd.Series(value.to_numpy(dtype=float, na_value=np.nan))
        return float(value)

    def _arithmetic(self, op: ast.operator, left: ast.expr, right: ast.expr) -> Any:
        first, second = self._number(left), self._number(right)
        if isinstance(op, ast.Pow) and np.any(np.abs(second) > LARGEST_EXPONENT):
            raise self.refusal(right, f"is an exponent beyond {LARGEST_EXPONENT}")
        with np.errstate(all="ignore"):
            result = _ARITHMETIC[type(op)](first, second)
        return result if isinstance(result, pd.Series) else float(result)

    def _comparison(self, node: ast.Compare) -> Any:
        """Return whether every link of a chain such as ``2 < loss < 3`` holds."""
        links = zip(node.ops, pairwise([node.left, *node.comparators]), strict=True)
        first, *more = [self._link(op, *sides) for op, sides in links]
        return (
            reduce(operator.and_, [self.truth(node, link) for link in (first, *more)])
            if more
            else first
        )

    def _link(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> Any:
        match op:
            case ast.Is() | ast.IsNot():
                if not isinstance(right, ast.Constant) or right.value is not None:
                    raise self.refusal(right, "stands after is, where only None can")
                column = self._columns_value(left, "is")
                return column.isna() if isinstance(op, ast.Is) else column.notna()
            case ast.In() | ast.NotIn():
                return self._membership(op, left, right)
        first, second = self.value(left), self.value(right)
        self._check_kinds(left, first, right, second)
        return self._asked(right, lambda: _COMPARISONS[type(op)](first, second))

    def _membership(self, op: ast.In | ast.NotIn, left: ast.expr, right: ast.expr) -> Any:
        if not isinstance(right, ast.List | ast.Tuple):
            raise self.refusal(right, "stands after in, where a list such as ['a', 'b'] can")
        column = self._columns_value(left, "in")
        members = [self._member(element) for element in right.elts]
        for element, member in zip(right.elts, members, strict=True):
            self._check_kinds(left, column, element, member)
        inside = self._asked(right, lambda: column.isin(members))
        return inside if isinstance(op, ast.In) else ~inside

    def _columns_value(self, node: ast.expr, word: str) -> pd.Series:
        value = self.value(node)
        if isinstance(value, pd.Series):
            return value
        raise self.refusal(node, f"stands before {word}, where a column can")

    def _member(self, node: ast.expr) -> object:
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant()):
                return self.value(node)
        raise self.refusal(node, "is in a list, where only numbers, text and truth values can be")

    def _last_of_each(self, node: ast.Call) -> pd.Series:
        """Return the row with the most tokens of those that agree in some columns."""
        if not all(isinstance(argument, ast.Name) for argument in node.args):
            raise self.refusal(node, "takes the names of columns")
        columns = [self._column(self._source(argument), argument) for argument in node.args]
        whole = pd.concat([self._column("tokens", node), *columns], axis=1).dropna()
        tokens = whole.iloc[:, 0]
        keys = [whole.iloc[:, i] for i in range(1, whole.shape[1])]
        last = self._asked(node, lambda: tokens.groupby(keys, sort=False).idxmax())
        return pd.Series(np.isin(np.arange(len(self.frame)), last))

    def _check_kinds(self, left: ast.expr, first: Any, right: ast.expr, second: Any) -> None:
        kinds = {_kind(first), _kind(second)}
        if "text" in kinds and kinds & {"numbers", "truth values"}:
            raise self.refusal(
                right, f"holds {_kind(second)}, where {self._place(left)} holds {_kind(first)}"
            )

    def _asked(self, node: ast.expr, question: Callable[[], Any]) -> Any:
        try:
            return question()
        # Cells may be of any class, and raise what they like when they are compared.
        except Exception as error:  # noqa: BLE001
            raise self.refusal(node, f"cannot be compared ({type(error).__name__})") from None

    def _span(self, node: ast.expr) -> tuple[int, int]:
        start, end = (
            len(self.code[:offset].decode()) for offset in (node.col_offset, node.end_col_offset)
        )
        return self.origins[start], self.origins[end - 1] + 1

    def _source(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self.text[start:end].strip("`")

    def _place(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return f"{_shortened(self.text[start:end], 40)} at character {start + 1}"


def _check_size(condition: _Condition) -> None:
    """Refuse conditions that would take long to evaluate, or more depth than Python has."""
    operations, nodes = 0, [(condition.root, 1)]
    while nodes:
        node, depth = nodes.pop()
        operations += not isinstance(node, ast.Constant)
        if depth > DEEPEST:
            raise condition.refusal(node, f"is more than {DEEPEST} brackets or signs deep")
        if operations > MOST_OPERATIONS:
            raise condition.refusal(node, f"is beyond {MOST_OPERATIONS} columns, signs and lists")
        nodes += [
            (part, depth + 1) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)
        ]


def _kind(value: object) -> str | None:
    """Return what a column or scalar holds, in a word; None if that has no rule here."""
    if isinstance(value, pd.Series | pd.Index):
        inferred = types.infer_dtype(value, skipna=True)
        return _KINDS.get(inferred)
    return _KINDS.get(types.infer_dtype([value]))


def _unreadable(text: str, position: int) -> InputError:
    place = (
        f"it cannot be read at character {position + 1}, {_shortened(text[position:], 20)}"
        if position < len(text)
        else "it ends too early"
    )
    return InputError(f"where = {_shortened(text)} cannot be evaluated: {place}. {_ALLOWED}.")


def _shortened(text: str, most: int = _LONGEST_SHOWN) -> str:
    return repr(text if len(text) <= most else f"{text[:most]}...")
