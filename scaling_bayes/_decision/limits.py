"""What a run may not exceed."""

from __future__ import annotations

from dataclasses import dataclass

from scaling_bayes.errors import InputError
from scaling_bayes.units import Kind, format_quantity, parse_quantity


@dataclass(frozen=True)
class Limits:
    """What a run may not exceed, apart from its budget.

    Parameters
    ----------
    n_params : float or str, optional
        Largest model, for memory or latency.
    least_n_params : float or str, optional
        Smallest model that will do.
    tokens : float or str, optional
        Most tokens to train on, repeated ones counted each time.
    unique_tokens : float or str, optional
        Tokens that there are. A run may read them again, for less: see `Repetition`.
    wall_time : float or str, optional
        Longest training, such as ``"60 days"``, or a number of seconds; needs `Hardware` with
        ``n_devices``.

    Raises
    ------
    UnitError
        If a limit is not a positive quantity.
    InputError
        If a size is below 1, or the smallest model is larger than the largest.
    """

    n_params: float | str | None = None
    least_n_params: float | str | None = None
    tokens: float | str | None = None
    unique_tokens: float | str | None = None
    wall_time: float | str | None = None

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is None:
                continue
            number = parse_quantity(value, kind=kind, name=name)
            if kind != "duration" and number < 1:
                raise InputError(f"the limit {name} is {value!r}; give at least 1.")
            object.__setattr__(self, name, number)
        least, most = self.of("least_n_params", 0.0), self.of("n_params", float("inf"))
        if least > most:
            raise InputError(
                f"the smallest model, {format_quantity(least, kind='n_params')}, is larger than "
                f"the largest, {format_quantity(most, kind='n_params')}."
            )

    def of(self, name: str, otherwise: float) -> float:
        """Return a limit as a number, and something else where there is none."""
        value = getattr(self, name)
        return otherwise if value is None else float(value)

    def in_words(self, name: str) -> str:
        """Return one limit as people write it."""
        return f"{_NAMES[name]} {format_quantity(self.of(name, 0.0), kind=_KINDS[name])}"


_KINDS: dict[str, Kind] = {
    "n_params": "n_params",
    "least_n_params": "n_params",
    "tokens": "tokens",
    "unique_tokens": "tokens",
    "wall_time": "duration",
}
_NAMES = {
    "n_params": "at most N",
    "least_n_params": "at least N",
    "tokens": "at most D",
    "unique_tokens": "unique tokens",
    "wall_time": "at most",
}
