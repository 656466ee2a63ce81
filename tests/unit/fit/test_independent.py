"""Fits of tables in which rows belong together."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._fit.independent import independent
from scaling_bayes._fit.pooled.pooled_fitter import SETTINGS
from scaling_bayes.errors import RunsWarning

BY_SIZE, OWN = 0.01, 0.003


@pytest.fixture(scope="module")
def of_seeds(truth) -> sb.Runs:
    """Fourteen sizes of eight seeds each, whose luck is mostly that of the size."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "n_params": np.repeat(10 ** rng.uniform(7.5, 9.5, 14), 8),
            "tokens": np.repeat(10 ** rng.uniform(9.3, 11, 14), 8),
        }
    )
    luck = np.repeat(BY_SIZE * rng.standard_normal(14), 8) + OWN * rng.standard_normal(112)
    frame["loss"] = truth.law.loss(SimpleNamespace(**truth.values), frame) * np.exp(luck)
    return sb.read_runs(frame.assign(seed=np.tile(range(8), 14)))


@pytest.fixture(scope="module")
def fitted(of_seeds, fitter) -> sb.Fit:
    return fitter.fit(of_seeds, seed=1)


def test_runs_of_one_size_are_one_row_with_noise_in_common(fitted):
    assert isinstance(fitted.noise, sb.noise.StudentTBySize)
    assert len(fitted.runs) == 14
    assert "112 runs in 14 rows" in repr(fitted)
    assert not fitted.doubts
    share = fitted.noise_draws["common"] / (1 + fitted.noise_draws["common"])
    low, high = share.quantile([0.01, 0.99])
    assert low < BY_SIZE**2 / (BY_SIZE**2 + OWN**2) < high
    low, high = fitted.noise_draws["sigma"].quantile([0.01, 0.99])
    assert low < np.hypot(BY_SIZE, OWN) < high


def test_the_summary_says_how_much_runs_of_a_size_share(fitted):
    words = " ".join(fitted.summary().words)
    assert "Runs of one size share" in words
    assert "90% equal-tailed interval" in words


def test_a_mean_of_seeds_is_forecast_with_what_they_share(fitted):
    points = pd.DataFrame({"n_params": [1e9, 1e9], "tokens": [2e10, 2e10], "weight": [1, 1000]})
    widths = sb.forecast(fitted, points, seed=1).to_frame()
    one, many = widths["new_run_upper"] - widths["new_run_lower"]
    narrowest = widths["mean_curve_upper"] - widths["mean_curve_lower"]
    # A thousand seeds do not undo what the size has: 0.9 of the noise, and not 0.03 of it.
    assert 0.8 * one < many < one
    assert many > 1.5 * narrowest[1]


def test_it_is_saved_and_read_back(fitted, tmp_path):
    loaded = sb.load(fitted.save(tmp_path / "fit.nc"))
    assert loaded.noise == fitted.noise
    pd.testing.assert_frame_equal(loaded.runs.frame, fitted.runs.frame, check_column_type=False)
    assert loaded.summary().words == fitted.summary().words


def test_means_that_a_user_gives_say_the_same(of_seeds, fitted, fitter):
    """The mean, the number and the scatter of seeds hold all that the rows do."""
    means = of_seeds.means_by_size().frame.drop(columns="flops")
    again = fitter.fit(sb.read_runs(means), seed=1)
    assert again.draws["L_inf"].equals(fitted.draws["L_inf"])


def test_a_weight_alone_leaves_open_what_one_run_scatters_by(of_seeds, fitted, fitter):
    means = of_seeds.means_by_size().frame.drop(columns="seed_sd")
    fit = fitter.fit(sb.read_runs(means), seed=1)
    wide, narrow = (
        float(np.log(each.noise_draws["sigma"]).std(("chain", "draw"))) for each in (fit, fitted)
    )
    assert wide > 1.3 * narrow
    low, high = fit.noise_draws["sigma"].quantile([0.05, 0.95])
    assert low < np.hypot(BY_SIZE, OWN) < high


def test_noise_of_a_user_leaves_rows_of_a_size_as_they_are(of_seeds):
    class Own(sb.noise.Normal):
        name = "own"

    runs, noise = independent(of_seeds, Own())
    assert runs is of_seeds
    assert isinstance(noise, Own)


def test_rows_of_one_run_are_said_to_be_left_out(truth):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "run": np.repeat([f"run-{i}" for i in range(12)], 5),
            "n_params": np.repeat(10 ** rng.uniform(7.5, 9.5, 12), 5),
            "tokens": np.repeat(10 ** rng.uniform(9.3, 11, 12), 5) * np.tile(range(1, 6), 12),
        }
    )
    frame["loss"] = truth.law.loss(SimpleNamespace(**truth.values), frame)
    runs = sb.read_runs(frame)
    with pytest.warns(RunsWarning, match=r"'run' DataFrame holds 60 rows of 12 runs"):
        found, noise = independent(runs, sb.noise.StudentT())
    assert found.frame["tokens"].tolist() == frame["tokens"][4::5].tolist()
    assert type(noise) is sb.noise.StudentT


def test_groups_of_seeds_are_pooled_by_size(of_seeds):
    frame = of_seeds.frame.assign(corpus=np.repeat(["a", "b"], 56))
    settings = replace(SETTINGS, progressbar=False)
    fit = sb.fit(
        sb.read_runs(frame),
        sb.laws.Chinchilla(),
        groups="corpus",
        discrepancy=None,
        settings=settings,
        seed=1,
    )
    assert [len(each.runs) for each in fit.values()] == [7, 7]
    assert isinstance(fit.noise, sb.noise.StudentTBySize)
    low, high = fit["a"].noise_draws["sigma"].quantile([0.01, 0.99])
    assert low < np.hypot(BY_SIZE, OWN) < high
