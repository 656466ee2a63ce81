"""Laws, runs and one fit that the tests of the core share."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import scaling_bayes as sb

SIGMA = 0.005
"""Scale of the noise of simulated runs."""


@pytest.fixture(params=sorted(sb.laws.REGISTRY))
def law(request: pytest.FixtureRequest) -> sb.Law:
    """Every law that the package ships, one after the other."""
    return sb.laws.REGISTRY[request.param]()


@pytest.fixture(scope="session")
def truth() -> sb.laws.PublishedLaw:
    """Return the law that simulated runs follow."""
    return sb.laws.Chinchilla.published["besiroglu2024"]


@pytest.fixture(scope="session")
def simulate(truth: sb.laws.PublishedLaw) -> Callable[..., sb.Runs]:
    """Return a function that simulates a sweep over two decades of size and of tokens."""

    def simulated(n_runs: int, *, seed: int = 1) -> sb.Runs:
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {
                "n_params": 10 ** rng.uniform(7.5, 9.5, n_runs),
                "tokens": 10 ** rng.uniform(9, 11, n_runs),
            }
        )
        mean = truth.law.loss(SimpleNamespace(**truth.values), frame)
        frame["loss"] = mean * np.exp(SIGMA * rng.standard_t(8, n_runs))
        return sb.read_runs(frame)

    return simulated


@pytest.fixture(scope="session")
def runs(simulate: Callable[..., sb.Runs]) -> sb.Runs:
    """Forty simulated runs."""
    return simulate(40)


@pytest.fixture(scope="session")
def quiet() -> sb.SamplerSettings:
    """Return the default settings without a progress bar."""
    return sb.SamplerSettings(progressbar=False)


@pytest.fixture(scope="session")
def fitter(quiet: sb.SamplerSettings) -> sb.Fitter:
    """Chinchilla's law, compiled once for every test that samples it."""
    return sb.Fitter(sb.laws.Chinchilla(), settings=quiet)


@pytest.fixture(scope="session")
def fit(fitter: sb.Fitter, runs: sb.Runs) -> sb.Fit:
    """Chinchilla's law fitted to the simulated runs."""
    return fitter.fit(runs, seed=1)


@pytest.fixture(scope="session")
def prior_source() -> Callable[..., SimpleNamespace]:
    """Return a function that makes a source of forecasts out of draws from a law's priors."""

    def from_prior(law: sb.Law, *, draws: int, seed: int = 0) -> SimpleNamespace:
        rng = np.random.default_rng(seed)
        values = {
            name: (("chain", "draw"), pm.draw(prior.dist(), draws, random_seed=rng)[None])
            for name, prior in law.priors.items()
        }
        return SimpleNamespace(
            label=f"prior of {law.name}",
            law=law,
            draws=xr.Dataset(values),
            noise=None,
            noise_draws=None,
            discrepancy_draws=None,
            flops_per_param_token=6.0,
        )

    return from_prior
