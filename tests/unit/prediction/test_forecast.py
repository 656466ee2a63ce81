from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scaling_bayes as sb
from scaling_bayes.errors import InputError, UnitError

N = np.logspace(8, 11, 7)
D = np.logspace(10, 12, 7)
ALL = ("chain", "draw")


def test_the_mean_curve_is_the_law_at_each_draw(fit):
    forecast = fit.forecast(n_params=N, tokens=D)
    assert forecast.mean_curve.sizes == {"chain": 4, "draw": 1000, "point": 7}
    p = {name: values.to_numpy()[2, 17] for name, values in fit.draws.items()}
    expected = fit.law.loss(SimpleNamespace(**p), SimpleNamespace(n_params=N, tokens=D))
    np.testing.assert_allclose(forecast.mean_curve[2, 17], expected, rtol=1e-14)


def test_many_points_at_once_are_the_same_as_one_by_one(fit):
    together = fit.forecast(n_params=N, tokens=D).mean_curve
    for i in range(len(N)):
        alone = fit.forecast(n_params=N[i], tokens=D[i]).mean_curve
        np.testing.assert_array_equal(together.isel(point=[i]), alone)


def test_any_two_sizes_units_tables_and_runs_give_the_same_points(fit):
    expected = fit.forecast(n_params=[7e9, 70e9], tokens=[1e12, 1.4e12])
    flops = [6 * 7e9 * 1e12, 6 * 70e9 * 1.4e12]
    frame = pd.DataFrame({"n_params": ["7B", "70B"], "tokens": ["1T", "1.4T"], "loss": 2.0})
    for forecast in (
        fit.forecast(n_params=["7B", "70B"], tokens=["1T", "1.4T"]),
        fit.forecast(n_params=[7e9, 70e9], flops=flops),
        fit.forecast(flops=flops, tokens=[1e12, 1.4e12]),
        fit.forecast(frame[["n_params", "tokens"]]),
        fit.forecast(sb.read_runs(frame)),
    ):
        np.testing.assert_allclose(forecast.mean_curve, expected.mean_curve, rtol=1e-12)
        np.testing.assert_allclose(forecast.points["flops"], flops, rtol=1e-12)


def test_one_size_serves_all_points(fit):
    forecast = fit.forecast(n_params="1B", tokens=D)
    assert set(forecast.points["n_params"].to_numpy()) == {1e9}
    assert forecast.mean_curve.sizes["point"] == len(D)


def test_loss_falls_with_size_in_every_draw(fit):
    curve = fit.forecast(n_params=N, tokens=1e11).mean_curve
    assert (curve.diff("point") < 0).all()


def test_a_new_run_scatters_around_the_mean_curve_by_the_fitted_noise(fit):
    forecast = fit.forecast(n_params=N, tokens=D, seed=1)
    z = np.log(forecast.new_run / forecast.mean_curve) / fit.noise_draws["sigma"]
    nu = fit.noise_draws["nu"].broadcast_like(z).transpose(*z.dims)
    uniform = stats.t.cdf(z, nu)
    for point in range(len(N)):
        assert stats.kstest(uniform[..., point].ravel(), "uniform").pvalue > 1e-3


def test_a_new_run_is_less_certain_than_the_mean_curve(fit):
    forecast = fit.forecast(n_params="1B", tokens="20B", seed=1)
    widths = {
        of: float(forecast.interval(of=of).diff("bound").item()) for of in ("mean_curve", "new_run")
    }
    assert widths["new_run"] > widths["mean_curve"] > 0


def test_a_seed_repeats_new_runs_and_leaves_the_mean_curve_alone(fit):
    first, again, other = (fit.forecast(n_params=N, tokens=D, seed=seed) for seed in (1, 1, 2))
    assert first.new_run.equals(again.new_run)
    assert not first.new_run.equals(other.new_run)
    assert first.mean_curve.equals(other.mean_curve)


@pytest.mark.parametrize("of", ["mean_curve", "new_run"])
@pytest.mark.parametrize("kind", ["equal-tailed", "hdi"])
def test_an_interval_holds_the_probability_it_names(fit, of, kind):
    forecast = fit.forecast(n_params=N, tokens=D, seed=1)
    lower, upper = forecast.interval(prob=0.8, of=of, kind=kind)
    draws = forecast.draws(of)
    inside = ((draws >= lower) & (draws <= upper)).mean(ALL)
    np.testing.assert_allclose(inside, 0.8, atol=0.002)


def test_probability_below_is_the_share_of_draws_below(fit):
    forecast = fit.forecast(n_params=N, tokens=D, seed=1)
    target = float(forecast.mean_curve.isel(point=3).median())
    below = forecast.probability_below(target, of="mean_curve")
    np.testing.assert_allclose(below, (forecast.mean_curve < target).mean(ALL))
    assert below[3] == pytest.approx(0.5, abs=1e-3)
    assert below[0] == 0
    assert below[-1] == 1
    new_run = forecast.probability_below(target)
    np.testing.assert_allclose(new_run, (forecast.new_run < target).mean(ALL))


def test_a_published_law_forecasts_the_mean_curve_only(truth):
    forecast = sb.forecast(truth, n_params="70B", tokens="1.4T")
    expected = 1.81686 + 482.006 / 70e9**0.34781 + 2085.434 / 1.4e12**0.36585
    assert forecast.mean_curve.item() == pytest.approx(expected, rel=1e-12)
    assert forecast.new_run is None
    for call in (forecast.interval, lambda: forecast.probability_below(2.0)):
        with pytest.raises(InputError, match=r"besiroglu2024 has no noise.*of='mean_curve'"):
            call()
    assert "new_run_lower" not in forecast.to_frame()


def test_the_frame_has_a_row_a_point_and_ordered_bounds(fit):
    frame = fit.forecast(n_params=N, tokens=D, seed=1).to_frame(prob=0.5)
    np.testing.assert_array_equal(frame["n_params"], N)
    np.testing.assert_allclose(frame["flops"], 6 * N * D, rtol=1e-12)
    for of in ("mean_curve", "new_run"):
        assert (frame[f"{of}_lower"] < frame["loss"]).all()
        assert (frame["loss"] < frame[f"{of}_upper"]).all()


def test_it_prints_sizes_for_people_and_says_what_the_intervals_are(fit):
    text = repr(fit.forecast(n_params="70B", tokens="1.4T"))
    assert "70B" in text
    assert "1.4T" in text
    assert "90% equal-tailed interval" in text
    assert "mean_curve_lower" in text
    assert "new_run_upper" in text


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ({}, InputError, "give at least one of n_params, tokens, flops"),
        ({"n_params": 1e9}, InputError, "chinchilla needs tokens of every point"),
        ({"n_params": [1e9, 2e9], "tokens": [1e9, 2e9, 3e9]}, InputError, "different lengths"),
        ({"n_params": -1e9, "tokens": 1e10}, UnitError, "-1"),
        ({"n_params": "7 bananas", "tokens": 1e10}, UnitError, "bananas"),
        ({"n_params": np.nan, "tokens": 1e10}, UnitError, "nan"),
        ({"points": pd.DataFrame({"loss": [2.0]})}, InputError, "give at least one of"),
        ({"points": pd.DataFrame({"n_params": [1e9]}), "tokens": 1e10}, InputError, "not both"),
    ],
)
def test_points_that_cannot_be_used_are_refused(fit, points, error, message):
    with pytest.raises(error, match=message):
        fit.forecast(**points)


def test_questions_that_cannot_be_answered_are_refused(fit):
    forecast = fit.forecast(n_params="1B", tokens="20B")
    with pytest.raises(InputError, match="of is 'loss'; take 'mean_curve' or 'new_run'"):
        forecast.draws("loss")
    with pytest.raises(InputError, match=r"prob is 90; an interval needs a probability"):
        forecast.interval(prob=90)
    with pytest.raises(InputError, match="kind 'central' is unknown"):
        forecast.interval(kind="central")


def test_three_sizes_are_one_too_many(fit):
    with pytest.raises(InputError, match="give two of"):
        fit.forecast(n_params=1e9, tokens=1e10, flops=1e25)


@pytest.mark.parametrize("values", [[], [[1e9, 2e9]]])
def test_no_points_or_points_of_two_dimensions_are_refused(fit, values):
    with pytest.raises(InputError, match="n_params has the shape"):
        fit.forecast(n_params=values, tokens=1e10)


def test_a_source_that_knows_of_no_discrepancy_forecasts(fit):
    names = ("label", "law", "draws", "noise", "noise_draws", "flops_per_param_token")
    bare = SimpleNamespace(**{name: getattr(fit, name) for name in names})
    forecast = sb.forecast(bare, n_params=N, tokens=D, seed=1)
    assert forecast.new_run.equals(fit.forecast(n_params=N, tokens=D, seed=1).new_run)


def test_rows_that_are_means_of_runs_are_forecast_as_such(fit, simulate):
    frame = simulate(30, seed=4).frame
    single = fit.forecast(sb.read_runs(frame), seed=1).interval()
    mean = fit.forecast(sb.read_runs(frame.assign(weight=400.0)), seed=1).interval()
    assert (mean.diff("bound") < single.diff("bound")).all()


def test_the_probability_of_an_interval_goes_by_its_place_everywhere(fit):
    asked = [
        fit.forecast(n_params="1B", tokens="20B", seed=1).interval,
        fit.compute_to_reach(2.5).interval,
        partial(fit.allocate(flops="1e21").interval, "n_params"),
        partial(sb.diagnose_run(fit, fit.runs).interval, "excess"),
    ]
    for interval in asked:
        np.testing.assert_array_equal(interval(0.5), interval(prob=0.5))
        assert not np.array_equal(interval(0.5), interval(0.8))
