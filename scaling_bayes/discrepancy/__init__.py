"""Model discrepancy: how far runs may lie from every law of the form that is fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from scaling_bayes.discrepancy._discrepancy import (
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
from scaling_bayes.discrepancy._smooth import (
    Smooth,
    SmoothFunctions,
    SmoothInOneSize,
    matern52,
)
from scaling_bayes.units import SIZES

REGISTRY: dict[str, Callable[..., Discrepancy]] = {
    "smooth": Smooth,
    "smooth-n": partial(SmoothInOneSize, "n_params"),
    "smooth-d": partial(SmoothInOneSize, "tokens"),
    "smooth-c": partial(SmoothInOneSize, "flops"),
}


def suited_to(covariates: Sequence[str]) -> Discrepancy:
    """Return the discrepancy for a law that reads these columns of the runs.

    It is a function of compute and tokens per parameter, and of one size where the law reads but
    one.
    """
    sizes = [name for name in covariates if name in SIZES]
    return SmoothInOneSize(sizes[0]) if len(sizes) == 1 else Smooth()


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
    "SmoothFunctions",
    "SmoothInOneSize",
    "matern52",
    "suited_to",
]
