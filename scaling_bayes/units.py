"""Sizes, compute, hardware and time as people write them, to numbers and back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

from scaling_bayes.errors import UnitError

__all__ = [
    "FLOPS_PER_PARAM_TOKEN",
    "FLOPS_TOLERANCE",
    "PF_DAY",
    "SIZES",
    "Kind",
    "format_money",
    "format_quantity",
    "parse_money",
    "parse_quantity",
]

Kind = Literal["n_params", "tokens", "flops", "flop_rate", "gpu_hours", "duration", "money"]

SIZES: Final[tuple[Kind, ...]] = ("n_params", "tokens", "flops")
"""The three sizes of a run, of which any two give the third."""

DEFAULT_LOSS_UNIT: Final = "nats per token"
"""What losses are counted in where nothing else is said."""

FLOPS_PER_PARAM_TOKEN: Final = 6.0
"""The 6 of C = 6 N D: forward and backward pass (Kaplan et al. 2020, arXiv 2001.08361)."""

FLOPS_TOLERANCE: Final = 0.2
"""Relative difference between FLOPs that are given and k N D, up to which they agree."""

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
    "money": r"",
    "gpu_hours": r"(?:(?:gpu|tpu|device|accelerator)[\s-]*(?:h|hrs?|hours?))?",
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
_FLOP_RATE: Final = re.compile(
    r"([a-z]*?)[\s-]?flops?(?:[\s-]?(?:/[\s-]?s(?:ec(?:ond)?)?|per second))?", re.IGNORECASE
)
_RATE: Final = re.compile(r".*(?:/s|/sec|per second)", re.IGNORECASE)
_SECONDS: Final = {
    unit: seconds
    for seconds, units in {
        1.0: ("s", "sec", "secs", "second", "seconds"),
        60.0: ("min", "mins", "minute", "minutes"),
        3600.0: ("h", "hr", "hrs", "hour", "hours"),
        86400.0: ("d", "day", "days"),
        604800.0: ("w", "wk", "week", "weeks"),
    }.items()
    for unit in units
}

_SIGNS: Final = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_CURRENCIES: Final = frozenset(
    [
        "AED",
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CNY",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "ILS",
        "INR",
        "JPY",
        "KRW",
        "MXN",
        "NOK",
        "NZD",
        "PLN",
        "SAR",
        "SEK",
        "SGD",
        "TRY",
        "TWD",
        "USD",
        "ZAR",
    ]
)
_MONEY: Final = re.compile(r"([$€£¥])?\s*(.*?)\s*(?:(?<![A-Za-z])([A-Za-z]{3}))?")

_NAMES: Final = {
    "n_params": "a number of parameters",
    "tokens": "a number of tokens",
    "gpu_hours": "a number of GPU-hours",
    "money": "an amount of money",
}
_SHOWN: Final = {
    "flops": ("FLOPs", 1.0),
    "flop_rate": ("TFLOP/s", 1e12),
}
_REMEDIES: Final = {
    "n_params": "Write a plain number or one such as '7B', '350M' or '1.3 billion'",
    "tokens": "Write a plain number or one such as '1.4T', '300B' or '20 billion'",
    "flops": "Write a plain number or one such as '1e21 FLOPs', '5.76 ZFLOPs' or '3.2 PF-days'",
    "flop_rate": "Write a plain number in FLOP/s or one such as '989 TFLOP/s'",
    "gpu_hours": "Write a plain number or one such as '1.5M GPU-hours'",
    "money": "Write a plain number or one such as '2M'",
    "duration": "Write a plain number in seconds or one such as '30 days' or '12 h'",
}


def parse_quantity(value: float | int | str, *, kind: Kind, name: str | None = None) -> float:
    """Return a quantity as a number in the unit of its kind.

    Parameters
    ----------
    value : float, int or str
        A number, or text such as ``"7B"``, ``"350 million"``, ``"1.4T tokens"``,
        ``"1e21 FLOPs"``, ``"5.76 ZFLOP"``, ``"3e8 PF-days"``, ``"989 TFLOP/s"``,
        ``"1.5M GPU-hours"`` or ``"30 days"``. In counts ``M`` and ``m`` are both millions, and
        ``B`` and ``G`` both 1e9.
    kind : {"n_params", "tokens", "flops", "flop_rate", "gpu_hours", "duration"}
        What the number counts.
    name : str, optional
        What it is called in errors; its kind by default.

    Returns
    -------
    float
        Parameters, tokens, FLOPs, FLOP/s, GPU-hours or seconds; positive and finite.

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
        raise UnitError(f"{name or kind} = {value!r} {reason}. {remedy}.")
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
    """Return a quantity as people write it.

    Parameters
    ----------
    value : float
        Parameters, tokens, FLOPs, FLOP/s, GPU-hours or seconds.
    kind : {"n_params", "tokens", "flops", "flop_rate", "gpu_hours", "duration"}
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
    if kind in _SHOWN:
        unit, size = _SHOWN[kind]
        return f"{value / size:.3g} {unit}"
    if kind == "duration":
        return _time(value)
    return _short(value) + (" GPU-hours" if kind == "gpu_hours" else "")


def parse_money(value: float | int | str, *, name: str = "money") -> tuple[float, str]:
    """Return an amount of money and its currency.

    Parameters
    ----------
    value : float, int or str
        A number, which has no currency, or text such as ``"$2M"``, ``"2.5 USD"`` or ``"€300k"``.
    name : str
        What it is called in errors.

    Returns
    -------
    amount : float
        Positive and finite.
    currency : str
        ``"USD"``, ``"EUR"`` or as it was written; empty for a plain number.

    Raises
    ------
    UnitError
        If the value cannot be read, or is not positive and finite.

    Examples
    --------
    >>> parse_money("$2M")
    (2000000.0, 'USD')
    """
    remedy = "Write a plain number or one such as '$2M' or '2.5 EUR'"
    amount, currency = value, ""
    if isinstance(value, str):
        match = _MONEY.fullmatch(value.strip())
        if match is None:
            raise UnitError(f"{name} = {value!r} is not a number with a known currency. {remedy}.")
        sign, amount, code = match.groups()
        if sign and code:
            raise UnitError(f"{name} = {value!r} names two currencies. {remedy}.")
        currency = _SIGNS.get(sign or "", (code or "").upper())
        if currency and currency not in _CURRENCIES:
            raise UnitError(f"{name} = {value!r} has the unknown currency {code!r}. {remedy}.")
    fault = unreadable_because(amount, "money")
    if fault is not None:
        raise UnitError(f"{name} = {value!r} {fault[0]}. {remedy}.")
    return _number(amount, "money"), currency


def format_money(amount: float, currency: str) -> str:
    """Return an amount of money as people write it, such as ``"2.5M USD"``."""
    return f"{_short(amount)} {currency}".rstrip()


def _time(seconds: float) -> str:
    units = {"days": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
    unit = next((name for name, size in units.items() if seconds >= size), "s")
    return f"{seconds / units[unit]:.3g} {unit}"


def _short(value: float) -> str:
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
    return number * _FACTORS[kind](match[2])


def _count_factor(kind: str, unit: str) -> float:
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


def _rate_factor(unit: str) -> float:
    match = _FLOP_RATE.fullmatch(unit)
    if match and match[1].lower() in _FLOP_FACTORS:
        return _FLOP_FACTORS[match[1].lower()]
    raise _UnreadableError(f"has the unit {unit!r}, which is not one of FLOP/s")


def _second_factor(unit: str) -> float:
    if unit.strip().lower() not in _SECONDS:
        raise _UnreadableError(f"has the unit {unit!r}, which is not one of time")
    return _SECONDS[unit.strip().lower()]


_FACTORS: Final[dict[Kind, Callable[[str], float]]] = {
    "n_params": partial(_count_factor, "n_params"),
    "tokens": partial(_count_factor, "tokens"),
    "gpu_hours": partial(_count_factor, "gpu_hours"),
    "money": partial(_count_factor, "money"),
    "flops": _flop_factor,
    "flop_rate": _rate_factor,
    "duration": _second_factor,
}
