"""Model discrepancy: how far runs may lie from every law of the form that is fitted."""

from __future__ import annotations

from collections.abc import Callable

from scaling_bayes.discrepancy._base import (
    BASIS,
    DATA_DIMS,
    DIRECTIONS,
    ROWS,
    STRENGTHS,
    WEIGHT,
    Discrepancy,
    DiscrepancyDraws,
    Shift,
)
from scaling_bayes.discrepancy._smooth import Smooth

REGISTRY: dict[str, Callable[..., Discrepancy]] = {"smooth": Smooth}

__all__ = [
    "BASIS",
    "DATA_DIMS",
    "DIRECTIONS",
    "REGISTRY",
    "ROWS",
    "STRENGTHS",
    "WEIGHT",
    "Discrepancy",
    "DiscrepancyDraws",
    "Shift",
    "Smooth",
]
