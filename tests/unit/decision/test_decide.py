from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import scaling_bayes as sb
from scaling_bayes._decision import loss_draws
from scaling_bayes._decision.options import Options
from scaling_bayes.errors import InputError, NoOptimumError, UnitError
from scaling_bayes.laws import REGISTRY
from scaling_bayes.units import SIZES

BUDGET = 5.88e23
BESIROGLU = sb.laws.Chinchilla.published["besiroglu2024"]
HOFFMANN = sb.laws.Chinchilla.published["hoffmann2022"]
TRADES_N_FOR_D = [
    name
    for name, make in REGISTRY.items()
    if {"n_params", "tokens"} <= set(make().covariates) <= set(SIZES)
    and make().tokens_per_param == sb.Law.tokens_per_param
]
"""Laws that are meant at all sizes."""


def one_draw(values: dict[str, float], law: sb.Law | None = None) -> SimpleNamespace:
    draws = xr.Dataset({name: (("chain", "draw"), [[value]]) for name, value in values.items()})
    return SimpleNamespace(
        label="one draw",
        law=law or sb.laws.Chinchilla(),
        draws=draws,
        noise=None,
        noise_draws=None,
        flops_per_param_token=6.0,
    )


def by_hand(values, n_params, tokens) -> np.ndarray:
    p = SimpleNamespace(**values)
    return p.L_inf + (p.N_c / n_params) ** p.alpha_N + (p.D_c / tokens) ** p.alpha_D


def quantile(draws: np.ndarray, q: float) -> float:
    return float(np.quantile(draws, q, method="inverted_cdf"))


@pytest.fixture(scope="module")
def decision(fit):
    return sb.decide(fit, flops=BUDGET)


@pytest.fixture(scope="module")
def forecast_options(fit, decision):
    """Return draws of the loss at every option, of shape (point, draw), by the forecast."""
    points = decision.options.points.to_dataframe()[["n_params", "tokens"]]
    return (
        fit.forecast(points).mean_curve.transpose("point", ...).to_numpy().reshape(len(points), -1)
    )


# Some of these laws have optima beyond any model there is, and a decision says so.
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.PlausibilityWarning")
@given(
    alpha_n=st.floats(0.1, 0.9),
    alpha_d=st.floats(0.1, 0.9),
    log_flops=st.floats(18, 27),
)
def test_without_limits_the_closed_form_optimum_is_chosen(alpha_n, alpha_d, log_flops):
    values = {"L_inf": 1.8, "alpha_N": alpha_n, "alpha_D": alpha_d, "N_c": 5e7, "D_c": 1e9}
    source, flops = one_draw(values), 10**log_flops
    closed = sb.allocate(source, flops=flops).optimum
    choice = sb.decide(source, flops=flops).choice
    assert choice.n_params == pytest.approx(closed["n_params"].item(), rel=1e-4)
    assert choice.tokens == pytest.approx(closed["tokens"].item(), rel=1e-4)
    assert choice.flops == choice.total_flops == pytest.approx(flops, rel=1e-12)


@pytest.mark.parametrize("name", TRADES_N_FOR_D)
def test_every_law_is_decided_as_it_is_allocated(name, prior_source):
    source = prior_source(REGISTRY[name](), draws=20, seed=3)
    expected = sb.allocate(source, flops=1e22).recommended
    choice = sb.decide(source, flops=1e22).choice
    assert choice.n_params == pytest.approx(expected["n_params"].item(), rel=1e-3)


@pytest.mark.parametrize("served", [1e11, 2e12, 1e13])
def test_a_model_that_serves_is_the_one_that_direct_optimisation_finds(served):
    def loss(log_n: float) -> float:
        n = np.exp(log_n)
        tokens = (BUDGET - 2 * n * served) / (6 * n)
        return by_hand(BESIROGLU.values, n, tokens) if tokens > 0 else np.inf

    direct = minimize_scalar(
        loss, bracket=(np.log(1e9), np.log(1e10), np.log(BUDGET / (2.1 * served))), tol=1e-9
    )
    decision = sb.decide(BESIROGLU, flops=BUDGET, served_tokens=served)
    assert decision.choice.n_params == pytest.approx(np.exp(direct.x), rel=1e-4)
    assert decision.loss.item() == pytest.approx(direct.fun, abs=1e-7)
    choice = decision.choice
    assert choice.total_flops == pytest.approx(BUDGET)
    assert choice.flops == pytest.approx(BUDGET - 2 * choice.n_params * served)
    alone = sb.decide(BESIROGLU, flops=BUDGET).choice
    assert choice.n_params < alone.n_params
    assert choice.tokens / choice.n_params > alone.tokens / alone.n_params


def test_quantiles_and_cvar_agree_with_brute_force_on_draws(fit, decision, forecast_options):
    np.testing.assert_allclose(decision.options.mean_curve, forecast_options, rtol=1e-12)
    best = forecast_options.min(axis=0)
    n_draws = forecast_options.shape[1]
    for prob in (0.5, 0.9, 0.95):
        worst = int(np.ceil(round((1 - prob) * n_draws, 6)))
        at = [np.sort(row) for row in forecast_options]
        quantile = [row[int(np.ceil(round(prob * n_draws, 6))) - 1] for row in at]
        cvar = [row[-worst:].mean() for row in at]
        regret = [np.sort(row - best)[-worst:].mean() for row in forecast_options]
        for rule, brute in (
            (sb.rules.Quantile(prob), quantile),
            (sb.rules.CVaR(prob), cvar),
            (sb.rules.CVaR(prob, of="regret"), regret),
        ):
            np.testing.assert_allclose(rule.scores(decision.options), brute, rtol=1e-10)
            near = np.log(decision.options.n_params[np.argmin(brute)])
            step = np.ptp(np.log(decision.options.n_params)) / len(brute)
            chosen = sb.decide(fit, flops=BUDGET, rule=rule).choice.n_params
            assert np.log(chosen) == pytest.approx(near, abs=1.01 * step)


def test_a_target_is_met_as_often_as_draws_say(fit, decision, forecast_options):
    target = float(np.median(forecast_options.min(axis=0)))
    rule = sb.rules.MeetTarget(target)
    missed = [np.mean(row > target) for row in forecast_options]
    np.testing.assert_allclose(rule.scores(decision.options), missed)
    chosen = sb.decide(fit, flops=BUDGET, rule=rule)
    assert np.mean(chosen.loss > target) == pytest.approx(min(missed), abs=0.005)


def test_expected_loss_is_that_of_the_recommended_allocation(fit, decision):
    best = fit.allocate(flops=BUDGET).recommended
    assert decision.choice.n_params == pytest.approx(best["n_params"].item(), rel=1e-4)
    assert decision.expected_loss == pytest.approx(best["expected_loss"].item(), abs=1e-6)
    assert decision.regret.mean() == pytest.approx(best["cost_mean"].item(), abs=1e-6)
    assert np.quantile(decision.regret, 0.95) == pytest.approx(best["cost_p95"].item(), abs=1e-5)
    assert decision.value_of_perfect_information == pytest.approx(decision.regret.mean(), abs=1e-7)


def test_minimax_regret_balances_two_laws_whatever_their_weights():
    flops = 1e23
    both = {"a": BESIROGLU, "b": HOFFMANN}
    choices = [
        sb.decide(
            sb.average(both, weights={"a": w, "b": 1 - w}), flops=flops, rule="minimax_regret"
        ).choice.n_params
        for w in (0.2, 0.9)
    ]
    assert choices[0] == pytest.approx(choices[1], rel=0.02)

    def regrets(n: float) -> list[float]:
        return [
            by_hand(one.values, n, flops / (6 * n))
            - sb.allocate(one, flops=flops).optimum["loss"].item()
            for one in both.values()
        ]

    first, second = regrets(choices[0])
    assert first == pytest.approx(second, rel=0.05)
    for n in choices[0] * np.array([0.9, 1.1]):
        assert max(regrets(n)) > max(first, second)


def test_the_cheapest_budget_is_that_which_reaches_the_target():
    flops = sb.compute_to_reach(BESIROGLU, 2.0).flops.item()
    cheapest = sb.decide(BESIROGLU, rule=sb.rules.Cheapest(loss=2.0, prob=0.9))
    assert cheapest.budget == pytest.approx(flops, rel=1e-3)
    assert cheapest.loss.item() <= 2.0


def test_the_cheapest_budget_keeps_its_probability(fit):
    rule = sb.rules.Cheapest(loss=2.05, prob=0.8)
    found = sb.decide(fit, rule=rule)
    assert np.mean(found.loss <= 2.05) == pytest.approx(0.8, abs=0.005)
    smaller = sb.decide(fit, flops=0.97 * found.budget, rule=sb.rules.MeetTarget(2.05))
    assert np.mean(smaller.loss <= 2.05) < 0.8
    each = fit.compute_to_reach(2.05).flops.quantile(0.8).item()
    assert found.budget == pytest.approx(each, rel=0.1)
    with pytest.raises(InputError, match=r"met with probability .* at best, not 0\.8"):
        sb.decide(fit, flops=found.budget / 10, rule=rule)


def test_a_new_run_is_riskier_than_the_mean_curve(fit):
    mean, run = (
        sb.decide(fit, flops=BUDGET, rule="cvar", of=of) for of in ("mean_curve", "new_run")
    )
    assert run.loss.std() > mean.loss.std()
    forecast = fit.forecast(n_params=run.choice.n_params, tokens=run.choice.tokens, seed=1)
    spread = [
        float(np.subtract(*np.quantile(x, [0.95, 0.05]))) for x in (run.loss, forecast.new_run)
    ]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)


@pytest.mark.parametrize(
    ("limits", "binding"),
    [
        ({"n_params": "30B"}, ("n_params",)),
        ({"least_n_params": "200B"}, ("least_n_params",)),
        ({"tokens": "800B"}, ("tokens",)),
        ({"wall_time": "2 days"}, ("wall_time",)),
        ({"n_params": "500B", "tokens": "20T", "wall_time": "400 days"}, ()),
    ],
)
def test_limits_bind_where_they_are_reached(limits, binding):
    hardware = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=1024)
    decision = sb.decide(BESIROGLU, flops=BUDGET, limits=sb.Limits(**limits), hardware=hardware)
    choice, free = decision.choice, sb.decide(BESIROGLU, flops=BUDGET).choice
    assert decision.binding == binding
    assert choice.n_params <= decision.problem.limits.of("n_params", np.inf) * (1 + 1e-9)
    assert choice.n_params >= decision.problem.limits.of("least_n_params", 0) * (1 - 1e-9)
    assert choice.tokens <= decision.problem.limits.of("tokens", np.inf) * (1 + 1e-9)
    within = decision.problem.limits.of("wall_time", np.inf) * (1 + 1e-9)
    assert hardware.seconds(choice.flops) <= within
    if not binding:
        assert choice.n_params == pytest.approx(free.n_params, rel=1e-4)
    else:
        relaxed = decision.what_would_change_it().query("kind == 'limit'")
        assert len(relaxed) == 1
        assert relaxed["gain"].item() > 0


def test_a_discrepancy_makes_a_decision_less_sure(runs, quiet, decision):
    smooth = sb.fit(
        runs, sb.laws.Chinchilla(), discrepancy=sb.discrepancy.Smooth(), settings=quiet, seed=1
    )
    unsure = sb.decide(smooth, flops=BUDGET)
    assert unsure.value_of_perfect_information > 2 * decision.value_of_perfect_information
    forecast = smooth.forecast(n_params=unsure.choice.n_params, flops=BUDGET, seed=1).mean_curve
    for q in (0.05, 0.5, 0.95):
        expected = quantile(forecast.to_numpy(), q)
        assert quantile(unsure.loss, q) == pytest.approx(expected, rel=0.02)
    # Neighbours move together: a discrepancy is smooth, and no draw prefers a size by luck.
    roughness = np.abs(np.diff(unsure.options.mean_curve, n=2, axis=0)).max()
    assert roughness < 0.01 * np.ptp(unsure.options.mean_curve)


def test_a_menu_gives_its_best_size(fit):
    menu = ["7B", "13B", "70B", "180B"]
    decision = sb.decide(fit, flops=BUDGET, n_params=menu)
    losses = {n: fit.forecast(n_params=n, flops=BUDGET).mean_curve.mean().item() for n in menu}
    assert decision.choice.n_params == float(min(losses, key=losses.get).rstrip("B")) * 1e9
    assert set(decision.alternatives().index) >= {"choice", "7e+09", "1.3e+10", "1.8e+11"}


def test_repeated_data_are_worth_less_and_ample_data_change_nothing(fit):
    free = sb.decide(fit, flops=BUDGET)
    ample = sb.decide(fit, flops=BUDGET, limits=sb.Limits(unique_tokens="100T"))
    scarce = sb.decide(fit, flops=BUDGET, limits=sb.Limits(unique_tokens="100B"))
    assert ample.choice.n_params == pytest.approx(free.choice.n_params, rel=1e-4)
    assert ample.choice.epochs == pytest.approx(ample.choice.tokens / 1e14)
    assert ample.expected_loss == pytest.approx(free.expected_loss, abs=1e-6)
    assert scarce.expected_loss > free.expected_loss + 0.01
    assert scarce.choice.epochs == pytest.approx(scarce.choice.tokens / 1e11)
    assert scarce.binding == ("unique_tokens",)


def test_the_range_holds_what_brute_force_says(fit, decision, forecast_options):
    regret = forecast_options - forecast_options.min(axis=0)
    below = np.mean(regret < 0.03, axis=1) >= 0.9
    inside = decision.options.n_params[below]
    found = decision.range(epsilon=0.03, prob=0.9)
    assert found.n_params[0] == pytest.approx(inside[0], rel=0.02)
    assert found.n_params[1] == pytest.approx(inside[-1], rel=0.02)
    assert found.tokens[0] == pytest.approx(BUDGET / 6 / found.n_params[0])
    wider, surer = decision.range(epsilon=0.04), decision.range(epsilon=0.03, prob=0.95)
    assert wider.n_params[0] < found.n_params[0] < surer.n_params[0]
    assert wider.n_params[1] > found.n_params[1] > surer.n_params[1]


def test_the_region_agrees_with_forecasts_and_shows_what_can_be_saved(fit, decision):
    found = decision.range(epsilon=0.03, prob=0.9)
    at = found.region.isel(abs(found.region - 0.5).argmin(...))
    point = {name: at[name].item() for name in ("n_params", "tokens")}
    regret = fit.forecast(**point).mean_curve.to_numpy().ravel() - decision.options.best_loss
    assert at.item() == pytest.approx(np.mean(regret < 0.03), abs=0.02)
    n, d, flops = found.cheapest
    assert flops == pytest.approx(6 * n * d)
    assert 0.2 * BUDGET < flops < BUDGET
    saved = fit.forecast(n_params=n, tokens=d).mean_curve.to_numpy().ravel()
    assert np.mean(saved - decision.options.best_loss < 0.03) == pytest.approx(0.9, abs=0.01)


def test_the_region_ends_where_the_budget_does():
    decision = sb.decide(BESIROGLU, flops=1e24, served_tokens="1T")
    found = decision.range(epsilon=0.01)
    assert (found.region["tokens"] > 0).all()
    n, d, flops = found.cheapest
    assert flops + 2 * n * 1e12 < decision.choice.total_flops
    assert by_hand(BESIROGLU.values, n, d) == pytest.approx(decision.loss.item() + 0.01, abs=1e-4)


def test_no_size_is_sure_enough_for_too_small_an_epsilon(decision):
    found = decision.range(epsilon=1e-6, prob=0.99)
    assert found.empty
    assert "No allocation" in str(found)
    assert np.isnan(found.cheapest).all()


def test_alternatives_are_scored_by_their_draws(fit, decision):
    table = decision.alternatives(prob=0.8)
    assert table.index[0] == "choice"
    assert table["probability_best"].sum() == pytest.approx(1)
    for name in ("choice", "0.5 N", "2 N"):
        row = table.loc[name]
        draws = fit.forecast(n_params=row["n_params"], flops=BUDGET).mean_curve.to_numpy().ravel()
        regret = draws - decision.options.best_loss
        assert row["loss"] == pytest.approx(quantile(draws, 0.5), abs=1e-5)
        assert row["loss_lower"] == pytest.approx(quantile(draws, 0.1), abs=1e-5)
        assert row["loss_upper"] == pytest.approx(quantile(draws, 0.9), abs=1e-5)
        assert row["regret_mean"] == pytest.approx(regret.mean(), abs=1e-6)
        assert row["regret_p95"] == pytest.approx(quantile(regret, 0.95), abs=1e-5)
    assert table["mismatch"]["choice"] == pytest.approx(0, abs=1e-3)
    left = (1 - table["mismatch"]["2 N"]) * BUDGET
    smaller = sb.decide(fit, flops=left).expected_loss
    assert smaller == pytest.approx(
        decision.options.best_loss.mean() + table["regret_mean"]["2 N"], abs=3e-4
    )


def test_what_would_change_the_choice(fit, decision):
    table = decision.what_would_change_it().set_index("change")
    double = sb.decide(fit, flops=2 * BUDGET)
    assert table.loc["2 times the budget", "n_params"] == pytest.approx(double.choice.n_params)
    assert table.loc["2 times the budget", "gain"] == pytest.approx(
        decision.expected_loss - double.expected_loss
    )
    by_parameter = table[table["kind"] == "parameter"]
    assert len(by_parameter) == 6
    names = {change.split()[0] for change in by_parameter.index}
    assert names < set(fit.law.parameter_names)
    for name in names:
        low, high = (
            by_parameter[by_parameter.index.str.startswith(f"{name} {end} (")]["times"].item()
            for end in ("low", "high")
        )
        assert (low - 1) * (high - 1) < 0


def test_an_average_shows_each_law_alone():
    both = sb.average({"besiroglu": BESIROGLU, "hoffmann": HOFFMANN})
    decision = sb.decide(both, flops=BUDGET)
    alone = decision.what_would_change_it().query("kind == 'law'").set_index("change")
    for name, law in (("besiroglu", BESIROGLU), ("hoffmann", HOFFMANN)):
        closed = sb.allocate(law, flops=BUDGET).optimum["n_params"].item()
        assert alone["n_params"][f"{name} alone"] == pytest.approx(closed, rel=1e-3)
    assert "by minimax_regret" in decision.alternatives().index


def test_words_say_what_the_numbers_are_of(fit, decision):
    text = repr(decision)
    assert "Loss of the mean curve" in text
    assert "90% equal-tailed" in text
    assert "times the compute of the largest run fitted" in text
    assert "Loss of one new run" in repr(sb.decide(fit, flops=BUDGET, of="new_run"))
    assert "regret" not in repr(sb.decide(BESIROGLU, flops=BUDGET))


def test_money_and_hours_buy_what_they_should(fit):
    h100 = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=1000, price="$2.50")
    flops = 1e6 * 3600 * 989e12 * 0.4
    by_hours = sb.decide(fit, gpu_hours="1M GPU-hours", hardware=h100)
    by_money = sb.decide(fit, money="$2.5M", hardware=h100)
    assert by_hours.budget == pytest.approx(flops)
    assert by_money.budget == pytest.approx(flops)
    assert "1M GPU-hours, 2.5M USD; training takes 41.7 days" in repr(by_hours)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"flops": -1e20}, UnitError, "flops = -1e\\+20 is negative"),
        ({"flops": 0}, UnitError, "is zero"),
        ({"flops": "1e20 FLOP/s"}, UnitError, "is a rate"),
        ({"flops": "7B params"}, UnitError, "not one of FLOPs"),
        ({"flops": 4}, InputError, "below the smallest feasible: one token for 1 parameters"),
        (
            {"flops": 1e15, "served_tokens": 1e15},
            InputError,
            "and its serving takes 2e\\+15 FLOPs",
        ),
        (
            {"flops": 1e15, "limits": sb.Limits(least_n_params="1000T")},
            InputError,
            "below the smallest feasible: one token for 1e\\+15",
        ),
        ({"flops": 1e12, "n_params": ["1T", "2T"]}, InputError, "one token for 1T parameters"),
        (
            {"flops": 1e22, "n_params": "1T", "limits": sb.Limits(n_params="1B")},
            InputError,
            "no model size on the menu is within the limits",
        ),
        ({}, InputError, "give the budget: flops, gpu_hours or money"),
        ({"flops": 1e20, "money": 5}, InputError, "given as flops and as money"),
        ({"gpu_hours": 5}, InputError, "needs to know the devices"),
        ({"flops": 1e20, "rule": "best"}, InputError, "rule is 'best'; take one of"),
        ({"flops": 1e20, "rule": "minimax_regret"}, InputError, "is over several laws"),
        ({"flops": 1e20, "of": "new_run"}, InputError, "has no noise"),
        ({"flops": 1e20, "of": "run"}, InputError, "of is 'run'"),
        (
            {"flops": 1e20, "limits": sb.Limits(wall_time="3 days")},
            InputError,
            "needs to know the devices",
        ),
    ],
)
def test_bad_decisions_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        sb.decide(BESIROGLU, **options)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: sb.rules.Quantile(1.0), "prob is 1.0"),
        (lambda: sb.rules.CVaR(0.9, of="gain"), "of is 'gain'"),
        (lambda: sb.rules.MeetTarget(-2), "the target loss is -2"),
        (lambda: sb.rules.Cheapest(loss=2.0, prob=0), "prob is 0"),
        (lambda: sb.Limits(n_params="1B", least_n_params="2B"), "2B, is larger than"),
        (lambda: sb.Limits(tokens="-3"), "tokens = '-3' is negative"),
        (lambda: sb.Hardware(peak="989 TFLOP/s", utilisation=1.4), "utilisation is 1.4"),
        (lambda: sb.Hardware(peak=1e15, utilisation=0.4, n_devices=0.5), "n_devices is 0.5"),
        (lambda: sb.Hardware(peak="989 TB/s", utilisation=0.4), "peak = '989 TB/s'.*FLOP/s"),
        (lambda: sb.Hardware(peak="989", utilisation=0.4), "peak is '989', which is 989 FLOP/s"),
        (lambda: sb.Hardware(peak=1e15, utilisation=0.4, price="free"), "price = 'free'"),
        (lambda: sb.Limits(wall_time="3 months"), "wall_time = '3 months'"),
        (lambda: sb.Hardware(peak=1e15, utilisation=0.4).flops(money=3), "has no price"),
        (lambda: sb.Hardware(peak=1e15, utilisation=0.4).flops(), "either gpu_hours or money"),
        (lambda: sb.Hardware(peak=1e15, utilisation=0.4).seconds(1e20), "number of devices"),
        (
            lambda: sb.Hardware(peak=1e15, utilisation=0.4, price="$2").flops(money="€3"),
            "in USD. Give the budget in USD",
        ),
    ],
)
def test_bad_rules_limits_and_hardware_are_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()


def test_a_law_of_one_size_has_nothing_to_decide(prior_source):
    with pytest.raises(NoOptimumError, match="does not trade model size against tokens"):
        sb.decide(prior_source(sb.laws.PowerLaw("tokens"), draws=5), flops=1e20)


def test_scores_of_a_rule_of_ones_own(fit):
    class MedianLoss(sb.rules.Rule):
        words = "the smallest median loss"

        def scores(self, options: Options) -> np.ndarray:
            return np.median(options.loss, axis=1)

    decision = sb.decide(fit, flops=BUDGET, rule=MedianLoss())
    assert "the smallest median loss" in repr(decision)
    # Of medians that differ by less than draws tell, either may be smallest: losses are compared.
    median = np.median(sb.decide(fit, flops=BUDGET, rule=sb.rules.Quantile(0.5)).loss)
    assert np.median(decision.loss) == pytest.approx(median, abs=1e-5)


@pytest.mark.parametrize("epsilon", [0.003, 0.03, 0.1, 0.3])
def test_ranges_and_the_cheapest_are_right_however_large_epsilon_is(epsilon):
    found = sb.decide(BESIROGLU, flops=1e24).range(epsilon=epsilon)
    best = sb.allocate(BESIROGLU, flops=1e24).optimum["loss"].item()
    for n in found.n_params:
        loss = by_hand(BESIROGLU.values, n, 1e24 / 6 / n)
        assert loss == pytest.approx(best + epsilon, abs=0.02 * epsilon)
    truly = sb.compute_to_reach(BESIROGLU, best + epsilon).flops.item()
    assert found.cheapest[2] == pytest.approx(truly, rel=0.15)


@pytest.mark.parametrize(
    "limits", [{"wall_time": "2 days"}, {"n_params": "10B", "tokens": "200B"}, {"n_params": "20B"}]
)
def test_a_choice_has_no_mismatch_whatever_binds(limits):
    hardware = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=1024)
    decision = sb.decide(BESIROGLU, flops=BUDGET, limits=sb.Limits(**limits), hardware=hardware)
    table = decision.alternatives()
    assert table["mismatch"]["choice"] == pytest.approx(0, abs=1e-3)
    assert table["mismatch"]["0.5 N"] > 0.01


@given(tokens=st.floats(2e11, 1.2e12))
def test_a_limit_on_tokens_binds_wherever_it_is(tokens):
    decision = sb.decide(BESIROGLU, flops=BUDGET, limits=sb.Limits(tokens=tokens), n_candidates=60)
    assert decision.binding == ("tokens",)


@pytest.mark.parametrize(
    "price", ["$2.50", "$2.50/h", "$2.50/gpu/hr ", "$2.50 per GPU-hour", "2.50 USD an hour", 2.5]
)
def test_a_price_is_for_an_hour(price):
    hardware = sb.Hardware(peak="989 TFLOPS", utilisation=0.4, price=price)
    assert hardware.money(hardware.flops_per_gpu_hour) == pytest.approx(2.5)


def test_what_is_left_of_a_budget_is_said():
    limits = sb.Limits(n_params="50B", tokens="1T")
    text = repr(sb.decide(BESIROGLU, flops=1e24, limits=limits))
    assert "at most N 50B; 70% of the budget is left" in text
    assert "is left" not in repr(sb.decide(BESIROGLU, flops=1e24))


def test_the_share_of_training_is_said_where_a_model_serves():
    hardware = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4)
    decision = sb.decide(BESIROGLU, flops=1e24, served_tokens="2T", hardware=hardware)
    share = decision.choice.flops / 1e24
    assert 0.5 < share < 0.9
    assert f"{share:.0%} of it for training" in repr(decision)


# Far out, where nobody trains, the rules have to hold as well.
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.PlausibilityWarning")
def test_tokens_per_parameter_far_from_those_of_the_runs_are_said(fit):
    words = "the law is not known to hold there"
    assert words in repr(sb.decide(fit, flops=1e20, limits=sb.Limits(tokens="1M")))
    assert words not in repr(sb.decide(fit, flops=1e20))


def test_each_law_of_an_average_says_what_it_expects():
    both = sb.average({"besiroglu": BESIROGLU, "hoffmann": HOFFMANN})
    decision = sb.decide(both, flops=BUDGET)
    size = decision.choice.n_params
    for name, law in (("besiroglu", BESIROGLU), ("hoffmann", HOFFMANN)):
        loss = sb.forecast(law, n_params=size, flops=BUDGET).mean_curve.item()
        assert f"{loss:.4f} by {name} (regret " in repr(decision)


def test_a_target_out_of_reach_says_where_the_floor_is(fit):
    rule = sb.rules.Cheapest(loss=1.0, prob=0.9)
    with pytest.raises(InputError, match=r"irreducible loss is .*\. Give a higher target or a"):
        sb.decide(fit, rule=rule)
    within = sb.rules.Cheapest(loss=2.2, prob=0.9)
    with pytest.raises(InputError, match="Give a larger budget, wider limits, a higher target"):
        sb.decide(fit, flops=1e22, rule=within, limits=sb.Limits(n_params="10M"))


def test_a_rule_that_finds_the_budget_is_asked_for_more_and_less(fit):
    decision = sb.decide(fit, rule=sb.rules.Cheapest(loss=2.2, prob=0.9))
    rows = decision.what_would_change_it().query("kind == 'target'")
    assert len(rows) == 4
    harder = sb.decide(fit, rule=sb.rules.Cheapest(loss=2.2, prob=0.95))
    found = rows[rows["change"].str.startswith("with probability 0.95")].iloc[0]
    assert found["n_params"] == pytest.approx(harder.choice.n_params, rel=1e-6)
    assert found["gain"] > 0


def test_no_change_of_target_exceeds_the_budget_that_was_given():
    rule = sb.rules.Cheapest(loss=2.05, prob=0.5)
    needed = sb.decide(BESIROGLU, rule=rule).budget
    decision = sb.decide(BESIROGLU, flops=1.01 * needed, rule=rule)
    rows = decision.what_would_change_it().query("kind == 'target'")
    assert rows["change"].str.contains("at most 2.07").tolist() == [True]


def test_minimax_regret_says_what_each_law_would_choose():
    both = sb.average({"besiroglu": BESIROGLU, "hoffmann": HOFFMANN})
    decision = sb.decide(both, flops=BUDGET, rule="minimax_regret")
    alone = decision.what_would_change_it().query("kind == 'law'")
    assert alone["times"].min() < 1 < alone["times"].max()


def test_repeated_data_are_worked_out_once(fit, monkeypatch):
    decision = sb.decide(fit, flops=1e24, limits=sb.Limits(unique_tokens="100B"))
    table = decision.alternatives()
    monkeypatch.setattr(sb.Repetition, "draws", None)
    monkeypatch.setattr(loss_draws, "warranted_n_params", None)
    pd.testing.assert_frame_equal(decision.alternatives(), table)


def test_repeated_data_are_worked_out_again_in_another_process(fit):
    decision = sb.decide(fit, flops=1e24, limits=sb.Limits(unique_tokens="100B"))
    copy = pickle.loads(pickle.dumps(decision))
    pd.testing.assert_frame_equal(copy.alternatives(), decision.alternatives())
    (kept,) = copy.problem.repeated._warranted.values()
    assert kept[0] is copy.problem.source


def test_what_is_not_on_the_menu_is_nowhere():
    menu = ["10.01B", "10.02B", "20B", "200B"]
    both = sb.average({"besiroglu": BESIROGLU, "hoffmann": HOFFMANN})
    decision = sb.decide(both, flops=1e24, n_params=menu)
    sizes = [1.001e10, 1.002e10, 2e10, 2e11]
    table = decision.alternatives()
    assert set(table["n_params"]) == set(sizes)
    changed = decision.what_would_change_it()
    assert set(changed["n_params"]) <= set(sizes)
    found = decision.range(epsilon=0.5, prob=0.5)
    assert list(found.inside) == sizes
    assert found.cheapest[0] in sizes
    assert "Of the menu, N 10B, 10B, 20B, 200B have" in str(found)


# Far out, where nobody trains, the rules have to hold as well.
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.PlausibilityWarning")
def test_repeated_data_follow_the_paper_at_any_compute():
    p = SimpleNamespace(**BESIROGLU.values)
    unique, flops = 1e11, 1e25
    decision = sb.decide(BESIROGLU, flops=flops, limits=sb.Limits(unique_tokens=unique))
    warranted = sb.allocate(BESIROGLU, flops=np.logspace(18, 26, 400)).optimum
    log_d, log_n = (np.log(warranted[name].to_numpy().ravel()) for name in ("tokens", "n_params"))
    u_n = np.exp(np.interp(np.log(unique), log_d, log_n))

    def loss(n: float) -> float:
        d = flops / 6 / n
        d_worth = unique * (1 + 15.4 * (1 - np.exp(-(d / unique - 1) / 15.4)))
        n_worth = n if n < u_n else u_n * (1 + 5.3 * (1 - np.exp(-(n / u_n - 1) / 5.3)))
        return by_hand(vars(p), n_worth, d_worth)

    grid = np.geomspace(1e9, 5e12, 4000)
    best = grid[np.argmin([loss(n) for n in grid])]
    assert decision.choice.n_params == pytest.approx(best, rel=0.15)
    limits = sb.Limits(unique_tokens=unique)
    at = [sb.decide(BESIROGLU, flops=each, limits=limits) for each in (1e26, 1e30)]
    assert decision.expected_loss >= at[0].expected_loss >= at[1].expected_loss


def test_a_law_without_draws_is_not_overlooked_by_minimax_regret():
    both = sb.average(
        {"besiroglu": BESIROGLU, "hoffmann": HOFFMANN},
        weights={"besiroglu": 1 - 1e-5, "hoffmann": 1e-5},
    )
    with pytest.raises(InputError, match="'hoffmann' has 0 draws"):
        sb.decide(both, flops=1e23, rule="minimax_regret")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_candidates": 3}, "n_candidates is 3"),
        ({"limits": {"n_params": "3B"}}, "give sb.Limits"),
        ({"limits": sb.Limits(tokens=2, n_params="1B"), "served_tokens": 1e16}, "below the"),
    ],
)
def test_more_bad_decisions_are_refused(options, match):
    with pytest.raises(InputError, match=match):
        sb.decide(BESIROGLU, flops=1e16, **options)
    with pytest.raises(InputError, match="prob is 2"):
        sb.decide(BESIROGLU, flops=1e22).alternatives(prob=2)


def test_nothing_served_costs_nothing():
    assert (
        sb.decide(BESIROGLU, flops=1e22, served_tokens=0).choice
        == sb.decide(BESIROGLU, flops=1e22).choice
    )


def test_the_probability_of_a_target_is_said(fit):
    text = repr(sb.decide(BESIROGLU, flops=1e22, rule=sb.rules.MeetTarget(1.0)))
    assert "(probability 0: the smallest expected loss decided)" in text
