"""Sizes of runs that can be meant: of a table, a limit, a budget or a choice."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from scaling_bayes.errors import PlausibilityWarning
from scaling_bayes.units import Kind

Size = Kind | Literal["tokens_per_param", "training_seconds"]

_DAY: Final = 86_400.0


class Plausible(NamedTuple):
    """Between which values a size of a run lies, and what to say of one outside."""

    least: float
    too_small: str
    most: float
    too_large: str

    def doubt(self, value: float) -> str | None:
        """Return why a value cannot be meant; None if it can."""
        if value < self.least:
            return self.too_small
        return self.too_large if value > self.most else None


# Byte-level models of 5,000 parameters on 1e6 bytes are real.
PLAUSIBLE: Final[dict[Size, Plausible]] = {
    "n_params": Plausible(
        1e3,
        "is too few parameters for a language model",
        1e15,
        "is more parameters than any model has",
    ),
    "tokens": Plausible(
        1e4,
        "is too few training tokens",
        1e17,
        "is more tokens than any model is trained on",
    ),
    "flops": Plausible(
        1e7,
        "is too few FLOPs for a training run",
        1e32,
        "is more FLOPs than any training run takes",
    ),
    "tokens_per_param": Plausible(
        1e-4,
        "is less than one token per 10,000 parameters",
        1e7,
        "is more than 10 million tokens per parameter",
    ),
    "training_seconds": Plausible(
        0.0, "", 365 * _DAY, "is longer than any run has been trained: they take months at most"
    ),
}


def warn_of_first(given: Iterable[tuple[str, Size, float]], remedy: str) -> None:
    """Warn of the first of some values that cannot be meant.

    Parameters
    ----------
    given : iterable of tuples
        What each value is in words, what it measures, and the value.
    remedy : str
        What usually helps.

    Warns
    -----
    PlausibilityWarning
        If there is such a value.
    """
    for words, size, value in given:
        doubt = PLAUSIBLE[size].doubt(value)
        if doubt is not None:
            # The caller of the function of the package that asks.
            warnings.warn(f"{words} {doubt}. {remedy}", PlausibilityWarning, stacklevel=4)
            return
