from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from scipy import stats
from threadpoolctl import threadpool_limits

import scaling_bayes as sb
from scaling_bayes.baselines import (
    BrokenLaw,
    HuberBootstrap,
    LastSlope,
    LogLinearLeastSquares,
    ResampledResiduals,
    _broken,
    _power_terms,
)
from scaling_bayes.baselines._curves import log_runs
from scaling_bayes.errors import ConvergenceError, IdentifiabilityError, InputError
from scaling_bayes.laws import Additive, Chinchilla, Coupled, Kaplan, PowerLaw, PurePowerLaw

FORECASTERS = {
    "huber": HuberBootstrap(n_resamples=40),
    "huber, power-c": HuberBootstrap(law=PowerLaw("flops"), n_resamples=40),
    "log-linear": LogLinearLeastSquares(n_draws=200),
    "broken": BrokenLaw(n_draws=200),
    "last slope": LastSlope(n_draws=200),
}
ON_CURVES = FORECASTERS | {
    "huber": HuberBootstrap(law=PowerLaw("tokens"), n_resamples=40),
    "huber, power-c": HuberBootstrap(law=PurePowerLaw("tokens"), n_resamples=40),
}


def table(n_params, tokens, loss, weight=1.0):
    columns = {"n_params": n_params, "tokens": tokens, "loss": loss, "weight": weight}
    frame = pd.DataFrame(columns)
    return sb.Runs(frame.assign(flops=6 * frame["n_params"] * frame["tokens"]))


def curve(loss, n_runs=30, *, noise=0.0, seed=0):
    """Return one curve in tokens, of one model size."""
    tokens = np.logspace(8, 11, n_runs)
    scatter = noise * np.random.default_rng(seed).standard_normal(n_runs)
    return table(1e8, tokens, loss(tokens) * np.exp(scatter))


def sweep(log_loss, n_runs=40, *, noise=0.0, seed=0):
    """Return a sweep over N and D, whose log loss is a function of their logs."""
    rng = np.random.default_rng(seed)
    n_params, tokens = 10 ** rng.uniform(7, 10, n_runs), 10 ** rng.uniform(9, 11, n_runs)
    mean = log_loss(np.log(n_params), np.log(tokens))
    return table(n_params, tokens, np.exp(mean + noise * rng.standard_normal(n_runs)))


def plane(log_n, log_d):
    return 4.0 - 0.06 * log_n - 0.09 * log_d


def offset_power(tokens):
    return 1.8 + (2e9 / tokens) ** 0.3


def broken(tokens):
    bend = (1 + (tokens / 2e9) ** (1 / 0.4)) ** (-0.25 * 0.4)
    return 1.0 + 30.0 * tokens**-0.1 * bend


@pytest.fixture(scope="module")
def far():
    """Return points beyond the simulated sweeps, whose losses nothing may read."""
    return table(np.array([1e11, 3e11]), np.array([3e11, 1e12]), 1e6)


@pytest.mark.parametrize("name", FORECASTERS)
@pytest.mark.parametrize("n_runs", [12, 40])
def test_a_forecast_has_one_chain_of_finite_positive_losses(name, n_runs, simulate, far):
    forecast = FORECASTERS[name].fit(simulate(n_runs, seed=3), seed=1).forecast(far, seed=2)
    for of in ("mean_curve", "new_run"):
        draws = forecast.draws(of)
        assert draws.dims == ("chain", "draw", "point")
        assert draws.sizes["chain"] == 1
        assert draws.sizes["point"] == 2
        assert (np.isfinite(draws) & (draws > 0)).all()
        assert draws.attrs["units"] == "nats per token"
    assert name.split(",", maxsplit=1)[0].split()[0] in forecast.label.lower()
    assert "new_run_lower" in forecast.to_frame()


@pytest.mark.parametrize("name", ON_CURVES)
def test_one_curve_is_forecast_too(name):
    runs = curve(offset_power, noise=0.003)
    below, above = runs.where(runs.frame["tokens"] < 2e10), runs.where("tokens >= 2e10")
    forecast = ON_CURVES[name].fit(below, seed=1).forecast(above, seed=1)
    observed = above.frame["loss"].to_numpy()
    error = np.log(forecast.mean_curve.median(("chain", "draw")) / observed)
    assert np.abs(error).max() < 0.2
    if name == "huber":
        assert np.abs(error).max() < 0.015


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_seed_repeats_the_draws(name, simulate, far):
    runs = simulate(20)
    first, again, other = (
        FORECASTERS[name].fit(runs, seed=seed).forecast(far, seed=seed) for seed in (1, 1, 2)
    )
    assert first.new_run.equals(again.new_run)
    assert first.mean_curve.equals(again.mean_curve)
    assert not first.new_run.equals(other.new_run)


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_point_of_several_runs_scatters_less(name, simulate, far):
    fitted = FORECASTERS[name].fit(simulate(40), seed=1)
    one, nine = (
        fitted.forecast(table(1e11, 3e11, 1.0, weight=np.array([weight])), seed=1)
        for weight in (1.0, 9.0)
    )
    ratio = np.log(one.new_run / one.mean_curve) / np.log(nine.new_run / nine.mean_curve)
    np.testing.assert_allclose(ratio, 3.0, rtol=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_huber_recovers_the_law_that_made_the_runs(seed, simulate, truth):
    fitted = HuberBootstrap(n_resamples=100).fit(simulate(200, seed=seed), seed=seed)
    for name, true in truth.values.items():
        log_draws = np.log(fitted.draws[name])
        distance = (np.log(fitted.best[name]) - np.log(true)) / float(log_draws.std())
        assert abs(distance) < 4, name


def test_huber_recovers_a_curve_without_noise_to_many_digits():
    fitted = HuberBootstrap(law=PowerLaw("tokens"), n_resamples=5).fit(curve(offset_power), seed=1)
    assert fitted.best == pytest.approx({"L_inf": 1.8, "alpha_D": 0.3, "D_c": 2e9}, rel=1e-3)
    pure = HuberBootstrap(law=PurePowerLaw("tokens"), n_resamples=5)
    fitted = pure.fit(curve(lambda tokens: (5e13 / tokens) ** 0.095), seed=1)
    assert fitted.best == pytest.approx({"alpha_D": 0.095, "D_c": 5e13}, rel=1e-3)


def test_the_objective_is_the_summed_huber_loss_of_the_law(simulate):
    runs = simulate(60)
    fitted = HuberBootstrap(n_resamples=5).fit(runs, seed=1)
    mean = fitted.law.loss(SimpleNamespace(**fitted.best), runs.frame)
    residuals = np.abs(np.log(mean) - np.log(runs.frame["loss"]))
    summed = np.where(residuals < 1e-3, residuals**2 / 2, 1e-3 * (residuals - 5e-4)).sum()
    assert fitted.objective == pytest.approx(summed, rel=1e-9)


@pytest.mark.parametrize(
    ("covariates", "irreducible"),
    [(("n_params", "tokens"), True), (("tokens",), True), (("flops",), False)],
)
def test_the_gradient_is_that_of_the_objective(covariates, irreducible, simulate):
    rows = log_runs(simulate(30), covariates)
    huber = _power_terms.HuberLoss(rows, irreducible=irreducible, delta=0.05)
    times = np.arange(30) % 3.0
    for theta in huber.best_starts(3) + 0.05:
        _, gradient = huber(theta, times)
        numerical = scipy.optimize.approx_fprime(theta, lambda at: huber(at, times)[0], 1e-7)
        np.testing.assert_allclose(gradient, numerical, rtol=1e-4, atol=1e-4)


def test_no_start_of_the_whole_grid_does_better_than_the_best_twenty(simulate):
    runs = simulate(30, seed=5)
    rows = log_runs(runs, ("n_params", "tokens"))
    huber = _power_terms.HuberLoss(rows, irreducible=True, delta=1e-3)
    starts = huber.best_starts(4500)
    once = np.ones(30)
    with threadpool_limits(1, user_api="blas"):
        others = [_power_terms.minimised(huber, start, once) for start in starts[::20]]
    assert len(others) > 100
    best = HuberBootstrap(n_resamples=2).fit(runs, seed=1).objective
    assert best <= min(found.objective for found in others if found) * (1 + 1e-6)


def test_a_huber_fit_is_used_as_a_fit_is(simulate, truth):
    fitted = HuberBootstrap(n_resamples=100).fit(simulate(100), seed=1)
    plan = sb.allocate(fitted, flops=1e22)
    true = sb.allocate(truth, flops=1e22).optimum["n_params"].item()
    low, high = plan.interval("n_params", prob=0.99).values.ravel()
    assert low < true < high
    by_package = sb.forecast(fitted, n_params="70B", tokens="1.4T", seed=1)
    own = fitted.forecast(n_params="70B", tokens="1.4T", seed=1)
    assert by_package.new_run.equals(own.new_run)


def test_a_new_run_of_a_huber_fit_adds_a_residual(simulate, far):
    fitted = HuberBootstrap(n_resamples=50).fit(simulate(40), seed=1)
    forecast = fitted.forecast(far, seed=1)
    added = np.log(forecast.new_run / forecast.mean_curve).to_numpy().ravel()
    nearest = np.abs(added[:, None] - fitted.noise.residuals).min(axis=1)
    assert nearest.max() < 1e-12
    with pytest.raises(InputError, match="no density"):
        fitted.noise.observe("log_loss", 0, None, weight=1, observed=0)


@pytest.mark.parametrize("law", [PowerLaw("tokens"), PurePowerLaw("tokens")], ids=repr)
def test_a_curve_that_no_law_follows_still_gives_finite_draws(law):
    runs = curve(lambda tokens: 3 + 0.2 * np.sin(np.log(tokens)) + 0.1 * np.log(tokens / 1e8))
    fitted = HuberBootstrap(law=law, n_resamples=30).fit(runs, seed=1)
    assert all(np.isfinite(values).all() for values in fitted.draws.values())
    assert np.isfinite(fitted.forecast(runs, seed=1).new_run).all()


def test_a_term_whose_scale_no_float_holds_keeps_its_value(simulate):
    rows = log_runs(simulate(30), ("n_params",))
    huber = _power_terms.HuberLoss(rows, irreducible=True, delta=1e-3)
    thetas = np.array([[-30.0, 0.5, 0.003], [0.1, 0.5, 0.3]])
    scales, exponents, floors = huber.natural(thetas)
    assert (np.isfinite(scales) & (scales > 0)).all()
    at_centre = exponents[:, 0] * (np.log(scales[:, 0]) - rows.sizes.mean())
    np.testing.assert_allclose(at_centre, thetas[:, 0], rtol=1e-9)
    np.testing.assert_allclose(floors, np.exp(0.5))


def test_least_squares_give_the_classical_prediction_interval():
    runs = sweep(plane, 12, noise=0.01)
    point = table(np.array([1e11]), np.array([1e12]), 1.0)
    fitted = LogLinearLeastSquares(n_draws=200_000).fit(runs, seed=1)
    forecast = fitted.forecast(point, seed=1)
    x = np.column_stack([np.ones(12), np.log(runs.frame[["n_params", "tokens"]])])
    y = np.log(runs.frame["loss"].to_numpy())
    beta, (rss,), *_ = np.linalg.lstsq(x, y)
    at = np.array([1.0, np.log(1e11), np.log(1e12)])
    leverage = at @ np.linalg.inv(x.T @ x) @ at
    for of, more in (("mean_curve", 0.0), ("new_run", 1.0)):
        half = stats.t.ppf(0.95, 9) * np.sqrt(rss / 9 * (leverage + more))
        bounds = np.log(forecast.interval(prob=0.9, of=of).values.ravel())
        np.testing.assert_allclose(bounds, at @ beta + half * np.array([-1, 1]), atol=0.02 * half)


def test_least_squares_intervals_cover_as_often_as_they_say():
    inside = []
    for seed in range(400):
        runs = sweep(plane, 13, noise=0.02, seed=seed)
        fitted = LogLinearLeastSquares(n_draws=1000).fit(runs.where(np.arange(13) < 12), seed=seed)
        lower, upper = fitted.forecast(runs.where(np.arange(13) == 12), seed=seed).interval().values
        inside.append(lower[0] <= runs.frame["loss"].iloc[12] <= upper[0])
    assert abs(np.mean(inside) - 0.9) < 0.04  # 2.7 standard errors


def test_a_row_of_weight_four_counts_as_four_runs():
    runs = sweep(plane, 12, noise=0.02)
    heavy = sb.Runs(runs.frame.assign(weight=[4.0] + 11 * [1.0]))
    repeated = sb.Runs(pd.concat([runs.frame, *3 * [runs.frame.iloc[:1]]]))
    one, four = (LogLinearLeastSquares().fit(each, seed=1).line for each in (heavy, repeated))
    assert one.slopes == pytest.approx(four.slopes, rel=1e-10)


def test_the_broken_law_recovers_a_break():
    fitted = BrokenLaw().fit(curve(broken, 60))
    assert fitted.covariate == "tokens"
    true = {"a": 1.0, "b": 30.0, "c0": 0.1, "c1": 0.25, "d1": 2e9, "f1": 0.4}
    assert fitted.best == pytest.approx(true, rel=0.02)
    beyond = table(np.array([1e8]), np.array([1e13]), 1.0)
    assert fitted.forecast(beyond).mean_curve.values == pytest.approx(broken(1e13), rel=1e-3)
    noisy = BrokenLaw().fit(curve(broken, 60, noise=0.003, seed=1)).best
    assert noisy["d1"] == pytest.approx(2e9, rel=0.5)


def test_the_broken_law_takes_compute_where_both_sizes_vary(simulate):
    assert BrokenLaw().fit(simulate(40)).covariate == "flops"
    assert BrokenLaw(covariate="n_params").fit(simulate(40)).covariate == "n_params"


def test_the_slopes_of_the_broken_law_are_its_derivatives():
    log_x = np.linspace(-4, 4, 9)
    theta = np.array([0.1, 0.7, 0.2, -0.3, 0.5, -0.6])
    numerical = np.column_stack(
        [
            (_broken._log_loss(theta + step, log_x) - _broken._log_loss(theta - step, log_x)) / 2e-6
            for step in 1e-6 * np.eye(6)
        ]
    )
    np.testing.assert_allclose(_broken._slopes(theta, log_x), numerical, atol=1e-8)


def test_the_last_slope_is_exact_on_a_pure_power_law(far):
    fitted = LastSlope().fit(sweep(plane))
    assert fitted.line.slopes == pytest.approx({"n_params": -0.06, "tokens": -0.09})
    expected = np.exp(plane(np.log(far.frame["n_params"]), np.log(far.frame["tokens"])))
    forecast = fitted.forecast(far, seed=1)
    for of in ("mean_curve", "new_run"):
        np.testing.assert_allclose(forecast.draws(of)[0, 0], expected, rtol=1e-9)
    on_curve = LastSlope().fit(curve(lambda tokens: 50 * tokens**-0.12))
    assert on_curve.line.slopes == pytest.approx({"tokens": -0.12})


def test_the_last_slope_reads_the_last_decade_only():
    bent = curve(lambda tokens: 50 * np.minimum(tokens**-0.12, 1e9**0.08 * tokens**-0.2), 31)
    assert LastSlope().fit(bent).line.slopes == pytest.approx({"tokens": -0.2})
    assert len(LastSlope(decades=0.5).fit(bent).noise.residuals) == 6
    assert len(LastSlope(decades=0.01).fit(bent).noise.residuals) == 4


def test_runs_of_one_compute_do_not_determine_slopes_and_lower_levels_are_added():
    n_params = np.tile(np.logspace(7, 9, 5), 3)
    flops = np.repeat([1e18, 1e20, 1e22], 5)
    tokens = flops / (6 * n_params)
    runs = table(n_params, tokens, np.exp(plane(np.log(n_params), np.log(tokens))))
    fitted = LastSlope().fit(runs)
    assert len(fitted.noise.residuals) == 10
    assert fitted.line.slopes == pytest.approx({"n_params": -0.06, "tokens": -0.09})
    with pytest.raises(IdentifiabilityError, match="vary together"):
        LastSlope().fit(runs.where("flops > 1e21"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HuberBootstrap(n_resamples=1), "n_resamples is 1"),
        (lambda: HuberBootstrap(n_resamples=True), "n_resamples is True"),
        (lambda: HuberBootstrap(delta=0.0), r"delta is 0\.0"),
        (lambda: HuberBootstrap(law=Kaplan()), r"Kaplan\(\).*no outer exponent"),
        (lambda: HuberBootstrap(law=Coupled()), r"Coupled\(\).*Additive"),
        (lambda: HuberBootstrap(law="chinchilla"), "'chinchilla'"),
        (lambda: LogLinearLeastSquares(n_draws=2.5), r"n_draws is 2\.5"),
        (lambda: BrokenLaw(covariate="steps"), "covariate is 'steps'"),
        (lambda: LastSlope(decades=-1), "decades is -1"),
    ],
)
def test_an_option_out_of_range_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", FORECASTERS)
def test_runs_that_do_not_vary_are_refused(name):
    same = table(np.full(20, 1e9), np.full(20, 1e10), np.linspace(2, 2.1, 20))
    with pytest.raises(IdentifiabilityError, match="DataFrame"):
        FORECASTERS[name].fit(same, seed=1)


@pytest.mark.parametrize("name", FORECASTERS)
def test_too_few_runs_are_refused(name, simulate):
    with pytest.raises(IdentifiabilityError, match="Add runs"):
        FORECASTERS[name].fit(simulate(2), seed=1)


def test_one_model_size_does_not_identify_both_terms():
    with pytest.raises(IdentifiabilityError, match="n_params goes only from"):
        HuberBootstrap().fit(curve(offset_power), seed=1)


def test_an_optimiser_that_fails_is_an_error(simulate, monkeypatch):
    monkeypatch.setattr(_power_terms, "_OPTIONS", {"maxiter": 1})
    with pytest.raises(ConvergenceError, match="20 of 20 starts on the 40 runs"):
        HuberBootstrap().fit(simulate(40), seed=1)
    failed = SimpleNamespace(status=0, cost=1.0, x=np.ones(6))
    monkeypatch.setattr(scipy.optimize, "least_squares", lambda *_args, **_options: failed)
    with pytest.raises(ConvergenceError, match="18 starts on the 40 runs"):
        BrokenLaw().fit(simulate(40))


def test_reprs_name_every_option():
    default = "HuberBootstrap(law='chinchilla', n_resamples=300, delta=0.001)"
    assert repr(HuberBootstrap()) == default
    laws = [PowerLaw("tokens"), PowerLaw("flops"), PurePowerLaw("tokens")]
    assert len({repr(HuberBootstrap(law=law)) for law in laws}) == 3
    assert repr(LastSlope()) == "LastSlope(decades=1.0, n_draws=1000)"
    assert repr(BrokenLaw()) == "BrokenLaw(covariate=None, n_draws=1000)"
    assert HuberBootstrap(law=Chinchilla()) == HuberBootstrap()
    assert HuberBootstrap(law=Additive()) != HuberBootstrap()


def test_the_noise_draws_every_residual():
    noise = ResampledResiduals(np.array([-0.1, 0.2]))
    import xarray as xr

    drawn = noise.sample(xr.DataArray(np.zeros(100)), None, np.random.default_rng(0), weight=4.0)
    assert set(np.unique(drawn)) == {-0.05, 0.1}
