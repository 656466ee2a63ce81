from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._prediction.straight_valley import carried_on, with_straight_valley
from scaling_bayes.discrepancy import DiscrepancyDraws, Smooth

AMONG = np.linspace(np.log(1e18), np.log(1e20), 6)
BEYOND = np.log([1e21, 1e22, 1e24])


def carried(log_n: np.ndarray) -> np.ndarray:
    return carried_on(log_n, AMONG, BEYOND, np.random.default_rng(0))


def around(line: np.ndarray, sd: float, n_draws: int = 4000) -> np.ndarray:
    return line + sd * np.random.default_rng(1).standard_normal((n_draws, len(line)))


@pytest.mark.parametrize("growth", [0.45, 0.52, 0.6])
def test_sizes_that_grow_as_a_power_go_on_so_and_are_less_known_farther_away(growth):
    line = 20 + growth * (AMONG - AMONG[0])
    drawn = carried(around(line, 0.01))
    straight = 20 + growth * (BEYOND - AMONG[0])
    spread = drawn.std(axis=0)
    assert np.all(np.diff(spread) > 0)
    assert np.all(np.abs(drawn.mean(axis=0) - straight) < 1.5 * spread)
    assert spread[0] < 0.5


def test_sizes_that_are_hardly_known_grow_as_those_of_other_sweeps():
    drawn = carried(around(np.full(6, 20.0), 3.0))
    growth = (drawn[:, -1] - drawn[:, 0]) / (BEYOND[-1] - BEYOND[0])
    assert growth.mean() == pytest.approx(0.52, abs=0.03)


def test_each_draw_is_carried_on_from_its_own_sizes():
    level = np.random.default_rng(2).standard_normal((4000, 1))
    drawn = carried(20 + 0.52 * (AMONG - AMONG[-1]) + level)
    assert np.corrcoef(level[:, 0], drawn[:, 0])[0, 1] > 0.8


def test_a_draw_at_the_end_of_all_sizes_pulls_the_others_nowhere():
    known = around(20 + 0.52 * (AMONG - AMONG[0]), 0.05)
    far = known.copy()
    far[0] = 2.0
    np.testing.assert_allclose(carried(far)[1:], carried(known)[1:], atol=0.02)


def bare(fit: sb.Fit) -> DiscrepancyDraws:
    found = fit.discrepancy_draws
    assert found is not None
    return DiscrepancyDraws(found.discrepancy, found.draws, found.landmarks)


class AsTheRunsLeaveIt:
    """A fit whose discrepancy is as the runs leave it."""

    def __init__(self, fit: sb.Fit) -> None:
        self._fit, self.discrepancy_draws = fit, bare(fit)

    def __getattr__(self, name: str) -> object:
        return getattr(self._fit, name)


def log_optima(source: object, flops: list[float]) -> np.ndarray:
    optimum = sb.allocate(source, flops=flops).optimum["n_params"]
    return np.log(optimum.transpose("chain", "draw", "budget").to_numpy()).reshape(-1, len(flops))


def test_at_the_landmarks_the_functions_stay_and_far_beyond_they_change(default_fit):
    known, straight = bare(default_fit), default_fit.discrepancy_draws
    at_runs = xr.Dataset({name: ("point", sizes) for name, sizes in known.landmarks.items()})
    np.testing.assert_allclose(straight.at(at_runs), known.at(at_runs), rtol=0, atol=1e-10)
    n_params = ("point", np.array([1e11]))
    far = xr.Dataset({"n_params": n_params, "tokens": ("point", np.array([1e11]))})
    assert float(np.abs(straight.at(far) - known.at(far)).mean()) > 1e-4


def test_beyond_the_runs_the_smallest_loss_lies_on_a_line(default_fit):
    largest = float(default_fit.runs.frame["flops"].max())
    budgets = [largest, *(10.0**step * largest for step in (1, 2, 3))]
    off = {}
    for name, source in (("line", default_fit), ("bare", AsTheRunsLeaveIt(default_fit))):
        log_n = log_optima(source, budgets)
        # How far N* lies from the straight line between the largest run and 1000 times that.
        risen = (log_n[:, -1] - log_n[:, 0])[:, None]
        middle = log_n[:, :1] + risen * np.array([1 / 3, 2 / 3])
        off[name] = np.sqrt(np.mean((log_n[:, 1:3] - middle) ** 2))
    assert off["line"] < 0.6
    assert off["line"] < 0.7 * off["bare"]


def test_the_slope_of_the_loss_at_the_place_of_its_minimum_is_none(default_fit):
    flops = 100 * float(default_fit.runs.frame["flops"].max())
    log_n = np.median(log_optima(default_fit, [flops])[:, 0])
    sizes = np.exp(log_n + np.array([-2.0, 0.0, 2.0]))
    curve = default_fit.forecast(n_params=sizes, flops=flops, seed=0).mean_curve
    above = (curve - curve.isel(point=1)).transpose("point", ...).to_numpy().reshape(3, -1)
    assert np.mean(above[[0, 2]] > 0) > 0.95


def test_laws_and_discrepancies_that_have_no_valley_stay_as_they_are(default_fit, compute_fit):
    class Own(Smooth):
        name = "own"

    found, runs = bare(default_fit), default_fit.runs
    own = replace(found, discrepancy=Own())
    assert with_straight_valley(own, default_fit.law, default_fit.draws, runs) is own
    assert type(compute_fit.discrepancy_draws) is DiscrepancyDraws
    reads_more = sb.laws.DataConstrained()
    assert with_straight_valley(found, reads_more, default_fit.draws, runs) is found


@pytest.mark.parametrize(("name", "value"), [("N_c", 1e300), ("N_c", 1e-300), ("alpha_N", 1e-6)])
def test_a_draw_of_an_absurd_law_spoils_no_other(default_fit, name, value):
    draws = default_fit.draws.copy(deep=True)
    draws[name][0, 0] = value
    strange = with_straight_valley(bare(default_fit), default_fit.law, draws, default_fit.runs)
    usual = default_fit.discrepancy_draws
    sizes = {"n_params": [1e9, 1e10], "tokens": [1e11, 1e12]}
    far = xr.Dataset({size: ("point", np.array(values)) for size, values in sizes.items()})
    shift, before = strange.at(far), usual.at(far)
    assert np.isfinite(shift).all()
    assert float(np.abs(shift - before).median()) < 1e-3


def test_the_same_question_has_the_same_answer(default_fit):
    asked = {"flops": 1e23, "n_params": 1e10, "seed": 1}
    first = default_fit.forecast(**asked).mean_curve
    again = replace(default_fit).forecast(**asked).mean_curve
    np.testing.assert_array_equal(first, again)
