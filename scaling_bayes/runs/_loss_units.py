"""What a loss is counted in, and how it is brought to a unit that laws are fitted in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np

from scaling_bayes.errors import InputError
from scaling_bayes.units import DEFAULT_LOSS_UNIT


@dataclass(frozen=True)
class LossUnit:
    """A way of writing a loss.

    Attributes
    ----------
    kept : str
        The unit that the loss has in `Runs`, in words.
    convert : callable
        From losses as written to losses in that unit.
    words : str
        What was done to the losses; empty if nothing.
    """

    kept: str
    convert: Callable[[np.ndarray], np.ndarray]
    words: str = ""


def _same(loss: np.ndarray) -> np.ndarray:
    return loss


def _in_nats(loss: np.ndarray) -> np.ndarray:
    return loss * log(2)


def _log(loss: np.ndarray) -> np.ndarray:
    # Of what is not positive there is none; the cell is refused for itself.
    positive = np.where(loss > 0, loss, 1.0)
    return np.where(loss > 0, np.log(positive), loss)


LOSS_UNITS: Final[dict[str, LossUnit]] = {
    "nats_per_token": LossUnit(DEFAULT_LOSS_UNIT, _same),
    "bits_per_token": LossUnit(DEFAULT_LOSS_UNIT, _in_nats, "bits per token times log 2"),
    "perplexity": LossUnit(DEFAULT_LOSS_UNIT, _log, "the natural log of perplexities"),
    "nats_per_byte": LossUnit("nats per byte", _same),
    "bits_per_byte": LossUnit("bits per byte", _same),
}
KEPT_UNITS: Final = tuple(dict.fromkeys(unit.kept for unit in LOSS_UNITS.values()))
"""Units that losses of runs have."""
_IN_NAMES: Final = {
    "perplexity": re.compile(r"(?:^|[^a-z])(?:perplexity|ppl)(?:$|[^a-z])"),
    "bits_per_byte": re.compile(r"(?:^|[^a-z])(?:bpb|bits[_ -]per[_ -]byte)(?:$|[^a-z])"),
    "bits_per_token": re.compile(r"(?:^|[^a-z])(?:bpt|bits[_ -]per[_ -]token)(?:$|[^a-z])"),
}


def unit_of(column: str, given: str | None) -> str:
    """Return the name of the unit of a column of losses: the one given, or that in its name.

    Raises
    ------
    InputError
        If there is no such unit.
    """
    if given is None:
        named = [unit for unit, name in _IN_NAMES.items() if name.search(column.lower())]
        return named[0] if named else "nats_per_token"
    if given not in LOSS_UNITS:
        raise InputError(f"loss_unit is {given!r}; take one of {', '.join(LOSS_UNITS)}.")
    return given
