from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import scaling_bayes as sb
from scaling_bayes._evidence.backtest import Backtest
from scaling_bayes._evidence.larger_runs import clustered_se, future_of, stacking_weights
from scaling_bayes.errors import InputError


def backtest_of(log_scores: dict[str, dict[tuple[float, int], float]]) -> Backtest:
    rows = [
        {
            "law": law,
            "cut": cut,
            "row": row,
            "of": of,
            "log_score": value if of == "new_run" else np.inf,
            "crps": -value,
            "pit": 0.5 if row else 0.97,
        }
        for law, scores in log_scores.items()
        for (cut, row), value in scores.items()
        for of in ("new_run", "mean_curve")
    ]
    points = pd.DataFrame(rows)
    laws = pd.DataFrame({"law": list(log_scores), "cut": 1.0})
    empty = pd.DataFrame()
    return Backtest(points, laws, empty, empty, "flops", (0.9,))


A = {(1.0, 0): 1.0, (1.0, 1): 2.0, (2.0, 1): 4.0}
B = {(1.0, 0): 0.5, (1.0, 1): 2.5, (2.0, 1): 1.0}


def test_sums_and_means_are_over_the_forecasts_of_new_runs():
    table = future_of(backtest_of({"b": B, "a": A}), ["b", "a"], prob=0.9)
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", "elpd"] == 7
    assert table.loc["b", "elpd_diff"] == -3
    assert table.loc["a", ["elpd_diff", "elpd_diff_se"]].tolist() == [0, 0]
    assert table.loc["b", "log_score"] == pytest.approx(4 / 3)
    assert table.loc["b", "crps"] == pytest.approx(-4 / 3)
    # Row 0 lies in the upper tail of 3%.
    assert table.loc["b", "coverage"] == pytest.approx(2 / 3)
    assert table.loc["a", ["n_scored", "n_runs", "n_cuts", "n_left_out"]].tolist() == [3, 2, 2, 0]


def test_only_forecasts_that_all_laws_made_are_counted():
    some = {key: value for key, value in B.items() if key[0] == 1.0}
    table = future_of(backtest_of({"a": A, "b": some}), ["a", "b"], prob=0.9)
    assert table.loc["a", "elpd"] == 3
    assert (table["n_left_out"] == 1).all()


def test_errors_name_the_law():
    found = backtest_of({"a": A, "b": B})
    with pytest.raises(InputError, match="has no law 'c'; it has a, b"):
        future_of(found, ["a", "c"], prob=0.9)
    with pytest.raises(InputError, match="no run was scored under all of a, b"):
        future_of(backtest_of({"a": A, "b": {(3.0, 0): 1.0}}), ["a", "b"], prob=0.9)
    with pytest.raises(InputError, match="backtest is a DataFrame"):
        future_of(pd.DataFrame(), ["a"], prob=0.9)


def grid_of(n_cuts: int, n_runs: int, values) -> pd.Series:
    index = pd.MultiIndex.from_product([range(n_cuts), range(n_runs)], names=["cut", "row"])
    return pd.Series(np.asarray(values, dtype=float).ravel(), index)


def test_a_single_cut_gives_the_ordinary_standard_error():
    values = np.random.default_rng(1).normal(size=50)
    expected = np.sqrt(50) * values.std(ddof=1)
    assert clustered_se(grid_of(1, 50, values)) == pytest.approx(expected)


def test_clusters_widen_the_standard_error_as_simulation_does():
    # Effects of runs and of cuts, whose sums over a 6 x 30 grid have a known variance.
    rng = np.random.default_rng(2)
    n_cuts, n_runs = 6, 30
    ratios = []
    for _ in range(300):
        noise = rng.normal(size=(n_cuts, n_runs))
        values = noise + rng.normal(size=(1, n_runs)) + rng.normal(size=(n_cuts, 1))
        ratios.append(clustered_se(grid_of(n_cuts, n_runs, values)) ** 2)
    truth = n_cuts * n_runs + n_runs * n_cuts**2 + n_cuts * n_runs**2
    assert np.mean(ratios) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("seed", range(4))
def test_stacking_weights_are_the_best_of_a_grid(seed):
    rng = np.random.default_rng(seed)
    log_scores = rng.normal(scale=2, size=(40, 3)) + rng.normal(size=3)
    grid = np.array([(i, j, 100 - i - j) for i in range(101) for j in range(101 - i)], dtype=float)
    grid /= 100

    def value(weights):
        with np.errstate(divide="ignore"):
            return logsumexp(log_scores + np.log(weights), axis=1).mean()

    weights = stacking_weights(log_scores)
    assert weights.sum() == pytest.approx(1)
    values = [value(row) for row in grid]
    assert value(weights) >= max(values) - 1e-6
    np.testing.assert_allclose(weights, grid[int(np.argmax(values))], atol=0.02)


def test_a_law_that_is_always_worse_has_no_weight():
    log_scores = np.random.default_rng(0).normal(size=(30, 1)) - np.array([[0.0, 900.0]])
    np.testing.assert_array_equal(stacking_weights(log_scores), [1, 0])
    assert stacking_weights(log_scores[:, :1]).tolist() == [1]


def test_a_real_backtest_has_what_is_read():
    found = sb.backtest(
        sb.datasets.load_tiny_transformers(),
        {"log-linear": sb.baselines.LogLinearLeastSquares()},
        progressbar=False,
    )
    table = future_of(found, ["log-linear"], prob=0.9)
    pooled = found.pooled().set_index("of").loc["new_run"]
    row = SimpleNamespace(**table.loc["log-linear"])
    assert row.n_scored == pooled["n_scored"]
    assert row.log_score == pytest.approx(pooled["log_score"])
    assert row.crps == pytest.approx(pooled["crps"])
    assert row.coverage == pytest.approx(pooled["coverage_90"], abs=0.02)
