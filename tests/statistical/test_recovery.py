"""Every registered law finds back the parameters that its runs were simulated from."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.stats import chi2

import scaling_bayes as sb

FALSE_ALARM = 1e-4
"""Probability with which a right posterior fails the joint check of one law."""

logger = logging.getLogger(__name__)


# The twenty sizes of one budget are one size to a law of compute, and simulated as such.
@pytest.mark.filterwarnings("ignore:The 240 rows hold only:scaling_bayes.errors.DoubtWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", sb.laws.REGISTRY)
def test_the_posterior_covers_the_parameters_jointly(name, fitter_of, sweep, simulate, prior_draws):
    fitter = fitter_of(name, None)
    rng = np.random.default_rng(20)
    prior = prior_draws(fitter, size=4001, rng=rng)
    truth = prior.median("refit")
    sizes = sweep(levels=12, per_level=20)
    if "unique_tokens" in fitter.law.covariates:
        epochs = np.tile(np.geomspace(1, 30, 12), 20)
        sizes = sizes.assign(unique_tokens=sizes["tokens"] / epochs)
    runs = simulate(fitter, truth, sizes, rng)

    fit = fitter.fit(runs, seed=21)

    names = list(prior.data_vars)
    draws = fit.data_tree["posterior"].to_dataset()[names]
    # All parameters are positive, and their logs are closer to normal.
    logs = np.log(np.stack([draws[parameter].values.ravel() for parameter in names]))
    centre, covariance = logs.mean(axis=1), np.cov(logs)
    miss = np.log([truth[parameter].item() for parameter in names]) - centre
    distance_squared = miss @ np.linalg.solve(covariance, miss)
    tail = chi2.sf(distance_squared, df=len(names))
    logger.info(
        "%s: squared distance %.1f in %d dims, p = %.3f", name, distance_squared, len(names), tail
    )
    assert tail > FALSE_ALARM

    sd = dict(zip(names, np.sqrt(np.diag(covariance)), strict=True))
    narrowing = {
        parameter: sd[parameter] / np.log(prior[parameter]).std().item() for parameter in names
    }
    logger.info(
        "%s: posterior sd over prior sd %s", name, {k: f"{v:.2g}" for k, v in narrowing.items()}
    )
    learnt = (
        np.linalg.slogdet(covariance)[1] - np.log(prior.to_array()).var("refit").pipe(np.log).sum()
    )
    assert learnt < 2 * len(names) * np.log(0.5)
