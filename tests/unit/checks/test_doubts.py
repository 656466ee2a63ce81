"""What a fit says to be doubtful about itself, and that its answers repeat it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes._doubt import doubts_of
from scaling_bayes._inference.doubtful_runs import doubts_about
from scaling_bayes.cli import _main
from scaling_bayes.errors import DoubtWarning, IdentifiabilityWarning

LAW = sb.laws.Coupled()
QUIET = sb.SamplerSettings(progressbar=False)
some_tables = settings(max_examples=25)


def table(seed: int = 0) -> pd.DataFrame:
    """Return a sound sweep: nine sizes at seven ratios each, by Chinchilla's law with noise."""
    rng = np.random.default_rng(seed)
    n_params = np.repeat(np.geomspace(2e7, 5e9, 9), 7)
    tokens = n_params * np.tile(np.geomspace(2, 200, 7), 9)
    loss = 1.7 + 400 / n_params**0.34 + 410 / tokens**0.28
    noise = np.exp(0.005 * rng.standard_normal(len(loss)))
    return pd.DataFrame({"n_params": n_params, "tokens": tokens, "loss": loss * noise})


def kinds(frame: pd.DataFrame) -> set[str]:
    with warnings.catch_warnings():
        # Cells far from any training are told of one by one where they are read.
        warnings.simplefilter("ignore", sb.errors.RunsWarning)
        runs = sb.read_runs(frame)
    return {doubt.kind for doubt in doubts_about(runs, LAW)}


def test_nothing_is_said_of_a_sound_table():
    assert kinds(table()) == set()


@some_tables
@given(factor=st.sampled_from([1e-3, 1e3]), seed=st.integers(0, 99))
def test_tokens_of_some_runs_in_another_unit_are_named(factor, seed):
    frame = table()
    some = np.random.default_rng(seed).permutation(len(frame)) % 2 == 0
    frame.loc[some, "tokens"] *= factor
    assert "order of losses" in kinds(frame)


@pytest.mark.parametrize(
    ("column", "factor"), [("n_params", 1e-3), ("tokens", 1e-3), ("tokens", 1e3), ("n_params", 1e3)]
)
def test_sizes_of_all_runs_in_another_unit_are_named(column, factor):
    frame = table()
    frame[column] *= factor
    assert "unit of sizes" in kinds(frame)


@some_tables
@given(factor=st.floats(1e-12, 1e-3))
def test_losses_too_small_for_text_are_named(factor):
    frame = table()
    frame["loss"] *= factor
    assert "unit of loss" in kinds(frame)


@some_tables
@given(n=st.integers(1, 63), level=st.floats(12.6, 14.9))
def test_losses_above_the_log_of_any_vocabulary_are_named(n, level):
    frame = table()
    frame.loc[: n - 1, "loss"] = level
    assert "unit of loss" in kinds(frame)


def test_losses_that_rise_with_compute_are_named():
    frame = table()
    frame["loss"] = 8 - frame["loss"]
    assert "order of losses" in kinds(frame)


@some_tables
@given(name=st.sampled_from(["run", "run_id", "run_name"]), each=st.integers(2, 20))
def test_rows_of_one_run_are_named_by_their_column(name, each):
    frame = table()
    frame[name] = [f"run {i // each}" for i in range(len(frame))]
    (doubt,) = [
        doubt for doubt in doubts_about(sb.read_runs(frame), LAW) if doubt.kind == "rows of one run"
    ]
    assert f"{frame[name].nunique()} runs in {len(frame)} rows" in doubt.words
    assert f'last_of_each("{name}")' in doubt.remedy


def test_runs_named_one_by_one_are_nothing_to_doubt():
    frame = table()
    frame["run"] = np.arange(len(frame))
    assert kinds(frame) == set()


@some_tables
@given(n_checkpoints=st.integers(4, 30), start=st.integers(0, 5))
def test_checkpoints_are_known_by_their_even_steps(n_checkpoints, start):
    steps = np.arange(1 + start, 1 + start + n_checkpoints)
    n_params = np.repeat([3e7, 3e8, 3e9], n_checkpoints)
    tokens = np.tile(steps * 5e8, 3)
    loss = 1.7 + 400 / n_params**0.34 + 410 / tokens**0.28
    frame = pd.DataFrame({"n_params": n_params, "tokens": tokens, "loss": loss})
    assert "rows of one run" in kinds(frame)


@some_tables
@given(n_seeds=st.integers(2, 8))
def test_repetitions_as_rows_are_named(n_seeds):
    frame = pd.concat([table(seed).assign(seed=seed) for seed in range(n_seeds)])
    assert "seeds as rows" in kinds(frame)


def test_a_few_repeated_points_are_nothing_to_doubt():
    frame = pd.concat([table(), table(1).head(12)])
    assert kinds(frame) == set()


@pytest.mark.parametrize("column", ["epochs", "unique_tokens"])
def test_tokens_read_many_times_are_named_unless_the_law_reads_them(column):
    frame = table()
    frame[column] = 9.0 if column == "epochs" else frame["tokens"] / 9
    assert "repeated data" in kinds(frame)
    frame[column] = 1.0 if column == "epochs" else frame["tokens"]
    assert kinds(frame) == set()


def test_groups_are_named():
    frame = table().assign(group=["a", "b", "c"] * 21)
    assert kinds(frame) == {"groups"}


@pytest.fixture(scope="module")
def cerebras() -> sb.Fit:
    with pytest.warns(IdentifiabilityWarning, match="vary together"):
        return sb.fit(sb.datasets.load_cerebras_gpt(), settings=QUIET, seed=0)


def test_an_optimum_that_is_prior_is_named_where_it_is_shown(cerebras):
    said = {doubt.kind for doubt in cerebras.doubts}
    assert said == {"identifiability", "optimum from the prior"}
    prior = next(doubt for doubt in cerebras.doubts if doubt.kind == "optimum from the prior")
    assert prior.about == ("allocation",)
    for answer in (
        cerebras.summary(),
        cerebras.allocate(flops="1e24"),
        sb.decide(cerebras, flops="1e24"),
        sb.spending(cerebras, flops=["1e23", "1e24"]),
    ):
        assert str(prior) in repr(answer)
    forecast = repr(cerebras.forecast(n_params="70B", tokens="1.4T"))
    assert "Doubt (identifiability)" in forecast
    assert str(prior) not in forecast


def test_the_summary_shows_the_best_ratio_beside_its_prior(cerebras):
    (line,) = [words for words in cerebras.summary().words if "by the prior" in words]
    assert "tokens per parameter are best at" in line


def test_an_average_has_the_doubts_of_its_members(cerebras):
    average = sb.average({"one": cerebras, "two": cerebras})
    assert doubts_of(average, "allocation") == doubts_of(cerebras, "allocation")
    assert average.forecast(n_params="7B", tokens="1T").doubts == doubts_of(cerebras, "forecast")


def test_a_saved_fit_keeps_its_doubts_and_the_command_line_shows_them(cerebras, tmp_path, capsys):
    path = str(cerebras.save(tmp_path / "fit.nc"))
    assert [doubt.kind for doubt in sb.load(path).doubts] == [
        doubt.kind for doubt in cerebras.doubts
    ]
    for command in (
        ["summary", path],
        ["forecast", path, "--n-params", "7B", "--tokens", "1T"],
        ["allocate", path, "--flops", "1e24"],
        ["decide", path, "--flops", "1e24"],
    ):
        assert _main.main([*command, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert "identifiability" in [doubt["kind"] for doubt in document["doubts"]]
        assert _main.main(command) == 0
        assert capsys.readouterr().out.count("Doubt (identifiability)") == 1


def test_a_picture_names_the_doubts_below(cerebras):
    ax = sb.plots.plot_isoflop(cerebras, flops=["1e22"])
    assert "optimum from the prior" in ax.figure.get_supxlabel()
    ax = sb.plots.plot_loss(cerebras)
    assert "optimum from the prior" not in ax.figure.get_supxlabel()
    for ax in (sb.plots.plot_compare({"all": cerebras}), sb.plots.plot_residuals(cerebras)):
        assert "identifiability" in ax.figure.get_supxlabel()


def test_losses_in_two_units_are_named():
    frame = table()
    frame.loc[::3, "loss"] /= np.log(2)
    with pytest.warns(DoubtWarning, match="over 10% more loss"):
        fit = sb.fit(sb.read_runs(frame), settings=QUIET, seed=0)
    assert "two units of loss" in {doubt.kind for doubt in fit.doubts}


def test_groups_that_do_not_follow_one_law_are_named():
    frame = table().assign(group=["a", "b", "c"] * 21)
    frame.loc[frame["group"] == "b", "loss"] *= 1.06
    with pytest.warns(DoubtWarning, match="3 groups"):
        fit = sb.fit(sb.read_runs(frame), settings=QUIET, seed=0)
    assert {doubt.kind for doubt in fit.doubts} == {"groups", "groups that differ"}


# Such outliers also break the order of losses.
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.DoubtWarning")
def test_runs_that_no_noise_explains_are_named():
    frame = table()
    very_heavy = np.random.default_rng(0).standard_cauchy(len(frame)) ** 3
    frame["loss"] *= np.exp(np.clip(0.001 * very_heavy, -0.5, 0.5))
    fit = sb.fit(
        sb.read_runs(frame), sb.laws.Chinchilla(), discrepancy=None, settings=QUIET, seed=0
    )
    assert "tails of noise" in {doubt.kind for doubt in fit.doubts}


def test_nothing_is_said_of_our_own_sweep():
    fit = sb.fit(sb.datasets.load_tiny_transformers(), settings=QUIET, seed=0)
    assert fit.doubts == ()
