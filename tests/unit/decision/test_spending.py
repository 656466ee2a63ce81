from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq, minimize_scalar

import scaling_bayes as sb
from scaling_bayes.errors import InputError, NoOptimumError, UnitError

BESIROGLU = sb.laws.Chinchilla.published["besiroglu2024"]
HOFFMANN = sb.laws.Chinchilla.published["hoffmann2022"]
H100 = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=1024, price="$2.50")
BUDGETS = [1e21, 1e22, 1e23, 1e24]


def best_loss(flops) -> np.ndarray:
    """Return the smallest loss by Besiroglu et al. at some budgets, in closed form."""
    p = SimpleNamespace(**BESIROGLU.values)
    a, b = p.N_c**p.alpha_N, p.D_c**p.alpha_D
    power = p.alpha_D / (p.alpha_N + p.alpha_D)
    ratio = (p.alpha_N * a / (p.alpha_D * b)) ** (1 / (p.alpha_N + p.alpha_D))
    n = ratio * (np.asarray(flops) / 6) ** power
    return p.L_inf + a / n**p.alpha_N + b / (np.asarray(flops) / 6 / n) ** p.alpha_D


@pytest.fixture(scope="module")
def spent(fit):
    return sb.spending(
        fit, flops=BUDGETS, hardware=H100, value_per_nat="$20M", of="new_run", seed=2
    )


@pytest.fixture(scope="module")
def smooth_spent(smooth_fit):
    return sb.spending(smooth_fit, flops=[1e21, 1e22], hardware=H100, value_per_nat="$2M")


def test_gains_are_differences_of_closed_form_optima():
    found = sb.spending(BESIROGLU, flops=BUDGETS)
    frame = found.to_frame()
    losses = best_loss(BUDGETS)
    np.testing.assert_allclose(frame["loss"], losses, atol=1e-8)
    np.testing.assert_allclose(frame["gain"][1:], -np.diff(losses), atol=1e-8)
    np.testing.assert_allclose(frame["total_gain"], losses[0] - losses, atol=1e-8)
    np.testing.assert_allclose(found.expected_gain, -np.diff(losses), atol=1e-8)
    np.testing.assert_allclose(frame["price"], BUDGETS)
    np.testing.assert_allclose(frame["nats_per_price"][1:], -np.diff(losses) / np.diff(BUDGETS))
    assert np.isnan(frame["gain"][0])


def test_nats_per_doubling_come_near_the_derivative():
    flops = 1e23 * np.array([0.99, 1.01])
    found = sb.spending(BESIROGLU, flops=flops).to_frame()["nats_per_doubling"][1]
    step = 1e-4
    slope = (best_loss(1e23 * (1 - step)) - best_loss(1e23 * (1 + step))) / (2 * step)
    assert found == pytest.approx(slope * np.log(2), rel=1e-3)


def test_the_share_left_is_that_of_the_power_law():
    found = sb.spending(BESIROGLU, flops=BUDGETS)
    above = best_loss(BUDGETS) - BESIROGLU.values["L_inf"]
    np.testing.assert_allclose(found.share_left.values.ravel(), above / above[0], rtol=1e-6)


def test_returns_diminish_with_every_draw(spent):
    shares = spent.share_left.to_numpy()
    assert (np.diff(shares, axis=0) < 0).all()
    assert ((shares > 0) & (shares <= 1)).all()
    frame = spent.to_frame()
    assert (np.diff(spent.mean_curve, axis=0) < 0).all()
    assert frame["nats_per_doubling"][1:].is_monotonic_decreasing
    assert frame["nats_per_price"][1:].is_monotonic_decreasing
    assert frame["mean_curve_probability_worth"][1:].is_monotonic_decreasing


def test_probabilities_agree_with_brute_force_on_draws(fit, spent):
    frame = spent.to_frame()
    at = {"n_params": frame["n_params"], "tokens": frame["tokens"]}
    curve = fit.forecast(**at).mean_curve.transpose("point", ...).to_numpy().reshape(4, -1)
    np.testing.assert_allclose(spent.mean_curve.to_numpy().reshape(4, -1), curve, rtol=1e-12)
    prices = [H100.money(flops) for flops in BUDGETS]
    np.testing.assert_allclose(frame["price"], prices)
    runs = fit.forecast(**at, seed=5).new_run.transpose("point", ...).to_numpy().reshape(4, -1)
    for step in range(3):
        price = prices[step + 1] - prices[step]
        assert frame["extra_price"][step + 1] == pytest.approx(price)
        worth = np.mean((curve[step] - curve[step + 1]) * 20e6 > price)
        assert frame["mean_curve_probability_worth"][step + 1] == pytest.approx(worth, abs=1e-9)
        worth = np.mean((runs[step] - runs[step + 1]) * 20e6 > price)
        assert frame["new_run_probability_worth"][step + 1] == pytest.approx(worth, abs=0.02)
    uncertain = frame["new_run_probability_worth"].between(0.05, 0.95)
    assert uncertain.any()


def test_the_noise_of_two_runs_is_independent(spent):
    noise = np.log(spent.new_run / spent.mean_curve).to_numpy().reshape(4, -1)
    correlations = np.corrcoef(np.sign(noise))[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 0.06
    width = spent.to_frame().eval("gain_upper - gain_lower")[1:]
    alone = replace(spent, new_run=None).to_frame().eval("gain_upper - gain_lower")[1:]
    assert (width > 2 * alone).all()


def test_uncertainty_that_budgets_share_cancels_in_a_gain(spent):
    curve = replace(spent, new_run=None)
    frame = curve.to_frame()
    loss, gain = (
        np.ptp(frame[[f"{name}_lower", f"{name}_upper"]].iloc[-1]) for name in ("loss", "gain")
    )
    assert gain < 0.3 * loss


def test_a_discrepancy_is_drawn_jointly_over_budgets(smooth_spent, smooth_fit):
    frame = smooth_spent.to_frame()
    at = {"n_params": frame["n_params"], "tokens": frame["tokens"]}
    curve = smooth_fit.forecast(**at, seed=3).mean_curve.transpose("point", ...).to_numpy()
    gain = np.quantile(curve[0] - curve[1], [0.05, 0.95])
    found = frame.loc[1, ["gain_lower", "gain_upper"]].to_numpy(float)
    np.testing.assert_allclose(found, gain, atol=0.1 * np.ptp(gain))
    losses = smooth_spent.mean_curve.to_numpy().reshape(2, -1)
    assert np.corrcoef(losses)[0, 1] > 0.5


def test_doubling_stops_paying_where_its_gain_is_worth_its_price():
    found = sb.spending(BESIROGLU, flops=[1e21, 1e22], hardware=H100, value_per_nat="$1B")

    def surplus(log_flops: float) -> float:
        flops = np.exp(log_flops)
        return 1e9 * (best_loss(flops) - best_loss(2 * flops)) - H100.money(flops)

    stop = np.exp(brentq(surplus, np.log(1e21), np.log(1e27)))
    assert found.stop.expected == pytest.approx(stop, rel=2e-3)
    assert found.stop.surely_worth_below == found.stop.expected == found.stop.surely_not_from
    assert f"from {stop:.2e}"[:8] in repr(found)


def test_the_best_budget_has_the_largest_worth_less_price():
    found = sb.spending(BESIROGLU, flops=[1e21, 1e22], hardware=H100, value_per_nat="$1B")

    def net(log_flops: float) -> float:
        return 1e9 * best_loss(np.exp(log_flops)) + H100.money(np.exp(log_flops))

    best = np.exp(minimize_scalar(net, bracket=(np.log(1e23), np.log(1e24))).x)
    assert found.stop.best == pytest.approx(best, rel=2e-3)
    assert found.stop.best > found.stop.expected
    assert f"largest at {best:.3g} FLOPs" in repr(found)


def test_the_best_budget_is_all_that_limits_let_be_spent():
    limits = sb.Limits(n_params="10B", tokens="200B")
    given = {"flops": [1e21, 1e23], "limits": limits, "hardware": H100}
    found = sb.spending(BESIROGLU, **given, value_per_nat="$100B")
    assert found.stop.best == pytest.approx(6 * 10e9 * 200e9)
    little = sb.spending(BESIROGLU, **given, value_per_nat="$100K")
    assert 1e21 < little.stop.best < 1e22


@pytest.mark.parametrize(
    ("flops", "value", "best"), [(7e21, "$1", 0), (7e21, "$1B", 1.2e22), (1.3e22, "$1", 0)]
)
def test_where_limits_leave_little_to_spend_the_price_counts(flops, value, best):
    limits = sb.Limits(n_params="10B", tokens="200B")
    found = sb.spending(BESIROGLU, flops=[flops], limits=limits, hardware=H100, value_per_nat=value)
    assert found.stop.best == pytest.approx(best)


def test_doubling_that_never_pays_stops_at_the_first_budget():
    found = sb.spending(BESIROGLU, flops=["1e25"], hardware=H100, value_per_nat="$1")
    assert list(vars(found.stop).values()) == [0.0] * 4
    assert "already at the smallest budget" in repr(found)


def test_stops_agree_with_the_probability_of_a_doubling(fit, spent):
    stop = spent.stop
    assert stop.surely_worth_below < stop.expected < stop.surely_not_from

    def doubled(flops: float) -> sb.Spending:
        return sb.spending(fit, flops=[flops, 2 * flops], hardware=H100, value_per_nat="$20M")

    for flops, probability in ((stop.surely_worth_below, 0.9), (stop.surely_not_from, 0.1)):
        assert doubled(flops).probability_worth().item() == pytest.approx(probability, abs=0.02)
    step = doubled(stop.expected).to_frame().loc[1]
    assert step["nats_per_price"] * 20e6 == pytest.approx(1, rel=0.01)


def test_what_limits_keep_from_being_spent_has_no_price():
    limits = sb.Limits(n_params="10B", tokens="200B")
    found = sb.spending(
        BESIROGLU, flops=[1e22, 1e24, 1e25], limits=limits, hardware=H100, value_per_nat="$1B"
    )
    frame = found.to_frame()
    np.testing.assert_allclose(frame["price"][1:], H100.money(6 * 10e9 * 200e9))
    assert frame.loc[2, ["gain", "nats_per_price", "nats_per_doubling"]].tolist() == [0, 0, 0]
    assert frame["mean_curve_probability_worth"][2] == 0
    assert 1e22 < found.stop.expected <= 6 * 10e9 * 200e9


def test_with_a_discrepancy_the_share_left_is_of_what_can_be_reduced(smooth_fit):
    spent = sb.spending(smooth_fit, flops=[1e20, 1e22, 1e24, 1e26])
    shares = spent.share_left.to_numpy()
    assert (shares > 0).all()
    n_params, tokens = (
        [getattr(each, name) for each in spent.choices] for name in ("n_params", "tokens")
    )
    shift = smooth_fit.discrepancy_draws.at(
        xr.Dataset({"n_params": ("point", n_params), "tokens": ("point", tokens)})
    ).transpose("point", "chain", "draw")
    law = spent.mean_curve.to_numpy() / np.exp(shift.to_numpy())
    above = (law - smooth_fit.draws["L_inf"].to_numpy()) * np.exp(shift.to_numpy())
    np.testing.assert_allclose(shares, above / above[0], rtol=1e-6)


def test_a_law_without_irreducible_loss_has_no_share_left():
    found = sb.spending(sb.laws.Kaplan.published["kaplan2020"], flops=[1e22, 1e23])
    assert found.to_frame().filter(like="share_left").isna().to_numpy().all()
    assert "kaplan has no irreducible loss" in repr(found)
    assert found.stop is None


def test_an_average_keeps_the_draws_of_a_member_together():
    both = sb.average({"besiroglu": BESIROGLU, "hoffmann": HOFFMANN})
    found = sb.spending(both, flops=BUDGETS)
    member = found.mean_curve["member"].to_numpy()
    frame = found.to_frame()
    for name, law in (("besiroglu", BESIROGLU), ("hoffmann", HOFFMANN)):
        loss = sb.forecast(law, n_params=frame["n_params"], tokens=frame["tokens"]).mean_curve
        of_member = found.mean_curve.to_numpy()[:, 0, member == name]
        np.testing.assert_allclose(of_member.T, np.broadcast_to(loss[0, 0], of_member.T.shape))
        above = loss[0, 0].to_numpy() - law.values["L_inf"]
        shares = found.share_left.to_numpy()[:, 0, member == name]
        np.testing.assert_allclose(shares[:, 0], above / above[0])


def test_serving_is_paid_from_the_budget():
    found = sb.spending(BESIROGLU, money=["$10M", "$1M"], hardware=H100, served_tokens="2T")
    frame = found.to_frame()
    np.testing.assert_allclose(frame["price"], [1e6, 10e6])
    alone = sb.decide(BESIROGLU, money="$10M", hardware=H100, served_tokens="2T")
    assert frame["n_params"][1] == pytest.approx(alone.choice.n_params)


def test_words_say_what_the_numbers_are_of(spent):
    text = repr(spent)
    assert "losses of new runs in nats per token, medians and 90% equal-tailed intervals" in text
    assert "of the mean curve" in text
    assert "less than before for" in text
    assert "USD more" in text
    assert "nats per doubling" in text
    assert " per 1M USD" in text
    assert "is left at the last" in text
    assert "At 20M USD a nat, worth less price is expected to be largest at" in text
    assert "With probability 0.9 it is worth it below" in text
    published = repr(sb.spending(BESIROGLU, flops=BUDGETS))
    assert "published values, of unknown uncertainty" in published
    assert "[" not in published


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, InputError, "give the budgets in one of flops, gpu_hours and money"),
        ({"flops": [1e22], "money": [5]}, InputError, "in one of flops"),
        ({"flops": []}, InputError, "at least one budget"),
        ({"flops": [[1e22]]}, InputError, r"shape \(1, 1\)"),
        ({"flops": [1e22, -1]}, UnitError, "flops = -1 is negative"),
        ({"money": ["$1M"]}, InputError, "needs to know the devices"),
        ({"flops": [4]}, InputError, "below the smallest feasible"),
        ({"flops": [1e22], "prob": 1}, InputError, "prob is 1"),
        ({"flops": [1e22], "of": "new_run"}, InputError, "has no noise"),
        ({"flops": [1e22], "value_per_nat": "$1B"}, InputError, "so compute needs a price"),
        (
            {"flops": [1e22], "value_per_nat": "1B EUR", "hardware": H100},
            UnitError,
            "Give the value in USD",
        ),
    ],
)
def test_bad_spending_is_refused(options, error, match):
    with pytest.raises(error, match=match):
        sb.spending(BESIROGLU, **options)


def test_what_was_not_asked_for_is_not_answered():
    found = sb.spending(BESIROGLU, flops=BUDGETS)
    with pytest.raises(InputError, match="needs its value"):
        found.probability_worth()
    valued = sb.spending(BESIROGLU, flops=BUDGETS, hardware=H100, value_per_nat=1e9)
    with pytest.raises(InputError, match="which was not asked for"):
        valued.probability_worth("new_run")
    with pytest.raises(NoOptimumError):
        sb.spending(sb.laws.PurePowerLaw.published["kaplan2020-flops"], flops=[1e22])
