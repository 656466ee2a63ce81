"""The names of the columns of a table of runs, and what people call them elsewhere."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from scaling_bayes.units import SIZES

NUMERIC: Final = (*SIZES, "loss", "n_params_non_embedding", "weight", "seed_sd")
CANONICAL: Final = (*NUMERIC, "group", "seed")
REQUIRED: Final = ("loss", "weight")
"""Columns that every `Runs` has, beside a size or another covariate."""

_ELSEWHERE: Final = {
    "n_params": ("params", "parameters", "num_params", "model_size", "n", "size"),
    "tokens": (
        "n_tokens",
        "num_tokens",
        "training_tokens",
        "d",
        "data",
        "tokens_seen",
        "total_tokens",
    ),
    "flops": ("flop", "compute", "training_flops", "c", "total_flops"),
    "loss": (
        "val_loss",
        "eval_loss",
        "test_loss",
        "validation_loss",
        "final_loss",
        "train_loss",
        "perplexity",
        "ppl",
        "bpb",
        "bits_per_byte",
    ),
}


def listed(names: Iterable[object], *, most: int = 30) -> str:
    """Return names for a message, and how many more there are than it shows."""
    every = [str(name) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return (", ".join(every[:most]) + more) or "none"


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that looks most like another one; None if none does."""
    by_lower = {other.lower(): other for other in names}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a question that offers the closest name; empty if there is none."""
    match = closest(name, names)
    return f" Did you mean {match!r}?" if match else ""


def called_elsewhere(canonical: str, names: Iterable[str]) -> str | None:
    """Return the column with a name or path by which a canonical column is known elsewhere."""
    others = list(names)
    by_lower = {name.lower(): name for name in others}
    # Trackers write paths, such as config/model.n_params.
    ends = {re.split(r"[/.]", name.lower())[-1]: name for name in reversed(others)}
    for by_name in (by_lower, ends):
        for elsewhere in (canonical, *_ELSEWHERE.get(canonical, ())):
            if elsewhere in by_name:
                return by_name[elsewhere]
    return None


def stand_in(canonical: str, names: Iterable[str]) -> str | None:
    """Return the column of a table that probably holds a canonical column; None if none does."""
    others = [name for name in names if name not in CANONICAL]
    known = called_elsewhere(canonical, others)
    if known is not None:
        return known
    if canonical == "n_params" and "n_params_non_embedding" in names:
        return "n_params_non_embedding"
    return closest(canonical, others)
