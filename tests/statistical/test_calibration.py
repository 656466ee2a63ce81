"""Simulation-based calibration: over data drawn from the prior, a posterior tells the truth.

Parameters are drawn from the priors, a sweep is simulated from them and refitted with
one compiled model. The default priors are taken as they are, on both sides: SBC needs the same
prior on both, and no other prior would say as much about what users get. Some draws are
sweeps that `read_runs` would refuse (losses above 15 nats); `Runs` takes them, and to leave
them out would cut the prior on one side only. For the same reason a refit whose draws fail
the convergence gate is counted and kept.

One default prior is replaced, on both sides: that of nu, 0.5% of whose draws are below 1. Noise
with tails so heavy can take the loss of a simulated run beyond the largest float, and no table
holds such a run.

Natural coordinates get more runs and more draws than centred ones, and fewer refits. On 60 runs
and 4 x 500 draws a fifth of their refits fails the gate, and draws that did not converge say
nothing of the posterior. Their posterior is that of centred ones by other tests as well.

The coupled law gets Chinchilla's priors and one around 1 for gamma. Under its own, which reach as
far as Kaplan's law, refits are slow and some fail the gate twice.

Ranks (Talts et al. 2018, arXiv:1804.06788) are taken among thinned draws, of every natural and
noise parameter, of the log likelihood, which sees what no single parameter does (Modrak et al.
2023, arXiv:2211.02383), of the mean curve and a new run beyond the sweep, and of what the size
that a decision takes there gives up.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import binom, binomtest, t

import scaling_bayes as sb
from scaling_bayes._intervals import interval
from scaling_bayes.errors import ConvergenceWarning

REFITS, REFITS_IN_NATURAL = 100, 40
RANKED_DRAWS = 100
PROB = 0.9
FALSE_ALARM = 0.01
"""Probability with which right posteriors fail one test, over all quantities (Bonferroni)."""

BUDGET = 1e22
BEYOND = {"n_params": [7e9, 7e10], "tokens": [1.4e11, 1.4e12]}
"""Compute-optimal runs at 6 and 600 times the most compute of the sweeps."""

LAWS = {
    "chinchilla": sb.laws.Chinchilla(),
    "coupled": sb.laws.Coupled(
        priors=sb.laws.Chinchilla().priors | {"gamma": sb.Prior("LogNormal", mu=0.0, sigma=0.5)}
    ),
}

NOISE = sb.noise.StudentT(priors={"nu": sb.Prior("LogNormal", mu=np.log(10), sigma=0.5)})

# Some draws of the priors are losses, or optima, that no run has: the package is right to doubt.
pytestmark = [
    pytest.mark.filterwarnings("ignore::scaling_bayes.errors.DoubtWarning"),
    pytest.mark.filterwarnings("ignore::scaling_bayes.errors.PlausibilityWarning"),
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """One row a refit, one column a quantity.

    Attributes
    ----------
    ranks : DataFrame
        How many of `RANKED_DRAWS` posterior draws lie below the truth.
    covered : DataFrame
        Whether the interval of probability `PROB` holds the truth.
    unconverged : list of str
        What the gate said of each refit that failed it twice.
    """

    ranks: pd.DataFrame
    covered: pd.DataFrame
    unconverged: list[str]


def log_likelihood(fitter: sb.Fitter, p: xr.Dataset, sizes: xr.Dataset, runs: sb.Runs):
    residual = xr.DataArray(np.log(runs.frame["loss"]), dims="point") - np.log(
        fitter.law.loss(p, sizes)
    )
    scaled, nu = xr.broadcast(residual / p.sigma, p.nu)
    return (scaled.copy(data=t.logpdf(scaled, nu)) - np.log(p.sigma)).sum("point")


def truths_and_draws(
    fitter: sb.Fitter,
    truth: xr.Dataset,
    sizes: xr.Dataset,
    runs: sb.Runs,
    fit: sb.Fit,
    rng: np.random.Generator,
) -> dict[str, tuple[float, xr.DataArray]]:
    """Return the true value and the posterior draws of every quantity."""
    draws = fit.data_tree["posterior"].to_dataset()
    quantities = {str(name): (truth[name].item(), draws[name]) for name in truth.data_vars}
    quantities["log likelihood"] = (
        log_likelihood(fitter, truth, sizes, runs).item(),
        log_likelihood(fitter, draws[list(truth.data_vars)], sizes, runs),
    )
    forecast = fit.forecast(**BEYOND, seed=rng)
    mean_curve = fitter.law.loss(truth, forecast.points)
    new_run = np.exp(fitter.noise.sample(np.log(mean_curve), truth, rng))
    for point, n_params in enumerate(BEYOND["n_params"]):
        at = {"point": point}
        for what, true, drawn in (
            ("mean curve", mean_curve, forecast.mean_curve),
            ("new run", new_run, forecast.new_run),
        ):
            quantities[f"{what} at {n_params:.0e}"] = (true.isel(at).item(), drawn.isel(at))
    return quantities | {"regret of the choice": regret(fitter, truth, fit)}


def regret(fitter: sb.Fitter, truth: xr.Dataset, fit: sb.Fit) -> tuple[float, xr.DataArray]:
    """Return what the size that is chosen on the fit really gives up, and what its draws say."""
    n_params = sb.decide(fit, flops=BUDGET, n_candidates=100).choice.n_params
    true_law = SimpleNamespace(
        label="truth",
        law=fitter.law,
        draws=truth.expand_dims(["chain", "draw"]),
        flops_per_param_token=6.0,
    )
    true, drawn = (
        sb.allocate(source, flops=BUDGET).loss_given_up(n_params).isel(budget=0)
        for source in (true_law, fit)
    )
    return true.item(), drawn


def calibrate(fitter, truths, sizes, simulate, rng) -> Calibration:
    """Simulate, refit and rank once for each of the true parameter sets."""
    ranks, covered, unconverged = [], [], []
    for refit in range(truths.sizes["refit"]):
        truth = truths.isel(refit=refit)
        runs = simulate(fitter, truth, sizes, rng)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            fit = fitter.fit(runs, seed=rng)
        unconverged += [str(warning.message) for warning in caught]
        # Noise with very heavy tails can take a new run beyond the largest float; its rank stands.
        with np.errstate(over="ignore"):
            quantities = truths_and_draws(fitter, truth, sizes, runs, fit, rng)
        ranks.append({name: rank(*quantity) for name, quantity in quantities.items()})
        bounds = {name: interval(draws, prob=PROB) for name, (_, draws) in quantities.items()}
        covered.append(
            {
                name: bounds[name][0].item() < true < bounds[name][1].item()
                for name, (true, _) in quantities.items()
            }
        )
    return Calibration(pd.DataFrame(ranks), pd.DataFrame(covered), unconverged)


def rank(true: float, draws: xr.DataArray) -> int:
    """Return how many of `RANKED_DRAWS` draws, evenly spaced in the chains, lie below the truth."""
    every = draws.size // RANKED_DRAWS
    return int((draws.isel(draw=slice(None, None, every)) < true).sum())


def departure(ranks: np.ndarray) -> np.ndarray:
    """Return how far the ECDF of ranks leaves the diagonal, as its smallest binomial tail.

    The statistic of the simultaneous bands of Säilynoja et al. 2022, equation 8
    (arXiv:2103.10522). The ranks have shape (..., refit).
    """
    values = np.arange(RANKED_DRAWS)
    below = (ranks[..., None, :] <= values[:, None]).sum(-1)
    expected = binom(ranks.shape[-1], (values + 1) / (RANKED_DRAWS + 1))
    return 2 * np.minimum(expected.cdf(below), expected.sf(below - 1)).min(-1)


def uniformity_p_values(ranks: pd.DataFrame) -> dict[str, float]:
    """Return for each quantity the probability that uniform ranks depart as far."""
    rng = np.random.default_rng(40)
    uniform = rng.integers(0, RANKED_DRAWS + 1, size=(4000, len(ranks)))
    null = np.concatenate([departure(some) for some in np.split(uniform, 40)])
    return {
        name: (1 + (null <= departure(ranks[name].to_numpy())).sum()) / (1 + len(null))
        for name in ranks
    }


@cache
def fitter_that_warns(name: str, coordinates: str) -> sb.Fitter:
    """Return the one fitter of a law in some coordinates, which keeps draws that fail the gate."""
    return sb.Fitter(
        LAWS[name], noise=NOISE, coordinates=coordinates, on_failure="warn", discrepancy=None
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("chinchilla", "centred", 6, 10, 500, REFITS), marks=pytest.mark.long),
        pytest.param(("chinchilla", "centred", 3, 5, 500, REFITS), marks=pytest.mark.long),
        ("coupled", "centred", 6, 10, 500, REFITS),
        pytest.param(
            ("chinchilla", "natural", 8, 15, 1000, REFITS_IN_NATURAL), marks=pytest.mark.long
        ),
    ],
    ids=lambda param: f"{param[0]}-{param[1]}-{param[2] * param[3]}",
)
def calibration(request, sweep, simulate, prior_draws) -> Calibration:
    name, coordinates, levels, per_level, draws, refits = request.param
    fitter = fitter_that_warns(name, coordinates)
    fitter.settings = sb.SamplerSettings(draws=draws, tune=draws, progressbar=False)
    rng = np.random.default_rng(41)
    truths = prior_draws(fitter, size=refits, rng=rng)
    found = calibrate(fitter, truths, sweep(levels=levels, per_level=per_level), simulate, rng)
    logger.info(
        "%d of %d refits failed the gate twice, and are kept", len(found.unconverged), refits
    )
    return found


@pytest.mark.slow
def test_ranks_are_uniform(calibration):
    p_values = uniformity_p_values(calibration.ranks)
    logger.info("p-values of uniform ranks: %s", {k: f"{v:.3f}" for k, v in p_values.items()})
    assert min(p_values.values()) > FALSE_ALARM / len(p_values)


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say(calibration):
    share = calibration.covered.mean()
    logger.info("coverage of nominal %.0f%%: %s", 100 * PROB, share.round(3).to_dict())
    refits = len(calibration.covered)
    p_values = [binomtest(int(hits), refits, PROB).pvalue for hits in calibration.covered.sum()]
    assert min(p_values) > FALSE_ALARM / len(p_values)


@pytest.mark.parametrize(("spread", "shift"), [(0.5, 0.0), (2.0, 0.0), (1.0, 0.5)])
def test_the_rank_test_sees_posteriors_that_are_wrong(spread, shift):
    rng = np.random.default_rng(42)
    posterior = shift + spread * rng.standard_normal((REFITS, RANKED_DRAWS))
    ranks = (posterior < rng.standard_normal((REFITS, 1))).sum(axis=1)
    p_values = uniformity_p_values(pd.DataFrame({"wrong": ranks}))
    assert p_values["wrong"] < FALSE_ALARM / 10
