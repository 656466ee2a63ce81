"""What a command says of the groups in a table of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scaling_bayes.errors import InputError, RunsError

if TYPE_CHECKING:
    from collections.abc import Mapping


def naming_groups(error: RunsError, path: str | list[str], names: Mapping[str, str]) -> InputError:
    """Return an error that says which groups there are, if a query has kept no row of a table."""
    from scaling_bayes._inference.doubtful_runs import counted
    from scaling_bayes.runs._sources import table_of

    frame = table_of(path).frame
    column = names.get("group", "group")
    whole_table = all(problem.row is problem.column is None for problem in error.problems)
    if not whole_table or column not in frame:
        return error
    return InputError(f"{error} The groups are {counted(frame[column])}.")
