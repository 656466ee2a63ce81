"""Forecasts of more points, and allocations of more budgets, than are held at once."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._prediction import allocate as _allocation
from scaling_bayes._prediction import allocation_parts, forecast_answer
from scaling_bayes._prediction import average as average_module
from scaling_bayes._prediction import forecast as _forecast
from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes._work import blocks
from scaling_bayes.discrepancy import _components
from scaling_bayes.errors import InputError, NoOptimumError

ALL = ("chain", "draw")
N_POINTS = 50


def points_of(n_points):
    rng = np.random.default_rng(5)
    n_params = np.exp(rng.uniform(np.log(1e8), np.log(1e11), n_points))
    return pd.DataFrame({"n_params": n_params, "tokens": n_params * rng.uniform(1, 200, n_points)})


@pytest.fixture(scope="module")
def sources(fit, smooth_fit):
    return {
        "law": fit,
        "smooth": smooth_fit,
        "average": sb.average({"law": fit, "smooth": smooth_fit}),
        "published": sb.laws.Chinchilla.published["besiroglu2024"],
    }


@pytest.fixture
def twenty_at_once(monkeypatch):
    for module in (_forecast, forecast_answer, average_module):
        monkeypatch.setattr(module, "POINTS_AT_ONCE", 20)


@pytest.fixture(params=["law", "smooth", "average", "published"])
def source(request, sources):
    return sources[request.param]


def forecast_of(source, n_points, seed=3):
    ask = (
        source.forecast
        if isinstance(source, sb.Average)
        else lambda *a, **k: sb.forecast(source, *a, **k)
    )
    return ask(points_of(n_points), seed=seed)


def test_summaries_made_in_parts_are_those_of_all_draws_to_the_last_digit(twenty_at_once, source):
    made = forecast_of(source, N_POINTS)
    whole = Forecast(made.label, made.points, made.mean_curve, made.new_run)
    assert [part.n_points for part in made.parts()] == [20, 20, 10]
    pd.testing.assert_frame_equal(made.to_frame(), whole.to_frame(), check_exact=True)
    for of in whole.known:
        xr.testing.assert_identical(made.interval(of=of, prob=0.5), whole.interval(of=of, prob=0.5))
        xr.testing.assert_identical(
            made.probability_below(2.5, of=of), whole.probability_below(2.5, of=of)
        )
    assert made.mean_curve.dims == (*ALL, "point")
    assert made.mean_curve.attrs["units"] == "nats per token"


def test_the_same_seed_gives_the_same_draws_again_and_after_pickling(twenty_at_once, source):
    made, again, other = (forecast_of(source, N_POINTS, seed) for seed in (3, 3, 4))
    one = "new_run" if "new_run" in made.known else "mean_curve"
    xr.testing.assert_identical(made.draws(one), again.draws(one))
    found = pickle.loads(pickle.dumps(made)).parts()[1].draws(one)
    xr.testing.assert_identical(found, made.parts()[1].draws(one))
    if made.new_run is not None:
        assert not made.new_run.equals(other.new_run)


def test_noise_differs_between_parts(twenty_at_once, fit):
    same = pd.DataFrame({"n_params": np.full(60, 1e9), "tokens": np.full(60, 2e10)})
    made = fit.forecast(same, seed=1)
    noise = np.log(made.new_run / made.mean_curve).stack(sample=ALL).to_numpy()
    together = np.corrcoef(noise)[np.triu_indices(60, 1)]
    assert np.abs(together).max() < 0.3


def test_a_discrepancy_is_one_function_over_all_parts(twenty_at_once, smooth_fit):
    far = pd.DataFrame({"n_params": np.full(60, 1e13), "tokens": np.full(60, 2e14)})
    made = smooth_fit.forecast(far, seed=1)
    first, last = (made.mean_curve.isel(point=at) for at in (0, 59))
    assert float(np.abs(first / last - 1).max()) < 1e-4
    alone = smooth_fit.forecast(far.head(1), seed=1).mean_curve
    ratio = np.log(made.mean_curve).std() / np.log(alone).std()
    assert ratio == pytest.approx(1, abs=0.1)


def test_components_are_added_until_little_is_left_over_at_many_places():
    here = np.random.default_rng(0).uniform(0, 3, (900, 2))
    known = _components.Components(sb.discrepancy._smooth.matern52, here[:5])
    enough, few = (known.extended(here, at_most=n, left_over=0.01) for n in (250, 10))
    left_over = 1 - np.sum(enough.at(here) ** 2, axis=1)
    assert left_over.max() <= 0.01
    assert 15 < len(enough.landmarks) < 255
    assert len(few.landmarks) == 15
    np.testing.assert_array_equal(few.landmarks, enough.landmarks[:15])


def test_few_of_many_points_are_shown(twenty_at_once, source):
    text = repr(forecast_of(source, N_POINTS))
    assert "The first and last 5 of 50 points" in text
    assert len(text.splitlines()) == 13


def test_all_draws_of_too_many_points_are_refused_in_words(twenty_at_once, fit, monkeypatch):
    monkeypatch.setattr(blocks, "MOST_BYTES", 1e6)
    made = fit.forecast(points_of(N_POINTS), seed=1)
    with pytest.raises(InputError, match=r"draws at 50 points would take .* GB .* to_frame\(\)"):
        made.mean_curve  # noqa: B018
    assert len(made.to_frame()) == N_POINTS


def test_missing_covariates_are_noticed_at_once(twenty_at_once, fit, smooth_fit):
    bare = pd.DataFrame({"flops": np.geomspace(1e20, 1e22, N_POINTS)})
    for one in (fit, smooth_fit):
        with pytest.raises(InputError, match="needs n_params and tokens"):
            one.forecast(bare, seed=1)
    with pytest.raises(InputError, match="no noise"):
        forecast_of(sb.laws.Chinchilla.published["besiroglu2024"], N_POINTS).interval()


def test_memory_does_not_grow_with_points(smooth_fit):
    def peak(n_points):
        points = points_of(n_points)
        tracemalloc.start()
        smooth_fit.forecast(points, seed=1).to_frame()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(6000) < 1.1 * peak(2000)


def allocations(source, monkeypatch):
    budgets = np.geomspace(1e20, 1e24, 30)
    whole = sb.allocate(source, flops=budgets)
    for module in (_allocation, allocation_parts):
        monkeypatch.setattr(module, "BUDGETS_AT_ONCE", 8)
    return whole, sb.allocate(source, flops=budgets)


def test_allocations_in_parts_are_those_of_all_draws(source, monkeypatch):
    whole, made = allocations(source, monkeypatch)
    assert [len(part.flops) for part in made.parts()] == [8, 8, 8, 6]
    xr.testing.assert_identical(made.optimum, whole.optimum)
    xr.testing.assert_identical(made.interval("tokens"), whole.interval("tokens"))
    # Where the search for the recommended size starts depends on the other budgets.
    xr.testing.assert_allclose(made.recommended, whole.recommended, rtol=1e-5, atol=1e-9)
    xr.testing.assert_allclose(made.valley(), whole.valley(), rtol=1e-5)
    xr.testing.assert_identical(made.loss_given_up("7B"), whole.loss_given_up("7B"))
    pd.testing.assert_frame_equal(made.to_frame(), whole.to_frame(), rtol=1e-5, atol=1e-9)
    assert "The first and last 3 of 30 budgets" in repr(made)


def test_laws_without_an_optimum_are_refused_at_once(monkeypatch, runs, quiet):
    monkeypatch.setattr(_allocation, "BUDGETS_AT_ONCE", 8)
    fit = sb.fit(runs, sb.laws.PowerLaw("flops"), settings=quiet, seed=1, discrepancy=None)
    with pytest.raises(NoOptimumError, match="reads flops alone"):
        fit.allocate(flops=np.geomspace(1e20, 1e24, 30))
