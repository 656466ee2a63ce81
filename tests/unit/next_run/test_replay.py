"""Policies, and their replay on a table of runs."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import ConvergenceError, InputError, UnitError

BUDGETS = [2e19, 2e20, 2e21]


@pytest.fixture(scope="module")
def decision(fit: sb.Fit) -> sb.Decision:
    return sb.decide(fit, flops=1e22)


@pytest.fixture
def affordable() -> pd.DataFrame:
    """Six runs, three at each of two levels of compute."""
    flops = np.repeat([1e18, 1e20], 3)
    n_params = np.tile([1e8, 3e8, 2e9], 2)
    frame = pd.DataFrame({"n_params": n_params, "tokens": flops / (6 * n_params), "flops": flops})
    return frame.assign(weight=1.0, cost=flops).set_axis([4, 7, 9, 12, 20, 31])


def trained(n_params: list[float], flops: list[float]) -> SimpleNamespace:
    frame = pd.DataFrame({"n_params": n_params, "flops": flops})
    return SimpleNamespace(
        problem=SimpleNamespace(source=SimpleNamespace(runs=SimpleNamespace(frame=frame)))
    )


@dataclass(frozen=True)
class Smallest(sb.policies.Policy):
    """The run with the least compute, so that nothing is left to chance."""

    def choose(self, decision, affordable, rng):
        return int(affordable["flops"].idxmin())


@pytest.fixture(scope="module")
def found(fitter: sb.Fitter, runs: sb.Runs) -> sb.Replay:
    policies = {"smallest": Smallest(), "random": sb.policies.Random()}
    return sb.replay(
        runs, policies, law=fitter, flops=1e22, budgets=BUDGETS, runs_per_budget=2, n_starts=2
    )


def test_the_largest_is_the_one_with_most_compute(affordable):
    policy, rng = sb.policies.LargestAffordable(), np.random.default_rng(0)
    assert policy.choose(None, affordable.iloc[:4], rng) == 12


def test_random_runs_are_all_equally_probable(affordable):
    policy, rng = sb.policies.Random(), np.random.default_rng(0)
    drawn = [policy.choose(None, affordable, rng) for _ in range(600)]
    assert set(drawn) == set(affordable.index)
    assert max(drawn.count(label) for label in affordable.index) < 150


def test_a_sweep_starts_in_the_middle_of_the_highest_level_and_goes_to_its_ends(affordable):
    policy, rng = sb.policies.IsoFLOPSweep(), np.random.default_rng(0)
    assert policy.choose(trained([1e7], [1e17]), affordable, rng) == 20
    left = affordable.drop(index=20)
    assert policy.choose(trained([3e8], [1e20]), left, rng) == 31
    left = left.drop(index=31)
    assert policy.choose(trained([3e8, 2e9], [1e20, 1e20]), left, rng) == 12


@pytest.mark.parametrize(
    ("policy", "column"),
    [
        (sb.policies.MostValue(), "evsi"),
        (sb.policies.MostValuePerCost(), "evsi_per_cost"),
        (sb.policies.MostInformation(), "information_optimal_n_params"),
        (sb.policies.MostInformation(on="optimal_loss"), "information_optimal_loss"),
    ],
)
def test_policies_of_value_take_the_first_of_next_run(decision, affordable, policy, column):
    chosen = policy.choose(decision, affordable, np.random.default_rng(5))
    seed = int(np.random.default_rng(5).integers(2**31))
    table = sb.next_run(decision, affordable, n_outcomes=64, seed=seed).to_frame()
    assert chosen == table[column].idxmax()


def test_every_registered_policy_is_one():
    for make in sb.policies.REGISTRY.values():
        assert isinstance(make(), sb.policies.Policy)


def test_a_replay_chooses_runs_one_by_one_within_what_is_released(found, runs):
    table = found.to_frame()
    cost = runs.frame["flops"]
    for _, path in table.groupby(["start", "policy"]):
        chosen = path["run"].dropna()
        assert chosen.is_unique
        assert (path["spent"] <= path["budget"]).all()
        assert path["spent"].iloc[-1] == pytest.approx(cost.iloc[chosen.astype(int)].sum())
        assert (path.groupby("budget").size() <= 2).all()
        assert path["budget"].to_list() == sorted(path["budget"])
    assert (table["error"] == "").all()
    assert (table["regret"] >= 0).all()
    assert (table["value_of_perfect_information"] >= 0).all()
    assert (table["interval_factor"] > 1).all()


def test_all_policies_of_a_start_begin_alike_and_starts_differ(found):
    first = found.to_frame().query("budget == 0")
    assert (first.groupby("start")["n_params"].nunique() == 1).all()
    assert first["n_params"].nunique() == 2


def test_a_policy_is_asked_for_nothing_else_than_what_is_left(found, runs):
    path = found.to_frame().query("policy == 'smallest' and start == 0")
    flops = runs.frame["flops"].iloc[path["run"].dropna().astype(int)]
    assert flops.is_monotonic_increasing


def test_the_summary_looks_at_the_last_run_of_a_budget(found):
    summary = found.summary()
    last = found.to_frame().groupby(["start", "policy", "budget"]).tail(1)
    one = last.query(f"budget == {BUDGETS[1]} and policy == 'random'")
    row = summary.loc[(BUDGETS[1], "random")]
    assert row["regret"] == pytest.approx(one["regret"].median())
    assert row["n_starts"] == 2
    assert row["n_chosen"] == 4
    assert list(summary.loc[0.0].index) == ["smallest", "random"]
    assert (summary["regret_lower"] <= summary["regret"]).all()
    assert (summary["regret"] <= summary["regret_upper"]).all()
    assert "2 policies from 2 starts" in repr(found)
    with pytest.raises(InputError, match="prob is 1"):
        found.summary(prob=1)


def test_the_choice_by_all_runs_has_no_regret(fitter, runs):
    replayed = sb.replay(
        runs,
        {"smallest": Smallest()},
        law=fitter,
        flops=1e22,
        budgets=[1e30],
        runs_per_budget=len(runs),
        start=len(runs) - 2,
        among=len(runs),
        n_starts=1,
    )
    table = replayed.to_frame()
    assert table["run"].notna().sum() == 2
    assert table["regret"].iloc[-1] < 1e-5
    assert table["regret"].iloc[-1] <= table["regret"].iloc[0] + 1e-5


def test_where_nothing_is_affordable_the_decision_stays(fitter, runs):
    replayed = sb.replay(
        runs, {"smallest": Smallest()}, law=fitter, flops=1e22, budgets=[1.0, 2.0], n_starts=1
    )
    table = replayed.to_frame()
    assert table["run"].isna().all()
    assert table["n_params"].nunique() == 1
    assert len(table) == 3


def test_finished_starts_are_read_and_only_what_differs_is_replayed(
    fitter, runs, tmp_path, monkeypatch
):
    fitted: list[int] = []
    fit = sb.Fitter.fit

    def noted(self, some, *, seed=None):
        fitted.append(len(some))
        return fit(self, some, seed=seed)

    monkeypatch.setattr(sb.Fitter, "fit", noted)

    def replayed(**options: object) -> tuple[pd.DataFrame, int]:
        fitted.clear()
        options = {"n_starts": 2, "directory": tmp_path, "budgets": [2e20]} | options
        law = {"law": fitter, "flops": 1e22, "runs_per_budget": 1, "progressbar": False}
        found = sb.replay(runs, {"smallest": Smallest()}, **law, **options)
        return found.to_frame(), len(fitted)

    first, n_first = replayed()
    again, n_again = replayed()
    assert (n_first, n_again) == (1 + 2 * 2, 1)
    pd.testing.assert_frame_equal(again, first, check_exact=True)
    more, n_more = replayed(n_starts=3)
    assert n_more == 1 + 2
    pd.testing.assert_frame_equal(more.iloc[: len(first)], first, check_exact=True)
    assert replayed(seed=1)[1] == 1 + 2 * 2
    assert replayed(budgets=[1e20])[1] > 1
    for damage in (lambda text: text[:20], lambda text: text.replace('"spent": ', '"spent": 1')):
        for file in tmp_path.iterdir():
            file.write_text(damage(file.read_text()))
        damaged, n_damaged = replayed()
        assert n_damaged == n_first
        pd.testing.assert_frame_equal(damaged, first, check_exact=True)


def test_refits_that_fail_are_noted(fitter, runs, monkeypatch):
    fit = sb.Fitter.fit

    def fail_at(n_runs):
        def failing(self, some, *, seed=None):
            if len(some) == n_runs:
                raise ConvergenceError("no draws were good")
            return fit(self, some, seed=seed)

        monkeypatch.setattr(sb.Fitter, "fit", failing)
        replayed = sb.replay(
            runs, {"smallest": Smallest()}, law=fitter, flops=1e22, budgets=[2e20], n_starts=1
        )
        return replayed.to_frame()

    later = fail_at(12)
    assert list(later["error"] != "") == [False, False, True, False]
    assert later["regret"].isna().to_list() == [False, False, True, False]
    start = fail_at(10)
    assert start["error"].to_list() == ["ConvergenceError: no draws were good"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"runs": "table"}, InputError, "runs is a str"),
        ({"policies": {}}, InputError, "policies by name"),
        ({"policies": {"a": sb.policies.Random}}, InputError, "with parentheses"),
        ({"law": "chinchilla"}, InputError, "law is 'chinchilla'"),
        ({"budgets": 1e20}, InputError, r"budgets is 1e\+20; give a list"),
        ({"budgets": [2e20, 1e20]}, InputError, "ascending"),
        ({"budgets": []}, InputError, "at least one"),
        ({"budgets": ["much"]}, UnitError, "much"),
        ({"start": 0}, InputError, "start is 0"),
        ({"n_starts": 0}, InputError, "n_starts is 0"),
        ({"runs_per_budget": 0}, InputError, "runs_per_budget is 0"),
        ({"start": 20, "among": 10}, InputError, "10 cheapest"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(fitter, runs, change, error, words):
    arguments = {
        "runs": runs,
        "policies": {"random": sb.policies.Random()},
        "law": fitter,
        "flops": 1e22,
        "budgets": [1e20],
    } | change
    with pytest.raises(error, match=words):
        sb.replay(arguments.pop("runs"), arguments.pop("policies"), **arguments)
