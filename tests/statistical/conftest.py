"""Simulated sweeps, and fitters that compile once for all tests.

The tests log their figures: ``pytest tests/statistical --log-cli-level=INFO`` shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import scaling_bayes as sb


@pytest.fixture(scope="session")
def sweep() -> Callable[..., xr.Dataset]:
    """Return a function that gives the sizes of an isoFLOP sweep, from 1e18 to 1e21 FLOPs."""

    def sizes(*, levels: int, per_level: int) -> xr.Dataset:
        flops = np.repeat(np.geomspace(1e18, 1e21, levels), per_level)
        tokens_per_param = np.tile(np.geomspace(1, 400, per_level), levels)
        n_params = np.sqrt(flops / (6 * tokens_per_param))
        tokens = n_params * tokens_per_param
        columns = {"n_params": n_params, "tokens": tokens, "flops": flops}
        return xr.Dataset({name: ("point", values) for name, values in columns.items()})

    return sizes


@pytest.fixture(scope="session")
def prior_draws() -> Callable[..., xr.Dataset]:
    """Return a function that draws all parameters of a law and its noise from their priors.

    The priors are drawn one by one, so no line of the model and its coordinates is used.
    """

    def draws(fitter: sb.Fitter, *, size: int, rng: np.random.Generator) -> xr.Dataset:
        priors = fitter.law.priors | fitter.noise.priors
        return xr.Dataset(
            {
                name: ("refit", pm.draw(prior.dist(), draws=size, random_seed=rng))
                for name, prior in priors.items()
            }
        )

    return draws


@pytest.fixture(scope="session")
def simulate() -> Callable[..., sb.Runs]:
    """Return a function that trains a simulated run at each size."""

    def runs(
        fitter: sb.Fitter, truth: xr.Dataset, sizes: xr.Dataset, rng: np.random.Generator
    ) -> sb.Runs:
        log_loss = np.log(fitter.law.loss(truth, sizes))
        loss = np.exp(fitter.noise.sample(log_loss, truth, rng))
        frame = sizes.to_dataframe().assign(loss=loss.values, weight=1.0)
        return sb.Runs(frame, source="simulated sweep")

    return runs


@pytest.fixture(scope="session")
def fitter_of() -> Callable[..., sb.Fitter]:
    """Return a function from a law's name and coordinates to its one fitter of the session."""

    @cache
    def fitter(name: str, coordinates: str) -> sb.Fitter:
        law = sb.laws.REGISTRY[name]()
        settings = sb.SamplerSettings(progressbar=False)
        return sb.Fitter(law, coordinates=coordinates, settings=settings, discrepancy=None)

    return fitter
