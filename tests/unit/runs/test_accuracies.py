"""Result files of lm-eval, written by hand from its public definition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import InputError, RunsError, RunsWarning


def written(path: Path, record: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    return path


def record(name: str | None = "1B", *, date: float = 1.0, acc: object = 0.5) -> dict[str, object]:
    return {
        "results": {
            "arc_easy": {
                "alias": "arc_easy",
                "acc,none": acc,
                "acc_stderr,none": 0.01,
                "acc_norm,none": 0.55,
                "acc_norm_stderr,none": "N/A",
            },
            "gsm8k": {
                "exact_match,strict-match": 0.1,
                "exact_match_stderr,strict-match": 0.02,
                "exact_match,flexible-extract": 0.2,
            },
            "mmlu": {"acc,none": 0.3, "acc_stderr,none": 0.005},
            "wikitext": {"word_perplexity,none": 12.0, "bits_per_byte,none": 0.7},
            "lambada": {"acc": 0.6, "acc_stderr": 0.03, "bits_per_byte": 0.9},
        },
        "group_subtasks": {"mmlu": ["mmlu_law", "mmlu_art"]},
        "n-samples": {
            "arc_easy": {"original": 2376, "effective": 2000},
            "mmlu_law": {"original": 100, "effective": 100},
            "mmlu_art": {"original": 50, "effective": 50},
        },
        "n-shot": {"arc_easy": 0, "mmlu": 5},
        "config": {"model": "hf", "model_args": "pretrained=me/1B"},
        "date": date,
        **({} if name is None else {"model_name": name}),
    }


@pytest.fixture
def found(tmp_path):
    written(tmp_path / "1B" / "results_2026-01-01.json", record())
    with pytest.warns(RunsWarning, match="exact_match,strict-match, exact_match,flexible-extract"):
        return sb.read_accuracies(tmp_path).set_index("task")


def test_each_task_has_the_first_metric_that_it_has(found):
    assert found["metric"].to_dict() == {
        "arc_easy": "acc_norm,none",
        "gsm8k": "exact_match,strict-match",
        "mmlu": "acc,none",
        "lambada": "acc",
    }
    assert found["accuracy"].to_dict() == {
        "arc_easy": 0.55,
        "gsm8k": 0.1,
        "mmlu": 0.3,
        "lambada": 0.6,
    }
    assert set(found["run"]) == {"1B"}


def test_questions_are_those_asked_and_of_a_group_those_of_its_tasks(found):
    assert found.loc["arc_easy", "n_questions"] == 2000
    assert found.loc["mmlu", "n_questions"] == 150
    assert np.isnan(found.loc["lambada", "n_questions"])


def test_what_a_file_does_not_say_is_missing(found):
    assert np.isnan(found.loc["arc_easy", "standard_error"])
    assert found.loc["lambada", "standard_error"] == 0.03
    assert found.loc["lambada", "bits_per_byte"] == 0.9
    assert np.isnan(found.loc["mmlu", "bits_per_byte"])
    assert found.loc["mmlu", "n_shot"] == 5
    assert np.isnan(found.loc["gsm8k", "n_shot"])


def test_a_metric_may_be_named(tmp_path):
    path = written(tmp_path / "results.json", record())
    table = sb.read_accuracies(path, metric="acc")
    assert table["task"].tolist() == ["arc_easy", "mmlu", "lambada"]
    assert table["accuracy"].tolist() == [0.5, 0.3, 0.6]


@pytest.mark.parametrize("reverse", [False, True])
def test_of_several_files_of_a_run_the_latest_counts(tmp_path, reverse):
    dates = (1.0, 2.0) if not reverse else (2.0, 1.0)
    for at, date in enumerate(dates):
        written(tmp_path / f"results_{at}.json", record(date=date, acc=date / 10))
    table = sb.read_accuracies(tmp_path, metric="acc").set_index("task")
    assert table.loc["arc_easy", "accuracy"] == 0.2


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"model_name": None}, "pretrained=me/1B"),
        ({"model_name": None, "config": {"model_args": {"pretrained": "me/2B"}}}, "me/2B"),
        ({"model_name": 3, "config": None}, "folder"),
    ],
)
def test_a_run_has_the_name_of_its_model_or_of_its_folder(tmp_path, change, name):
    written(tmp_path / "folder" / "results.json", record() | change)
    assert set(sb.read_accuracies(tmp_path, metric="acc")["run"]) == {name}


@pytest.mark.parametrize(
    "bad",
    ["{", "[" * 100_000, '{"results": 3}', "[]", '{"results": {"a": {"acc": 7}}}', "\x00"],
)
def test_a_file_that_is_none_is_left_out_or_named(tmp_path, bad):
    (tmp_path / "results_bad.json").write_text(bad)
    with pytest.raises(RunsError, match="holds no accuracy"):
        sb.read_accuracies(tmp_path)
    written(tmp_path / "results_good.json", record())
    if "acc" in bad:
        assert len(sb.read_accuracies(tmp_path, metric="acc")) == 3
    else:
        with pytest.warns(RunsWarning, match=r"left out: .*results_bad\.json"):
            sb.read_accuracies(tmp_path, metric="acc")


def test_other_files_are_left_alone_and_links_not_followed(tmp_path):
    written(tmp_path / "a" / "results.json", record())
    (tmp_path / "a" / "samples_arc.jsonl").write_text("{}")
    (tmp_path / "a" / "around").symlink_to(tmp_path, target_is_directory=True)
    assert len(sb.read_accuracies(tmp_path, metric="acc")) == 3


def test_what_is_no_path_is_refused(tmp_path):
    with pytest.raises(RunsError, match="does not exist"):
        sb.read_accuracies(tmp_path / "none")
    with pytest.raises(InputError, match="metric is 3"):
        sb.read_accuracies(tmp_path, metric=3)


def test_runs_are_joined_by_name(tmp_path):
    sizes = {"100M": 1e8, "1B": 1e9}
    for at, name in enumerate(sizes):
        written(tmp_path / name / "results.json", record(name, acc=0.3 + at / 10))
    losses = [
        {"run": name, "n_params": n, "tokens": 20 * n, "loss": 3.0} for name, n in sizes.items()
    ]
    accuracies = sb.read_accuracies(tmp_path, metric="acc")
    joined = pd.DataFrame(losses).merge(accuracies[accuracies["task"] == "arc_easy"], on="run")
    runs = sb.read_runs(joined)
    assert runs.frame["accuracy"].tolist() == [0.3, 0.4]
    assert runs.frame["n_questions"].tolist() == [2000, 2000]
