"""Files and data frames to one kind of table."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import Any, Final

import pandas as pd

from scaling_bayes._files.user_path import path_of
from scaling_bayes.errors import InputError, Problem, RunsError
from scaling_bayes.runs._csv import csv_cells
from scaling_bayes.runs._folders import is_run, table_of_objects, table_of_runs
from scaling_bayes.runs._json import json_cells, looks_like_json
from scaling_bayes.runs._names import did_you_mean
from scaling_bayes.runs._problems import error_of, whole_table
from scaling_bayes.runs._trackers.run_objects import run_objects

_GZIP: Final = b"\x1f\x8b"
_MOST_BYTES: Final = 2**30
"""Most bytes that a packed table may have when it is unpacked."""


@dataclass(frozen=True)
class Table:
    """Cells as the user has them; the index holds the rows as the user sees them."""

    frame: pd.DataFrame
    source: str
    is_text: bool = False
    row_word: str = "row"
    """What a row is called: a line of a text file, or a row of a data frame."""


def table_of(source: object) -> Table:
    """Return the table of files or of a data frame, with text column names.

    Raises
    ------
    RunsError
        If it cannot be read, is no table or has a column twice.
    """
    if isinstance(source, str | Path):
        table = _at(path_of_table(source))
    elif isinstance(source, list | tuple) and all(isinstance(one, str | Path) for one in source):
        table = _several([path_of_table(one) for one in source])
    elif isinstance(source, pd.DataFrame):
        table = Table(source, "DataFrame")
    elif runs := run_objects(source):
        table = Table(table_of_objects(runs, "run objects"), "run objects")
    else:
        table = _other_frame(source)
    frame = table.frame.copy()
    if isinstance(frame.columns, pd.MultiIndex):
        raise whole_table(
            table.source,
            f"has column names of {frame.columns.nlevels} levels",
            "Flatten them: frame.columns = ['_'.join(map(str, name)) for name in frame.columns]",
        )
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    twice = frame.columns[frame.columns.duplicated()].unique()
    if len(twice):
        problems = [
            Problem(None, name, None, "the table has this column more than once", "Keep one")
            for name in twice
        ]
        raise error_of(table.source, table.row_word, problems)
    return replace(table, frame=frame)


def _other_frame(source: object) -> Table:
    kind = type(source).__name__
    frame: Any = None
    try:
        if hasattr(source, "to_pandas"):
            frame = source.to_pandas()
        elif hasattr(source, "__arrow_c_stream__"):
            import pyarrow

            frame = pyarrow.table(source).to_pandas()
        elif hasattr(source, "__dataframe__"):
            frame = pd.api.interchange.from_dataframe(source)
    # Any library may stand behind the object, so its errors are not known here.
    except Exception as error:  # noqa: BLE001
        raise whole_table(
            kind,
            f"cannot be turned into a pandas DataFrame ({_first_line(error)})",
            "Convert it to a pandas DataFrame first",
        ) from None
    if not isinstance(frame, pd.DataFrame):
        raise whole_table(
            kind, "is not a table", "Give the path of a CSV or Parquet file, or a data frame"
        )
    return Table(frame, f"{type(source).__module__.partition('.')[0]} {kind}")


def path_of_table(source: str | Path) -> Path:
    """Return a path that a user gave, or raise a `RunsError` of it."""
    try:
        return path_of(source)
    except InputError as error:
        raise RunsError(str(error)) from None


def _at(path: Path) -> Table:
    """Return the runs at a path: a table, a folder of runs, the file of one, or a pattern."""
    if not path.exists():
        found = matching(path)
        return _several(found) if found else _file(path)
    if path.is_dir() or is_run(path):
        return Table(table_of_runs([path], path.name or str(path)), path.name or str(path))
    return _file(path)


def matching(path: Path) -> list[Path]:
    """Return the paths that a pattern matches; none where it is itself a path."""
    return [] if path.exists() else [Path(name) for name in sorted(glob(str(path)))]


def _several(paths: Sequence[Path]) -> Table:
    """Return the runs of several folders, or files of one run each."""
    source = f"{len(paths)} paths"
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise whole_table(str(missing), "does not exist", _where_to_look(missing))
    tables = [path for path in paths if path.is_file() and not is_run(path)]
    if len(paths) == 1:
        return _at(paths[0])
    if tables:
        raise whole_table(
            str(tables[0]),
            "is a table among several paths",
            "Read one table, or folders and files of runs",
        )
    return Table(table_of_runs(paths, source), source)


def _file(path: Path) -> Table:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise whole_table(str(path), "does not exist", _where_to_look(path)) from None
    except (OSError, ValueError) as error:
        raise whole_table(
            str(path), f"cannot be opened ({_first_line(error)})", "Check the path and its rights"
        ) from None
    if not data.strip():
        raise whole_table(path.name, "is empty", "Give a file with a header and one row per run")
    return _of_bytes(path.name, data, path.suffix.lower())


def _of_bytes(name: str, data: bytes, suffix: str) -> Table:
    """Return the table in the content of a file, of a kind that the content shows."""
    if data.startswith(_GZIP):
        return _of_bytes(name, _unpacked(name, data), Path(name).with_suffix("").suffix.lower())
    if suffix in (".parquet", ".pq") or data.startswith(b"PAR1"):
        return Table(_parquet(name, data), name)
    if suffix in (".xlsx", ".xlsm") and data.startswith(b"PK"):
        return Table(_excel(name, data), name)
    text = _text(name, data)
    if looks_like_json(text):
        frame, row_word = json_cells(name, text)
        return Table(frame, name, row_word=row_word)
    return Table(csv_cells(name, text), name, is_text=True, row_word="line")


def _unpacked(source: str, data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise whole_table(
            source, f"cannot be unpacked ({_first_line(error)})", "Pack it again with gzip"
        ) from None
    if len(content) > _MOST_BYTES:
        raise whole_table(
            source, f"unpacks to more than {_MOST_BYTES:.0e} bytes", "Give a smaller table"
        )
    return content


def _excel(source: str, data: bytes) -> pd.DataFrame:
    try:
        return pd.read_excel(io.BytesIO(data))
    except ImportError:
        raise whole_table(
            source, "is Excel, which needs openpyxl", "Install openpyxl, or save as CSV"
        ) from None
    # openpyxl reads zip and XML, each with errors of its own.
    except Exception as error:  # noqa: BLE001
        raise whole_table(
            source, f"cannot be read as Excel ({_first_line(error)})", "Save the sheet as CSV"
        ) from None


def _where_to_look(path: Path) -> str:
    names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    question = did_you_mean(path.name, names)
    return question.strip().rstrip("?") if question else f"Check the path, seen from {Path.cwd()}"


def _parquet(source: str, data: bytes) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(data))
    except ImportError:
        raise whole_table(
            source, "is Parquet, which needs pyarrow", "Install pyarrow, or save as CSV"
        ) from None
    # pyarrow has many errors, of no common class that can be named without importing it.
    except Exception as error:  # noqa: BLE001
        raise whole_table(
            source,
            f"cannot be read as Parquet ({_first_line(error)})",
            "Write it again with DataFrame.to_parquet, or save as CSV",
        ) from None


def _text(source: str, data: bytes) -> str:
    if b"\0" in data:
        raise whole_table(
            source, "is not a text file", "Save the table as CSV in UTF-8, or as Parquet"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise whole_table(
            source,
            f"is not UTF-8 text (byte 0x{data[error.start]:02X} on line {line})",
            "Save it as CSV in UTF-8, or read it with pandas.read_csv(..., encoding=...)",
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
