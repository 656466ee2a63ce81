"""The valley of compute-optimal sizes goes on straight beyond the runs."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import scaling_bayes as sb
from scaling_bayes._best_allocation import optimum
from scaling_bayes._draws import law_loss, mean_loss, point_dataset
from scaling_bayes._straight_line import carried_on

AMONG = np.linspace(41.0, 46.0, 6)
BEYOND = 46.0 + np.log([1.5, 10.0, 100.0])


def line(slope: float, sd: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    return 3.0 + slope * (AMONG - 46.0) + sd * rng.standard_normal((4000, len(AMONG)))


@pytest.mark.parametrize("slope", [0.4, 0.55, 0.7])
def test_a_straight_line_goes_on_and_is_less_certain_the_farther(slope):
    mean, sd = carried_on(line(slope, 0.02), AMONG, BEYOND)
    assert (np.abs(mean - 3.0 - slope * (BEYOND - 46.0)) < 1.5 * sd).all()
    assert (np.diff(sd) > 0).all()
    assert sd[0] < 0.2
    assert sd[-1] > 0.5


def test_the_prior_of_the_slope_counts_where_the_runs_tell_little():
    vague, _ = carried_on(line(0.9, 1.0), AMONG, BEYOND)
    sure, _ = carried_on(line(0.9, 0.01), AMONG, BEYOND)
    slopes = [(mean[-1] - mean[0]) / (BEYOND[-1] - BEYOND[0]) for mean in (vague, sure)]
    assert 0.5 < slopes[0] < slopes[1] < 0.95


def test_a_line_moves_with_its_places():
    mean, sd = carried_on(line(0.5, 0.05), AMONG, BEYOND)
    moved, same = carried_on(line(0.5, 0.05) + 7.0, AMONG + 2.0, BEYOND + 2.0)
    np.testing.assert_allclose(moved, mean + 7.0, atol=1e-8)
    np.testing.assert_allclose(same, sd, atol=1e-8)


def along(fit: sb.Fit, flops: float, n: int = 7) -> xr.Dataset:
    n_params = np.sqrt(flops / 6) * np.geomspace(0.01, 0.3, n)
    tokens = flops / (6 * n_params)
    return point_dataset({"n_params": n_params, "tokens": tokens, "flops": np.full(n, flops)})


def test_among_the_runs_the_law_stands_where_it_is(smooth_fit):
    points = along(smooth_fit, smooth_fit.runs.frame["flops"].max() / 2)
    by_law = law_loss(smooth_fit, points)
    expected = by_law * np.exp(smooth_fit.discrepancy_draws.at(points))
    xr.testing.assert_allclose(mean_loss(smooth_fit, points), expected, rtol=1e-12)


@pytest.mark.parametrize("factor", [3.0, 30.0])
def test_beyond_them_minima_lie_as_the_line_has_them(smooth_fit, factor):
    largest = smooth_fit.runs.frame["flops"].max()
    sizes = smooth_fit.discrepancy_draws.landmarks
    log_c = np.log(6 * sizes["n_params"] * sizes["tokens"])
    among = np.linspace(np.quantile(log_c, 0.2), log_c.max(), 6)

    def log_n_star(log_flops: np.ndarray) -> np.ndarray:
        budgets = xr.DataArray(np.exp(log_flops), dims="budget")
        found = optimum(smooth_fit, budgets)["n_params"].transpose("chain", "draw", "budget")
        return np.log(found.to_numpy().reshape(-1, len(log_flops)))

    mean, sd = carried_on(log_n_star(among), among, np.log([factor * largest]))
    low, middle, high = np.quantile(log_n_star(np.log([factor * largest])), [0.05, 0.5, 0.95])
    assert middle == pytest.approx(mean[0], abs=0.1 * sd[0] + 0.05)
    assert high - low == pytest.approx(2 * norm.ppf(0.95) * sd[0], rel=0.15)


def test_moving_the_law_leaves_its_best_losses(smooth_fit):
    flops = 20 * smooth_fit.runs.frame["flops"].max()
    points = along(smooth_fit, flops, n=400)
    shift = np.exp(smooth_fit.discrepancy_draws.at(points))
    moved, stands = mean_loss(smooth_fit, points) / shift, law_loss(smooth_fit, points)
    inside = (moved.argmin("point") % 399 > 0) & (stands.argmin("point") % 399 > 0)
    difference = np.abs(moved.min("point") - stands.min("point"))
    assert inside.mean() > 0.5
    assert float(difference.where(inside).max()) < 2e-4


def test_a_law_alone_is_not_moved(plain_fit):
    assert plain_fit.valley is None
