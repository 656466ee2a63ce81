"""Exponential and logarithm that a compiler can do on several numbers at once.

Those of the C library are called one by one, and were most of the time of a log density. Both
are exact to the last digit or the one before it.
"""

from __future__ import annotations

import numpy as np

from scaling_bayes._inference.kernel.jit import jitted

_LOG2_E = 1.4426950408889634
_LOG_2_HIGH, _LOG_2_LOW = 0.6931471803691238, 1.9082149292705877e-10
"""The log of 2 as a number that whole numbers multiply exactly, and the rest."""
_ROUNDER = 6755399441055744.0
"""1.5 times 2^52: added to a number, it leaves the nearest whole number in the lowest bits."""
_ROUNDER_BITS = np.int64(0x4338000000000000)
_ROOT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_EXPONENT_AT, _EXPONENT_OF_ONE = np.int64(52), np.int64(1023)
_LEAST, _MOST = -708.0, 709.0


@jitted
def exp(x: float) -> float:
    """Return e^x, with x taken to lie between -708 and 709.

    With k the whole number nearest to x / log 2, e^x = 2^k e^r and |r| < 0.35, where the power
    series needs 13 terms.
    """
    x = min(max(x, _LEAST), _MOST)
    shifted = x * _LOG2_E + _ROUNDER
    k = shifted - _ROUNDER
    r = (x - k * _LOG_2_HIGH) - k * _LOG_2_LOW
    series = r / 479001600 + 1 / 39916800
    series = series * r + 1 / 3628800
    series = series * r + 1 / 362880
    series = series * r + 1 / 40320
    series = series * r + 1 / 5040
    series = series * r + 1 / 720
    series = series * r + 1 / 120
    series = series * r + 1 / 24
    series = series * r + 1 / 6
    series = series * r + 0.5
    series = series * r + 1.0
    series = series * r + 1.0
    whole = np.float64(shifted).view(np.int64)
    return series * np.int64((whole + _EXPONENT_OF_ONE) << _EXPONENT_AT).view(np.float64)


@jitted
def log(x: float) -> float:
    """Return the natural logarithm of a normal, positive x.

    With x = 2^k m and m between the roots of 1/2 and of 2, log m = 2 artanh((m - 1) / (m + 1)).
    """
    bits = np.float64(x).view(np.int64)
    k = (bits - _ROOT_HALF_BITS) >> _EXPONENT_AT
    m = np.int64(bits - (k << _EXPONENT_AT)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = z * (2 / 21) + 2 / 19
    series = series * z + 2 / 17
    series = series * z + 2 / 15
    series = series * z + 2 / 13
    series = series * z + 2 / 11
    series = series * z + 2 / 9
    series = series * z + 2 / 7
    series = series * z + 2 / 5
    series = series * z + 2 / 3
    series = series * z + 2.0
    whole = np.int64(k + _ROUNDER_BITS).view(np.float64) - _ROUNDER
    return whole * _LOG_2_HIGH + (s * series + whole * _LOG_2_LOW)
