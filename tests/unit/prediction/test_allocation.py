from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._prediction.optimum import numerical_optimum, optimal_n_params
from scaling_bayes.errors import InputError, NoOptimumError, UnitError
from scaling_bayes.laws import REGISTRY
from scaling_bayes.units import SIZES, format_quantity

ALL = ("chain", "draw")
BUDGETS = 10.0 ** np.arange(17, 28)
TRADES_N_FOR_D = [
    name
    for name, make in REGISTRY.items()
    if {"n_params", "tokens"} <= set(make().covariates) <= set(SIZES)
    and make().tokens_per_param == sb.Law.tokens_per_param
]
"""Laws that are meant at all sizes."""


@pytest.fixture(scope="module")
def plan(fit: sb.Fit) -> sb.Allocation:
    return fit.allocate(flops=["1e20", "1e22", "5.88e23"])


@pytest.fixture(scope="module")
def bent_plan(thin_fit: sb.Fit) -> sb.Allocation:
    """Allocation by a fit with discrepancy: inside the runs, beyond them and far beyond."""
    return thin_fit.allocate(flops=["1e20", "1e22", "5.88e23"])


def brute_force(law: sb.Law, p: dict[str, float], flops: float) -> float:
    """Return the best log model size on a grid, refined three times."""
    low, high = 0.0, np.log(flops / 6)
    for _ in range(3):
        log_n = np.linspace(low, high, 2001)
        n_params = np.exp(log_n)
        sizes = SimpleNamespace(n_params=n_params, tokens=flops / (6 * n_params), flops=flops)
        best = int(np.argmin(law.loss(SimpleNamespace(**p), sizes)))
        low, high = log_n[max(best - 2, 0)], log_n[min(best + 2, 2000)]
    return float(log_n[best])


@pytest.mark.parametrize("name", TRADES_N_FOR_D)
def test_closed_form_and_numerical_optimum_agree(name, prior_source):
    source = prior_source(REGISTRY[name](), draws=300)
    budgets = xr.DataArray(BUDGETS, dims="budget")
    closed = optimal_n_params(source, budgets)
    # The search spans one parameter to one token; a few prior draws want less than that.
    inside = ((closed > 2) & (budgets / 6 / closed > 2)).all(("chain", "budget"))
    assert inside.mean() > 0.9
    source.draws = source.draws.isel(draw=inside.to_numpy())
    numerical = numerical_optimum(source, budgets)
    np.testing.assert_allclose(numerical, closed.isel(draw=inside.to_numpy()), rtol=1e-6)


@pytest.mark.parametrize("name", TRADES_N_FOR_D)
def test_brute_force_finds_no_better_place(name, prior_source):
    law = REGISTRY[name]()
    source = prior_source(law, draws=20, seed=1)
    for flops in (1e19, 1e23):
        found = np.log(sb.allocate(source, flops=flops).optimum["n_params"].to_numpy().ravel())
        for draw in range(20):
            p = {key: float(values[0, draw]) for key, values in source.draws.items()}
            assert found[draw] == pytest.approx(brute_force(law, p, flops), abs=1e-3), p


def test_a_law_that_turns_far_from_the_runs_has_its_optimum_where_it_is_meant():
    published = sb.laws.Farseer.published["farseer2025"]
    flops = 1e22
    n_params = np.geomspace(1e9, 1e11, 100_001)
    sizes = SimpleNamespace(n_params=n_params, tokens=flops / (6 * n_params))
    loss = published.law.loss(SimpleNamespace(**published.values), sizes)
    plan = sb.allocate(published, flops=flops)
    assert plan.optimum["n_params"].item() == pytest.approx(n_params[loss.argmin()], rel=1e-3)
    within = n_params[loss < loss.min() + 0.001]
    valley = plan.valley(0.001).to_numpy().ravel()
    assert valley == pytest.approx([within[0], within[-1]], rel=1e-3)
    decision = sb.decide(published, flops=flops)
    assert decision.choice.n_params == pytest.approx(plan.optimum["n_params"].item(), rel=1e-5)
    far = SimpleNamespace(n_params=flops / 6, tokens=1.0)
    assert published.law.loss(SimpleNamespace(**published.values), far) < loss.min()


def test_a_law_with_covariates_held_is_meant_where_the_law_is():
    class OfDepth(sb.laws.Farseer):
        covariates = ("n_params", "tokens", "depth")

    values = sb.laws.Farseer.published["farseer2025"].values
    with_depth = sb.laws.PublishedLaw("of depth", OfDepth(), values, sb.laws.Farseer.citation)
    at_depth = sb.allocate(with_depth, flops=1e22, at={"depth": 12}).optimum
    plain = sb.allocate(sb.laws.Farseer.published["farseer2025"], flops=1e22).optimum
    np.testing.assert_array_equal(at_depth["n_params"], plain["n_params"])


def test_the_optimum_spends_the_budget_and_follows_each_draw(fit, plan):
    best = plan.optimum
    assert best["n_params"].sizes == {"chain": 4, "draw": 1000, "budget": 3}
    np.testing.assert_array_equal(plan.flops, [1e20, 1e22, 5.88e23])
    spent = 6 * best["n_params"] * best["tokens"] / best["flops"]
    np.testing.assert_allclose(spent, 1.0, rtol=1e-12)
    xr.testing.assert_allclose(best["tokens_per_param"], best["tokens"] / best["n_params"])
    growth = np.log(best["n_params"][..., 1] / best["n_params"][..., 0]) / np.log(100)
    np.testing.assert_allclose(growth, fit.law.derived(fit.draws)["a"], rtol=1e-9)


def test_one_budget_is_the_same_as_among_others(fit, plan):
    alone = fit.allocate(flops=1e22)
    xr.testing.assert_equal(
        alone.optimum["n_params"].isel(budget=0, drop=True),
        plan.optimum["n_params"].isel(budget=1, drop=True),
    )
    assert alone.recommended["n_params"].item() == pytest.approx(
        plan.recommended["n_params"][1].item(), rel=1e-6
    )


def expected_loss(fit: sb.Fit, n_params: float, flops: float) -> float:
    curve = fit.forecast(n_params=n_params, flops=flops).mean_curve
    return float(curve.mean())


def test_the_recommended_size_has_the_smallest_expected_loss(fit, plan):
    best = plan.recommended
    for i, flops in enumerate(plan.flops):
        n_params = float(best["n_params"][i])
        lowest = expected_loss(fit, n_params, flops)
        assert lowest == pytest.approx(float(best["expected_loss"][i]), rel=1e-12)
        grid = [
            expected_loss(fit, n_params * factor, flops) for factor in np.geomspace(0.1, 10, 41)
        ]
        assert lowest <= min(grid)
        assert grid[20] == pytest.approx(lowest, rel=1e-14)
        assert float(best["tokens"][i] * best["n_params"][i]) == pytest.approx(flops / 6)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-3, 1e-2])
def test_the_edges_of_the_valley_cost_the_tolerance(fit, plan, tolerance):
    lower, upper = plan.valley(tolerance).to_numpy()
    best = plan.recommended
    for i, flops in enumerate(plan.flops):
        assert lower[i] < best["n_params"][i] < upper[i]
        for edge in (lower[i], upper[i]):
            above = expected_loss(fit, edge, flops) - float(best["expected_loss"][i])
            assert above == pytest.approx(tolerance, rel=1e-6)


def test_a_wider_tolerance_has_a_wider_valley(plan):
    narrow, wide = plan.valley(1e-3), plan.valley(2e-3)
    assert (wide.sel(bound="lower") < narrow.sel(bound="lower")).all()
    assert (wide.sel(bound="upper") > narrow.sel(bound="upper")).all()
    with pytest.raises(InputError, match=r"tolerance is 0; it must be positive"):
        plan.valley(0)


def test_nothing_is_given_up_at_the_optimum_and_something_elsewhere(plan):
    assert (plan.loss_given_up("1B") >= 0).all()
    best = plan.recommended
    given_up = plan.loss_given_up(best["n_params"].to_numpy())
    assert (given_up >= -1e-14).all()
    np.testing.assert_allclose(best["cost_mean"], given_up.mean(ALL), rtol=1e-12)
    assert (best["cost_mean"] >= 0).all()
    share_below = (given_up <= best["cost_p95"]).mean(ALL)
    np.testing.assert_allclose(share_below, 0.95, atol=1e-3)


def test_a_draws_own_optimum_gives_up_nothing(fit, plan):
    one = SimpleNamespace(
        label="one draw",
        law=fit.law,
        draws=fit.draws.isel(chain=[1], draw=[5]),
        noise=None,
        noise_draws=None,
        flops_per_param_token=6.0,
    )
    own = sb.allocate(one, flops=plan.flops)
    given_up = own.loss_given_up(own.optimum["n_params"].to_numpy().ravel())
    np.testing.assert_array_equal(given_up, 0)
    np.testing.assert_allclose(
        own.recommended["n_params"], own.optimum["n_params"][0, 0], rtol=1e-6
    )
    assert float(own.recommended["cost_mean"].max()) < 1e-12


@pytest.mark.parametrize("spread", [0.0, 1e-15, 1e-12, 1e-9])
def test_no_cost_is_below_zero_and_none_of_rounding_is_shown(fit, plan, spread):
    rng = np.random.default_rng(0)
    draws = fit.draws.isel(draw=slice(100))
    alike = {
        name: float(draws[name][0, 0]) * (1 + spread * rng.standard_normal((4, 100)))
        for name in fit.law.parameter_names
    }
    sure = SimpleNamespace(
        label="sure",
        law=fit.law,
        draws=xr.Dataset({name: draws[name].copy(data=alike[name]) for name in alike}),
        noise=None,
        noise_draws=None,
        flops_per_param_token=6.0,
    )
    found = sb.allocate(sure, flops=plan.flops)
    frame = found.to_frame()
    assert (frame[["cost_mean", "cost_p95"]] >= 0).all(axis=None)
    lines = [line for line in repr(found).splitlines() if "committing to it" in line]
    assert all("costs less than 1e-06 nats on average, less than 1e-06" in line for line in lines)
    assert lines or not spread


def test_what_gpt3_and_gopher_gave_up(truth):
    """Both are too large for their tokens; Chinchilla's point is close to the best."""
    given_up = sb.loss_given_up(
        truth, n_params=["175B", "280B", "70B"], tokens=["300B", "300B", "1.4T"]
    ).to_numpy()
    gpt3, gopher, chinchilla = given_up.ravel()
    for loss, (n_params, tokens) in zip(
        (gpt3, gopher), ((175e9, 300e9), (280e9, 300e9)), strict=True
    ):
        flops = 6 * n_params * tokens
        best = brute_force(truth.law, dict(truth.values), flops)
        at = sb.forecast(truth, n_params=[n_params, np.exp(best)], flops=flops).mean_curve
        assert loss == pytest.approx(float(at[0, 0, 0] - at[0, 0, 1]), abs=1e-9)
    assert gopher > gpt3 > 0.01
    assert 0 <= chinchilla < 1e-4


def test_a_fits_posterior_of_what_is_given_up(fit):
    given_up = fit.loss_given_up(n_params=["175B", "1B"], tokens=["300B", "20B"])
    assert given_up.sizes == {"chain": 4, "draw": 1000, "point": 2}
    assert (given_up >= 0).all()
    spent = fit.loss_given_up(n_params="175B", flops=6 * 175e9 * 300e9)
    np.testing.assert_allclose(spent[..., 0], given_up[..., 0], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    "name", sorted(name for name, make in REGISTRY.items() if len(make().covariates) == 1)
)
def test_a_law_of_one_size_has_no_optimum_and_says_why(name, prior_source):
    source = prior_source(REGISTRY[name](), draws=4)
    with pytest.raises(NoOptimumError, match=f"{name} has no compute-optimal .*alone.*Chinchilla"):
        sb.allocate(source, flops=1e20)


class OnlyEverLarger(sb.Law):
    """A law under which no tokens are ever worth more than parameters."""

    name = "only-ever-larger"
    covariates = ("n_params", "tokens")
    parameters = (sb.laws.irreducible_loss(), sb.laws.exponent("alpha_N", "a", "model size"))

    def loss(self, p, x):
        return p.L_inf + x.n_params**-p.alpha_N + 0 * x.tokens


def test_a_law_whose_loss_falls_to_the_end_has_no_optimum(prior_source):
    with pytest.raises(NoOptimumError, match=r"only-ever-larger .*100\.0% .*keeps falling"):
        sb.allocate(prior_source(OnlyEverLarger(), draws=4), flops=[1e20, 1e22])


@pytest.mark.parametrize("flops", [0, -1e20, np.nan, np.inf, "many", "7B params", None])
def test_a_budget_that_is_no_compute_is_refused(truth, flops):
    with pytest.raises(UnitError):
        sb.allocate(truth, flops=flops)


def test_budgets_have_units(truth):
    plan = sb.allocate(truth, flops=["1 PF-days", 8.64e19])
    np.testing.assert_array_equal(plan.flops, [8.64e19, 8.64e19])


def test_intervals_are_of_the_named_quantity_and_probability(plan):
    for name in ("n_params", "tokens", "tokens_per_param", "loss"):
        lower, upper = plan.interval(name, prob=0.6)
        inside = ((plan.optimum[name] >= lower) & (plan.optimum[name] <= upper)).mean(ALL)
        np.testing.assert_allclose(inside, 0.6, atol=0.002)
    with pytest.raises(InputError, match="of is 'flops'; take one of n_params"):
        plan.interval("flops")


def test_the_frame_has_a_row_a_budget(plan):
    frame = plan.to_frame(prob=0.5, tolerance=2e-3)
    np.testing.assert_array_equal(frame["flops"], plan.flops)
    for name in ("n_params", "tokens", "tokens_per_param", "loss"):
        assert (frame[f"{name}_lower"] <= frame[name]).all()
        assert (frame[name] <= frame[f"{name}_upper"]).all()
    np.testing.assert_array_equal(frame["valley_lower"], plan.valley(2e-3).sel(bound="lower"))
    np.testing.assert_array_equal(frame["cost_p95"], plan.recommended["cost_p95"])


def test_it_prints_for_people(plan, truth):
    text = repr(plan)
    for words in (
        "90% equal-tailed interval",
        "1e+20 FLOPs",
        "recommended N",
        "95th percentile",
    ):
        assert words in text
    assert "unknown uncertainty" in repr(sb.allocate(truth, flops=1e22))


@pytest.mark.parametrize("budget", range(3))
def test_with_discrepancy_each_draw_is_best_where_its_mean_of_runs_is_lowest(
    thin_fit, bent_plan, budget
):
    best = bent_plan.optimum.isel(budget=budget)
    n_params = np.geomspace(best["n_params"].min(), best["n_params"].max(), 901)
    curve = thin_fit.forecast(n_params=n_params, flops=bent_plan.flops[budget]).mean_curve
    np.testing.assert_allclose(best["loss"], curve.min("point"), rtol=0, atol=2e-5)
    on_grid = n_params[curve.argmin("point").transpose(*ALL).to_numpy()]
    off = np.abs(np.log(best["n_params"].transpose(*ALL) / on_grid))
    step = np.log(n_params[1] / n_params[0])
    assert (off < 2 * step).mean() > 0.99  # A draw in some hundreds has two minima as low.


def test_with_discrepancy_the_recommended_size_has_the_smallest_expected_loss(
    thin_fit, plain_fit, bent_plan
):
    best, law_alone = bent_plan.recommended, replace(thin_fit, discrepancy=None)
    for i, flops in enumerate(bent_plan.flops):
        n_params = float(best["n_params"][i])
        sizes = n_params * np.geomspace(0.05, 20, 401)
        expected = thin_fit.forecast(n_params=sizes, flops=flops).mean_curve.mean(ALL)
        assert sizes[expected.to_numpy().argmin()] == pytest.approx(n_params, rel=0.02)
        assert float(best["expected_loss"][i]) == pytest.approx(float(expected.min()), abs=1e-6)
    by_law = law_alone.allocate(flops=bent_plan.flops)
    assert (np.abs(np.log(best["n_params"] / by_law.recommended["n_params"])) > 0.02).any()
    fitted_alone = plain_fit.allocate(flops=bent_plan.flops)
    spread = [np.log(each.optimum["n_params"]).std(ALL) for each in (bent_plan, fitted_alone)]
    assert (spread[0] > spread[1])[1:].all()


def test_with_discrepancy_what_is_given_up_is_of_the_mean_of_runs(thin_fit, bent_plan):
    given_up = bent_plan.loss_given_up("1B")
    curve = thin_fit.forecast(n_params="1B", flops=bent_plan.flops).mean_curve
    expected = curve.to_numpy() - bent_plan.optimum["loss"].to_numpy()
    np.testing.assert_allclose(given_up, expected, rtol=1e-12)
    assert (given_up > -2e-5).all()
    alone = thin_fit.loss_given_up(n_params="1B", flops=bent_plan.flops)
    np.testing.assert_allclose(alone, given_up, rtol=0, atol=1e-12)
    lower, upper = bent_plan.valley(1e-3).to_numpy()
    for i, flops in enumerate(bent_plan.flops):
        for edge in (lower[i], upper[i]):
            above = expected_loss(thin_fit, edge, flops) - bent_plan.recommended["expected_loss"][i]
            assert above == pytest.approx(1e-3, abs=1e-6)


def test_with_discrepancy_a_decision_without_limits_is_what_is_recommended(thin_fit, bent_plan):
    recommended = bent_plan.recommended
    for i, flops in enumerate(bent_plan.flops):
        choice = sb.decide(thin_fit, flops=flops).choice
        for size in ("n_params", "tokens"):
            made, expected = getattr(choice, size), float(recommended[size][i])
            assert made == pytest.approx(expected, rel=1e-3)
            assert format_quantity(made, kind=size) == format_quantity(expected, kind=size)


@pytest.mark.parametrize("make", ["plan", "with discrepancy", "average"])
def test_it_says_that_it_is_of_the_mean_of_runs(plan, bent_plan, thin_fit, make):
    average = sb.average({"first": thin_fit, "second": thin_fit})
    plans = {
        "plan": plan,
        "with discrepancy": bent_plan,
        "average": sb.allocate(average, flops=1e22),
    }
    text = repr(plans[make])
    assert "90% equal-tailed interval of the mean of runs" in text
    assert "loss of the mean of runs, nats per token" in text


def test_a_valley_without_an_edge_says_so(plan):
    lower, upper = plan.valley(1000.0).to_numpy()
    assert (lower == 0).all()
    assert np.isinf(upper).all()


def test_growth_is_the_exponent_of_a_law_alone_and_of_the_optimum_with_discrepancy(
    fit, plan, bent_plan, thin_fit
):
    exponent = fit.data_tree["posterior"]["alpha_D"] / (
        fit.data_tree["posterior"]["alpha_N"] + fit.data_tree["posterior"]["alpha_D"]
    )
    for budget in plan.growth.transpose("budget", "chain", "draw"):
        np.testing.assert_allclose(budget, exponent, rtol=1e-9)
    largest = float(thin_fit.runs.frame["flops"].max())
    start = thin_fit.allocate(flops=largest).optimum["n_params"].isel(budget=0, drop=True)
    last = bent_plan.optimum.isel(budget=-1)
    expected = np.log(last["n_params"] / start) / np.log(bent_plan.flops[-1] / largest)
    np.testing.assert_allclose(bent_plan.growth.isel(budget=-1), expected, rtol=1e-9)


def test_growth_needs_another_budget_than_that_of_the_largest_run(thin_fit):
    largest = float(thin_fit.runs.frame["flops"].max())
    plan = thin_fit.allocate(flops=[1.5 * largest, 10 * largest])
    assert plan.growth.isnull().isel(budget=0).all()
    frame = plan.to_frame()
    assert frame["growth"].isna().tolist() == [True, False]
    assert frame["growth_lower"][1] < frame["growth"][1] < frame["growth_upper"][1]
    assert repr(plan).count("N* grows as C^") == 1
    published = sb.allocate(sb.laws.Chinchilla.published["hoffmann2022"], flops=1e22)
    assert published.growth is None
    assert "growth" not in published.to_frame()
