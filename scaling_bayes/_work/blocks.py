"""Long tables, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, overload

import numpy as np

from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

MOST_BYTES = 8e9
"""Memory beyond which draws of everything asked for are not put into one array."""


@dataclass(frozen=True, eq=False)
class Lazily[T](Sequence[T]):
    """A sequence whose items are made where they are read, and not kept.

    Attributes
    ----------
    length : int
        How many there are.
    make : callable
        From a place, counted from 0, to the item there.
    """

    length: int
    make: Callable[[int], T]

    def __len__(self) -> int:
        """Return how many items there are."""
        return self.length

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        """Return an item, or some of them."""
        places = range(self.length)[at]
        if isinstance(places, int):
            return self.make(places)
        return Lazily(len(places), lambda i: self.make(places[i]))


def n_blocks(n_rows: int, at_once: int) -> int:
    """Return how many blocks of at most `at_once` rows there are; one where there is no row."""
    return max(1, -(-n_rows // at_once))


def block(number: int, at_once: int) -> slice:
    """Return the rows of a block."""
    return slice(number * at_once, (number + 1) * at_once)


def joined(draws: Iterable[xr.DataArray], dim: str, length: int, *, remedy: str) -> xr.DataArray:
    """Return draws of all rows as one array, without holding them twice.

    Parameters
    ----------
    draws : iterable of DataArray
        Draws of each block.
    dim : str
        The dim along which they follow each other, the last one.
    length : int
        Its length in all.
    remedy : str
        What to do where that is too much.

    Raises
    ------
    InputError
        If that takes more than 8 GB.
    """
    some = iter(draws)
    first = next(some)
    shape = (*first.shape[:-1], length)
    size = first.dtype.itemsize * np.prod(shape, dtype=float)
    if size > MOST_BYTES:
        raise InputError(
            f"all draws at {length:,} {dim}s would take {size / 1e9:.0f} GB of memory. {remedy}"
        )
    whole = np.empty(shape, dtype=first.dtype)
    start = 0
    for each in chain([first], some):
        whole[..., start : start + each.sizes[dim]] = each
        start += each.sizes[dim]
    return first.isel({dim: 0}, drop=True).expand_dims({dim: length}, axis=-1).copy(data=whole)
