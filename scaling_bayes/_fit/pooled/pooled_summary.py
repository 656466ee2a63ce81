"""The parameters of a pooled fit in a table and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from scaling_bayes._intervals import IntervalKind, interval
from scaling_bayes._notebook import InNotebook
from scaling_bayes._printable import printed

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class PooledSummary(InNotebook):
    """What a pooled fit says of its parameters.

    Attributes
    ----------
    table : DataFrame
        One row a parameter and group, ``"common"`` for what groups vary around and ``"all"`` for
        what they share; columns ``median``, ``mean``, ``sd``, ``lower`` and ``upper``.
    prob : float
        Probability inside the intervals.
    interval_kind : {"equal-tailed", "hdi"}
        Kind of the intervals.
    words : tuple of str
        The same in sentences, with the diagnostics.
    """

    table: pd.DataFrame
    prob: float
    interval_kind: IntervalKind
    words: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table."""
        return self.table.copy()

    @printed
    def __repr__(self) -> str:
        return (
            f"Posterior with {100 * self.prob:g}% {self.interval_kind} intervals\n"
            + self.table.to_string(float_format="{:.4g}".format)
            + "\n\n"
            + "\n".join(self.words)
        )


def row_of(
    group: str, name: str, values: xr.DataArray, prob: float, kind: IntervalKind
) -> dict[str, Any]:
    """Return a row of the table: a parameter of a group with its interval."""
    low, high = interval(values, prob=prob, kind=kind).values
    return {
        "parameter": name,
        "group": group,
        "median": float(values.median()),
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "lower": float(low),
        "upper": float(high),
    }
