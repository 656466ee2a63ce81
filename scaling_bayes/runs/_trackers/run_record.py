"""One run as a tracker left it, and what a reader of a kind of file gives."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scaling_bayes.runs._json import flat
from scaling_bayes.runs._names import stand_in
from scaling_bayes.units import SIZES

MOST_BYTES: Final = 2**28
"""Most bytes of one file that is read."""
LAST_OF_TRAINING: Final = "its loss is the last one of training"
"""What is said where a run was not evaluated."""


class RecordError(ValueError):
    """A file that looks like a run cannot be read as one."""


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes
    ----------
    name : str
        What the tracker calls it.
    cells : Mapping of str to float, int, str, bool or None
        What was recorded of it, by path: ``config/n_layers``, ``summary/eval/loss``.
    known : Mapping of str to float
        Those of ``n_params``, ``tokens``, ``flops`` and ``loss`` that are known.
    state : str or None
        Whether it finished, in a tracker's word.
    guessed : tuple of str
        What was taken for what, where the file does not say so, in sentences.
    step : float
        How far it came; of several files of one run the farthest counts.
    """

    name: str
    cells: Mapping[str, Any]
    known: Mapping[str, float]
    state: str | None = None
    guessed: tuple[str, ...] = ()
    step: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    name : str
        What it is called in messages.
    file_name : str
        The name of a file of runs, or a pattern of names such as ``run-*.wandb``.
    read : callable
        From the path of such a file to its runs; `one` makes it of a function that returns one
        run. It raises `RecordError` with the reason where the file is not what its name says.
    superseded : callable, optional
        Whether a file in a folder is left alone, since another beside it tells more of the same
        run, or others use that name too; by default none is.
    """

    name: str
    file_name: str
    read: Callable[[Path], Sequence[RunRecord]]
    superseded: Callable[[Path], bool] = lambda path: False


def one(read: Callable[[Path], RunRecord]) -> Callable[[Path], Sequence[RunRecord]]:
    """Return a reader of files that hold one run each."""
    return lambda path: (read(path),)


def bytes_of(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    RecordError
        If it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RecordError(f"cannot be read ({error})") from None
    if len(data) > MOST_BYTES:
        raise RecordError(f"has more than {MOST_BYTES:.0e} bytes")
    return data


def text_of(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    RecordError
        If it cannot be read, is too large, or is no UTF-8.
    """
    try:
        return bytes_of(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"cannot be read ({error})") from None


def record_of(text: str) -> dict[str, Any]:
    """Return a JSON record.

    Raises
    ------
    RecordError
        If the text is none.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise RecordError("is nested too deeply") from None
    except ValueError as error:
        raise RecordError(f"is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise RecordError("is not a JSON record")
    return found


def plain_cells(record: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the plain values of a record, by path; lists are left out."""
    return {
        name: value
        for name, value in flat(record, path).items()
        if isinstance(value, float | int | str | bool | None)
    }


def number(value: object) -> float | None:
    """Return a value as a finite number; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, float | int):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def guessed_run(
    name: str, cells: Mapping[str, Any], *, step: float, state: str | None = None
) -> RunRecord:
    """Return a run of which N, D, C and the loss are what their names look like."""
    numbers = {key: found for key in cells if (found := number(cells[key])) is not None}
    keys = list(numbers)
    likely: dict[str, str | None] = {size: stand_in(size, keys) for size in SIZES}
    likely["loss"] = evaluation_loss(keys) or stand_in("loss", keys)
    taken = {each: key for each, key in likely.items() if key is not None}
    return RunRecord(
        name,
        cells,
        {each: numbers[key] for each, key in taken.items()},
        state,
        tuple(f"its {each} is {key}" for each, key in taken.items()),
        step,
    )


def evaluation_loss(keys: Iterable[str]) -> str | None:
    """Return the key of the evaluation loss that is most general; None if there is none."""
    found = [
        key
        for key in keys
        if key.split("/")[-1].lower() in ("loss", "eval_loss", "val_loss", "validation_loss")
        and ("eval" in key.lower() or "val" in key.lower())
    ]
    return min(found, key=lambda key: (key.count("/"), key), default=None)
