"""Forecasts and allocations averaged over laws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scaling_bayes._prediction.answers import Answers
from scaling_bayes._prediction.forecast import forecast
from scaling_bayes._prediction.forecast_answer import POINTS_AT_ONCE, Forecast, Of
from scaling_bayes._prediction.forecast_parts import ForecastInParts
from scaling_bayes._prediction.forecaster import Forecaster, Forecasting
from scaling_bayes._prediction.held import held
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._prediction.mixture import Mixture, check_forecasting, has_law
from scaling_bayes._work.blocks import block
from scaling_bayes.errors import InputError, ScalingBayesError
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Member = LawDraws | Forecasting | Mixture

SUM_TOLERANCE = 0.01
"""How far from one weights may sum, as those do that are written with two decimals."""


@dataclass(frozen=True, eq=False, repr=False)
class Average(Answers, Mixture):
    r"""Several laws as one: forecasts and allocations of the mixture of their posteriors.

    The density of any quantity is the weighted mean of the members' densities,
    p(q) = \sum_m w_m p_m(q), with weights w_m that sum to one (Hoeting et al. 1999; Yao et al.
    2018). So intervals widen where the members disagree. Each draw belongs to one member, named by
    the coordinate ``member``; how many are a member's follows from its weight. They form one
    chain, which has no R-hat: look at the members' own diagnostics.

    Made by `scaling_bayes.average`. `scaling_bayes.allocate`, `compute_to_reach`,
    `loss_given_up` and the plots of loss take it where they take a fit; to forecast, use its
    method. Each draw of an optimum is that of its member's law; the recommended allocation has the
    smallest expected loss, over all draws of every member. What needs one law, such as
    `scaling_bayes.compare`, refuses it.

    Attributes
    ----------
    members : Mapping of str to Fit, PublishedLaw or other source
        What is averaged, by name.
    weights : Mapping of str to float
        The weight of each member; they sum to one.
    """

    def forecast(
        self,
        points: pd.DataFrame | Runs | None = None,
        *,
        n_params: object = None,
        tokens: object = None,
        flops: object = None,
        at: Mapping[str, Any] | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> Forecast:
        """Forecast the loss at points; see `scaling_bayes.forecast`.

        Parameters
        ----------
        points, n_params, tokens, flops
            The points, as for one fit.
        at : mapping of str to float or str, optional
            As for one fit; each member takes what its law reads.
        seed : int or Generator, optional
            Source of the noise of new runs, which every member gets.

        Returns
        -------
        Forecast
            Draws of the mixture. There are none of a new run if the noise of a member with
            weight is not known.

        Raises
        ------
        InputError
            If a member cannot forecast the points, or forecasts another number of them.
        """
        if at:
            # A mixture of the same class, whose members read sizes alone.
            one: Any = held(self, at)
            made: Forecast = one.forecast(
                points, n_params=n_params, tokens=tokens, flops=flops, seed=seed
            )
            return made
        sizes = dict(zip(SIZES, (n_params, tokens, flops), strict=True))
        given = {str(name): values for name, values in sizes.items() if values is not None}
        found = {
            name: _forecast_of(name, member, points, given, seed)
            for name, member in self.weighted.items()
        }
        lengths = {name: each.n_points for name, each in found.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(
                "the members forecast different numbers of points: "
                + ", ".join(f"{name} {length}" for name, length in lengths.items())
                + ". Leave out those that do not forecast every point asked for."
            )
        columns = {str(name): x for each in found.values() for name, x in each.points.items()}
        where = next(iter(found.values())).points.assign(columns)
        parts = _MixedParts(self, where, found)
        if next(iter(lengths.values())) <= POINTS_AT_ONCE:
            return parts.mixed(where, found)
        return ForecastInParts(self.label, where, parts.known, parts, self)


@dataclass(frozen=True, eq=False)
class _MixedParts:
    """What makes the parts of an average's forecast from those of its members."""

    average: Mixture
    points: xr.Dataset
    members: Mapping[str, Forecast]

    @property
    def known(self) -> tuple[Of, ...]:
        """What all members forecast."""
        return min((each.known for each in self.members.values()), key=len)

    def __call__(self, number: int, of: Of) -> Forecast:
        some = {name: each.parts(of)[number] for name, each in self.members.items()}
        return self.mixed(self.points.isel(point=block(number, POINTS_AT_ONCE)), some)

    def mixed(self, points: xr.Dataset, members: Mapping[str, Forecast]) -> Forecast:
        """Return the forecast of the mixture of the members' forecasts."""
        new_runs = {
            name: each.new_run.rename("loss")
            for name, each in members.items()
            if each.new_run is not None
        }
        return Forecast(
            self.average.label,
            points,
            self.average.mix(
                {name: each.mean_curve.rename("loss") for name, each in members.items()}
            ),
            self.average.mix(new_runs) if len(new_runs) == len(members) else None,
            self.average,
        )


def average(
    sources: Mapping[str, Member], *, weights: Mapping[str, float] | pd.Series | None = None
) -> Average:
    """Average fits of several laws, so that forecasts and decisions do not hang on one of them.

    Parameters
    ----------
    sources : mapping of str to Fit, PublishedLaw or other source
        What to average, by name. A source that only has ``forecast(points, seed=...)``, such as
        one of `scaling_bayes.baselines`, can be averaged to forecast, not to allocate.
    weights : mapping of str to float, optional
        A weight for each source; equal by default. They sum to one up to 0.01, and are divided
        by their sum. To extrapolate, take ``Comparison.future["weight"]``, the stacking weights
        on larger runs; those of `Comparison.evidence` are for runs inside the range.

    Returns
    -------
    Average

    Raises
    ------
    InputError
        If there is no source, one cannot forecast, the sources count compute with different
        k of C = k N D, or the weights do not suit.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> both = sb.average(
    ...     {
    ...         "hoffmann": sb.laws.Chinchilla.published["hoffmann2022"],
    ...         "besiroglu": sb.laws.Chinchilla.published["besiroglu2024"],
    ...     },
    ...     weights={"hoffmann": 0.25, "besiroglu": 0.75},
    ... )
    >>> both
    Average of hoffmann (0.25), besiroglu (0.75)
    """
    example = '{"chinchilla": fit, "kaplan": other}'
    members = _named(sources, what="sources", example=example)
    check_forecasting(members)
    k = {name: value for name, each in members.items() if (value := _k_of(each)) is not None}
    if len(set(k.values())) > 1:
        raise InputError(
            "the sources count compute with different k of C = k N D: "
            + ", ".join(f"{name} {value:g}" for name, value in k.items())
            + ". Read the runs with the same flops_per_param_token."
        )
    return Average(members, checked_weights(members, weights))


@dataclass(frozen=True, eq=False)
class AverageFitter:
    """Fits several laws to the same runs, and averages them; a `Forecaster` for a backtest.

    Parameters
    ----------
    fitters : mapping of str to Fitter or Forecaster
        What fits each member, by name.
    weights : mapping of str to float, optional
        A weight for each; equal by default. They do not depend on the runs.

    Raises
    ------
    InputError
        If there is no fitter, one has no method ``fit``, or the weights do not suit.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> both = sb.AverageFitter(
    ...     {
    ...         "chinchilla": sb.Fitter(sb.laws.Chinchilla()),
    ...         "kaplan": sb.Fitter(sb.laws.Kaplan()),
    ...     }
    ... )
    >>> both.weights
    {'chinchilla': 0.5, 'kaplan': 0.5}
    """

    fitters: Mapping[str, Forecaster]
    weights: Mapping[str, float] | pd.Series | None = None

    def __post_init__(self) -> None:
        example = '{"chinchilla": sb.Fitter(sb.laws.Chinchilla())}'
        fitters = _named(self.fitters, what="fitters", example=example)
        for name, fitter in fitters.items():
            if isinstance(fitter, type) or not callable(getattr(fitter, "fit", None)):
                raise InputError(
                    f"{name!r} is {fitter!r}, which has no method fit; give a fitter, such as "
                    "sb.Fitter(sb.laws.Chinchilla())."
                )
        object.__setattr__(self, "fitters", fitters)
        object.__setattr__(self, "weights", checked_weights(fitters, self.weights))

    def fit(self, runs: Runs, *, seed: int) -> Average:
        """Fit every member with weight to the runs, each with the same seed, and average them.

        Parameters
        ----------
        runs : Runs
            The training runs.
        seed : int
            Source of randomness; each member's fit is the one that its fitter gives with it.

        Raises
        ------
        ScalingBayesError
            What a member raises, such as `errors.ConvergenceError` or
            `errors.IdentifiabilityError`; a note says which member. No average is made of the
            others, since its weights would be other ones.
        """
        weights = cast("Mapping[str, float]", self.weights)
        fits: dict[str, Member] = {}
        for name, fitter in self.fitters.items():
            if weights[name] > 0:
                try:
                    fits[name] = fitter.fit(runs, seed=seed)
                except ScalingBayesError as error:
                    error.add_note(f"Raised by the member {name!r} of an average.")
                    raise
        return average(fits, weights={name: weights[name] for name in fits})


def checked_weights(
    members: Mapping[str, object], weights: Mapping[str, float] | pd.Series | None
) -> dict[str, float]:
    """Return a weight for each member, which sum to one.

    Raises
    ------
    InputError
        If a name is missing or unknown, a weight is no number or negative, or they do not sum
        to one.
    """
    if weights is None:
        return dict.fromkeys(members, 1 / len(members))
    if not hasattr(weights, "keys"):
        raise InputError(
            f"weights is {weights!r}; give one by name, such as "
            f"{dict.fromkeys(members, round(1 / len(members), 3))}."
        )
    given: dict[Any, Any] = dict(weights)
    missing = [name for name in members if name not in given]
    unknown = [name for name in given if name not in members]
    if missing or unknown:
        words = [f"have none for {', '.join(map(repr, missing))}"] if missing else []
        words += [f"name {', '.join(map(repr, unknown))}, which is not there"] if unknown else []
        raise InputError(
            f"the weights {' and '.join(words)}. Give one for each of {', '.join(members)}; "
            "0 leaves one out."
        )
    checked: dict[str, float] = {}
    for name in members:
        value = given[name]
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value < math.inf:
            raise InputError(
                f"the weight of {name!r} is {value!r}; it must be a number, at least 0."
            )
        checked[name] = float(value)
    total = sum(checked.values())
    if round(abs(total - 1), 9) > SUM_TOLERANCE:
        raise InputError(
            f"the weights sum to {total:.4g}; they must sum to 1. Divide each by their sum."
        )
    return {name: value / total for name, value in checked.items()}


def _named[T](things: Mapping[str, T], *, what: str, example: str) -> dict[str, T]:
    if not isinstance(things, Mapping) or not things:
        raise InputError(f"{what} is {things!r}; give at least one by name, such as {example}.")
    for name in things:
        if not isinstance(name, str):
            raise InputError(f"{what} holds the name {name!r}; names are text.")
    return dict(things)


def _k_of(member: object) -> float | None:
    """Return the k of C = k N D that a member counts with; None if it does not say."""
    if isinstance(member, Mixture):
        known = [_k_of(each) for each in member.weighted.values()]
        return next((k for k in known if k is not None), None)
    return getattr(member, "flops_per_param_token", None)


def _forecast_of(
    name: str,
    member: Member,
    points: pd.DataFrame | Runs | None,
    sizes: Mapping[str, object],
    seed: int | np.random.Generator | None,
) -> Forecast:
    """Return the forecast of a member: its own, if it has one, and else that of its draws."""
    if not has_law(member) and (sizes or not isinstance(points, Runs)):
        raise InputError(
            f"the member {name!r} ({type(member).__name__}) has no law, and forecasts only at "
            "Runs. Give the points as what sb.read_runs(...) returns."
        )
    own = getattr(member, "forecast", None)
    options: dict[str, Any] = {**sizes, "seed": seed}
    found: Forecast = (
        forecast(cast("LawDraws", member), points, **options)
        if own is None
        else own(points, **options)
    )
    return found
