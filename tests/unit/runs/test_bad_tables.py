"""Every bad table is refused with the row, column, value and remedy, and nothing else breaks."""

from __future__ import annotations

import datetime
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest

from scaling_bayes.errors import InputError, RunsError
from scaling_bayes.runs import read_runs


def good() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n_params": [70e6, 400e6, 1e9, 7e9, 13e9],
            "tokens": [1.4e9, 8e9, 20e9, 140e9, 260e9],
            "flops": [5.88e17, 1.92e19, 1.2e20, 5.88e21, 2.028e22],
            "loss": [3.7, 3.1, 2.9, 2.35, 2.2],
        }
    )


def with_cell(column, value, row=2, **others):
    frame = good().assign(**others).astype({column: object} if column in good() else {})
    cells = list(frame[column]) if column in frame else [1.0] * len(frame)
    cells[row] = value
    frame[column] = pd.Series(cells, index=frame.index, dtype=object)
    return frame


# A cell that cannot be used: column, value, then fragments of its line in the message.
CELLS = {
    "loss missing": ("loss", None, ["is missing", "Write the final loss"]),
    "loss NA": ("loss", pd.NA, ["is missing"]),
    "loss NaT": ("loss", pd.NaT, ["is missing"]),
    "loss NA in words": ("loss", "n/a", ["'n/a'", "is missing"]),
    "loss text": ("loss", "diverged", ["'diverged'", "is not a number", "Write a plain number"]),
    "loss with comma": ("loss", "2,9", ["'2,9'", "decimal point"]),
    "loss with unit": ("loss", "2.9 nats", ["'2.9 nats'", "Write a plain number"]),
    "loss zero": ("loss", 0.0, ["0.0", "is zero"]),
    "loss negative": ("loss", -2.9, ["-2.9", "is negative"]),
    "loss infinite": ("loss", np.inf, ["inf", "is infinite"]),
    "loss minus infinite": ("loss", -np.inf, ["-inf", "is negative"]),
    "perplexity": ("loss", 18.2, ["18.2", "perplexity", "natural log"]),
    "loss truth value": ("loss", True, ["True", "truth value"]),
    "loss complex": ("loss", 2.9 + 1j, ["complex", "real part"]),
    "loss list": ("loss", [2.9, 2.8], ["[2.9, 2.8]", "holds a list", "one row per run"]),
    "loss array": ("loss", np.array([2.9]), ["ndarray", "one row per run"]),
    "loss dict": ("loss", {"c4": 2.9}, ["dict", "one row per run"]),
    "loss date": ("loss", datetime.date(2024, 1, 1), ["date", "Write a plain number"]),
    "loss timestamp": ("loss", pd.Timestamp("2024-01-01"), ["date"]),
    "loss object": ("loss", object(), ["is a object, not a number"]),
    "loss bytes": ("loss", b"2.9", ["is a bytes, not a number"]),
    "n_params zero": ("n_params", 0, ["is zero", "leave the run out"]),
    "n_params negative": ("n_params", -1e9, ["is negative"]),
    "n_params infinite": ("n_params", "inf", ["inf", "is infinite"]),
    "n_params too large for a float": ("n_params", 10**400, ["is infinite"]),
    "n_params in billions": ("n_params", 7, ["too few parameters", "'7B'", "1e9"]),
    "n_params absurd": ("n_params", 1e18, ["more parameters than any model"]),
    "n_params text": ("n_params", "large", ["'large'", "'1.3 billion'"]),
    "n_params of other unit": ("n_params", "7B tokens", ["unit 'B tokens'", "'350M'"]),
    "n_params negative in text": ("n_params", "-7B", ["'-7B'", "is negative"]),
    "tokens in billions": ("tokens", 300.0, ["300.0", "too few training tokens", "'300B'", "1e9"]),
    "tokens absurd": ("tokens", "300000T", ["more tokens than any model"]),
    "tokens unit": ("tokens", "20 GB", ["'20 GB'", "unit 'GB'", "'1.4T'"]),
    "tokens zero decimal": ("tokens", Decimal(0), ["is zero"]),
    "tokens negative fraction": ("tokens", Fraction(-1, 2), ["is negative"]),
    "flops in PF-days": ("flops", 1.4, ["too few FLOPs", "PF-days", "8.64e19"]),
    "flops absurd": ("flops", 1e35, ["more FLOPs than any"]),
    "flops rate": ("flops", "312 TFLOP/s", ["is a rate", "'3.2 PF-days'"]),
    "flops unit": ("flops", "1000 GPU-hours", ["unit 'GPU-hours'"]),
    "flops inconsistent": ("flops", 2.4e20, ["6 x n_params x tokens", "a factor of 2,"]),
    "flops of another unit": ("flops", 1.2e17, ["Check the units of the three"]),
    "weight zero": ("weight", 0, ["is zero"]),
    "weight negative": ("weight", -1, ["is negative"]),
    "weight missing": ("weight", np.nan, ["is missing", "Write 1"]),
    "weight text": ("weight", "heavy", ["'heavy'", "is not a number"]),
    "group missing": ("group", None, ["is missing", "Name the group"]),
    "group blank": ("group", " ", ["is missing"]),
    "non-embedding missing": ("n_params_non_embedding", None, ["is missing", "delete the column"]),
    "non-embedding text": ("n_params_non_embedding", "few", ["'few'", "'7B'"]),
    "non-embedding larger": ("n_params_non_embedding", 2e9, ["is more than n_params", "Exchange"]),
}
COMPANIONS = {
    "weight": {"weight": 1.0},
    "group": {"group": "dense"},
    "n_params_non_embedding": {"n_params_non_embedding": 1e7},
}


@pytest.mark.parametrize("name", CELLS)
def test_a_bad_cell_is_named_with_row_column_value_and_remedy(name):
    column, value, fragments = CELLS[name]
    frame = with_cell(column, value, **COMPANIONS.get(column, {}))
    frame.index = pd.Index(["run-a", "run-b", "run-c", "run-d", "run-e"])
    with pytest.raises(RunsError) as caught:
        read_runs(frame)
    [problem] = caught.value.problems
    assert (problem.row, problem.column) == ("run-c", column)
    message = str(caught.value)
    line = message.splitlines()[1]
    assert line.startswith(f"  row run-c, {column}")
    for fragment in fragments:
        assert fragment in line
    assert line.endswith(f"{problem.reason}. {problem.remedy}.")
    assert "1 problem." in message
    assert read_runs(frame, where="index not in ['run-c']").frame["loss"].size == 4


def test_a_missing_size_is_bad_where_another_is_missing_too():
    frame = good().astype(object)
    frame.loc[1, ["tokens", "flops"]] = None
    frame.loc[3, "tokens"] = None
    with pytest.raises(RunsError, match="two of n_params, tokens and flops") as caught:
        read_runs(frame)
    assert [(p.row, p.column) for p in caught.value.problems] == [(1, "tokens"), (1, "flops")]


def test_a_derived_size_out_of_range_is_named_with_its_value():
    frame = good().drop(columns="n_params")
    frame.loc[1, "flops"] = 1e8
    with pytest.raises(RunsError, match="follows from the other two sizes") as caught:
        read_runs(frame)
    [problem] = caught.value.problems
    assert (problem.row, problem.column) == (1, "n_params")
    assert problem.value == pytest.approx(1e8 / 6 / 8e9)


@pytest.mark.parametrize(
    ("n_params", "factor", "fragment"),
    [(7e9, 1e-6, "one token per 10,000"), (70e3, 1e3, "10 million tokens")],
)
def test_sizes_in_another_unit_show_in_tokens_per_parameter(n_params, factor, fragment):
    frame = good().drop(columns="flops").assign(n_params=n_params)
    frame.loc[3, "tokens"] *= factor
    with pytest.raises(RunsError, match=fragment) as caught:
        read_runs(frame)
    assert [(p.row, p.column) for p in caught.value.problems] == [(3, "tokens")]


def test_repeated_rows_are_named_with_the_row_that_they_repeat():
    frame = pd.concat([good(), good().iloc[[1, 3, 1]]], ignore_index=True).assign(tags=[["a"]] * 8)
    with pytest.raises(RunsError, match="row 5: repeats row 1 in every column") as caught:
        read_runs(frame)
    assert [p.row for p in caught.value.problems] == [5, 6, 7]
    assert "tell the two apart" in str(caught.value)
    assert len(read_runs(frame.assign(seed=range(8)))) == 8
    assert len(read_runs(frame, where="index < 5")) == 5


# A whole column or table: source, options, fragments of the message.
TABLES = {
    "no loss": (good().drop(columns="loss"), {}, ["has no column loss", "n_params, tokens, flops"]),
    "loss by another name": (
        good().rename(columns={"loss": "Val_Loss"}),
        {},
        ["has no column loss", 'columns={"loss": "Val_Loss"}'],
    ),
    "one size, and another by another name": (
        good()[["n_params", "loss"]].assign(n_tokens=1e9),
        {},
        ["only 1 of n_params, tokens, flops", 'columns={"tokens": "n_tokens"}'],
    ),
    "sizes by other names": (
        good().rename(columns={"n_params": "params", "tokens": "D", "flops": "compute"}),
        {},
        ["only 0 of", '"n_params": "params"', '"tokens": "D"', '"flops": "compute"'],
    ),
    "only non-embedding": (
        good()[["tokens", "loss"]].assign(n_params_non_embedding=1e9),
        {},
        ['columns={"n_params": "n_params_non_embedding"}'],
    ),
    "no rows": (good().iloc[:0], {}, ["has a header but no runs"]),
    "no columns": (pd.DataFrame(), {}, ["has no column loss", "The table has none"]),
    "where keeps nothing": (good(), {"where": "loss > 9"}, ["has no runs where loss > 9"]),
    "column twice": (
        pd.concat([good(), good()[["loss"]]], axis=1),
        {},
        ["loss: the table has this column more than once", "Keep one"],
    ),
    "truth values": (good().assign(loss=True), {}, ["loss: the column holds truth values"]),
    "nullable truth values": (
        good().assign(weight=pd.array([True] * 5, dtype="boolean")),
        {},
        ["weight: the column holds truth values"],
    ),
    "dates": (
        good().assign(tokens=pd.date_range("2024-01-01", periods=5)),
        {},
        ["tokens: the column holds dates"],
    ),
    "time spans": (
        good().assign(flops=pd.to_timedelta([1] * 5, unit="D")),
        {},
        ["flops: the column holds time spans"],
    ),
    "complex": (good().assign(loss=1j), {}, ["loss: the column holds complex numbers"]),
    "periods": (
        good().assign(loss=pd.period_range("2024", periods=5, freq="D")),
        {},
        ["5 problems", "is a Period"],
    ),
    "two header levels": (
        good().set_axis(pd.MultiIndex.from_product([["run"], good().columns]), axis=1),
        {},
        ["column names of 2 levels", "Flatten them"],
    ),
    "list": ([1, 2, 3], {}, ["list is not a table", "data frame"]),
    "dict": ({"loss": [1.0]}, {}, ["dict is not a table"]),
    "None": (None, {}, ["NoneType is not a table"]),
    "pandas series": (good()["loss"], {}, ["Series cannot be turned into a pandas DataFrame"]),
    "polars series": (pl.Series([1.0]), {}, ["Series is not a table"]),
    "array": (np.ones((3, 4)), {}, ["ndarray is not a table"]),
    "mapped column missing": (
        good(),
        {"columns": {"loss": "lossy"}},
        ["has no column 'lossy'", "Did you mean 'loss'", "n_params, tokens, flops, loss"],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_bad_table_is_named_with_what_helps(name):
    source, options, fragments = TABLES[name]
    with pytest.raises(RunsError) as caught:
        read_runs(source, **options)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert caught.value.problems


HEADER = b"n_params,tokens,loss\n"
FILES = {
    "empty": ("runs.csv", b"", ["runs.csv is empty"]),
    "blank": ("runs.csv", b" \n\n", ["runs.csv is empty"]),
    "delimiters only": ("runs.csv", b",,\n,,\n", ["holds no cells"]),
    "header only": ("runs.csv", HEADER, ["has a header but no runs"]),
    "no header": ("runs.csv", b"1e9,2e10,2.9\n7e9,2e10,2.5\n", ["add a header"]),
    "binary": ("runs.csv", b"\x89PNG\0\0\0", ["is not a text file", "Parquet"]),
    "latin-1": ("runs.csv", HEADER + b"1e9,2e10,2.9\ncaf\xe9,1,2\n", ["0xE9 on line 3", "UTF-8"]),
    "utf-16": ("runs.csv", HEADER.decode().encode("utf-16"), ["is not a text file", "UTF-8"]),
    "not parquet": ("runs.parquet", HEADER, ["cannot be read as Parquet", "to_parquet"]),
    "half of parquet": ("runs.csv", b"PAR1 and no more", ["cannot be read as Parquet"]),
    "column twice": ("runs.csv", b"loss,tokens,loss\n1,2,3\n", ["loss: the table has this column"]),
    "open quote": ("runs.csv", HEADER + b'1e9,2e10,"2.9\n', ["line 2: is not CSV", "Close the"]),
    "short and long rows": (
        "runs.csv",
        HEADER + b"1e9,2e10\n1e9,2e10,2.9\n1e9,2e10,2,9\n",
        ["2 problems", "line 2: has 2 cells", "line 4: has 4 cells", "header has 3"],
    ),
    "bad cell": (
        "runs.csv",
        HEADER + b"1e9,2e10,2.9\n\n7e9,2e10,-2.5\n",
        ["line 4, loss = -2.5: is negative", 'where="index not in [4]"'],
    ),
    "bad cell after quoted lines": (
        "runs.csv",
        b'n_params,tokens,loss,note\n1e9,2e10,2.9,"two\nlines"\n7e9,2e10,0,x\n',
        ["line 4, loss = 0: is zero"],
    ),
    "repeated line": (
        "runs.csv",
        HEADER + b"1e9,2e10,2.9\n1B,20B,2.9\n",
        ["line 3: repeats line 2"],
    ),
    "decimal commas": (
        "runs.csv",
        b'n_params,tokens,loss\n1e9,2e10,"2,9"\n',
        ["line 2, loss = '2,9'", "decimal point"],
    ),
    "json": ("runs.json", b'[{"tokens": 2e10}]', ["has no column loss"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_named_with_what_helps(name, tmp_path):
    file_name, data, fragments = FILES[name]
    path = tmp_path / file_name
    path.write_bytes(data)
    with pytest.raises(RunsError) as caught:
        read_runs(path)
    for fragment in (file_name, *fragments):
        assert fragment in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there_is_named_with_one_that_is(tmp_path):
    (tmp_path / "runs.csv").write_bytes(HEADER)
    with pytest.raises(RunsError, match=r"run\.csv does not exist\. Did you mean 'runs\.csv'"):
        read_runs(tmp_path / "run.csv")
    with pytest.raises(RunsError, match="does not exist"):
        read_runs(tmp_path / "nowhere" / "run.csv")
    with pytest.raises(RunsError, match="holds no run of a kind that is read"):
        read_runs(tmp_path)
    with pytest.raises(RunsError, match="cannot be opened"):
        read_runs("runs\0.csv")


def test_a_frame_of_another_library_that_fails_is_named():
    class Broken:
        def to_pandas(self):
            raise RuntimeError("no memory")

    with pytest.raises(RunsError, match=r"Broken cannot be turned .*no memory"):
        read_runs(Broken())


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"columns": {"n_param": "x"}}, ["'n_param'", "Did you mean 'n_params'", "seed"]),
        ({"columns": {"val_loss": "loss"}}, ["'val_loss'", "from these to the names"]),
        ({"columns": {"n_params": "loss", "tokens": "loss"}}, ["n_params and tokens", "'loss'"]),
        ({"columns": "loss"}, ["columns = 'loss'", "mapping"]),
        ({"columns": {"loss": ["a"]}}, ["['a']", "mapping"]),
        ({"where": "los < 3"}, ["'los < 3'", "n_params, tokens, flops, loss"]),
        ({"where": "loss + 1"}, ["one truth value"]),
        ({"where": 3}, ["one truth value"]),
        ({"flops_per_param_token": 0}, ["flops_per_param_token = 0", "positive"]),
        ({"flops_per_param_token": "6"}, ["flops_per_param_token = '6'"]),
        ({"flops_tolerance": -0.1}, ["flops_tolerance = -0.1", "non-negative"]),
        ({"flops_tolerance": float("nan")}, ["flops_tolerance = nan"]),
    ],
)
def test_a_bad_option_is_named(options, fragments):
    with pytest.raises(InputError) as caught:
        read_runs(good(), **options)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_ten_thousand_bad_cells_make_a_message_that_can_be_read():
    frame = pd.concat([good()] * 2000, ignore_index=True).assign(loss=-1.0, n_params="x")
    with pytest.raises(RunsError, match="20,000 problems") as caught:
        read_runs(frame)
    assert len(caught.value.problems) == 20_000
    message = str(caught.value)
    assert len(message.splitlines()) == 12
    assert "19,990 more (9,995 in n_params, 9,995 in loss)" in message
    assert len(message) < 3000
    assert "row 4, n_params" in message
    assert "row 5," not in message


def test_a_long_cell_is_cut_short():
    with pytest.raises(RunsError, match=r"'xxxxx.*\.\.\.: is not a number"):
        read_runs(with_cell("loss", "x" * 10_000))


def test_the_error_survives_pickling():
    with pytest.raises(RunsError) as caught:
        read_runs(with_cell("loss", -1.0))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.problems == caught.value.problems
