from __future__ import annotations

import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._work.progress import Lines
from scaling_bayes.errors import IdentifiabilityError, InputError

SIGMA = 0.02
"""Noise of the sweep, which the oracle knows."""

backtest = partial(sb.backtest, progressbar=False)


@pytest.fixture(scope="module")
def found(sweep, make_oracle) -> sb.Backtest:
    return backtest(sweep, {"oracle": make_oracle()})


def test_a_forecaster_that_knows_the_truth_is_calibrated(found):
    pooled = found.pooled().set_index("of").loc["new_run"]
    # A run above several cuts counts several times, so the runs set the number of trials.
    for label, prob in (("50", 0.5), ("80", 0.8), ("90", 0.9), ("95", 0.95)):
        lower, upper = stats.binom.interval(0.9999, 40, prob)
        assert lower / 40 <= pooled[f"coverage_{label}"] <= upper / 40
        width = 2 * SIGMA * stats.norm.ppf((1 + prob) / 2)
        assert pooled[f"width_{label}"] == pytest.approx(width, rel=0.1)
    assert pooled["rmse"] == pytest.approx(SIGMA, rel=0.3)
    assert abs(pooled["bias"]) < SIGMA / 2
    assert pooled["crps"] == pytest.approx(SIGMA / np.sqrt(np.pi), rel=0.3)


def test_intervals_of_the_mean_curve_are_scored_against_the_same_runs(found):
    pooled = found.pooled().set_index("of")
    assert pooled.loc["mean_curve", "coverage_90"] < 0.2
    assert pooled.loc["mean_curve", "n_scored"] == pooled.loc["new_run", "n_scored"]
    assert pooled.loc["mean_curve", "log_score"] < pooled.loc["new_run", "log_score"]


def test_every_run_at_or_above_a_cut_is_a_row(found, sweep):
    flops = sweep.frame["flops"]
    for cut, rows in found.points[found.points["of"] == "new_run"].groupby("cut"):
        np.testing.assert_array_equal(rows["row"], np.flatnonzero(flops >= cut))
        assert (rows["n_below"] == (flops < cut).sum()).all()
        np.testing.assert_array_equal(rows["observed"], sweep.frame["loss"][flops >= cut])
        np.testing.assert_array_equal(rows["n_params"], sweep.frame["n_params"][flops >= cut])
    assert found.points["pit"].between(0, 1).all()
    error = np.log(found.points["median"] / found.points["observed"])
    np.testing.assert_allclose(found.points["error"], error)


def test_scores_are_means_over_the_points_of_a_cut(found):
    row = found.scores.iloc[1]
    points = found.points.query("of == @row['of'] and cut == @row['cut']")
    assert len(points) == row["n_above"]
    assert row["crps"] == pytest.approx(points["crps"].mean())
    inside = (points["lower_80"] <= points["observed"]) & (points["observed"] <= points["upper_80"])
    assert row["coverage_80"] == pytest.approx(inside.mean())
    assert row["width_80"] == pytest.approx(np.log(points["upper_80"] / points["lower_80"]).mean())
    assert row["rmse"] == pytest.approx(np.sqrt((points["error"] ** 2).mean()))


def test_default_cuts_are_levels_with_those_shares_below(found, sweep):
    levels = np.unique(sweep.frame["flops"])
    assert list(found.scores["cut"].unique()) == [levels[i] for i in (5, 6, 8, 10)]


def test_any_numeric_column_can_be_cut_and_sizes_have_units(sweep, make_oracle):
    along = backtest(sweep, {"oracle": make_oracle()}, along="examples", cuts=[30, 50])
    assert set(along.points["examples"][along.points["cut"] == 50]) == set(range(50, 60))
    units = backtest(sweep, {"oracle": make_oracle()}, along="n_params", cuts=["1B", 5e8])
    assert list(units.scores["cut"].unique()) == [5e8, 1e9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cuts": [1e18]}, "leaves nothing to fit: flops goes from 1e[+]18 to 1e[+]21"),
        ({"cuts": [2e21]}, "leaves nothing to score"),
        ({"cuts": [1.5e18], "min_runs": 6}, "leaves 5 runs below it, and min_runs is 6"),
        ({"cuts": []}, "cuts is empty"),
        ({"cuts": 1e19}, "give a list"),
        ({"cuts": ["large"], "along": "examples"}, "examples='large' is not a number"),
        ({"cuts": ["large"]}, "large"),
        ({"min_runs": 56}, "no value of flops has 56 of the 60 runs below it"),
        ({"along": "flop"}, "no column 'flop'"),
        ({"probs": (0.5, 1.0)}, "probs holds 1.0"),
        ({"probs": ()}, "probs is empty"),
        ({"probs": 0.9}, "give a list"),
        ({"budget": -1}, "-1"),
        ({"seed": -1}, "seed is -1"),
        ({"min_runs": 0}, "min_runs is 0"),
        ({"n_jobs": 0}, "n_jobs is 0"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(sweep, options, message, make_oracle):
    with pytest.raises(InputError, match=message):
        backtest(sweep, {"oracle": make_oracle()}, **options)


def test_laws_that_are_none_are_refused(sweep):
    with pytest.raises(InputError, match="give the laws by name"):
        backtest(sweep, [sb.laws.Chinchilla()])
    with pytest.raises(InputError, match=r"'c' is .*Write it with parentheses"):
        backtest(sweep, {"c": sb.laws.Chinchilla})
    with pytest.raises(InputError, match="nor has it a method fit"):
        backtest(sweep, {"c": "chinchilla"})
    with pytest.raises(InputError, match="names are text"):
        backtest(sweep, {1: sb.laws.Chinchilla()})
    with pytest.raises(InputError, match="runs is a DataFrame"):
        backtest(sweep.frame, {"c": sb.laws.Chinchilla()})


def test_failed_refits_are_listed_and_the_others_go_on(sweep, found, make_oracle):
    laws = {"oracle": make_oracle(), "fails": make_oracle(fail_below=35)}
    both = backtest(sweep, laws)
    early = both.scores["cut"].unique()[:2]
    failures = both.failures
    assert list(failures["law"]) == ["fails", "fails"]
    np.testing.assert_array_equal(failures["cut"], early)
    assert set(failures["error"]) == {"ConvergenceError"}
    assert set(failures["message"]) == {"no draws were good"}
    scores = both.scores[both.scores["law"] == "fails"]
    np.testing.assert_array_equal(scores["crps"].isna(), scores["cut"].isin(early))
    assert scores["n_above"].notna().all()
    pooled = both.pooled().set_index(["law", "of"])
    assert tuple(pooled.loc[("fails", "new_run"), ["n_cuts", "n_failed"]]) == (2, 2)
    assert "ConvergenceError" in repr(both)
    oracle = both.points[both.points["law"] == "oracle"]
    pd.testing.assert_frame_equal(oracle, found.points, check_exact=True)


def test_nothing_but_failures_is_shown_too(sweep, make_oracle):
    failed = backtest(sweep, {"fails": make_oracle(fail_below=100)}, cuts=[1e20])
    assert failed.points.empty
    assert failed.scores["crps"].isna().all()
    assert set(failed.failures["cut"]) == {1e20, np.inf}
    assert "all runs" in repr(failed)


@pytest.mark.parametrize(
    ("loss", "message"),
    [(np.full((1, 3, 2), 2.0), "2 points"), (np.full((1, 3, 60), -1.0), "negative")],
)
def test_forecasts_that_are_none_are_failures(sweep, loss, message):
    draws = xr.DataArray(loss, dims=("chain", "draw", "point"))
    fitted = SimpleNamespace(
        label="odd", forecast=lambda points, *, seed: sb.Forecast("odd", points, draws, draws)
    )
    odd = SimpleNamespace(fit=lambda runs, *, seed: fitted)
    cut = float(np.unique(sweep.frame["flops"])[1])
    if loss.shape[-1] == 60:
        draws = draws.isel(point=slice(55))
    failures = backtest(sweep, {"odd": odd}, cuts=[cut]).failures
    assert failures["error"].tolist() == ["InputError"]
    assert message in failures["message"].iloc[0]


def test_other_errors_end_the_backtest(sweep):
    def broken(runs: sb.Runs, *, seed: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backtest(sweep, {"broken": SimpleNamespace(fit=broken)})


def test_a_forecast_without_noise_is_scored_by_its_mean_curve(sweep, truth):
    fitted = SimpleNamespace(label="truth", forecast=partial(sb.forecast, truth))
    published = backtest(sweep, {"truth": SimpleNamespace(fit=lambda runs, *, seed: fitted)})
    assert set(published.scores["of"]) == {"mean_curve"}
    assert (published.scores["log_score"] == -np.inf).all()
    assert "the mean curve" in repr(published)
    assert "a new run" not in repr(published)


def test_progress_is_shown_on_standard_error(sweep, truth, capsys, monkeypatch):
    monkeypatch.setattr(Lines, "first", 0.0)
    monkeypatch.setattr(Lines, "every", 0.0)

    def fit(runs, *, seed):
        time.sleep(0.3)
        return SimpleNamespace(label="truth", forecast=partial(sb.forecast, truth))

    sb.backtest(sweep, {"truth": SimpleNamespace(fit=fit)}, cuts=[1e20])
    captured = capsys.readouterr()
    assert "(1 of 2 refits)" in captured.err
    assert captured.out == ""


@pytest.fixture(scope="module")
def laws() -> dict[str, sb.Fitter]:
    settings = sb.SamplerSettings(draws=500, chains=4, progressbar=False)
    options = {"settings": settings, "noise": sb.noise.Normal(), "discrepancy": None}
    return {
        "chinchilla": sb.Fitter(sb.laws.Chinchilla(), **options),
        "power-c": sb.Fitter(sb.laws.PurePowerLaw("flops"), **options),
    }


@pytest.fixture(scope="module")
def of_fits(runs: sb.Runs, laws: dict[str, sb.Fitter]) -> sb.Backtest:
    return backtest(runs, laws, cuts=[1e20, 3e20])


def test_laws_are_fitted_scored_and_allocated_with(of_fits, truth):
    assert of_fits.failures.empty
    pooled = of_fits.pooled().set_index(["law", "of"])
    chinchilla, power = (pooled.loc[(law, "new_run")] for law in ("chinchilla", "power-c"))
    assert chinchilla["crps"] < power["crps"]
    assert chinchilla["coverage_95"] > 0.6
    allocation = of_fits.allocation.set_index(["law", "cut"]).loc["chinchilla"]
    assert list(allocation.index) == [1e20, 3e20, np.inf]
    last = allocation.loc[np.inf]
    exact = sb.allocate(truth, flops=last["flops"]).optimum["n_params"].item()
    assert last["n_params_lower"] < exact < last["n_params_upper"]
    alpha_n, alpha_d = truth.values["alpha_N"], truth.values["alpha_D"]
    assert last["a_lower"] < alpha_d / (alpha_n + alpha_d) < last["a_upper"]
    for name in ("a", "n_params"):
        early = allocation.iloc[0]
        inside = early[f"{name}_lower"] <= last[name] <= early[f"{name}_upper"]
        assert early[f"{name}_contained"] == inside
        assert pd.isna(last[f"{name}_contained"])
    assert "Allocation at" in repr(of_fits)


def test_a_law_in_one_size_has_no_allocation(of_fits):
    rows = of_fits.allocation[of_fits.allocation["law"] == "power-c"]
    assert list(rows["cut"]) == [1e20, 3e20]
    assert rows[["a", "n_params"]].isna().all(axis=None)


def test_the_exponent_of_a_law_without_closed_form_is_the_local_slope(fit):
    from scaling_bayes._evidence.backtest.refit import Plan, _allocation

    class Plain(sb.Law):
        name = "plain"
        covariates = fit.law.covariates
        parameters = fit.law.parameters

        def loss(self, p: object, x: object) -> object:
            return fit.law.loss(p, x)

    plan = Plan("flops", (0.9,), 1e21, 0)
    some = fit.data_tree.isel(draw=slice(50))
    closed = _allocation(sb.Fit(fit.law, fit.noise, fit.runs, some), plan)
    numerical = _allocation(sb.Fit(Plain(), fit.noise, fit.runs, some), plan)
    assert numerical == pytest.approx(closed, rel=1e-4)


def test_a_refit_of_a_law_resumes_with_the_same_numbers(runs, laws, of_fits, tmp_path):
    last_first = {"chinchilla": laws["chinchilla"]}
    backtest(runs, last_first, cuts=[3e20], directory=tmp_path)
    fresh = sb.Fitter(
        laws["chinchilla"].law,
        noise=sb.noise.Normal(),
        settings=laws["chinchilla"].settings,
        discrepancy=None,
    )
    both = backtest(runs, laws | {"chinchilla": fresh}, cuts=[1e20, 3e20], directory=tmp_path)
    for name in ("points", "allocation"):
        found, expected = getattr(both, name), getattr(of_fits, name)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_runs_that_cannot_identify_a_law_are_a_failure(runs, laws):
    fourth = float(runs.frame["flops"].nsmallest(4).iloc[-1])
    few = backtest(runs, {"chinchilla": laws["chinchilla"]}, cuts=[fourth], min_runs=3)
    assert few.failures["error"].tolist() == [IdentifiabilityError.__name__]
    assert few.failures["step"].tolist() == ["fit"]
    assert few.allocation["a_contained"].isna().all()
    assert few.allocation["a"].isna().tolist() == [True, False]


def test_a_law_whose_covariate_is_not_in_the_table_is_refused(runs):
    class InSteps(sb.Law):
        name = "in-steps"
        covariates = ("steps",)
        parameters = sb.laws.PurePowerLaw("tokens").parameters

        def loss(self, p: object, x: object) -> object:
            return (p.D_c / x.steps) ** p.alpha_D

    with pytest.raises(InputError, match="no column 'steps'"):
        backtest(runs, {"in-steps": InSteps()})


def test_a_fitter_is_pickled_without_its_compiled_model(fitter, fit):
    import pickle

    copied = pickle.loads(pickle.dumps(fitter))
    assert copied.law == fit.law
    assert copied.settings == fitter.settings
    assert not copied._prepared
