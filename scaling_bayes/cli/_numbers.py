"""Numbers as people read them in a table."""

from __future__ import annotations

from collections.abc import Callable

from scaling_bayes.units import format_quantity


def number(value: float) -> str:
    """Return a number with four significant digits."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:#.4g}".rstrip(".")
    return f"{value:.3e}"


def loss(value: float) -> str:
    """Return a loss in nats per token."""
    return f"{value:.4f}"


def cost(value: float) -> str:
    """Return a difference of losses in nats per token, which may be too small to show."""
    return "<0.0001" if 0 < value < 5e-5 else loss(value)


def n_params(value: float) -> str:
    """Return a number of parameters."""
    return format_quantity(value, kind="n_params")


def tokens(value: float) -> str:
    """Return a number of tokens."""
    return format_quantity(value, kind="tokens")


def flops(value: float) -> str:
    """Return an amount of compute, which may be out of reach."""
    return "never" if value == float("inf") else format_quantity(value, kind="flops")


def bounds(lower: float, upper: float, words: Callable[[float], str]) -> str:
    """Return an interval; nothing if it is a point, as those of a published law are."""
    return "" if lower == upper else f"[{words(lower)}, {words(upper)}]"
