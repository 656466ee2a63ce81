"""The limits of a fit are held to what is asked of it as well."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._prediction.answer_gate import not_mixed


@pytest.fixture
def mixed() -> xr.DataArray:
    rng = np.random.default_rng(0)
    values = 2.5 + 0.01 * rng.standard_normal((4, 1000, 3))
    return xr.DataArray(values, dims=("chain", "draw", "point"))


def test_independent_draws_leave_no_doubt(mixed):
    assert not_mixed(mixed, None, "the mean curve") == ()


def test_a_chain_of_its_own_is_named_whichever_point_it_is_at(mixed):
    apart = mixed.copy()
    apart[0, :, 2] += 0.01
    (doubt,) = not_mixed(apart, None, "the mean curve")
    assert doubt.kind == "convergence of the answer"
    assert "the mean curve" in doubt.words
    assert "R-hat" in doubt.words


def test_slow_chains_have_too_few_effective_draws_unless_they_were_thinned(mixed):
    steps = xr.zeros_like(mixed) + np.repeat(mixed.to_numpy()[:, ::20], 20, axis=1)
    (doubt,) = not_mixed(steps, None, "N*")
    assert "ess_bulk" in doubt.words
    thinned = mixed.isel(draw=slice(0, 80))
    assert not_mixed(thinned, None, "N*") == ()


def test_an_average_and_one_chain_are_not_judged(mixed):
    apart = mixed.copy()
    apart[0] += 1
    assert not_mixed(apart, SimpleNamespace(members={}), "N*") == ()
    assert not_mixed(apart.isel(chain=[0]), None, "N*") == ()


def test_a_forecast_and_an_allocation_carry_it(fit):
    forecast = fit.forecast(n_params=1e9, tokens=2e10, seed=1)
    assert "convergence of the answer" not in [doubt.kind for doubt in forecast.doubts]
    factor = 1 + 1.0 * (xr.DataArray(np.arange(4), dims="chain") == 0)
    curve = (forecast.mean_curve * factor).transpose(*forecast.mean_curve.dims)
    apart = sb.Forecast(forecast.label, forecast.points, curve, None, fit)
    assert "convergence of the answer" in [doubt.kind for doubt in apart.doubts]
    assert "do not represent its posterior" in repr(apart)
    plan = fit.allocate(flops=1e22)
    optimum = plan.optimum.assign(n_params=plan.optimum["n_params"] * factor)
    assert "convergence of the answer" in [
        doubt.kind for doubt in sb.Allocation(fit, optimum).doubts
    ]
