"""TensorBoard's event files: the last value of each scalar."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scaling_bayes.runs._trackers.protobuf import Value, fields, float_of, text_of_field
from scaling_bayes.runs._trackers.run_record import (
    MOST_BYTES,
    Kind,
    RecordError,
    RunRecord,
    guessed_run,
    one,
)

# Numbers of fields in Event, Summary, Summary.Value and TensorProto.
_STEP, _SUMMARY = 2, 5
_SCALAR = 1
_TAG, _SIMPLE, _TENSOR = 1, 2, 8
_CONTENT, _FLOATS, _DOUBLES = 4, 5, 6
_HEAD: Final = struct.Struct("<QI")
_TAIL: Final = 4


def read(path: Path) -> RunRecord:
    """Return the run of a file, with every scalar at its last step.

    Raises
    ------
    RecordError
        If it holds no scalar.
    """
    last: dict[str, tuple[int, float]] = {}
    for event in _events(path):
        step, summaries = 0, []
        for name, value in fields(event):
            if name == _STEP and isinstance(value, int):
                step = value
            elif name == _SUMMARY and isinstance(value, bytes):
                summaries.append(value)
        for summary in summaries:
            for tag, scalar in _scalars(summary):
                if tag not in last or step >= last[tag][0]:
                    last[tag] = step, scalar
    if not last:
        raise RecordError("holds no scalar")
    cells = {f"scalars/{tag}": scalar for tag, (_, scalar) in last.items()}
    return guessed_run(path.parent.name, cells, step=float(max(step for step, _ in last.values())))


def _events(path: Path) -> Iterator[bytes]:
    """Yield the messages of a file; one that was cut off at the end is left out."""
    try:
        left = path.stat().st_size
        if left > MOST_BYTES:
            raise RecordError(f"has more than {MOST_BYTES:.0e} bytes")
        with path.open("rb") as file:
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, check = _HEAD.unpack(head)
                if check != _masked_crc(head[:8]):
                    raise RecordError("is damaged, or not an event file")
                data = file.read(length) if length <= left else b""
                if len(data) < length:
                    return
                file.read(_TAIL)
                yield data
    except OSError as error:
        raise RecordError(f"cannot be read ({error})") from None


def _scalars(summary: bytes) -> Iterator[tuple[str, float]]:
    """Yield the scalars of a summary."""
    for name, value in fields(summary):
        if name != _SCALAR or not isinstance(value, bytes):
            continue
        tag, scalar = "", None
        for part, content in fields(value):
            if part == _TAG:
                tag = text_of_field(content)
            elif part == _SIMPLE:
                scalar = float_of(content)
            elif part == _TENSOR and isinstance(content, bytes):
                scalar = _scalar_of_tensor(content)
        if tag and scalar is not None:
            yield tag, scalar


def _scalar_of_tensor(tensor: bytes) -> float | None:
    """Return the value of a tensor that holds one float; None for any other."""
    found: Value | None = None
    for name, value in fields(tensor):
        if name in (_CONTENT, _FLOATS, _DOUBLES):
            found = value
    return None if found is None else float_of(found)


def _table() -> list[int]:
    """Return the table of CRC-32C, whose polynomial is 0x82F63B78 with its bits reversed."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC: Final = _table()


def _masked_crc(data: bytes) -> int:
    """Return the check of a length: CRC-32C, rotated, and shifted by a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


KIND = Kind("TensorBoard", "events.out.tfevents.*", one(read))
