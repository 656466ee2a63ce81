"""The same numbers however a backtest is run: resumed from files, in part, or in parallel."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.parallel import ThreadingBackend

import scaling_bayes as sb
from scaling_bayes._evidence.backtest.refit import Plan, Refit
from scaling_bayes._evidence.backtest.store import Store
from scaling_bayes._files.sealed import unsealed
from scaling_bayes._fit.kept import describe
from scaling_bayes.errors import InputError

TABLES = ("points", "scores", "allocation", "failures")

backtest = partial(sb.backtest, progressbar=False)


def assert_same(left: sb.Backtest, right: sb.Backtest) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(left, name), getattr(right, name), check_exact=True, obj=name
        )


class AllAtTheEnd(ThreadingBackend):
    """A backend that hands no result over before the last one is there."""

    supports_return_generator = False


@pytest.fixture(scope="module")
def found(sweep, make_oracle) -> sb.Backtest:
    return backtest(sweep, {"oracle": make_oracle()})


def test_an_interrupted_backtest_goes_on_where_it_stopped(sweep, found, tmp_path, make_oracle):
    log = tmp_path / "fits"
    kept = tmp_path / "made" / "kept"
    with pytest.raises(KeyboardInterrupt):
        backtest(sweep, {"oracle": make_oracle(log, stop_at=3)}, directory=kept)
    assert len(list(kept.iterdir())) == 2
    resumed = backtest(sweep, {"oracle": make_oracle(log)}, directory=kept)
    assert len(log.read_text().split()) == 3 + 3
    assert_same(resumed, found)
    assert_same(backtest(sweep, {"oracle": make_oracle(log)}, directory=str(kept)), found)
    assert len(log.read_text().split()) == 6


@pytest.mark.parametrize("content", [b"", b"not a table", None])
def test_a_damaged_file_is_computed_again(sweep, found, tmp_path, content, make_oracle):
    log = tmp_path / "fits"
    kept = tmp_path / "kept"
    backtest(sweep, {"oracle": make_oracle(log)}, directory=kept)
    damaged = sorted(kept.iterdir())[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert_same(backtest(sweep, {"oracle": make_oracle(log)}, directory=kept), found)
    assert len(log.read_text().split()) == 5 + 1
    assert damaged.read_bytes() == whole


@pytest.mark.parametrize("place", np.linspace(0, 1, 12, endpoint=False))
def test_a_flipped_bit_anywhere_is_noticed(sweep, found, tmp_path, place, make_oracle):
    log = tmp_path / "fits"
    kept = tmp_path / "kept"
    backtest(sweep, {"oracle": make_oracle(log)}, directory=kept)
    damaged = sorted(kept.iterdir())[0]
    content = bytearray(damaged.read_bytes())
    content[int(place * len(content))] ^= 1
    damaged.write_bytes(content)
    assert_same(backtest(sweep, {"oracle": make_oracle(log)}, directory=kept), found)
    assert len(log.read_text().split()) == 5 + 1


def test_a_table_that_was_changed_is_computed_again(sweep, found, tmp_path, make_oracle):
    kept = tmp_path / "kept"
    backtest(sweep, {"oracle": make_oracle()}, directory=kept)
    for file in kept.iterdir():
        points = pd.read_parquet(io.BytesIO(unsealed(file.read_bytes())))
        points.assign(crps=points["crps"] / 2).to_parquet(file)
    assert_same(backtest(sweep, {"oracle": make_oracle()}, directory=kept), found)


def test_failures_are_kept_too(sweep, tmp_path, make_oracle):
    laws = {"fails": make_oracle(fail_below=35)}
    first = backtest(sweep, laws, directory=tmp_path)
    assert_same(backtest(sweep, laws, directory=tmp_path), first)


def test_whatever_changes_the_numbers_changes_the_file(sweep, tmp_path, make_oracle):
    log, kept = tmp_path / "fits", tmp_path / "kept"

    def n_fitted(runs: sb.Runs, name: str = "oracle", **options: object) -> int:
        log.unlink(missing_ok=True)
        options = {"cuts": [1e20], "directory": kept} | options
        backtest(runs, {name: make_oracle(log)}, **options)
        return len(log.read_text().split()) if log.exists() else 0

    changed = sweep.frame.copy()
    changed.loc[3, "loss"] += 1e-15 * 4
    assert n_fitted(sweep) == 2
    assert n_fitted(sweep) == 0
    assert n_fitted(sb.read_runs(changed)) == 2
    assert n_fitted(sweep, "other") == 2
    assert n_fitted(sweep, seed=1) == 2
    assert n_fitted(sweep, probs=(0.5,)) == 2
    assert n_fitted(sweep, budget=1e22) == 2
    assert n_fitted(sweep, cuts=[1e20, 2e20]) == 1


def test_priors_and_settings_of_a_law_change_its_description():
    @dataclass(frozen=True)
    class Baseline:
        law: sb.Law
        options: tuple[object, ...] = (1, None, "a")

    prior = {"L_inf": sb.Prior("LogNormal", mu=0.0, sigma=1.0)}
    laws = [sb.laws.Chinchilla(), sb.laws.Chinchilla(priors=prior), sb.laws.Coupled()]
    settings = [sb.SamplerSettings(), sb.SamplerSettings(draws=10)]
    described = [
        *(describe(sb.Fitter(law, discrepancy=None), "law") for law in laws),
        describe(sb.Fitter(laws[0], settings=settings[1], discrepancy=None), "law"),
        describe(sb.Fitter(laws[0], noise=sb.noise.Normal(), discrepancy=None), "law"),
        *(describe(Baseline(law), "law") for law in laws),
        describe(Baseline(laws[0], options=({"k": np.ones(2)},)), "law"),
    ]
    assert len({str(description) for description in described}) == len(described)
    quiet = sb.Fitter(laws[0], settings=sb.SamplerSettings(progressbar=False), discrepancy=None)
    assert describe(quiet, "law") == described[0]


def test_a_discrepancy_and_its_priors_change_the_file(sweep, tmp_path):
    wider = sb.discrepancy.Smooth(priors={"tau": sb.Prior("HalfNormal", sigma=0.2)})
    discrepancies = (None, sb.discrepancy.Smooth(), wider)
    fitters = [sb.Fitter(sb.laws.Chinchilla(), discrepancy=each) for each in discrepancies]
    plan, refit = Plan("flops", (0.9,), 1e21, 0), Refit("law", 1e20)
    paths = {Store(tmp_path, sweep, {"law": each}, plan).path(refit) for each in fitters}
    assert len(paths) == 3


def test_a_forecaster_that_says_nothing_of_itself_cannot_be_kept(sweep, tmp_path, make_oracle):
    class Silent:
        fit = None

    silent = Silent()
    silent.fit = make_oracle().fit
    backtest(sweep, {"silent": silent}, cuts=[1e20])
    with pytest.raises(InputError, match=r"'silent' holds .*Silent object at 0x"):
        backtest(sweep, {"silent": silent}, cuts=[1e20], directory=tmp_path)


def test_a_directory_that_is_a_file_is_refused(sweep, tmp_path, make_oracle):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made a folder"):
        backtest(sweep, {"oracle": make_oracle()}, directory=tmp_path / "file")


def test_any_subset_of_cuts_and_laws_gives_the_same_numbers(sweep, found, make_oracle):
    cut = found.scores["cut"].iloc[2]
    laws = {"other": make_oracle(), "oracle": make_oracle()}
    some = backtest(sweep, laws, cuts=[cut]).points
    expected = found.points[found.points["cut"] == cut].reset_index(drop=True)
    again = some[some["law"] == "oracle"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, expected, check_exact=True)
    other = some[some["law"] == "other"]
    assert not np.isin(other["crps"], again["crps"]).any()


def test_more_processes_give_the_same_numbers(sweep, found, tmp_path, make_oracle):
    assert_same(backtest(sweep, {"oracle": make_oracle()}, n_jobs=2, directory=tmp_path), found)
    assert len(list(tmp_path.iterdir())) == 5
    with joblib.parallel_config("loky", n_jobs=2):
        assert_same(backtest(sweep, {"oracle": make_oracle()}), found)


def test_threads_and_backends_without_generators_give_the_same_numbers(sweep, found, make_oracle):
    with joblib.parallel_config("threading", n_jobs=2):
        assert_same(backtest(sweep, {"oracle": make_oracle()}), found)
    with joblib.parallel_config(AllAtTheEnd(), n_jobs=2):
        assert_same(backtest(sweep, {"oracle": make_oracle()}), found)
    with joblib.parallel_config("sequential"):
        assert_same(backtest(sweep, {"oracle": make_oracle()}), found)
