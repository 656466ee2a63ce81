"""Allocations of more budgets than draws can be held for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes._prediction.allocation import DEFAULT_TOLERANCE, Allocation, Quantity
from scaling_bayes._prediction.law_draws import sizes
from scaling_bayes._prediction.mixture import Source
from scaling_bayes._printable import printed
from scaling_bayes._work.blocks import Lazily, block, joined, n_blocks

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

BUDGETS_AT_ONCE: Final = 500
"""Budgets whose draws are made at once; more would only take more memory."""

_SHOWN: Final = 3
"""Budgets shown of each end."""
_REMEDY: Final = (
    "interval(), recommended, valley() and to_frame() take no more for more budgets; parts() "
    "gives the draws of some budgets at a time."
)


class AllocationInParts(Allocation):
    """Posterior of the optimum of many budgets, whose draws are made where they are read.

    What is a number or two a budget takes no more memory for more budgets. `optimum` is there as
    in any `Allocation`, as long as each of its variables fits into 8 GB.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What the allocation follows from.
    flops : ndarray, shape (budget,)
        The budgets in FLOPs.
    allocate : callable
        From some budgets to their allocation.
    """

    _flops: np.ndarray
    _allocate: Callable[[np.ndarray], Allocation]

    def __init__(
        self, source: Source, flops: np.ndarray, allocate: Callable[[np.ndarray], Allocation]
    ) -> None:
        for name, value in (("source", source), ("_flops", flops), ("_allocate", allocate)):
            object.__setattr__(self, name, value)

    @property
    def flops(self) -> np.ndarray:
        """The budgets in FLOPs, of shape (budget,)."""
        return self._flops

    def parts(self) -> Sequence[Allocation]:
        """Return the allocation in parts; see `Allocation.parts`."""
        return Lazily(
            n_blocks(len(self.flops), BUDGETS_AT_ONCE),
            lambda number: self._allocate(self.flops[block(number, BUDGETS_AT_ONCE)]),
        )

    @cached_property
    def optimum(self) -> xr.Dataset:
        """Draws at the optimum, with dims chain, draw and budget; see `Allocation`.

        Raises
        ------
        InputError
            If one variable takes more than 8 GB.
        """
        first = self.parts()[0].optimum
        found = {
            name: joined(
                (part.optimum[name].drop_vars("flops") for part in self.parts()),
                "budget",
                len(self.flops),
                remedy=_REMEDY,
            )
            for name in first.data_vars
        }
        return first.isel(budget=0, drop=True).assign(found).assign_coords(self._coords)

    @property
    def _coords(self) -> dict[str, tuple[str, np.ndarray]]:
        return {"flops": ("budget", self.flops)}

    def interval(
        self,
        of: Quantity,
        prob: float = DEFAULT_PROB,
        *,
        kind: IntervalKind = "equal-tailed",
    ) -> xr.DataArray:
        """Return the credible interval of one quantity; see `Allocation.interval`."""
        import xarray as xr

        each = [part.interval(of, prob=prob, kind=kind) for part in self.parts()]
        return xr.concat(each, dim="budget")

    @cached_property
    def recommended(self) -> xr.Dataset:
        """The allocation with the smallest expected loss; see `Allocation.recommended`."""
        import xarray as xr

        return xr.concat([part.recommended for part in self.parts()], dim="budget")

    def valley(self, tolerance: float = DEFAULT_TOLERANCE) -> xr.DataArray:
        """Return the range of N within a tolerance of the best; see `Allocation.valley`."""
        import xarray as xr

        return xr.concat([part.valley(tolerance) for part in self.parts()], dim="budget")

    def loss_given_up(self, n_params: object) -> xr.DataArray:
        """Return the loss that other model sizes give up; see `Allocation.loss_given_up`.

        Raises
        ------
        InputError
            If the draws take more than 8 GB.
        """
        chosen = np.broadcast_to(sizes("n_params", n_params), self.flops.shape)
        each = (
            part.loss_given_up(chosen[block(number, BUDGETS_AT_ONCE)]).drop_vars("flops")
            for number, part in enumerate(self.parts())
        )
        given_up = joined(each, "budget", len(self.flops), remedy=_REMEDY)
        return given_up.assign_coords(self._coords)

    def to_frame(
        self,
        *,
        prob: float = DEFAULT_PROB,
        kind: IntervalKind = "equal-tailed",
        tolerance: float = DEFAULT_TOLERANCE,
    ) -> pd.DataFrame:
        """Return one row a budget; see `Allocation.to_frame`."""
        import pandas as pd

        frames = [part.to_frame(prob=prob, kind=kind, tolerance=tolerance) for part in self.parts()]
        return pd.concat(frames, ignore_index=True)

    def _notebook_frame(self) -> pd.DataFrame:
        return self._ends().to_frame()

    def _ends(self) -> Allocation:
        return self._allocate(np.concatenate([self.flops[:_SHOWN], self.flops[-_SHOWN:]]))

    @printed
    def __repr__(self) -> str:
        return (
            f"{self._ends()!r}\n"
            f"The first and last {_SHOWN} of {len(self.flops):,} budgets; to_frame() has all."
        )
