"""Whatever a table holds, it is read, or refused with exactly the cells that are bad."""

from __future__ import annotations

import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_bayes.errors import RunsError
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


unreadable = st.text(alphabet="abcxyz ?!;\"'\n,", min_size=1, max_size=8).map("?{}".format)
bad_numbers = st.sampled_from([0, -1, -2.5, float("inf"), float("-inf"), "0", "-1e9", "1e999"])
other_things = st.sampled_from([True, 1j, [], [1.0], {}, b"1", datetime.date(2024, 1, 1), object()])
bad_of_column = {
    "n_params": st.one_of(unreadable, bad_numbers, other_things, st.floats(1e-3, 999)),
    "tokens": st.one_of(unreadable, bad_numbers, other_things, st.floats(1e-3, 9e3)),
    "flops": st.one_of(
        unreadable, bad_numbers, other_things, st.floats(1e33, 1e300).map("{!r}".format)
    ),
    "loss": st.one_of(unreadable, bad_numbers, other_things, st.none(), st.floats(15.1, 1e9)),
}
places = st.dictionaries(
    st.tuples(st.integers(0, 4), st.sampled_from(list(bad_of_column))), st.none(), min_size=1
)


@settings(max_examples=150)
@given(st.data(), places)
def test_exactly_the_corrupted_cells_are_named(data, places):
    frame = good().astype(object)
    for row, column in places:
        frame.at[row, column] = data.draw(bad_of_column[column], label=f"{column} of row {row}")
    with pytest.raises(RunsError) as caught:
        read_runs(frame)
    assert {(p.row, p.column) for p in caught.value.problems} == set(places)
    assert len(caught.value.problems) == len(places)
    for problem in caught.value.problems:
        assert problem.remedy
        assert problem.value is frame.at[problem.row, problem.column] or (
            problem.value == frame.at[problem.row, problem.column]
        )


@settings(max_examples=60)
@given(st.data(), places)
def test_exactly_the_corrupted_cells_of_a_file_are_named(tmp_path_factory, data, places):
    frame = good().astype(object)
    for row, column in places:
        frame.at[row, column] = data.draw(unreadable | st.sampled_from(["0", "-1", "inf", "?"]))
    path = tmp_path_factory.mktemp("bad") / "runs.csv"
    frame.to_csv(path, index=False)
    starts = [2]
    for _, cells in frame.iterrows():
        starts.append(starts[-1] + 1 + sum(str(cell).count("\n") for cell in cells))
    with pytest.raises(RunsError) as caught:
        read_runs(path)
    expected = {(starts[row], column) for row, column in places}
    assert {(p.row, p.column) for p in caught.value.problems} == expected


@settings(max_examples=150)
@given(st.binary(max_size=200), st.sampled_from(["runs.csv", "runs.parquet"]), st.booleans())
def test_any_bytes_are_runs_or_a_runs_error(tmp_path_factory, data, name, has_header):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes((b"n_params,tokens,loss\n" if has_header else b"") + data)
    try:
        runs = read_runs(path)
    except RunsError:
        return
    assert len(runs)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.complex_numbers(),
    st.dates(),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.lists(st.integers(), max_size=2),
    st.just(pd.NA),
    st.just(pd.NaT),
)


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(["n_params", "tokens", "flops", "loss", "weight", "group", "seed", "x"]),
        st.lists(anything, min_size=5, max_size=5) | anything.map(lambda cell: [cell] * 5),
        min_size=1,
        max_size=3,
    )
)
def test_any_cells_are_runs_or_a_runs_error(columns):
    frame = good().assign(**{name: pd.Series(cells) for name, cells in columns.items()})
    try:
        runs = read_runs(frame)
    except RunsError:
        return
    assert len(runs) == 5
