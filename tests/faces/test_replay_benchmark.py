"""The replay of policies runs and writes its table; what it finds is not tested here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_the_replay_writes_a_table_of_each_case(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "replay.py"), "--quick", "--data", str(tmp_path)]
    command += ["--output", str(tmp_path / "out"), "--cases", "tiny_transformers"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 0, run.stderr
    table = (tmp_path / "out" / "replay_table.md").read_text()
    for words in ("**tiny_transformers**", "| value |", "| random |"):
        assert words in table
        assert words in run.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "replay_table.md",
        "tiny_transformers.md",
        "tiny_transformers.parquet",
    ]
