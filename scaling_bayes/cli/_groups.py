"""What a command says of the groups in a table of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scaling_bayes.errors import InputError, RunsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from scaling_bayes import Law

_NAMED = 8


def groups_as_one(frame: pd.DataFrame, law: Law) -> list[str]:
    """Return what to know if runs of several groups get a law that does not tell them apart."""
    if "group" not in frame or frame["group"].nunique() < 2 or "group" in law.covariates:
        return []
    first = frame["group"].value_counts().index[0]
    return [
        f"{frame['group'].nunique()} groups ({_counted(frame['group'])}) are fitted as one law; "
        f'keep one with --where "group == {first!r}".'
    ]


def naming_groups(error: RunsError, path: str, names: Mapping[str, str]) -> InputError:
    """Return an error that says which groups there are, if a query has kept no row of a table."""
    from scaling_bayes.runs._sources import table_of

    frame = table_of(path).frame
    column = names.get("group", "group")
    whole_table = all(problem.row is problem.column is None for problem in error.problems)
    if not whole_table or column not in frame:
        return error
    return InputError(f"{error} The groups are {_counted(frame[column])}.")


def _counted(groups: pd.Series) -> str:
    counts = groups.value_counts()
    named = ", ".join(f"{group} {count}" for group, count in counts.head(_NAMED).items())
    return f"{named}, ..." if len(counts) > _NAMED else named
