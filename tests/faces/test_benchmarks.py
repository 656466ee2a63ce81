"""The benchmarks run, so that they cannot rot; what they measure is not tested here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        pytest.param("samplers", ["scaling_bayes", "NumPyro"], marks=pytest.mark.long),
        ("refit", ["refit, 4 x 1000 draws", "10 bootstraps"]),
        pytest.param(
            "many_refits",
            ["law alone, 4 x 1000 draws", "with discrepancy, 4 x 500 draws"],
            marks=pytest.mark.long,
        ),
        ("extrapolation", ["scaling_bayes, new run", "Huber + bootstrap, mean curve"]),
        pytest.param(
            "allocation",
            ["optimum of every draw", "the valley", "chinchilla, numerically"],
            marks=pytest.mark.long,
        ),
        ("decide", ["CVaR of regret", "forecast of all sizes"]),
        pytest.param("rows", ["60", "240", "Slope in log-log"], marks=pytest.mark.long),
        pytest.param(
            "first_answer",
            ["scaling_bayes, warm", "with discrepancy, in a session"],
            marks=pytest.mark.long,
        ),
        pytest.param("pooling", ["6", "tiny_transformers"], marks=pytest.mark.long),
        pytest.param("seeds", ["seeds", "checkpoints"], marks=pytest.mark.long),
        ("startup", ["import scaling_bayes", "scaling-bayes --help"]),
    ],
)
def test_benchmark_prints_its_table(name, rows, tmp_path):
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--quick", "--data", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 0, run.stderr
    lines = [line.strip() for line in run.stdout.splitlines()]
    for row in rows:
        assert any(line.startswith(row) or f" {row}" in line for line in lines), run.stdout
    assert "nan" not in "".join(line.lower() for line in lines if line.startswith("scaling_bayes"))
    assert not list(tmp_path.iterdir())


def test_simulated_runs_stand_in_for_absent_data(tmp_path):
    command = [sys.executable, "refit.py", "--quick", "--data", str(tmp_path / "nowhere")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS, check=False)
    assert run.returncode == 0, run.stderr
    assert "SCALING_BAYES_DATA" in run.stderr
    assert "240 runs" in run.stdout


@pytest.mark.long
@pytest.mark.slow
def test_table_of_calibration_goes_on_where_it_was(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "calibration" / "table.py"), "--quick"]
    command += ["--data", str(tmp_path), "--directory", "refits", "--output", "out", "--jobs", "1"]
    tables, kept = [], []
    for _ in range(2):
        run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert run.returncode == 0, run.stderr
        tables.append((tmp_path / "out" / "table.md").read_text())
        refits = (tmp_path / "refits").iterdir()
        kept.append({path.name: path.stat().st_mtime_ns for path in refits})
    assert len(kept[0]) == 10  # five methods, two cuts
    assert kept[0] == kept[1]
    assert tables[0] == tables[1]
    for row in ("| default: coupled + smooth | 0.", "| 5 to 10 | 1 |", "| Huber + bootstrap | 1 |"):
        assert row in tables[0]
