"""Every registered law finds back the parameters that its runs were simulated from."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import chi2

import scaling_bayes as sb

FALSE_ALARM = 1e-4
"""Probability with which a right posterior fails the joint check of one law."""

COMPILED = [name for name, make in sb.laws.REGISTRY.items() if isinstance(make(), sb.laws.PowerSum)]
"""Laws with machine code of their own; PyTensor compiles the others anew in each process."""

logger = logging.getLogger(__name__)


def other_columns(sizes: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return columns that some law reads beside N, D and C, which differ within each budget."""
    n_points = sizes.sizes["point"]
    one_to_thirty = xr.DataArray(np.resize(np.geomspace(1, 30, 12), n_points), dims="point")
    experts = xr.DataArray(np.resize(2.0 ** np.arange(11), n_points), dims="point")
    return {"unique_tokens": sizes["tokens"] / one_to_thirty, "n_experts": experts}


# The twenty sizes of one budget are one size to a law of compute, and simulated as such.
@pytest.mark.filterwarnings("ignore:The 240 rows hold only:scaling_bayes.errors.DoubtWarning")
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name if name in COMPILED else pytest.param(name, marks=pytest.mark.long)
        for name in sb.laws.REGISTRY
    ],
)
def test_the_posterior_covers_the_parameters_jointly(name, fitter_of, sweep, simulate, prior_draws):
    fitter = fitter_of(name, None)
    if isinstance(fitter.law, sb.laws.BrokenPowerLaw):
        # At the medians of the priors there is no break, so that its place has long tails.
        fitter.settings = replace(fitter.settings, draws=3000, tune=1500)
    rng = np.random.default_rng(20)
    prior = prior_draws(fitter, size=4001, rng=rng)
    truth = prior.median("refit")
    sizes = sweep(levels=12, per_level=20)
    sizes = sizes.assign(
        {name: each for name, each in other_columns(sizes).items() if name in fitter.law.covariates}
    )
    runs = simulate(fitter, truth, sizes, rng)

    fit = fitter.fit(runs, seed=21)

    names = list(prior.data_vars)
    draws = fit.data_tree["posterior"].to_dataset()[names]
    lines = {each.name: each.support[0] < 0 for each in fitter.law.parameters}

    def unbounded(values: xr.Dataset) -> xr.Dataset:
        """Return logs of what is positive, which are closer to normal."""
        return values.map(lambda each: each if lines.get(each.name) else np.log(each))

    logs = np.stack([each.values.ravel() for each in unbounded(draws).values()])
    centre, covariance = logs.mean(axis=1), np.cov(logs)
    miss = unbounded(truth)[names].to_array().to_numpy() - centre
    distance_squared = miss @ np.linalg.solve(covariance, miss)
    tail = chi2.sf(distance_squared, df=len(names))
    logger.info(
        "%s: squared distance %.1f in %d dims, p = %.3f", name, distance_squared, len(names), tail
    )
    assert tail > FALSE_ALARM

    sd = dict(zip(names, np.sqrt(np.diag(covariance)), strict=True))
    before = unbounded(prior)
    narrowing = {parameter: sd[parameter] / before[parameter].std().item() for parameter in names}
    logger.info(
        "%s: posterior sd over prior sd %s", name, {k: f"{v:.2g}" for k, v in narrowing.items()}
    )
    learnt = np.linalg.slogdet(covariance)[1] - before.to_array().var("refit").pipe(np.log).sum()
    assert learnt < 2 * len(names) * np.log(0.5)
