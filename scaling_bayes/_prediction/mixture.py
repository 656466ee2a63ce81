"""Several laws as one source: which law each draw belongs to, and with which weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scaling_bayes._intervals import SAMPLE_DIMS
from scaling_bayes._prediction.forecaster import Forecasting
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

LEAST_DRAWS = 4000
"""Draws of a mixture of members that have fewer themselves."""

_OF_ONE_LAW = ("law", "draws", "noise", "noise_draws", "discrepancy_draws")


class SeveralLawsError(InputError, AttributeError):
    """An average was used where one law is needed."""


@dataclass(frozen=True, eq=False, repr=False)
class Mixture:
    """Sources of forecasts with weights that sum to one.

    Attributes
    ----------
    members : Mapping of str to Fit or PublishedLaw or Forecasting or Mixture
        What is averaged, by name.
    weights : Mapping of str to float
        The weight of each member.
    """

    members: Mapping[str, LawDraws | Forecasting | Mixture]
    weights: Mapping[str, float]

    @property
    def label(self) -> str:
        """Names of the members with weight, for tables and legends."""
        return f"average of {', '.join(self.weighted)}"

    @property
    def weighted(self) -> dict[str, LawDraws | Forecasting | Mixture]:
        """The members whose weight is not zero."""
        return {name: each for name, each in self.members.items() if self.weights[name] > 0}

    @property
    def with_law(self) -> dict[str, LawDraws | Mixture]:
        """The members whose weight is not zero, if all have draws of a law.

        Raises
        ------
        InputError
            If a member only forecasts.
        """
        for name, member in self.weighted.items():
            if not has_law(member):
                raise InputError(
                    f"the member {name!r} ({type(member).__name__}) has no draws of a law, so this "
                    "average only forecasts. Leave that member out, or give it the weight 0."
                )
        return cast("dict[str, LawDraws | Mixture]", self.weighted)

    @property
    def flops_per_param_token(self) -> float:
        """The k of C = k N D, which the members share."""
        return next(iter(self.with_law.values())).flops_per_param_token

    def mix[T: (xr.DataArray, xr.Dataset)](self, draws: Mapping[str, T]) -> T:
        """Return draws of the mixture of distributions that the members' draws are of.

        Each draw of the mixture is a draw of one member. How many are a member's follows from
        its weight by largest remainder; they alternate, and are picked evenly over the member's
        chains and draws, so that nothing is random.

        Parameters
        ----------
        draws : mapping of str to DataArray or Dataset
            For each member with weight, draws with dims chain, draw and any others.

        Returns
        -------
        DataArray or Dataset
            One chain of as many draws as the largest member has, and at least 4000, with the
            coordinate ``member``. If one member has all the weight, its draws as they are.
        """
        import xarray as xr

        if len(draws) == 1:
            return next(iter(draws.values()))
        names = sorted(draws)
        lengths = [int(np.prod([draws[name].sizes[dim] for dim in SAMPLE_DIMS])) for name in names]
        n_draws = max(LEAST_DRAWS, *lengths)
        owner = _owners(np.array([self.weights[name] for name in names]), n_draws)
        picked = []
        for i, (name, length) in enumerate(zip(names, lengths, strict=True)):
            rows = np.flatnonzero(owner == i) * length // n_draws
            chain, draw = np.divmod(rows, draws[name].sizes["draw"])
            at = {
                "chain": xr.DataArray(chain, dims="draw"),
                "draw": xr.DataArray(draw, dims="draw"),
            }
            picked.append(draws[name].drop_vars(list(draws[name].coords)).isel(at))
        place = np.argsort(np.argsort(owner, kind="stable"))
        joined = xr.concat(
            picked, "draw", data_vars="all", coords="minimal", compat="override", join="override"
        )
        mixed = joined.isel(draw=place).expand_dims("chain").transpose(*SAMPLE_DIMS, ...)
        return mixed.assign_coords(member=("draw", np.array(names)[owner]))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say what to do where code asks for the one law that an average does not have."""
            if name in _OF_ONE_LAW:
                raise SeveralLawsError(
                    f"an average has several laws, and no {name} of its own. Use its methods "
                    "forecast, allocate, compute_to_reach and loss_given_up, or one of its members "
                    f"({', '.join(self.members)})."
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @printed
    def __repr__(self) -> str:
        shares = (f"{name} ({weight:.3g})" for name, weight in self.weights.items())
        return f"{type(self).__name__} of {', '.join(shares)}"


Source = LawDraws | Mixture


def has_law(member: object) -> bool:
    """Return whether something has draws of a law, or of several."""
    if isinstance(member, Mixture):
        return True
    return all(hasattr(member, name) for name in ("law", "draws", "flops_per_param_token"))


def check_source(source: object) -> None:
    """Refuse what has no draws of a law.

    Raises
    ------
    InputError
        If it has none.
    """
    if isinstance(source, type) or not has_law(source):
        raise InputError(
            f"{source!r} has no draws of a law. Give what sb.fit(runs), sb.load(path) or "
            "sb.average(fits) returns, or a published law such as "
            'sb.laws.Chinchilla.published["besiroglu2024"].'
        )


def check_forecasting(members: Mapping[str, object]) -> None:
    """Refuse members that cannot forecast.

    Raises
    ------
    InputError
        If one cannot.
    """
    for name, member in members.items():
        forecasts = has_law(member) or callable(getattr(member, "forecast", None))
        if isinstance(member, type) or not forecasts:
            raise InputError(
                f"{name!r} is {member!r}, which cannot forecast; give a fit or a published law."
            )


def mix[T: (xr.DataArray, xr.Dataset)](source: Source, quantity: Callable[[LawDraws], T]) -> T:
    """Return draws of a quantity of one law, or of the mixture of several.

    Parameters
    ----------
    source : Fit, PublishedLaw or Mixture
        Whose draws.
    quantity : callable
        From a law with draws to draws of the quantity, with dims chain, draw and any others.

    Raises
    ------
    InputError
        If a member of a mixture has no draws of a law.
    """
    if not isinstance(source, Mixture):
        return quantity(source)
    return source.mix({name: mix(member, quantity) for name, member in source.with_law.items()})


def weighted_laws(source: Source) -> Iterator[tuple[LawDraws, float]]:
    """Yield each law with its weight: one with weight 1, or those of a mixture.

    Raises
    ------
    InputError
        If a member of a mixture has no draws of a law.
    """
    if not isinstance(source, Mixture):
        yield source, 1.0
        return
    for name, member in source.with_law.items():
        for law, weight in weighted_laws(member):
            yield law, weight * source.weights[name]


def largest_flops(source: Source) -> float | None:
    """Return the compute of the largest run that a source was fitted to; None where none is known.

    Raises
    ------
    InputError
        If a member of a mixture has no draws of a law.
    """
    fitted = [getattr(one, "runs", None) for one, _ in weighted_laws(source)]
    known = [runs.frame["flops"].max() for runs in fitted if runs and "flops" in runs.frame]
    return float(max(known)) if known else None


def law_names(source: Source) -> str:
    """Return the names of the laws of a source, for messages."""
    return ", ".join(dict.fromkeys(one.law.name for one, _ in weighted_laws(source)))


def _owners(weights: np.ndarray, n_draws: int) -> np.ndarray:
    """Return which member each of the draws belongs to; those of each are evenly spaced."""
    exact = n_draws * weights / weights.sum()
    counts = np.floor(exact).astype(int)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: n_draws - counts.sum()]] += 1
    place = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in counts])
    owners: np.ndarray = np.repeat(np.arange(len(weights)), counts)[
        np.argsort(place, kind="stable")
    ]
    return owners
