"""A law that a user writes in their own script goes through everything."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._inference.coordinates import COORDINATES_KEY
from scaling_bayes.errors import FileFormatError


class LogLaw(sb.Law):
    name = "log-law"
    covariates = ("n_params", "tokens")
    parameters = (
        sb.laws.irreducible_loss(),
        sb.laws.exponent("alpha_N", r"\alpha_N", "model size"),
        sb.laws.exponent("alpha_D", r"\alpha_D", "tokens"),
        sb.laws.scale("N_c", "N_c", "parameters", median=1e8),
        sb.laws.scale("D_c", "D_c", "tokens", median=1e9),
    )

    def loss(self, p, x):
        reducible = (p.N_c / x.n_params) ** p.alpha_N + (p.D_c / x.tokens) ** p.alpha_D
        return p.L_inf + np.log1p(reducible)


@pytest.fixture(scope="module")
def own_fit(runs: sb.Runs, quiet: sb.SamplerSettings) -> sb.Fit:
    return sb.fit(runs, LogLaw(), settings=quiet, seed=1, discrepancy=None)


def test_it_is_fitted_in_natural_coordinates(own_fit):
    assert own_fit.diagnostics.converged
    assert own_fit.data_tree.attrs[COORDINATES_KEY] == "natural"
    assert list(own_fit.summary().table.index) == [*LogLaw().parameter_names, "sigma", "nu"]


def test_it_forecasts_the_runs_it_was_fitted_to(own_fit, runs):
    forecast = own_fit.forecast(runs, seed=1)
    lower, upper = forecast.interval(prob=0.99)
    inside = (lower <= runs.frame["loss"].to_numpy()) & (runs.frame["loss"].to_numpy() <= upper)
    assert inside.mean() > 0.9


def test_its_allocation_is_the_closed_form_of_the_sum_inside_the_logarithm(own_fit):
    """log1p grows, so the optimum is where the sum of the two powers is smallest."""
    plan = own_fit.allocate(flops=["1e20", "1e22"])
    budgets = xr.DataArray(plan.flops, dims="budget")
    closed = sb.laws.Chinchilla().optimal_n_params(own_fit.draws, budgets, 6.0)
    np.testing.assert_allclose(
        plan.optimum["n_params"], closed.transpose("chain", "draw", "budget"), rtol=1e-6
    )
    assert (plan.recommended["cost_mean"] >= 0).all()


def test_the_compute_it_takes_to_reach_a_loss_is_that_of_its_optimum(own_fit):
    thinned = sb.Fit(
        own_fit.law,
        own_fit.noise,
        own_fit.runs,
        own_fit.data_tree.isel(draw=slice(None, None, 50)),
    )
    reach = thinned.compute_to_reach(2.4)
    budget = float(reach.flops.median())
    loss = thinned.allocate(flops=budget).optimum["loss"].isel(budget=0)
    reached_sooner = reach.flops.isel(target=0) < budget
    assert ((loss < 2.4) == reached_sooner).mean() > 0.98


def test_it_is_saved_and_loaded_with_the_law_at_hand(own_fit, tmp_path):
    path = own_fit.save(tmp_path / "own.nc")
    with pytest.raises(FileFormatError, match="log-law"):
        sb.load(path)
    loaded = sb.load(path, law=LogLaw())
    assert loaded.draws.equals(own_fit.draws)
    assert loaded.forecast(n_params="1B", tokens="20B").mean_curve.equals(
        own_fit.forecast(n_params="1B", tokens="20B").mean_curve
    )


def test_the_example_in_the_documentation_of_a_law_runs(runs, quiet):
    source = (sb.Law.__doc__ or "").split("::")[1].split("Attributes")[0]
    namespace = {"sb": sb, "np": np}
    exec("if True:" + source, namespace)
    fit = sb.fit(runs, namespace["LogLaw"](), settings=quiet, seed=1, discrepancy=None)
    assert fit.diagnostics.converged
