from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

import scaling_bayes as sb
from scaling_bayes._prediction.best_allocation import optimum
from scaling_bayes.errors import InputError, NoOptimumError

ALL = ("chain", "draw")


def test_a_power_law_in_compute_has_a_closed_form(prior_source):
    """L = L_inf + (C_c/C)^alpha is t at C = C_c (t - L_inf)^(-1/alpha)."""
    source = prior_source(sb.laws.PowerLaw("flops"), draws=500)
    targets = np.array([1.0, 2.0, 3.0])
    reached = sb.compute_to_reach(source, targets.tolist()).flops
    p = source.draws
    reducible = reached.copy(data=np.broadcast_to(targets, reached.shape)) - p["L_inf"]
    exact = p["C_c"] * reducible.where(reducible > 0) ** (-1 / p["alpha_C"])
    inside = (exact > 1e10) & (exact < 1e45)
    assert inside.mean() > 0.3
    np.testing.assert_allclose((reached / exact).where(inside, 1.0), 1.0, rtol=1e-10)
    assert np.isinf(reached.where(reducible <= 0)).sum() == (reducible <= 0).sum()
    assert np.isinf(reached.where(exact > 1e45)).sum() == (exact > 1e45).sum()


@pytest.mark.parametrize("make", [sb.laws.Chinchilla, sb.laws.Kaplan, sb.laws.Coupled])
def test_the_optimum_at_that_compute_has_the_target_loss(prior_source, make):
    source = prior_source(make(), draws=500)
    targets = np.array([2.0, 2.5, 4.0])
    reached = sb.compute_to_reach(source, targets.tolist()).flops
    inside = (reached > 1.01e10) & np.isfinite(reached)
    assert (inside.mean(ALL) > 0.1).all()
    loss = optimum(source, reached.where(inside, 1e20))["loss"]
    np.testing.assert_allclose((loss / targets).where(inside, 1.0), 1.0, rtol=1e-9)


def test_an_independent_search_finds_the_same_compute(truth):
    """Along N = G C^a the loss is that of a one-dimensional function, solved by a spline."""
    flops = np.geomspace(1e20, 1e25, 500)
    loss = sb.allocate(truth, flops=flops).optimum["loss"].to_numpy().ravel()
    for target in (2.2, 2.0):
        expected = np.exp(CubicSpline(-loss, np.log(flops))(-target))
        reached = sb.compute_to_reach(truth, target).flops.item()
        assert reached == pytest.approx(expected, rel=1e-6)


def test_a_target_at_or_below_the_irreducible_loss_is_never_reached(fit):
    floor = fit.draws["L_inf"]
    targets = [float(floor.min()) - 0.01, float(floor.median()), float(floor.max()) + 0.05]
    reach = fit.compute_to_reach(targets)
    below = (floor >= reach.flops.copy(data=np.broadcast_to(targets, reach.flops.shape))).mean(ALL)
    assert reach.probability_never[0] == 1
    assert reach.probability_never[-1] == 0
    assert (reach.probability_never >= below).all()
    # Above the floor by so little that 1e45 FLOPs do not do counts as never, too.
    np.testing.assert_allclose(reach.probability_never, below, atol=0.01)


def test_a_lower_loss_takes_more_compute_in_every_draw(fit):
    flops = fit.compute_to_reach([2.6, 2.4, 2.2, 2.0]).flops
    assert (flops.diff("target") > 0).all()


def test_one_target_is_the_same_as_among_others(fit):
    together = fit.compute_to_reach([2.4, 2.2]).flops
    np.testing.assert_array_equal(together.isel(target=[1]), fit.compute_to_reach(2.2).flops)


def test_table_and_words_say_never(fit):
    low = float(fit.draws["L_inf"].min()) - 0.01
    reach = fit.compute_to_reach([2.3, low])
    frame = reach.to_frame(prob=0.5)
    assert (frame["flops_lower"] <= frame["flops"]).all()
    assert np.isinf(frame["flops_upper"][1])
    assert frame["probability_never"].tolist() == [0.0, 1.0]
    assert "90% equal-tailed interval" in repr(reach)
    assert f"loss {low:g}: never [never, never], never with probability 1.00" in repr(reach)


def test_it_says_that_it_is_of_the_mean_of_runs(fit, thin_fit, truth):
    assert "90% equal-tailed interval of the mean of runs\n" in repr(fit.compute_to_reach(2.3))
    assert "of unknown uncertainty\n" in repr(sb.compute_to_reach(truth, 2.3))
    for source in (thin_fit, sb.average({"with": thin_fit, "without": fit})):
        text = repr(sb.compute_to_reach(source, 2.3))
        assert "90% equal-tailed interval of the mean of runs\n" in text


@pytest.mark.parametrize("target", [2.6, 2.3])
def test_with_discrepancy_the_best_forecast_at_that_compute_has_the_target_loss(thin_fit, target):
    reached = thin_fit.compute_to_reach(target).flops.isel(target=0)
    for one in ({"chain": 0, "draw": 3}, {"chain": 2, "draw": 71}, {"chain": 3, "draw": 98}):
        flops = float(reached.isel(one))
        n_params = np.sqrt(flops / 120) * np.geomspace(0.05, 20, 301)
        lowest = {}
        for factor in (0.7, 1.0, 1.3):
            curve = thin_fit.forecast(n_params=n_params, flops=factor * flops).mean_curve
            lowest[factor] = float(curve.isel(one).min())
        assert lowest[1.0] == pytest.approx(target, abs=5e-4)
        assert lowest[1.3] < target < lowest[0.7]


def test_with_discrepancy_a_law_in_compute_reaches_where_its_forecast_does(compute_fit):
    flops = np.geomspace(1e17, 1e23, 601)
    curve = compute_fit.forecast(flops=flops).mean_curve.transpose("point", ...)
    lowest = np.minimum.accumulate(curve.to_numpy(), axis=0).reshape(len(flops), -1)
    for target in (2.6, 2.3):
        reached = compute_fit.compute_to_reach(target).flops.to_numpy().ravel()
        first = (lowest > target).sum(axis=0)
        inside = (first > 0) & (first < len(flops))
        assert inside.mean() > 0.9
        off = np.log(reached[inside] / flops[first[inside]])
        assert np.quantile(np.abs(off), 0.99) < 0.05


@pytest.mark.parametrize("target", [0.0, -1.0, np.nan, np.inf, [2.0, -2.0]])
def test_a_target_that_is_no_loss_is_refused(truth, target):
    with pytest.raises(InputError, match="target losses must be positive"):
        sb.compute_to_reach(truth, target)


@pytest.mark.parametrize("size", ["n_params", "tokens"])
def test_a_law_of_one_size_says_nothing_of_compute(prior_source, size):
    source = prior_source(sb.laws.PowerLaw(size), draws=4)
    with pytest.raises(NoOptimumError, match=f"reads {size} alone, so it says nothing of compute"):
        sb.compute_to_reach(source, 2.0)
