"""How flat the optimum is: all allocations that give up next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._decision._losses import joint_shift
from scaling_bayes._decision._problem import Options, Problem
from scaling_bayes._draws import point_dataset
from scaling_bayes.errors import InputError
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import xarray as xr

_FRONTIER, _ROWS = 81, 41
_LEAST_SHARE = 0.02
"""Smallest share of the budget that the region looks at."""


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
    most_probable : tuple of float
        The model size whose regret is below epsilon most probably, and that probability.
    """

    epsilon: float
    prob: float
    n_params: tuple[float, float]
    tokens: tuple[float, float]
    most_probable: tuple[float, float]
    problem: Problem
    budget: float

    @property
    def empty(self) -> bool:
        """Whether no allocation is sure enough."""
        return bool(np.isnan(self.n_params[0]))

    @cached_property
    def region(self) -> xr.DataArray:
        """Probability of a regret below epsilon for every (N, D), with dims n_params and tokens.

        Regret is against the best with the whole budget, so that points below it show what could
        be saved; NaN where budget and limits do not reach.
        """
        import xarray as xr

        low, high = self._window()
        n_params = np.exp(np.linspace(low, high, _ROWS))
        at_most = self.problem.tokens(n_params, self.budget)
        tokens = np.exp(
            np.linspace(np.log(at_most.min() * _LEAST_SHARE), np.log(at_most.max()), _ROWS)
        )
        n, d = (axis.ravel() for axis in np.meshgrid(n_params, tokens, indexing="ij"))
        losses = self._losses(n, d)
        best = losses[:_FRONTIER].min(axis=0)
        below = (losses[_FRONTIER:] - best < self.epsilon).mean(axis=1)
        reached = d <= np.repeat(at_most, _ROWS) * (1 + 1e-9)
        return xr.DataArray(
            np.where(reached, below, np.nan).reshape(_ROWS, _ROWS),
            dims=("n_params", "tokens"),
            coords={"n_params": n_params, "tokens": tokens},
            attrs={"units": "1", "epsilon": self.epsilon},
        )

    @cached_property
    def cheapest(self) -> tuple[float, float, float]:
        """N, D and training FLOPs of the cheapest (N, D) in the region; NaN if there is none."""
        flops = self.problem.k * self.region["n_params"] * self.region["tokens"]
        inside = flops.where(self.region >= self.prob)
        if not inside.notnull().any():
            return (np.nan,) * 3
        place = inside.argmin(...)
        found = inside.isel(place)
        return float(found["n_params"]), float(found["tokens"]), float(found)

    def _window(self) -> tuple[float, float]:
        """Return the ends of log N that the region spans: the range and as much on either side."""
        middle = self.most_probable[0]
        ends = (middle, middle) if self.empty else self.n_params
        low, high = np.log(ends[0]), np.log(ends[1])
        beside = max(high - low, np.log(4.0))
        limits = self.problem.limits
        least = np.log(max(limits.of("least_n_params", 1.0), 1.0))
        return max(low - beside, least), min(high + beside, np.log(limits.of("n_params", np.inf)))

    def _losses(self, n_params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Return losses along the frontier and then at points, jointly, of shape (point, draw)."""
        along = np.exp(np.linspace(*self._window(), _FRONTIER))
        n = np.append(along, n_params)
        d = np.append(self.problem.tokens(along, self.budget), tokens)
        points = point_dataset({"n_params": n, "tokens": d, "flops": self.problem.k * n * d})
        losses = self.problem.losses(points, joint_shift)
        return losses.to_numpy().reshape(len(n), -1)

    def __str__(self) -> str:
        at = f"regret below {self.epsilon:g} nats with probability {self.prob:g}"
        if self.empty:
            size, most = self.most_probable
            return (
                f"No allocation has a {at}: N {format_quantity(size, kind='n_params')} has it with "
                f"{most:.2f}."
            )
        (low, high), (least, most) = self.n_params, self.tokens
        return (
            f"N from {format_quantity(low, kind='n_params')} (D "
            f"{format_quantity(least, kind='tokens')}) to {format_quantity(high, kind='n_params')} "
            f"(D {format_quantity(most, kind='tokens')}) have a {at}."
        )


def allocation_range(
    problem: Problem, options: Options, budget: float, *, epsilon: float, prob: float
) -> AllocationRange:
    """Return the allocations whose regret is below epsilon; see `Decision.range`."""
    if not epsilon > 0:
        raise InputError(f"epsilon is {epsilon!r}; give a positive number of nats per token.")
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; give a probability between 0 and 1.")
    below = (options.regret < epsilon).mean(axis=1)
    top = int(below.argmax())
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
        budget=budget,
    )


def _crossing(
    problem: Problem, options: Options, below: np.ndarray, out: int, inside: int, prob: float
) -> float:
    """Return where the probability passes `prob` between an option outside and one inside."""
    if not 0 <= out < len(below) or problem.menu is not None:
        return float(options.n_params[inside])
    log_n = np.log(options.n_params[[out, inside]])
    return float(np.exp(np.interp(prob, below[[out, inside]], log_n)))
