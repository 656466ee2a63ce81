from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._decision.interpolation import chosen
from scaling_bayes._decision.monte_carlo import MonteCarloError

BUDGET = "1e23"


@pytest.mark.parametrize("rule", ["expected_loss", "quantile", "cvar_regret"])
def test_it_is_the_spread_of_choices_by_resampled_draws(fit, rule):
    decision = sb.decide(fit, flops=BUDGET, rule=rule)
    rng, options = np.random.default_rng(0), decision.options
    n_draws = options.mean_curve.shape[1]
    resampled = [options.only(rng.integers(n_draws, size=n_draws)) for _ in range(40)]
    sizes = [chosen(decision.problem, each, decision.rule).n_params for each in resampled]
    error = decision.monte_carlo_error
    assert error.budget == 0
    assert 0.5 < error.n_params / np.std(np.log(sizes)) < 2


@pytest.mark.parametrize("prob", [0.5, 0.8])
def test_the_budget_that_a_rule_finds_has_the_error_of_its_probability(fit, prob):
    decision = sb.decide(fit, rule=sb.rules.Cheapest(loss=2.05, prob=prob))
    n_draws = decision.loss.size
    off = 2 * np.sqrt(prob * (1 - prob) / n_draws)
    budgets = [
        sb.decide(fit, rule=sb.rules.Cheapest(loss=2.05, prob=p)).budget
        for p in (prob - off, prob + off)
    ]
    expected = np.log(budgets[1] / budgets[0]) / 4
    assert 0.4 < decision.monte_carlo_error.budget / expected < 2.5


def test_a_tenth_of_the_draws_has_three_times_the_error(fit):
    tree = fit.data_tree
    posterior = tree["posterior"].to_dataset().isel(draw=slice(None, None, 10))
    thin = replace(fit, data_tree=tree.assign({"posterior": xr.DataTree(posterior)}))
    errors = [sb.decide(each, flops=BUDGET).monte_carlo_error.n_params for each in (thin, fit)]
    assert 1.5 < errors[0] / errors[1] < 7


def test_a_published_law_has_none_and_laws_with_few_draws_neither(fit):
    published = sb.laws.Chinchilla.published["besiroglu2024"]
    assert sb.decide(published, flops=BUDGET).monte_carlo_error is None
    average = sb.average({"one": fit, "other": fit}, weights={"one": 0.95, "other": 0.05})
    decision = sb.decide(average, flops=BUDGET, rule="minimax_regret")
    assert decision.monte_carlo_error is None


def test_it_is_said_in_words(fit):
    decision = sb.decide(fit, flops=BUDGET)
    assert str(decision.monte_carlo_error) in decision.words
    assert str(MonteCarloError(0.012, 0.08)) == (
        "Other draws of the posterior would move N by 1.2% and the budget by 8% "
        "(Monte Carlo standard error)."
    )
    assert "do not determine the budget" in str(MonteCarloError(0.012, np.inf))
