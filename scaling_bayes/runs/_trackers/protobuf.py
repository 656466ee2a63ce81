"""Fields of protocol buffers, as far as event files and W&B's logs need them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from scaling_bayes.runs._trackers.run_record import RecordError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10

Value = int | bytes


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Yield number and value of each field of a message.

    Whole numbers are unsigned; floats and doubles are the bytes that `float_of` reads.

    Parameters
    ----------
    data : bytes
        The message.

    Raises
    ------
    RecordError
        If it is none: a number that does not end, or a field longer than the message.
    """
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = varint(data, place)
            yield number, value
            continue
        if wire == _BYTES:
            length, place = varint(data, place)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise RecordError(f"holds a field of the unknown type {wire}")
        if length > len(data) - place:
            raise RecordError("holds a field that is longer than its message")
        yield number, data[place : place + length]
        place += length


def varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a whole number of variable length, and where it ends.

    Raises
    ------
    RecordError
        If it does not end.
    """
    value = 0
    for i in range(_LONGEST_VARINT):
        if place + i >= len(data):
            raise RecordError("ends inside a number")
        byte = data[place + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, place + i + 1
    raise RecordError("holds a number that does not end")


def float_of(value: Value) -> float | None:
    """Return a field of four or eight bytes as the float that it is; None if it is none."""
    if isinstance(value, bytes) and len(value) in (4, 8):
        return float(struct.unpack("<f" if len(value) == 4 else "<d", value)[0])
    return None


def text_of_field(value: Value) -> str:
    """Return a field of text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
