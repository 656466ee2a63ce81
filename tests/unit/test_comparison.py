from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._comparison import log_likelihood
from scaling_bayes.errors import InputError


@pytest.fixture(scope="module")
def fits(runs, fit, quiet):
    return {
        "chinchilla": fit,
        "power-c": sb.fit(runs, sb.laws.PowerLaw("flops"), settings=quiet, seed=1),
    }


@pytest.fixture(scope="module")
def comparison(fits, truth, simulate):
    sources = {**fits, "truth": truth}
    return sb.compare(sources, held_out=simulate(200, seed=9), seed=1)


def test_the_log_likelihood_is_that_of_the_noise(fit, simulate):
    held_out = simulate(5, seed=3)
    density = log_likelihood(fit, held_out)
    mean = sb.forecast(fit, held_out).mean_curve.to_numpy()
    nu, sigma = (fit.noise_draws[name].to_numpy()[..., None] for name in ("nu", "sigma"))
    observed = np.log(held_out.frame["loss"].to_numpy())
    expected = stats.t.logpdf(observed, nu, np.log(mean), sigma)
    np.testing.assert_allclose(density.to_numpy(), expected, rtol=1e-9)


def test_the_law_that_made_the_runs_wins_on_evidence_and_on_runs_held_out(comparison):
    evidence, held_out = comparison.evidence, comparison.held_out
    assert evidence.index[0] == "chinchilla"
    assert evidence.loc["power-c", "elpd_diff"] < -5 * evidence.loc["power-c", "elpd_diff_se"]
    assert evidence["weight"].sum() == pytest.approx(1)
    assert held_out.loc["chinchilla", "log_score"] > held_out.loc["power-c", "log_score"]
    assert held_out["rmse"].idxmin() in ("chinchilla", "truth")


def test_coverage_is_counted_on_the_runs_held_out(comparison, fit, simulate):
    held_out = simulate(200, seed=9)
    low, high = fit.forecast(held_out, seed=1).interval(prob=0.9).to_numpy()
    loss = held_out.frame["loss"].to_numpy()
    share = np.mean((low <= loss) & (loss <= high))
    # Noise of other draws moves the bounds a little.
    assert comparison.held_out.loc["chinchilla", "coverage"] == pytest.approx(share, abs=0.02)
    # 99.9% of the coverages of a calibrated 90% interval over 200 runs, from the binomial.
    lower, upper = stats.binom.interval(0.999, 200, 0.9)
    assert lower / 200 <= share <= upper / 200


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
