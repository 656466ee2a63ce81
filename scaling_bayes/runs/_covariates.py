"""What a law may read of a run: name, unit, how text is read, and which values are possible."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scaling_bayes.errors import InputError, UnitError
from scaling_bayes.units import Kind, parse_quantity


@dataclass(frozen=True)
class Covariate:
    """A column that a law may read.

    Parameters
    ----------
    name : str
        The name of the column.
    unit : str
        What it counts, in the plural; ``"1"`` for a number without a unit.
    kind : str, optional
        How text is read: as a quantity such as ``"10B"`` of that kind of `units.parse_quantity`.
        By default text is a plain number, with or without the unit: ``"3 epochs"``.
    symbol : str, optional
        What formulas call it; its name by default.
    above, below : float
        Ends of the open interval of possible values.
    from_budget : bool
        Whether a compute budget determines it, as it does N, D and C.

    Examples
    --------
    >>> Covariate("unique_tokens", "tokens", kind="tokens").read("10B")
    10000000000.0
    >>> Covariate("epochs", "epochs").read("3 epochs")
    3.0
    """

    name: str
    unit: str = "1"
    kind: Kind | None = None
    symbol: str = ""
    above: float = 0.0
    below: float = math.inf
    from_budget: bool = False

    def read(self, value: object) -> float:
        """Return a value as a number.

        Parameters
        ----------
        value : float, int or str
            A number, or text with a unit.

        Raises
        ------
        InputError
            If it cannot be read, or lies outside of the interval.
        """
        number = self._number(value)
        if not self.above < number < self.below:
            raise InputError(
                f"{self.name} = {value!r} is not above {self.above:g} and below {self.below:g}. "
                "Correct it."
            )
        return number

    def _number(self, value: object) -> float:
        if isinstance(value, str) and self.kind is not None:
            try:
                return parse_quantity(value, kind=self.kind, name=self.name)
            except UnitError as error:
                raise InputError(str(error)) from None
        text = value
        if isinstance(value, str) and self.unit != "1":
            text = re.sub(rf"\s*{re.escape(self.unit.rstrip('s'))}s?\s*$", "", value, flags=re.I)
        try:
            number = math.nan if isinstance(value, bool) else float(text)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isnan(number):
            unit = "" if self.unit == "1" else f", in {self.unit}"
            raise InputError(f"{self.name} = {value!r} is not a number. Give a number{unit}.")
        return number


COVARIATES: dict[str, Covariate] = {
    each.name: each
    for each in (
        Covariate("n_params", "parameters", "n_params", "N", from_budget=True),
        Covariate("tokens", "tokens", "tokens", "D", from_budget=True),
        Covariate("flops", "FLOPs", "flops", "C", from_budget=True),
        Covariate("n_params_non_embedding", "parameters", "n_params", "N_ne"),
        Covariate("n_params_active", "parameters", "n_params", "N_act"),
        Covariate("unique_tokens", "tokens", "tokens", "U_D"),
        Covariate("epochs", "epochs", symbol="R_D"),
        Covariate("n_experts", "experts", symbol="E"),
        Covariate("precision_bits", "bits", symbol="P", below=129.0),
        Covariate("vocabulary", "tokens", "tokens", "V"),
        Covariate("lr", symbol="\\eta", below=1e3),
        Covariate("batch_tokens", "tokens", "tokens", "B"),
        Covariate("context", "tokens", "tokens", "S"),
    )
}
"""The covariates that are known, by name; a law may add its own."""


def covariate(name: str) -> Covariate:
    """Return a covariate by its name; one that is not known is a positive number."""
    return COVARIATES.get(name) or Covariate(name)


def beyond_budget(names: Iterable[str]) -> list[str]:
    """Return the covariates that no compute budget determines."""
    return [name for name in names if not covariate(name).from_budget]


def read_at(at: Mapping[str, Any]) -> dict[str, float]:
    """Return the values at which covariates are held.

    Parameters
    ----------
    at : mapping of str to float or str
        Value of each, such as ``{"unique_tokens": "10B"}``.

    Raises
    ------
    InputError
        If a name is that of N, D or C, or a value cannot be read.
    """
    if not isinstance(at, Mapping):
        raise InputError(f'at is {at!r}; give values by name, such as {{"unique_tokens": "10B"}}.')
    for name in at:
        if covariate(name).from_budget:
            raise InputError(
                f"at gives {name}, which has an argument of its own: {name}={at[name]!r}."
            )
    return {name: covariate(name).read(value) for name, value in at.items()}
