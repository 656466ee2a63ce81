"""Runs as W&B's library gives them, imitated by hand: the attributes are those it documents."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import RunsError, RunsWarning


class Run:
    """A run of which config and summary are properties, as they are in W&B's."""

    def __init__(self, n_params: float, tokens: float, *, state: str = "finished") -> None:
        self.id, self.name, self.state = f"id{n_params:.0f}", "sweep", state
        self._sizes = n_params, tokens

    @property
    def config(self) -> dict[str, object]:
        return {"model": {"n_params": self._sizes[0], "layers": [1, 2]}, "lr": 3e-4}

    @property
    def summary(self) -> dict[str, object]:
        n_params, tokens = self._sizes
        loss = 1.8 + (4e6 / n_params) ** 0.35 + (4e7 / tokens) ** 0.37
        return {"_step": 1000, "tokens_seen": tokens, "val": {"loss": loss}, "train/loss": 1.0}

    def history(self) -> None:
        raise AssertionError("a history may be a sample")


class Pages:
    """A collection that can be run through and is no list."""

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)


SIZES = np.geomspace(1e7, 1e9, 8)


def sweep() -> list[Run]:
    return [Run(n_params, 20 * n_params) for n_params in SIZES]


@pytest.mark.parametrize("collection", [list, tuple, Pages, iter])
def test_runs_of_a_library_are_read(collection):
    with pytest.warns(RunsWarning, match=r"of 8 runs its loss is summary/val/loss"):
        runs = sb.read_runs(collection(sweep()))
    np.testing.assert_allclose(runs.frame["n_params"], SIZES)
    np.testing.assert_allclose(runs.frame["tokens"], 20 * SIZES)
    assert runs.frame["loss"].tolist() == [run.summary["val"]["loss"] for run in sweep()]
    assert runs.frame["run"].tolist() == [run.id for run in sweep()]
    assert set(runs.frame["name"]) == {"sweep"}
    assert runs.frame["config/lr"].tolist() == [3e-4] * 8
    assert runs.source == "run objects"


def test_one_run_is_a_table_of_one():
    with pytest.warns(RunsWarning):
        assert len(sb.read_runs(Run(1e8, 2e9))) == 1


def test_crashed_runs_are_left_out_and_named():
    with pytest.warns(RunsWarning) as caught:
        runs = sb.read_runs([*sweep(), Run(3e9, 1e9, state="crashed")])
    assert len(runs) == 8
    assert any("1 of 9 rows of run objects did not finish" in str(each.message) for each in caught)


def test_attributes_may_stand_on_the_object():
    plain = [SimpleNamespace(config=run.config, summary=run.summary) for run in sweep()]
    with pytest.warns(RunsWarning):
        runs = sb.read_runs(plain)
    assert runs.frame["run"].tolist() == [str(at) for at in range(8)]


class NoServer(Run):
    @property
    def summary(self) -> dict[str, object]:
        raise ConnectionError("no route to host")


class NotAMapping(Run):
    @property
    def config(self) -> object:  # type: ignore[override]
        return 3


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (NoServer(3e9, 1e9), r"summary of the run 'id3000000000' cannot be read \(no route"),
        (NotAMapping(3e9, 1e9), "config of the run 'id3000000000' cannot be read"),
    ],
)
def test_a_run_that_cannot_be_read_is_named(bad, message):
    with pytest.raises(RunsError, match=message):
        sb.read_runs([*sweep(), bad])


def test_values_that_are_no_plain_values_are_left_out():
    deep: dict[str, object] = {}
    at = deep
    for _ in range(2000):
        at["in"] = at = {}
    odd = SimpleNamespace(
        config={"n_params": 1e8, "deep": deep, 3: "three", "call": print},
        summary={"total_tokens": 2e9, "eval/loss": 3.0, "huge": 10**400},
    )
    with pytest.warns(RunsWarning):
        frame = sb.read_runs([odd]).frame
    assert frame["config/3"].tolist() == ["three"]
    assert "config/call" not in frame


@pytest.mark.parametrize("source", [[1, 2], [Run(1e8, 1e9), None], iter(()), Run, 3])
def test_what_is_no_run_is_no_table(source):
    with pytest.raises(RunsError, match="is not a table"):
        sb.read_runs(source)


def test_what_is_no_run_is_not_run_through():
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with pytest.raises(RunsError, match="is not a table"):
        sb.read_runs(endless())
