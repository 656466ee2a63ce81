"""The trainer of examples/train_sweep: what it counts, what it learns, and that it resumes."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import scaling_bayes as sb

FOLDER = Path(__file__).parents[2] / "examples" / "train_sweep"
MODULES = (
    "corpus",
    "model",
    "plan",
    "train",
    "table",
    "least_squares",
    "sweep",
    "preregister",
    "report",
)


class Trainer:
    """The modules of the folder, as attributes."""

    def __init__(self) -> None:
        for name in MODULES:
            setattr(self, name, importlib.import_module(name))


@pytest.fixture(scope="module")
def trainer():
    """Import the folder's modules under their plain names, and forget them afterwards."""
    pytest.importorskip("optax", reason="the extra sweep is not installed")
    sys.path.insert(0, str(FOLDER))
    yield Trainer()
    sys.path.remove(str(FOLDER))
    for name in MODULES:
        del sys.modules[name]


@pytest.fixture(scope="module")
def text(trainer):
    return trainer.corpus.standard_library()


def test_every_parameter_is_counted_and_nothing_else(trainer):
    import jax

    for shape in trainer.plan.LADDER:
        params = jax.eval_shape(partial(trainer.model.init, shape), jax.random.key(0))
        assert sum(part.size for part in params.values()) == shape.n_params
        embedding = params["embedding"].size
        assert shape.n_params - shape.n_params_non_embedding == embedding


def test_exact_flops_are_those_of_the_compiled_matrix_products(trainer):
    """XLA's own count of the forward pass, which includes norms and softmax, is a little more."""
    import jax

    shape, batch = trainer.model.Shape(64, 2), 4
    params = trainer.model.init(shape, jax.random.key(0))
    windows = np.zeros((batch, trainer.model.CONTEXT + 1), np.uint8)
    forward = jax.jit(trainer.model.losses, static_argnames="shape")
    counted = forward.lower(params, shape, windows).compile().cost_analysis()["flops"]
    ours = shape.flops_per_token / 3 * batch * trainer.model.CONTEXT
    assert 1 <= counted / ours < 1.25


def test_a_prediction_does_not_see_what_it_predicts(trainer):
    import jax

    shape = trainer.model.Shape(32, 2)
    params = trainer.model.init(shape, jax.random.key(0))
    windows = np.random.default_rng(0).integers(256, size=(1, 129)).astype(np.uint8)
    changed = windows.copy()
    changed[0, 60] ^= 1
    before, after = (trainer.model.losses(params, shape, each)[0] for each in (windows, changed))
    np.testing.assert_array_equal(before[:59], after[:59])
    assert (before[59:] != after[59:]).all()


def test_the_learning_rate_rises_for_a_tenth_and_falls_to_nearly_zero(trainer):
    for steps in (83, 2500):
        point = trainer.plan.Point("isoflop", trainer.model.Shape(32, 2), steps, 4)
        rates = trainer.train._rates(point)
        assert len(rates) == steps
        assert rates.max() == pytest.approx(0.5 / 32, rel=0.03)
        assert abs(int(rates.argmax()) - steps // 10) <= 1
        assert 0 < rates[-1] < 2 * rates.max() / (0.9 * steps)


def test_no_window_is_read_twice_within_an_epoch(trainer):
    point = trainer.plan.Point("isoflop", trainer.model.Shape(32, 2), 150, 4, seed=3)
    order = trainer.train._order(600, point)
    assert sorted(order.ravel()) == list(range(600))
    twice = trainer.train._order(300, point).ravel()
    assert sorted(twice[:300]) == sorted(twice[300:]) == list(range(300))


def test_the_sides_of_the_split_share_no_file(trainer, text):
    """Some distributions of Python leave out its tests: the text is a third of its length then."""
    training = text.training.tobytes()
    assert len(training) > 3e6
    assert 1e5 < len(text.validation) < 1e6
    files = [
        text.validation[text.validation_file == number].tobytes()
        for number in np.unique(text.validation_file)
    ]
    assert b"".join(files) == text.validation.tobytes()
    assert len(set(files)) == len(files) > 5
    assert not any(content in training for content in files if len(content) > 1000)


def test_windows_cover_the_text_and_share_a_byte(trainer):
    text = np.arange(100, dtype=np.uint8)
    pieces = trainer.corpus.windows(text, 33)
    assert pieces.shape == (3, 34)
    np.testing.assert_array_equal(pieces[1:, 0], pieces[:-1, -1])
    np.testing.assert_array_equal(pieces[:, 1:].ravel(), text[1:])


def test_the_plan_is_the_sweep_that_was_asked_for(trainer):
    plan = trainer.plan
    sweep = plan.sweep()
    names = [trainer.table.name_of(point) for point in sweep]
    bundled = sb.datasets.load_tiny_transformers().where("split == 'train'").frame
    assert sorted(names) == sorted(bundled["run"])
    flops = np.array([point.flops for point in sweep])
    assert np.log10(flops.max() / flops.min()) > 2.9
    for level in plan.LEVELS:
        on_level = [point for point in plan.isoflop() if abs(point.flops / level - 1) < 0.01]
        assert len(on_level) >= 4
    rectangle = {(point.shape, point.tokens) for point in plan.rectangle()}
    shapes, tokens = (set(part) for part in zip(*rectangle, strict=True))
    assert len(rectangle) == len(shapes) * len(tokens) == 36
    places = pd.Series([(point.shape.n_params, point.tokens) for point in sweep])
    assert (places.value_counts() >= 3).sum() >= 8


def test_training_learns_and_repeats_itself(trainer, text):
    shape = trainer.model.Shape(16, 1)
    point = trainer.plan.Point("isoflop", shape, 60, 4)
    results = [trainer.train.train(point, text) for _ in range(2)]
    assert results[0].loss == results[1].loss
    assert 2.0 < results[0].loss < 3.5
    assert 0 < results[0].loss_se < 0.2
    longer = trainer.train.train(trainer.plan.Point("isoflop", shape, 200, 4), text)
    assert longer.loss < results[0].loss - 0.1


@pytest.mark.long
def test_a_sweep_goes_on_where_it_stopped(trainer, text, tmp_path):
    """Also after a stop in the middle of writing a row."""
    path = tmp_path / "runs.csv"
    points = [trainer.plan.Point("isoflop", trainer.model.Shape(16, 1), n, 4) for n in (5, 6, 7)]
    trainer.sweep.train_all(points[:2], path, 1)
    before = path.read_bytes()
    with path.open("ab") as table:
        table.write(b"w16-l1-s7-b4,isoflop,tr")
    left = trainer.table.missing(points, path, text)
    assert left == points[2:]
    assert path.read_bytes() == before
    trainer.sweep.train_all(left, path, 1)
    assert path.read_bytes().startswith(before)
    assert trainer.table.missing(points, path, text) == []
    assert pd.read_csv(path)["steps"].tolist() == [6, 5, 7]


def test_a_diverged_run_is_refused(trainer, text):
    point = trainer.plan.Point("isoflop", trainer.model.Shape(16, 1), 60, 4, lr_factor=1e30)
    with pytest.raises(FloatingPointError, match="validation loss"):
        trainer.train.train(point, text)


@pytest.mark.long
def test_a_diverged_run_keeps_no_other_from_its_row(trainer, text, tmp_path):
    path = tmp_path / "runs.csv"
    shape = trainer.model.Shape(16, 1)
    points = [
        trainer.plan.Point("isoflop", shape, 9, 4, lr_factor=1e30),
        trainer.plan.Point("isoflop", shape, 5, 4),
    ]
    with pytest.raises(FloatingPointError, match="1 runs have no row"):
        trainer.sweep.train_all(points, path, 1)
    assert trainer.table.missing(points, path, text) == points[:1]


def test_a_table_of_another_sweep_is_refused(trainer, text, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run,loss\na,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="other columns"):
        trainer.table.missing([], path, text)
    other = pd.read_csv(FOLDER / "lr_check.csv").assign(corpus="0123456789abcdef")
    other.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"line 2: run w96.* 0123456789abcdef"):
        trainer.table.missing([], path, text)


def test_forecasts_are_not_registered_again_nor_in_hindsight(trainer, tmp_path):
    table = FOLDER / "lr_check.csv"
    with pytest.raises(FileExistsError, match="already"):
        trainer.preregister.refuse_hindsight(table, FOLDER / "preregistered")
    trainer.preregister.refuse_hindsight(table, tmp_path)
    late = tmp_path / "late.csv"
    pd.read_csv(table).assign(split="held_out").to_csv(late, index=False)
    with pytest.raises(ValueError, match="too late"):
        trainer.preregister.refuse_hindsight(late, tmp_path)


def test_half_the_batch_lowers_the_loss_by_what_the_card_says(trainer):
    checked = pd.read_csv(FOLDER / "batch_check.csv").set_index(["n_params", "tokens"])["loss"]
    bundled = sb.datasets.load_tiny_transformers().where("part == 'isoflop'").frame
    as_planned = bundled.set_index(["n_params", "tokens"])["loss"].loc[checked.index]
    gain = 100 * np.log(as_planned / checked)
    assert len(gain) == 5
    assert gain.min() == pytest.approx(1.05, abs=0.01)
    assert gain.max() == pytest.approx(2.82, abs=0.01)


def test_the_recipe_of_a_held_out_run_is_as_the_card_says():
    checked = pd.read_csv(FOLDER / "held_out_check.csv").set_index("lr")
    bundled = sb.datasets.load_tiny_transformers().where("split == 'held_out'").frame
    (as_planned,) = bundled[bundled["width"] == 80].to_dict("records")
    (half_rate,), (half_batch,) = (
        checked[rows].to_dict("records")
        for rows in (checked["batch"] == 32, checked["batch"] == 16)
    )
    assert half_rate["steps"] == as_planned["steps"] == half_batch["steps"] / 2
    change = 100 * np.log(np.array([half_rate["loss"], half_batch["loss"]]) / as_planned["loss"])
    np.testing.assert_allclose(change, [2.4, -1.9], atol=0.05)


def test_the_rule_of_the_learning_rate_is_the_best_of_its_check(trainer):
    checked = pd.read_csv(FOLDER / "lr_check.csv")
    assert len(checked) == len(trainer.plan.lr_check()) == 12
    best = checked.loc[checked.groupby("n_params")["loss"].idxmin()]
    np.testing.assert_allclose(best["lr"], 0.5 / best["width"], rtol=1e-5)


def test_least_squares_finds_the_law_that_made_the_runs(trainer):
    n, d = (
        grid.ravel() for grid in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(2e7, 2e10, 6))
    )
    loss = 1.5 + 400 * n**-0.35 + 900 * d**-0.3
    runs = sb.read_runs(pd.DataFrame({"n_params": n, "tokens": d, "loss": loss}))
    points = pd.DataFrame({"n_params": [1e10], "tokens": [1e11]})
    draws = trainer.least_squares.bootstrap(runs, points, seed=0)
    truth = 1.5 + 400 * 1e10**-0.35 + 900 * 1e11**-0.3
    for of in ("mean_curve", "new_run"):
        np.testing.assert_allclose(draws[of], truth, rtol=1e-4)


def test_judging_agrees_with_closed_forms(trainer):
    """CRPS of a normal forecast: Gneiting and Raftery 2007, equation 21."""
    p = trainer.preregister.PROBABILITIES
    sigma, truth = 0.02, {"near": 1.01, "far": 1.1}
    forecasts = pd.DataFrame(
        [
            {"forecaster": "f", "of": "new_run", "run": run, "probability": each, "loss": loss}
            for run in truth
            for each, loss in zip(p, norm.ppf(p, 1, sigma), strict=True)
        ]
    )
    held_out = pd.DataFrame({"run": truth.keys(), "loss": truth.values()})
    judged = trainer.report.judge(forecasts, held_out).droplevel(["forecaster", "of"])
    z = (judged["truth"] - 1) / sigma
    closed = sigma * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - np.pi**-0.5)
    np.testing.assert_allclose(judged["crps"], closed, rtol=0.01)
    np.testing.assert_allclose(judged["pit"], [norm.cdf(0.5), 1], atol=1e-3)
    scored = trainer.report.scores(trainer.report.judge(forecasts, held_out)).iloc[0]
    assert scored[["inside 50%", "inside 80%", "inside 90%"]].tolist() == [1, 1, 1]
    assert scored["mean error, %"] == pytest.approx(-100 * np.log(1.01 * 1.1) / 2, abs=1e-3)
