"""How the kernel is compiled."""

from __future__ import annotations

from collections.abc import Callable

import numba


def jitted[F: Callable[..., object]](function: F) -> F:
    """Return a function as machine code, in which a division by zero gives infinity."""
    compiled: F = numba.njit(error_model="numpy", fastmath={"contract"})(function)
    return compiled


def summing[F: Callable[..., object]](function: F) -> F:
    """Return a function as machine code that takes sums over many numbers in any order.

    The order is chosen when it is compiled, so that a seed repeats on one kind of processor.
    """
    compiled: F = numba.njit(error_model="numpy", fastmath={"contract", "reassoc"})(function)
    return compiled
