"""Do two recipes share a parameter? Bayes factors from the fit that leaves it free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._intervals import interval, quantile
from scaling_bayes._recipes.likeness import PARTS, members, ratio_name
from scaling_bayes.laws import PowerSum

if TYPE_CHECKING:
    import xarray as xr

POSITIVE_EVIDENCE = np.log(3.0)
"""Log Bayes factor above which evidence is more than a bare mention (Kass & Raftery 1995)."""

_PRIOR_FACTOR = 2.0
_BANDWIDTH = 0.35
"""Of the kernel in one dimension, in standard deviations of the draws."""
_LEAST_NEAR = 50
"""Effective number of draws near zero, below which the Normal density is left as it is."""


def sharing(draws: xr.Dataset, spreads: Mapping[str, float], law: PowerSum) -> pd.DataFrame:
    """Return how far the runs speak for parameters that are equal; see `RecipeComparison.sharing`.

    Parameters
    ----------
    draws : Dataset
        The posterior, with the log ratios that are free.
    spreads : mapping of str to float
        Prior standard deviation of each of these, by what it is of.
    law : PowerSum
        The law.
    """
    free = {part: [name for name in members(law, part) if name in spreads] for part in PARTS}
    single = list(chain.from_iterable(free.values()))
    groups: dict[str, list[str]] = {name: [name] for name in single}
    if len(free["exponents"]) > 1:
        groups["exponents"] = free["exponents"]
    if all(free.values()):
        groups[" and ".join(PARTS)] = single
    rows = {name: _row(draws, [*of], spreads) for name, of in groups.items()}
    columns = [
        "log_ratio",
        "log_ratio_lower",
        "log_ratio_upper",
        "prior_sd",
        "log_bayes_factor",
        "log_bayes_factor_lower",
        "log_bayes_factor_upper",
        "beyond_draws",
        "words",
    ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("shared")


def _row(draws: xr.Dataset, of: Sequence[str], spreads: Mapping[str, float]) -> list[object]:
    ratios = [draws[ratio_name(name)] for name in of]
    flat = np.stack([each.to_numpy().ravel() for each in ratios], axis=1)
    prior = np.array([spreads[name] for name in of])
    log_density, near = log_density_at_zero(flat)
    stated = log_density + np.log(np.sqrt(2 * np.pi) * prior).sum()
    factors = [
        stated,
        *(stated - _log_mean_change(flat / prior, by) for by in (_PRIOR_FACTOR, 1 / _PRIOR_FACTOR)),
    ]
    low, high = min(factors), max(factors)
    figures: list[object] = [np.nan] * 4
    if len(ratios) == 1:
        lower, upper = interval(ratios[0]).values
        figures = [float(quantile(ratios[0], 0.5)), float(lower), float(upper), float(prior[0])]
    return [*figures, stated, low, high, not near, _in_words(stated, low, high, near=near)]


def log_density_at_zero(draws: np.ndarray) -> tuple[float, bool]:
    """Return the log density of draws at zero, and whether draws lie near enough to tell.

    That of a Normal with their moments, times what a kernel estimate is there over what it would
    be if the draws were Normal (in the manner of Hjort & Glad 1995). Where hardly a draw lies near,
    the Normal alone: then only the order of magnitude counts.

    Parameters
    ----------
    draws : ndarray, shape (draw, dimension)
        Posterior draws.
    """
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    dims = draws.shape[1]
    centre, spread = draws.mean(axis=0), np.atleast_2d(np.cov(draws, rowvar=False))
    by_normal = float(multivariate_normal(centre, spread).logpdf(np.zeros(dims)))
    root = np.linalg.cholesky(spread)
    away = np.linalg.solve(root, draws.T).T
    variance = dims * _BANDWIDTH**2
    log_kernels = -0.5 * ((away**2).sum(axis=1) / variance + dims * np.log(2 * np.pi * variance))
    log_sum = logsumexp(log_kernels)
    if 2 * log_sum - logsumexp(2 * log_kernels) < np.log(_LEAST_NEAR):
        return by_normal, False
    smoothed = multivariate_normal(np.linalg.solve(root, centre), (1 + variance) * np.eye(dims))
    return by_normal + float(log_sum - np.log(len(draws)) - smoothed.logpdf(np.zeros(dims))), True


def _log_mean_change(standardised: np.ndarray, factor: float) -> float:
    """Return log E[p'/p] for priors some times as wide, over draws in units of the prior's spread.

    The Bayes factor for sharing is divided by it: its prior density at zero cancels.
    """
    from scipy.special import logsumexp

    n_draws, dims = standardised.shape
    log_change = 0.5 * (1 - 1 / factor**2) * (standardised**2).sum(axis=1) - dims * np.log(factor)
    return float(logsumexp(log_change) - np.log(n_draws))


def _in_words(stated: float, low: float, high: float, *, near: bool) -> str:
    figure = f"log Bayes factor {stated:.1f}; {low:.1f} to {high:.1f} with half and twice its prior"
    if not near:
        figure += "; zero lies beyond the draws, so only its order counts"
    if low >= POSITIVE_EVIDENCE:
        return f"the runs speak for sharing ({figure})"
    if high <= -POSITIVE_EVIDENCE:
        return f"the runs speak against sharing ({figure})"
    return f"the runs do not tell ({figure})"
