"""A backtest on a Dask cluster that loses a worker process on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import scaling_bayes as sb

distributed = pytest.importorskip("distributed")

TIME_LIMIT = 120
"""Seconds after which a cluster that hangs fails the test."""


def make_mortal(fatal: Path, *, dies_at: int):
    """Return a forecaster whose process is killed at the first fit to so many runs.

    Its classes are local, and so are pickled whole: other processes cannot import this module.
    """

    @dataclass(frozen=True)
    class Fitted:
        label: str
        mean: float

        def forecast(self, points: sb.Runs, *, seed: int) -> sb.Forecast:
            rng = np.random.default_rng(seed)
            loss = self.mean * np.exp(0.1 * rng.standard_normal((1, 200, len(points))))
            draws = xr.DataArray(loss, dims=("chain", "draw", "point"))
            return sb.Forecast(self.label, xr.Dataset(), draws, draws)

    @dataclass(frozen=True)
    class Mortal:
        dies_at: int

        def fit(self, runs: sb.Runs, *, seed: int) -> Fitted:
            if len(runs) == self.dies_at and not fatal.exists():
                fatal.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            rng = np.random.default_rng(seed)
            return Fitted("mortal", float(rng.choice(runs.frame["loss"])))

    return Mortal(dies_at)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def expire(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[distributed.Client]:
    with (
        time_limit(TIME_LIMIT),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=tmp_path / "dask",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_worker_that_is_killed_loses_nothing(client, tmp_path):
    runs = sb.datasets.load_tiny_transformers()
    fatal, kept = tmp_path / "killed", tmp_path / "kept"
    levels = np.unique(runs.frame["flops"])
    options = {"cuts": levels[20:60:4], "progressbar": False}
    n_below = int((runs.frame["flops"] < levels[36]).sum())
    laws = {name: make_mortal(fatal, dies_at=n_below) for name in ("first", "second")}
    workers = {info["pid"] for info in client.run(lambda: {"pid": os.getpid()}).values()}
    with joblib.parallel_config("dask"):
        found = sb.backtest(runs, laws, directory=kept, **options)
    assert int(fatal.read_text()) in workers
    assert len(list(kept.iterdir())) == 2 * (10 + 1)
    sequential = sb.backtest(runs, laws, **options)
    assert found.failures.empty
    for name in ("points", "scores", "allocation"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(sequential, name), check_exact=True
        )
