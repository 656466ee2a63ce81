"""Forecasts of the larger Chinchilla runs from the smaller ones."""

from __future__ import annotations

import pytest

import scaling_bayes as sb

QUIET = sb.SamplerSettings(progressbar=False)
LAWS = {
    "law alone": sb.Fitter(sb.laws.Chinchilla(), settings=QUIET, discrepancy=None),
    "with discrepancy": sb.Fitter(
        sb.laws.Chinchilla(), discrepancy=sb.discrepancy.Smooth(), settings=QUIET
    ),
}


@pytest.fixture(scope="module")
def pooled(real_data):
    runs = sb.read_runs(real_data("chinchilla_fig4.csv"), where="besiroglu_included == 1")
    backtest = sb.backtest(runs, LAWS, cuts=[1e20, 1e21], progressbar=False)
    assert backtest.failures.empty
    scores = backtest.pooled().reset_index()
    allocation = backtest.allocation.set_index("law")
    return scores[scores["of"] == "new_run"].set_index("law"), allocation


def test_intervals_hold_only_if_the_law_may_be_wrong(pooled):
    coverage = pooled[0]["coverage_90"]
    assert coverage["law alone"] < 0.7
    assert coverage["with discrepancy"] > 0.85


def test_early_allocation_exponents_hold_the_late_one_only_if_the_law_may_be_wrong(pooled):
    contained = pooled[1]["a_contained"]
    assert not contained["law alone"].dropna().any()
    assert contained["with discrepancy"].dropna().all()
