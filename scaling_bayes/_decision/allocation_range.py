"""How flat the optimum is: all allocations that give up next to nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._decision.loss_draws import shift_at
from scaling_bayes._decision.options import Options
from scaling_bayes._decision.problem import Problem
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._prediction.law_draws import point_dataset
from scaling_bayes.errors import InputError
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import xarray as xr

DEFAULT_EPSILON = 0.001
"""Nats per token of regret that count as none."""

_FRONTIER, _SIDE = 121, 45
_EVERY = 5
"""Stride of the coarse pass over sizes, which sees how far the region reaches."""
_LEAST_SHARE = 1e-4
"""Smallest share of a budget's tokens that the region looks at."""
_LEAST_SHOWN, _BEYOND = 0.05, 1.25
"""Probability that the region reaches to, and the factor on sizes beyond."""


@dataclass(frozen=True, eq=False)
class AllocationRange:
    """The allocations whose regret is below epsilon nats with some probability.

    Attributes
    ----------
    epsilon : float
        Nats per token above the best that each draw allows with the whole budget.
    prob : float
        The probability of staying below.
    n_params, tokens : tuple of float
        Ends of the range of model sizes that spend the budget, the smaller first, and the tokens
        of each of these two; NaN where no size is sure enough.
    inside : ndarray
        The options whose regret is below epsilon with that probability.
    most_probable : tuple of float
        The model size whose regret is below epsilon most probably, and that probability.
    """

    epsilon: float
    prob: float
    n_params: tuple[float, float]
    tokens: tuple[float, float]
    most_probable: tuple[float, float]
    problem: Problem
    options: Options
    budget: float
    inside: np.ndarray

    @property
    def empty(self) -> bool:
        """Whether no allocation is sure enough."""
        return bool(np.isnan(self.n_params[0]))

    @cached_property
    def region(self) -> xr.DataArray:
        """Probability of a regret below epsilon for (N, D) that budget and limits allow.

        Regret is against the best with the whole budget, so that shares below 1 show what could
        be saved. Dims are ``n_params`` and ``share``, of the tokens that the budget leaves to a
        size; the coordinate ``tokens`` has both.
        """
        import xarray as xr

        n_params = self._sizes(_SIDE)
        coarse = np.geomspace(_LEAST_SHARE, 1, 2 * _SIDE)
        probable = self._probability(n_params[::_EVERY], coarse) > _LEAST_SHOWN
        least = coarse[probable.any(axis=0)].min(initial=1 / _BEYOND)
        shares = np.geomspace(least / _BEYOND, 1, _SIDE)
        d = self.problem.tokens(n_params, self.budget)[:, None] * shares
        return xr.DataArray(
            self._probability(n_params, shares),
            dims=("n_params", "share"),
            coords={"n_params": n_params, "share": shares, "tokens": (("n_params", "share"), d)},
            attrs={"units": "1", "epsilon": self.epsilon},
        )

    @cached_property
    def cheapest(self) -> tuple[float, float, float]:
        """N, D and training FLOPs of the cheapest (N, D) in the region; NaN if there is none.

        By interpolation along the tokens of each size in the region.
        """
        n_params, tokens = self.region["n_params"].to_numpy(), self.region["tokens"].to_numpy()
        found = [
            (n, _first_at(below, np.log(d), self.prob))
            for n, d, below in zip(n_params, tokens, self.region.to_numpy(), strict=True)
        ]
        n, log_d = min(found, key=lambda point: np.log(point[0]) + np.nan_to_num(point[1], nan=1e9))
        if np.isnan(log_d):
            return (np.nan,) * 3
        d = float(np.exp(log_d))
        return float(n), d, float(self.problem.k * n * d)

    def _window(self) -> tuple[float, float]:
        """Return the smallest and largest size whose regret may be below epsilon, and beyond."""
        probable = (self.options.regret < self.epsilon).mean(axis=1) > _LEAST_SHOWN
        sizes = np.append(self.options.n_params[probable], self.most_probable[0])
        least, most = self.options.n_params[[0, -1]]
        return max(sizes.min() / _BEYOND, least), min(sizes.max() * _BEYOND, most)

    def _sizes(self, n: int) -> np.ndarray:
        """Return model sizes over the window: those of the menu, or evenly in log N."""
        if self.problem.menu is not None:
            return self.options.n_params
        return np.geomspace(*self._window(), n)

    def _probability(self, n_params: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return how probably regrets are below epsilon, of shape (size, share).

        Losses there and along the frontier are drawn jointly.
        """
        along = self._sizes(_FRONTIER)
        at_most = self.problem.tokens(n_params, self.budget)
        n, d = np.broadcast_arrays(n_params[:, None], at_most[:, None] * shares)
        n = np.append(along, n)
        d = np.append(self.problem.tokens(along, self.budget), d)
        points = point_dataset({"n_params": n, "tokens": d, "flops": self.problem.k * n * d})
        losses = self.problem.losses(points, shift_at).to_numpy().reshape(len(n), -1)
        below = losses[len(along) :] - losses[: len(along)].min(axis=0) < self.epsilon
        probability: np.ndarray = below.mean(axis=1).reshape(len(n_params), len(shares))
        return probability

    def __str__(self) -> str:
        at = f"regret below {self.epsilon:g} nats with probability {self.prob:g}"
        if self.empty:
            size, most = self.most_probable
            return (
                f"No allocation has a {at}: N {format_quantity(size, kind='n_params')} has it with "
                f"{most:.2f}."
            )
        if self.problem.menu is not None:
            sizes = [format_quantity(n, kind="n_params") for n in self.inside]
            has = "has" if len(sizes) == 1 else "have"
            return f"Of the menu, N {', '.join(sizes)} {has} a {at}."
        ends = [
            f"N {format_quantity(n, kind='n_params')} (D {format_quantity(d, kind='tokens')})"
            for n, d in zip(self.n_params, self.tokens, strict=True)
        ]
        if ends[0] == ends[1]:
            return f"{ends[0]} alone has a {at}."
        return f"From {ends[0]} to {ends[1]}, all have a {at}."


def allocation_range(
    problem: Problem,
    options: Options,
    budget: float,
    *,
    epsilon: float = DEFAULT_EPSILON,
    prob: float = DEFAULT_PROB,
) -> AllocationRange:
    """Return the allocations whose regret is below epsilon; see `Decision.range`."""
    if not epsilon > 0:
        raise InputError(f"epsilon is {epsilon!r}; give a positive number of nats per token.")
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; give a probability between 0 and 1.")
    options = _wide_enough(problem, options, budget, epsilon, prob)
    below = (options.regret < epsilon).mean(axis=1)
    top = int(np.lexsort((options.expected_loss, -below))[0])
    n_params = (np.nan, np.nan)
    tokens = (np.nan, np.nan)
    if below[top] >= prob:
        outside = np.flatnonzero(below < prob)
        first = int(outside[outside < top].max(initial=-1)) + 1
        last = int(outside[outside > top].min(initial=len(below))) - 1
        n_params = (
            _crossing(problem, options, below, first - 1, first, prob),
            _crossing(problem, options, below, last + 1, last, prob),
        )
        tokens = tuple(problem.tokens(np.array(n_params), budget))
    return AllocationRange(
        epsilon=epsilon,
        prob=prob,
        n_params=n_params,
        tokens=(float(tokens[0]), float(tokens[1])),
        most_probable=(float(options.n_params[top]), float(below[top])),
        problem=problem,
        options=options,
        budget=budget,
        inside=options.n_params[below >= prob],
    )


def _wide_enough(
    problem: Problem, options: Options, budget: float, epsilon: float, prob: float
) -> Options:
    """Return options that reach beyond the range, or to the ends of what is allowed."""
    while problem.menu is None:
        inside = (options.regret[[0, -1]] < epsilon).mean(axis=1) >= prob
        if not inside.any():
            return options
        problem = replace(problem, margin=2 * problem.margin)
        wider = problem.options(budget)
        moved = ~np.isclose(wider.n_params[[0, -1]], options.n_params[[0, -1]], rtol=1e-6)
        if not (inside & moved).any():
            return options
        options = wider
    return options


def _first_at(below: np.ndarray, log_tokens: np.ndarray, prob: float) -> float:
    """Return the least log of tokens above which all, up to the budget's, are sure enough."""
    unsure = np.flatnonzero(below < prob)
    last = int(unsure.max(initial=-1))
    if last == len(below) - 1:
        return np.nan
    if last < 0:
        return np.nan
    ends = slice(last, last + 2)
    return float(np.interp(prob, below[ends], log_tokens[ends]))


def _crossing(
    problem: Problem, options: Options, below: np.ndarray, out: int, inside: int, prob: float
) -> float:
    """Return where the probability passes `prob` between an option outside and one inside."""
    if not 0 <= out < len(below) or problem.menu is not None:
        return float(options.n_params[inside])
    log_n = np.log(options.n_params[[out, inside]])
    return float(np.exp(np.interp(prob, below[[out, inside]], log_n)))
