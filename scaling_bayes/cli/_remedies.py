"""Remedies of the Python API in the words of the command line."""

from __future__ import annotations

import re
from typing import Final

_IN_OPTIONS: Final[list[tuple[str, str]]] = [
    (r'read_runs\(\.\.\., where="(.*)"\)', r'--where "\1"'),
    (r"\bwhere = ", "--where "),
    (r"\bcolumns (names|takes|gives)\b", r"--column \1"),
    (r"Pass it: sb\.load\(path, law=\.\.\.\)", "Name it: --law my_laws.py:MyLaw"),
    (r": see the error's \.problems", ""),
    (r' To look at the draws all the same, pass on_failure="warn"\.', ""),
]
_COLUMNS: Final = re.compile(r"pass columns=\{([^}]*)\}")
_PAIR: Final = re.compile(r'"([^"]*)": "([^"]*)"')


def in_options(message: str) -> str:
    """Return an error's message with options in place of arguments in Python."""
    for python, option in _IN_OPTIONS:
        message = re.sub(python, option, message)
    return _COLUMNS.sub(lambda found: f"give {_as_options(found[1])}", message)


def _as_options(pairs: str) -> str:
    return " ".join(
        f"--column {name}={f'"{other}"' if ' ' in other else other}"
        for name, other in _PAIR.findall(pairs)
    )
