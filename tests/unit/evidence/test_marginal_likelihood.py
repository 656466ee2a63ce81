from __future__ import annotations

import dataclasses
from math import log

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import scaling_bayes as sb
from scaling_bayes._evidence.marginal_likelihood import bayes_factors, digest_of
from scaling_bayes.errors import InputError

SIGMA = sb.Prior("LogNormal", mu=log(0.02), sigma=0.5)


@pytest.fixture(scope="module")
def runs():
    flops = np.geomspace(1e18, 1e21, 20)
    rng = np.random.default_rng(3)
    loss = (1e20 / flops) ** 0.1 * np.exp(0.02 * rng.standard_normal(20))
    table = {"n_params": flops**0.5, "flops": flops, "tokens": flops**0.5 / 6, "loss": loss}
    return sb.read_runs(pd.DataFrame(table))


@pytest.fixture(scope="module")
def fit(runs, quiet):
    law = sb.laws.PurePowerLaw("flops")
    return sb.fit(
        runs,
        law,
        noise=sb.noise.Normal(priors={"sigma": SIGMA}),
        settings=quiet,
        seed=1,
        discrepancy=None,
    )


@pytest.fixture(scope="module")
def found(fit):
    return sb.marginal_likelihood(fit, seed=1)


def by_quadrature(fit: sb.Fit, *, spread: float = 1.0) -> float:
    """Integrate prior times likelihood over exponent, log loss at the centre, and log sigma.

    On a grid in the coordinates u = log L at the centre, which replaces log C_c = log C_0 + u / a.
    """
    flops = fit.runs.frame["flops"].to_numpy()
    observed = np.log(fit.runs.frame["loss"].to_numpy())
    centre = np.log(flops).mean()
    u = observed.mean() + np.linspace(-0.06, 0.06, 81)[:, None, None]
    a = np.linspace(0.07, 0.13, 81)[None, :, None]
    log_sigma = np.linspace(log(0.005), log(0.08), 81)[None, None, :]
    priors = fit.law.priors

    def density(name, log_value):
        numbers = priors[name].parameters
        return stats.norm.logpdf(log_value, numbers["mu"], spread * numbers["sigma"])

    log_scale = centre + u / a
    joint = density("alpha_C", np.log(a)) - np.log(a) + density("C_c", log_scale) - np.log(a)
    joint = joint + stats.norm.logpdf(log_sigma, log(0.02), 0.5)
    for x, y in zip(np.log(flops) - centre, observed, strict=True):
        joint = joint + stats.norm.logpdf(y, u - a * x, np.exp(log_sigma))
    steps = [np.diff(grid.ravel())[0] for grid in (u, a, log_sigma)]
    return float(logsumexp(joint) + np.log(steps).sum())


def test_it_is_the_integral_over_the_priors(fit, found):
    assert found.pareto_k < 0.7
    assert found.mc_se < 0.05
    assert found.log_marginal_likelihood == pytest.approx(by_quadrature(fit), abs=0.1)
    assert found.wider == pytest.approx(by_quadrature(fit, spread=2), abs=0.1)
    assert found.narrower == pytest.approx(by_quadrature(fit, spread=0.5), abs=0.1)
    # The integral depends on the spread, or the three would agree whatever was computed.
    assert abs(found.wider - found.log_marginal_likelihood) > 0.3


def test_smc_comes_close(found):
    assert len(found.smc) == 4
    np.testing.assert_allclose(found.smc, found.log_marginal_likelihood, atol=3)


def test_the_text_holds_the_figures(found):
    assert f"{found.log_marginal_likelihood:.2f}" in repr(found)
    assert f"the law's priors 2 times as wide: {found.wider:.2f}" in repr(found)


def test_the_digest_tells_fits_apart_by_law_noise_priors_and_runs(fit, found, runs):
    frame = runs.frame.copy()
    frame.loc[3, "loss"] *= 1 + 1e-15
    law = sb.laws.PurePowerLaw("flops", priors={"alpha_C": sb.Prior("LogNormal", mu=-2, sigma=1)})
    fits = [
        fit,
        dataclasses.replace(fit, law=law),
        dataclasses.replace(fit, noise=sb.noise.Normal()),
        dataclasses.replace(fit, runs=sb.Runs(frame)),
        dataclasses.replace(fit, runs=sb.Runs(runs.frame[1:])),
        dataclasses.replace(fit, discrepancy=sb.discrepancy.Smooth()),
    ]
    assert len({digest_of(each) for each in fits}) == len(fits)
    same = dataclasses.replace(fit, law=sb.laws.PurePowerLaw("flops"), runs=sb.Runs(runs.frame))
    assert digest_of(same) == found.digest


def test_a_fit_with_discrepancy_is_refused(fit):
    with pytest.raises(InputError, match=r"power-c.* with smooth discrepancy.*backtest=\.\.\."):
        sb.marginal_likelihood(dataclasses.replace(fit, discrepancy=sb.discrepancy.Smooth()))


def test_priors_whose_spread_cannot_be_scaled_are_named(fit):
    gamma = sb.Prior("Gamma", alpha=2.0, beta=20.0)
    (name,) = (name for name in fit.law.priors if name.startswith("alpha"))
    law = sb.laws.PurePowerLaw("flops", priors={name: gamma})
    other = sb.marginal_likelihood(dataclasses.replace(fit, law=law), draws=200, chains=2, seed=1)
    assert np.isfinite(other.log_marginal_likelihood)
    assert np.isnan([other.wider, other.narrower, *other.range]).all()
    (note,) = other.notes
    assert f"the prior of {name} (Gamma) cannot be scaled" in note


def test_improper_priors_have_no_marginal_likelihood(fit):
    noise = sb.noise.Normal(priors={"sigma": sb.Prior("HalfFlat")})
    with pytest.raises(InputError, match="HalfFlat of sigma is improper"):
        sb.marginal_likelihood(dataclasses.replace(fit, noise=noise))


@pytest.mark.parametrize(("name", "value"), [("draws", 10), ("chains", 1), ("chains", 2.5)])
def test_too_few_draws_or_chains(fit, name, value):
    with pytest.raises(InputError, match=f"{name} is {value}"):
        sb.marginal_likelihood(fit, **{name: value})


def test_a_fit_is_needed():
    with pytest.raises(InputError, match="fit is a Chinchilla"):
        sb.marginal_likelihood(sb.laws.Chinchilla())


def ml(value, wider, narrower, *, mc_se=0.3, pareto_k=0.1, notes=()):
    return sb.MarginalLikelihood(
        "a", 10, "digest", value, mc_se, (value,), pareto_k, wider, narrower, notes
    )


def test_bayes_factors_range_over_the_priors_of_both_laws():
    table = bayes_factors({"b": ml(3, 2, 4), "a": ml(5, 3, 6, mc_se=0.4)})
    assert list(table.index) == ["a", "b"]
    row = table.loc["b"]
    assert row["log_bayes_factor"] == -2
    assert row["log_bayes_factor_se"] == pytest.approx(0.5)
    assert (row["log_bayes_factor_lower"], row["log_bayes_factor_upper"]) == (2 - 6, 4 - 3)
    assert table.loc["a"].filter(like="bayes_factor").tolist() == [0, 0, 0, 0]


def test_what_limits_a_figure_is_in_the_table():
    notes = ("importance weights cannot be trusted",)
    table = bayes_factors(
        {"a": ml(5, 3, 6), "b": ml(3, 2, 4, pareto_k=0.72, notes=notes), "c": ml(1, 0, 2)}
    )
    assert table["pareto_k"].tolist() == [0.1, 0.72, 0.1]
    assert table["trusted"].tolist() == [True, False, True]
    assert table["has_notes"].tolist() == [False, True, False]


def test_a_pareto_k_that_is_not_known_is_not_trusted():
    assert not ml(5, 3, 6, pareto_k=np.nan).trusted


def test_an_unknown_sensitivity_stays_unknown():
    table = bayes_factors({"a": ml(3, np.nan, 4), "b": ml(1, 0, 2)})
    assert table.loc["b", ["log_bayes_factor_lower", "log_bayes_factor_upper"]].isna().all()
