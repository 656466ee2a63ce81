"""The compute that a target loss takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

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
from scaling_bayes._prediction.best_allocation import optimum
from scaling_bayes._prediction.held import held
from scaling_bayes._prediction.law_draws import (
    LawDraws,
    discrepancy_of,
    law_loss,
    mean_loss,
    point_dataset,
)
from scaling_bayes._prediction.mixture import Source, mix
from scaling_bayes._prediction.optimum import optimal_n_params
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError, NoOptimumError
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

LEAST_FLOPS = 1e10
MOST_FLOPS = 1e45
"""Compute at and beyond which a target counts as never reached."""

_BISECTIONS = 45
_LEAST_AROUND, _MOST_AROUND, _BUDGETS = 0.1, 1e4, 60
"""Where a discrepancy is looked at: factors on the runs' compute, and how many budgets."""

Path = Callable[[LawDraws, "xr.DataArray"], "xr.DataArray"]
"""From a law and compute to the loss there, along some way of spending it."""


@dataclass(frozen=True, eq=False)
class ComputeToReach(InNotebook):
    """Posterior of the compute at which the mean of runs reaches targets.

    Attributes
    ----------
    label : str
        The fit, published law or average.
    targets : ndarray
        Target losses in nats per token, or accuracies, of shape (target,).
    flops : DataArray
        Compute in FLOPs when allocated optimally, with dims chain, draw and target; infinite
        where the target lies at or below the irreducible loss, or is no accuracy that it brings.
    of : {"loss", "accuracy"}
        What the targets are.
    """

    label: str
    targets: np.ndarray
    flops: xr.DataArray
    of: Literal["loss", "accuracy"] = "loss"

    @property
    def probability_never(self) -> xr.DataArray:
        """The probability that no compute reaches the target, for each target."""
        return self.flops.isin([np.inf]).mean(SAMPLE_DIMS)

    def interval(
        self, prob: float = DEFAULT_PROB, *, kind: IntervalKind = "equal-tailed"
    ) -> xr.DataArray:
        """Return the credible interval of the compute; its upper bound may be infinite."""
        return interval(self.flops, prob=prob, kind=kind)

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a target: median compute, its interval, and P(never)."""
        import pandas as pd

        lower, upper = self.interval(prob=prob, kind=kind).values
        return pd.DataFrame(
            {
                "target": self.targets,
                "flops": quantile(self.flops, 0.5).values,
                "flops_lower": lower,
                "flops_upper": upper,
                "probability_never": self.probability_never.values,
            }
        )

    @printed
    def __repr__(self) -> str:
        def words(flops: float) -> str:
            return "never" if np.isinf(flops) else format_quantity(flops, kind="flops")

        title = f"Compute at which {self.label} reaches a target: {shown_in_words(self.flops)}" + (
            "" if is_point(self.flops) else " of the mean of runs"
        )
        rows = self.to_frame().to_dict("records")
        if is_point(self.flops):
            lines = [f"  {self.of} {row['target']:g}: {words(row['flops'])}" for row in rows]
        else:
            lines = [
                f"  {self.of} {row['target']:g}: {words(row['flops'])} "
                f"[{words(row['flops_lower'])}, {words(row['flops_upper'])}], "
                f"never with probability {row['probability_never']:.2f}"
                for row in rows
            ]
        return "\n".join([title, *lines])


def compute_to_reach(
    source: Source, loss: float | list[float], *, at: Mapping[str, Any] | None = None
) -> ComputeToReach:
    """Return the compute that it takes to reach target losses, allocated optimally.

    It is that at which the mean of runs, the law with its discrepancy, first is as low as the
    target. For a law alone it is found for each draw by bisection in log compute between 1e10 and
    1e45 FLOPs, since the loss at the optimum falls with compute. With a discrepancy it is read off
    the best losses at budgets around the runs, and beyond these off the law times its discrepancy
    at the last of them. A target that more than 1e45 FLOPs would reach counts as never reached;
    one that is met at 1e10 FLOPs gets that.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to forecast with.
    loss : float or array_like
        Target losses in nats per token.
    at : mapping of str to float or str, optional
        Value of each covariate of the law other than N, D and C, such as
        ``{"unique_tokens": "10B"}``.

    Returns
    -------
    ComputeToReach
        Draws of the compute; infinite where a draw never reaches the target.

    Raises
    ------
    InputError
        If a target is not a positive number, or a member of an average has no draws of a law.
    NoOptimumError
        If the law neither reads compute nor trades N against D.
    """
    import xarray as xr

    source = held(source, at)
    targets = np.atleast_1d(np.asarray(loss, dtype=float))
    if targets.ndim > 1 or not (np.isfinite(targets) & (targets > 0)).all():
        raise InputError(
            f"target losses must be positive numbers, in nats per token; got {loss!r}."
        )
    target = xr.DataArray(targets, dims="target")

    def of_law(one: LawDraws) -> xr.DataArray:
        every = target.broadcast_like(one.draws[one.law.parameter_names[0]])
        return flops_of_mean(one, every.transpose("chain", "draw", "target"))

    flops = mix(source, of_law)
    return ComputeToReach(source.label, targets, flops)


def flops_of_mean(source: LawDraws, target: xr.DataArray) -> xr.DataArray:
    """Return the compute at which each draw of the mean of runs reaches targets of its own.

    Parameters
    ----------
    source : LawDraws
        The law and its draws.
    target : DataArray
        Losses in nats per token, with dims chain, draw and target.
    """
    find = _by_law if discrepancy_of(source) is None else _with_discrepancy
    return find(source, target)


def _by_law(source: LawDraws, target: xr.DataArray) -> xr.DataArray:
    return flops_to_reach(best_loss, source, target).transpose(*target.dims)


def _with_discrepancy(source: LawDraws, target: xr.DataArray) -> xr.DataArray:
    """Return the compute at which each draw of the mean of runs first reaches each target."""
    budgets = _around_runs(source)
    by_law = best_loss(source, budgets).transpose("chain", "draw", "budget")
    best = _best_mean(source, budgets).transpose(*by_law.dims)
    lowest = best.copy(data=np.minimum.accumulate(best.to_numpy(), axis=-1))
    log_c = np.log(budgets.to_numpy())
    n_above = (lowest > target).sum("budget").transpose(*target.dims)
    after = n_above.clip(1, len(log_c) - 1)
    high, low = (lowest.isel(budget=after - step) for step in (1, 0))
    share = ((high - target) / (high - low).where(high > low, 1.0)).clip(0, 1)
    inside = np.exp(log_c[after.to_numpy() - 1] + share * (log_c[1] - log_c[0]))
    before, beyond = (
        _by_law(source, target * by_law.isel(budget=end) / lowest.isel(budget=end))
        for end in (0, -1)
    )
    found: xr.DataArray = inside.where(n_above > 0, before).where(n_above < len(log_c), beyond)
    return found.transpose(*target.dims)


def _around_runs(source: LawDraws) -> xr.DataArray:
    """Return budgets from a tenth of the smallest run's to ten thousand times the largest's."""
    import xarray as xr

    error = discrepancy_of(source)
    assert error is not None
    sizes = error.landmarks
    flops = sizes.get("flops")
    if flops is None:
        flops = source.flops_per_param_token * sizes["n_params"] * sizes["tokens"]
    ends = flops.min() * _LEAST_AROUND, flops.max() * _MOST_AROUND
    return xr.DataArray(np.geomspace(*ends, _BUDGETS), dims="budget")


def _best_mean(source: LawDraws, budgets: xr.DataArray) -> xr.DataArray:
    """Return the smallest mean of runs at each budget."""
    if set(source.law.covariates) & set(SIZES) == {"flops"}:
        points = point_dataset({"flops": budgets.to_numpy()}).rename(point="budget")
        return mean_loss(source, points)
    loss: xr.DataArray = optimum(source, budgets)["loss"]
    return loss


def flops_to_reach(
    path: Path, source: LawDraws, loss: xr.DataArray, *, least: float = LEAST_FLOPS
) -> xr.DataArray:
    """Return the compute at which each draw of a law reaches its own target.

    Parameters
    ----------
    path : Path
        How compute is spent; the loss falls along it.
    source : LawDraws
        The law and its draws.
    loss : DataArray
        Targets in nats per token, with dims chain, draw and any others.
    least : float
        Lower end of the search, in FLOPs.

    Returns
    -------
    DataArray
        FLOPs between `least` and 1e45; infinite where more would be needed.
    """
    import xarray as xr

    low, high = (xr.full_like(loss, np.log(bound)) for bound in (least, MOST_FLOPS))
    never = path(source, xr.ufuncs.exp(high)) > loss
    reached = bisected(lambda flops: path(source, flops) <= loss, low, high)
    flops: xr.DataArray = reached.where(~never, np.inf)
    return flops


def bisected(
    holds: Callable[[xr.DataArray], xr.DataArray], low: xr.DataArray, high: xr.DataArray
) -> xr.DataArray:
    """Return the compute from which a condition holds, between two log computes."""
    import xarray as xr

    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        enough = holds(xr.ufuncs.exp(middle))
        low, high = low.where(enough, middle), high.where(~enough, middle)
    flops: xr.DataArray = xr.ufuncs.exp(high)
    return flops


def best_loss(source: LawDraws, flops: xr.DataArray) -> xr.DataArray:
    """Return the loss of the law at a budget spent in the best way."""
    law = source.law
    sizes_read = set(law.covariates) & set(SIZES)
    if sizes_read == {"flops"}:
        return law_loss(source, flops.to_dataset(name="flops"))
    if len(sizes_read) < 2:
        raise NoOptimumError(
            f"{law.name} reads {law.covariates[0]} alone, so it says nothing of compute. Fit a law "
            "in C, or in N and D."
        )
    n_params = optimal_n_params(source, flops)
    tokens = flops / (source.flops_per_param_token * n_params)
    points = n_params.to_dataset(name="n_params").assign(tokens=tokens, flops=flops)
    return law_loss(source, points)
