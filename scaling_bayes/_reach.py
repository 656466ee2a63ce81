"""The compute that a target loss takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._draws import LawDraws
from scaling_bayes._intervals import (
    DEFAULT_PROB,
    SAMPLE_DIMS,
    IntervalKind,
    interval,
    is_point,
    quantile,
    shown_in_words,
)
from scaling_bayes._mixture import Source, law_words, mix
from scaling_bayes._optimum import optimum
from scaling_bayes.errors import InputError, NoOptimumError
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

LEAST_FLOPS = 1e10
MOST_FLOPS = 1e45
"""Compute at and beyond which a target counts as never reached."""

_BISECTIONS = 45

Path = Callable[[LawDraws, "xr.DataArray"], "xr.DataArray"]
"""From a law and compute to the loss there, along some way of spending it."""


@dataclass(frozen=True, eq=False)
class ComputeToReach:
    """Posterior of the compute at which the law, without its discrepancy, reaches target losses.

    Attributes
    ----------
    label : str
        The fit, published law or average.
    targets : ndarray
        Target losses in nats per token, of shape (target,).
    flops : DataArray
        Compute in FLOPs when allocated optimally, with dims chain, draw and target; infinite
        where the target lies at or below the irreducible loss.
    curve : str
        What reaches the targets, in words: the mean curve, or the law without its discrepancy.
    """

    label: str
    targets: np.ndarray
    flops: xr.DataArray
    curve: str

    @property
    def probability_never(self) -> xr.DataArray:
        """The probability that no compute reaches the target, for each target."""
        return self.flops.isin([np.inf]).mean(SAMPLE_DIMS)

    def interval(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
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

    def __repr__(self) -> str:
        def words(flops: float) -> str:
            return "never" if np.isinf(flops) else format_quantity(flops, kind="flops")

        title = f"Compute at which {self.label} reaches a loss: {shown_in_words(self.flops)}" + (
            "" if is_point(self.flops) else f" of {self.curve}"
        )
        rows = self.to_frame().to_dict("records")
        if is_point(self.flops):
            lines = [f"  loss {row['target']:g}: {words(row['flops'])}" for row in rows]
        else:
            lines = [
                f"  loss {row['target']:g}: {words(row['flops'])} "
                f"[{words(row['flops_lower'])}, {words(row['flops_upper'])}], "
                f"never with probability {row['probability_never']:.2f}"
                for row in rows
            ]
        return "\n".join([title, *lines])


def compute_to_reach(source: Source, loss: float | list[float]) -> ComputeToReach:
    """Return the compute that it takes to reach target losses, allocated optimally.

    It is that of the law, without its discrepancy. Found for each draw by bisection in log compute
    between 1e10 and 1e45 FLOPs, since the loss at the optimum falls with compute. A target that
    more than 1e45 FLOPs would reach counts as never reached; one that is met at 1e10 FLOPs gets
    that.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What to forecast with.
    loss : float or array_like
        Target losses in nats per token.

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

    targets = np.atleast_1d(np.asarray(loss, dtype=float))
    if targets.ndim > 1 or not (np.isfinite(targets) & (targets > 0)).all():
        raise InputError(
            f"target losses must be positive numbers, in nats per token; got {loss!r}."
        )
    target = xr.DataArray(targets, dims="target")

    def of_law(one: LawDraws) -> xr.DataArray:
        every = target.broadcast_like(one.draws[one.law.parameter_names[0]])
        return flops_to_reach(best_loss, one, every).transpose("chain", "draw", "target")

    flops = mix(source, of_law)
    return ComputeToReach(source.label, targets, flops, law_words(source))


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
        FLOPs from which on is looked.

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
        best: xr.DataArray = law.loss(source.draws, SimpleNamespace(flops=flops))
        return best
    if len(sizes_read) < 2:
        raise NoOptimumError(
            f"{law.name} reads {law.covariates[0]} alone, so it says nothing of compute. Fit a law "
            "in C, or in N and D."
        )
    at_optimum: xr.DataArray = optimum(source, flops)["loss"]
    return at_optimum
