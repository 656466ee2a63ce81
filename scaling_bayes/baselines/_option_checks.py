"""Checks of the options that forecasters share."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes.errors import InputError


def check_count(name: str, value: object, least: int) -> None:
    """Refuse an option that is no whole number, or too small a one."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} is {value!r}; it must be a whole number, at least {least}.")


def check_positive(name: str, value: float) -> None:
    """Refuse an option that is not a positive, finite number."""
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"{name} is {value!r}; it must be a positive, finite number.")
