"""Logs of training that people keep as text: Megatron and NeMo, nanoGPT, torchtitan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from scaling_bayes.runs._trackers.run_record import (
    LAST_OF_TRAINING,
    Kind,
    RecordError,
    RunRecord,
    one,
    text_of,
)

_START: Final = 2**20
"""Bytes from the start of a file by which it is told whose log it is."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NUMBER: Final = r"([0-9][0-9,_]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)"
_UNITS: Final = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9}


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace("#", _NUMBER))


_ITERATION: Final = _pattern(r"iteration\s+#/\s*#\s*\|")
_CONSUMED: Final = _pattern(r"consumed samples:\s*#")
_LM_LOSS: Final = _pattern(r"\blm loss:\s*#")
_VALIDATION: Final = _pattern(r"validation loss at iteration #[^|]*\|\s*lm loss value:\s*#")
_OF_TEST_SET: Final = re.compile(r"on test set")
_SEQUENCE: Final = _pattern(r"\bseq_length\s*\.+\s*#")
_TROUBLE: Final = _pattern(r"number of (skipped|nan) iterations:\s*#")

_NANOGPT_STEP: Final = _pattern(r"(?m)^step #: train loss #, val loss #")
_TOKENS_A_STEP: Final = _pattern(r"tokens per iteration will be:\s*#")
_PARAMETERS: Final = re.compile(
    rf"number of parameters(?: on [^:]*)?:\s*{_NUMBER}\s*([KMB]?)\b"
    rf"|size: {_NUMBER} total parameters"
)

_TITAN_STEP: Final = _pattern(r"\bstep:\s*#\s+loss:\s*#")


def read(path: Path) -> RunRecord:
    """Return the run of a log: its last evaluation, or its last step where there is none.

    Raises
    ------
    RecordError
        If it is of none of these trainers.
    """
    lines = _COLOUR.sub("", text_of(path)).splitlines()
    for reader in (_megatron, _nanogpt, _torchtitan):
        record = reader(f"{path.parent.name}/{path.stem}", lines)
        if record is not None:
            return record
    raise RecordError("is a log of no trainer that is known")


def _megatron(name: str, lines: list[str]) -> RunRecord | None:
    """Return a run of Megatron or NeMo; lines of a test set are no evaluation during training."""
    step = planned = 0.0
    samples = length = trained = evaluated = None
    trouble = {"skipped": 0.0, "nan": 0.0}
    for line in lines:
        if (found := _VALIDATION.search(line)) and not _OF_TEST_SET.search(line):
            evaluated = _float(found[2])
        elif found := _SEQUENCE.search(line):
            length = _float(found[1])
        elif found := _ITERATION.search(line):
            step, planned = _float(found[1]), _float(found[2])
            samples = _first(_CONSUMED, line, samples)
            trained = _first(_LM_LOSS, line, trained)
            for kind, count in _TROUBLE.findall(line):
                trouble[kind] += _float(count)
    if not step:
        return None
    tokens = samples * length if samples and length else None
    cells = {
        "iteration": step,
        "iterations planned": planned,
        "seq_length": length,
        "skipped iterations": trouble["skipped"],
        "nan iterations": trouble["nan"],
    }
    guessed = [
        f"{count:.0f} iterations were {'skipped' if kind == 'skipped' else 'not numbers'}"
        for kind, count in trouble.items()
        if count
    ]
    state = "unfinished" if step < planned else "finished"
    return _run(name, lines, cells, tokens, evaluated, trained, step, guessed, state)


def _nanogpt(name: str, lines: list[str]) -> RunRecord | None:
    """Return a run of nanoGPT."""
    step = evaluated = each = None
    for line in lines:
        if found := _NANOGPT_STEP.search(line):
            step, evaluated = _float(found[1]), _float(found[3])
        each = _first(_TOKENS_A_STEP, line, each)
    if step is None:
        return None
    tokens = step * each if each else None
    cells = {"step": step, "tokens per iteration": each}
    return _run(name, lines, cells, tokens, evaluated, None, step, [], None)


def _torchtitan(name: str, lines: list[str]) -> RunRecord | None:
    """Return a run of torchtitan, whose console does not say how many tokens were seen."""
    step = trained = None
    for line in lines:
        if found := _TITAN_STEP.search(line):
            step, trained = _float(found[1]), _float(found[2])
    if step is None:
        return None
    return _run(name, lines, {"step": step}, None, None, trained, step, [], None)


def _run(
    name: str,
    lines: list[str],
    cells: dict[str, Any],
    tokens: float | None,
    evaluated: float | None,
    trained: float | None,
    step: float,
    guessed: list[str],
    state: str | None,
) -> RunRecord:
    loss = trained if evaluated is None else evaluated
    known = {"n_params": _n_params(lines), "tokens": tokens, "loss": loss}
    if evaluated is None and loss is not None:
        guessed = [*guessed, LAST_OF_TRAINING]
    return RunRecord(
        name,
        cells,
        {key: value for key, value in known.items() if value},
        state=state,
        guessed=tuple(guessed),
        step=step,
    )


def _n_params(lines: list[str]) -> float | None:
    """Return the number of parameters that a log names; the sum over ranks if it names several."""
    total = 0.0
    for line in lines:
        if found := _PARAMETERS.search(line):
            total += _float(found[1] or found[3]) * _UNITS[found[2] or ""]
    return total or None


def _first(pattern: re.Pattern[str], line: str, otherwise: float | None) -> float | None:
    found = pattern.search(line)
    return _float(found[1]) if found else otherwise


def _float(text: str) -> float:
    return float(text.replace(",", "").replace("_", ""))


def _is_elsewhere(path: Path) -> bool:
    """Return whether a log is of no such trainer, or W&B holds its run."""
    beside = (path.parent, path.parent.parent)
    if path.with_name("wandb-summary.json").exists() or any(
        any(folder.glob("run-*.wandb")) for folder in beside
    ):
        return True
    try:
        with path.open("rb") as file:
            start = _COLOUR.sub("", file.read(_START).decode("utf-8", "replace"))
    except OSError:
        return False
    return not any(pattern.search(start) for pattern in (_ITERATION, _NANOGPT_STEP, _TITAN_STEP))


KIND = Kind("Megatron, nanoGPT or torchtitan log", "*.log", one(read), _is_elsewhere)
