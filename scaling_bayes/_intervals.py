"""Credible intervals: which probability, and of which kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

DEFAULT_PROB = 0.9
SAMPLE_DIMS = ("chain", "draw")

IntervalKind = Literal["equal-tailed", "hdi"]


def interval(
    draws: xr.DataArray, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
) -> xr.DataArray:
    """Return the interval that holds `prob` of the draws.

    Parameters
    ----------
    draws : DataArray
        Posterior draws, with dims chain and draw and any others.
    prob : float
        Probability inside, between 0 and 1.
    kind : {"equal-tailed", "hdi"}
        As much probability left of it as right of it, or the shortest one.

    Returns
    -------
    DataArray
        With dim ``bound`` (lower, upper) in place of chain and draw. Bounds may be infinite
        where draws are.

    Raises
    ------
    InputError
        If `prob` is not between 0 and 1 or the kind is unknown.
    """
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; an interval needs a probability between 0 and 1.")
    if kind not in _KINDS:
        raise InputError(f"interval kind {kind!r} is unknown; take {' or '.join(_KINDS)}.")
    return _KINDS[kind](draws, prob)


def quantile(draws: xr.DataArray, q: float | list[float]) -> xr.DataArray:
    """Return quantiles over the draws; each is one of the draws, so that infinity is safe.

    Where a draw is not a number, neither is the quantile.
    """
    return draws.quantile(q, dim=SAMPLE_DIMS, method="inverted_cdf", skipna=False)


def shown_in_words(draws: xr.DataArray) -> str:
    """Return what numbers and brackets printed for these draws are, by default settings."""
    if is_point(draws):
        return "published values, of unknown uncertainty"
    return f"median and {DEFAULT_PROB:.0%} equal-tailed interval"


def is_point(draws: xr.DataArray) -> bool:
    """Return whether there is one draw only, as of a published law, and so no interval."""
    return all(draws.sizes[dim] == 1 for dim in SAMPLE_DIMS)


def _equal_tailed(draws: xr.DataArray, prob: float) -> xr.DataArray:
    tail = (1 - prob) / 2
    bounds = quantile(draws, [tail, 1 - tail])
    return bounds.rename(quantile="bound").assign_coords(bound=["lower", "upper"])


def _shortest(draws: xr.DataArray, prob: float) -> xr.DataArray:
    import arviz_stats

    bounds: xr.DataArray = arviz_stats.hdi(draws, prob=prob, dim=list(SAMPLE_DIMS))
    return bounds.rename(ci_bound="bound").transpose("bound", ...)


_KINDS: dict[str, Callable[[xr.DataArray, float], xr.DataArray]] = {
    "equal-tailed": _equal_tailed,
    "hdi": _shortest,
}
