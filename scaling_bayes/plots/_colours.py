"""Colours for positive values on a log scale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

_USED = 0.9
"""Part of the colour map in use: its light end is hard to see on white."""


class LogColours:
    """Colours of a sequential colour map, from the smallest to the largest of some values.

    Parameters
    ----------
    values : iterable of array_like
        Values that are to have a colour; any beyond them take the colour of the nearer end.
    """

    def __init__(self, values: Iterable[npt.ArrayLike]) -> None:
        logs = np.log(np.concatenate([np.ravel(each) for each in values]))
        self._low, self._span = logs.min(), max(np.ptp(logs), 1e-9)

    def of(self, value: npt.ArrayLike) -> Any:
        """Return the colour of a value, or an array of colours."""
        import matplotlib as mpl

        share = np.clip((np.log(value) - self._low) / self._span, 0, 1)
        return mpl.colormaps[mpl.rcParams["image.cmap"]](_USED * share)
