"""The example of a decision runs, with and without real data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "decide.py"
SECTIONS = ("1. ", "2. ", "3. ", "4. ", "5. ")


def output_of(*arguments: Path) -> str:
    finished = subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    starts = [line[:3] for line in finished.stdout.splitlines()]
    assert [start for start in starts if start in SECTIONS] == list(SECTIONS)
    return finished.stdout


@pytest.mark.slow
def test_without_runs_the_tiny_models_are_decided_on():
    output = output_of()
    assert "these are the tiny models of the package" in output
    assert "101 runs in 77 rows (tiny_transformers.csv)" in output
    assert "With probability 0.9 it is worth it" in output


@pytest.mark.slow
def test_with_the_real_runs(real_data):
    output = output_of(real_data("chinchilla_fig4.csv"))
    assert "tiny models" not in output
    assert "240 runs" in output
    assert "2M USD" in output
    assert "(n_params" in output
