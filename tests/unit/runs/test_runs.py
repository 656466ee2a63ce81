from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_bayes.errors import InputError, RunsError
from scaling_bayes.runs import Runs, read_runs

SIZES = ["n_params", "tokens", "flops"]


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n_params": [70e6, 1e9, 7e9, 7e9],
            "tokens": [1.4e9, 20e9, 0.1e12, 0.3e12],
            "loss": [3.7, 2.9, 2.35, 2.3000000000000003],
            "group": ["dense", "dense", "wide", "wide"],
            "seed": [1, 2, 3, 4],
            "note": ["a", "b, c", 'with "quotes"', "two\nlines"],
        }
    )


good_tables = (
    st.integers(1, 12)
    .flatmap(
        lambda n: st.fixed_dictionaries(
            {
                "n_params": st.lists(st.floats(1e6, 1e12), min_size=n, max_size=n),
                "tokens": st.lists(st.floats(1e8, 1e13), min_size=n, max_size=n),
                "loss": st.lists(st.floats(0.5, 12), min_size=n, max_size=n, unique=True),
            }
        )
    )
    .map(pd.DataFrame)
)


@given(good_tables, st.sampled_from(SIZES), st.sampled_from([6.0, 2.0, 6.5]))
def test_any_two_sizes_give_the_third(frame, left_out, k):
    frame["flops"] = k * frame["n_params"] * frame["tokens"]
    read = read_runs(frame.drop(columns=left_out), flops_per_param_token=k).frame
    np.testing.assert_allclose(read[left_out], frame[left_out], rtol=1e-12)
    np.testing.assert_allclose(read["flops"], k * read["n_params"] * read["tokens"], rtol=1e-12)


def test_a_blank_size_is_filled_in_from_the_others_row_by_row():
    frame = pd.DataFrame(
        {
            "n_params": [np.nan, 1e9, 1e9],
            "tokens": [20e9, np.nan, 20e9],
            "flops": [1.2e20, 1.2e20, np.nan],
            "loss": [2.9, 2.8, 2.7],
        }
    )
    read = read_runs(frame).frame
    np.testing.assert_allclose(read[SIZES], [[1e9, 20e9, 1.2e20]] * 3)


def test_every_source_gives_the_same_runs(table, tmp_path):
    table.to_csv(tmp_path / "runs.csv", index=False)
    table.to_csv(tmp_path / "runs.tsv", index=False, sep="\t")
    table.to_csv(tmp_path / "bom.csv", index=False, sep=";", encoding="utf-8-sig")
    table.to_parquet(tmp_path / "runs.parquet")
    expected = read_runs(table).frame
    for source in (
        tmp_path / "runs.csv",
        str(tmp_path / "runs.csv"),
        tmp_path / "runs.tsv",
        tmp_path / "bom.csv",
        tmp_path / "runs.parquet",
        pl.from_pandas(table),
        pa.Table.from_pandas(table),
        table.convert_dtypes(),
        table.astype({"note": "category", "group": "category"}),
    ):
        read = read_runs(source).frame
        pd.testing.assert_frame_equal(
            read.astype({"note": object, "seed": int}),
            expected.astype({"note": object}),
            check_exact=True,
        )


def test_an_object_that_only_exports_arrow_is_read(table):
    class Exporter:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.Table.from_pandas(table).__arrow_c_stream__(requested_schema)

    assert read_runs(Exporter()).frame["loss"].tolist() == table["loss"].tolist()


def test_units_and_other_names_are_read():
    frame = pd.DataFrame(
        {"size": ["70M", "7B", 1e9], "D": ["1.4B tokens", "1.4T", 2e10], "val": ["3.7", 2, 2.9]}
    )
    read = read_runs(frame, columns={"n_params": "size", "tokens": "D", "loss": "val"}).frame
    assert read["n_params"].tolist() == [70e6, 7e9, 1e9]
    assert read["tokens"].tolist() == [1.4e9, 1.4e12, 2e10]
    assert read["loss"].tolist() == [3.7, 2.0, 2.9]
    assert read["size"].tolist() == ["70M", "7B", 1e9]


def test_a_mapped_column_takes_the_place_of_one_with_the_name(table):
    table["loss_c4"] = table["loss"] + 0.1
    read = read_runs(table, columns={"loss": "loss_c4"}).frame
    assert read["loss"].tolist() == table["loss_c4"].tolist()


def test_tiny_byte_level_models_pass():
    frame = pd.DataFrame({"n_params": [5e3, 1e6], "tokens": [1e6, 1e6], "loss": [3.1, 2.2]})
    assert len(read_runs(frame)) == 2


def test_weight_is_one_unless_given_and_columns_are_canonical(table):
    read = read_runs(table).frame
    assert read["weight"].tolist() == [1.0] * 4
    assert all(read[name].dtype == float for name in [*SIZES, "loss", "weight"])
    assert read_runs(table.assign(weight=[1, 2, 3, 4])).frame["weight"].tolist() == [1, 2, 3, 4]


def test_group_is_text_and_further_columns_are_untouched(table):
    read = read_runs(table.assign(group=[1, 1, 2, 2], extra=[[1], [2], [3], [4]])).frame
    assert read["group"].tolist() == ["1", "1", "2", "2"]
    assert read["extra"].tolist() == [[1], [2], [3], [4]]


def test_columns_of_csv_carried_along_are_numbers_truth_values_or_text(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(
        "n_params,tokens,loss,group,lr,steps,best,note\n"
        "1B,20B,2.9,01,1e-3,100,True,\n"
        "\n"
        ",,,,,,,\n"
        "7B,20B,2.5,02,,200,False,x\n"
    )
    read = read_runs(path, where="best == True or steps > 100").frame
    assert read["group"].tolist() == ["01", "02"]
    assert read["lr"].iloc[0] == 1e-3
    assert np.isnan(read["lr"].iloc[1])
    assert read["steps"].tolist() == [100, 200]
    assert read["best"].tolist() == [True, False]


def test_where_is_applied_before_the_check_and_reads_derived_sizes(table):
    table.loc[0, "loss"] = -1.0
    read = read_runs(table, where="loss > 0 and flops < 1e22").frame
    assert read["seed"].tolist() == [2, 3]
    assert read.index.tolist() == [0, 1]


def test_where_can_name_lines_and_labels(table, tmp_path):
    table.to_csv(tmp_path / "runs.csv", index=False)
    assert len(read_runs(tmp_path / "runs.csv", where="index not in [2, 3]")) == 2
    labelled = table.set_index(pd.Index(["a", "b", "c", "d"]))
    assert len(read_runs(labelled, where="index != 'a'")) == 3


def test_flops_may_differ_within_the_tolerance(table):
    frame = table.assign(flops=6 * table["n_params"] * table["tokens"] * [1.19, 1, 0.85, 1.1])
    assert read_runs(frame).frame["flops"].tolist() == frame["flops"].tolist()
    with pytest.raises(RunsError):
        read_runs(frame, flops_tolerance=0.1)


def test_the_source_is_neither_changed_nor_shared(table):
    before = table.copy()
    runs = read_runs(table)
    table.loc[0, "loss"] = 99.0
    assert runs.frame["loss"].iloc[0] == before["loss"].iloc[0]
    runs.covariates(["loss"])["loss"][0] = 99.0
    assert runs.frame["loss"].iloc[0] == before["loss"].iloc[0]


@settings(max_examples=30)
@given(good_tables, st.sampled_from([*SIZES, "loss"]), st.floats(0, 1))
def test_below_and_above_part_the_runs(frame, name, quantile):
    runs = read_runs(frame)
    limit = float(runs.frame[name].quantile(quantile))
    low, high = runs.below(**{name: limit}), runs.above(**{name: limit})
    assert len(low) + len(high) == len(runs)
    assert (low.frame[name] < limit).all()
    assert (high.frame[name] >= limit).all()
    assert low.frame.equals(runs.where(f"{name} < {limit!r}").frame)
    assert high.frame.equals(runs.where(~(runs.frame[name] < limit)).frame)
    assert low.source == runs.source


def test_the_last_checkpoint_of_each_run_is_the_one_with_the_most_tokens():
    table = pd.DataFrame(
        {
            "n_params": np.repeat([1e8, 1e9, 1e9], 10),
            "tokens": np.tile(np.geomspace(1e9, 1e10, 10), 3),
            "loss": np.linspace(4, 3, 30),
            "run": np.repeat(["a", "b", "c"], 10),
        }
    ).sample(frac=1, random_state=2)
    runs = read_runs(table)
    last = runs.last_of_each("run")
    assert sorted(last.frame["run"]) == ["a", "b", "c"]
    assert (last.frame["tokens"] == 1e10).all()
    assert list(last.frame["run"]) == list(runs.where("tokens == 1e10").frame["run"])
    assert len(runs.last_of_each("n_params")) == 2
    assert len(runs.last_of_each("n_params", "run")) == 3
    assert len(last.last_of_each("run")) == 3


def test_limits_may_have_units_and_be_several(table):
    runs = read_runs(table)
    assert len(runs.below(n_params="7B")) == 2
    assert len(runs.above(n_params="1B", tokens="0.2T")) == 1


@pytest.mark.parametrize(
    ("select", "fragment"),
    [
        (lambda runs: runs.where("los < 3"), "n_params, tokens"),
        (lambda runs: runs.where("loss <"), "cannot be evaluated"),
        (lambda runs: runs.where("loss"), "one truth value"),
        (lambda runs: runs.where("1 < 2"), "one truth value"),
        (lambda runs: runs.where(""), "cannot be evaluated"),
        (lambda runs: runs.where([True]), "one truth value"),
        (lambda runs: runs.where([1, 0, 1, 0]), "one truth value"),
        (lambda runs: runs.where(None), "one truth value"),
        (lambda runs: runs.below(), "at least one limit"),
        (lambda runs: runs.last_of_each(), "name the columns"),
        (lambda runs: runs.last_of_each("losss"), "Did you mean 'loss'"),
        (lambda runs: runs.below(flop=1e22), "Did you mean 'flops'"),
        (lambda runs: runs.above(note=1), "not numeric"),
        (lambda runs: runs.above(loss="low"), "not a number"),
        (lambda runs: runs.above(flops="1e22 GPU-hours"), "GPU-hours"),
        (lambda runs: runs.covariates(["losss"]), "Did you mean 'loss'"),
        (lambda runs: runs.covariates(["note"]), "not numeric"),
    ],
)
def test_a_bad_selection_is_an_input_error(table, select, fragment):
    with pytest.raises(InputError, match=fragment):
        select(read_runs(table))


def test_covariates_with_missing_cells_are_refused(table):
    runs = read_runs(table.assign(lr=[1.0, None, 1.0, 1.0]))
    with pytest.raises(InputError, match=r"1 missing cells.*where\('lr is not None'\)"):
        runs.covariates(["lr"])
    assert len(runs.where("lr == lr")) == len(runs.where("lr is not None")) == 3
    spaced = read_runs(table.assign(**{"val loss": [1.0, None, 1.0, 1.0]}))
    with pytest.raises(InputError, match=r"where\('`val loss` is not None'\)"):
        spaced.covariates(["val loss"])


def test_runs_made_by_hand_must_be_whole():
    with pytest.raises(RunsError, match="has no column weight"):
        Runs(pd.DataFrame({"n_params": [1e9], "tokens": [1e9], "flops": [6e18], "loss": [3.0]}))
    columns = {"n_params": [1e9], "tokens": [1e9], "flops": [6e18], "weight": [1]}
    with pytest.raises(RunsError, match="loss of DataFrame"):
        Runs(pd.DataFrame({**columns, "loss": [-3.0]}))
    with pytest.raises(RunsError, match="loss of DataFrame"):
        Runs(pd.DataFrame({**columns, "loss": ["3"]}))


def test_repr_says_how_many_and_how_large(table):
    text = repr(read_runs(table))
    for fragment in ("4 runs", "70M to 7B", "1.4B to 300B", "5.88e+17 FLOPs", "2.3 to 3.7 nats"):
        assert fragment in text
    assert "0 runs" in repr(read_runs(table).below(loss=1))


def test_a_hundred_thousand_rows_are_read_whole(tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "n_params": 10 ** rng.uniform(7, 10, 100_000),
            "tokens": 10 ** rng.uniform(9, 12, 100_000),
            "loss": rng.uniform(2, 4, 100_000),
        }
    )
    frame.to_csv(tmp_path / "runs.csv", index=False)
    read = read_runs(tmp_path / "runs.csv")
    np.testing.assert_array_equal(read.frame["loss"], frame["loss"])
