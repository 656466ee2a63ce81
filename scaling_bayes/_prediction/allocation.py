"""Compute-optimal model sizes and tokens, as draws."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import isnan, nan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scaling_bayes._doubt import Doubt, doubts_of
from scaling_bayes._intervals import (
    DEFAULT_PROB,
    SAMPLE_DIMS,
    IntervalKind,
    interval,
    is_point,
    quantile,
    shown_in_words,
)
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.answer_gate import not_mixed
from scaling_bayes._prediction.best_allocation import optimum
from scaling_bayes._prediction.isoflop import level_set, minimise
from scaling_bayes._prediction.law_draws import (
    discrepancy_of,
    loss_unit_of,
    mean_loss,
    point_dataset,
    sizes,
)
from scaling_bayes._prediction.mixture import (
    Source,
    largest_flops,
    law_names,
    mix,
    weighted_laws,
)
from scaling_bayes._prediction.optimum import n_params_within
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError, NoOptimumError
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from scipy.interpolate import CubicSpline

Quantity = Literal["n_params", "tokens", "tokens_per_param", "loss"]

QUANTITIES: tuple[Quantity, ...] = ("n_params", "tokens", "tokens_per_param", "loss")
DEFAULT_TOLERANCE = 0.001
"""Nats per token that count as flat around the optimum."""

_SEARCH_FACTOR = 1e4
_ROUNDING = 1e-8
_GRID = 192
_LEAST_APART = np.log(2.0)
"""How far apart, in log C, budgets are between which N* has an exponent."""
_LEAST_COST = 1e-6
"""Nats per token below which a cost is rounding."""


@dataclass(frozen=True, eq=False)
class Allocation(InNotebook):
    """Posterior of the compute-optimal model size, tokens and loss for each budget.

    All of it is of the mean of runs: of the law with its discrepancy, if it has one.

    Attributes
    ----------
    source : Fit, PublishedLaw or Average
        What the allocation follows from.
    optimum : Dataset
        Draws of ``n_params``, ``tokens``, ``tokens_per_param`` and ``loss`` at the optimum,
        with dims chain, draw and budget; the coordinate ``flops`` holds the budgets. Each draw
        of an average is optimal by the law of the member that it belongs to.
    """

    source: Source
    optimum: xr.Dataset

    @property
    def flops(self) -> np.ndarray:
        """The budgets in FLOPs, of shape (budget,)."""
        return self.optimum["flops"].to_numpy()

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about the fit or these draws and matters here; see `Fit.doubts`."""
        first = self.parts()[0].optimum["n_params"]
        return doubts_of(self.source, "allocation") + not_mixed(first, self.source, "N*")

    def parts(self) -> Sequence[Allocation]:
        """Return the allocation in parts of at most 500 budgets, each made where it is read."""
        return (self,)

    def interval(
        self,
        of: Quantity,
        prob: float = DEFAULT_PROB,
        *,
        kind: IntervalKind = "equal-tailed",
    ) -> xr.DataArray:
        """Return the credible interval of one quantity at the optimum, for each budget.

        Parameters
        ----------
        of : {"n_params", "tokens", "tokens_per_param", "loss"}
            The quantity; ``loss`` is that of the mean of runs.
        prob : float
            Probability inside.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.

        Raises
        ------
        InputError
            If there is no such quantity.
        """
        if of not in QUANTITIES:
            raise InputError(f"of is {of!r}; take one of {', '.join(QUANTITIES)}.")
        return interval(self.optimum[of], prob=prob, kind=kind)

    @cached_property
    def growth(self) -> xr.DataArray | None:
        """Draws of the exponent with which N* grows from the largest run fitted to each budget.

        log(N* / N*_0) / log(C / C_0), where C_0 is the compute of the largest run and N*_0 is
        optimal there. Dims chain, draw and budget; NaN at budgets within a factor of 2 of C_0. None
        for published laws, which have no runs. Of a law alone it is that law's exponent a; with a
        discrepancy there is no one exponent.
        """
        import xarray as xr

        largest = largest_flops(self.source)
        if largest is None:
            return None
        at_largest = xr.DataArray([largest], dims="budget")
        start = mix(self.source, lambda one: optimum(one, at_largest)["n_params"])
        log_c = xr.ufuncs.log(self.optimum["flops"] / largest)
        log_n = xr.ufuncs.log(self.optimum["n_params"] / start.isel(budget=0, drop=True))
        grown: xr.DataArray = (log_n / log_c).where(abs(log_c) > _LEAST_APART)
        return grown.rename("growth")

    def _expected_loss(self, log_n: np.ndarray, flops: np.ndarray) -> np.ndarray:
        """Return the loss expected over the draws of each law, weighted; budgets are elements."""
        if self._bent is None:
            return self._expected_at(log_n, flops)
        found = np.empty(log_n.shape)
        for budget in np.unique(flops):
            here = np.broadcast_to(flops == budget, log_n.shape)
            found[here] = self._bent[budget](log_n[here])
        return found

    @cached_property
    def _bent(self) -> dict[float, CubicSpline] | None:
        """Expected loss over log N at each budget where a discrepancy bends it; None if none does.

        At each size the functions of all draws have to be worked out, so that they are at a grid.
        """
        from scipy.interpolate import CubicSpline

        if all(discrepancy_of(one) is None for one, _ in weighted_laws(self.source)):
            return None
        middle = np.log(quantile(self.optimum["n_params"], 0.5).to_numpy())
        most = np.log(self.flops / self.source.flops_per_param_token)
        reach = np.log(_SEARCH_FACTOR)
        low, high = np.maximum(middle - reach, 0.0), np.minimum(middle + reach, most)
        log_n = np.linspace(low, high, _GRID)
        expected = [
            self._expected_at(at, np.full(_GRID, budget))
            for at, budget in zip(log_n.T, self.flops, strict=True)
        ]
        splines = map(CubicSpline, log_n.T, expected)
        return dict(zip(self.flops.tolist(), splines, strict=True))

    def _expected_at(self, log_n: np.ndarray, flops: np.ndarray) -> np.ndarray:
        n_params, budgets = np.exp(log_n.ravel()), flops.ravel()
        points = point_dataset(
            {
                "n_params": n_params,
                "tokens": budgets / (self.source.flops_per_param_token * n_params),
                "flops": budgets,
            }
        )
        mean = np.zeros(log_n.size)
        for one, weight in weighted_laws(self.source):
            mean += weight * mean_loss(one, points).mean(SAMPLE_DIMS).to_numpy()
        return mean.reshape(log_n.shape)

    @cached_property
    def recommended(self) -> xr.Dataset:
        """The one allocation per budget whose expected loss is smallest.

        Expected over the posterior, so it is also the one with the smallest expected loss
        given up; for an average, over all draws of every member, by the members' weights. A
        data set with dim budget: ``n_params``, ``tokens``, ``tokens_per_param``,
        ``expected_loss`` in nats per token, and what committing to it costs against each
        draw's own optimum, in nats per token: ``cost_mean`` on average and ``cost_p95`` at
        the 95th percentile of draws.
        """
        optima = self.optimum["n_params"]
        low, high = (np.log(bound(SAMPLE_DIMS).to_numpy()) for bound in (optima.min, optima.max))
        log_n = minimise(
            self._expected_loss, low - 0.5, high + 0.5, (self.flops,), what=law_names(self.source)
        )
        k = self.source.flops_per_param_token
        n_params = np.exp(log_n)
        tokens = self.flops / (k * n_params)
        given_up = self.loss_given_up(n_params)
        cost = given_up.clip(min=0.0)
        better_by = -float(given_up.min())
        if self._bent is None and better_by > _ROUNDING:
            raise NoOptimumError(
                f"the optimum that {law_names(self.source)} gives is none: another size has "
                f"{better_by:.2g} nats per token less. Does its optimal_n_params suit its loss?"
            )
        return self.optimum[["flops"]].assign(
            {
                "n_params": ("budget", n_params),
                "tokens": ("budget", tokens),
                "tokens_per_param": ("budget", tokens / n_params),
                "expected_loss": ("budget", self._expected_loss(log_n, self.flops)),
                "cost_mean": cost.mean(SAMPLE_DIMS),
                "cost_p95": quantile(cost, 0.95).drop_vars("quantile"),
            }
        )

    def valley(self, tolerance: float = DEFAULT_TOLERANCE) -> xr.DataArray:
        """Return the range of N whose expected loss is within a tolerance of the best.

        Parameters
        ----------
        tolerance : float
            Nats per token above the smallest expected loss.

        Returns
        -------
        DataArray
            Model sizes, with dims ``bound`` (lower, upper) and ``budget``; 0 and infinity where
            the loss stays within the tolerance for 10,000 times smaller and larger models, or as
            far as the law is meant.

        Raises
        ------
        InputError
            If the tolerance is not positive.
        """
        import xarray as xr

        if not tolerance > 0:
            raise InputError(f"tolerance is {tolerance!r}; it must be positive, in nats per token.")
        best = self.recommended
        log_n = np.log(best["n_params"].to_numpy())
        reach = np.log(_SEARCH_FACTOR)
        laws = [one.law for one, _ in weighted_laws(self.source)]
        least, most = n_params_within(laws, self.flops, self.source.flops_per_param_token)
        edges = level_set(
            self._expected_loss,
            log_n,
            best["expected_loss"].to_numpy() + tolerance,
            np.maximum(log_n - reach, np.log(least)),
            np.minimum(log_n + reach, np.log(most)),
            (self.flops,),
        )
        return xr.DataArray(
            np.exp(edges),
            dims=("bound", "budget"),
            coords={"bound": ["lower", "upper"], "flops": self.optimum["flops"]},
            attrs={"units": "parameters", "tolerance": tolerance},
        )

    def loss_given_up(self, n_params: object) -> xr.DataArray:
        """Return the loss that other model sizes give up at the same budgets.

        Parameters
        ----------
        n_params : float, str or array_like
            One model size, or one for each budget, such as the ones another law recommends.

        Returns
        -------
        DataArray
            Nats per token above each draw's own optimum, with dims chain, draw and budget.
        """
        chosen = np.broadcast_to(sizes("n_params", n_params), self.flops.shape)
        points = point_dataset(
            {
                "n_params": chosen,
                "tokens": self.flops / (self.source.flops_per_param_token * chosen),
                "flops": self.flops,
            }
        ).rename(point="budget")
        loss = mix(self.source, lambda one: mean_loss(one, points))
        return loss - self.optimum["loss"]

    def to_frame(
        self,
        *,
        prob: float = DEFAULT_PROB,
        kind: IntervalKind = "equal-tailed",
        tolerance: float = DEFAULT_TOLERANCE,
    ) -> pd.DataFrame:
        """Return one row a budget: optimum, its intervals, recommendation, valley and costs.

        Medians of the optimum stand under the plain names, with ``_lower`` and ``_upper``
        for their intervals of probability `prob`; so does `growth`, where there are runs. See
        `recommended` and `valley` for the rest.
        """
        import pandas as pd

        frame = pd.DataFrame({"flops": self.flops})
        for name in QUANTITIES:
            frame[name] = quantile(self.optimum[name], 0.5).values
            frame[f"{name}_lower"], frame[f"{name}_upper"] = self.interval(
                name, prob=prob, kind=kind
            ).values
        if self.growth is not None:
            names = ["growth", "growth_lower", "growth_upper"]
            frame[names] = np.nan
            known = np.flatnonzero(self.growth.notnull().all(SAMPLE_DIMS))
            there = self.growth.isel(budget=known)
            ends = interval(there, prob=prob, kind=kind)
            frame.loc[known, names] = np.stack([quantile(there, 0.5), *ends], axis=-1)
        best = self.recommended
        frame["recommended_n_params"] = best["n_params"].values
        frame["recommended_tokens"] = best["tokens"].values
        frame["valley_lower"], frame["valley_upper"] = self.valley(tolerance).values
        frame["cost_mean"], frame["cost_p95"] = best["cost_mean"].values, best["cost_p95"].values
        return frame

    @printed
    def __repr__(self) -> str:
        return "\n".join(self._lines(self.to_frame(), self.optimum["loss"]))

    def _lines(self, frame: pd.DataFrame, loss: xr.DataArray) -> Iterator[str]:
        """Yield what rows of `to_frame` say, under a title that says what they are of draws."""
        curve, unit = "the mean of runs", loss_unit_of(self.source)
        yield f"Compute-optimal allocation by {self.source.label}: {shown_in_words(loss)}" + (
            "" if is_point(loss) else f" of {curve}"
        )
        for row in frame.to_dict("records"):
            yield f"{format_quantity(row['flops'], kind='flops')}:"
            yield from _lines_of(row, curve, unit, with_intervals=not is_point(loss))
        yield from map(str, self.doubts)


def _lines_of(
    row: Mapping[Hashable, Any], curve: str, unit: str, *, with_intervals: bool
) -> Iterator[str]:
    """Return what one row of `Allocation.to_frame` says, for people."""
    formats: dict[Quantity, tuple[str, Callable[[float], str]]] = {
        "n_params": ("N*", partial(format_quantity, kind="n_params")),
        "tokens": ("D*", partial(format_quantity, kind="tokens")),
        "tokens_per_param": ("D*/N*", "{:.1f}".format),
        "loss": (f"loss of {curve}, {unit}", "{:.4f}".format),
    }
    for name, (label, shown) in formats.items():
        low, high = shown(row[f"{name}_lower"]), shown(row[f"{name}_upper"])
        yield f"  {label}  {shown(row[name])}" + (f" [{low}, {high}]" if with_intervals else "")
    if power := power_of_growth(row):
        yield f"  N* grows as {power} between the largest run fitted and here"
    size, data = formats["n_params"][1], formats["tokens"][1]
    low, high = size(row["valley_lower"]), size(row["valley_upper"])
    yield (
        f"  recommended N {size(row['recommended_n_params'])}, D {data(row['recommended_tokens'])} "
        f"(smallest expected loss); expected loss within {DEFAULT_TOLERANCE} nats of it for N "
        f"from {low} to {high}"
    )
    if with_intervals:
        yield (
            f"  committing to it costs {_cost(row['cost_mean'])} nats on average, "
            f"{_cost(row['cost_p95'])} at the 95th percentile of draws"
        )


def power_of_growth(row: Mapping[Hashable, Any]) -> str:
    """Return the power of C with which N* grows, and its interval; nothing where there is none.

    Parameters
    ----------
    row : mapping
        One row of `Allocation.to_frame`.
    """
    if isnan(row.get("growth", nan)):
        return ""
    return f"C^{row['growth']:.2f} [{row['growth_lower']:.2f}, {row['growth_upper']:.2f}]"


def _cost(nats: float) -> str:
    return f"{nats:.2g}" if nats >= _LEAST_COST else f"less than {_LEAST_COST:g}"
