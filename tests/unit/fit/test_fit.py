from __future__ import annotations

import pickle
from dataclasses import replace

import arviz_base
import arviz_stats
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from pymc.stats import compute_log_prior
from pytensor.compile.mode import Mode
from scipy import stats

import scaling_bayes as sb
from scaling_bayes.errors import IdentifiabilityError, InputError

AS_WRITTEN = Mode(linker="py", optimizer=None)


@pytest.fixture(scope="module")
def with_prior(fit: sb.Fit) -> xr.DataTree:
    return fit.prior_predictive(draws=500, seed=1)


@pytest.fixture(scope="module")
def with_predictions(fit: sb.Fit) -> xr.DataTree:
    return fit.posterior_predictive(seed=1)


def test_the_truth_lies_inside_of_the_posterior(fit, truth):
    """One sweep, one seed: five posterior sds are far out for any correct fit."""
    for name, value in truth.values.items():
        log_draws = np.log(fit.draws[name])
        assert abs(np.log(value) - log_draws.mean()) < 5 * log_draws.std(), name


def test_groups_and_dims_are_those_that_arviz_knows(fit, runs):
    tree = fit.data_tree
    assert set(tree.children) == {"posterior", "sample_stats", "observed_data", "constant_data"}
    assert fit.draws.sizes == {"chain": 4, "draw": 1000}
    assert list(fit.draws.data_vars) == fit.law.parameter_names
    assert list(fit.noise_draws.data_vars) == fit.noise.parameter_names
    np.testing.assert_array_equal(tree["observed_data"]["log_loss"], np.log(runs.frame["loss"]))
    constant = tree["constant_data"]
    np.testing.assert_array_equal(constant["weight"], runs.frame["weight"])
    for name in ("n_params", "tokens"):
        np.testing.assert_array_equal(constant[f"log_{name}"], np.log(runs.frame[name]))
    assert tree.attrs["sampler"] == "nutpie"
    assert (tree.attrs["draws"], tree.attrs["retried"]) == (1000, 0)


def test_the_model_is_an_ordinary_one_and_the_one_that_was_sampled(fit):
    assert isinstance(fit.model, pm.Model)
    model = fit.sampling_model
    log_density = model.compile_logp(mode=AS_WRITTEN)
    draws = fit.data_tree["posterior"].to_dataset().isel(chain=1)
    for draw in (0, 500, 999):
        point = {}
        for rv in model.free_RVs:
            value, transform = draws[rv.name][draw].to_numpy(), model.rvs_to_transforms[rv]
            if transform is not None:
                value = transform.forward(value, *rv.owner.inputs).eval(mode=AS_WRITTEN)
            point[model.rvs_to_values[rv].name] = value
        sampled = float(fit.data_tree["sample_stats"]["logp"][1, draw])
        assert float(log_density(point)) == pytest.approx(sampled, rel=1e-9)


def test_the_model_gives_the_log_priors_that_sensitivity_checks_need(fit):
    assert [rv.name for rv in fit.model.free_RVs] == [
        *fit.law.parameter_names,
        *fit.noise.parameter_names,
    ]
    prior = compute_log_prior(
        fit.data_tree, model=fit.model, extend_inferencedata=False, progressbar=False
    )
    at = fit.draws["L_inf"][1, 5].item()
    expected = fit.law.priors["L_inf"].log_density(at).eval()
    assert prior["L_inf"][1, 5].item() == pytest.approx(float(expected), rel=1e-9)


def test_the_summary_has_natural_noise_and_derived_parameters(fit):
    summary = fit.summary()
    table = summary.to_frame()
    assert list(table.index) == [
        *fit.law.parameter_names,
        *fit.noise.parameter_names,
        *("A", "B", "a", "b"),
    ]
    assert list(table["kind"]) == ["natural"] * 5 + ["noise"] * 2 + ["derived"] * 4
    row, draws = table.loc["alpha_N"], fit.draws["alpha_N"]
    assert row["mean"] == pytest.approx(float(draws.mean()))
    assert row["sd"] == pytest.approx(float(draws.std(ddof=1)))
    assert row["median"] == pytest.approx(float(draws.median()), rel=1e-3)
    assert row["r_hat"] == pytest.approx(float(arviz_stats.rhat(draws)))
    assert row["ess_bulk"] == pytest.approx(float(arviz_stats.ess(draws, method="bulk")))
    assert (table["lower"] < table["median"]).all()
    assert (table["median"] < table["upper"]).all()
    assert (table["r_hat"] < 1.01).all()
    a = fit.draws["alpha_D"] / (fit.draws["alpha_N"] + fit.draws["alpha_D"])
    assert table.loc["a", "mean"] == pytest.approx(float(a.mean()))
    A = fit.draws["N_c"] ** fit.draws["alpha_N"]
    assert table.loc["A", "mean"] == pytest.approx(float(A.mean()))
    assert table.loc["L_inf", "unit"] == "nats"


@pytest.mark.parametrize("kind", ["equal-tailed", "hdi"])
def test_summary_intervals_hold_the_probability_they_name(fit, kind):
    table = fit.summary(prob=0.5, kind=kind).to_frame()
    for name in fit.law.parameter_names:
        draws = fit.draws[name]
        inside = (draws >= table.loc[name, "lower"]) & (draws <= table.loc[name, "upper"])
        assert float(inside.mean()) == pytest.approx(0.5, abs=2e-3)


def test_the_summary_says_it_in_words(fit):
    text = repr(fit.summary(prob=0.8))
    assert "80% equal-tailed intervals" in text
    assert "chinchilla fitted to 40 runs." in text
    assert "For 4 times the compute, model size should grow" in text
    assert "Probability that size should grow faster than tokens" in text
    assert "Converged: 4000 draws" in text


def test_a_copy_of_the_table_can_be_changed(fit):
    summary = fit.summary()
    frame = summary.to_frame()
    frame.loc["alpha_N", "mean"] = 0
    assert summary.to_frame().loc["alpha_N", "mean"] > 0.1


def test_prior_predictive_draws_come_from_the_priors(fit, with_prior):
    prior = with_prior["prior"].to_dataset()
    assert set(fit.data_tree.children) < set(with_prior.children)
    assert {*fit.law.parameter_names, *fit.noise.parameter_names} <= set(prior.data_vars)
    for name in fit.law.parameter_names:
        parameters = fit.law.priors[name].parameters
        z = (np.log(prior[name]) - parameters["mu"]) / parameters["sigma"]
        assert abs(float(z.mean())) < 5 / np.sqrt(500), name
    assert with_prior["prior_predictive"]["log_loss"].sizes["run"] == len(fit.runs)


def test_posterior_predictive_covers_the_runs(fit, with_predictions):
    predicted = with_predictions["posterior_predictive"]["log_loss"]
    assert predicted.sizes == {"chain": 4, "draw": 1000, "run": len(fit.runs)}
    below = (predicted < with_predictions["observed_data"]["log_loss"]).mean(("chain", "draw"))
    assert stats.kstest(below, "uniform").pvalue > 1e-3


def test_predictions_leave_the_fit_as_it_was(fit, with_prior, with_predictions):
    assert "prior" not in fit.data_tree.children
    assert "posterior_predictive" not in fit.data_tree.children


def test_arviz_takes_the_predictions(fit, with_prior, with_predictions):
    summary = arviz_stats.summary(with_prior, group="prior", var_names=fit.law.parameter_names)
    assert list(summary.index) == fit.law.parameter_names
    drawn = arviz_base.extract(with_predictions, group="posterior_predictive", num_samples=10)
    assert drawn.sizes == {"sample": 10, "run": len(fit.runs)}


def test_it_is_pickled_without_its_models(fit):
    models = fit.model, fit.sampling_model
    copy = pickle.loads(pickle.dumps(fit))
    assert copy.draws.equals(fit.draws)
    assert repr(copy) == repr(fit)
    assert [each.named_vars.keys() for each in (copy.model, copy.sampling_model)] == [
        each.named_vars.keys() for each in models
    ]


def test_it_prints_law_noise_runs_and_diagnostics(fit):
    text = repr(fit)
    assert text.startswith("Fit of chinchilla with student-t noise to 40 runs (DataFrame): ")
    assert "4000 draws, largest R-hat 1.0" in text
    assert fit.label == "chinchilla"


def test_its_label_tells_a_law_with_discrepancy_from_the_law_alone(fit):
    with_error = replace(fit, discrepancy=sb.discrepancy.Smooth())
    assert with_error.label == "chinchilla with smooth discrepancy"


def test_noise_can_be_chosen(runs, quiet):
    fit = sb.fit(
        runs,
        sb.laws.PowerLaw("flops"),
        noise=sb.noise.Normal(),
        settings=quiet,
        seed=1,
        discrepancy=None,
    )
    assert list(fit.noise_draws.data_vars) == ["sigma"]


def test_too_few_runs_are_refused_before_sampling(simulate):
    with pytest.raises(IdentifiabilityError, match="holds 4 runs, and chinchilla has 5"):
        sb.fit(simulate(4), sb.laws.Chinchilla(), discrepancy=None)


def test_coordinates_are_checked_when_a_fitter_is_made():
    with pytest.raises(InputError, match="'polar' are unknown"):
        sb.Fitter(sb.laws.Chinchilla(), coordinates="polar", discrepancy=None)
