"""The kernel as nutpie takes a model."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from nutpie import _lib
from nutpie.sample import CompiledModel

from scaling_bayes._inference.kernel.c_functions import c_functions, pooled_c_functions
from scaling_bayes._inference.kernel.pooled_density import PooledDensity
from scaling_bayes._inference.kernel.power_sum_density import PowerSumDensity

KEPT = "kept"
"""What nutpie calls all that the kernel keeps of a point."""
NUMBER = "number"
"""The dim of it."""
_STARTS = 16


@dataclass(frozen=True)
class KernelModel(CompiledModel):  # type: ignore[misc]
    """A model of which nutpie is given two functions in C and the table that they read.

    Attributes
    ----------
    dimension, n_natural : int
        Coordinates of the sampler, and numbers that are worked out beside them.
    start : callable
        From a random generator to a point to start from.
    functions : callable
        Returns log density and expansion.
    table : ndarray
        The model and its runs, as these read them.
    """

    dimension: int
    n_natural: int
    start: Callable[[np.random.Generator], np.ndarray]
    functions: Callable[[], tuple[Any, Any]]
    table: np.ndarray

    @classmethod
    def of(cls, density: PowerSumDensity, data: Mapping[str, np.ndarray]) -> KernelModel:
        """Return the model of runs under one law."""
        return cls(
            {KEPT: (NUMBER,)},
            density.dimension,
            density.n_natural,
            partial(density.start, data),
            c_functions,
            density.table(data),
        )

    @classmethod
    def of_groups(cls, density: PooledDensity) -> KernelModel:
        """Return the model of groups of runs that vary around one law."""
        return cls(
            {KEPT: (NUMBER,)},
            density.dimension,
            density.n_natural,
            density.start,
            pooled_c_functions,
            density.table,
        )

    @property
    def n_dim(self) -> int:
        """Coordinates of the sampler."""
        return self.dimension

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of what is kept of a point."""
        return {KEPT: (self.n_dim + self.n_natural,)}

    @property
    def coords(self) -> dict[str, Any]:
        """The numbers that are kept, counted."""
        return {NUMBER: np.arange(*self.shapes[KEPT])}

    def _start(self, seed: int) -> np.ndarray:
        """Return the most probable of some points to start a chain from.

        A chain that starts where the density is flat in the wrong direction may never leave.
        """
        rng = np.random.default_rng(seed)
        points = [self.start(rng) for _ in range(_STARTS)]
        return max(points, key=self.log_density)

    def log_density(self, point: np.ndarray) -> float:
        """Return the log density at a point of the sampler's coordinates; minus infinity if none.

        Parameters
        ----------
        point : ndarray, shape (n_dim,)
            The point.
        """
        density, _ = self.functions()
        numbers = ctypes.c_double * self.n_dim
        value = ctypes.c_double()
        failed = density.ctypes(
            self.n_dim,
            numbers.from_buffer(point),
            numbers(),
            ctypes.pointer(value),
            self.table.ctypes.data,
        )
        return -np.inf if failed else value.value

    def _make_model(self, init_mean: np.ndarray | None) -> Any:
        density, expansion = self.functions()
        where = self.table.ctypes.data
        (n_kept,) = self.shapes[KEPT]
        sizes = {NUMBER: n_kept}
        return _lib.PyMcModel(
            _lib.LogpFunc(density.address, where, self),
            _lib.ExpandFunc(self.n_dim, n_kept, expansion.address, where, self),
            _lib.PyVariable.new_variables([KEPT], ["float64"], [(n_kept,)], sizes, self.dims),
            self.n_dim,
            sizes,
            self.coords,
            self._start,
            None,
        )

    def _make_sampler(
        self,
        settings: Any,
        init_mean: np.ndarray | None,
        cores: int,
        progress_type: Any,
        callback: Any,
        callback_rate: int,
        store: Any,
    ) -> Any:
        return _lib.PySampler.from_pymc(
            settings,
            cores,
            self._make_model(init_mean),
            progress_type,
            callback,
            callback_rate,
            store,
        )
