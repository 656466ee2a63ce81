"""Runs as a tracker's own library gives them: objects with a configuration and a summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from scaling_bayes.runs._trackers.run_record import (
    RecordError,
    RunRecord,
    guessed_run,
    number,
    plain_cells,
)

_PARTS: Final = ("config", "summary")


def run_objects(source: object) -> list[object]:
    """Return the objects that a source is or holds, if they look like runs; else none.

    Such are those of ``wandb.Api().runs(...)``. Only their attributes are read; no library of a
    tracker is imported.

    Parameters
    ----------
    source : object
        One run, or an iterable of runs.
    """
    if _is_run(source):
        return [source]
    if isinstance(source, str | Mapping) or not isinstance(source, Iterable):
        return []
    # What else can be run through is not run through: it may be a large table.
    each = iter(source)
    first = next(each, None)
    found = [first, *each] if _is_run(first) else []
    return found if all(map(_is_run, found)) else []


def _is_run(found: object) -> bool:
    # The type is asked first: attributes of a run may ask a server, and a column may be so called.
    return not isinstance(found, type) and all(
        hasattr(type(found), part) or part in getattr(found, "__dict__", {}) for part in _PARTS
    )


def records_of(found: Sequence[object]) -> list[RunRecord]:
    """Return the records of run objects.

    The last values of the summary are taken, never a history, which may be a sample.

    Parameters
    ----------
    found : sequence of object
        With ``config`` and ``summary``, which are mappings, and, where they are known, ``id``,
        ``name`` and ``state``.

    Raises
    ------
    RecordError
        If a configuration or a summary is not a mapping, or cannot be read.
    """
    return [_record(run, at) for at, run in enumerate(found)]


def _record(run: Any, at: int) -> RunRecord:
    label = getattr(run, "name", None)
    name = str(getattr(run, "id", None) or label or at)
    cells: dict[str, Any] = {} if label is None else {"name": str(label)}
    for part in _PARTS:
        try:
            values = dict(getattr(run, part))
        # A library that asks a server stands behind it, so its errors are not known here.
        except Exception as error:  # noqa: BLE001
            raise RecordError(f"{part} of the run {name!r} cannot be read ({error})") from None
        cells |= plain_cells({str(key): value for key, value in values.items()}, part)
    state = getattr(run, "state", None)
    step = number(cells.get("summary/_step")) or 0.0
    return guessed_run(name, cells, step=step, state=None if state is None else str(state))
