"""MLflow's folders of runs, and its database: parameters, last metrics and status."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from scaling_bayes.runs._trackers.run_record import (
    Kind,
    RecordError,
    RunRecord,
    guessed_run,
    one,
    text_of,
)
from scaling_bayes.runs._trackers.wandb_summary import values_of

_STATES: Final = {"1": "running", "2": "scheduled", "3": "finished", "4": "failed", "5": "killed"}
_MOST_FILES: Final = 10_000
_MOST_ROWS: Final = 2_000_000
_QUERIES: Final = {
    "runs": "SELECT run_uuid, name, status FROM runs",
    "params": "SELECT run_uuid, key, value FROM params",
    "metrics": "SELECT run_uuid, key, value, step FROM latest_metrics WHERE NOT is_nan",
}


def read_folder(path: Path) -> RunRecord:
    """Return the run of a folder that holds ``meta.yaml``, ``params`` and ``metrics``.

    Raises
    ------
    RecordError
        If a file cannot be read, or there are too many.
    """
    meta = values_of(text_of(path))
    cells: dict[str, Any] = {
        f"params/{key}": _plain(text_of(file)) for key, file in _files(path.parent / "params")
    }
    step = 0.0
    for key, file in _files(path.parent / "metrics"):
        at, value = _last(text_of(file))
        if value is not None:
            cells[f"metrics/{key}"] = value
            step = max(step, at)
    name = str(meta.get("run_name") or path.parent.name)
    return guessed_run(name, cells, step=step, state=_STATES.get(str(meta.get("status"))))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return the files below a folder by their names in it; links are not followed."""
    found = []
    for here, _, names in os.walk(folder, followlinks=False):
        files = [Path(here, name) for name in sorted(names)]
        found += [(str(file.relative_to(folder)), file) for file in files if not file.is_symlink()]
        if len(found) > _MOST_FILES:
            raise RecordError(f"has more than {_MOST_FILES:,} parameters or metrics")
    return found


def _last(text: str) -> tuple[float, float | None]:
    """Return step and value of the last line ``timestamp value step`` of a metric."""
    for line in reversed(text.splitlines()):
        parts = line.split()
        try:
            return float(parts[2]) if len(parts) > 2 else 0.0, float(parts[1])
        except (IndexError, ValueError):
            continue
    return 0.0, None


def _plain(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()


def read_database(path: Path) -> list[RunRecord]:
    """Return the runs of a database in SQLite.

    Raises
    ------
    RecordError
        If it is no database of MLflow, or holds too much.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA query_only = ON")
            rows = {
                name: database.execute(query).fetchmany(_MOST_ROWS + 1)
                for name, query in _QUERIES.items()
            }
    except sqlite3.Error as error:
        raise RecordError(f"is no database of MLflow ({error})") from None
    if any(len(each) > _MOST_ROWS for each in rows.values()):
        raise RecordError(f"holds more than {_MOST_ROWS:,} parameters or metrics")
    cells: dict[str, dict[str, Any]] = {run: {} for run, _, _ in rows["runs"]}
    steps = dict.fromkeys(cells, 0.0)
    for run, key, value in rows["params"]:
        if run in cells:
            cells[run][f"params/{key}"] = _plain(str(value))
    for run, key, value, step in rows["metrics"]:
        if run in cells and isinstance(value, float | int):
            cells[run][f"metrics/{key}"] = float(value)
            steps[run] = max(steps[run], float(step or 0))
    named = Counter(name for _, name, _ in rows["runs"])
    return [
        guessed_run(
            str(name) if name and named[name] == 1 else f"{name or 'run'} {str(run)[:8]}",
            cells[run],
            step=steps[run],
            state=None if status is None else str(status).lower(),
        )
        for run, name, status in rows["runs"]
    ]


def _is_no_run(path: Path) -> bool:
    """Return whether a ``meta.yaml`` is that of an experiment, or of somebody else."""
    return not (path.parent / "metrics").is_dir()


FOLDER = Kind("MLflow", "meta.yaml", one(read_folder), _is_no_run)
DATABASE = Kind("MLflow database", "mlflow.db", read_database)
