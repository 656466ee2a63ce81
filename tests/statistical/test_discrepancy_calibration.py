"""Simulation-based calibration of forecasts beyond the runs, with discrepancy.

Law, noise and tau are drawn from their priors, the discrepancy from the full Gaussian process at
the runs and at one point ten times beyond them; the fit knows it by its landmarks only. What these
leave over is noise to the fit, so that sigma comes out too large (50 of 80 intervals of 90% held
it) and is not ranked; all else, forecasts included, has to be right. As in the calibration of the
laws, the prior of nu is replaced on both sides.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import binomtest, kstest

import scaling_bayes as sb
from scaling_bayes._intervals import interval
from scaling_bayes.discrepancy._smooth import matern52
from scaling_bayes.errors import ConvergenceWarning

REFITS, RANKED, PROB = 80, 100, 0.9
FALSE_ALARM = 0.01
NOISE = sb.noise.StudentT(priors={"nu": sb.Prior("LogNormal", mu=np.log(10), sigma=0.5)})
SMOOTH = sb.discrepancy.Smooth()

# Some draws of the priors are losses that no run has; the fit is right to doubt them.
pytestmark = pytest.mark.filterwarnings("ignore::scaling_bayes.errors.DoubtWarning")

logger = logging.getLogger(__name__)


def rank(true: float, draws: xr.DataArray) -> float:
    """Return the share of thinned draws below the truth, which is uniform for a right posterior."""
    thinned = draws.to_numpy().ravel()[:: draws.size // RANKED][:RANKED]
    return (np.sum(thinned < true) + 0.5) / (RANKED + 1)


@pytest.fixture(scope="module")
def refits(sweep, prior_draws) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ranks, and whether intervals hold the truth: one row a refit."""
    settings = sb.SamplerSettings(draws=500, progressbar=False)
    fitter = sb.Fitter(
        sb.laws.Chinchilla(),
        noise=NOISE,
        discrepancy=SMOOTH,
        settings=settings,
        on_failure="warn",
    )
    rng = np.random.default_rng(43)
    truths = prior_draws(fitter, size=REFITS, rng=rng)
    tau = np.exp(np.log(0.06) + 0.9 * rng.standard_normal(REFITS))
    sizes = sweep(levels=5, per_level=8)
    beyond = {"n_params": np.array([1.1e10]), "tokens": np.array([1.5e11])}
    everywhere = {name: np.append(sizes[name], beyond[name]) for name in beyond}
    places = SMOOTH.places(everywhere)
    root = np.linalg.cholesky(matern52(places, places) + 1e-10 * np.eye(len(places)))
    ranks, covered, unconverged = [], [], 0
    for refit in range(REFITS):
        truth = truths.isel(refit=refit)
        x = xr.Dataset({name: ("point", values) for name, values in everywhere.items()})
        shift = tau[refit] * root @ rng.standard_normal(len(places))
        log_curve = np.log(fitter.law.loss(truth, x)) + xr.DataArray(shift, dims="point")
        losses = np.exp(NOISE.sample(log_curve, truth, rng)).to_numpy()
        frame = x.isel(point=slice(-1)).to_dataframe().assign(loss=losses[:-1], weight=1.0)
        frame["flops"] = 6 * frame["n_params"] * frame["tokens"]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            fit = fitter.fit(sb.Runs(frame), seed=rng)
        unconverged += len(caught)
        forecast = fit.forecast(**beyond, seed=rng)
        posterior = fit.data_tree["posterior"].to_dataset()
        ranked = [name for name in truth.data_vars if name != "sigma"]
        known = {name: (truth[name].item(), posterior[name]) for name in ranked}
        known["tau"] = (tau[refit], posterior["tau"])
        known["mean curve"] = (
            float(np.exp(log_curve[-1])),
            forecast.mean_curve.isel(point=0),
        )
        known["new run"] = (losses[-1], forecast.new_run.isel(point=0))
        ranks.append({name: rank(true, draws) for name, (true, draws) in known.items()})
        bounds = {name: interval(draws, prob=PROB) for name, (_, draws) in known.items()}
        covered.append(
            {
                name: bounds[name][0].item() < true < bounds[name][1].item()
                for name, (true, _) in known.items()
            }
        )
    logger.info("%d of %d refits failed the gate twice, and are kept", unconverged, REFITS)
    assert unconverged <= 0.05 * REFITS
    return pd.DataFrame(ranks), pd.DataFrame(covered)


@pytest.mark.slow
def test_ranks_are_uniform(refits):
    ranks, _ = refits
    p = {name: kstest(ranks[name], "uniform").pvalue for name in ranks}
    logger.info("p-values of uniform ranks: %s", {name: round(q, 3) for name, q in p.items()})
    assert min(p.values()) > FALSE_ALARM / len(p)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(refits):
    _, covered = refits
    counts = covered.sum()
    logger.info("held of %d: %s", REFITS, counts.to_dict())
    for name, count in counts.items():
        p = binomtest(int(count), REFITS, PROB).pvalue
        assert p > FALSE_ALARM / len(counts), f"{name}: {count} of {REFITS}"
