"""The names in a table to the names of this package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from scaling_bayes.errors import InputError
from scaling_bayes.runs._names import CANONICAL, did_you_mean, listed, stand_in
from scaling_bayes.runs._problems import whole_table
from scaling_bayes.runs._sources import Table
from scaling_bayes.units import SIZES


def canonical_columns(table: Table, mapping: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with each mapped column under its canonical name too.

    Raises
    ------
    InputError
        If the mapping has an unknown name, or one column of the table twice.
    RunsError
        If the table lacks a mapped or required column, or has no rows.
    """
    _check_mapping(table, mapping)
    frame = table.frame.assign(**{name: table.frame[other] for name, other in mapping.items()})
    if "loss" not in frame or not _enough_sizes(frame):
        raise whole_table(table.source, *_what_is_missing(table.frame, frame))
    if frame.empty:
        raise whole_table(table.source, "has a header but no runs", "Give one row per run")
    return frame


def _enough_sizes(frame: pd.DataFrame) -> bool:
    """Whether a table has two sizes, or one, and no column that looks like another."""
    lacking = [name for name in SIZES if name not in frame]
    if len(lacking) < 2:
        return True
    return len(lacking) == 2 and not any(stand_in(name, list(frame.columns)) for name in lacking)


def _check_mapping(table: Table, mapping: Mapping[str, str]) -> None:
    if not isinstance(mapping, Mapping) or not all(isinstance(n, str) for n in mapping.values()):
        raise InputError(
            f"columns = {mapping!r} is not a mapping from names of runs to names in the table. "
            'Write it as {"loss": "val_loss"}.'
        )
    for name in mapping:
        if name not in CANONICAL:
            raise InputError(
                f"columns names {name!r}, which is not a column of runs."
                f"{did_you_mean(str(name), CANONICAL)} The columns of runs are "
                f"{listed(CANONICAL)}; the mapping goes from these to the names in the table."
            )
    for other, times in Counter(mapping.values()).items():
        if times > 1:
            names = [name for name, target in mapping.items() if target == other]
            raise InputError(
                f"columns takes {' and '.join(names)} all from {other!r}. "
                "Give each its own column of the table."
            )
    for name, other in mapping.items():
        if other not in table.frame:
            raise whole_table(
                table.source,
                f"has no column {other!r}, which columns gives for {name}",
                f"The table has {listed(table.frame.columns)}"
                f"{did_you_mean(str(other), table.frame.columns).replace(' D', '. D', 1)}",
            )


def _what_is_missing(raw: pd.DataFrame, frame: pd.DataFrame) -> tuple[str, str]:
    lacking = [name for name in SIZES if name not in frame]
    reasons = [] if "loss" in frame else ["has no column loss"]
    wanted = [] if "loss" in frame else ["loss"]
    if len(lacking) > 1:
        reasons.append(
            f"has only {3 - len(lacking)} of {', '.join(SIZES)}, where most laws need two"
        )
        wanted += lacking
    found = {name: stand_in(name, list(raw.columns)) for name in wanted}
    mapping = ", ".join(f'"{name}": "{other}"' for name, other in found.items() if other)
    remedy = f"The table has {listed(raw.columns)}"
    if mapping:
        remedy += f". If they are there by other names, pass columns={{{mapping}}}"
    elif all(_is_number(name) for name in raw.columns):
        remedy += ", which looks like a run: add a header as the first line"
    else:
        remedy += f'. If they are there by other names, pass columns={{"{wanted[0]}": "its name"}}'
    return " and ".join(reasons), remedy


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
