from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes.errors import (
    ConvergenceError,
    IdentifiabilityError,
    InputError,
    NoOptimumError,
    ScalingBayesError,
)
from scaling_bayes.plots import (
    plot_compare,
    plot_contours,
    plot_held_out,
    plot_isoflop,
    plot_loss,
    plot_prior_posterior,
    plot_residuals,
)

ALL = ("chain", "draw")
HOFFMANN = sb.laws.Chinchilla.published["hoffmann2022"]
BESIROGLU = sb.laws.Chinchilla.published["besiroglu2024"]
BUDGETS = ["1e20", "1e22", "5.88e23"]
POINTS = {"n_params": ["1B", "70B", "500B"], "tokens": ["20B", "1.4T", "10T"]}


def around(published: sb.laws.PublishedLaw, runs: sb.Runs, *, draws: int, seed: int) -> sb.Fit:
    """Return a fit in four chains whose posterior lies within a few per cent of given values."""
    rng = np.random.default_rng(seed)
    values = {**published.values, "sigma": 0.01}
    posterior = xr.Dataset(
        {
            name: (ALL, value * np.exp(0.03 * rng.standard_normal((4, draws))))
            for name, value in values.items()
        },
        coords={"chain": np.arange(4), "draw": np.arange(draws)},
    )
    stats = xr.Dataset(
        {
            "diverging": (ALL, np.zeros((4, draws), dtype=bool)),
            "energy": (ALL, rng.standard_normal((4, draws))),
        }
    )
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    return sb.Fit(published.law, sb.noise.Normal(), runs, tree)


@pytest.fixture(scope="module")
def fits(runs: sb.Runs) -> dict[str, sb.Fit]:
    """Two fits that disagree; one has four times the draws of the other."""
    return {
        "upper": around(HOFFMANN, runs, draws=1000, seed=1),
        "lower": around(BESIROGLU, runs, draws=250, seed=2),
    }


@pytest.fixture(scope="module")
def both(fits: dict[str, sb.Fit]) -> sb.Average:
    return sb.average(fits, weights={"upper": 0.3, "lower": 0.7})


def brute_quantile(
    draws: dict[str, xr.DataArray], weights: dict[str, float], q: float
) -> np.ndarray:
    """Return quantiles of the weighted draws of all members together, with nothing left out."""
    flat = {
        name: each.transpose(*ALL, ...).to_numpy().reshape(-1, each.shape[-1])
        for name, each in draws.items()
    }
    values = np.concatenate(list(flat.values()))
    weight = np.concatenate([np.full(len(v), weights[n] / len(v)) for n, v in flat.items()])
    return np.array(
        [np.quantile(x, q, weights=weight, method="inverted_cdf") for x in values.T],
    )


def tied(found: xr.DataArray, draws: dict[str, xr.DataArray], weights: dict[str, float], q: float):
    """Assert that the brute-force probability below quantiles of the mixture is nearly q."""
    low, high = (brute_quantile(draws, weights, p) for p in (q - 0.01, q + 0.01))
    assert ((found.to_numpy() >= low) & (found.to_numpy() <= high)).all()


@pytest.mark.parametrize("chosen", ["upper", "lower"])
def test_all_the_weight_on_one_member_gives_that_member(fits, chosen):
    alone = sb.average(fits, weights={name: float(name == chosen) for name in fits})
    own = fits[chosen]
    forecast, expected = alone.forecast(**POINTS, seed=3), own.forecast(**POINTS, seed=3)
    xr.testing.assert_equal(forecast.mean_curve, expected.mean_curve)
    xr.testing.assert_equal(forecast.new_run, expected.new_run)
    plan, own_plan = alone.allocate(flops=BUDGETS), own.allocate(flops=BUDGETS)
    xr.testing.assert_equal(plan.optimum, own_plan.optimum)
    xr.testing.assert_equal(plan.recommended, own_plan.recommended)
    pd.testing.assert_frame_equal(plan.to_frame(), own_plan.to_frame())
    xr.testing.assert_equal(
        alone.compute_to_reach([2.0, 1.0]).flops, own.compute_to_reach([2.0, 1.0]).flops
    )
    xr.testing.assert_equal(alone.loss_given_up(**POINTS), own.loss_given_up(**POINTS))


def test_a_draw_belongs_to_one_member_and_weights_set_how_many(both, fits):
    curve = both.forecast(**POINTS, seed=1).mean_curve
    assert dict(curve.sizes) == {"chain": 1, "draw": 4000, "point": 3}
    owners = curve["member"].to_series().value_counts()
    assert owners.to_dict() == {"upper": 1200, "lower": 2800}
    for name, fit in fits.items():
        mine = curve.to_numpy()[0, (curve["member"] == name).to_numpy()]
        theirs = fit.forecast(**POINTS).mean_curve.to_numpy().reshape(-1, 3)
        place = {tuple(row): i for i, row in enumerate(theirs)}
        places = np.array([place[tuple(row)] for row in mine])
        steps = np.diff(np.unique(places))
        assert (np.diff(places) >= 0).all()
        assert steps.max() <= max(len(theirs) / len(mine), 1) + 1
        assert places[0] < 10
        assert places[-1] > len(theirs) - 10


def test_counts_follow_awkward_weights_to_within_one_draw():
    weights = {"a": 1 / 3, "b": 1 / 7, "c": 1 - 1 / 3 - 1 / 7}
    mixed = sb.average(dict.fromkeys(weights, HOFFMANN), weights=weights)
    owners = mixed.forecast(**POINTS).mean_curve["member"].to_series().value_counts()
    assert owners.sum() == 4000
    for name, weight in weights.items():
        assert abs(owners[name] - 4000 * weight) < 1
    first_tenth = mixed.forecast(**POINTS).mean_curve["member"].to_series()[:400]
    assert abs((first_tenth == "b").sum() - 400 / 7) <= 1


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_quantiles_are_those_of_the_members_draws_together(both, fits, q):
    forecast = both.forecast(**POINTS, seed=1)
    each = {name: fit.forecast(**POINTS, seed=1) for name, fit in fits.items()}
    for of in ("mean_curve", "new_run"):
        draws = {name: found.draws(of) for name, found in each.items()}
        tied(forecast.draws(of).quantile(q, dim=ALL), draws, both.weights, q)
    plan = both.allocate(flops=BUDGETS)
    optima = {name: fit.allocate(flops=BUDGETS).optimum for name, fit in fits.items()}
    for quantity in ("n_params", "tokens", "tokens_per_param", "loss"):
        draws = {name: optimum[quantity] for name, optimum in optima.items()}
        tied(plan.optimum[quantity].quantile(q, dim=ALL), draws, both.weights, q)
    reach = {name: fit.compute_to_reach([2.0]).flops for name, fit in fits.items()}
    tied(both.compute_to_reach([2.0]).flops.quantile(q, dim=ALL), reach, both.weights, q)


def test_the_mean_is_the_weighted_mean(both, fits):
    found = both.forecast(**POINTS, seed=1).mean_curve
    each = {name: fit.forecast(**POINTS).mean_curve.mean(ALL) for name, fit in fits.items()}
    expected = sum(both.weights[name] * mean for name, mean in each.items())
    error = (abs(found.mean(ALL) - expected) / (found.std(ALL) / np.sqrt(4000))).to_numpy()
    assert (error < 4).all()


def test_an_interval_widens_where_members_disagree(both, fits):
    def width(source: sb.Fit | sb.Average) -> np.ndarray:
        lower, upper = source.forecast(**POINTS, seed=1).interval(of="mean_curve").to_numpy()
        return upper - lower

    assert width(both)[-1] > 1.1 * max(width(fit)[-1] for fit in fits.values())


def expected_loss(average: sb.Average, n_params: np.ndarray, flops: float) -> np.ndarray:
    """Return the weighted mean loss of all draws of the members at model sizes."""
    sizes = SimpleNamespace(
        n_params=n_params[:, None], tokens=flops / (6 * n_params[:, None]), flops=flops
    )
    total = np.zeros(len(n_params))
    for name, member in average.members.items():
        p = SimpleNamespace(
            **{key: value.to_numpy().ravel() for key, value in member.draws.data_vars.items()}
        )
        total += average.weights[name] * member.law.loss(p, sizes).mean(axis=1)
    return total


def test_the_recommended_size_has_the_smallest_weighted_expected_loss(both):
    plan = both.allocate(flops=BUDGETS)
    best = plan.recommended
    for i, flops in enumerate(plan.flops):
        n_params = float(best["n_params"][i])
        grid = n_params * np.geomspace(0.05, 20, 401)
        losses = expected_loss(both, grid, flops)
        lowest = expected_loss(both, np.array([n_params]), flops)[0]
        assert float(best["expected_loss"][i]) == pytest.approx(lowest, rel=1e-12)
        assert lowest <= losses.min()
        assert float(best["tokens"][i]) == pytest.approx(flops / (6 * n_params))
        for edge in plan.valley(0.002).to_numpy()[:, i]:
            above = expected_loss(both, np.array([edge]), flops)[0] - lowest
            assert above == pytest.approx(0.002, rel=1e-6)


def test_weights_move_the_recommendation_from_one_member_to_the_other(fits):
    sizes = [
        sb.average(fits, weights={"upper": w, "lower": 1 - w})
        .allocate(flops="5.88e23")
        .recommended["n_params"]
        .item()
        for w in (0.0, 0.2, 0.5, 0.9, 1.0)
    ]
    assert np.all(np.diff(sizes) > 0) or np.all(np.diff(sizes) < 0)


def test_what_is_given_up_is_judged_by_each_draws_own_law(both, fits):
    plan = both.allocate(flops=BUDGETS)
    given_up = plan.loss_given_up("70B")
    assert (given_up >= 0).all()
    each = {name: fit.allocate(flops=BUDGETS).loss_given_up("70B") for name, fit in fits.items()}
    tied(given_up.quantile(0.9, dim=ALL), each, both.weights, 0.9)
    best = plan.recommended
    assert (best["cost_mean"] > 0).all()
    assert (best["cost_p95"] > best["cost_mean"]).all()
    at_points = both.loss_given_up(**POINTS)
    assert (at_points >= 0).all()
    assert at_points.sizes == {"chain": 1, "draw": 4000, "point": 3}
    assert at_points.attrs["units"] == "nats per token"


def test_the_functions_take_an_average_where_its_methods_answer(both):
    xr.testing.assert_equal(
        sb.allocate(both, flops=BUDGETS).optimum, both.allocate(flops=BUDGETS).optimum
    )
    xr.testing.assert_equal(sb.loss_given_up(both, **POINTS), both.loss_given_up(**POINTS))
    with pytest.raises(InputError, match=r"several laws.*methods forecast, allocate.*upper, lower"):
        sb.forecast(both, **POINTS)
    with pytest.raises(InputError, match="no law of its own"):
        both.law  # noqa: B018
    assert not hasattr(both, "law")
    with pytest.raises(AttributeError, match="'Average' object has no attribute 'frcast'"):
        both.frcast  # noqa: B018


def test_it_prints_for_people_and_makes_frames(both):
    assert repr(both) == "Average of upper (0.3), lower (0.7)"
    assert both.label == "average of upper, lower"
    plan = both.allocate(flops=BUDGETS)
    assert "allocation by average of upper, lower: median and 90%" in repr(plan)
    frame = plan.to_frame()
    assert len(frame) == 3
    assert (frame["n_params_lower"] < frame["recommended_n_params"]).all()
    assert "Forecast by average of upper, lower" in repr(both.forecast(**POINTS, seed=1))
    assert "average of upper, lower" in repr(both.compute_to_reach(2.0))


def test_the_order_of_members_does_not_matter(both, fits):
    turned = sb.average(dict(reversed(fits.items())), weights={"lower": 0.7, "upper": 0.3})
    xr.testing.assert_equal(
        turned.forecast(**POINTS, seed=2).new_run, both.forecast(**POINTS, seed=2).new_run
    )


def test_published_laws_average_to_draws_of_both():
    both = sb.average({"h": HOFFMANN, "b": BESIROGLU})
    assert both.weights == {"h": 0.5, "b": 0.5}
    forecast = both.forecast(**POINTS)
    assert forecast.new_run is None
    each = [
        sb.forecast(law, **POINTS).mean_curve.to_numpy().ravel() for law in (HOFFMANN, BESIROGLU)
    ]
    np.testing.assert_allclose(forecast.mean_curve.mean(ALL), np.mean(each, axis=0))
    lower, upper = forecast.interval(of="mean_curve").to_numpy()
    np.testing.assert_array_equal(lower, np.min(each, axis=0))
    np.testing.assert_array_equal(upper, np.max(each, axis=0))


def test_a_new_run_needs_the_noise_of_every_member_with_weight(fits):
    members = {"fit": fits["upper"], "published": BESIROGLU}
    with pytest.raises(InputError, match="average of fit, published has no noise"):
        sb.average(members).forecast(**POINTS).interval()
    alone = sb.average(members, weights={"fit": 1, "published": 0})
    assert alone.forecast(**POINTS).new_run is not None


def test_laws_of_different_covariates_forecast_together_but_only_some_allocate(fits):
    power = sb.laws.PublishedLaw(
        "power",
        sb.laws.PowerLaw("flops"),
        {"L_inf": 1.5, "alpha_C": 0.1, "C_c": 1e19},
        HOFFMANN.citation,
    )
    mixed = sb.average({"fit": fits["upper"], "power": power})
    runs = sb.read_runs(pd.DataFrame({"n_params": [1e9], "tokens": [2e10], "loss": [2.5]}))
    points = mixed.forecast(runs, seed=1).points
    assert set(points) >= {"n_params", "tokens", "flops"}
    with pytest.raises(NoOptimumError, match="power-c has no compute-optimal"):
        mixed.allocate(flops=1e20)


def test_an_average_can_be_a_member(both):
    outer = sb.average({"inner": both, "b": BESIROGLU})
    curve = outer.forecast(**POINTS, seed=1).mean_curve
    assert curve["member"].to_series().value_counts().to_dict() == {"inner": 2000, "b": 2000}
    plan = outer.allocate(flops=BUDGETS)
    flat = sb.average(
        {**both.members, "b": BESIROGLU}, weights={"upper": 0.15, "lower": 0.35, "b": 0.5}
    )
    np.testing.assert_allclose(
        plan.recommended["expected_loss"],
        flat.allocate(flops=BUDGETS).recommended["expected_loss"],
        rtol=1e-12,
    )


def test_weights_may_come_from_a_table_and_be_rounded(fits):
    evidence = pd.DataFrame({"weight": [0.33, 0.66]}, index=["lower", "upper"])
    rounded = sb.average(fits, weights=evidence["weight"]).weights
    assert rounded == pytest.approx({"upper": 2 / 3, "lower": 1 / 3})
    assert sum(rounded.values()) == pytest.approx(1, abs=1e-15)


BAD_WEIGHTS = {
    "a list": ([0.5, 0.5], r"weights is \[0\.5, 0\.5\]; give one by name"),
    "one missing": ({"upper": 1.0}, "have none for 'lower'.*0 leaves one out"),
    "one unknown": ({"upper": 0.5, "lower": 0.5, "c": 0}, "name 'c', which is not there"),
    "negative": ({"upper": 1.5, "lower": -0.5}, "'lower' is -0.5; it must be a number, at least 0"),
    "no number": ({"upper": "half", "lower": 0.5}, "'upper' is 'half'"),
    "NaN": ({"upper": np.nan, "lower": 1}, "'upper' is nan"),
    "counts": ({"upper": 3, "lower": 1}, "sum to 4; they must sum to 1. Divide each"),
    "nothing": ({"upper": 0, "lower": 0}, "sum to 0"),
}


@pytest.mark.parametrize(("weights", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_weights_that_do_not_suit_are_refused(fits, weights, message):
    with pytest.raises(InputError, match=message):
        sb.average(fits, weights=weights)
    with pytest.raises(InputError, match=message):
        sb.AverageFitter({"upper": Oracle(1.0), "lower": Oracle(2.0)}, weights=weights)


OTHER_K = sb.laws.PublishedLaw(
    "k", HOFFMANN.law, HOFFMANN.values, HOFFMANN.citation, flops_per_param_token=5.5
)
BAD_SOURCES = {
    "no mapping": ([HOFFMANN], "sources is .*give at least one by name"),
    "nothing": ({}, "sources is {}"),
    "a name that is no text": ({1: HOFFMANN}, "holds the name 1; names are text"),
    "a law without draws": ({"a": sb.laws.Chinchilla()}, "'a' is .*which cannot forecast"),
    "a class": ({"a": sb.Fit}, "cannot forecast"),
    "different k": ({"a": HOFFMANN, "b": OTHER_K}, "different k of C = k N D: a 6, b 5.5"),
}


@pytest.mark.parametrize(("sources", "message"), BAD_SOURCES.values(), ids=BAD_SOURCES)
def test_sources_that_do_not_suit_are_refused(sources, message):
    with pytest.raises(InputError, match=message):
        sb.average(sources)


@dataclass(frozen=True)
class Told:
    """What an oracle has learnt: a constant loss, with noise, and no law."""

    level: float
    n_draws: int
    label: str = "told"

    def forecast(self, points: sb.Runs, *, seed: int) -> sb.Forecast:
        rng = np.random.default_rng(seed)
        n_points = len(points)
        curve = xr.DataArray(np.full((2, self.n_draws, n_points), self.level), dims=(*ALL, "point"))
        noise = np.exp(0.01 * rng.standard_normal(curve.shape))
        where = xr.Dataset({"flops": ("point", points.frame["flops"].to_numpy())})
        return sb.Forecast(self.label, where, curve, curve * noise)


@dataclass(frozen=True)
class Oracle:
    """A forecaster that always forecasts the same loss."""

    level: float
    n_draws: int = 500
    error: ScalingBayesError | None = None

    def fit(self, runs: sb.Runs, *, seed: int) -> Told:
        if self.error is not None:
            raise self.error
        return Told(self.level, self.n_draws)


def test_members_without_a_law_forecast_runs_and_nothing_else(runs):
    told = sb.AverageFitter({"low": Oracle(2.0), "high": Oracle(3.0, 50)}).fit(runs, seed=1)
    forecast = told.forecast(runs, seed=1)
    np.testing.assert_allclose(forecast.mean_curve.mean(ALL), 2.5)
    assert forecast.new_run is not None
    with pytest.raises(InputError, match=r"'low' \(Told\) has no law, and forecasts only at Runs"):
        told.forecast(n_params="1B", tokens="20B")
    with pytest.raises(InputError, match=r"'low' \(Told\) has no draws of a law"):
        told.allocate(flops=1e20)
    with pytest.raises(InputError, match="has no draws of a law"):
        told.compute_to_reach(2.0)


def test_members_that_forecast_other_numbers_of_points_are_refused(runs):
    class Short(Told):
        def forecast(self, points: sb.Runs, *, seed: int) -> sb.Forecast:
            found = super().forecast(points, seed=seed)
            return sb.Forecast("s", found.points, found.mean_curve[..., :3], None)

    some = sb.average({"whole": Told(2.0, 5), "short": Short(2.0, 5)})
    with pytest.raises(InputError, match="numbers of points: whole 40, short 3"):
        some.forecast(runs, seed=1)


def test_an_average_is_backtested_like_any_forecaster(runs, tmp_path):
    level = float(np.exp(np.log(runs.frame["loss"]).mean()))
    fitters = {"low": Oracle(0.9 * level), "high": Oracle(1.1 * level)}
    average = sb.AverageFitter(fitters)

    def backtest(forecaster: sb.Forecaster) -> sb.Backtest:
        tests = {**fitters, "average": forecaster}
        return sb.backtest(runs, tests, directory=tmp_path, progressbar=False)

    found = backtest(average)
    assert found.failures.empty
    pooled = found.pooled().query("of == 'new_run'").set_index("law")
    assert pooled.loc["average", "width_90"] > 3 * pooled.loc["low", "width_90"]
    assert len(set(found.points["law"])) == 3
    written = set(tmp_path.iterdir())
    again = backtest(pickle.loads(pickle.dumps(average)))
    assert set(tmp_path.iterdir()) == written
    pd.testing.assert_frame_equal(again.points, found.points)
    backtest(sb.AverageFitter(fitters, weights={"low": 0.4, "high": 0.6}))
    assert len(set(tmp_path.iterdir())) > len(written)


def test_a_member_that_fails_fails_the_average(runs):
    broken = Oracle(2.0, error=ConvergenceError("no draws were good"))
    fitter = sb.AverageFitter({"good": Oracle(2.0), "broken": broken})
    with pytest.raises(ConvergenceError, match="no draws were good") as caught:
        fitter.fit(runs, seed=1)
    assert caught.value.__notes__ == ["Raised by the member 'broken' of an average."]
    found = sb.backtest(runs, {"average": fitter}, progressbar=False)
    assert set(found.failures["error"]) == {"ConvergenceError"}
    left_out = sb.AverageFitter(fitter.fitters, weights={"good": 1, "broken": 0})
    assert list(left_out.fit(runs, seed=1).members) == ["good"]


BAD_FITTERS = {
    "nothing": ({}, "fitters is {}; give at least one by name"),
    "a law": ({"a": sb.laws.Chinchilla()}, r"no method fit; give a fitter, such as sb\.Fitter"),
    "a class": ({"a": sb.Fitter}, "no method fit"),
}


@pytest.mark.parametrize(("fitters", "message"), BAD_FITTERS.values(), ids=BAD_FITTERS)
def test_fitters_that_do_not_suit_are_refused(fitters, message):
    with pytest.raises(InputError, match=message):
        sb.AverageFitter(fitters)


def test_real_fitters_are_fitted_averaged_and_backtested(runs, fit, fitter):
    few = sb.SamplerSettings(draws=300, progressbar=False)
    power = sb.Fitter(
        sb.laws.PowerLaw("flops"), noise=sb.noise.Normal(), settings=few, discrepancy=None
    )
    average = sb.AverageFitter({"n-and-d": fitter, "compute": power})
    fitted = average.fit(runs, seed=1)
    xr.testing.assert_equal(fitted.members["n-and-d"].draws, fit.draws)
    copy = pickle.loads(pickle.dumps(average))
    assert copy.weights == {"n-and-d": 0.5, "compute": 0.5}
    assert copy.fitters["n-and-d"].law.parameter_names == fitter.law.parameter_names
    cut = float(runs.frame["flops"].quantile(0.7))
    found = sb.backtest(runs, {"average": average}, cuts=[cut], progressbar=False)
    assert found.failures.empty
    assert np.isfinite(found.points["log_score"]).all()
    with pytest.raises(IdentifiabilityError):
        average.fit(runs.where(np.arange(len(runs)) < 2), seed=1)


PICTURES: dict[str, Callable[[sb.Average, sb.Runs], object]] = {
    "loss along compute": lambda source, _: plot_loss(source),
    "loss along size": lambda source, _: plot_loss(source, along="n_params", at="20B"),
    "isoflop": lambda source, _: plot_isoflop(source, flops=["1e19", "1e20"]),
    "contours": lambda source, _: plot_contours(source),
    "compare": lambda source, _: plot_compare({"average": source, "published": HOFFMANN}),
    "held out": lambda source, runs: plot_held_out({"average": source}, runs),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_plots_of_loss_draw_an_average(draw, both, runs):
    ax = draw(both, runs.where(np.arange(len(runs)) < 5))
    assert any("interval" in label for label in ax.get_legend_handles_labels()[1])


def test_the_curve_drawn_is_the_median_of_the_mixture(both):
    ax = plot_loss(both, along="tokens", at="1B", limits=("1e10", "1e12"))
    line = ax.lines[0]
    x = line.get_xdata()
    expected = both.forecast(n_params="1B", tokens=x).mean_curve.quantile(
        0.5, dim=ALL, method="inverted_cdf"
    )
    shown = np.isfinite(line.get_ydata())
    assert shown.any()
    np.testing.assert_allclose(line.get_ydata()[shown], expected[shown])


def test_runs_of_fits_of_different_tables_are_drawn_together(runs, simulate, fits):
    other = around(BESIROGLU, simulate(12, seed=9), draws=50, seed=3)
    ax = plot_contours(sb.average({"a": fits["upper"], "b": other}))
    assert any(
        "fitted runs" in label and "(52)" in label for label in ax.get_legend_handles_labels()[1]
    )


@pytest.mark.parametrize("draw", [plot_residuals, plot_prior_posterior])
def test_plots_of_one_fit_refuse_an_average(draw, both):
    with pytest.raises(InputError, match=r"needs a fit.*Average of upper"):
        draw(both)
    assert not plt.get_fignums()
