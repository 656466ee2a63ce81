"""FLOPs of a table against k N D: another constant, another spread, another unit, an overflow."""

from __future__ import annotations

import math
import warnings
from typing import Final

import numpy as np
import pandas as pd

from scaling_bayes.errors import RunsWarning
from scaling_bayes.runs._cells import Fault
from scaling_bayes.units import SIZES

FORWARD_ONLY: Final = 2.0
"""The k of the forward pass alone: a multiplication and an addition for each parameter."""

_UNIT_FACTOR: Final = 5.0
"""FLOPs that are off by a larger factor are in another unit, not counted another way."""
_ROUNDING: Final = 0.02
"""Constants are said as whole numbers where these are as near; nearer ones to k are k."""
_CONSTANT: Final = 0.05
"""Largest relative distance of rows from a constant that is said to hold in all of them."""
_HIDES_MUCH: Final = 0.5
_WIDTH: Final = 2**64
_ROUNDED_BY: Final = 1024
"""Floats of 64-bit integers are off by at most half of this."""


def overflowed(given: pd.DataFrame, k: float) -> dict[int, Fault]:
    """Return the rows whose FLOPs are k N D as a 64-bit integer, which holds no such number.

    Parameters
    ----------
    given : pandas.DataFrame
        The three sizes as floats, of shape (run, size); NaN where the table has none.
    k : float
        The k of C = k N D.
    """
    if not set(SIZES) <= set(given) or not float(k).is_integer():
        return {}
    sizes = given[list(SIZES)].to_numpy()
    with np.errstate(all="ignore"):
        product = k * sizes[:, 0] * sizes[:, 1]
        large = (product >= _WIDTH / 2) & (product < math.inf) & (np.abs(sizes[:, 2]) <= _WIDTH / 2)
    fault = Fault(
        f"is {k:g} x n_params x tokens in 64-bit integers, which overflowed",
        "Compute it in floats, or leave out the column flops",
    )
    return {int(row): fault for row in np.flatnonzero(large) if _is_wrapped(sizes[row], int(k))}


def flops_fault(ratio: np.ndarray, k: float, flops_tolerance: float) -> Fault:
    """Return what to say where C is not k N D.

    Parameters
    ----------
    ratio : numpy.ndarray of float, shape (run,)
        C / (k N D) of all rows that give the three.
    k, flops_tolerance : float
        As in `read_runs`.
    """
    reason = f"is not {k:g} x n_params x tokens within flops_tolerance = {flops_tolerance:g}"
    far = ratio[np.abs(ratio - 1) > flops_tolerance]
    if not len(far):
        return Fault(reason, "")
    span = f"flops / (n_params x tokens) is {k * far.min():.3g} to {k * far.max():.3g} here"
    typical = float(np.median(ratio))
    constant = _said(k * typical)
    enough = _tolerance(ratio * k / constant)
    judged = far if enough > _HIDES_MUCH else np.array([typical])
    if judged.min() < 1 / _UNIT_FACTOR or judged.max() > _UNIT_FACTOR:
        return Fault(reason, f"Check the units of the three: {span}")
    keeping = f"pass flops_tolerance={_tolerance(ratio):g}{_hidden(ratio)}"
    if abs(typical - 1) <= flops_tolerance or enough > _HIDES_MUCH:
        return Fault(
            reason,
            f"Correct it; or if FLOPs are counted in another way (attention, embeddings), "
            f"{keeping}: {span}",
        )
    otherwise = f". To keep {k:g}, {keeping}" if abs(typical - 1) <= _HIDES_MUCH else ""
    spread = f" and flops_tolerance={enough:g}" if enough > flops_tolerance else ""
    return Fault(
        reason,
        f"{_constant_in_words(ratio, k, constant)}. If FLOPs are counted so, pass "
        f"flops_per_param_token={constant:g}{spread}{otherwise}",
    )


def warn_of_constant(ratio: np.ndarray, k: float, source: str) -> None:
    """Warn of FLOPs within the tolerance that are k' N D in every row, with another k'.

    Warns
    -----
    RunsWarning
        If there are three rows or more, they agree among themselves, and they do not with k.
    """
    if len(ratio) < 3:
        return
    typical = float(np.median(ratio))
    spread = float(np.abs(ratio / typical - 1).max())
    if abs(typical - 1) <= max(_ROUNDING, 2 * spread) or spread > _CONSTANT:
        return
    constant = _said(k * typical)
    if constant == k:
        return
    shift = 100 * abs(math.sqrt(typical) - 1)
    warnings.warn(
        f"{_constant_in_words(ratio, k, constant)} of {source}. Sizes that are forecast and "
        f"allocated follow from C = {k:g} N D, so compute has two units, which shifts N* by about "
        f"{shift:.0f}%. Pass flops_per_param_token={constant:g} if FLOPs are counted so, or leave "
        "out the column flops.",
        RunsWarning,
        stacklevel=2,
    )


def _constant_in_words(ratio: np.ndarray, k: float, constant: float) -> str:
    """Return which constant the FLOPs have, before anything is said of their spread."""
    within = np.abs(ratio * k / constant - 1) <= _CONSTANT
    where = "every row" if within.all() else f"the median of {len(ratio)} rows"
    question = ", the forward pass alone" if constant == FORWARD_ONLY else ""
    spread = "" if within.all() else f" ({k * ratio.min():.3g} to {k * ratio.max():.3g} row by row)"
    return f"The FLOPs look like {constant:g} N D{question}, in {where}{spread}"


def _hidden(ratio: np.ndarray) -> str:
    """Return what a tolerance of 0.5 and more lets pass; nothing for a smaller one."""
    if _tolerance(ratio) < _HIDES_MUCH:
        return ""
    factor = float(np.exp(np.abs(np.log(ratio)).max()))
    return (
        f" (which lets FLOPs pass that are off by a factor of {factor:.2g}, and N* at a budget "
        f"that is off by {math.sqrt(factor):.2g})"
    )


def _tolerance(ratio: np.ndarray) -> float:
    """Return the smallest tolerance, in hundredths, that lets all rows pass."""
    return math.ceil(100 * float(np.abs(ratio - 1).max())) / 100


def _said(constant: float) -> float:
    whole = round(constant)
    near = whole > 0 and abs(constant / whole - 1) <= _ROUNDING
    return float(whole) if near else float(f"{constant:.3g}")


def _is_wrapped(sizes: np.ndarray, k: int) -> bool:
    n_params, tokens, flops = map(int, sizes)
    wrapped = (k * n_params * tokens + _WIDTH // 2) % _WIDTH - _WIDTH // 2
    return abs(wrapped - flops) <= _ROUNDED_BY
