"""Logs of trainers, and runs of MLflow: files made by hand from the public form of each."""

from __future__ import annotations

import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes.errors import RunsError, RunsWarning
from scaling_bayes.runs._trackers import training_log
from scaling_bayes.runs._trackers.run_record import RecordError

SIZES = {"a": (1.2e8, 2.5e9, 3.4), "b": (3.5e8, 7e9, 3.0)}


def megatron(n_params: float, tokens: float, loss: float, *, planned: int = 1000) -> str:
    samples = int(tokens / 2048)
    ranks = [
        f" > number of parameters on (tensor, pipeline) model parallel rank ({rank}, 0): "
        f"{int(n_params // 2)}"
        for rank in range(2)
    ]
    of_iteration = (
        " [2025-01-01 00:00:00] iteration {:8d}/    1000 | consumed samples: {} | learning rate: "
        "3.0E-04 | global batch size: 512 | lm loss: {:.6E} | loss scale: 1.0 | grad norm: 0.2 | "
        "number of skipped iterations: {} | number of nan iterations: 0 |"
    )
    evaluated = " validation loss at iteration {}{} | lm loss value: {:.6E} | lm loss PPL: 20 |"
    return "\n".join(
        [
            "------------------------ arguments ------------------------",
            "  seq_length ...................................... 2048",
            *ranks,
            of_iteration.format(500, samples // 2, 3.9, 2),
            evaluated.format(500, "", loss + 0.5),
            of_iteration.format(planned, samples, 3.1, 0),
            evaluated.format(1000, "", loss),
            evaluated.format(1000, " on test set", 9.9),
        ]
    )


def nanogpt(n_params: float, tokens: float, loss: float) -> str:
    return "\n".join(
        [
            f"tokens per iteration will be: {int(tokens / 500):,}",
            f"number of parameters: {n_params / 1e6:.2f}M",
            "step 0: train loss 10.9, val loss 10.9",
            "iter 10: loss 9.1, time 250.00ms, mfu 40.00%",
            f"step 500: train loss 3.2, val loss {loss:.4f}",
        ]
    )


def torchtitan(n_params: float, tokens: float, loss: float) -> str:
    return "\n".join(
        [
            f"[rank0]: \x1b[34mModel llama3 size: {int(n_params):,} total parameters\x1b[39m",
            "[rank0]: \x1b[31mstep: 10  \x1b[32mloss: 8.1234  \x1b[33mgrad_norm: 1.2\x1b[39m",
            f"[rank0]: \x1b[31mstep: 500  \x1b[32mloss: {loss:.4f}  \x1b[34mtps: 1,234\x1b[39m",
        ]
    )


def mlflow(folder: Path, n_params: float, tokens: float, loss: float, *, status: int = 3) -> None:
    for name, text in {
        "meta.yaml": f"artifact_uri: x\nrun_id: 00ff\nrun_name: {folder.name}\nstatus: {status}\n",
        "params/n_params": f"{n_params:.0f}",
        "params/optimizer": "adam",
        "metrics/tokens": f"1700000000000 {tokens / 2:.0f} 500\n1700000000001 {tokens:.0f} 1000\n",
        "metrics/eval/loss": f"1700000000000 9.9 500\n1700000000001 {loss} 1000\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def database(path: Path, names: tuple[str, ...] = ("a", "b")) -> Path:
    with closing(sqlite3.connect(path)) as made:
        made.executescript(
            "CREATE TABLE runs (run_uuid TEXT, name TEXT, status TEXT);"
            "CREATE TABLE params (run_uuid TEXT, key TEXT, value TEXT);"
            "CREATE TABLE latest_metrics (run_uuid TEXT, key TEXT, value REAL, step INTEGER,"
            " is_nan BOOLEAN);"
        )
        for number, (name, (n_params, tokens, loss)) in enumerate(
            zip(names, SIZES.values(), strict=True)
        ):
            run = f"{number}0000000ffff"
            made.execute("INSERT INTO runs VALUES (?, ?, 'FINISHED')", (run, name))
            made.execute("INSERT INTO params VALUES (?, 'n_params', ?)", (run, str(n_params)))
            for key, value in {"tokens": tokens, "val/loss": loss}.items():
                row = (run, key, value)
                made.execute("INSERT INTO latest_metrics VALUES (?, ?, ?, 1000, 0)", row)
            made.execute("INSERT INTO latest_metrics VALUES (?, 'train/loss', 0, 1000, 1)", (run,))
        made.commit()
    return path


def check(runs: sb.Runs, names: list[str]) -> None:
    frame = runs.frame.set_index("run")
    assert sorted(frame.index) == names
    for name, (n_params, tokens, loss) in zip(names, SIZES.values(), strict=True):
        assert frame.loc[name, "n_params"] == pytest.approx(n_params, rel=1e-3)
        assert frame.loc[name, "tokens"] == pytest.approx(tokens, rel=1e-3)
        assert frame.loc[name, "loss"] == pytest.approx(loss, abs=1e-3)


@pytest.mark.parametrize("write", [megatron, nanogpt])
def test_logs_of_trainers_are_read(tmp_path, write):
    for name, sizes in SIZES.items():
        (tmp_path / f"{name}.log").write_text(write(*sizes))
    (tmp_path / "slurm.log").write_text("srun: job 17 queued and waiting for resources\n")
    with pytest.warns(RunsWarning) if write is megatron else nullcontext():
        runs = sb.read_runs(tmp_path)
    check(runs, [f"{tmp_path.name}/a", f"{tmp_path.name}/b"])


def test_runs_in_folders_of_their_own_keep_their_names(tmp_path):
    for name, sizes in SIZES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.log").write_text(nanogpt(*sizes))
    check(sb.read_runs(tmp_path), ["a/train", "b/train"])


def test_what_megatron_skipped_is_said_and_the_test_set_is_not_taken(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(megatron(*SIZES["a"]))
    record = training_log.read(path)
    assert record.known["loss"] == pytest.approx(SIZES["a"][2])
    assert record.guessed == ("2 iterations were skipped",)
    assert record.state == "finished"


def test_a_log_that_ends_early_is_of_an_unfinished_run(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(megatron(*SIZES["a"], planned=700))
    assert training_log.read(path).state == "unfinished"


def test_torchtitan_says_neither_tokens_nor_an_evaluation(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(torchtitan(*SIZES["a"]))
    record = training_log.read(path)
    assert record.known == {"n_params": 1.2e8, "loss": pytest.approx(3.4)}
    assert record.guessed == ("its loss is the last one of training",)
    with pytest.warns(RunsWarning, match="its loss is the last one of training"):
        assert sb.read_runs(path).sizes == ("n_params",)


def test_a_log_of_another_trainer_is_named_when_it_is_asked_for(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("epoch 1: fine\n")
    with pytest.raises(RunsError, match="is a log of no trainer that is known"):
        sb.read_runs(path)


def test_a_log_beside_a_run_of_wandb_is_left_alone(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "output.log").write_text(nanogpt(*SIZES["a"]))
    (tmp_path / "files" / "wandb-summary.json").write_text("{}")
    (tmp_path / "b.log").write_text(nanogpt(*SIZES["b"]))
    assert training_log.KIND.superseded(tmp_path / "files" / "output.log")
    assert not training_log.KIND.superseded(tmp_path / "b.log")


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=400))
def test_any_text_is_a_run_or_none(text, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.log"
    path.write_text(f"step 5: train loss 3, val loss 3\n{text}", encoding="utf-8")
    try:
        record = training_log.read(path)
    except RecordError:
        return
    assert all(isinstance(value, float) for value in record.known.values())


def test_folders_of_mlflow_are_read(tmp_path):
    experiment = tmp_path / "mlruns" / "0"
    for name, sizes in SIZES.items():
        mlflow(experiment / name, *sizes)
    (experiment / "meta.yaml").write_text("name: Default\nexperiment_id: '0'\n")
    with pytest.warns(RunsWarning, match="its loss is metrics/eval/loss"):
        runs = sb.read_runs(tmp_path)
    check(runs, ["a", "b"])
    assert runs.frame["params/optimizer"].tolist() == ["adam", "adam"]


@pytest.mark.filterwarnings("ignore:.*of 2 runs its n_params")
def test_a_run_of_mlflow_that_failed_is_left_out(tmp_path):
    mlflow(tmp_path / "a", *SIZES["a"])
    mlflow(tmp_path / "b", *SIZES["b"], status=4)
    with pytest.warns(RunsWarning, match="did not finish"):
        runs = sb.read_runs(tmp_path)
    assert runs.frame["run"].tolist() == ["a"]


def test_links_in_a_run_of_mlflow_are_not_followed(tmp_path):
    mlflow(tmp_path / "a", *SIZES["a"])
    secret = tmp_path / "secret"
    secret.write_text("word")
    (tmp_path / "a" / "params" / "leaked").symlink_to(secret)
    with pytest.warns(RunsWarning):
        runs = sb.read_runs(tmp_path / "a")
    assert "params/leaked" not in runs.frame


def test_the_database_of_mlflow_is_read(tmp_path):
    path = database(tmp_path / "mlflow.db")
    before = path.read_bytes()
    with pytest.warns(RunsWarning, match="its loss is metrics/val/loss"):
        runs = sb.read_runs(path)
    check(runs, ["a", "b"])
    assert "metrics/train/loss" not in runs.frame
    assert path.read_bytes() == before


def test_runs_of_one_name_in_a_database_stay_two(tmp_path):
    path = database(tmp_path / "mlflow.db", ("same", "same"))
    with pytest.warns(RunsWarning):
        check(sb.read_runs(path), ["same 00000000", "same 10000000"])


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + bytes(200)])
def test_what_is_no_database_of_mlflow_is_named(tmp_path, content):
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    with pytest.raises(RunsError, match="is no database of MLflow"):
        sb.read_runs(path)
