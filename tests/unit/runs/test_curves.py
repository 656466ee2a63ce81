"""Curves of losses: tables of checkpoints, exports of charts, and the runs at their ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import InputError, RunsError, RunsWarning

SIZES = {
    "a": {"n_params": "70M", "batch_tokens": 5e5},
    "b": {"n_params": "400M", "batch_tokens": 5e5},
}
# By hand, in the form in which W&B exports a chart of two runs.
HEAD = [f"{run} - eval/loss{end}" for run in "ab" for end in ("", "__MIN", "__MAX")]
CHART = (
    ",".join(f'"{name}"' for name in ["Step", *HEAD])
    + """
"1000","3.9","3.9","3.9","3.7","3.7","3.7"
"2000","3.5","3.5","3.5","","",""
"3000","","","","3.2","3.2","3.2"
"4000","3.3","3.3","3.3","3.1","3.1","3.1"
"""
)


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": ["a", "b", "a", "b", "a"],
            "tokens": [1e9, 1e9, 2e9, 2e9, 3e9],
            "loss": [3.9, 3.7, 3.5, 3.2, 3.3],
            "lr": [3e-4] * 5,
            "n_params": [7e7, 4e8, 7e7, 4e8, 7e7],
        }
    )


def write(path, text: str):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_checkpoints_becomes_curves_and_their_ends(table):
    curves = sb.read_curves(table)
    assert curves.along == "tokens"
    assert curves.frame["run"].tolist() == ["a", "a", "a", "b", "b"]
    assert curves.frame["loss"].tolist() == [3.9, 3.5, 3.3, 3.7, 3.2]
    runs = curves.ends()
    assert runs.frame["run"].tolist() == ["a", "b"]
    assert runs.frame["loss"].tolist() == [3.3, 3.2]
    assert runs.frame["tokens"].tolist() == [3e9, 2e9]
    assert runs.frame["flops"].tolist() == [6 * 7e7 * 3e9, 6 * 4e8 * 2e9]


def test_the_last_losses_can_be_averaged_and_it_is_said(table):
    runs = sb.read_curves(table).ends(last=2)
    np.testing.assert_allclose(runs.frame["loss"], [3.4, 3.45])
    assert "mean of the last 2 losses of each run" in runs.source


def test_the_export_of_a_chart_is_read_with_the_sizes_of_its_runs(tmp_path):
    curves = sb.read_curves(write(tmp_path / "chart.csv", CHART))
    assert curves.frame.groupby("run").size().to_dict() == {"a": 3, "b": 3}
    runs = curves.ends(SIZES)
    assert runs.frame["n_params"].tolist() == [7e7, 4e8]
    assert runs.frame["tokens"].tolist() == [2e9, 2e9]
    assert runs.frame["loss"].tolist() == [3.3, 3.1]
    as_table = pd.DataFrame.from_dict(SIZES, orient="index").rename_axis("run").reset_index()
    pd.testing.assert_frame_equal(curves.ends(as_table).frame, runs.frame)


def test_read_runs_says_what_a_chart_is(tmp_path):
    with pytest.raises(RunsError, match=r"chart\.csv is the export of a chart.*read_curves"):
        sb.read_runs(write(tmp_path / "chart.csv", CHART))


def test_a_chart_of_several_metrics_or_over_time_is_named(tmp_path):
    two = CHART.replace("b - eval/loss", "b - train/loss")
    path = write(tmp_path / "chart.csv", two)
    with pytest.raises(RunsError, match="several metrics: eval/loss, train/loss"):
        sb.read_curves(path)
    assert sb.read_curves(path, columns={"loss": "train/loss"}).frame["run"].unique() == ["b"]
    with pytest.raises(RunsError, match="has no metric 'bpb'"):
        sb.read_curves(path, columns={"loss": "bpb"})
    with pytest.raises(RunsError, match=r"chart over 'Relative Time \(Wall\)'"):
        sb.read_curves(write(path, CHART.replace('"Step"', '"Relative Time (Wall)"')))
    over_tokens = CHART.replace('"Step"', '"throughput/total_tokens"')
    assert sb.read_curves(write(path, over_tokens)).along == "tokens"


@pytest.mark.parametrize("none", ["NaN", "Infinity"])
def test_a_run_that_diverged_is_left_out_of_the_ends_and_named(tmp_path, none):
    text = CHART.replace('"3.1","3.1","3.1"', f'"{none}","{none}","{none}"')
    curves = sb.read_curves(write(tmp_path / "chart.csv", text))
    assert curves.diverged == ("b",)
    assert "diverged: 'b'" in repr(curves)
    with pytest.warns(RunsWarning, match="left out 'b', which diverged"):
        runs = curves.ends(SIZES)
    assert runs.frame["run"].tolist() == ["a"]


def test_a_run_that_ends_before_its_planned_tokens_is_left_out_and_named(table):
    curves = sb.read_curves(table.drop(columns="n_params"))
    planned = {"a": {"n_params": 7e7, "tokens": 3e9}, "b": {"n_params": 4e8, "tokens": 8e9}}
    with pytest.warns(RunsWarning, match="left out 'b', which ended before"):
        runs = curves.ends(planned)
    assert runs.frame["tokens"].tolist() == [3e9]
    endless = {name: {"n_params": 1e8, "tokens": 1e12} for name in "ab"}
    with pytest.raises(InputError, match="no run that was trained to its end"):
        curves.ends(endless)


def test_steps_without_tokens_need_something_that_says_them(tmp_path):
    curves = sb.read_curves(write(tmp_path / "chart.csv", CHART))
    with pytest.raises(InputError, match="has steps and no tokens"):
        curves.ends({name: {"n_params": 1e8} for name in "ab"})
    with pytest.raises(InputError, match="sizes has no row for b"):
        curves.ends({"a": SIZES["a"]})
    runs = curves.ends({name: {"n_params": 1e8, "tokens": 2e9} for name in "ab"})
    assert runs.frame["tokens"].tolist() == [2e9, 2e9]


def test_bad_cells_and_columns_are_named(table, tmp_path):
    with pytest.raises(RunsError, match=r"row 2, loss = 'high': is not a number"):
        sb.read_curves(table.astype({"loss": object}).assign(loss=[3.9, 3.7, "high", 3.2, 3.3]))
    with pytest.raises(RunsError, match="no column run"):
        sb.read_curves(table.drop(columns="run"))
    with pytest.raises(RunsError, match="no column step or tokens"):
        sb.read_curves(table.drop(columns="tokens"))
    with pytest.raises(InputError, match="columns names steps"):
        sb.read_curves(table, columns={"steps": "x"})
    with pytest.raises(InputError, match="which DataFrame does not have"):
        sb.read_curves(table, columns={"loss": "missing"})
    with pytest.raises(InputError, match="last is 0"):
        sb.read_curves(table).ends(last=0)
    twice = pd.DataFrame({"run": ["a", "a"], "n_params": 1e8})
    with pytest.raises(InputError, match="the run 'a' more than once"):
        sb.read_curves(table).ends(twice)
    empty = write(tmp_path / "empty.csv", "run,step,loss\na,1,\nb,2,\n")
    with pytest.raises(RunsError, match="has no row with a loss"):
        sb.read_curves(empty)


def test_the_unit_of_a_metric_is_taken_from_its_name(table):
    named = table.rename(columns={"loss": "eval/bpb"})
    curves = sb.read_curves(named, columns={"loss": "eval/bpb"})
    assert curves.loss_unit == "bits_per_byte"
    assert curves.ends().loss_unit == "bits per byte"


def test_names_are_shown_as_text():
    hostile = "a\x1b[31m<b> - x"
    table = pd.DataFrame({"run": [hostile] * 2, "step": [1, 2], "loss": [3.0, 2.9]})
    curves = sb.read_curves(table)
    assert "\x1b" not in repr(curves)
    assert "<b>" not in curves._repr_html_()


def test_files_of_one_run_each_are_named_by_their_files(tmp_path):
    head = "_step,eval/c4/CrossEntropyLoss,throughput/total_tokens,learning_rate_peak\n"
    write(tmp_path / "190M-1xC.csv", f"{head}100,3.9,1e8,0.01\n200,3.7,2e8,0.01\n")
    write(tmp_path / "370M-2xC.csv", f"{head}100,3.8,1e8,0.008\n300,3.4,3e8,0.008\n")
    loss = {"loss": "eval/c4/CrossEntropyLoss"}
    curves = sb.read_curves(tmp_path / "*.csv", columns=loss)
    assert curves.along == "tokens"
    sizes = {"190M-1xC": {"n_params": "190M"}, "370M-2xC": {"n_params": "370M"}}
    runs = curves.ends(sizes)
    assert runs.frame["run"].tolist() == ["190M-1xC", "370M-2xC"]
    assert runs.frame["tokens"].tolist() == [2e8, 3e8]
    files = sorted(tmp_path.iterdir())
    pd.testing.assert_frame_equal(sb.read_curves(files, columns=loss).frame, curves.frame)
    with pytest.raises(RunsError, match=r"no column loss.*eval/c4/CrossEntropyLoss"):
        sb.read_curves(files)
    with pytest.raises(InputError, match="empty list"):
        sb.read_curves([])
