"""``wandb-summary.json`` and ``config.yaml`` in the folder ``files`` of a W&B run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scaling_bayes.runs._trackers.run_record import (
    Kind,
    RunRecord,
    guessed_run,
    number,
    one,
    plain_cells,
    record_of,
    text_of,
)


def read(path: Path) -> RunRecord:
    """Return the run of a file, with the configuration beside it.

    Raises
    ------
    RecordError
        If one of the two files cannot be read.
    """
    cells = plain_cells(record_of(text_of(path)), "summary")
    config = path.with_name("config.yaml")
    if config.is_file():
        cells |= {f"config/{name}": value for name, value in values_of(text_of(config)).items()}
    folder = path.parent.parent if path.parent.name == "files" else path.parent
    return guessed_run(folder.name, cells, step=number(cells.get("summary/_step")) or 0.0)


def values_of(text: str) -> dict[str, Any]:
    """Return the values of W&B's ``config.yaml``: of each key the plain value under ``value``.

    It is no YAML reader: lists, tags, anchors and text over several lines are left out.

    Parameters
    ----------
    text : str
        The content of the file.
    """
    found: dict[str, Any] = {}
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        name, colon, value = line.strip().partition(":")
        if not colon or name.startswith(("#", "-")):
            continue
        depth = len(line) - len(line.lstrip())
        while path and path[-1][0] >= depth:
            path.pop()
        path.append((depth, name.strip("'\"")))
        names = [each for _, each in path if each != "value"]
        if value.strip() and "desc" not in names and "_wandb" not in names:
            found["/".join(names)] = _plain(value.strip())
    return found


def _plain(text: str) -> Any:
    if text in ("null", "~"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _number(text)
    return value if isinstance(value, float | int | str | bool) else text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip("'\"")


def _has_log(path: Path) -> bool:
    return any(path.parent.parent.glob("run-*.wandb"))


KIND = Kind("W&B summary", "wandb-summary.json", one(read), _has_log)
