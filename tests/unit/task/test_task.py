"""Accuracy from task loss: known links are found again, and bad tables are named."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._task.task_fitter import link_model
from scaling_bayes._task.task_table import checked
from scaling_bayes.errors import InputError

TRUE = SimpleNamespace(floor=0.26, ceiling=0.93, middle=-0.25, slope=6.0, scatter=0.006)
QUESTIONS = 2000


def scored(loss: np.ndarray, centre: float, rng: np.random.Generator) -> np.ndarray:
    """Return what runs of some losses score."""
    mean = sb.Link(0.25).accuracy(TRUE, np.log(loss / centre))
    precision = mean * (1 - mean) / TRUE.scatter**2
    return rng.binomial(QUESTIONS, rng.beta(mean * precision, (1 - mean) * precision)) / QUESTIONS


@pytest.fixture(scope="module")
def tasks(runs) -> pd.DataFrame:
    """The simulated runs with what they score."""
    loss = runs.frame["loss"].to_numpy()
    centre = float(np.exp(np.log(loss).mean()))
    accuracy = scored(loss, centre, np.random.default_rng(5))
    return runs.frame.assign(accuracy=accuracy, n_questions=QUESTIONS)


@pytest.fixture(scope="module")
def task(fit, tasks, quiet) -> sb.TaskFit:
    settings = sb.SamplerSettings(tune=1000, target_accept=0.95, progressbar=False)
    return sb.fit_task(fit, tasks, chance=0.25, settings=settings, seed=1)


def test_the_link_is_found(task):
    assert task.diagnostics.converged
    frame = task.to_frame(prob=0.98)
    for name, value in vars(TRUE).items():
        assert frame.loc[name, "lower"] < value < frame.loc[name, "upper"], name
    assert not task.doubts


def test_accuracy_of_larger_runs_is_forecast(task, truth):
    points = pd.DataFrame({"n_params": [1e9, 1e10], "tokens": [2e10, 2e11]})
    loss = truth.law.loss(SimpleNamespace(**truth.values), points).to_numpy()
    right = task.link.accuracy(TRUE, np.log(loss / task.centre))
    forecast = task.forecast(points, seed=1)
    lower, upper = forecast.interval(0.98, of="mean_curve").values
    assert np.all((lower < right) & (right < upper))
    of_curve, of_run = (forecast.interval(of=of).diff("bound") for of in ("mean_curve", "new_run"))
    assert np.all(of_run > of_curve)
    assert "lies below" in repr(forecast)
    low, high = (float(forecast.probability_at_least(each)[1]) for each in (0.3, 0.95))
    assert low > 0.99
    assert high < 0.05


def test_few_questions_widen_what_a_run_scores(task):
    narrow, wide = (
        float(
            task.forecast(n_params="1B", tokens="20B", n_questions=n, seed=1)
            .interval()
            .diff("bound")
            .item()
        )
        for n in (100_000, 50)
    )
    assert wide > 3 * narrow


def test_the_compute_to_reach_an_accuracy_brings_it(task):
    found = task.compute_to_reach([0.1, 0.5, 0.7, 0.99], seed=1)
    flops = found.flops.median(("chain", "draw")).to_numpy()
    assert flops[0] == pytest.approx(1e10)
    assert np.all(np.diff(flops[:3]) > 0)
    assert found.probability_never[-1] > 0.9
    assert "accuracy 0.5:" in repr(found)
    best = sb.allocate(task.loss, flops=flops[1]).recommended["n_params"].item()
    at = task.forecast(n_params=best, flops=flops[1], seed=1)
    assert float(at.mean_curve.median()) == pytest.approx(0.5, abs=0.02)


def test_columns_of_the_runs_are_read_where_no_table_is_given(fit, tasks, quiet):
    with_scores = sb.Fit(fit.law, fit.noise, sb.Runs(tasks), fit.data_tree)
    task = sb.fit_task(with_scores, chance=0.25, settings=quiet, on_failure="warn", seed=1)
    assert task.table["accuracy"].tolist() == tasks["accuracy"].tolist()


def test_a_task_that_gets_worse_is_taken_for_that(fit, tasks, quiet):
    opposite = SimpleNamespace(**vars(TRUE) | {"slope": -6.0, "middle": 0.1})
    log_loss = np.log(tasks["loss"] / np.exp(np.log(tasks["loss"]).mean()))
    falling = tasks.assign(accuracy=sb.Link(0.25).accuracy(opposite, log_loss))
    settings = sb.SamplerSettings(tune=1000, target_accept=0.95, progressbar=False)
    task = sb.fit_task(fit, falling, chance=0.25, settings=settings, on_failure="warn", seed=1)
    assert float((task.data_tree["posterior"]["slope"] < 0).mean()) > 0.95
    assert any(doubt.kind == "sign of the task" for doubt in task.doubts)
    assert task.compute_to_reach(0.6).probability_never.item() > 0.95


def test_the_model_is_the_one_written_out():
    link = sb.Link(0.25)
    data = {
        "log_loss": np.array([-0.3, 0.0, 0.2]),
        "right": np.array([60.0, 40.0, 26.0]),
        "questions": np.array([100.0, 100.0, 90.0]),
    }
    model = link_model(link, data)
    mean = TRUE.floor + (TRUE.ceiling - TRUE.floor) / (
        1 + np.exp(TRUE.slope * (data["log_loss"] - TRUE.middle))
    )
    precision = mean * (1 - mean) / TRUE.scatter**2
    expected = stats.betabinom(data["questions"], mean * precision, (1 - mean) * precision)
    (found,) = model.logp(vars=[model["right_answers"]], sum=False)
    names = {variable.name: variable for variable in model.free_RVs}
    given_values = {
        model.rvs_to_values[variable]: model.rvs_to_transforms[variable]
        .forward(getattr(TRUE, name), *variable.owner.inputs)
        .eval()
        if model.rvs_to_transforms[variable]
        else getattr(TRUE, name)
        for name, variable in names.items()
    }
    np.testing.assert_allclose(
        found.eval(given_values, mode="FAST_COMPILE"), expected.logpmf(data["right"]), rtol=1e-6
    )


@given(accuracy=st.floats(0.02, 0.98), slope=st.floats(0.5, 30), middle=st.floats(-2, 1))
def test_the_loss_of_an_accuracy_brings_it(accuracy, slope, middle):
    p = xr.Dataset({"floor": 0.2, "ceiling": 0.9, "middle": middle, "slope": slope})
    log_loss = float(sb.Link(0.25).log_loss(p, accuracy))
    if accuracy >= 0.9:
        assert log_loss == -np.inf
    elif accuracy <= 0.2:
        assert log_loss == np.inf
    else:
        assert float(sb.Link(0.25).accuracy(p, log_loss)) == pytest.approx(accuracy)


def test_no_loss_is_low_enough_where_accuracy_falls_with_it():
    p = xr.Dataset({"floor": 0.2, "ceiling": 0.9, "middle": 0.0, "slope": -3.0})
    assert float(sb.Link(0.25).log_loss(p, 0.5)) == -np.inf


GOOD = pd.DataFrame(
    {"loss": np.linspace(2, 1, 6), "accuracy": np.linspace(0.25, 0.6, 6), "n_questions": 1000}
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="accuracy"), "no column accuracy; it has loss, n_questions"),
        (lambda t: t.assign(loss=[-1, *t["loss"][1:]]), r"loss is not a positive number in row 0"),
        (lambda t: t.assign(accuracy=100 * t["accuracy"]), "accuracy is not a share"),
        (lambda t: t.assign(n_questions=0.5), "n_questions is not a whole number"),
        (lambda t: t.assign(loss="much"), "row 0: 'much'"),
        (lambda t: t.head(4), "has 4 runs; give 5 at least"),
        (lambda t: t.assign(accuracy=0.26), "no run of the task is off chance"),
    ],
)
def test_tables_that_say_nothing_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        checked(change(GOOD), 0.25)


def test_what_is_no_table_or_no_fit_is_refused(fit):
    with pytest.raises(InputError, match="tasks is a list"):
        sb.fit_task(fit, [1, 2], chance=0.25)
    with pytest.raises(InputError, match="fit is a str"):
        sb.fit_task("fit", GOOD, chance=0.25)


@pytest.mark.parametrize("chance", [0, 1, 1.5, True, "a quarter", float("nan")])
def test_chance_is_a_share(chance):
    with pytest.raises(InputError, match="chance is"):
        sb.Link(chance)


@pytest.mark.parametrize("accuracy", [0, 1, 1.2, True, float("nan")])
def test_target_accuracies_are_shares(task, accuracy):
    with pytest.raises(InputError, match="target accuracy is"):
        task.compute_to_reach(accuracy)


def test_a_draw_of_neither_is_refused(task):
    with pytest.raises(InputError, match="take 'mean_curve' or 'new_run'"):
        task.forecast(n_params="1B", tokens="20B", seed=1).interval(of="loss")


def test_priors_of_a_user_are_taken_and_named():
    prior = sb.Prior("Beta", alpha=60.0, beta=1.0)
    link = sb.Link(0.25, priors={"ceiling": prior})
    assert link.priors["ceiling"] == prior
    assert link != sb.Link(0.25)
    assert link.to_dict()["chance"] == 0.25
    assert repr(link) == "Link(0.25)"


def test_the_picture_shows_curve_runs_and_what_was_not_seen(task):
    observed = pd.DataFrame({"loss": [1.9], "accuracy": [0.8]})
    ax = sb.plots.plot_task(task, observed=observed)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == "expected: median, 90% equal-tailed"
    assert "runs not seen" in labels
    assert ax.get_xlabel() == "loss of the task, nats per token"
    low, high = sorted(ax.get_xlim())
    assert low < 1.9 < high
    plt.close(ax.figure)
