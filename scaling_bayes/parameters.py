"""Parameters with their priors, as laws and noise models declare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from scaling_bayes.errors import PriorError
from scaling_bayes.priors import Prior

POSITIVE = (0.0, float("inf"))
ANY_NUMBER = (-float("inf"), float("inf"))


@dataclass(frozen=True)
class Parameter:
    """One natural parameter of a law or a noise model.

    Attributes
    ----------
    name : str
        Its name in draws, tables and priors; a Python identifier.
    symbol : str
        Its symbol in LaTeX, for plots.
    unit : str
        Its unit; ``"1"`` if it has none.
    description : str
        What it is, in a few words.
    prior : Prior
        What is believed before the runs.
    reason : str
        Why that prior, in a line.
    support : tuple of float
        The open interval in which it lies.
    """

    name: str
    symbol: str
    unit: str
    description: str
    prior: Prior
    reason: str
    support: tuple[float, float] = POSITIVE


class Declared:
    """A thing that declares parameters whose priors a user may replace."""

    name: str
    parameters: tuple[Parameter, ...]

    def __init__(
        self,
        *,
        priors: Mapping[str, object] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        replaced = dict(priors or {})
        for name, value in (fixed or {}).items():
            if name in replaced:
                raise PriorError(f"{name} is given a prior and is fixed. Leave out one of them.")
            replaced[name] = Prior("DiracDelta", c=_number(name, value))
        known = [parameter.name for parameter in self.parameters]
        for name in replaced:
            if name not in known:
                raise PriorError(
                    f"{self.name} has no parameter {name!r} to give a prior to; "
                    f"it has {', '.join(known)}."
                )
        self.parameters = tuple(
            replace(
                parameter, prior=Prior.coerce(replaced[parameter.name]), reason="given by the user"
            )
            if parameter.name in replaced
            else parameter
            for parameter in self.parameters
        )

    @property
    def parameter_names(self) -> list[str]:
        """Names of the natural parameters, in order."""
        return [parameter.name for parameter in self.parameters]

    @property
    def held(self) -> dict[str, float]:
        """The value of each parameter that is held at one."""
        return {
            each.name: value
            for each in self.parameters
            if (value := each.prior.held_at) is not None
        }

    @property
    def free_names(self) -> list[str]:
        """Names of the parameters that are not held at a value."""
        return [name for name in self.parameter_names if name not in self.held]

    @property
    def priors(self) -> dict[str, Prior]:
        """The prior of each parameter."""
        return {parameter.name: parameter.prior for parameter in self.parameters}

    def to_dict(self) -> dict[str, Any]:
        """Return name, class and priors as plain data, for saving."""
        package = type(self).__module__.partition(".")[0]
        prefix = f"{package}." if package == __name__.partition(".")[0] else ""
        return {
            "name": self.name,
            "class": prefix + type(self).__qualname__,
            "priors": {name: prior.to_dict() for name, prior in self.priors.items()},
        }

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((type(self), self.name))


def free_names_of(*models: Declared | None) -> list[str]:
    """Return the names of what the sampler moves, of models that may be left out."""
    return [name for model in models if model is not None for name in model.free_names]


def _number(name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not isfinite(value):  # type: ignore[arg-type]
        raise PriorError(f"{name} cannot be fixed at {value!r}; give a finite number.")
    return float(value)  # type: ignore[arg-type]
