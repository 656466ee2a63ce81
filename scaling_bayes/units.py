"""Parameters, tokens and FLOPs as people write them, to numbers and back."""

from __future__ import annotations

import math
import re
from typing import Final, Literal

from scaling_bayes.errors import UnitError

__all__ = ["FLOPS_PER_PARAM_TOKEN", "PF_DAY", "SIZES", "Kind", "format_quantity", "parse_quantity"]

Kind = Literal["n_params", "tokens", "flops"]

SIZES: Final[tuple[Kind, ...]] = ("n_params", "tokens", "flops")
"""The three sizes of a run, of which any two give the third."""

FLOPS_PER_PARAM_TOKEN: Final = 6.0
"""The 6 of C = 6 N D: forward and backward pass (Kaplan et al. 2020, arXiv 2001.08361)."""

PF_DAY: Final = 8.64e19
"""FLOPs of one PF-day: 1e15 FLOP/s kept up for 86,400 s."""

_COUNT_FACTORS: Final = {
    "": 1.0,
    **dict.fromkeys(("k", "thousand"), 1e3),
    **dict.fromkeys(("m", "mn", "million"), 1e6),
    **dict.fromkeys(("b", "bn", "g", "billion"), 1e9),
    **dict.fromkeys(("t", "tn", "trillion"), 1e12),
}
_COUNT_NOUNS: Final = {
    "n_params": r"(?:param(?:eter)?s?)?",
    "tokens": r"(?:tok(?:en)?s?)?",
}
_FLOP_FACTORS: Final = {
    letter: 10.0**power
    for power, names in {
        0: ("",),
        3: ("k", "kilo"),
        6: ("m", "mega"),
        9: ("g", "giga"),
        12: ("t", "tera"),
        15: ("p", "peta"),
        18: ("e", "exa"),
        21: ("z", "zetta"),
        24: ("y", "yotta"),
    }.items()
    for letter in names
}
_NUMBER: Final = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:e[+-]?\d+)?)\s*(.*)", re.IGNORECASE
)
_FLOPS: Final = re.compile(r"([a-z]*?)[\s-]?flops?", re.IGNORECASE)
_FLOP_DAYS: Final = re.compile(r"([a-z]*?)[\s-]?f(?:lops?)?(?:/s)?[\s-]?days?", re.IGNORECASE)
_RATE: Final = re.compile(r".*(?:/s|/sec|per second)", re.IGNORECASE)

_NAMES: Final = {"n_params": "a number of parameters", "tokens": "a number of tokens"}
_REMEDIES: Final = {
    "n_params": "Write a plain number or one such as '7B', '350M' or '1.3 billion'",
    "tokens": "Write a plain number or one such as '1.4T', '300B' or '20 billion'",
    "flops": "Write a plain number or one such as '1e21 FLOPs', '5.76 ZFLOPs' or '3.2 PF-days'",
}


def parse_quantity(value: float | int | str, *, kind: Kind) -> float:
    """Return a number of parameters, tokens or FLOPs.

    Parameters
    ----------
    value : float, int or str
        A number, or text such as ``"7B"``, ``"350 million"``, ``"1.4T tokens"``,
        ``"1e21 FLOPs"``, ``"5.76 ZFLOP"`` or ``"3e8 PF-days"``. In counts ``M`` and ``m`` are
        both millions, and ``B`` and ``G`` both 1e9.
    kind : {"n_params", "tokens", "flops"}
        What the number counts.

    Returns
    -------
    float
        Parameters, tokens or FLOPs; positive and finite.

    Raises
    ------
    UnitError
        If the value cannot be read, or is not positive and finite.

    Examples
    --------
    >>> parse_quantity("70B", kind="n_params")
    70000000000.0
    >>> parse_quantity("2 PF-days", kind="flops")
    1.728e+20
    """
    fault = unreadable_because(value, kind)
    if fault is not None:
        reason, remedy = fault
        raise UnitError(f"{kind} = {value!r} {reason}. {remedy}.")
    return _number(value, kind)


def unreadable_because(value: object, kind: Kind) -> tuple[str, str] | None:
    """Return why a value is not a quantity, and the remedy; None if it is one."""
    if kind not in _REMEDIES:
        return f"has an unknown kind {kind!r}", f"Take one of {', '.join(_REMEDIES)}"
    remedy = _REMEDIES[kind]
    try:
        number = _number(value, kind)
    except _UnreadableError as error:
        return str(error), remedy
    if math.isnan(number):
        return "is missing", remedy
    if math.isinf(number):
        return "is infinite", remedy
    if number <= 0:
        return "is zero" if number == 0 else "is negative", remedy
    return None


def format_quantity(value: float, *, kind: Kind) -> str:
    """Return a number of parameters, tokens or FLOPs as people write it.

    Parameters
    ----------
    value : float
        Parameters, tokens or FLOPs.
    kind : {"n_params", "tokens", "flops"}
        What the number counts.

    Returns
    -------
    str
        Three digits: ``"70.6B"``, ``"1.34T"``, ``"5.88e+23 FLOPs"``.

    Raises
    ------
    UnitError
        If the kind is unknown.

    Examples
    --------
    >>> format_quantity(1.34e12, kind="tokens")
    '1.34T'
    """
    if kind not in _REMEDIES:
        raise UnitError(f"kind = {kind!r} is unknown. Take one of {', '.join(_REMEDIES)}.")
    if kind == "flops":
        return f"{value:.3g} FLOPs"
    rounded = float(f"{value:.3g}")
    for factor, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if factor <= abs(rounded) < 1000 * factor:
            return f"{rounded / factor:.3g}{suffix}"
    return f"{rounded:.3g}"


class _UnreadableError(Exception):
    """A value is no number with a known unit."""


def _number(value: object, kind: Kind) -> float:
    if isinstance(value, bool):
        raise _UnreadableError("is a truth value, not a number")
    if not isinstance(value, str):
        try:
            return float(value)  # type: ignore[arg-type]
        except OverflowError:
            return math.inf
        except (TypeError, ValueError):
            raise _UnreadableError(f"is a {type(value).__name__}, not a number") from None
    text = value.strip()
    try:
        return float(text)
    except ValueError:
        pass
    match = _NUMBER.fullmatch(text)
    try:
        number = float(match[1].replace(",", "")) if match else math.nan
    except ValueError:
        number = math.nan
    if match is None or math.isnan(number):
        raise _UnreadableError("is not a number with a known unit")
    factor = _flop_factor(match[2]) if kind == "flops" else _count_factor(match[2], kind)
    return number * factor


def _count_factor(unit: str, kind: Kind) -> float:
    scale = re.sub(rf"[\s-]*{_COUNT_NOUNS[kind]}$", "", unit.strip().lower())
    if scale not in _COUNT_FACTORS:
        raise _UnreadableError(f"has the unit {unit!r}, which does not make {_NAMES[kind]}")
    return _COUNT_FACTORS[scale]


def _flop_factor(unit: str) -> float:
    for pattern, one in ((_FLOPS, 1.0), (_FLOP_DAYS, PF_DAY / 1e15)):
        match = pattern.fullmatch(unit)
        if match and match[1].lower() in _FLOP_FACTORS:
            return _FLOP_FACTORS[match[1].lower()] * one
    if _RATE.fullmatch(unit):
        raise _UnreadableError(f"is a rate ({unit}), not an amount of compute")
    raise _UnreadableError(f"has the unit {unit!r}, which is not one of FLOPs")
