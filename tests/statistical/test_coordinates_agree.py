"""The posterior does not depend on the coordinates in which it was sampled.

The additive law in N, D and C is not among the laws here: in natural coordinates its chains
fail the convergence gate, and there is nothing to compare with.
"""

from __future__ import annotations

import logging

import arviz_stats
import numpy as np
import pytest
from scipy.stats import norm

import scaling_bayes as sb

FALSE_ALARM = 1e-3
"""Probability with which two samples of the same posterior fail, over all their figures."""

logger = logging.getLogger(__name__)


def z_scores(first: sb.Fit, second: sb.Fit) -> dict[str, float]:
    """Return differences of means and sds of all log parameters, in Monte Carlo errors."""
    scores = {}
    names = [*first.law.parameter_names, *first.noise.parameter_names]
    for name in names:
        draws = [np.log(fit.data_tree["posterior"][name]) for fit in (first, second)]
        for figure in ("mean", "sd"):
            values = [getattr(each, figure.replace("sd", "std"))().item() for each in draws]
            errors = [arviz_stats.mcse(each, method=figure).item() for each in draws]
            scores[f"{figure} of log {name}"] = (values[0] - values[1]) / np.hypot(*errors)
    return scores


def check(name: str, runs: sb.Runs, fitter_of) -> None:
    fits = {
        coordinates: fitter_of(name, coordinates).fit(runs, seed=31)
        for coordinates in ("centred", "natural")
    }
    scores = z_scores(*fits.values())
    worst = max(scores, key=lambda figure: abs(scores[figure]))
    limit = norm.isf(FALSE_ALARM / len(scores) / 2)
    logger.info("%s: largest z %.2f (%s), limit %.2f", name, scores[worst], worst, limit)
    for coordinates, fit in fits.items():
        logger.info("%s: %s", coordinates, fit.diagnostics)
    assert abs(scores[worst]) < limit


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "chinchilla",
        pytest.param("kaplan", marks=pytest.mark.long),
        pytest.param("coupled", marks=pytest.mark.long),
    ],
)
def test_on_a_simulated_sweep(name, fitter_of, sweep, simulate, prior_draws):
    fitter = fitter_of(name, "centred")
    rng = np.random.default_rng(30)
    truth = prior_draws(fitter, size=4001, rng=rng).median("refit")
    check(name, simulate(fitter, truth, sweep(levels=12, per_level=20), rng), fitter_of)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chinchilla", "kaplan", "coupled"])
def test_on_the_240_runs_of_chinchilla(name, fitter_of, real_data):
    runs = sb.read_runs(real_data("chinchilla_fig4.csv"), where="besiroglu_included == 1")
    check(name, runs, fitter_of)
