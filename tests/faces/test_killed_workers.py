"""Many fits in processes of which one is killed on the way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes.errors import WorkerKilledError

distributed = pytest.importorskip("distributed")

TIME_LIMIT = 120
"""Seconds after which a cluster that hangs fails the test."""

BeforeFit = Callable[[int], None]
"""Is told how many runs are about to be fitted, in the process that fits them."""


def kill_once_at(n_runs: int, fatal: Path) -> BeforeFit:
    """Return what kills the process at its first fit to `n_runs` runs, and notes its id."""

    def kill(n: int) -> None:
        if n == n_runs and not fatal.exists():
            fatal.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def kill_while(sick: Path, n_runs: int, kept: Path) -> BeforeFit:
    """Return what kills every process that fits `n_runs` runs, after something has been kept."""

    def kill(n: int) -> None:
        if n == n_runs and sick.exists():
            die_when_something_is_kept(kept)

    return kill


def kill_second(sick: Path, n_runs: int, kept: Path) -> BeforeFit:
    """Return what kills every process but the first that fits so many runs, and as late."""

    def kill(n: int) -> None:
        if n == n_runs and sick.exists():
            try:
                sick.with_name("spared").touch(exist_ok=False)
            except FileExistsError:
                die_when_something_is_kept(kept)

    return kill


def die_when_something_is_kept(kept: Path) -> None:
    while not any(kept.glob("[!.]*")):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


def make_forecaster(before_fit: BeforeFit):
    """Return a forecaster that needs no time.

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
        def fit(self, runs: sb.Runs, *, seed: int) -> Fitted:
            before_fit(len(runs))
            rng = np.random.default_rng(seed)
            return Fitted("mortal", float(rng.choice(runs.frame["loss"])))

    return Mortal()


def make_fitter(before_fit: BeforeFit) -> sb.Fitter:
    """Return a fitter of a law that is sampled quickly."""

    class Mortal(sb.Fitter):
        def fit(self, runs: sb.Runs, *, seed=None) -> sb.Fit:
            before_fit(len(runs))
            return super().fit(runs, seed=seed)

    # What is looked at is which draws there are, not whether they will do.
    return Mortal(sb.laws.Chinchilla(), settings=sb.SamplerSettings(draws=500, progressbar=False))


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
            dashboard_address=":0",
            local_directory=tmp_path / "dask",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def killed(client, tmp_path: Path) -> Iterator[Path]:
    """Give a file for the id of a process that is killed, which must be a worker of the cluster."""
    workers = {info["pid"] for info in client.run(lambda: {"pid": os.getpid()}).values()}
    fatal = tmp_path / "killed"
    with joblib.parallel_config("dask"):
        yield fatal
    assert int(fatal.read_text()) in workers


def test_a_backtest_loses_nothing(killed, tmp_path):
    runs = sb.datasets.load_tiny_transformers()
    levels = np.unique(runs.frame["flops"])
    backtest = partial(sb.backtest, runs, cuts=levels[20:60:4], progressbar=False)
    n_below = int((runs.frame["flops"] < levels[36]).sum())
    kept = tmp_path / "kept"
    forecaster = make_forecaster(kill_once_at(n_below, killed))
    laws = dict.fromkeys(("first", "second"), forecaster)
    found = backtest(laws, directory=kept)
    assert len(list(kept.iterdir())) == 2 * (10 + 1)
    with joblib.parallel_config("sequential"):
        sequential = backtest(laws)
    assert found.failures.empty
    for name in ("points", "scores", "allocation"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(sequential, name), check_exact=True
        )


@pytest.mark.slow
def test_fits_of_groups_lose_nothing(killed, tmp_path):
    runs = sb.datasets.load_tiny_transformers().where("part in ('isoflop', 'rectangle')")
    counts = runs.frame["part"].value_counts()
    fitter = make_fitter(kill_once_at(counts["rectangle"], killed))
    fit_groups = partial(sb.fit_groups, runs, fitter, by="part", progressbar=False)
    fits = fit_groups(directory=tmp_path / "kept")
    with joblib.parallel_config("sequential"):
        sequential = fit_groups()
    assert list(fits) == list(sequential) == ["isoflop", "rectangle"]
    for name, fit in fits.items():
        assert fit.draws.equals(sequential[name].draws)


@pytest.mark.slow
def test_a_replay_loses_nothing(killed):
    runs = sb.datasets.load_tiny_transformers().where("part in ('isoflop', 'rectangle')")
    replay = partial(
        sb.replay,
        runs,
        {"random": sb.policies.Random()},
        law=make_fitter(kill_once_at(21, killed)),
        flops=1e14,
        budgets=[1e13],
        runs_per_budget=1,
        start=20,
        n_starts=2,
        progressbar=False,
    )
    found = replay()
    with joblib.parallel_config("sequential"):
        sequential = replay()
    pd.testing.assert_frame_equal(found.to_frame(), sequential.to_frame(), check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_where_it_cannot_go_on_the_error_says_what_is_kept(backend, tmp_path, request):
    if backend == "dask":
        request.getfixturevalue("client")
    runs = sb.datasets.load_tiny_transformers()
    sick, kept = tmp_path / "sick", tmp_path / "kept"
    sick.touch()
    forecaster = make_forecaster(kill_while(sick, len(runs), kept))
    backtest = partial(sb.backtest, runs, {"mortal": forecaster}, directory=kept, progressbar=False)
    with joblib.parallel_config(backend, n_jobs=2), time_limit(TIME_LIMIT):
        with pytest.raises(WorkerKilledError) as raised:
            backtest()
        message = str(raised.value)
        assert "a worker process was killed" in message
        assert "lack of memory" in message
        assert f"Finished refits are kept in {kept}; the same call goes on." in message
        written = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
        assert 1 <= len(written) < 5
        sick.unlink()
        found = backtest()
    assert len(list(kept.iterdir())) == 5
    assert all(path.stat().st_mtime_ns == before for path, before in written.items())
    again = sb.backtest(runs, {"mortal": forecaster}, progressbar=False)
    pd.testing.assert_frame_equal(found.points, again.points, check_exact=True)


def assert_resumed(call: Callable[..., object], sick: Path, kept: Path, words: str) -> object:
    """Let a call fail in killed processes, and return what it gives when they are well."""
    with joblib.parallel_config("loky", n_jobs=2), time_limit(TIME_LIMIT):
        with pytest.raises(WorkerKilledError, match=rf"{words} are kept in {kept}; the same call"):
            call(directory=kept)
        written = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
        assert len(written) == 1
        sick.unlink()
        found = call(directory=kept)
    assert len(list(kept.iterdir())) == 2
    assert all(path.stat().st_mtime_ns == before for path, before in written.items())
    return found


@pytest.mark.slow
def test_groups_go_on_from_what_is_kept(tmp_path):
    runs = sb.datasets.load_tiny_transformers().where("part in ('isoflop', 'rectangle')")
    n_runs = runs.frame["part"].value_counts()["rectangle"]
    sick, kept = tmp_path / "sick", tmp_path / "kept"
    sick.touch()
    fitter = make_fitter(kill_while(sick, n_runs, kept))
    call = partial(sb.fit_groups, runs, fitter, by="part", progressbar=False)
    found = assert_resumed(call, sick, kept, "Finished fits")
    sequential = call()
    assert all(found[name].draws.equals(fit.draws) for name, fit in sequential.items())


@pytest.mark.slow
def test_a_replay_goes_on_from_what_is_kept(tmp_path):
    runs = sb.datasets.load_tiny_transformers().where("part in ('isoflop', 'rectangle')")
    sick, kept = tmp_path / "sick", tmp_path / "kept"
    sick.touch()
    call = partial(
        sb.replay,
        runs,
        {"random": sb.policies.Random()},
        law=make_fitter(kill_second(sick, 21, kept)),
        flops=1e14,
        budgets=[1e13],
        runs_per_budget=1,
        start=20,
        n_starts=2,
        progressbar=False,
    )
    found = assert_resumed(call, sick, kept, "Finished starts")
    pd.testing.assert_frame_equal(found.to_frame(), call().to_frame(), check_exact=True)
