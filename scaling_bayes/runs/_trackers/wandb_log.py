"""``run-....wandb``: the log that W&B writes while a run goes on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from scaling_bayes.runs._trackers.protobuf import fields, text_of_field
from scaling_bayes.runs._trackers.run_record import (
    Kind,
    RecordError,
    RunRecord,
    bytes_of,
    guessed_run,
    number,
    one,
    plain_cells,
)

_HEAD: Final = b":W&B"
_BLOCK: Final = 32768
_RECORD_HEAD: Final = 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
# Numbers of fields in Record, in HistoryRecord and SummaryRecord, in ConfigRecord, in their items,
# and in RunRecord.
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18
_ITEM, _UPDATE = 1, 1
_KEY, _NESTED, _VALUE = 1, 2, 16
_RUN_ID, _RUN_CONFIG, _DISPLAY_NAME, _EXIT_CODE = 1, 4, 8, 1


def read(path: Path) -> RunRecord:
    """Return the run of a file, with its summary or, of a run that goes on, its last history.

    Raises
    ------
    RecordError
        If the file is not W&B's, or damaged.
    """
    config: dict[str, Any] = {}
    history: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    name, state = path.parent.name, "running"
    for record in _records(path):
        for kind, value in fields(record):
            if not isinstance(value, bytes):
                continue
            if kind == _HISTORY:
                history |= _items(value)
            elif kind == _SUMMARY:
                summary |= _items(value)
            elif kind == _CONFIG:
                config |= _items(value)
            elif kind == _RUN:
                name = _name(value) or name
                config |= _config_of_run(value)
            elif kind == _EXIT:
                code = next((found for part, found in fields(value) if part == _EXIT_CODE), 0)
                state = "crashed" if code else "finished"
    cells = plain_cells(config, "config") | plain_cells(history | summary, "summary")
    return guessed_run(name, cells, step=number(cells.get("summary/_step")) or 0.0, state=state)


def _records(path: Path) -> Iterator[bytes]:
    """Yield the records of a log of blocks; one that is unfinished at the end is left out."""
    data = bytes_of(path)
    if not data.startswith(_HEAD):
        raise RecordError("does not begin as a log of W&B does")
    place, parts = _RECORD_HEAD, b""
    while place + _RECORD_HEAD <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _RECORD_HEAD:
            place += left
            continue
        check = int.from_bytes(data[place : place + 4], "little")
        length = int.from_bytes(data[place + 4 : place + 6], "little")
        kind = data[place + 6]
        content = data[place + _RECORD_HEAD : place + _RECORD_HEAD + length]
        if len(content) < length:
            return
        if zlib.crc32(content, zlib.crc32(bytes([kind]))) != check:
            raise RecordError("is damaged")
        place += _RECORD_HEAD + length
        parts = content if kind in (_FULL, _FIRST) else parts + content
        if kind in (_FULL, _LAST):
            yield parts


def _items(record: bytes) -> dict[str, Any]:
    """Return the items of a record of history, summary or configuration."""
    found: dict[str, Any] = {}
    for part, item in fields(record):
        if part != _ITEM or not isinstance(item, bytes):
            continue
        names: list[str] = []
        value: Any = None
        for name, content in fields(item):
            if name in (_KEY, _NESTED):
                names.append(text_of_field(content))
            elif name == _VALUE:
                value = _json(text_of_field(content))
        if names:
            found["/".join(filter(None, names))] = value
    return found


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    # Configurations come as {"value": ..., "desc": ...} in some versions.
    return value.get("value", value) if isinstance(value, dict) else value


def _name(run: bytes) -> str | None:
    parts = {part: text_of_field(value) for part, value in fields(run) if isinstance(value, bytes)}
    return parts.get(_DISPLAY_NAME) or parts.get(_RUN_ID)


def _config_of_run(run: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part, value in fields(run):
        if part == _RUN_CONFIG and isinstance(value, bytes):
            found |= _items(value)
    return found


KIND = Kind("W&B log", "run-*.wandb", one(read))
