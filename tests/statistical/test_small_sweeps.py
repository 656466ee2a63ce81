"""Small sweeps pass the diagnostics gate at default settings."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._inference import sampling

SWEEPS = 10
"""Simulated sweeps of each size."""

logger = logging.getLogger(__name__)


@pytest.fixture
def attempts(monkeypatch):
    """Return the list to which the diagnostics of every sampling attempt are added."""
    seen = []

    def recorded(data_tree, names):
        seen.append(_diagnose(data_tree, names))
        return seen[-1]

    _diagnose = sampling.diagnose
    monkeypatch.setattr(sampling, "diagnose", recorded)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(("levels", "per_level"), [(3, 5), (5, 6), (6, 10)], ids=["15", "30", "60"])
def test_small_chinchilla_sweeps_converge(levels, per_level, fitter_of, sweep, simulate, attempts):
    fitter = fitter_of("chinchilla", "centred")
    published = sb.laws.Chinchilla.published["besiroglu2024"].values
    truth = xr.Dataset(dict(published) | {"sigma": 0.005, "nu": 5.0})
    sizes = sweep(levels=levels, per_level=per_level)

    fits = [
        fitter.fit(simulate(fitter, truth, sizes, np.random.default_rng(seed)), seed=seed)
        for seed in range(SWEEPS)
    ]

    figures = [fit.diagnostics for fit in fits]
    least_bulk = min(each.parameters["ess_bulk"].min() for each in figures)
    least_tail = min(each.parameters["ess_tail"].min() for each in figures)
    most_divergent = max(each.n_divergent / each.n_draws for each in figures)
    logger.info(
        "%d runs: %d of %d sweeps needed the retry; smallest ESS bulk %.0f tail %.0f; "
        "most divergences %.2g",
        levels * per_level,
        len(attempts) - SWEEPS,
        SWEEPS,
        least_bulk,
        least_tail,
        most_divergent,
    )
    assert least_bulk >= 400
    assert least_tail >= 400
    assert most_divergent <= 0.001
