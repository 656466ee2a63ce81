"""What compute costs: devices, utilisation, hours and money."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real

from scaling_bayes.errors import InputError, UnitError
from scaling_bayes.units import format_money, format_quantity, parse_money, parse_quantity

_SECONDS_PER_HOUR = 3600.0
_LEAST_PEAK = 1e9
_AN_HOUR = re.compile(
    r"\s*(?:/|per|an?)\s*(?:(?:gpu|tpu|device|accelerator)[\s/-]*)?(?:h|hrs?|hours?)\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Hardware:
    """Devices that train and serve: turns GPU-hours, money and time into FLOPs and back.

    Parameters
    ----------
    peak : float or str
        Peak rate of one device, in FLOP/s or such as ``"989 TFLOP/s"``.
    utilisation : float
        Share of the peak that goes into the model's FLOPs (MFU), above 0 and at most 1.
    n_devices : int, optional
        How many work at once; needed for a limit on time.
    price : float or str, optional
        Price of one device for an hour, such as ``"$2.50"`` or ``"$2.50/h"``; needed for budgets
        in money.

    Raises
    ------
    UnitError
        If the peak or the price cannot be read.
    InputError
        If the peak is below 1 GFLOP/s, the utilisation is no share, or the number of devices is
        not a positive whole number.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> h100 = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, price="$2.50")
    >>> h100.flops(gpu_hours="1M GPU-hours")
    1.42416e+24
    >>> h100.cost_in_words(1.42416e24)
    '1M GPU-hours, 2.5M USD'
    """

    peak: float | str
    utilisation: float
    n_devices: int | None = None
    price: float | str | None = None

    def __post_init__(self) -> None:
        peak = parse_quantity(self.peak, kind="flop_rate", name="peak")
        if peak < _LEAST_PEAK:
            raise InputError(
                f"peak is {self.peak!r}, which is {peak:g} FLOP/s: less than any device. Give its "
                "unit, such as '989 TFLOP/s'."
            )
        object.__setattr__(self, "peak", peak)
        share = self.utilisation
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 < share <= 1:
            raise InputError(
                f"utilisation is {share!r}; give the share of the peak that is used, above 0 and "
                "at most 1, such as 0.4."
            )
        n = self.n_devices
        if n is not None and (isinstance(n, bool) or not isinstance(n, Integral) or n < 1):
            raise InputError(f"n_devices is {n!r}; give a whole number of at least 1.")
        if self.price is not None:
            parse_money(_by_the_hour(self.price), name="price")

    @property
    def flops_per_gpu_hour(self) -> float:
        """FLOPs that one device does in an hour."""
        return float(self.peak) * self.utilisation * _SECONDS_PER_HOUR

    @cached_property
    def _price(self) -> tuple[float, str]:
        if self.price is None:
            raise InputError(
                "the hardware has no price; give the price of a device for an hour, such as "
                'sb.Hardware(..., price="$2.50").'
            )
        return parse_money(_by_the_hour(self.price), name="price")

    @property
    def currency(self) -> str:
        """The currency of the price; empty if it is a plain number, or there is none."""
        return "" if self.price is None else self._price[1]

    def flops(self, *, gpu_hours: object = None, money: object = None) -> float:
        """Return the FLOPs that GPU-hours or money buy.

        Parameters
        ----------
        gpu_hours : float or str, optional
            Such as ``"1.5M GPU-hours"``.
        money : float or str, optional
            Such as ``"$2M"``, in the currency of the price.

        Raises
        ------
        InputError
            If not exactly one is given, or there is no price.
        UnitError
            If the value is not a positive quantity, or the currencies differ.
        """
        if (gpu_hours is None) == (money is None):
            raise InputError("give either gpu_hours or money.")
        if money is not None:
            price, currency = self._price
            amount, paid_in = parse_money(money)  # type: ignore[arg-type]
            if paid_in and currency and paid_in != currency:
                raise UnitError(
                    f"the budget is {money!r}, and the price of the hardware is in {currency}. "
                    f"Give the budget in {currency}."
                )
            return amount / price * self.flops_per_gpu_hour
        hours = parse_quantity(gpu_hours, kind="gpu_hours")  # type: ignore[arg-type]
        return hours * self.flops_per_gpu_hour

    def gpu_hours(self, flops: float) -> float:
        """Return the hours of one device that FLOPs take."""
        return flops / self.flops_per_gpu_hour

    def money(self, flops: float) -> float:
        """Return what FLOPs cost, in the currency of the price."""
        return self.gpu_hours(flops) * self._price[0]

    def seconds(self, flops: float) -> float:
        """Return how long all devices take for FLOPs, in seconds.

        Raises
        ------
        InputError
            If the number of devices is not known.
        """
        if self.n_devices is None:
            raise InputError(
                "a time needs the number of devices that work at once; give "
                "sb.Hardware(..., n_devices=...)."
            )
        return self.gpu_hours(flops) * _SECONDS_PER_HOUR / self.n_devices

    def cost_in_words(self, flops: float) -> str:
        """Return GPU-hours, and money where the price is known."""
        words = [format_quantity(self.gpu_hours(flops), kind="gpu_hours")]
        if self.price is not None:
            words.append(format_money(self.money(flops), self.currency))
        return ", ".join(words)


def _by_the_hour(price: float | str) -> float | str:
    """Return a price without the words that say that it is for an hour."""
    return _AN_HOUR.sub("", price) if isinstance(price, str) else price


def budget_in_flops(
    *, flops: object, gpu_hours: object, money: object, hardware: Hardware | None
) -> float | None:
    """Return a budget in FLOPs, however it was given; None if it was not.

    Raises
    ------
    InputError
        If it is given twice, or GPU-hours or money come without hardware.
    UnitError
        If it is not a positive quantity.
    """
    given = {"flops": flops, "gpu_hours": gpu_hours, "money": money}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InputError(f"the budget is given as {' and as '.join(named)}; give one of them.")
    if not named:
        return None
    if flops is not None:
        return parse_quantity(flops, kind="flops")  # type: ignore[arg-type]
    if hardware is None:
        raise InputError(
            f"a budget as {named[0]} needs to know the devices; give "
            "hardware=sb.Hardware(peak=..., utilisation=...)."
        )
    return hardware.flops(gpu_hours=gpu_hours, money=money)
