"""Runs as trackers and trainers leave them on disk: one file a kind, one line each here."""

from __future__ import annotations

from scaling_bayes.runs._trackers import (
    event_file,
    levanter,
    mlflow,
    trainer_state,
    training_log,
    wandb_log,
    wandb_summary,
)
from scaling_bayes.runs._trackers.run_record import Kind, RunRecord

KINDS: tuple[Kind, ...] = (
    levanter.KIND,
    wandb_log.KIND,
    wandb_summary.KIND,
    trainer_state.KIND,
    event_file.KIND,
    mlflow.FOLDER,
    mlflow.DATABASE,
    training_log.KIND,
)
"""The kinds that are known. A kind is a file with `Kind` in it, and a line here."""

__all__ = ["KINDS", "Kind", "RunRecord"]
