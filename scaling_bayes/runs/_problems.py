"""From problems to one readable error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from scaling_bayes.errors import Problem, RunsError

_SHOWN: Final = 10
_FILES_SHOWN: Final = 5
_LONGEST_VALUE: Final = 40


def error_of(source: str, row_word: str, problems: Sequence[Problem]) -> RunsError:
    """Return the error that names the first problems, counts all, and carries all."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
    lines = [f"{source} cannot be used: {count}."]
    remedy = ""
    for problem in problems[:_SHOWN]:
        # A remedy that serves many rows is said once.
        same, remedy = problem.remedy == remedy, problem.remedy
        lines.append(
            f"  {_place(problem, row_word)}: {problem.reason}.{'' if same else f' {remedy}.'}"
        )
    hidden = problems[_SHOWN:]
    if hidden:
        counts = Counter(problem.column or "whole rows" for problem in hidden)
        where = ", ".join(f"{count:,} in {column}" for column, count in counts.most_common(_SHOWN))
        lines.append(f"  ... and {len(hidden):,} more ({where}): see the error's .problems.")
    rows = list(dict.fromkeys(problem.row for problem in problems if problem.row is not None))
    if 0 < len(rows) <= _SHOWN:
        lines.append(f'To leave rows out: read_runs(..., where="index not in {rows}").')
    return RunsError("\n".join(lines), tuple(problems))


def whole_table(source: str, reason: str, remedy: str) -> RunsError:
    """Return the error of a table that cannot be read at all."""
    problem = Problem(row=None, column=None, value=None, reason=reason, remedy=remedy)
    end = "" if remedy.endswith("?") else "."
    return RunsError(f"{source} {reason}. {remedy}{end}", (problem,))


def left_out(unreadable: Sequence[str]) -> list[str]:
    """Return one sentence that names the first files that cannot be read; none where all can."""
    if not unreadable:
        return []
    more = len(unreadable) - _FILES_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return [f"left out: {'; '.join(unreadable[:_FILES_SHOWN])}{rest}"]


def _place(problem: Problem, row_word: str) -> str:
    place = [] if problem.row is None else [f"{row_word} {problem.row}"]
    if problem.column is not None:
        value = "" if problem.value is None else f" = {_shown(problem.value)}"
        place.append(f"{problem.column}{value}")
    return ", ".join(place)


def _shown(value: object) -> str:
    """Return a cell as it stands in a message: short, text in quotes unless it is a number."""
    text = repr(value)
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            pass
        else:
            text = value
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
