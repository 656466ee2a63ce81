"""Where ticks stand on axes of sizes and losses, and what is written beside them.

Imports matplotlib, so the other modules import this one inside their functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator

from scaling_bayes.units import Kind, format_quantity


class RoundLogLocator(Locator):
    """Ticks at round numbers of a log axis, as many as its length has room for."""

    def __call__(self) -> list[float]:
        """Return the ticks of the current view."""
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """Return the ticks between two sizes."""
        assert self.axis is not None
        room = max(4, self.axis.get_tick_space() // 2)
        low, high = sorted((vmin, vmax))
        decades = math.log10(high / low)
        if decades < 0.6:
            return list(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high))
        for mantissas in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
            if decades * len(mantissas) <= room:
                break
        return list(LogLocator(subs=mantissas, numticks=room).tick_values(low, high))


def set_log_ticks(axis: Axis, words: Callable[[float], str]) -> None:
    """Put round ticks on a log axis, written by a function."""
    axis.set_major_locator(RoundLogLocator())
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))


def set_loss_ticks(axis: Axis) -> None:
    """Put evenly spaced ticks on a log axis of losses, written as plain decimals."""
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def plain(value: float) -> str:
    """Return a number with as many digits as it needs."""
    return f"{value:.4g}"


def size_words(kind: Kind) -> Callable[[float], str]:
    """Return how ticks of a size are written: 7B and 1.4T, FLOPs as powers of ten."""
    return power_of_ten if kind == "flops" else lambda value: format_quantity(value, kind=kind)


def power_of_ten(value: float) -> str:
    """Return a positive number in LaTeX as a round mantissa times a power of ten."""
    mantissa, exponent = f"{value:.1e}".split("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if mantissa == "1.0" else rf"${float(mantissa):g}\times {power}$"
