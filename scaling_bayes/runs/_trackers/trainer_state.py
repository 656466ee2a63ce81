"""``trainer_state.json`` of the Hugging Face Trainer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from scaling_bayes.runs._trackers.run_record import (
    LAST_OF_TRAINING,
    Kind,
    RecordError,
    RunRecord,
    number,
    one,
    record_of,
    text_of,
)

_CHECKPOINT = re.compile(r"checkpoint-\d+$")


def read(path: Path) -> RunRecord:
    """Return the run of a file, of its last evaluation.

    ``train_loss`` is a mean over the whole run, and not the final loss: it is never taken.

    Raises
    ------
    RecordError
        If it has no history.
    """
    state = record_of(text_of(path))
    history = state.get("log_history")
    if not isinstance(history, list):
        raise RecordError("has no log_history")
    entries = [entry for entry in history if isinstance(entry, dict)]
    evaluated, trained = _last(entries, "eval_loss"), _last(entries, "loss")
    loss = trained if evaluated is None else evaluated
    folder = path.parent
    step, planned = (number(state.get(name)) or 0.0 for name in ("global_step", "max_steps"))
    known = {"tokens": number(state.get("num_input_tokens_seen")), "loss": loss}
    known["flops"] = number(state.get("total_flos"))
    return RunRecord(
        folder.parent.name if _CHECKPOINT.match(folder.name) else folder.name,
        {"global_step": step, "max_steps": planned, "epoch": state.get("epoch")},
        {name: value for name, value in known.items() if value},
        state="unfinished" if step < planned else "finished",
        guessed=(LAST_OF_TRAINING,) if evaluated is None and loss else (),
        step=step,
    )


def _last(entries: list[dict[str, Any]], name: str) -> float | None:
    values = [value for entry in entries if (value := number(entry.get(name))) is not None]
    return values[-1] if values else None


KIND = Kind("Hugging Face Trainer", "trainer_state.json", one(read))
