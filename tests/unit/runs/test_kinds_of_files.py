"""The same runs kept in other ways: packed, as JSON, with decimal commas, in other units."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import InputError, RunsError, RunsWarning

TRUTH = sb.laws.Chinchilla.published["hoffmann2022"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    sizes = pd.DataFrame(
        [(n, ratio * n) for n in (30e6, 100e6, 300e6, 1e9) for ratio in (5, 20, 80)],
        columns=["n_params", "tokens"],
    )
    loss = sb.forecast(TRUTH, sizes).mean_curve.to_numpy().ravel()
    noise = 0.004 * np.random.default_rng(4).standard_normal(len(loss))
    return sizes.assign(loss=loss * np.exp(noise))


def same(runs: sb.Runs, frame: pd.DataFrame) -> None:
    columns = ["n_params", "tokens", "loss"]
    np.testing.assert_allclose(runs.frame[columns], frame[columns], rtol=1e-12)


# --- Kinds


def test_a_packed_table_is_read(frame, tmp_path):
    frame.to_csv(tmp_path / "runs.csv.gz", index=False)
    same(sb.read_runs(tmp_path / "runs.csv.gz"), frame)
    whole = (tmp_path / "runs.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunsError, match=r"cut\.csv\.gz cannot be unpacked"):
        sb.read_runs(tmp_path / "cut.csv.gz")


def test_a_table_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("scaling_bayes.runs._sources._MOST_BYTES", 1000)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"1" * 100_000))
    with pytest.raises(RunsError, match="unpacks to more than"):
        sb.read_runs(tmp_path / "bomb.csv.gz")


@pytest.mark.parametrize("lines", [True, False])
def test_json_records_are_read_and_nested_ones_have_paths(frame, tmp_path, lines):
    records = [
        {"config": {"n_params": n}, "tokens": d, "eval": {"c4": {"loss": loss}}, "note": None}
        for n, d, loss in frame.to_numpy()
    ]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records, indent=1)
    (tmp_path / "runs.json").write_text(text)
    columns = {"n_params": "config/n_params", "loss": "eval/c4/loss"}
    same(sb.read_runs(tmp_path / "runs.json", columns=columns), frame)
    with pytest.raises(RunsError) as refused:
        sb.read_runs(tmp_path / "runs.json")
    for name, other in columns.items():
        assert f'"{name}": "{other}"' in str(refused.value)


BAD_JSON = {
    "half a record": ('{"loss": 3', "line 1: is not JSON"),
    "a bad line": ('{"loss": 3}\n{"loss": }', "line 2: is not JSON"),
    "numbers": ("[1, 2]", "record 0: is a int, not a record"),
    "nothing": ("[]", "holds no records"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "deep records": ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize(("text", "message"), BAD_JSON.values(), ids=BAD_JSON)
def test_json_that_is_no_table_is_refused(tmp_path, text, message):
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(RunsError, match=message):
        sb.read_runs(tmp_path / "runs.json")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_where_commas_do_not_delimit(frame, tmp_path, delimiter):
    frame.to_csv(tmp_path / "euro.csv", index=False, sep=delimiter, decimal=",")
    same(sb.read_runs(tmp_path / "euro.csv"), frame)


def test_commas_that_may_be_thousands_are_not_taken_for_decimals(tmp_path):
    (tmp_path / "runs.csv").write_text("n_params;tokens;loss\n70,000,000;1,400,000;3.5\n")
    runs = sb.read_runs(tmp_path / "runs.csv")
    assert list(runs.frame.loc[0, ["n_params", "tokens"]]) == [70e6, 1.4e6]


def test_excel_is_read_or_says_what_to_install(tmp_path):
    (tmp_path / "runs.xlsx").write_bytes(b"PK\x03\x04 no sheet")
    with pytest.raises(RunsError, match=r"needs openpyxl|cannot be read as Excel"):
        sb.read_runs(tmp_path / "runs.xlsx")


# --- Units of loss


def test_a_loss_is_converted_by_the_name_of_its_column(frame):
    table = frame.assign(perplexity=np.exp(frame["loss"])).drop(columns="loss")
    with pytest.warns(RunsWarning, match="taken as the natural log of perplexities"):
        runs = sb.read_runs(table, columns={"loss": "perplexity"})
    same(runs, frame)
    same(sb.read_runs(table, columns={"loss": "perplexity"}, loss_unit="perplexity"), frame)
    plain = sb.read_runs(frame.assign(loss=frame["loss"] / 2), loss_unit="bits_per_token")
    np.testing.assert_allclose(plain.frame["loss"], frame["loss"] / 2 * np.log(2))
    assert plain.loss_unit == "nats per token"


def test_a_perplexity_that_is_none_is_named(frame):
    table = frame.assign(loss=np.exp(frame["loss"]))
    table.loc[3, "loss"] = -2.0
    with pytest.raises(RunsError, match=r"row 3, loss = -2\.0: is negative"):
        sb.read_runs(table, loss_unit="perplexity")


def test_an_unknown_unit_is_refused(frame):
    with pytest.raises(InputError, match="loss_unit is 'nats'; take one of nats_per_token"):
        sb.read_runs(frame, loss_unit="nats")


@pytest.mark.parametrize("how", [{"columns": {"loss": "c4/bpb"}}, {"loss_unit": "bits_per_byte"}])
def test_bits_per_byte_are_kept_and_said_with_every_answer(frame, how, tmp_path, quiet):
    name = "c4/bpb" if "columns" in how else "loss"
    table = frame.rename(columns={"loss": name}).assign(**{name: frame["loss"] / 3})
    runs = sb.read_runs(table, **how)
    assert runs.loss_unit == "bits per byte"
    assert "bits per byte" in repr(runs)
    fit = sb.fit(runs, sb.laws.Chinchilla(), discrepancy=None, settings=quiet, seed=1)
    fit = sb.load(fit.save(tmp_path / "fit.nc"))
    forecast = fit.forecast(n_params="7B", tokens="140B")
    answers = [
        forecast, fit.allocate(flops="1e22"), sb.decide(fit, flops="1e22"),
        sb.spending(fit, flops=["1e21", "1e22"]),
    ]  # fmt: skip
    for answer in answers:
        assert "bits per byte" in repr(answer)
        assert "nats per token" not in repr(answer)
    assert forecast.mean_curve.attrs["units"] == "bits per byte"
    assert sb.plots.plot_loss(fit).get_ylabel() == "loss (bits per byte)"
    assert sb.plots.plot_isoflop(fit, flops=["1e20"]).get_ylabel() == "loss (bits per byte)"


# --- Rows


def test_runs_that_did_not_finish_are_left_out_by_name(frame):
    table = frame.assign(Name=[f"run-{i}" for i in range(len(frame))], State="finished")
    table.loc[[2, 5], "State"] = ["crashed", "Running"]
    with pytest.warns(RunsWarning, match=r"2 of 12 rows .*row 2 \(run-2\), row 5 \(run-5\)"):
        runs = sb.read_runs(table)
    assert list(runs.frame["Name"]) == [f"run-{i}" for i in range(12) if i not in (2, 5)]
    assert len(sb.read_runs(table, unfinished="keep")) == 12
    assert len(sb.read_runs(table.assign(State="a state of matter"))) == 12
    with pytest.raises(RunsError, match="holds no finished run"):
        sb.read_runs(table.assign(State="failed"))


def test_repeated_rows_are_refused_dropped_or_kept(frame):
    twice = pd.concat([frame, frame.iloc[[1, 1, 4]]], ignore_index=True)
    with pytest.raises(RunsError, match='pass duplicates="drop"'):
        sb.read_runs(twice)
    with pytest.warns(RunsWarning, match="3 of 15 rows .* repeat other rows and are left out"):
        same(sb.read_runs(twice, duplicates="drop"), frame)
    kept = sb.read_runs(twice, duplicates="keep")
    assert len(kept) == 15
    assert list(kept.frame["repetition"].iloc[-3:]) == [1, 2, 1]


@pytest.mark.parametrize("option", ["duplicates", "unfinished"])
def test_an_unknown_option_is_refused(frame, option):
    with pytest.raises(InputError, match=f"{option} is 'some'; take one of"):
        sb.read_runs(frame, **{option: "some"})


# --- The collected cases


def test_five_ways_to_keep_the_same_runs(case):
    euro = sb.read_runs(case("table_formats/euro.csv"))
    same(sb.read_runs(case("table_formats/runs.csv.gz")), euro.frame)
    with pytest.warns(RunsWarning, match="natural log"):
        by_name = sb.read_runs(case("table_formats/ppl_named.csv"), columns={"loss": "perplexity"})
    same(by_name, euro.frame)
    bits = sb.read_runs(case("table_formats/bpb_named.csv"), columns={"loss": "bpb"})
    np.testing.assert_allclose(
        bits.frame["loss"], euro.frame["loss"] / (4.3 * np.log(2)), rtol=1e-9
    )


def test_a_trackers_table_names_all_columns_at_once_and_its_crashed_run(case):
    path = case("table_formats/wandb.csv")
    with pytest.raises(RunsError) as refused:
        sb.read_runs(path)
    columns = {"loss": "eval/loss", "n_params": "config/model.n_params", "tokens": "tokens_seen"}
    for name, other in columns.items():
        assert f'"{name}": "{other}"' in str(refused.value)
    with pytest.warns(RunsWarning, match="did not finish"):
        runs = sb.read_runs(path, columns=columns)
    assert len(runs) == len(sb.read_runs(path, columns=columns, unfinished="keep")) - 1


@pytest.mark.parametrize("name", ["runs.json", "runs.jsonl"])
def test_records_of_an_exercise(case, name):
    columns = {"n_params": "parameters", "flops": "compute_budget", "loss": "final_loss"}
    runs = sb.read_runs(case(f"json_records/{name}"), columns=columns)
    assert len(runs) == 24
    assert runs.frame["loss"].min() == pytest.approx(4.6529, abs=1e-4)
    assert runs.frame["loss"].max() == pytest.approx(7.1928, abs=1e-4)
