"""Seeds as users give them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling_bayes.errors import InputError


def generator(seed: Any) -> np.random.Generator:
    """Return the source of randomness that a seed stands for.

    Raises
    ------
    InputError
        If it stands for none.
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise _refusal(seed) from None


def check_seed(seed: object) -> None:
    """Refuse a seed from which others are made, if it is no whole number from 0.

    Raises
    ------
    InputError
        If it is none.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise _refusal(seed)


def _refusal(seed: object) -> InputError:
    return InputError(f"seed is {seed!r}; give a whole number, at least 0.")
