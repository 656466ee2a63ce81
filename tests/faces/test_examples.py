"""The scripts in examples/ run, with and without real data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def output_of(script: str, *arguments: Path) -> str:
    finished = subprocess.run(
        [sys.executable, EXAMPLES / script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize(
    ("script", "figure"),
    [("retrospect.py", "hoffmann2022"), ("kaplan_against_chinchilla.py", "a = 0.575")],
)
def test_without_runs_the_published_laws_are_shown(script, figure):
    output = output_of(script)
    assert figure in output
    assert "published laws only" in output


@pytest.mark.slow
def test_retrospect_with_the_real_runs(real_data):
    output = output_of("retrospect.py", real_data("chinchilla_fig4.csv"))
    assert "published laws only" not in output
    assert "240 runs" in output
    assert "Chinchilla beats Gopher with probability" in output


@pytest.mark.slow
def test_kaplan_against_chinchilla_with_the_real_runs(real_data):
    output = output_of("kaplan_against_chinchilla.py", real_data("chinchilla_fig4.csv"))
    assert "published laws only" not in output
    assert output.count("Double N, double D") == 2
