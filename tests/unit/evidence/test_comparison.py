from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from arviz_stats import loo
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._checks import at_runs
from scaling_bayes._evidence.leave_one_out import leave_one_out
from scaling_bayes._evidence.marginal_likelihood import digest_of
from scaling_bayes.errors import InputError


@pytest.fixture(scope="module")
def fits(runs, fit, quiet):
    return {
        "chinchilla": fit,
        "power-c": sb.fit(
            runs, sb.laws.PowerLaw("flops"), settings=quiet, seed=1, discrepancy=None
        ),
    }


@pytest.fixture(scope="module")
def held_out(simulate):
    return simulate(200, seed=9)


@pytest.fixture(scope="module")
def comparison(fits, truth, held_out):
    return sb.compare({**fits, "truth": truth}, held_out=held_out, seed=1)


@pytest.mark.parametrize("rows_at_once", [7, 1000])
def test_leave_one_out_is_that_of_arviz_however_many_runs_are_looked_at(
    fit, monkeypatch, rows_at_once
):
    monkeypatch.setattr(at_runs, "ROWS_AT_ONCE", rows_at_once)
    log_likelihood = pm.compute_log_likelihood(
        fit.data_tree, model=fit.model, extend_inferencedata=False, progressbar=False
    )
    tree = {"posterior": fit.data_tree["posterior"].to_dataset(), "log_likelihood": log_likelihood}
    expected = loo(xr.DataTree.from_dict(tree), pointwise=True)
    found = leave_one_out(fit)
    for name in ("elpd", "se", "p", "n_samples", "n_data_points", "good_k", "warning"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-8), name
    for name in ("elpd_i", "pareto_k"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6)


def test_the_law_that_made_the_runs_wins_on_evidence_and_on_runs_held_out(comparison):
    evidence, held_out = comparison.evidence, comparison.held_out
    assert evidence.index[0] == "chinchilla"
    assert evidence.loc["power-c", "elpd_diff"] < -5 * evidence.loc["power-c", "elpd_diff_se"]
    assert evidence["weight"].sum() == pytest.approx(1)
    assert held_out.loc["chinchilla", "log_score"] > held_out.loc["power-c", "log_score"]
    assert held_out["rmse"].idxmin() in ("chinchilla", "truth")


def test_scores_are_means_over_the_runs_held_out(comparison, fit, held_out):
    row = comparison.held_out.loc["chinchilla"]
    forecast = fit.forecast(held_out, seed=5)
    draws = np.log(forecast.new_run.to_numpy().reshape(-1, 200))
    observed = np.log(held_out.frame["loss"].to_numpy())
    median = np.median(np.log(forecast.mean_curve.to_numpy().reshape(-1, 200)), axis=0)
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean((median - observed) ** 2)), rel=1e-3)
    # Noise of other draws moves the scores a little.
    distance = np.abs(draws - observed).mean()
    pairs = np.abs(draws - np.random.default_rng(1).permuted(draws, axis=0)).mean()
    assert row["crps"] == pytest.approx(distance - pairs / 2, rel=0.02)
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    inside = (low <= observed) & (observed <= high)
    assert row["coverage"] == pytest.approx(inside.mean(), abs=0.02)
    outside = np.maximum(low - observed, 0) + np.maximum(observed - high, 0)
    assert row["interval_score"] == pytest.approx(np.mean(high - low + 20 * outside), rel=0.03)
    # 99.9% of the coverages of a calibrated 90% interval over 200 runs, from the binomial.
    lower, upper = stats.binom.interval(0.999, 200, 0.9)
    assert lower / 200 <= row["coverage"] <= upper / 200


def test_the_log_score_is_close_to_the_exact_density(comparison, fit, held_out):
    mean = np.log(fit.forecast(held_out).mean_curve.to_numpy())
    nu, sigma = (fit.noise_draws[name].to_numpy()[..., None] for name in ("nu", "sigma"))
    observed = np.log(held_out.frame["loss"].to_numpy())
    exact = np.log(stats.t.pdf(observed, nu, mean, sigma).mean(axis=(0, 1))).mean()
    assert comparison.held_out.loc["chinchilla", "log_score"] == pytest.approx(exact, abs=0.05)


def test_scores_do_not_depend_on_the_other_sources(comparison, fit, held_out):
    alone = sb.score({"chinchilla": fit}, held_out, seed=1)
    pd.testing.assert_series_equal(
        alone.loc["chinchilla"], comparison.held_out.loc["chinchilla"], check_exact=True
    )


def test_fits_of_different_runs_are_scored_on_the_same_ones(fit, fitter, simulate, held_out):
    few = fitter.fit(simulate(8, seed=2), seed=1)
    table = sb.score({"many": fit, "few": few}, held_out, seed=1)
    assert table.loc["many", "crps"] < table.loc["few", "crps"]
    assert table.loc["many", "log_score"] > table.loc["few", "log_score"]


def test_what_a_forecaster_has_learnt_is_scored(runs, held_out):
    fitted = sb.baselines.LogLinearLeastSquares().fit(runs, seed=1)
    table = sb.score({"log-linear": fitted}, held_out, seed=1)
    assert np.isfinite(table.loc["log-linear"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda fit: ([fit], fit.runs), "give the sources by name"),
        (lambda fit: ({"a": fit}, fit.runs.frame), "held_out is a DataFrame"),
    ],
)
def test_scores_need_names_and_runs(fit, arguments, message):
    with pytest.raises(InputError, match=message):
        sb.score(*arguments(fit))


def test_a_published_law_is_scored_by_its_error_alone(comparison):
    row = comparison.held_out.loc["truth"]
    assert row["rmse"] > 0
    assert np.isnan(row["log_score"])
    assert np.isnan(row["coverage"])
    assert "truth" not in comparison.evidence.index


def test_the_frame_and_the_text_hold_every_source(comparison):
    frame = comparison.to_frame()
    assert set(frame.index) == {"chinchilla", "power-c", "truth"}
    assert {"elpd", "rmse", "rmse_held_out", "coverage_held_out"} <= set(frame.columns)
    assert frame.index[-1] == "truth"
    for words in ("PSIS-LOO", "90% equal-tailed interval of a new run"):
        assert words in repr(comparison)
    assert repr(comparison).startswith(f"- {comparison.words[0]}")


def test_without_runs_held_out_there_is_no_such_table(fit):
    comparison = sb.compare({"chinchilla": fit})
    assert comparison.held_out is None
    assert comparison.evidence.loc["chinchilla", "elpd_diff"] == 0
    assert "held out" not in repr(comparison)


def test_fits_of_different_runs_are_refused(fit, fitter, simulate):
    other = fitter.fit(simulate(30, seed=2), seed=1)
    with pytest.raises(InputError, match="'b' was fitted to other runs"):
        sb.compare({"a": fit, "b": other})


def test_a_comparison_needs_a_fit(truth):
    with pytest.raises(InputError, match="none of the sources is a fit"):
        sb.compare({"truth": truth})


def test_a_clear_difference_is_told(comparison):
    assert "chinchilla predicts better than power-c" in " ".join(comparison.words)
    assert comparison.evidence.loc["power-c", "caution"] == "fewer than 100 runs"


def simulated_small(n_runs: int, seed: int) -> sb.Runs:
    """Return runs of Kaplan's law over little more than a decade, with noise of 2%."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"n_params": 10 ** rng.uniform(6, 7.3, n_runs), "tokens": 10 ** rng.uniform(8, 9.3, n_runs)}
    )
    kaplan = sb.laws.Kaplan.published["kaplan2020"]
    mean = kaplan.law.loss(SimpleNamespace(**kaplan.values), frame)
    frame["loss"] = mean * np.exp(0.02 * rng.standard_normal(n_runs))
    return sb.read_runs(frame)


@pytest.fixture(scope="module")
def kaplan_fitter(quiet):
    return sb.Fitter(sb.laws.Kaplan(), settings=quiet, discrepancy=None)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
def test_a_small_sweep_cannot_tell_kaplan_from_chinchilla(fitter, kaplan_fitter):
    small = simulated_small(20, seed=4)
    fits = {"kaplan": kaplan_fitter.fit(small, seed=1), "chinchilla": fitter.fit(small, seed=1)}
    verdict = " ".join(sb.compare(fits).words)
    assert "predicts" not in verdict
    assert "cannot tell" in verdict or "not reliable" in verdict


@pytest.fixture(scope="module")
def wide(simulate):
    return simulate(150, seed=7)


@pytest.fixture(scope="module")
def both(wide, fitter, kaplan_fitter):
    return {"kaplan": kaplan_fitter.fit(wide, seed=1), "chinchilla": fitter.fit(wide, seed=1)}


@pytest.fixture(scope="module")
def backtest(wide, fitter, kaplan_fitter):
    laws = {"kaplan": kaplan_fitter, "chinchilla": fitter}
    return sb.backtest(wide, laws, cuts=["1e19", "1e20"], seed=1, progressbar=False)


def test_many_runs_tell_chinchilla_inside_and_beyond(both, backtest):
    factors = {
        name: sb.MarginalLikelihood(
            fit.label, len(fit.runs), digest_of(fit), value, 0.1, (value,), 0.1, value, value
        )
        for (name, fit), value in zip(both.items(), (10.0, 30.0), strict=True)
    }
    found = sb.compare(both, backtest=backtest, marginal_likelihoods=factors)
    verdict = " ".join(found.words)
    assert "Inside the range of the runs, chinchilla predicts clearly better" in verdict
    assert "forecast from smaller ones at 2 cuts, chinchilla predicts" in verdict
    assert "For chinchilla against kaplan there is very strong evidence" in verdict
    assert found.evidence.loc["kaplan", "caution"] == ""
    assert found.future.loc["chinchilla", "weight"] > 0.8
    points = backtest.points.query("of == 'new_run' and law == 'kaplan'")
    assert found.future.loc["kaplan", "elpd"] == pytest.approx(points["log_score"].sum())
    assert {"elpd_future", "log_bayes_factor"} <= set(found.to_frame().columns)
    for words in ("Larger runs, forecast from smaller ones", "Marginal likelihood of the runs"):
        assert words in repr(found)


def test_marginal_likelihoods_are_those_of_the_fits(both):
    def of(fit):
        label, n_runs = fit.label, len(fit.runs)
        return sb.MarginalLikelihood(label, n_runs, digest_of(fit), 1.0, 0.1, (1.0,), 0.1, 1.0, 1.0)

    kaplan = both["kaplan"]
    other_priors = sb.laws.Kaplan(priors={"alpha_N": sb.Prior("LogNormal", mu=-3, sigma=1)})
    fewer = sb.Runs(kaplan.runs.frame[:40])
    for given, message in (
        ({"other": of(kaplan)}, "no fit of that name"),
        ({"kaplan": of(replace(kaplan, runs=fewer))}, "that of kaplan on 40 runs"),
        ({"kaplan": of(both["chinchilla"])}, "that of chinchilla on 150 runs"),
        ({"kaplan": of(replace(kaplan, law=other_priors))}, "they differ in law, noise, priors"),
        ({"kaplan": of(replace(kaplan, noise=sb.noise.Normal()))}, "they differ in law, noise"),
        ({"kaplan": 3.0}, "is a float"),
        ({}, "give marginal_likelihoods by the names"),
    ):
        with pytest.raises(InputError, match=message):
            sb.compare(both, marginal_likelihoods=given)


def test_a_marginal_likelihood_of_the_law_alone_is_not_that_with_discrepancy(both):
    alone = both["kaplan"]
    found = sb.MarginalLikelihood(
        alone.label, 150, digest_of(alone), 1.0, 0.1, (1.0,), 0.1, 1.0, 1.0
    )
    with_error = {"kaplan": replace(alone, discrepancy=sb.discrepancy.Smooth())}
    with pytest.raises(InputError, match="the fit is of kaplan with smooth discrepancy"):
        sb.compare(with_error, marginal_likelihoods={"kaplan": found})


def test_a_backtest_has_a_law_by_the_name_of_every_fit(both, backtest):
    with pytest.raises(InputError, match="the backtest has no law 'k'"):
        sb.compare({"k": both["kaplan"]}, backtest=backtest)


def test_a_fit_that_is_given_twice_is_refused(fit):
    with pytest.raises(InputError, match="'one' and 'again' are the same fit"):
        sb.compare({"one": fit, "again": fit})
