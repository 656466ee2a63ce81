"""Rows of one run and runs of one size become one row, and nothing else does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes.errors import RunsError


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.fixture
def checkpoints() -> pd.DataFrame:
    """Two runs of three checkpoints each."""
    return table(
        run=["a"] * 3 + ["b"] * 3,
        n_params=[1e8] * 3 + [3e8] * 3,
        tokens=[1e9, 2e9, 3e9, 2e9, 4e9, 6e9],
        loss=[3.9, 3.6, 3.5, 3.5, 3.2, 3.1],
    )


@pytest.mark.parametrize("name", ["run", "run_id", "run_name"])
def test_the_last_row_of_each_run_stays(checkpoints, name):
    runs = sb.read_runs(checkpoints.rename(columns={"run": name}))
    found = runs.ends_of_runs()
    assert found.frame["loss"].tolist() == [3.5, 3.1]
    assert found.source == f"DataFrame, last of 6 rows by {name}"


def test_names_of_sweeps_are_not_taken_for_runs(checkpoints):
    runs = sb.read_runs(checkpoints.assign(run="sweep"))
    assert runs.ends_of_runs() is runs


def test_a_run_without_a_name_leaves_the_table_as_it_is(checkpoints):
    runs = sb.read_runs(checkpoints.assign(run=["a", "a", "a", "b", "b", None]))
    assert runs.ends_of_runs() is runs


def test_seeds_under_one_name_are_no_checkpoints(checkpoints):
    frame = checkpoints.assign(tokens=2e9, seed=[0, 1, 2, 0, 1, 2])
    runs = sb.read_runs(frame)
    assert runs.ends_of_runs() is runs


def test_runs_of_a_size_become_their_mean():
    frame = table(
        n_params=[1e8, 3e8, 1e8, 1e8],
        tokens=2e9,
        loss=[3.0, 2.5, 3.3, 3.6],
        seed=[0, 0, 1, 2],
        site="here",
    )
    found = sb.read_runs(frame).means_by_size()
    logs = np.log([3.0, 3.3, 3.6])
    assert found.frame["loss"].tolist() == pytest.approx([np.exp(logs.mean()), 2.5])
    assert found.frame["weight"].tolist() == [3.0, 1.0]
    assert found.frame["seed_sd"].iloc[0] == pytest.approx(logs.std(ddof=1))
    assert np.isnan(found.frame["seed_sd"].iloc[1])
    assert found.frame["site"].tolist() == ["here", "here"]
    assert "seed" not in found.frame
    assert found.counted == "4 runs in 2 rows"


@pytest.mark.parametrize("name", ["group", "unique_tokens", "lr", "n_params_active"])
def test_what_is_known_tells_runs_apart(name):
    frame = table(n_params=1e8, tokens=2e9, loss=[3.0, 3.1]).assign(**{name: [1e6, 2e6]})
    runs = sb.read_runs(frame)
    assert runs.means_by_size() is runs


def test_other_columns_tell_runs_apart_where_they_are_named():
    runs = sb.read_runs(table(n_params=1e8, tokens=2e9, loss=[3.0, 3.1], corpus=["a", "b"]))
    assert len(runs.means_by_size()) == 1
    assert runs.means_by_size("corpus") is runs


def test_a_table_of_one_size_is_joined_by_that():
    runs = sb.read_runs(table(flops=[1e20, 1e20, 1e21], loss=[3.0, 3.1, 2.5]))
    assert runs.means_by_size().frame["weight"].tolist() == [2.0, 1.0]


def test_means_are_not_averaged_again():
    runs = sb.read_runs(table(n_params=1e8, tokens=2e9, loss=[3.0, 3.1], weight=[4, 1]))
    assert runs.means_by_size() is runs


@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_joined_rows_hold_all_runs_and_their_squares(counts, seed):
    rng = np.random.default_rng(seed)
    sizes = np.repeat(np.arange(len(counts)), counts)
    loss = np.exp(rng.normal(1, 0.05, len(sizes)))
    order = rng.permutation(len(sizes))
    frame = table(n_params=1e8 * (1 + sizes[order]), tokens=2e9, loss=loss)
    joined = sb.read_runs(frame).means_by_size().frame
    assert joined["weight"].sum() == len(sizes)
    assert joined["n_params"].is_unique
    within = 0.0
    if "seed_sd" in joined:
        within = ((joined["weight"] - 1) * joined["seed_sd"].fillna(0) ** 2).sum()
    mean = np.average(np.log(joined["loss"]), weights=joined["weight"])
    between = (joined["weight"] * (np.log(joined["loss"]) - mean) ** 2).sum()
    assert within + between == pytest.approx(((np.log(loss) - np.log(loss).mean()) ** 2).sum())


@pytest.mark.parametrize(
    ("cell", "why"), [(-0.01, "is negative"), (1.5, "is more than seeds"), ("much", "not a number")]
)
def test_scatter_that_cannot_be_is_named(cell, why):
    frame = table(n_params=[1e8, 2e8], tokens=2e9, loss=3.0, weight=4, seed_sd=[0.01, cell])
    with pytest.raises(RunsError, match=why) as caught:
        sb.read_runs(frame)
    assert [problem.column for problem in caught.value.problems] == ["seed_sd"]


def test_scatter_may_be_missing_and_zero():
    frame = table(n_params=[1e8, 2e8], tokens=2e9, loss=3.0, weight=4, seed_sd=[0.0, None])
    assert sb.read_runs(frame).frame["seed_sd"].isna().tolist() == [False, True]
