"""One fit a group of runs."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import ConvergenceError, GroupsError, InputError


@pytest.fixture(scope="module")
def corpora(simulate) -> sb.Runs:
    """Return forty runs, half of each of two corpora."""
    frame = simulate(40).frame
    return sb.read_runs(frame.assign(corpus=["web", "code"] * 20))


@pytest.fixture(scope="module")
def fits(fitter: sb.Fitter, corpora: sb.Runs) -> dict[str, sb.Fit]:
    return sb.fit_groups(corpora, fitter, by="corpus", progressbar=False)


def same_draws(one: sb.Fit, other: sb.Fit) -> bool:
    return bool(one.draws.equals(other.draws))


def test_each_group_has_a_fit_of_its_runs_alone(fits, corpora):
    assert list(fits) == ["web", "code"]
    for name, fit in fits.items():
        expected = corpora.where(f"corpus == {name!r}").frame
        assert fit.runs.frame.equals(expected)
        assert fit.runs.source.endswith(f", corpus {name}")
    assert not same_draws(fits["web"], fits["code"])


def test_a_group_has_the_same_draws_whatever_other_groups_there_are(fits, fitter, corpora):
    alone = corpora.where("corpus == 'code'")
    found = sb.fit_groups(alone, fitter, by="corpus", progressbar=False)
    assert same_draws(found["code"], fits["code"])
    other = sb.fit_groups(alone, fitter, by="corpus", seed=1, progressbar=False)
    assert not same_draws(other["code"], fits["code"])


def test_finished_fits_are_read_and_only_what_differs_is_fitted(
    fits, fitter, corpora, tmp_path, monkeypatch
):
    fitted: list[int] = []
    fit = sb.Fitter.fit

    def noted(self, runs, *, seed=None):
        fitted.append(len(runs))
        return fit(self, runs, seed=seed)

    monkeypatch.setattr(sb.Fitter, "fit", noted)

    def n_fitted(runs: sb.Runs, **options: object) -> int:
        fitted.clear()
        options = {"by": "corpus", "directory": tmp_path, "progressbar": False} | options
        found = sb.fit_groups(runs, fitter, **options)
        if not options.get("seed") and runs is corpora:
            assert all(same_draws(found[name], fits[name]) for name in fits)
        return len(fitted)

    assert n_fitted(corpora) == 2
    assert n_fitted(corpora) == 0
    assert n_fitted(corpora, seed=1) == 2
    changed = corpora.frame.copy()
    changed.loc[0, "loss"] *= 1.001
    assert n_fitted(sb.read_runs(changed)) == 1
    for file in tmp_path.iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    assert n_fitted(corpora) == 2
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:1000])
    assert n_fitted(corpora) == 2


def test_a_group_that_fails_takes_no_other_with_it(fits, fitter, corpora, monkeypatch):
    fit = sb.Fitter.fit

    def failing(self, runs, *, seed=None):
        if (runs.frame["corpus"] == "web").all():
            raise ConvergenceError("no draws were good.")
        return fit(self, runs, seed=seed)

    monkeypatch.setattr(sb.Fitter, "fit", failing)
    with pytest.raises(GroupsError, match=r"1 of 2 groups .*: web: no draws were good\.") as raised:
        sb.fit_groups(corpora, fitter, by="corpus", progressbar=False)
    assert list(raised.value.errors) == ["web"]
    assert isinstance(raised.value.errors["web"], ConvergenceError)
    assert same_draws(raised.value.fits["code"], fits["code"])


@pytest.mark.slow
def test_two_processes_give_the_same_draws(fits, fitter, corpora):
    found = sb.fit_groups(corpora, fitter, by="corpus", n_jobs=2, progressbar=False)
    assert list(found) == list(fits)
    assert all(same_draws(found[name], fits[name]) for name in fits)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"runs": "table"}, "runs is a str"),
        ({"law": "chinchilla"}, "law is 'chinchilla'"),
        ({"by": "language"}, "no column 'language'. The columns are n_params"),
        (
            {"by": "partly"},
            r"column 'partly' .* has 20 missing cells, .*where\('partly == partly'\)",
        ),
        ({"seed": -1}, "seed is -1"),
        ({"n_jobs": 0}, "n_jobs is 0"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(fitter, corpora, change, words):
    partly = np.where(corpora.frame["corpus"] == "web", "web", None)
    runs = sb.read_runs(corpora.frame.assign(partly=partly))
    arguments = {"runs": runs, "law": fitter, "by": "corpus"} | change
    with pytest.raises(InputError, match=words):
        sb.fit_groups(arguments.pop("runs"), arguments.pop("law"), **arguments)
