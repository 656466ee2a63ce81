"""Fits of a law with discrepancy: what they know, and what can be asked of them."""

from __future__ import annotations

import pickle
from dataclasses import replace
from types import SimpleNamespace

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pymc.stats import compute_log_likelihood
from pytensor.compile.mode import Mode
from scipy import stats

import scaling_bayes as sb
from scaling_bayes.discrepancy import BASIS, ROWS, WEIGHT, DiscrepancyDraws, Smooth
from scaling_bayes.errors import FileFormatError, InputError

ALL = ("chain", "draw")
AS_WRITTEN = Mode(linker="py", optimizer=None)
WIDER = {"tau": sb.Prior("HalfNormal", sigma=0.2)}


def test_the_fit_knows_its_discrepancy(smooth_fit, bent_runs):
    assert smooth_fit.discrepancy == Smooth()
    assert smooth_fit.parameter_names == [*smooth_fit.law.parameter_names, "sigma", "nu", "tau"]
    assert "tau" in smooth_fit.diagnostics.parameters.index
    assert repr(smooth_fit).startswith(
        "Fit of chinchilla with student-t noise and smooth discrepancy to 60 runs"
    )
    error = smooth_fit.discrepancy_draws
    assert isinstance(error, DiscrepancyDraws)
    assert set(error.draws.data_vars) == {"tau", WEIGHT}
    sizes = bent_runs.covariates(("n_params", "tokens"))
    rows = Smooth().data(sizes)[ROWS]
    for name, values in error.landmarks.items():
        np.testing.assert_array_equal(values, sizes[name][rows[rows >= 0]])


def test_a_fit_without_discrepancy_has_none(plain_fit):
    assert plain_fit.discrepancy is None
    assert plain_fit.discrepancy_draws is None
    assert "tau" not in plain_fit.summary().to_frame().index
    assert "discrepancy" not in repr(plain_fit)


def test_it_finds_the_bend_and_the_scale_of_the_noise(smooth_fit, plain_fit, bent):
    tau = smooth_fit.data_tree["posterior"]["tau"]
    low, high = np.log(tau).quantile([0.005, 0.995]).to_numpy()
    assert low < np.log(bent.height) < high
    sigma = [fit.noise_draws["sigma"] for fit in (smooth_fit, plain_fit)]
    assert abs(np.log(sigma[0]).mean() - np.log(bent.sigma)) < 4 * np.log(sigma[0]).std()
    assert sigma[1].median() > 1.3 * sigma[0].median()


def test_at_the_runs_the_mean_curve_follows_them(smooth_fit, bent_runs, bent, truth):
    curve = np.log(smooth_fit.forecast(bent_runs, seed=1).mean_curve)
    law = truth.law.loss(SimpleNamespace(**truth.values), bent_runs.frame)
    expected = np.log(law) + bent.shift(bent_runs.frame["flops"])
    z = (curve.mean(ALL).to_numpy() - expected) / curve.std(ALL).to_numpy()
    assert np.abs(z).max() < 4.5
    assert float(curve.std(ALL).max()) < bent.height / 3


def test_beyond_the_runs_the_forecast_holds_the_truth_which_the_plain_law_misses(
    smooth_fit, plain_fit, bent
):
    new = bent.simulate(20, 3e20, 1e22, seed=50)
    loss = new.frame["loss"].to_numpy()
    inside = {}
    for name, fit in (("smooth", smooth_fit), ("plain", plain_fit)):
        lower, upper = fit.forecast(new, seed=1).interval(prob=0.9).to_numpy()
        inside[name] = np.mean((lower < loss) & (loss < upper))
    assert inside["smooth"] >= 0.8
    assert inside["plain"] <= 0.4


def test_the_mean_curve_is_less_certain_than_without_and_more_so_farther_out(smooth_fit, plain_fit):
    where = {"flops": [1e22, 1e23, 1e24], "tokens": [2e11, 7e11, 2e12], "seed": 1}
    widths = [
        fit.forecast(**where).interval(of="mean_curve").diff("bound").to_numpy()[0]
        for fit in (smooth_fit, plain_fit)
    ]
    assert (widths[0] > 2 * widths[1]).all()
    assert (np.diff(widths[0]) > 0).all()


def test_a_seed_is_that_of_new_runs_and_the_mean_curve_needs_none(smooth_fit):
    where = {"n_params": ["7B", "70B"], "tokens": ["140B", "1.4T"]}
    first, again, other = (smooth_fit.forecast(**where, seed=seed) for seed in (1, 1, 2))
    assert first.new_run.equals(again.new_run)
    assert not first.new_run.equals(other.new_run)
    assert first.mean_curve.equals(again.mean_curve)
    assert first.mean_curve.equals(other.mean_curve)
    assert first.mean_curve.dims == (*ALL, "point")
    assert first.mean_curve.attrs["units"] == first.new_run.attrs["units"] == "nats per token"
    assert not np.allclose(first.mean_curve, first.new_run)


def test_a_law_of_one_size_forecasts_where_two_are_given(smooth_fit):
    law = sb.laws.PowerLaw("flops")
    tree = smooth_fit.data_tree.copy()
    values = {"alpha_C": 0.15, "C_c": 1e18}
    posterior = tree["posterior"].to_dataset()
    like = posterior["tau"]
    tree["posterior"] = posterior.assign(
        {name: like.copy(data=np.full(like.shape, value)) for name, value in values.items()}
    )
    fit = replace(smooth_fit, law=law, data_tree=tree)
    with pytest.raises(InputError, match="Give two of n_params, tokens and flops"):
        fit.forecast(flops=1e20)
    curve = fit.forecast(flops=1e20, tokens=3e9, seed=1).mean_curve
    assert np.isfinite(curve).all()


def test_the_summary_lists_tau_after_the_noise(smooth_fit):
    table = smooth_fit.summary().to_frame()
    assert list(table.index) == [
        *smooth_fit.law.parameter_names,
        *("sigma", "nu", "tau", "A", "B", "a", "b"),
    ]
    assert table.loc["tau", "kind"] == "discrepancy"
    tau = smooth_fit.data_tree["posterior"]["tau"]
    assert table.loc["tau", "mean"] == pytest.approx(float(tau.mean()))
    assert "tau" in repr(smooth_fit.summary())


def test_prior_and_posterior_predictive(smooth_fit, bent_runs, bent):
    prior = smooth_fit.prior_predictive(draws=300, seed=1)
    assert prior["prior"][WEIGHT].sizes["component"] == 20
    of_tau = Smooth().priors["tau"].parameters
    z = (np.log(prior["prior"]["tau"]) - of_tau["mu"]) / of_tau["sigma"]
    assert abs(float(z.mean())) < 5 / np.sqrt(300)
    assert prior["prior_predictive"]["log_loss"].sizes["run"] == 60

    tree = smooth_fit.posterior_predictive(seed=1)
    predicted = tree["posterior_predictive"]["log_loss"]
    below = (predicted < tree["observed_data"]["log_loss"]).mean(ALL)
    assert stats.kstest(below, "uniform").pvalue > 1e-3
    # The same as a forecast of new runs at the sizes of the runs.
    forecast = np.log(smooth_fit.forecast(bent_runs, seed=1).new_run)
    for q in (0.1, 0.5, 0.9):
        ours, theirs = (draws.quantile(q, ALL).to_numpy() for draws in (forecast, predicted))
        assert np.abs(ours - theirs).max() < bent.sigma / 2


def test_log_likelihoods_are_to_be_had(smooth_fit, bent_runs):
    with smooth_fit.model:
        found = compute_log_likelihood(
            smooth_fit.data_tree, extend_inferencedata=False, progressbar=False
        )["log_loss"]
    draw = smooth_fit.data_tree["posterior"].to_dataset().isel(chain=2, draw=77)
    basis = Smooth().data(bent_runs.covariates(("n_params", "tokens")))[BASIS]
    mean = np.log(smooth_fit.law.loss(draw, bent_runs.frame.to_xarray())).to_numpy()
    mean = mean + basis @ draw[WEIGHT].to_numpy()
    observed = np.log(bent_runs.frame["loss"])
    expected = stats.t.logpdf(observed, draw["nu"].item(), mean, draw["sigma"].item())
    np.testing.assert_allclose(found[2, 77], expected, rtol=1e-8, atol=1e-8)


def test_the_sampling_model_is_the_one_that_was_sampled(smooth_fit):
    model = smooth_fit.sampling_model
    log_density = model.compile_logp(mode=AS_WRITTEN)
    draws = smooth_fit.data_tree["posterior"].to_dataset().isel(chain=1)
    for draw in (0, 999):
        point = {}
        for rv in model.free_RVs:
            value, transform = draws[rv.name][draw].to_numpy(), model.rvs_to_transforms[rv]
            if transform is not None:
                value = transform.forward(value, *rv.owner.inputs).eval(mode=AS_WRITTEN)
            point[model.rvs_to_values[rv].name] = value
        there = float(smooth_fit.data_tree["sample_stats"]["logp"][1, draw])
        assert float(log_density(point)) == pytest.approx(there, rel=1e-9)


def test_the_check_finds_no_trend_that_the_plain_law_leaves(smooth_fit, plain_fit):
    checks = [fit.check(seed=1) for fit in (smooth_fit, plain_fit)]
    p = [check.trends.set_index(["quantity", "against"])["p"] for check in checks]
    assert p[0].min() > 0.01
    assert p[1].min() < 0.01


def test_the_check_tells_of_tau_but_not_of_its_weights(smooth_fit):
    check = smooth_fit.check(seed=1)
    for table in (check.sensitivity, check.identifiability):
        assert list(table.index[: len(smooth_fit.parameter_names)]) == smooth_fit.parameter_names
    assert set(check.sensitivity["most_sensitive_to"]) <= set(smooth_fit.parameter_names)
    tau = np.log(smooth_fit.data_tree["posterior"]["tau"])
    row = check.identifiability.loc["tau"]
    assert row["posterior_sd"] == pytest.approx(float(tau.std(ddof=1)))
    assert row["prior_sd"] == pytest.approx(0.9, rel=0.05)


# The fitter


def test_the_default_is_the_coupled_law_with_smooth_discrepancy(default_fit):
    assert type(default_fit.law) is sb.laws.Coupled
    assert default_fit.discrepancy == Smooth()
    assert default_fit.label == "coupled with smooth discrepancy"
    assert default_fit.diagnostics.converged
    fitter = sb.Fitter()
    assert (type(fitter.law), fitter.discrepancy) == (sb.laws.Coupled, Smooth())


def test_the_default_forecasts_beyond_the_runs(default_fit, bent):
    new = bent.simulate(20, 3e20, 1e22, seed=50)
    loss = new.frame["loss"].to_numpy()
    lower, upper = default_fit.forecast(new, seed=1).interval(prob=0.9).to_numpy()
    assert np.mean((lower < loss) & (loss < upper)) >= 0.8


@pytest.mark.parametrize(
    ("size", "name"), [("n_params", "smooth-n"), ("tokens", "smooth-d"), ("flops", "smooth-c")]
)
def test_a_law_of_one_size_has_its_discrepancy_in_that_size(size, name):
    for fitter in (
        sb.Fitter(sb.laws.PowerLaw(size)),
        sb.Fitter(sb.laws.PowerLaw(size), discrepancy="smooth"),
    ):
        assert fitter.discrepancy == sb.discrepancy.REGISTRY[name]()


def test_a_fit_in_compute_forecasts_from_compute_alone(compute_fit):
    assert compute_fit.discrepancy.name == "smooth-c"
    curve = compute_fit.forecast(flops=[1e19, 1e23], seed=1).mean_curve
    assert np.isfinite(curve).all()
    spread = np.log(curve).std(ALL)
    assert spread[1] > 3 * spread[0]


def test_without_discrepancy_there_is_none(plain_fit):
    assert sb.Fitter(discrepancy=None).discrepancy is None
    assert sb.Fitter(sb.laws.PowerLaw("flops"), discrepancy=None).discrepancy is None
    assert plain_fit.label == "chinchilla"


@pytest.mark.parametrize("wrong", ["rough", sb.discrepancy.Smooth, True])
def test_what_is_no_discrepancy_is_refused(wrong):
    with pytest.raises(sb.errors.InputError, match=r"sb\.discrepancy\.Smooth\(\)"):
        sb.Fitter(sb.laws.Chinchilla(), discrepancy=wrong)


def test_one_compilation_serves_runs_of_any_number(smooth_fitter, smooth_fit, bent, simulate):
    prepared = smooth_fitter._prepared
    for runs, n_landmarks in (
        (bent.simulate(12, 1e18, 3e20, seed=8), 6),
        (simulate(41), 20),
        (bent.simulate(150, 1e18, 3e20, seed=9), 20),
    ):
        fit = smooth_fitter.fit(runs, seed=1)
        assert fit.diagnostics.converged
        assert len(fit.discrepancy_draws.landmarks["n_params"]) == n_landmarks
        assert fit.data_tree["constant_data"][BASIS].shape == (len(runs), 20)
        assert np.isfinite(fit.forecast(n_params="70B", tokens="1.4T").mean_curve).all()
    assert smooth_fitter._prepared is prepared


def test_components_that_the_runs_lack_keep_their_prior(smooth_fitter, bent):
    fit = smooth_fitter.fit(bent.simulate(12, 1e18, 3e20, seed=8), seed=1)
    posterior = fit.data_tree["posterior"]
    z = (posterior[WEIGHT] / posterior["tau"]).isel(component=slice(6, None))
    spread = z.std(ALL).to_numpy()
    np.testing.assert_allclose(spread, 1, atol=0.1)
    assert np.abs(z.mean(ALL)).max() < 0.1


@pytest.mark.parametrize("n_runs", [12, 40, 80])
def test_runs_that_follow_the_law_pass_the_gate_at_once(smooth_fitter, simulate, n_runs):
    """Where there is nothing to find, tau and the weights shrink together."""
    for seed in range(3):
        fit = smooth_fitter.fit(simulate(n_runs, seed=20 + seed), seed=1)
        energy = fit.data_tree["sample_stats"]["energy"]
        assert arviz_stats.bfmi(energy).min() > 0.5
        assert fit.data_tree["posterior"]["tau"].median() < 0.05


def test_the_same_seed_gives_the_same_fit(smooth_fitter, smooth_fit, bent_runs):
    again = smooth_fitter.fit(bent_runs, seed=1)
    xr.testing.assert_equal(
        again.data_tree["posterior"].to_dataset(), smooth_fit.data_tree["posterior"].to_dataset()
    )


def test_a_pickled_fitter_keeps_its_discrepancy(smooth_fitter, smooth_fit):
    copy = pickle.loads(pickle.dumps(smooth_fitter))
    assert not copy._prepared
    assert copy.discrepancy == Smooth()
    unpickled = pickle.loads(pickle.dumps(replace(smooth_fit)))
    assert unpickled.discrepancy == Smooth()
    where = {"n_params": "7B", "tokens": "140B", "seed": 1}
    assert unpickled.forecast(**where).new_run.equals(smooth_fit.forecast(**where).new_run)


# Files


def test_a_saved_fit_comes_back_with_its_discrepancy(smooth_fit, tmp_path):
    loaded = sb.load(smooth_fit.save(tmp_path / "fit.nc"))
    assert loaded.discrepancy == smooth_fit.discrepancy
    assert repr(loaded) == repr(smooth_fit)
    for group, node in smooth_fit.data_tree.children.items():
        xr.testing.assert_identical(loaded.data_tree[group].to_dataset(), node.to_dataset())
    where = {"n_params": "70B", "tokens": "1.4T", "seed": 1}
    assert loaded.forecast(**where).new_run.equals(smooth_fit.forecast(**where).new_run)
    pd.testing.assert_frame_equal(loaded.summary().to_frame(), smooth_fit.summary().to_frame())
    names = [{rv.name for rv in fit.sampling_model.free_RVs} for fit in (loaded, smooth_fit)]
    assert names[0] == names[1]


def test_users_priors_of_tau_come_back(smooth_fit, tmp_path):
    path = replace(smooth_fit, discrepancy=Smooth(priors=WIDER)).save(tmp_path / "fit.nc")
    assert sb.load(path).discrepancy == Smooth(priors=WIDER)
    assert sb.load(path, discrepancy=Smooth(priors=WIDER)).discrepancy.priors == WIDER


def test_a_discrepancy_of_ones_own_has_to_be_given(smooth_fit, steep, tmp_path):
    path = replace(smooth_fit, discrepancy=steep()).save(tmp_path / "fit.nc")
    message = (
        r"discrepancy 'steep' \(class Steep\), which scaling_bayes does not ship.*discrepancy="
    )
    with pytest.raises(FileFormatError, match=message):
        sb.load(path)
    assert type(sb.load(path, discrepancy=steep()).discrepancy) is steep


def test_another_discrepancy_than_the_stored_one_is_refused(smooth_fit, steep, tmp_path):
    path = smooth_fit.save(tmp_path / "fit.nc")
    with pytest.raises(FileFormatError, match=r"fit with discrepancy 'smooth'.*'steep'"):
        sb.load(path, discrepancy=steep())
    with pytest.raises(FileFormatError, match=r"tau ~ LogNormal.*tau ~ HalfNormal"):
        sb.load(path, discrepancy=Smooth(priors=WIDER))


def test_a_discrepancy_given_for_a_fit_without_one_is_refused(plain_fit, tmp_path):
    path = plain_fit.save(tmp_path / "fit.nc")
    assert sb.load(path).discrepancy is None
    with pytest.raises(FileFormatError, match=r"holds a fit without discrepancy.*'smooth'"):
        sb.load(path, discrepancy=Smooth())


@pytest.mark.parametrize("broken", ["{", ""])
def test_a_damaged_description_of_it_is_refused(smooth_fit, tmp_path, broken):
    with xr.open_datatree(smooth_fit.save(tmp_path / "fit.nc")) as stored:
        tree = stored.load()
    tree.attrs["discrepancy"] = broken
    tree.to_netcdf(tmp_path / "damaged.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match=r"damaged\.nc is damaged"):
        sb.load(tmp_path / "damaged.nc")
