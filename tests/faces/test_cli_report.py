"""The command that writes one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import scaling_bayes as sb

Run = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def runs_csv(sweep: sb.Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    sweep.frame[["n_params", "tokens", "loss"]].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def saved(run: Run, runs_csv: Path) -> Path:
    path = runs_csv.with_name("fit.nc")
    ran = run("fit", runs_csv, "--law", "chinchilla", "--output", path)
    assert ran.code == 0, ran.err
    return path


def test_a_saved_fit_is_reported(run: Run, saved: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ("--flops", "1e22", "--target", "2.2", "--no-track-record")
    ran = run("report", saved, *words, "-o", page)
    assert ran.code == 0, ran.err
    assert "page.html" in ran.out
    text = page.read_text()
    assert f"scaling-bayes report {saved} --seed 1 --flops 1e22 --target 2.2" in text
    assert "below 2.2 nats per token with probability" in text
    assert "track record" not in text


def test_a_table_is_fitted_by_default(run: Run, runs_csv: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    ran = run("report", runs_csv, "--format", "markdown", "--no-track-record", "--output", page)
    assert ran.code == 0, ran.err
    text = page.read_text()
    assert text.startswith("# What to train: coupled with smooth discrepancy on runs.csv")
    assert "10 times the compute of the largest run" in text


def test_a_format_and_a_name_that_do_not_agree_are_refused(
    run: Run, saved: Path, tmp_path: Path
) -> None:
    ran = run("report", saved, "--format", "markdown", "-o", tmp_path / "page.html")
    assert ran.code == 2
    assert "--format markdown goes to a file in .md" in ran.err
    assert not list(tmp_path.iterdir())
