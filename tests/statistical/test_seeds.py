"""Sweeps with several seeds a size: ranks of what the noise says, and intervals that hold.

Parameters of the noise are drawn from their priors and those of the law are published ones, drawn
around with a narrow prior that the fit has, too (Talts et al. 2018, arXiv:1804.06788).
"""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import binom, binomtest

import scaling_bayes as sb

REFITS, RANKED_DRAWS = 60, 100
FALSE_ALARM = 0.01
TARGET = {"n_params": 1e10, "tokens": 2e11}

PUBLISHED = sb.laws.Chinchilla.published["besiroglu2024"].values
LAW = sb.laws.Chinchilla(
    priors={
        name: sb.Prior("LogNormal", mu=float(np.log(value)), sigma=0.2)
        for name, value in PUBLISHED.items()
    }
)
NOISE = sb.noise.StudentTBySize(priors={"nu": sb.Prior("LogNormal", mu=np.log(30), sigma=0.2)})

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def fitter() -> sb.Fitter:
    settings = sb.SamplerSettings(draws=500, progressbar=False)
    return sb.Fitter(LAW, noise=NOISE, discrepancy=None, settings=settings, on_failure="warn")


def swept(truth: SimpleNamespace, rng: np.random.Generator) -> sb.Runs:
    """Return 14 sizes of one to eight seeds, whose means scatter by Student's t."""
    counts = rng.integers(1, 9, 14)
    sizes = pd.DataFrame(
        {"n_params": 10 ** rng.uniform(7.5, 9.5, 14), "tokens": 10 ** rng.uniform(9.3, 11, 14)}
    )
    own = truth.sigma / np.sqrt(1 + truth.common)
    scale = own * np.sqrt(truth.common + 1 / counts)
    mean = np.log(LAW.loss(truth, sizes).to_numpy()) + scale * rng.standard_t(truth.nu, 14)
    rows = sizes.loc[np.repeat(np.arange(14), counts)].reset_index(drop=True)
    away = own * rng.standard_normal(len(rows))
    away -= pd.Series(away).groupby(rows["n_params"]).transform("mean").to_numpy()
    return sb.read_runs(rows.assign(loss=np.exp(np.repeat(mean, counts) + away)))


@pytest.fixture(scope="module")
def ranks(fitter) -> pd.DataFrame:
    """How many of the ranked draws lie below the truth; one row a refit."""
    rng = np.random.default_rng(11)
    found = []
    for refit in range(REFITS):
        drawn = {
            name: prior.draw(1, rng).item() for name, prior in (LAW.priors | NOISE.priors).items()
        }
        truth = SimpleNamespace(**drawn)
        fit = fitter.fit(swept(truth, rng), seed=refit)
        mean = LAW.loss(truth, SimpleNamespace(**TARGET))
        new = mean * np.exp(truth.sigma * rng.standard_t(truth.nu))
        forecast = sb.forecast(fit, **TARGET, seed=refit)
        quantities = {
            **{name: (fit.draws[name], drawn[name]) for name in fit.draws},
            **{name: (fit.noise_draws[name], drawn[name]) for name in fit.noise_draws},
            "mean curve": (forecast.mean_curve.isel(point=0), mean),
            "new run": (forecast.new_run.isel(point=0), new),
        }
        found.append({name: rank(*pair) for name, pair in quantities.items()})
    table = pd.DataFrame(found)
    logger.info("ranks:\n%s", table.describe().round(1).to_string())
    return table


def rank(draws: xr.DataArray, truth: float) -> int:
    flat = draws.to_numpy().ravel()
    thinned = flat[np.linspace(0, len(flat) - 1, RANKED_DRAWS).astype(int)]
    return int((thinned < truth).sum())


@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.DoubtWarning")
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.PlausibilityWarning")
def test_intervals_hold_as_often_as_they_say_and_lie_to_neither_side(ranks):
    each = FALSE_ALARM / (3 * len(ranks.columns))
    for name, column in ranks.items():
        share = (column + 0.5) / (RANKED_DRAWS + 1)
        for prob in (0.5, 0.9):
            held = int((abs(share - 0.5) < prob / 2).sum())
            low, high = binom.ppf([each / 2, 1 - each / 2], REFITS, prob)
            assert low <= held <= high, f"{name}: {prob:.0%} intervals hold {held} of {REFITS}"
        assert binomtest(int((share < 0.5).sum()), REFITS).pvalue > each, name
