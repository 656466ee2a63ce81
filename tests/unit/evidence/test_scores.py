from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from scaling_bayes._evidence.scores import crps, interval_score, log_score, pit
from scaling_bayes.errors import InputError

MEAN, SD = 1.0, 0.3
OBSERVED = np.array([0.1, 0.7, 1.0, 1.4, 2.5])
FINITE = st.floats(-100, 100, width=32)


@pytest.fixture(scope="module")
def normal_draws() -> np.ndarray:
    """Return evenly spaced quantiles of a Normal, which have its scores without the chance."""
    draws = stats.norm.ppf((np.arange(4000) + 0.5) / 4000, MEAN, SD)
    return np.repeat(draws[:, None], len(OBSERVED), axis=1)


def brute_force_crps(draws: np.ndarray, observed: float, n_pairs: int) -> float:
    spread = np.abs(draws[:, None] - draws[None]).sum() / max(n_pairs, 1)
    return np.abs(draws - observed).mean() - spread / 2


def test_the_crps_of_a_normal_is_the_closed_form(normal_draws):
    """Gneiting & Raftery 2007, equation 5 of section 4.2."""
    z = (OBSERVED - MEAN) / SD
    expected = SD * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(crps(normal_draws, OBSERVED), expected, atol=1e-3)


@given(arrays(np.float64, st.integers(1, 12), elements=FINITE), FINITE)
def test_the_crps_is_that_of_all_pairs_of_draws(draws, observed):
    n = len(draws)
    for estimator, n_pairs in (("fair", n * (n - 1)), ("ordinary", n * n)):
        found = crps(draws[:, None], np.array([observed]), estimator=estimator)
        assert found == pytest.approx(brute_force_crps(draws, observed, n_pairs), abs=1e-9)


def test_the_fair_crps_does_not_depend_on_the_number_of_draws():
    rng = np.random.default_rng(2)
    observed = rng.normal(size=200_000)
    few = crps(rng.normal(size=(4, len(observed))), observed)
    error = few.std() / np.sqrt(len(few))
    assert few.mean() == pytest.approx(1 / np.sqrt(np.pi), abs=4 * error)


def test_the_crps_of_a_point_forecast_is_the_absolute_error():
    observed = np.array([1.0, 2.0])
    np.testing.assert_allclose(crps(np.array([[1.5, 1.5]]), observed), [0.5, 0.5])
    np.testing.assert_allclose(crps(np.full((5, 2), 1.5), observed), [0.5, 0.5])


def test_an_infinite_draw_makes_the_crps_infinite_and_no_other_score():
    draws = np.random.default_rng(3).normal(size=(1000, 2))
    draws[7, 0] = np.inf
    observed = np.zeros(2)
    np.testing.assert_array_equal(np.isinf(crps(draws, observed)), [True, False])
    assert np.isfinite(log_score(draws, observed)).all()
    np.testing.assert_allclose(pit(draws, observed), 0.5, atol=0.05)


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 1), (-0.5, 1), (0, 0.5), (0, 2)])
def test_no_other_normal_scores_better_than_the_truth(mean, sd):
    """The scores are proper: their expectation is best for the distribution of what happens."""
    rng = np.random.default_rng(4)
    observed = rng.normal(size=500)
    standard = rng.normal(size=(2000, 1)) * np.ones(500)
    other = mean + sd * standard
    bounds = stats.norm.interval(0.9)
    assert crps(standard, observed).mean() < crps(other, observed).mean()
    assert log_score(standard, observed).mean() > log_score(other, observed).mean()
    true_interval = interval_score(*np.array(bounds), observed, prob=0.9)
    other_interval = interval_score(*(mean + sd * np.array(bounds)), observed, prob=0.9)
    assert true_interval.mean() < other_interval.mean()


def test_the_interval_score_is_width_plus_penalty():
    lower, upper = np.zeros(3), np.ones(3)
    score = interval_score(lower, upper, np.array([0.5, -0.1, 1.2]), prob=0.9)
    np.testing.assert_allclose(score, [1, 1 + 20 * 0.1, 1 + 20 * 0.2])


def test_the_log_score_of_a_normal_is_close_to_its_log_density(normal_draws):
    near = OBSERVED[1:4]
    expected = stats.norm.logpdf(near, MEAN, SD)
    np.testing.assert_allclose(log_score(normal_draws[:, 1:4], near), expected, atol=0.03)


def test_a_few_far_draws_do_not_blur_the_log_score(normal_draws):
    draws = normal_draws.copy()
    draws[::200] = 1e6
    near = slice(1, 4)
    np.testing.assert_allclose(
        log_score(draws[:, near], OBSERVED[near]),
        log_score(normal_draws[:, near], OBSERVED[near]),
        atol=0.03,
    )


def test_far_outside_of_the_draws_the_log_score_is_low_but_finite(normal_draws):
    score = log_score(normal_draws, np.full(len(OBSERVED), 100.0))
    assert np.isfinite(score).all()
    assert (score < -1e4).all()


def test_a_point_forecast_has_no_density():
    draws = np.repeat([[0.1, 0.3]], 10, axis=0)
    np.testing.assert_array_equal(log_score(draws, np.array([0.1, 5.0])), -np.inf)


def test_draws_that_mostly_agree_have_a_density_still():
    draws = np.array([[0.0]] * 90 + [[1.0]] * 10)
    assert np.isfinite(log_score(draws, np.array([0.0]))).all()


def test_pit_is_uniform_under_the_truth():
    rng = np.random.default_rng(5)
    values = pit(rng.normal(size=(500, 2000)), rng.normal(size=2000))
    assert stats.kstest(values, "uniform").pvalue > 0.001


def test_pit_counts_ties_half():
    draws = np.array([[1.0, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    np.testing.assert_array_equal(pit(draws, np.array([2.0, 0.5])), [0.5, 0.0])


def test_shapes_that_do_not_match_are_refused():
    for draws in (np.zeros((3, 2)), np.zeros(4), np.zeros((0, 4))):
        with pytest.raises(InputError, match=r"shape \(draw, point\)"):
            pit(draws, np.zeros(4))


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match="estimator is 'best'"):
        crps(np.zeros((2, 1)), np.zeros(1), estimator="best")
    with pytest.raises(InputError, match="prob is 1"):
        interval_score(np.zeros(1), np.ones(1), np.zeros(1), prob=1)
