"""What a fit shows to be doubtful about itself: draws, noise, residuals and optimum."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import TYPE_CHECKING, Protocol

import numpy as np
import xarray as xr

from scaling_bayes._checks.at_runs import Fitted
from scaling_bayes._checks.trends import Scatter, adjusted, groups_of, scatter_of
from scaling_bayes._doubt import Doubt
from scaling_bayes._inference.diagnostics import Diagnostics
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, interval
from scaling_bayes._prediction.best_allocation import optimum
from scaling_bayes.errors import NoOptimumError
from scaling_bayes.noise import BySize
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from scaling_bayes.laws import Law

_NEAR_BOUND = 1.15
"""Median of a parameter over the lower end of its support, below which it lies at that end."""
_SIGNIFICANT = 0.01
_MOST_OF_PRIOR = 0.5
"""Spread of log N* over that of its prior, above which N* is mostly prior."""
_PRIOR_DRAWS, _SEED = 1000, 0
_FACTORS = {"1.44, as of bits and nats,": log(1 / log(2)), "6": log(6.0), "1000": log(1000.0)}
_NEAR = 0.05
_LEAST_GAP = log(1.3)
_FEWEST = 3
_APART = 4.0


class Judged(Fitted, Protocol):
    """A fit with the figures of its sampler."""

    @property
    def diagnostics(self) -> Diagnostics:
        """Figures that tell whether the draws can be trusted."""


def doubts_in(fit: Judged) -> tuple[Doubt, ...]:
    """Return what is doubtful about a fit, as far as its draws and residuals show it.

    Parameters
    ----------
    fit : Fit
        The fit.
    """
    scatter = scatter_of(fit, fit.runs, seed=_SEED)
    return (
        *not_converged(fit.diagnostics),
        *_heavy_tails(fit),
        *_two_units_of_loss(scatter),
        *_misfit_of_groups(scatter),
        *_optimum_of_prior(fit),
    )


def not_converged(diagnostics: Diagnostics) -> Iterator[Doubt]:
    """Yield a doubt if draws do not keep the limits of their diagnostics."""
    failures = diagnostics.failures()
    if failures:
        yield Doubt(
            "convergence",
            f"The draws do not represent the posterior: {'; '.join(failures)}.",
            "Fit again with more draws, or with another law.",
        )


def _heavy_tails(fit: Judged) -> Iterator[Doubt]:
    nu = next((each for each in fit.noise.parameters if each.name == "nu"), None)
    least = None if nu is None else nu.prior.parameters.get("lower")
    if nu is None or not isinstance(least, float | int):
        return
    median = float(fit.noise_draws[nu.name].median())
    if median < _NEAR_BOUND * least:
        yield Doubt(
            "tails of noise",
            f"nu has the posterior median {median:.2f}, near the lower end {least:g} of what it "
            "may be: some runs lie so far from the others that no noise explains them, and more of "
            "new runs can lie outside of their intervals than these say.",
            "Look at the outliers with Fit.check, and leave out or explain those runs.",
            about=("forecast",),
        )


def _two_units_of_loss(scatter: Scatter) -> Iterator[Doubt]:
    """Yield a doubt if residuals form two clusters whose distance is that of two units."""
    residuals = np.sort(np.median(scatter.observed, axis=0))
    gaps = np.diff(residuals)
    if not len(gaps) or gaps.max() < _LEAST_GAP / 2:
        return
    below = int(gaps.argmax()) + 1
    low, high = residuals[:below], residuals[below:]
    if min(len(low), len(high)) < _FEWEST or gaps.max() < _APART * max(low.std(), high.std()):
        return
    apart = float(np.median(high) - np.median(low))
    for words, factor in _FACTORS.items():
        if abs(apart - factor) < _NEAR * max(factor, 1.0):
            yield Doubt(
                "two units of loss",
                f"The losses of {len(high)} of {len(residuals)} runs lie a factor of {words} above "
                "the law that the others follow, and none lies between.",
                "Give all losses in nats per token.",
            )


def _misfit_of_groups(scatter: Scatter) -> Iterator[Doubt]:
    groups = groups_of(scatter)
    if groups.empty:
        return
    away = adjusted(groups["p"].to_numpy(dtype=float)) < _SIGNIFICANT
    if away.any():
        yield Doubt(
            "groups that differ",
            f"Runs of {int(away.sum())} of {len(groups)} groups lie off the curve of all by more "
            f"than noise (p below {_SIGNIFICANT:g}): they do not follow one law.",
            'Fit them with groups="group"; Fit.check has the figures.',
        )


def _optimum_of_prior(fit: Judged) -> Iterator[Doubt]:
    found = optimum_and_prior(fit)
    if found is None:
        return
    flops, posterior, prior = found
    share = _width(posterior) / _width(prior)
    if share > _MOST_OF_PRIOR:
        ratio = _in_words(posterior, prob=DEFAULT_PROB, kind="equal-tailed")
        yield Doubt(
            "optimum from the prior",
            f"At {format_quantity(flops, kind='flops')}, the largest fitted, D*/N* is {ratio} "
            f"({DEFAULT_PROB:.0%} equal-tailed), {share:.2f} times as wide as by its prior alone "
            f"(median {float(prior.median()):.3g}; widths on the log scale): N* is mostly prior.",
            "Add runs at other tokens per parameter.",
            about=("allocation",),
        )


def shared_in_words(fit: Judged, *, prob: float, kind: IntervalKind) -> Iterator[str]:
    """Yield how much of their noise runs of one size share, where the noise tells."""
    if not isinstance(fit.noise, BySize):
        return
    ratio = fit.noise_draws["common"]
    share = ratio / (1 + ratio)
    low, high = interval(share, prob=prob, kind=kind).values
    yield (
        f"Runs of one size share {float(share.median()):.0%} [{low:.0%}, {high:.0%}] of the "
        f"variance of their noise (median and {100 * prob:g}% {kind} interval): more seeds do not "
        "average that out, and more sizes do."
    )


def ratio_in_words(fit: Judged, *, prob: float, kind: IntervalKind) -> Iterator[str]:
    """Yield D*/N* at the largest fitted compute beside its prior, where the law has an optimum."""
    found = optimum_and_prior(fit)
    if found is None:
        return
    flops, *draws = found
    posterior, prior = (_in_words(each, prob=prob, kind=kind) for each in draws)
    yield (
        f"At {format_quantity(flops, kind='flops')}, the largest fitted, tokens per parameter are "
        f"best at {posterior} by the posterior and at {prior} by the prior (median and "
        f"{100 * prob:g}% {kind} interval)."
    )


def _in_words(draws: xr.DataArray, *, prob: float, kind: IntervalKind) -> str:
    low, high = interval(draws, prob=prob, kind=kind).values
    return f"{float(draws.median()):.3g} [{low:.2g}, {high:.2g}]"


def optimum_and_prior(fit: Judged) -> tuple[float, xr.DataArray, xr.DataArray] | None:
    """Return the largest fitted compute, and draws of D*/N* there by the fit and by its priors.

    None where the law does not trade model size against tokens, or has no finite optimum.
    """
    if "flops" not in fit.runs.sizes:
        return None
    flops = float(fit.runs.frame["flops"].max())
    budget = xr.DataArray([flops], dims="budget")
    k = fit.flops_per_param_token
    try:
        by_prior = fit.law.optimal_n_params(_prior_of(fit.law), budget, k)
        if by_prior is None:
            return None
        posterior = optimum(fit, budget)["tokens_per_param"].isel(budget=0)
    except NoOptimumError:
        return None
    prior = (flops / (k * by_prior**2)).isel(budget=0)
    return flops, posterior, prior


def _prior_of(law: Law) -> xr.Dataset:
    rng = np.random.default_rng(_SEED)
    return xr.Dataset(
        {
            each.name: (("chain", "draw"), each.prior.draw(_PRIOR_DRAWS, rng)[None])
            for each in law.parameters
        }
    )


def _width(values: xr.DataArray) -> float:
    low, high = np.quantile(np.log(values.to_numpy()), (0.16, 0.84))
    return float(high - low)
