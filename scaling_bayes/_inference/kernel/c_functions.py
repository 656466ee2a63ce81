"""The log density as functions in C, whose machine code is kept on disk."""

from __future__ import annotations

import hashlib
import math
import warnings
from functools import cache
from importlib.resources import files
from typing import Any

import numba
import numpy as np
from numba import types

from scaling_bayes._inference.kernel.density_code import N_SIZES, log_density
from scaling_bayes._inference.kernel.jit import jitted
from scaling_bayes._inference.kernel.pooled_code import pooled_log_density
from scaling_bayes.errors import CompilationWarning

_NUMBERS = types.CPointer(types.double)
_DENSITY = types.int64(types.uint64, _NUMBERS, _NUMBERS, _NUMBERS, types.voidptr)
_EXPANSION = types.int64(types.uint64, types.uint64, _NUMBERS, _NUMBERS, types.voidptr)
_OTHER_CODE, _NOT_FINITE = -1, 3
_DIGITS = 12


@cache
def code_digest() -> float:
    """Return a whole number that changes with the files that are compiled.

    Numba looks only at the file of the function that it compiles, and not at what that calls.
    """
    here = files(__package__)
    sources = sorted(each.name for each in here.iterdir() if each.name.endswith(".py"))
    digest = hashlib.sha256(b"".join((here / name).read_bytes() for name in sources))
    return float(int(digest.hexdigest()[:_DIGITS], base=16))


@jitted
def _numbers_at(table: Any) -> np.ndarray:
    """Return a table, whose first number is its length."""
    length = int(numba.carray(table, (1,), np.float64)[0])
    numbers: np.ndarray = numba.carray(table, (length,), np.float64)
    return numbers


@jitted
def _status(density: float, slopes: np.ndarray) -> int:
    """Return 0 where a density and its gradient are finite."""
    finite = math.isfinite(density)
    for slope in slopes:
        finite = finite and math.isfinite(slope)
    return 0 if finite else _NOT_FINITE


@cache
def c_functions() -> tuple[Any, Any]:
    """Return log density and expansion of one law, compiled now or read from disk.

    Their signatures are those that nutpie asks for; both have an ``address``. A table that was
    laid out for other code is refused.
    """
    code = code_digest()

    def density(dimension: int, point: Any, gradient: Any, value: Any, table: Any) -> int:
        data = _numbers_at(table)
        if data[N_SIZES - 1] != code:
            return _OTHER_CODE
        slopes = numba.carray(gradient, (int(dimension),))
        natural = np.empty(int(data[N_SIZES - 2]))
        found = log_density(numba.carray(point, (int(dimension),)), slopes, natural, data)
        numba.carray(value, (1,))[0] = found
        return _status(found, slopes)

    def expansion(dimension: int, n_kept: int, point: Any, kept: Any, table: Any) -> int:
        data = _numbers_at(table)
        if data[N_SIZES - 1] != code:
            return _OTHER_CODE
        coordinates = numba.carray(point, (int(dimension),))
        values = numba.carray(kept, (int(n_kept),))
        values[: len(coordinates)] = coordinates
        log_density(coordinates, np.empty(len(coordinates)), values[len(coordinates) :], data)
        return 0

    return _compiled(density, expansion)


@cache
def pooled_c_functions() -> tuple[Any, Any]:
    """Return log density and expansion of a law with groups; see `c_functions`."""
    code = code_digest()

    def density(dimension: int, point: Any, gradient: Any, value: Any, table: Any) -> int:
        data = _numbers_at(table)
        if data[N_SIZES - 1] != code:
            return _OTHER_CODE
        slopes = numba.carray(gradient, (int(dimension),))
        natural = np.empty(int(data[N_SIZES - 2]))
        found = pooled_log_density(numba.carray(point, (int(dimension),)), slopes, natural, data)
        numba.carray(value, (1,))[0] = found
        return _status(found, slopes)

    def expansion(dimension: int, n_kept: int, point: Any, kept: Any, table: Any) -> int:
        data = _numbers_at(table)
        if data[N_SIZES - 1] != code:
            return _OTHER_CODE
        coordinates = numba.carray(point, (int(dimension),))
        values = numba.carray(kept, (int(n_kept),))
        values[: len(coordinates)] = coordinates
        natural = values[len(coordinates) :]
        pooled_log_density(coordinates, np.empty(len(coordinates)), natural, data)
        return 0

    return _compiled(density, expansion)


def _compiled(density: Any, expansion: Any) -> tuple[Any, Any]:
    signed = ((_DENSITY, density), (_EXPANSION, expansion))
    try:
        found = [numba.cfunc(signature, cache=True)(function) for signature, function in signed]
    except (RuntimeError, OSError) as error:
        # Numba finds no folder to write to, or cannot write what it has compiled.
        warnings.warn(
            "machine code cannot be kept on disk, so that every process compiles for some seconds: "
            f"{error}. Set NUMBA_CACHE_DIR to a folder that can be written.",
            CompilationWarning,
            stacklevel=2,
        )
        found = [numba.cfunc(signature)(function) for signature, function in signed]
    return found[0], found[1]
