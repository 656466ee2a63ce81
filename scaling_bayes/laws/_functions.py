"""Functions of two numbers that formulas of laws may use, wherever these run."""

from __future__ import annotations

from typing import Any

import numpy as np


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two values, of numbers, draws or variables of a model.

    NumPy's own does not take PyTensor's variables.

    Parameters
    ----------
    a, b : float, array_like, DataArray or PyTensor variable
        The values, which broadcast.

    Examples
    --------
    >>> float(minimum(2.0, 3.0))
    2.0
    """
    return _of_two("minimum", a, b)


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two values; see `minimum`.

    Parameters
    ----------
    a, b : float, array_like, DataArray or PyTensor variable
        The values, which broadcast.

    Examples
    --------
    >>> float(maximum(2.0, 3.0))
    3.0
    """
    return _of_two("maximum", a, b)


def _of_two(name: str, a: Any, b: Any) -> Any:
    if not any(type(each).__module__.startswith("pytensor") for each in (a, b)):
        return getattr(np, name)(a, b)
    import pytensor.tensor as pt

    return getattr(pt, name)(a, b)
