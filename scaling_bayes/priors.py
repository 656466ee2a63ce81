"""Priors as data: a distribution's name and its numbers.

A prior is kept as text and numbers, so that it can be compared, printed and saved with a
fit, and turned into a PyMC distribution only where a model is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf, isnan, nan
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scaling_bayes.errors import PriorError

if TYPE_CHECKING:
    import numpy as np


_HELD = "DiracDelta"
"""What PyMC calls a distribution on one value."""
_NEGLIGIBLE = -30.0
"""Log density below that at the centre, at which no draw ever lies."""


class Prior:
    """A prior distribution, by the name and the arguments that PyMC gives it.

    Parameters
    ----------
    distribution : str
        Name of a univariate PyMC distribution, such as ``"LogNormal"``.
    **parameters : float or Prior
        Its keyword arguments. ``Prior("Truncated", dist=Prior("Normal", mu=0.3, sigma=0.2),
        lower=0)`` nests one distribution in another.

    Raises
    ------
    PriorError
        If an argument is neither a number nor a prior. If PyMC has no such distribution or it
        does not take these arguments, that is raised when the distribution is first built.

    Examples
    --------
    >>> from scaling_bayes import Prior
    >>> Prior("LogNormal", mu=0.5, sigma=0.3)
    Prior('LogNormal', mu=0.5, sigma=0.3)
    """

    distribution: str
    parameters: Mapping[str, float | Prior]

    def __init__(self, distribution: str, /, **parameters: float | Prior) -> None:
        self.distribution = distribution
        self.parameters = MappingProxyType(
            {name: _argument(distribution, name, value) for name, value in parameters.items()}
        )

    @classmethod
    def coerce(cls, value: object) -> Prior:
        """Return `value` as a prior: a `Prior` as it is, a PreliZ distribution converted.

        Parameters
        ----------
        value : Prior or PreliZ distribution
            What a user gave as a prior.

        Raises
        ------
        PriorError
            If it is neither, or a PreliZ distribution whose parameters are not all set.
        """
        if isinstance(value, Prior):
            return value
        names = getattr(value, "param_names", None)
        if names is None:
            raise PriorError(
                f"{value!r} is not a prior. Write it by name, such as "
                'Prior("LogNormal", mu=0.5, sigma=0.3), or give a PreliZ distribution.'
            )
        nested = getattr(value, "dist", None)
        inner = {} if nested is None else {"dist": cls.coerce(nested)}
        own = set(names).difference(*(prior.parameters for prior in inner.values()))
        numbers = {name: getattr(value, name) for name in names if name in own}
        unset = [name for name, number in numbers.items() if number is None]
        if unset:
            raise PriorError(
                f"the PreliZ distribution {type(value).__name__} has no value for "
                f"{', '.join(unset)}. Set it, or fit it first with pz.maxent."
            )
        return cls(type(value).__name__, **inner, **numbers)

    @property
    def held_at(self) -> float | None:
        """The value that a parameter is held at; None for a distribution."""
        return float(self.parameters["c"]) if self.distribution == _HELD else None  # type: ignore[arg-type]

    def dist(self) -> Any:
        """Return the PyMC distribution, outside of any model."""
        return self._shaped(())

    def draw(self, n_draws: int, random_seed: int | np.random.Generator | None) -> np.ndarray:
        """Return independent draws, of shape (draw,)."""
        import numpy as np
        import pymc as pm

        if self.held_at is not None:
            return np.full(n_draws, self.held_at)
        # Compiling for speed would take longer than to draw.
        mode = "FAST_COMPILE"
        drawn: np.ndarray = pm.draw(self._shaped((n_draws,)), random_seed=random_seed, mode=mode)
        return drawn

    def _shaped(self, shape: tuple[int, ...]) -> Any:
        import pymc as pm

        family = getattr(pm, self.distribution, None)
        if family is None or not hasattr(family, "dist"):
            raise PriorError(f"PyMC has no distribution {self.distribution!r} (prior {self}).")
        try:
            return family.dist(**self._built(), shape=shape)
        except (TypeError, ValueError) as error:
            raise PriorError(f"PyMC cannot build the prior {self}: {error}") from error

    def create(self, name: str) -> Any:
        """Add the distribution to the PyMC model in context as variable `name`."""
        import pymc as pm
        import pytensor.tensor as pt

        if self.held_at is not None:
            return pm.Deterministic(name, pt.constant(self.held_at))
        self.dist()
        return getattr(pm, self.distribution)(name, **self._built())

    def log_density(self, value: Any) -> Any:
        """Return the log density at `value`, a number or a PyTensor expression."""
        import pymc as pm

        return pm.logp(self.dist(), value)

    def _built(self) -> dict[str, Any]:
        return {
            name: value.dist() if isinstance(value, Prior) else value
            for name, value in self.parameters.items()
        }

    def check_support(self, name: str, support: tuple[float, float]) -> None:
        """Refuse a prior that puts probability where the parameter cannot be.

        Parameters
        ----------
        name : str
            The parameter, for the message.
        support : tuple of float
            The open interval in which it lies.

        Raises
        ------
        PriorError
            If the prior's density outside of `support` is more than negligible, or it is discrete.
        """
        import numpy as np
        from pymc.distributions.distribution import support_point

        lower, upper = support
        if self.held_at is not None:
            if not lower < self.held_at < upper:
                raise PriorError(
                    f"{name} is held at {self.held_at:g}, outside of ({lower:g}, {upper:g})."
                )
            return
        dist = self.dist()
        if dist.dtype.startswith("int"):
            raise PriorError(f"the prior {self} of {name} is discrete; {name} is continuous.")
        steps = 10.0 ** np.arange(-6, 4)
        # Compiling for speed would take longer than these few numbers.
        mode = "FAST_COMPILE"
        try:
            centre = support_point(dist).eval(mode=mode)
            probes = np.concatenate([[centre], lower - steps, upper + steps])
            outside = probes[(probes < lower) | (probes > upper)]
            log_density = self.log_density(np.append(outside, centre)).eval(mode=mode)
        except ValueError as error:
            raise PriorError(f"PyMC cannot evaluate the prior {self} of {name}: {error}") from error
        reached = outside[log_density[:-1] > log_density[-1] + _NEGLIGIBLE]
        if reached.size:
            raise PriorError(
                f"the prior {self} of {name} reaches outside of ({lower:g}, {upper:g}): it "
                f"has positive density at {reached[0]:g}. Take a distribution on that interval, "
                f'such as LogNormal, or cut it: Prior("Truncated", dist={self!r}, '
                f"lower={lower:g}{'' if isinf(upper) else f', upper={upper:g}'})."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and text, for JSON."""
        return {
            "distribution": self.distribution,
            "parameters": {
                name: value.to_dict() if isinstance(value, Prior) else value
                for name, value in self.parameters.items()
            },
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Prior:
        """Return the prior that `to_dict` described."""
        return cls(
            stored["distribution"],
            **{
                name: cls.from_dict(value) if isinstance(value, Mapping) else value
                for name, value in stored["parameters"].items()
            },
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Prior.from_dict, (self.to_dict(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prior) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.distribution, tuple(sorted(self.parameters))))

    def _arguments(self) -> str:
        return ", ".join(
            f"{name}={value!r}" if isinstance(value, Prior) else f"{name}={value:.6g}"
            for name, value in self.parameters.items()
        )

    def __repr__(self) -> str:
        return f"Prior({self.distribution!r}, {self._arguments()})"

    def __str__(self) -> str:
        return f"{self.distribution}({self._arguments()})"


def _argument(distribution: str, name: str, value: object) -> float | Prior:
    if isinstance(value, Prior):
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = nan
    if isnan(number):
        raise PriorError(
            f"{name}={value!r} of the prior {distribution} is neither a number nor a Prior."
        )
    return number
