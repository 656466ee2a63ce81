from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from scaling_bayes._evidence.comparison_words import caution, tells
from scaling_bayes._evidence.comparison_words import in_words as in_words_at

in_words = partial(in_words_at, prob=0.9)
NOT_RIGHT = "does not make it right"


def evidence(diff=-30.0, se=5.0, *, names=("a", "b"), weights=(0.9, 0.1), bad_k=(0.0, 0.0)):
    return pd.DataFrame(
        {
            "elpd": [100.0, 100.0 + diff],
            "elpd_diff": [0.0, diff],
            "elpd_diff_se": [0.0, se],
            "weight": weights,
            "bad_k": bad_k,
        },
        index=list(names),
    )


def future(
    diff=-30.0, se=5.0, *, names=("a", "b"), weights=(1.0, 0.0), crps=(0.01, 0.02), **counts
):
    counts = {
        "coverage": 0.9,
        "n_scored": 400,
        "n_runs": 150,
        "n_cuts": 4,
        "n_left_out": 0,
    } | counts
    return (
        evidence(diff, se, names=names, weights=weights)
        .assign(crps=crps, **counts)
        .drop(columns="bad_k")
    )


def factors(factor, lower, upper, *, se=0.1, pareto_k=(0.1, 0.1)):
    """Return a table in which the log Bayes factor of a over b has that range."""
    return pd.DataFrame(
        {
            "log_bayes_factor": [0.0, -factor],
            "log_bayes_factor_se": [0.0, se],
            "log_bayes_factor_lower": [0.0, -upper],
            "log_bayes_factor_upper": [0.0, -lower],
            "pareto_k": pareto_k,
            "trusted": [k <= 0.7 for k in pareto_k],
        },
        index=["a", "b"],
    )


@pytest.mark.parametrize(
    ("difference", "error", "n_runs", "told"),
    [
        (-10, 4.9, 200, True),
        (-10, 5.1, 200, False),
        (-3.9, 0.1, 200, False),
        (-10, 2.6, 50, False),
        (-10, 2.4, 50, True),
        (-np.inf, np.nan, 200, False),
    ],
)
def test_a_difference_tells_beyond_four_and_two_standard_errors(difference, error, n_runs, told):
    assert tells(difference, error, n_runs) is told


def test_cautions_name_their_reasons():
    assert caution(-30, 0.0, 240) == ""
    assert caution(-2, 0.1, 50) == "Pareto k, fewer than 100 runs, difference below 4"


def test_small_differences_cannot_be_told():
    (words,) = in_words(evidence(-1.2, 2.3), 240)
    assert words == "The runs cannot tell a from b (elpd difference 1.2 ± 2.3)."


def test_large_differences_are_told_and_not_called_the_truth():
    told, modest = in_words(evidence(-30, 5), 240)
    assert told == (
        "Inside the range of the runs, a predicts clearly better than b "
        "(elpd difference 30.0 ± 5.0)."
    )
    assert NOT_RIGHT in modest
    assert "predicts better than" in in_words(evidence(-15, 5), 240)[0]


def test_few_runs_count_the_error_twice():
    (words,) = in_words(evidence(-15, 5), 40)
    assert words.startswith("The runs cannot tell a from b")
    assert "40 runs are few" in words


def test_an_unreliable_leave_one_out_says_nothing_of_the_laws():
    (words,) = in_words(evidence(-30, 5, bad_k=(0.0, 0.12)), 240)
    assert words == (
        "Leave-one-out is not reliable for b: Pareto k is too high for 12% of the runs."
    )
    some = in_words(evidence(-30, 5, bad_k=(0.004, 0.0)), 240)
    assert "less certain than it looks for a" in some[0]
    assert "clearly better" in some[1]


def test_larger_runs_overrule_the_inside():
    words = " ".join(in_words(evidence(), 240, future=future(names=("b", "a"))))
    assert "b predicts clearly better than a" in words
    assert "a is better inside the range, b on larger runs" in words
    assert "For extrapolation the larger runs are what matters" in words
    assert "Stacking gives most weight to a inside the range (0.90) and to b" in words


@pytest.mark.parametrize("bad_k", [(0.12, 0.0), (0.0, 0.05)])
def test_an_unreliable_leave_one_out_claims_nothing_by_stacking(bad_k):
    words = " ".join(in_words(evidence(bad_k=bad_k), 240, future=future(names=("b", "a"))))
    assert "Leave-one-out is not reliable" in words
    assert "Stacking gives" not in words


def test_larger_runs_that_do_not_confirm():
    words = " ".join(in_words(evidence(), 240, future=future(-3, 6, names=("b", "a"))))
    assert "The larger runs cannot tell b from a (elpd difference 3.0 ± 6.0)." in words
    assert "an extrapolation cannot lean on a alone" in words


def test_only_the_larger_runs_tell():
    words = " ".join(in_words(evidence(-1, 2), 240, future=future(names=("b", "a"))))
    assert "Only the larger runs tell b from a" in words


def test_agreement_is_not_called_a_conflict():
    words = " ".join(in_words(evidence(), 240, future=future()))
    assert "disagree" not in words
    assert "Stacking gives" not in words
    assert "mixture" not in words


def test_limits_of_a_backtest_are_named():
    table = future(crps=(0.02, 0.01), weights=(0.7, 0.3), n_cuts=1, n_left_out=12, coverage=0.68)
    words = " ".join(in_words(evidence(), 240, future=table))
    assert "With one cut, nothing is known" in words
    assert "12 forecasts are left out" in words
    assert "90% intervals by a hold 68% of the larger runs: its forecasts are too sure." in words
    assert "By CRPS, which a few far misses move less, b forecasts the larger runs best" in words
    assert "A mixture forecasts the larger runs best: a 0.70, b 0.30 (stacking)." in words


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (factors(200, 190, 210), "there is very strong evidence whichever the width"),
        (factors(2, 1.5, 2.5), "there is positive evidence whichever the width"),
        (factors(2, 0.5, 2.5), "not worth more than a bare mention"),
        (factors(0.1, 0.05, 0.2), "no evidence beyond the Monte Carlo error"),
        (factors(2, -1, 5), "depends on the law's priors (log Bayes factor 2.0 ± 0.1; -1.0 to 5.0"),
        (factors(4, np.nan, np.nan), "how far that depends on the law's priors is not known"),
    ],
)
def test_bayes_factors_are_graded_at_their_lowest(table, expected):
    words = in_words(evidence(-1, 2), 240, bayes_factor=table)
    assert expected in words[-1]


@pytest.mark.parametrize("table", [(200, 190, 210), (2, -1, 5), (4, np.nan, np.nan)])
@pytest.mark.parametrize(
    ("pareto_k", "shown"), [((0.1, 0.85), "0.85 of b"), ((0.9, np.nan), "0.90 of a, nan of b")]
)
def test_bayes_factors_from_weights_that_cannot_be_trusted_are_not_graded(table, pareto_k, shown):
    words = in_words(evidence(-1, 2), 240, bayes_factor=factors(*table, pareto_k=pareto_k))
    assert words[-1] == (
        "For a against b evidence cannot be graded: the importance weights cannot be trusted "
        f"(Pareto k {shown})."
    )


def test_runs_held_out():
    table = pd.DataFrame(
        {"rmse": [0.02, 0.01, 0.005], "crps": [0.01, 0.02, np.nan], "log_score": [1, 2, np.nan]},
        index=["a", "b", "published"],
    )
    words = in_words(evidence(-1, 2), 240, held_out=table)
    assert "a has the best CRPS and b the best log score" in words[1]
    assert "published has the smallest error of all sources" in words[2]


def test_one_fit_has_nothing_to_be_compared_with():
    (words,) = in_words(evidence().iloc[:1], 240)
    assert "a is the only fit" in words
