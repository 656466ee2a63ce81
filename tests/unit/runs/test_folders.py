"""Runs as trackers leave them: files made by hand from the public form of each kind."""

from __future__ import annotations

import json
import os
import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.cli import _main
from scaling_bayes.errors import RunsError, RunsWarning
from scaling_bayes.runs._trackers.wandb_summary import values_of

TRUTH = sb.laws.Chinchilla.published["hoffmann2022"]


def loss_of(n_params: float, tokens: float) -> float:
    return sb.forecast(TRUTH, n_params=n_params, tokens=tokens).mean_curve.item()


def levanter(folder: Path, n_params: float, tokens: float, **changed: object) -> Path:
    summary = {
        "parameter_count": int(n_params),
        "throughput/total_tokens": int(tokens),
        "throughput/total_gflops": 6 * n_params * tokens / 1e9,
        "eval/paloma/c4_en/loss": loss_of(n_params, tokens) + 0.3,
        "eval/loss": loss_of(n_params, tokens),
        "train/loss": 9.9,
    }
    record = {"config": {"model": {"hidden": 512}, "seed": 0}, "summary": summary | changed}
    folder.mkdir(parents=True)
    (folder / "tracker_metrics.jsonl").write_text(json.dumps(record) + "\n")
    return folder


def wandb(folder: Path, n_params: float, tokens: float) -> Path:
    files = folder / "files"
    files.mkdir(parents=True)
    summary = {"_step": 1000, "tokens_seen": tokens, "val": {"loss": loss_of(n_params, tokens)}}
    (files / "wandb-summary.json").write_text(json.dumps(summary))
    (files / "config.yaml").write_text(
        "wandb_version: 1\n\n_wandb:\n    desc: null\n    value:\n        cli_version: 0.18\n"
        f"model:\n    desc: null\n    value:\n        n_params: {n_params:.0f}\n"
        "        layers:\n            - 1\n            - 2\nlr:\n    desc: null\n    value: 3e-4\n"
        "name:\n    value: 'a: b'\n"
    )
    return folder


def trainer(folder: Path, n_params: float, tokens: float, *, step: int = 1000, **more) -> Path:
    state = {
        "global_step": step,
        "max_steps": 1000,
        "epoch": 1.0,
        "num_input_tokens_seen": tokens * step / 1000,
        "total_flos": 6 * n_params * tokens * step / 1000,
        "log_history": [
            {"loss": 5.0, "step": 10},
            {"eval_loss": 4.5, "step": 500},
            {"loss": 3.3, "step": 990},
            {"eval_loss": loss_of(n_params, tokens), "step": step},
            {"train_loss": 4.2, "step": step, "total_flos": 1.0},
        ],
    }
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(json.dumps(state | more))
    return folder


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, value: bytes | str | int) -> bytes:
    """Return a field of a protocol buffer: bytes, text or a whole number."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def wandb_record(kind: int, items: dict[str, object], part: int = 1) -> bytes:
    """Return a record of history (2), summary (3) or configuration (5)."""
    return field(
        kind,
        b"".join(
            field(part, field(1, key) + field(16, json.dumps(value)))
            for key, value in items.items()
        ),
    )


def wandb_log(folder: Path, n_params: float, tokens: float, *, end: bytes = field(18, b"")) -> Path:
    """Write a log of W&B: a head, and records with lengths and checks in blocks of 32768."""
    history = {"_step": 1000, "tokens_seen": tokens, "eval/loss": loss_of(n_params, tokens)}
    records = [
        field(17, field(1, "abc123") + field(8, folder.name)),
        wandb_record(5, {"n_params": n_params, "note": "x" * 40_000}),
        wandb_record(2, history | {"eval/loss": 9.0, "_step": 500}),
        wandb_record(2, history),
    ]
    data = b":W&B" + (0xBEE1).to_bytes(2, "little") + b"\0"
    for record in [*records, end]:
        rest, begin = record, True
        while begin or rest:
            left = 32768 - len(data) % 32768
            if left < 7:
                data += bytes(left)
                continue
            some, rest = rest[: left - 7], rest[left - 7 :]
            kind = (1 if not rest else 2) if begin else (4 if not rest else 3)
            check = zlib.crc32(bytes([kind]) + some)
            data += check.to_bytes(4, "little") + len(some).to_bytes(2, "little")
            data, begin = data + bytes([kind]) + some, False
    folder.mkdir(parents=True)
    (folder / "run-abc123.wandb").write_bytes(data)
    return folder


def event_file(folder: Path, scalars: dict[str, float], *, tensors: bool = False) -> Path:
    """Write an event file: a length with its check, and an event of each scalar and step."""

    def crc(data: bytes) -> bytes:
        value = 0xFFFFFFFF
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        value ^= 0xFFFFFFFF
        return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    out = b""
    for step in (500, 1000):
        for tag, value in scalars.items():
            number = struct.pack("<f", value if step == 1000 else 9.0)
            scalar = (
                field(8, field(1, 1) + field(5, number)) if tensors else varint(2 << 3 | 5) + number
            )
            event = field(2, step) + field(5, field(1, field(1, tag) + scalar))
            head = struct.pack("<Q", len(event))
            out += head + crc(head) + event + crc(event)
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1700000000.host").write_bytes(out)
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Return a folder with runs of every kind."""
    levanter(tmp_path / "sweep" / "lev-a", 1e8, 2e9)
    levanter(tmp_path / "sweep" / "deep" / "lev-b", 2e8, 4e9)
    wandb(tmp_path / "sweep" / "run-1-abc", 3e8, 6e9)
    trainer(tmp_path / "sweep" / "hf" / "checkpoint-500", 4e8, 8e9, step=500)
    trainer(tmp_path / "sweep" / "hf" / "checkpoint-1000", 4e8, 8e9)
    return tmp_path / "sweep"


def test_a_folder_of_every_kind_is_one_table(sweep):
    with pytest.warns(RunsWarning, match="4 runs: of 1 runs its n_params is config"):
        runs = sb.read_runs(sweep)
    table = runs.frame.set_index("run")
    assert sorted(table.index) == ["hf", "lev-a", "lev-b", "run-1-abc"]
    for name, n_params in {"lev-a": 1e8, "lev-b": 2e8, "run-1-abc": 3e8, "hf": 4e8}.items():
        row = table.loc[name]
        np.testing.assert_allclose(
            row[["n_params", "tokens"]].astype(float), [n_params, 20 * n_params]
        )
        assert row["loss"] == pytest.approx(loss_of(n_params, 20 * n_params))
    assert table.loc["lev-a", "config/model/hidden"] == 512
    assert table.loc["lev-a", "loss_is"] == "summary/eval/loss"


@pytest.mark.filterwarnings("ignore:.*its n_params is:scaling_bayes.errors.RunsWarning")
def test_a_log_of_wandb_is_read_and_stands_for_the_summary_beside_it(tmp_path):
    folder = wandb_log(tmp_path / "sweep" / "one", 1e8, 2e9)
    (folder / "files").mkdir()
    (folder / "files" / "wandb-summary.json").write_text('{"tokens": 1e9, "loss": 1.0}')
    run = sb.read_runs(tmp_path / "sweep").frame.iloc[0]
    assert (run["run"], run["state"]) == ("one", "finished")
    assert (run["n_params"], run["tokens"]) == (1e8, 2e9)
    assert run["loss"] == pytest.approx(loss_of(1e8, 2e9))


@pytest.mark.filterwarnings("ignore:.*its n_params is:scaling_bayes.errors.RunsWarning")
def test_a_log_that_has_no_end_yet_is_of_a_run_that_goes_on(tmp_path):
    wandb_log(tmp_path / "done", 1e8, 2e9)
    wandb_log(tmp_path / "crashed", 1e8, 3e9, end=field(18, field(1, 1)))
    cut = wandb_log(tmp_path / "cut", 1e8, 4e9, end=b"") / "run-abc123.wandb"
    cut.write_bytes(cut.read_bytes()[:-3])
    with pytest.warns(RunsWarning, match="2 of 3 rows .* did not finish"):
        assert list(sb.read_runs(tmp_path).frame["run"]) == ["done"]
    states = sb.read_runs(tmp_path, unfinished="keep").frame.set_index("run")["state"]
    assert dict(states) == {"done": "finished", "crashed": "crashed", "cut": "running"}


@pytest.mark.parametrize("tensors", [False, True])
def test_event_files_give_the_last_value_of_each_scalar(tmp_path, tensors):
    scalars = {"n_params": 1e8, "loss_metrics/loss": 3.5, "tokens": 2e9, "eval/loss": 3.25}
    event_file(tmp_path / "run", scalars, tensors=tensors)
    with pytest.warns(RunsWarning, match="its loss is scalars/eval/loss"):
        run = sb.read_runs(tmp_path / "run").frame.iloc[0]
    assert (run["n_params"], run["tokens"], run["loss"]) == (1e8, 2e9, 3.25)
    assert run["scalars/loss_metrics/loss"] == 3.5


def test_binary_files_that_are_damaged_are_named(tmp_path):
    log = wandb_log(tmp_path / "log", 1e8, 2e9) / "run-abc123.wandb"
    events = next(event_file(tmp_path / "events", {"loss": 3.0}).iterdir())
    rng = np.random.default_rng(0)
    for path in (log, events):
        whole = path.read_bytes()
        for _ in range(200):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(whole), 3):
                damaged[place] = rng.integers(256)
            path.write_bytes(bytes(damaged[: rng.integers(1, len(whole) + 1)]))
            with warnings.catch_warnings(), suppress(RunsError):
                warnings.simplefilter("ignore", RunsWarning)
                sb.read_runs(path)


LONG = {
    "varint without end": b"\xff" * 1000,
    "length of 1e18": varint(3 << 3 | 2) + varint(10**18),
    "unknown type": b"\x0f\x00",
}


@pytest.mark.parametrize("record", LONG.values(), ids=LONG)
def test_messages_that_are_none_take_neither_time_nor_memory(tmp_path, record):
    wandb_log(tmp_path / "log", 1e8, 2e9, end=record)
    with pytest.raises(RunsError, match="holds no run of a kind that is read"):
        sb.read_runs(tmp_path / "log")


def test_another_loss_is_one_argument_away(tmp_path):
    levanter(tmp_path / "a", 1e8, 2e9)
    runs = sb.read_runs(tmp_path, columns={"loss": "summary/eval/paloma/c4_en/loss"})
    assert runs.frame["loss"].item() == pytest.approx(loss_of(1e8, 2e9) + 0.3)


def test_paths_and_patterns_name_the_same_runs(sweep):
    paths = [sweep / "lev-a", sweep / "deep" / "lev-b" / "tracker_metrics.jsonl"]
    assert list(sb.read_runs(paths).frame["run"]) == ["lev-a", "lev-b"]
    assert list(sb.read_runs(str(sweep / "lev-*")).frame["run"]) == ["lev-a"]
    assert list(sb.read_runs(str(sweep / "*" / "tracker_*")).frame["run"]) == ["lev-a"]
    with pytest.raises(RunsError, match=r"tracker_metrics\.jsonl does not exist"):
        sb.read_runs(sweep / "nowhere*" / "tracker_metrics.jsonl")
    with pytest.raises(RunsError, match="nowhere does not exist"):
        sb.read_runs([*paths, sweep / "nowhere"])


def test_the_mean_of_training_is_never_the_loss(tmp_path):
    history = [{"loss": 5.0}, {"loss": 3.3}, {"train_loss": 4.2}]
    trainer(tmp_path / "hf", 1e8, 2e9, log_history=history)
    with pytest.warns(RunsWarning, match="its loss is the last one of training"):
        assert sb.read_runs(tmp_path).frame["loss"].item() == 3.3
    only_mean = trainer(tmp_path / "mean", 1e8, 2e9, log_history=[{"train_loss": 4.2}])
    with pytest.raises(RunsError, match="has no column loss"):
        sb.read_runs(only_mean)


def test_runs_that_did_not_finish_are_named(tmp_path):
    trainer(tmp_path / "done", 1e8, 2e9)
    trainer(tmp_path / "half", 2e8, 4e9, step=500)
    with pytest.warns(RunsWarning, match=r"1 of 2 rows .* did not finish .*\(half\)"):
        assert list(sb.read_runs(tmp_path).frame["run"]) == ["done"]
    assert len(sb.read_runs(tmp_path, unfinished="keep")) == 2


BROKEN = {
    "cut": b'{"config": {}, "summary": {"parameter_count": 1',
    "empty": b"",
    "a list": b"[1, 2]",
    "no summary": b'{"config": {}}',
    "deep": b'{"summary":' * 100_000 + b"1" + b"}" * 100_000,
    "binary": bytes(range(256)),
    "long number": b'{"summary": {"parameter_count": ' + b"9" * 10_000 + b"}}",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    "name", ["tracker_metrics.jsonl", "trainer_state.json", "wandb-summary.json"]
)
def test_a_broken_file_is_left_out_and_named_and_alone_is_an_error(tmp_path, name, content):
    (tmp_path / "sweep" / "bad").mkdir(parents=True)
    (tmp_path / "sweep" / "bad" / name).write_bytes(content)
    with pytest.raises(RunsError):
        sb.read_runs(tmp_path / "sweep")
    if name == "wandb-summary.json" and content == BROKEN["no summary"]:
        return  # a summary of nothing: its row is named, with the cells that it lacks
    levanter(tmp_path / "sweep" / "good", 1e8, 2e9)
    with pytest.warns(RunsWarning, match=f"left out: .*{name}"):
        assert list(sb.read_runs(tmp_path / "sweep").frame["run"]) == ["good"]


def test_names_in_files_open_no_other_file(tmp_path):
    target = tmp_path / "secret"
    target.write_text("secret")
    folder = levanter(tmp_path / "sweep" / "a", 1e8, 2e9, **{"../../secret": "../../secret"})
    os.symlink(tmp_path, folder / "loop")
    levanter(tmp_path / "elsewhere", 5e8, 1e10)
    runs = sb.read_runs(tmp_path / "sweep")
    assert list(runs.frame["run"]) == ["a"]
    assert "secret" not in runs.frame.drop(columns="summary/../../secret").to_csv()


def test_a_folder_without_runs_says_what_is_read(tmp_path):
    with pytest.raises(RunsError, match=r"tracker_metrics\.jsonl \(levanter\).*trainer_state"):
        sb.read_runs(tmp_path)


def test_configurations_are_read_as_far_as_they_are_plain():
    text = (
        "a:\n  value: 1\nb:\n  desc: null\n  value:\n    c: !!python/object/apply:os.system ['x']\n"
    )
    assert values_of(text + "d:\n  value: null\n# e: 1\nf:\n  value: true\n") == {
        "a": 1,
        "b/c": "!!python/object/apply:os.system ['x']",
        "d": None,
        "f": True,
    }


@pytest.mark.filterwarnings("default::scaling_bayes.errors.RunsWarning")
def test_the_command_writes_a_checked_table(sweep, tmp_path, capsys):
    output = tmp_path / "runs.csv"
    assert _main.main(["import", str(sweep), "--output", str(output)]) == 0
    said = capsys.readouterr()
    assert "4 runs" in said.out
    assert "its n_params is config/model/n_params" in said.err
    assert len(sb.read_runs(output)) == 4
    table = pd.read_csv(output)
    assert {"run", "n_params", "tokens", "flops", "loss"} <= set(table)
    assert _main.main(["import", str(tmp_path / "nowhere"), "--output", str(output)]) == 2
    assert "does not exist" in capsys.readouterr().err
