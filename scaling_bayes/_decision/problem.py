"""What can be chosen within a budget and limits, and the loss that each choice leads to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from scaling_bayes._decision.hardware import Hardware
from scaling_bayes._decision.limits import Limits
from scaling_bayes._decision.loss_draws import Repeated, Shift, mean_losses, shift_along, shift_at
from scaling_bayes._decision.options import Options
from scaling_bayes._decision.repetition import Repetition
from scaling_bayes._intervals import SAMPLE_DIMS
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.law_draws import LawDraws, point_dataset
from scaling_bayes._prediction.mixture import (
    Mixture,
    Source,
    check_source,
    law_names,
    mix,
    weighted_laws,
)
from scaling_bayes._prediction.optimum import check_trades, n_params_within
from scaling_bayes._work.seeds import check_seed
from scaling_bayes.errors import InputError, NoOptimumError
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import xarray as xr

BindingName = Literal["budget", "tokens", "wall_time"]

_COARSE = 97
_THINNED = 400
_MARGIN = float(np.log(30.0))
_AT_LEAST = 1e-9
"""Relative difference below which two sizes count as the same."""
_LEAST_CANDIDATES = 50


@dataclass(frozen=True, eq=False)
class Problem:
    """A decision on model size and tokens, but for its budget and its rule.

    Attributes
    ----------
    source : Fit, PublishedLaw or Average
        What the loss of a choice follows from.
    limits : Limits
        What no choice may exceed.
    hardware : Hardware or None
        What turns FLOPs into time and money.
    served_tokens : float
        Tokens that the model will serve, at 2 N FLOPs each, paid from the same budget.
    repeated : Repeated
        What tokens read again are worth, where ``limits.unique_tokens`` makes them.
    menu : ndarray or None
        The model sizes to choose from; any size if None.
    of : {"mean_curve", "new_run"}
        Whose loss a rule looks at.
    n_candidates : int
        Model sizes compared.
    seed : int
        Source of noise, discrepancy and what repeated data are worth.
    margin : float
        Distance in log N on either side of the draws' optima that is searched finely.
    """

    source: Source
    limits: Limits = field(default_factory=Limits)
    hardware: Hardware | None = None
    served_tokens: float = 0.0
    repeated: Repeated = field(default_factory=lambda: Repeated(Repetition(), 0))
    menu: np.ndarray | None = None
    of: Of = "mean_curve"
    n_candidates: int = 1000
    seed: int = 0
    margin: float = _MARGIN

    def __post_init__(self) -> None:
        check_source(self.source)
        if (
            not isinstance(self.n_candidates, int | np.integer)
            or self.n_candidates < _LEAST_CANDIDATES
        ):
            raise InputError(
                f"n_candidates is {self.n_candidates!r}; give a whole number of at least "
                f"{_LEAST_CANDIDATES}."
            )
        check_seed(self.seed)
        if not isinstance(self.limits, Limits):
            raise InputError(
                f"limits is {self.limits!r}; give sb.Limits(...), such as "
                "sb.Limits(n_params='70B')."
            )
        if self.of not in ("mean_curve", "new_run"):
            raise InputError(f"of is {self.of!r}; take 'mean_curve' or 'new_run'.")
        for one, _ in weighted_laws(self.source):
            check_trades(one.law)
            if self.of == "new_run" and one.noise is None:
                raise InputError(
                    f"{one.label} has no noise, so a new run cannot be forecast from it. Decide on "
                    "of='mean_curve'."
                )
        if self.limits.wall_time is not None and (
            self.hardware is None or self.hardware.n_devices is None
        ):
            raise InputError(
                "a limit on wall time needs to know the devices; give hardware=sb.Hardware(peak="
                "..., utilisation=..., n_devices=...)."
            )

    @property
    def k(self) -> float:
        """The k of C = k N D."""
        return self.source.flops_per_param_token

    def tokens(self, n_params: np.ndarray, budget: float) -> np.ndarray:
        """Return the tokens that budget and limits leave to model sizes; negative if none."""
        return np.min(list(self._caps(n_params, budget).values()), axis=0)

    def _caps(self, n_params: np.ndarray, budget: float) -> dict[BindingName, np.ndarray]:
        caps: dict[BindingName, np.ndarray] = {
            "budget": (budget - 2 * n_params * self.served_tokens) / (self.k * n_params),
        }
        if self.limits.tokens is not None:
            caps["tokens"] = np.full(n_params.shape, self.limits.of("tokens", np.inf))
        if self.limits.wall_time is not None:
            caps["wall_time"] = self._trained_at_most / (self.k * n_params)
        return caps

    @cached_property
    def _trained_at_most(self) -> float:
        """FLOPs of training that the wall time allows."""
        if self.limits.wall_time is None:
            return np.inf
        assert self.hardware is not None
        return self.limits.of("wall_time", np.inf) / self.hardware.seconds(1.0)

    def binding(self, n_params: float, budget: float) -> tuple[str, ...]:
        """Return the limits that hold a choice back, other than the budget."""
        caps = {
            name: float(cap[0]) for name, cap in self._caps(np.array([n_params]), budget).items()
        }
        smallest = min(caps.values())
        found: list[str] = [
            name
            for name, cap in caps.items()
            if cap <= smallest * (1 + _AT_LEAST) and name != "budget"
        ]
        at_ends = {"n_params": n_params, "least_n_params": n_params}
        found += [
            name
            for name, value in at_ends.items()
            if np.isclose(value, self.limits.of(name, 0.0), rtol=_AT_LEAST, atol=0)
        ]
        unique = self.limits.of("unique_tokens", np.inf)
        repeats = smallest >= unique * (1 - _AT_LEAST)
        return (*found, "unique_tokens") if repeats else tuple(found)

    def points(self, n_params: np.ndarray, budget: float) -> xr.Dataset:
        """Return model sizes with their tokens and FLOPs."""
        tokens = self.tokens(n_params, budget)
        flops = self.k * n_params * tokens
        return point_dataset(
            {
                "n_params": n_params,
                "tokens": tokens,
                "flops": flops,
                "total_flops": flops + 2 * n_params * self.served_tokens,
            }
        )

    def options(self, budget: float) -> Options:
        """Return what can be chosen with a budget.

        Raises
        ------
        InputError
            If nothing can.
        NoOptimumError
            If the loss keeps falling towards an end of all sizes.
        """
        sizes = self._menu(budget) if self.menu is not None else self._searched(budget)
        points = self.points(sizes, budget)
        losses = self.losses(points, shift_along)
        member = losses.coords.get("member")
        return Options(
            points=points,
            mean_curve=losses.to_numpy().reshape(points.sizes["point"], -1),
            # One for each draw, so that options differ by their means and not by luck.
            scatter=scatter_of(self.source, self.seed) if self.of == "new_run" else None,
            of=self.of,
            member=None if member is None else member.to_numpy(),
            members=tuple(self.source.weighted) if isinstance(self.source, Mixture) else (),
            kinks=tuple(np.flatnonzero(np.isin(sizes, list(self._kinks(budget))))),
        )

    def losses(self, points: xr.Dataset, shift_of: Shift) -> xr.DataArray:
        """Return draws of the mean curve at points, with dims point, chain and draw."""
        return mean_losses(
            self.source,
            points,
            shift_of=shift_of,
            unique_tokens=self.limits.unique_tokens,  # type: ignore[arg-type]
            repeated=self.repeated,
        )

    def expected_losses(self, places: Sequence[xr.Dataset]) -> np.ndarray:
        """Return expected losses of the mean curve, drawn jointly, of shape (point,).

        Parameters
        ----------
        places : sequence of Dataset
            Points, joined one after the other.
        """
        import xarray as xr

        losses = self.losses(xr.concat(places, "point"), shift_at)
        expected: np.ndarray = losses.mean(SAMPLE_DIMS).to_numpy()
        return expected

    def _menu(self, budget: float) -> np.ndarray:
        assert self.menu is not None
        allowed = [
            size
            for size in np.unique(self.menu)
            if self.limits.of("least_n_params", 0.0) <= size <= self.limits.of("n_params", np.inf)
        ]
        if not allowed:
            raise InputError("no model size on the menu is within the limits; widen one of them.")
        affordable = np.array([n for n in allowed if self._affordable(n, budget)])
        if not affordable.size:
            self._refuse(budget, allowed[0])
        return affordable

    def _affordable(self, n_params: float, budget: float) -> bool:
        return bool(self.tokens(np.array([n_params]), budget)[0] >= 1)

    def _refuse(self, budget: float, n_params: float) -> None:
        for name, cap in self._caps(np.array([n_params]), budget).items():
            if name != "budget" and cap[0] < 1:
                raise InputError(
                    f"the limit of {self.limits.in_words(name)} leaves no token to a model of "
                    f"{format_quantity(n_params, kind='n_params')} parameters. Widen it."
                )
        least = n_params * (self.k + 2 * self.served_tokens)
        serving = " and its serving" if self.served_tokens else ""
        raise InputError(
            f"a budget of {format_quantity(budget, kind='flops')} is below the smallest feasible: "
            f"one token for {format_quantity(n_params, kind='n_params')} parameters{serving} takes "
            f"{format_quantity(least, kind='flops')}. Give a larger budget, fewer served tokens or "
            "a smaller model."
        )

    def _searched(self, budget: float) -> np.ndarray:
        """Return the model sizes to compare: fine around every draw's optimum."""
        least = max(self.limits.of("least_n_params", 1.0), 1.0)
        if not self._affordable(least, budget):
            self._refuse(budget, least)
        largest = budget / (self.k + 2 * self.served_tokens)
        most = min(self.limits.of("n_params", np.inf), largest, self._trained_at_most / self.k)
        laws = [one.law for one, _ in weighted_laws(self.source)]
        from_here, to_here = n_params_within(laws, budget, self.k)
        least, most = min(max(least, from_here), most), max(min(most, to_here), least)
        low, high = np.log(least), np.log(most)
        if high - low < _AT_LEAST:
            return np.array([least])
        coarse = np.linspace(low, high, _COARSE)
        points = self.points(np.exp(coarse).clip(least, most), budget)
        losses = self.losses(points, shift_along).to_numpy().reshape(_COARSE, -1)
        self._check_inside(losses.mean(axis=1), least, most)
        thinned = losses[:, :: max(1, losses.shape[1] // _THINNED)]
        places = coarse[np.append(thinned.argmin(axis=0), losses.mean(axis=1).argmin())]
        ends = max(places.min() - self.margin, low), min(places.max() + self.margin, high)
        fine = np.exp(np.linspace(*ends, self.n_candidates)).clip(least, most)
        kinks = [n for n in self._kinks(budget) if fine[0] < n < fine[-1]]
        apart = ~np.isclose(fine[:, None], kinks, rtol=_AT_LEAST, atol=0).any(axis=1)
        return np.union1d(fine[apart], kinks)

    def _check_inside(self, expected: np.ndarray, least: float, most: float) -> None:
        """Refuse a loss that falls towards the end of all sizes, where no limit stops it."""
        place = int(expected.argmin())
        stopped = {
            0: self.limits.least_n_params is not None,
            len(expected) - 1: most == self.limits.n_params,
        }
        if not stopped.get(place, True):
            raise NoOptimumError(
                f"{law_names(self.source)} has no best model size: the expected loss keeps falling "
                f"towards {format_quantity(least if place == 0 else most, kind='n_params')} "
                "parameters. Limit the model size or the tokens."
            )

    def _kinks(self, budget: float) -> Iterator[float]:
        """Yield the model sizes at which another limit takes over."""
        serving = 2 * self.served_tokens
        at_most = [self.limits.tokens, self.limits.unique_tokens]
        for tokens in (float(value) for value in at_most if value is not None):
            yield budget / (self.k * tokens + serving)
            if self.limits.wall_time is not None:
                yield self._trained_at_most / (self.k * tokens)
        if serving and budget > self._trained_at_most:
            yield (budget - self._trained_at_most) / serving


def scatter_of(source: Source, seed: int) -> np.ndarray:
    """Return draws of what the loss of a new run is of the mean curve's, of shape (draw,)."""
    import xarray as xr

    def of_law(one: LawDraws) -> xr.DataArray:
        assert one.noise is not None
        any_parameter = one.draws[one.law.parameter_names[0]]
        zero = xr.zeros_like(any_parameter, dtype=float).transpose("chain", "draw")
        # A stream of its own: noise and discrepancy are independent.
        rng = np.random.default_rng([seed, 1])
        sampled: xr.DataArray = one.noise.sample(zero, one.noise_draws, rng)
        return sampled.transpose("chain", "draw")

    with np.errstate(over="ignore"):
        factor: np.ndarray = np.exp(mix(source, of_law).to_numpy().ravel())
    return factor
