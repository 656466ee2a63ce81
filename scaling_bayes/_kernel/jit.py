"""How the kernel is compiled."""

from __future__ import annotations

from collections.abc import Callable

import numba


def jitted[F: Callable[..., object]](function: F) -> F:
    """Return a function as machine code, in which a division by zero gives infinity."""
    compiled: F = numba.njit(error_model="numpy")(function)
    return compiled
