"""The commands that check, compare and backtest: the numbers of the Python API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb

QUIET = sb.SamplerSettings(progressbar=False)
PUBLISHED = sb.laws.Chinchilla.published["besiroglu2024"]


@pytest.fixture(scope="module")
def document(run: Callable[..., SimpleNamespace]) -> Callable[..., dict]:
    """Return a function that runs a command that ends well, and reads the JSON it wrote."""

    def read(*words: object) -> dict:
        ran = run(*words, "--json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    return read


@pytest.fixture(scope="module")
def runs_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 48 runs of Chinchilla's law."""
    rng = np.random.default_rng(5)
    grid = pd.MultiIndex.from_product([np.geomspace(5e7, 5e9, 6), np.geomspace(1e9, 2e11, 8)])
    points = grid.to_frame(index=False, name=["n_params", "tokens"])
    curve = sb.forecast(PUBLISHED, points).mean_curve.values.ravel()
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    points.assign(loss=curve * np.exp(rng.normal(0, 0.005, len(points)))).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fit_files(run: Callable[..., SimpleNamespace], runs_csv: Path) -> dict[str, Path]:
    """Return fits of Chinchilla's law alone, and with discrepancy."""
    files = {}
    for name, words in {"alone": ["--law-alone"], "smooth": []}.items():
        files[name] = runs_csv.with_name(f"{name}.nc")
        ran = run("fit", runs_csv, "--law", "chinchilla", *words, "--output", files[name])
        assert ran.code == 0, ran.err
    return files


def test_fit_takes_a_discrepancy(document, fit_files):
    assert sb.load(fit_files["alone"]).discrepancy is None
    assert sb.load(fit_files["smooth"]).discrepancy == sb.discrepancy.Smooth()
    parameters = document("summary", fit_files["smooth"])["parameters"]
    assert "tau" in {row["parameter"] for row in parameters}


def test_forecasts_beyond_the_runs_say_what_they_allow_for(run, fit_files):
    sizes = ("--n-params", "70B", "--tokens", "1.4T")
    shown = " ".join(run("forecast", fit_files["alone"], *sizes).out.split())
    assert "a fit without --law-alone allows for its error" in shown
    for words in (("forecast", *sizes), ("allocate", "--flops", "1e24")):
        command, *rest = words
        shown = " ".join(run(command, fit_files["smooth"], *rest).out.split())
        assert "allow for the law's own error by smooth discrepancy" in shown


def test_check_gives_the_tables_of_the_python_api(run, document, fit_files):
    found = document("check", fit_files["alone"])
    checked = sb.load(fit_files["alone"]).check(seed=1)
    assert found["words"] == list(checked.words)
    assert [row["size"] for row in found["trends"]] == pytest.approx(list(checked.trends["size"]))
    ran = run("check", fit_files["alone"])
    assert ran.code == 0
    assert "replicated runs" in ran.out


def test_a_quantity_that_cannot_be_tested_has_no_p_and_a_note(run, document, fit_files):
    untested = [row for row in document("check", fit_files["smooth"])["trends"] if row["p"] is None]
    assert untested
    out = run("check", fit_files["smooth"]).out
    assert "nan" not in out
    assert "so that it cannot be tested" in " ".join(out.split())
    assert f"({len(untested)} more cannot be tested" in " ".join(out.split())


def test_diagnose_names_a_run_off_the_curve(document, fit_files, tmp_path):
    curve = float(sb.forecast(PUBLISHED, n_params=1e9, tokens=2e10).mean_curve.squeeze())
    table = pd.DataFrame({"n_params": [1e9], "tokens": [2e10], "loss": [1.05 * curve]})
    table.to_csv(tmp_path / "new.csv", index=False)
    found = document("diagnose", fit_files["alone"], tmp_path / "new.csv")
    expected = sb.diagnose_run(sb.load(fit_files["alone"]), table, seed=1).to_frame()
    assert found["runs"][0]["excess"] == pytest.approx(expected["excess"].iloc[0])
    assert "off the curve" in found["words"][0]


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
def test_compare_gives_the_verdict_first(run, document, fit_files, runs_csv):
    files = (fit_files["alone"], fit_files["smooth"])
    found = document("compare", *files, "published:besiroglu2024", "--held-out", runs_csv)
    names = {row["source"] for row in found["sources"]}
    assert names == {"chinchilla", "chinchilla with smooth discrepancy", "besiroglu2024"}
    assert all(row["rmse_held_out"] < 0.01 for row in found["sources"])
    ran = run("compare", *files)
    assert ran.code == 0
    assert ran.out.startswith("- ")


def test_compare_wants_two_sources_that_differ(run, fit_files):
    assert "two sources or more" in run("compare", fit_files["alone"]).err
    ran = run("compare", fit_files["alone"], fit_files["alone"])
    assert ran.code == 2
    assert "given twice" in ran.err


def test_backtest_gives_the_scores_of_the_python_api(document, runs_csv, tmp_path):
    words = ("backtest", runs_csv, "--cut", "1e20", "--cut", "1e21", "--directory", tmp_path)
    words = (*words, "--output", tmp_path / "points.csv", "--baseline", "least-squares")
    words = (*words, "--law", "chinchilla", "--discrepancy", "none")
    found = document(*words)
    runs = sb.read_runs(runs_csv)
    laws = {
        "chinchilla alone": sb.Fitter(sb.laws.Chinchilla(), settings=QUIET, discrepancy=None),
        "least-squares": sb.baselines.LogLinearLeastSquares(),
    }
    expected = sb.backtest(runs, laws, cuts=[1e20, 1e21], progressbar=False)
    assert {row["law"] for row in found["scores"]} == set(laws)
    assert [row["crps"] for row in found["scores"]] == pytest.approx(list(expected.scores["crps"]))
    assert len(pd.read_csv(tmp_path / "points.csv")) == len(expected.points)
    assert document(*words) == found


def test_backtest_refuses_a_cut_with_nothing_above(run, runs_csv):
    ran = run("backtest", runs_csv, "--cut", "1e30", "--baseline", "last-slope")
    assert ran.code == 2
    assert "leaves nothing to score" in ran.err
