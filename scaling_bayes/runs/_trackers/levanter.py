"""``tracker_metrics.jsonl`` of levanter and marin: one line with config and summary."""

from __future__ import annotations

from pathlib import Path

from scaling_bayes.runs._trackers.run_record import (
    LAST_OF_TRAINING,
    Kind,
    RecordError,
    RunRecord,
    evaluation_loss,
    number,
    one,
    plain_cells,
    record_of,
    text_of,
)

_TOKENS, _GFLOPS = "summary/throughput/total_tokens", "summary/throughput/total_gflops"
_N_PARAMS, _TRAIN_LOSS = "summary/parameter_count", "summary/train/loss"


def read(path: Path) -> RunRecord:
    """Return the run of a file.

    Raises
    ------
    RecordError
        If it has no record with a summary.
    """
    lines = [line for line in text_of(path).splitlines() if line.strip()]
    if not lines:
        raise RecordError("is empty")
    record = record_of(lines[-1])
    summary = record.get("summary")
    if not isinstance(summary, dict):
        raise RecordError("has no summary in its last line")
    config = record.get("config")
    cells = plain_cells(summary, "summary")
    if isinstance(config, dict):
        cells |= plain_cells(config, "config")
    known = {"n_params": number(cells.get(_N_PARAMS)), "tokens": number(cells.get(_TOKENS))}
    gflops = number(cells.get(_GFLOPS))
    known["flops"] = None if gflops is None else 1e9 * gflops
    loss = evaluation_loss(cells)
    guessed: tuple[str, ...] = ()
    if loss is None and _TRAIN_LOSS in cells:
        loss, guessed = _TRAIN_LOSS, (LAST_OF_TRAINING,)
    if loss is not None:
        known["loss"] = number(cells[loss])
        cells["loss_is"] = loss
    return RunRecord(
        path.parent.name,
        cells,
        {name: value for name, value in known.items() if value is not None},
        guessed=guessed,
    )


KIND = Kind("levanter", "tracker_metrics.jsonl", one(read))
