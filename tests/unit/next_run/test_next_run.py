"""What candidate runs are worth: against closed forms, bounds and refits, and plans of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._next_run.candidates import read_candidates
from scaling_bayes._next_run.importance_weights import most_trusted_k, normalised, pareto_k
from scaling_bayes._next_run.refits import refits_of
from scaling_bayes._next_run.run_noise import RunNoise, _Part
from scaling_bayes._next_run.simulation import Simulation, simulated
from scaling_bayes.errors import ConvergenceError, InputError, UnitError
from scaling_bayes.noise import Noise

PRIOR_SD, SIGMA, BEND = 0.02, 0.01, 50.0
"""Of a toy: theta ~ Normal(0, PRIOR_SD), loss of option a = 2 + BEND (a - theta)^2."""


@pytest.fixture(scope="module")
def decision(fit: sb.Fit) -> sb.Decision:
    return sb.decide(fit, flops=1e22)


@pytest.fixture(scope="module")
def candidates() -> pd.DataFrame:
    """Six runs of two amounts of compute."""
    flops = np.repeat([1e19, 1e21], 3)
    n_params = np.sqrt(flops / 6) * np.tile([0.05, 0.2, 1.0], 2)
    return pd.DataFrame({"n_params": n_params, "flops": flops}, index=[*"abcdef"])


def toy(*weights: float, n_draws: int = 4000, n_outcomes: int = 1000) -> Simulation:
    """Return candidates that show theta itself, each as the mean of so many runs."""
    theta = PRIOR_SD * stats.norm.ppf((np.arange(n_draws) + 0.5) / n_draws)
    theta = np.random.default_rng(0).permutation(theta)
    sizes = np.linspace(-4 * PRIOR_SD, 4 * PRIOR_SD, 401)
    sigma = xr.Dataset({"sigma": (("chain", "draw"), np.full((1, n_draws), SIGMA))})
    return Simulation(
        options=xr.Dataset(),
        curve=2 + BEND * (sizes[:, None] - theta) ** 2,
        log_means=np.tile(theta, (len(weights), 1)),
        run_weights=np.array(weights),
        noise=RunNoise((_Part(sb.noise.Normal(), sigma, slice(None)),)),
        origins=np.linspace(0, n_draws - 1, n_outcomes).astype(int),
        scores={"theta": theta / PRIOR_SD},
        seed=0,
        budget=1.0,
        nats_per_fold=1.0,
    )


def shrunk(weight: float) -> float:
    """Return the closed-form share of the variance of theta that a run takes away."""
    return PRIOR_SD**2 / (PRIOR_SD**2 + SIGMA**2 / weight)


@pytest.mark.parametrize("weight", [0.01, 1.0, 9.0])
def test_value_and_information_are_those_of_the_conjugate_case(weight):
    made = toy(weight)
    learned = made.learned(made.log_weights(0))
    error = learned.gain.std() / np.sqrt(len(learned.gain))
    assert abs(learned.gain.mean() - BEND * PRIOR_SD**2 * shrunk(weight)) < 4 * error
    nats = -np.log(1 - shrunk(weight)) / 2
    assert learned.about["theta"].mean() == pytest.approx(nats, rel=0.02, abs=0.002)
    error = learned.information.std() / np.sqrt(len(learned.information))
    assert abs(learned.information.mean() - nats) < 4 * error + 0.01
    assert learned.failed.mean() < 0.1


def test_two_runs_are_worth_as_much_as_one_of_twice_the_weight():
    made = toy(1.0, 2.0)
    two = made.learned(made.log_weights(0, step=0) + made.log_weights(0, step=1))
    one = made.learned(made.log_weights(1))
    error = np.hypot(two.gain.std(), one.gain.std()) / np.sqrt(len(one.gain))
    assert abs(two.gain.mean() - one.gain.mean()) < 4 * error
    assert two.about["theta"].mean() == pytest.approx(one.about["theta"].mean(), rel=0.02)


def test_more_equal_runs_are_worth_more_between_nothing_and_perfect_information():
    made = toy(1e-8, 0.1, 1.0, 10.0, 1e8)
    values = [made.learned(made.log_weights(row)).gain.mean() for row in range(5)]
    perfect = made.value_of_perfect_information
    assert perfect == pytest.approx(BEND * PRIOR_SD**2, rel=0.01)
    assert values[0] < 1e-4 * perfect
    assert np.all(np.diff(values) > 0)
    assert values[-1] == pytest.approx(perfect, rel=0.1)


def test_weights_of_a_run_that_teaches_too_much_are_found_out():
    made = toy(1.0, 1e6)
    assert made.learned(made.log_weights(0)).failed.mean() < 0.02
    assert made.learned(made.log_weights(1)).failed.mean() > 0.95


def test_pareto_k_is_that_of_arviz():
    rng = np.random.default_rng(1)
    log_weights = rng.standard_normal((30, 2000)) * np.linspace(0.2, 2, 30)[:, None]
    _, expected = array_stats.psislw(-log_weights)
    np.testing.assert_allclose(pareto_k(normalised(log_weights)), expected, atol=1e-8)


def test_weights_that_are_alike_are_trusted_and_those_of_one_draw_are_not():
    alone = np.full((1, 1000), -np.inf)
    alone[0, 3] = 0.0
    assert pareto_k(normalised(np.zeros((1, 1000))))[0] == -np.inf
    assert pareto_k(normalised(alone))[0] == np.inf
    assert most_trusted_k(4000) == 0.7
    assert most_trusted_k(200) < 0.6


def test_a_table_has_a_row_for_each_candidate(decision, candidates):
    values = sb.next_run(decision, candidates, n_outcomes=64)
    table = values.to_frame()
    assert list(table.index) == [*"abcdef"]
    assert (table["evsi"] >= 0).all()
    assert (table["evsi"] <= values.value_of_perfect_information).all()
    assert values.value_of_perfect_information == pytest.approx(
        decision.value_of_perfect_information, rel=0.02
    )
    assert (table["cost"] == table["flops"]).all()
    np.testing.assert_allclose(table["evsi_per_cost"], table["evsi"] / table["cost"])
    assert (table["information"] > 0).all()
    assert ((table["evsi_se"] > 0) == (table["evsi"] > 0)).all()
    assert table["trusted"].all()
    assert values.best.name == table["evsi"].idxmax()
    assert values.best_per_cost.name == table["evsi_per_cost"].idxmax()
    assert "6 candidate runs" in repr(values)


def test_information_on_everything_is_most(decision, candidates, fit):
    table = sb.next_run(
        decision, candidates, quantities={"alpha": fit.draws["alpha_N"]}, n_outcomes=64
    ).to_frame()
    for name in ("optimal_n_params", "optimal_loss", "alpha"):
        assert (table[f"information_{name}"] < table["information"] + 0.05).all()


def test_a_seed_repeats_and_candidates_do_not_depend_on_each_other(decision, candidates):
    all_six = sb.next_run(decision, candidates, n_outcomes=32, seed=3).to_frame()
    again = sb.next_run(decision, candidates, n_outcomes=32, seed=3).to_frame()
    two = sb.next_run(decision, candidates.loc[["b", "e"]], n_outcomes=32, seed=3).to_frame()
    pd.testing.assert_frame_equal(all_six, again)
    pd.testing.assert_frame_equal(all_six.loc[["b", "e"]], two)


def test_equal_runs_are_worth_more_than_one_and_cost_more(decision, candidates):
    several = candidates.loc[["e", "e", "e"]].reset_index(drop=True)
    several["weight"] = [1.0, 4.0, 16.0]
    table = sb.next_run(decision, several, n_outcomes=64).to_frame()
    assert table["evsi"].is_monotonic_increasing
    assert table["cost"].to_list() == [1e21, 4e21, 16e21]


def test_value_in_flops_is_what_budget_it_is_worth(decision, candidates):
    table = sb.next_run(decision, candidates, n_outcomes=32).to_frame()
    source, budget = decision.problem.source, decision.budget
    rows = table[table["worth_flops"] > 1e-3 * budget]
    assert len(rows) >= 2
    for row in rows.to_dict("records"):
        larger = sb.decide(source, flops=budget + row["worth_flops"])
        gain = decision.expected_loss - larger.expected_loss
        assert gain == pytest.approx(row["evsi"], rel=0.03)


def test_a_large_value_is_worth_the_compute_that_gains_as_much(decision, candidates):
    table = read_candidates(candidates.head(1), 6.0)
    made = simulated(decision, table, quantities={}, n_outcomes=8, seed=0)
    doubled = sb.decide(decision.problem.source, flops=2 * decision.budget)
    gain = pd.Series([decision.expected_loss - doubled.expected_loss])
    assert made.flops_worth(gain).item() == pytest.approx(decision.budget, rel=0.1)


def test_costs_are_in_any_unit(decision, candidates):
    priced = candidates.assign(cost=[1, 1, 1, 50, 50, 50])
    table = sb.next_run(decision, priced, n_outcomes=32).to_frame()
    np.testing.assert_allclose(table["evsi_per_cost"], table["evsi"] / priced["cost"])


def test_an_average_of_one_posterior_with_itself_values_runs_alike(fit, fitter, runs, candidates):
    both = sb.average({"a": fit, "b": fitter.fit(runs, seed=2)})
    mixed = sb.next_run(sb.decide(both, flops=1e22), candidates)
    alone = sb.next_run(sb.decide(fit, flops=1e22), candidates)
    difference = mixed.table["evsi"] - alone.table["evsi"]
    error = np.hypot(mixed.table["evsi_se"], alone.table["evsi_se"])
    assert (difference.abs() < 4 * error + 0.01 * alone.value_of_perfect_information).all()


def test_draws_of_an_average_keep_their_own_noise(fit, runs, quiet):
    normal = sb.fit(
        runs,
        sb.laws.Chinchilla(),
        noise=sb.noise.Normal(),
        settings=quiet,
        seed=2,
        discrepancy=None,
    )
    both = sb.average({"a": fit, "b": normal}, weights={"a": 0.5, "b": 0.5})
    decision = sb.decide(both, flops=1e22)
    table = pd.DataFrame({"n_params": [1e9], "tokens": [1e10], "weight": 1.0, "cost": 1.0})
    table["flops"] = 6 * table["n_params"] * table["tokens"]
    made = simulated(decision, table, quantities={}, n_outcomes=8, seed=0)
    members = decision.options.member
    for part, name, source in zip(made.noise.parts, "ab", (fit, normal), strict=True):
        assert type(part.noise) is type(source.noise)
        np.testing.assert_array_equal(part.draws, np.flatnonzero(members == name))
        sigma = part.parameters["sigma"].to_numpy()
        assert set(sigma.ravel()) <= set(source.noise_draws["sigma"].to_numpy().ravel())


class Shifted(Noise):
    """Normal noise around a shifted mean, without a formula of its density."""

    name = "shifted"
    parameters = sb.noise.Normal.parameters

    def observe(self, name: str, log_loss: Any, p: Any, *, weight: Any, observed: Any) -> Any:
        return pm.Normal(name, log_loss + 0.1, p.sigma / weight**0.5, observed=observed, dims="run")

    def sample(self, log_loss: Any, p: Any, rng: np.random.Generator, *, weight: Any = 1.0) -> Any:
        return sb.noise.Normal().sample(log_loss + 0.1, p, rng, weight=weight)


def test_a_noise_without_a_formula_has_the_density_that_it_observes_with():
    rng = np.random.default_rng(0)
    p = SimpleNamespace(sigma=np.exp(rng.standard_normal(7)))
    observed, curve = rng.standard_normal((5, 1)), rng.standard_normal(7)
    np.testing.assert_allclose(
        Shifted().log_density(observed, curve, p, weight=4.0),
        stats.norm(curve + 0.1, p.sigma / 2).logpdf(observed),
    )


def test_a_decision_with_a_noise_of_ones_own_is_taken(runs, quiet, candidates):
    fit = sb.fit(
        runs, sb.laws.Chinchilla(), noise=Shifted(), settings=quiet, seed=1, discrepancy=None
    )
    table = sb.next_run(sb.decide(fit, flops=1e22), candidates[3:4], n_outcomes=16).to_frame()
    assert table["evsi"].iloc[0] > 0


def test_candidates_and_options_share_the_draws_of_a_discrepancy(runs, quiet):
    fit = sb.fit(
        runs, sb.laws.Chinchilla(), discrepancy=sb.discrepancy.Smooth(), settings=quiet, seed=1
    )
    decision = sb.decide(fit, flops=1e22)
    place = decision.options.points.isel(point=[len(decision.options.n_params) // 2])
    same = place[["n_params", "tokens", "flops"]].to_dataframe().assign(weight=1.0, cost=1.0)
    made = simulated(decision, same, quantities={}, n_outcomes=8, seed=0)
    nearest = np.abs(np.log(made.options["n_params"].to_numpy() / same["n_params"].iloc[0]))
    curve = np.log(made.curve[nearest.argmin()])
    assert np.corrcoef(curve, made.log_means[0])[0, 1] > 0.999
    table = sb.next_run(decision, same, n_outcomes=64, most_refits=0).to_frame()
    assert 0 < table["evsi"].iloc[0] < decision.value_of_perfect_information * 1.1


@pytest.fixture(scope="module")
def taught_too_much(fit: sb.Fit) -> tuple[sb.Decision, pd.DataFrame]:
    """Return a decision and the mean of very many large runs, which hardly a draw agrees with."""
    table = pd.DataFrame({"n_params": [1e11], "tokens": [1e12], "weight": [3e3], "cost": [1.0]})
    return sb.decide(fit, flops=1e24), table


def test_values_that_cannot_be_trusted_are_marked(taught_too_much):
    values = sb.next_run(*taught_too_much, n_outcomes=64, most_refits=0)
    table = values.to_frame()
    assert table["failed"].iloc[0] > 0.5
    assert not table["trusted"].iloc[0]
    assert "cannot be trusted" in repr(values)


def test_outcomes_are_refitted_where_weights_fail(taught_too_much):
    values = sb.next_run(*taught_too_much, n_outcomes=64, most_refits=6)
    table = values.to_frame()
    assert 5 <= table["n_refits"].iloc[0] <= 6
    assert table["trusted"].iloc[0]
    assert 0 < table["evsi"].iloc[0] < 1.2 * values.value_of_perfect_information


def test_refits_that_fail_leave_the_weights(taught_too_much, monkeypatch):
    def fail(*args, **kwargs):
        raise ConvergenceError("no draws were good")

    monkeypatch.setattr(sb.Fitter, "fit", fail)
    table = sb.next_run(*taught_too_much, n_outcomes=64, most_refits=6).to_frame()
    assert table["n_refits"].iloc[0] == 0
    assert not table["trusted"].iloc[0]


@pytest.mark.parametrize("budget", [1e19, 2.5e19, 1.2e21, "2 ZFLOPs", 1e23])
def test_a_plan_keeps_its_budget(decision, candidates, budget):
    plan = sb.plan_runs(decision, candidates, budget, n_outcomes=32)
    table = plan.to_frame()
    assert plan.cost <= plan.budget
    assert table.index.is_unique
    assert (table["evsi"] > 0).all()
    np.testing.assert_allclose(table["evsi"].cumsum(), table["evsi_joint"])
    np.testing.assert_allclose(table["cost"].cumsum(), table["cost_so_far"])
    assert plan.evsi <= decision.value_of_perfect_information * 1.02
    assert f"Plan of {len(table)} runs" in repr(plan)


def test_the_first_run_of_a_plan_is_worth_what_it_is_worth_alone(decision, candidates):
    plan = sb.plan_runs(decision, candidates, 1e21, n_outcomes=64, seed=5).to_frame()
    alone = sb.next_run(decision, candidates, n_outcomes=64, seed=5).to_frame()
    first = plan.iloc[0]
    assert first["evsi"] == pytest.approx(alone.loc[first.name, "evsi"])


def test_a_plan_is_not_spent_on_trifles(decision, candidates):
    small = candidates.loc[["c"]].assign(cost=1.0)
    large = candidates.loc[["d"]].assign(cost=1e4)
    plan = sb.plan_runs(decision, pd.concat([small, large]), 1e4, n_outcomes=64)
    assert list(plan.to_frame().index) == ["d"]


def test_a_plan_ends_where_the_weights_do(taught_too_much):
    with pytest.raises(InputError, match="weights of the draws cannot be trusted"):
        sb.plan_runs(*taught_too_much, budget=10, n_outcomes=64)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cost": [1.0, -2.0, 1.0, 1.0, 1.0, 1.0]}, "the cost of candidate 'b' is -2"),
        ({"cost": [1.0, np.nan, 1.0, 1.0, 1.0, 1.0]}, "the cost of candidate 'b' is nan"),
        ({"cost": ["cheap"] * 6}, "the column cost of the candidates is not numeric"),
        ({"weight": [0.0] * 6}, "the weight of candidate 'a' is 0"),
    ],
)
def test_costs_and_weights_that_are_no_positive_numbers_are_refused(
    decision, candidates, change, words
):
    with pytest.raises(InputError, match=words):
        sb.next_run(decision, candidates.assign(**change))


def test_sizes_that_contradict_each_other_are_refused(decision):
    table = pd.DataFrame({"n_params": ["200M"] * 2, "tokens": ["1B"] * 2, "flops": [1.3e18, 1e20]})
    with pytest.raises(InputError, match=r"candidate 1 has n_params 200M.* 83.3 times 6 n_params"):
        sb.next_run(decision, table)


def test_words_say_whether_a_run_is_worth_its_compute(decision, candidates):
    values = sb.next_run(decision, candidates, most_refits=0, n_outcomes=64)
    table = values.to_frame()

    def verdict(**columns: object) -> str:
        return replace(values, table=table.assign(**columns)).words[1]

    compute = table["flops"]
    sure = {"evsi": 1e-4, "evsi_se": 1e-6, "trusted": True}
    assert verdict(worth_flops=0.5 * compute, **sure).startswith("None of 6 is worth more than its")
    assert verdict(worth_flops=2 * compute, **sure).startswith("6 of 6 are worth more than their")
    noisy = sure | {"evsi_se": [1e-4] * 2 + [1e-6] * 4}
    assert "4 of 6 are" in verdict(worth_flops=2 * compute, **noisy)
    assert verdict(worth_flops=2 * compute, **noisy).endswith("; of 2 it cannot be told.")
    doubtful = sure | {"trusted": False}
    assert "; of 6 it cannot be told" in verdict(worth_flops=2 * compute, **doubtful)
    assert "would gain nothing within its limits" in verdict(worth_flops=np.nan)


def test_where_more_compute_gains_nothing_runs_have_no_worth_in_it(fit, candidates):
    limits = sb.Limits(n_params="1B", tokens="10B")
    held_back = sb.decide(fit, flops=1e24, limits=limits)
    text = repr(sb.next_run(held_back, candidates, n_outcomes=32, most_refits=0))
    assert "would gain nothing within its limits" in text
    assert "nan FLOPs" not in text


def test_tables_that_are_no_candidates_are_refused(decision, candidates):
    with pytest.raises(InputError, match="no candidate"):
        sb.next_run(decision, candidates.iloc[:0])
    with pytest.raises(InputError, match="candidates is a list"):
        sb.next_run(decision, [1, 2])
    with pytest.raises(InputError, match="give two of n_params, tokens, flops"):
        sb.next_run(decision, candidates[["n_params"]])
    with pytest.raises(InputError, match="index label 'a'"):
        sb.next_run(decision, candidates.loc[["a", "a"]])
    with pytest.raises(UnitError):
        sb.next_run(decision, candidates.assign(n_params=-1.0))


def test_decisions_that_have_no_value_of_a_run_are_refused(fit, candidates):
    with pytest.raises(InputError, match="expected loss"):
        sb.next_run(sb.decide(fit, flops=1e22, rule="cvar"), candidates)
    published = sb.laws.Chinchilla.published["besiroglu2024"]
    with pytest.raises(InputError, match="has no noise"):
        sb.next_run(sb.decide(published, flops=1e22), candidates)
    with pytest.raises(InputError, match="decision is a Fit"):
        sb.next_run(fit, candidates)


@pytest.mark.parametrize(
    ("argument", "value"), [("n_outcomes", 1), ("most_refits", -1), ("seed", -1)]
)
def test_numbers_that_cannot_be_used_are_refused(decision, candidates, argument, value):
    with pytest.raises(InputError, match=f"{argument} is {value}"):
        sb.next_run(decision, candidates, **{argument: value})


def test_quantities_with_other_draws_are_refused(decision, candidates):
    with pytest.raises(InputError, match=r"'q' has the shape \(3,\)"):
        sb.next_run(decision, candidates, quantities={"q": np.ones(3)})


def test_a_budget_below_the_cheapest_candidate_is_refused(decision, candidates):
    with pytest.raises(InputError, match=r"below the cost of the cheapest candidate, 1e\+19"):
        sb.plan_runs(decision, candidates, 1e18)


def test_a_quantity_that_no_draw_disagrees_on_has_no_information(decision, candidates):
    menu = replace(decision.problem, menu=np.array([1e9]))
    single = sb.decide(menu.source, flops=1e22, n_params=[1e9])
    table = sb.next_run(single, candidates, n_outcomes=16).to_frame()
    assert (table["evsi"] == 0).all()
    assert (table["information_optimal_n_params"] == 0).all()


def test_a_quantity_of_one_chain_is_read_as_it_is(decision, candidates, fit):
    chains = fit.draws["alpha_N"]
    one = chains.stack(all=("chain", "draw")).to_numpy()[None]
    as_array = xr.DataArray(one, dims=("chain", "draw"))
    by_chains, by_one = (
        sb.next_run(decision, candidates, quantities={"alpha": values}, n_outcomes=20).table
        for values in (chains, as_array)
    )
    np.testing.assert_allclose(by_one["information_alpha"], by_chains["information_alpha"])


def test_quantities_that_are_not_finite_or_of_an_average_are_refused(decision, candidates, fit):
    bad = fit.draws["alpha_N"].where(fit.draws["draw"] > 0)
    with pytest.raises(InputError, match="draws that are not finite"):
        sb.next_run(decision, candidates, quantities={"alpha": bad})
    twice = sb.decide(sb.average({"one": fit, "other": fit}), flops=1e22)
    with pytest.raises(InputError, match="by an average"):
        sb.next_run(twice, candidates, quantities={"alpha": fit.draws["alpha_N"]})


def test_a_fit_is_not_told_that_repeated_tokens_are_new(fit):
    limits = sb.Limits(unique_tokens="1B")
    assert refits_of(sb.decide(fit, flops=1e22, limits=limits)) is None
    assert refits_of(sb.decide(fit, flops=1e22)) is not None


def test_a_budget_has_the_unit_of_the_costs(decision, candidates):
    hours = candidates.assign(cost=10.0)
    with pytest.raises(InputError, match="'2 ZFLOPs', and the candidates have costs of their own"):
        sb.plan_runs(decision, hours, budget="2 ZFLOPs")
    assert sb.plan_runs(decision, hours, budget="20", n_outcomes=20).cost <= 20
