"""Folders of runs to a table."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import pandas as pd

from scaling_bayes.errors import RunsWarning
from scaling_bayes.runs._problems import left_out, whole_table
from scaling_bayes.runs._trackers import KINDS, RunRecord
from scaling_bayes.runs._trackers.run_objects import records_of
from scaling_bayes.runs._trackers.run_record import Kind, RecordError

_MOST_FILES: Final = 200_000


def is_run(path: Path) -> bool:
    """Return whether a file is one of runs, by its name."""
    return _kind_of(path.name) is not None


def _kind_of(name: str) -> Kind | None:
    return next((kind for kind in KINDS if fnmatchcase(name, kind.file_name)), None)


def table_of_runs(paths: Sequence[Path], source: str) -> pd.DataFrame:
    """Return the runs in folders and files, one a row.

    Columns are ``run`` and ``state``, those of ``n_params``, ``tokens``, ``flops`` and ``loss``
    that are known, and everything that was recorded, by path.

    Parameters
    ----------
    paths : sequence of Path
        Folders, which are searched with all folders in them, and files of runs.
    source : str
        What they are called in messages.

    Raises
    ------
    RunsError
        If no run is found.

    Warns
    -----
    RunsWarning
        Of what was guessed, and of files that cannot be read.
    """
    found: dict[tuple[str, str, str], RunRecord] = {}
    unreadable: list[str] = []
    for kind, path in _files(paths):
        try:
            records = kind.read(path)
        except RecordError as error:
            unreadable.append(f"{path} {error}")
            continue
        # Checkpoints of one run lie beside each other: the farthest counts.
        folder = str(path.parent.parent)
        for record in records:
            key = kind.name, record.name, folder if record.step else str(path)
            if key not in found or found[key].step < record.step:
                found[key] = record
    if not found:
        known = ", ".join(f"{kind.file_name} ({kind.name})" for kind in KINDS)
        why = f" ({unreadable[0]})" if unreadable else ""
        raise whole_table(
            source,
            f"holds no run of a kind that is read{why}",
            f"Give a table, or a folder with {known}",
        )
    return _table(list(found.values()), unreadable, source)


def table_of_objects(found: Sequence[object], source: str) -> pd.DataFrame:
    """Return the runs that a tracker's library gives, one a row; see `table_of_runs`.

    Parameters
    ----------
    found : sequence of object
        What `run_objects` returned.
    source : str
        What they are called in messages.

    Raises
    ------
    RunsError
        If one cannot be read.

    Warns
    -----
    RunsWarning
        Of what was guessed.
    """
    try:
        records = records_of(found)
    except RecordError as error:
        raise whole_table(source, f"cannot be read: {error}", "Leave that run out") from None
    return _table(records, (), source)


def _table(records: Sequence[RunRecord], unreadable: Sequence[str], source: str) -> pd.DataFrame:
    _warn(records, unreadable, source)
    rows = [
        {"run": record.name, "state": record.state, **record.known, **record.cells}
        for record in records
    ]
    table = pd.DataFrame(rows)
    return table.drop(columns="state") if table["state"].isna().any() else table


def _files(paths: Sequence[Path]) -> Iterator[tuple[Kind, Path]]:
    """Yield the files of runs, in the order of their paths; links are not followed."""
    n_seen = 0
    for path in paths:
        if not path.is_dir():
            kind = _kind_of(path.name)
            if kind is not None:
                yield kind, path
            continue
        for folder, folders, names in os.walk(path, followlinks=False):
            folders.sort()
            n_seen += len(names)
            if n_seen > _MOST_FILES:
                raise whole_table(
                    str(path), f"holds more than {_MOST_FILES:,} files", "Name a folder in it"
                )
            for name in sorted(names):
                kind = _kind_of(name)
                if kind is None:
                    continue
                found = Path(folder, name)
                if kind.superseded is None or not kind.superseded(found):
                    yield kind, found


def _warn(records: Sequence[RunRecord], unreadable: Sequence[str], source: str) -> None:
    guesses = Counter(guess for record in records for guess in record.guessed)
    sentences = [f"of {n} runs {guess}" for guess, n in guesses.items()]
    sentences += left_out(unreadable)
    if sentences:
        warnings.warn(
            f"{source}, {len(records)} runs: {'; '.join(sentences)}. Pass columns= where another "
            "column is meant.",
            RunsWarning,
            stacklevel=6,
        )
