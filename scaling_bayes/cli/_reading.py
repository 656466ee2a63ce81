"""How commands read tables of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scaling_bayes.cli._answer import note, print_for_people
from scaling_bayes.cli._groups import naming_groups
from scaling_bayes.cli._remedies import in_options
from scaling_bayes.errors import InputError, RunsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from scaling_bayes import Law, Runs
    from scaling_bayes.cli._options import Shape
    from scaling_bayes.runs._left_out import Duplicates, Unfinished


def names_of(pairs: Iterable[str]) -> dict[str, str]:
    """Return the names in a table, by the names of this package.

    Raises
    ------
    InputError
        If a pair is none, or a column is named twice.
    """
    names: dict[str, str] = {}
    for pair in pairs:
        name, equals, other = pair.partition("=")
        if not equals or not other or name in names:
            raise InputError(
                f"--column {pair!r} does not give one other name of a column. "
                "Write it as --column loss=val_loss, once for each column."
            )
        names[name] = other
    return names


def read_table(
    path: str | list[str],
    *,
    names: dict[str, str],
    where: str | None,
    flops_per_param_token: float,
    flops_tolerance: float,
    loss_unit: str | None = None,
    duplicates: Duplicates = "refuse",
    unfinished: Unfinished = "drop",
) -> Runs:
    """Return checked runs.

    Raises
    ------
    RunsError
        If the table cannot be read, or cells cannot be used.
    InputError
        If another argument cannot be used, or no row is kept; it names the groups there are.
    """
    import scaling_bayes as sb

    try:
        return sb.read_runs(
            path,
            columns=names,
            flops_per_param_token=flops_per_param_token,
            flops_tolerance=flops_tolerance,
            where=where,
            loss_unit=loss_unit,
            duplicates=duplicates,
            unfinished=unfinished,
        )
    except RunsError as error:
        raise (error if where is None else naming_groups(error, path, names)) from None


def read_points(path: str) -> pd.DataFrame:
    """Return a table without losses, with numbers for text that is one.

    Raises
    ------
    RunsError
        If the table cannot be read.
    """
    import pandas as pd

    from scaling_bayes.runs._csv import as_plain
    from scaling_bayes.runs._sources import table_of

    table = table_of(path)
    if not table.is_text:
        return table.frame
    return pd.DataFrame({name: as_plain(cells) for name, cells in table.frame.items()})


def announce(table: Runs, laws: Iterable[Law], shape: Shape, *, groups: str | None = None) -> None:
    """Say what was read, and what is doubtful about fitting laws to it, or to each group of it."""
    from scaling_bayes._fit.grouping import runs_by_group
    from scaling_bayes._inference.doubtful_runs import doubts_about

    if shape.for_people:
        print_for_people(repr(table))
    # As a fit takes them: what it leaves out or joins is no doubt.
    rows = table.ends_of_runs().means_by_size(*([] if groups is None else [groups]))
    fitted = [rows] if groups is None else runs_by_group(rows, groups).values()
    sentences = [str(doubt) for law in laws for own in fitted for doubt in doubts_about(own, law)]
    for sentence in dict.fromkeys(sentences):
        note(in_options(sentence))
