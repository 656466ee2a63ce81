"""The command line: the same numbers as the Python API, for people and for machines."""

from __future__ import annotations

import errno
import inspect
import io
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

import scaling_bayes as sb
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes._inference.doubtful_runs import doubts_about
from scaling_bayes._inference.sampling import SAMPLERS
from scaling_bayes._prediction.allocation import DEFAULT_TOLERANCE
from scaling_bayes._work.progress import Lines
from scaling_bayes.cli import _allocate, _answer, _fit, _main, _numbers
from scaling_bayes.cli._answer import table_of
from scaling_bayes.cli._main import app
from scaling_bayes.cli._options import SamplerChoice
from scaling_bayes.cli._plot import Kind
from scaling_bayes.cli._remedies import in_options
from scaling_bayes.cli._sources import published_laws

PROGRAM = [sys.executable, "-c", "import sys; from scaling_bayes.cli import main; sys.exit(main())"]
COMMANDS = (
    *("demo", "fit", "forecast", "allocate", "summary", "plot"),
    *("check", "diagnose", "compare", "countings", "backtest"),
)
HOFFMANN = "published:hoffmann2022"
ALONE = ("--law", "chinchilla", "--law-alone")
Run = Callable[..., SimpleNamespace]
OWN_LAW = """\
import numpy as np
import scaling_bayes as sb

class LogLaw(sb.Law):
    name = "log-law"
    covariates = ("flops",)
    parameters = (
        sb.laws.irreducible_loss(),
        sb.laws.exponent("alpha_C", r"\\\\alpha_C", "compute", median=0.17),
        sb.laws.scale("C_c", "C_c", "FLOPs", median=1e19, spread=4),
    )

    def loss(self, p, x):
        return p.L_inf + np.log1p((p.C_c / x.flops) ** p.alpha_C)

not_a_law = 3
"""


def run_apart(*words: object) -> SimpleNamespace:
    """Run a command in a process of its own, with pipes."""
    done = subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


def document_of(ran: SimpleNamespace) -> dict:
    """Return the JSON that a command wrote, after it has ended well."""
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


@pytest.fixture(scope="module")
def runs_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table of 36 runs of Chinchilla's law."""
    rng = np.random.default_rng(5)
    grid = pd.MultiIndex.from_product([np.geomspace(5e7, 5e9, 6), np.geomspace(1e9, 2e11, 6)])
    points = grid.to_frame(index=False, name=["n_params", "tokens"])
    curve = sb.forecast(published_laws()["besiroglu2024"], points).mean_curve.values.ravel()
    table = points.assign(loss=curve * np.exp(rng.normal(0, 0.005, len(points))))
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(runs_csv: Path) -> sb.Fit:
    """Return the fit of the Python API."""
    settings = sb.SamplerSettings(progressbar=False)
    return sb.fit(
        sb.read_runs(runs_csv), sb.laws.Chinchilla(), settings=settings, seed=3, discrepancy=None
    )


@pytest.fixture(scope="module")
def fit_ran(run: Run, runs_csv: Path) -> tuple[SimpleNamespace, Path]:
    """Return what ``fit --json`` wrote, and where it saved the fit."""
    path = runs_csv.with_name("fit.nc")
    return run("fit", runs_csv, *ALONE, "--seed", 3, "--output", path, "--json"), path


@pytest.fixture(scope="module")
def fit_file(fit_ran: tuple[SimpleNamespace, Path]) -> Path:
    """Return the file of the fit."""
    return fit_ran[1]


def test_fit_gives_the_numbers_of_the_python_api(
    fit_ran: tuple[SimpleNamespace, Path], fitted: sb.Fit
) -> None:
    document = document_of(fit_ran[0])
    expected = fitted.summary()
    assert document["n_runs"] == 36
    assert (document["law"], document["noise"]) == ("chinchilla", "student-t")
    assert (document["prob"], document["interval"]) == (0.9, "equal-tailed")
    assert document["words"] == list(expected.words)
    assert document["diagnostics"]["converged"] is True
    shown = pd.DataFrame(document["parameters"]).set_index("parameter")
    pd.testing.assert_frame_equal(shown, expected.to_frame(), check_exact=True)
    assert "chinchilla fitted to 36 runs." in fit_ran[0].err
    assert "Not saved" not in fit_ran[0].err


def test_in_a_pipe_progress_goes_to_standard_error_and_the_answer_stays_clean(
    run: Run, runs_csv: Path, fit_ran: tuple[SimpleNamespace, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lines, "first", 0.0)
    monkeypatch.setattr(Lines, "every", 0.0)
    ran = run("fit", runs_csv, *ALONE, "--seed", 3, "--json")
    assert document_of(ran) == document_of(fit_ran[0])
    assert re.search(r"^Fit of chinchilla: \d+%, .*\(sampling, ", ran.err, re.MULTILINE)
    assert re.search(r"^Fit of chinchilla: done after \d+ s$", ran.err, re.MULTILINE)


def test_saved_fit_holds_the_draws_of_the_python_api(fit_file: Path, fitted: sb.Fit) -> None:
    assert sb.load(fit_file).draws.equals(fitted.draws)


def test_the_default_fit_is_that_of_the_python_api(
    run: Run, runs_csv: Path, tmp_path: Path
) -> None:
    document = document_of(run("fit", runs_csv, "--output", tmp_path / "fit.nc", "--json"))
    assert (document["law"], document["noise"]) == ("coupled", "student-t")
    settings = sb.SamplerSettings(progressbar=False)
    expected, saved = sb.fit(sb.read_runs(runs_csv), settings=settings, seed=1), tmp_path / "fit.nc"
    assert sb.load(saved).discrepancy == expected.discrepancy == sb.discrepancy.Smooth()
    assert sb.load(saved).data_tree["posterior"].equals(expected.data_tree["posterior"])
    shown = document_of(run("forecast", saved, "--n-params", "7B", "--tokens", "1T", "--json"))
    assert shown["discrepancy"] == "smooth"


def test_summary_as_csv(run: Run, fit_file: Path, fitted: sb.Fit) -> None:
    ran = run("summary", fit_file, "--csv", "--prob", 0.5, "--interval", "hdi")
    assert ran.code == 0
    shown = pd.read_csv(io.StringIO(ran.out), index_col="parameter", keep_default_na=False)
    expected = fitted.summary(prob=0.5, kind="hdi").to_frame()
    for column in ("median", "lower", "upper", "ess_tail"):
        np.testing.assert_allclose(shown[column], expected[column], rtol=1e-14)


def test_summary_for_people_says_which_interval(run: Run, fit_file: Path) -> None:
    ran = run("summary", fit_file, "--prob", 0.955)
    assert ran.code == 0
    for words in ("95.5% interval", "95.5% equal-tailed, of the parameters", "alpha_N", "R-hat"):
        assert words in " ".join(ran.out.split())
    assert max(map(len, ran.out.splitlines())) <= 100
    assert "\x1b" not in ran.out
    assert "…" not in ran.out


def test_forecast_gives_the_numbers_of_the_python_api(
    run: Run, fit_file: Path, fitted: sb.Fit
) -> None:
    ran = run(
        *("forecast", fit_file, "--n-params", "7B", "--n-params", "70B", "--tokens", "1.4T"),
        *("--target", 2.1, "--seed", 8, "--json"),
    )
    rows = document_of(ran)["forecast"]
    expected = fitted.forecast(n_params=["7B", "70B"], tokens="1.4T", seed=8)
    frame = expected.to_frame()
    for column in frame:
        assert [row[column] for row in rows] == frame[column].tolist()
    for of in ("mean_curve", "new_run"):
        below = expected.probability_below(2.1, of=of).values.tolist()
        assert [row[f"{of}_probability_below"] for row in rows] == below


def test_forecast_of_a_table_of_points(
    run: Run, fit_file: Path, fitted: sb.Fit, tmp_path: Path
) -> None:
    points = tmp_path / "points.csv"
    points.write_text("model,n_params,tokens\nsmall,7B,1.4T\nlarge,70B,1.4T\n")
    shown = pd.read_csv(
        io.StringIO(run("forecast", fit_file, "--points", points, "--csv", "--seed", 8).out)
    )
    expected = fitted.forecast(n_params=["7B", "70B"], tokens="1.4T", seed=8).to_frame()
    assert shown["model"].tolist() == ["small", "large"]
    np.testing.assert_allclose(shown["new_run_upper"], expected["new_run_upper"], rtol=1e-14)
    for_people = run("forecast", fit_file, "--points", points).out
    for words in ("large", "70B", "mean curve", "new run", "90% equal-tailed"):
        assert words in for_people


def test_compute_to_reach_a_loss(run: Run, fit_file: Path, fitted: sb.Fit) -> None:
    rows = document_of(run("forecast", fit_file, "--reach", 2.2, "--reach", 1.5, "--json"))["reach"]
    frame = fitted.compute_to_reach([2.2, 1.5]).to_frame()
    assert rows[0] == frame.iloc[0].to_dict()
    assert rows[1]["flops"] is None
    assert rows[1]["probability_never"] == frame["probability_never"].iloc[1] > 0.5
    assert "never" in run("forecast", fit_file, "--reach", 1.5).out


def test_points_beyond_the_runs_are_called_so(run: Run, fit_file: Path, fitted: sb.Fit) -> None:
    largest = fitted.runs.frame["flops"].max()
    beyond = run("forecast", fit_file, "--n-params", "7B", "--flops", 50 * largest)
    assert "50 times the largest compute fitted" in " ".join(beyond.out.split())
    assert "What the intervals mean" in " ".join(beyond.out.split())
    within = run("forecast", fit_file, "--n-params", "1B", "--flops", largest)
    assert "Extrapolation" not in within.out
    assert "Extrapolation" in run("allocate", fit_file, "--flops", 2 * largest, "--json").err
    assert "Extrapolation" in run("forecast", fit_file, "--reach", 1.9).out
    assert "Extrapolation" not in run("forecast", HOFFMANN, "--reach", 1.9).out


def test_points_and_reach_in_one_document(run: Run) -> None:
    ran = run("forecast", HOFFMANN, "--flops", 1e22, "--n-params", "7B", "--reach", 2, "--json")
    document = document_of(ran)
    assert (len(document["forecast"]), len(document["reach"])) == (1, 1)


def test_published_law_has_no_intervals(run: Run) -> None:
    ran = run("forecast", HOFFMANN, "--n-params", "70B", "--tokens", "1.4T")
    assert "1.9366" in ran.out
    assert "no intervals" in ran.out
    assert "90% interval" not in ran.out
    assert "new run\n" not in ran.out
    judged = run("forecast", HOFFMANN, "--n-params", "7B", "--tokens", "1T", "--target", 2.1)
    assert "below 2.1" in judged.out
    assert "yes" in judged.out
    assert "1.000" not in judged.out
    assert "P(never)" not in run("forecast", HOFFMANN, "--reach", 2).out
    assert "cost" not in run("allocate", HOFFMANN, "--flops", 1e22).out.partition("Its cost")[0]
    without_prefix = run("forecast", "hoffmann2022", "--n-params", "70B", "--tokens", "1.4T")
    assert without_prefix == ran


def test_allocate_gives_the_numbers_of_the_python_api(
    run: Run, fit_file: Path, fitted: sb.Fit
) -> None:
    ran = run(
        *("allocate", fit_file, "--flops", 1e22, "--flops", "5.88e23", "--tolerance", 0.002),
        *("--follow", "published:kaplan2020", "--json"),
    )
    rows = document_of(ran)["allocation"]
    allocation = fitted.allocate(flops=[1e22, 5.88e23])
    frame = allocation.to_frame(tolerance=0.002)
    for column in frame:
        # At the budget of the largest run there is no growth, and JSON knows no NaN.
        expected = [None if pd.isna(value) else value for value in frame[column]]
        assert [row[column] for row in rows] == expected
    best = allocation.recommended
    assert [row["recommended_tokens"] for row in rows] == best["tokens"].values.tolist()
    followed = sb.allocate(published_laws()["kaplan2020"], flops=[1e22, 5.88e23]).recommended
    given_up = allocation.loss_given_up(followed["n_params"].values)
    np.testing.assert_allclose(
        [row["loss_given_up"] for row in rows], given_up.median(("chain", "draw")), rtol=1e-3
    )
    assert all(row["loss_given_up_lower"] > 0 for row in rows)


def test_allocate_for_people(run: Run, fit_file: Path) -> None:
    ran = run("allocate", fit_file, "--flops", "5.88e23", "--follow", "kaplan2020")
    assert ran.code == 0
    assert not re.search(r"\de-\d", ran.out)
    for words in ("N*", "D*/N*", "Recommended", "0.001 nats", "kaplan2020", "90% equal-tailed"):
        assert words in ran.out


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_plot_writes_a_picture(
    run: Run, kind: Kind, fit_file: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    option = kind.name.lower().replace("_", "-")
    ran = run("plot", fit_file, "--kind", option, "--output", picture)
    assert ran.code == 0, ran.err
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not plt.get_fignums()
    assert list(tmp_path.iterdir()) == [picture]


def test_plot_passes_on_what_a_kind_knows(
    run: Run, fit_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}

    def plot_isoflop(fit: sb.Fit, *, flops: object = None, prob: float = 0.9) -> Axes:
        drawn.update(n_runs=len(fit.runs), flops=flops, prob=prob)
        return Figure().subplots()

    monkeypatch.setattr("scaling_bayes.plots.plot_isoflop", plot_isoflop)
    picture = tmp_path / "picture.png"
    options = ("--flops", "1e20", "--flops", "1e21", "--prob", 0.5, "--output", picture)
    assert run("plot", fit_file, "--kind", "isoflop", *options).code == 0
    assert drawn == {"n_runs": 36, "flops": ["1e20", "1e21"], "prob": 0.5}
    assert run("plot", fit_file, "--along", "n_params", "--output", picture).code == 0


def test_groups_fitted_as_one_law_are_named(runs_csv: Path) -> None:
    table = pd.read_csv(runs_csv).assign(group=["it's"] * 30 + ["dense"] * 6)
    runs = sb.read_runs(table, where="loss < 9")
    (doubt,) = doubts_about(runs, sb.laws.Chinchilla())
    assert doubt.words == "2 groups (it's 30, dense 6) are fitted as one law."
    query = in_options(doubt.remedy).partition('--where "')[2].partition('", or fit')[0]
    assert len(runs.where(query)) == 30
    assert not doubts_about(runs.where("group == 'dense'"), sb.laws.Chinchilla())
    alone = sb.read_runs(table.drop(columns="group"))
    assert not doubts_about(alone, sb.laws.Chinchilla())


def test_query_that_keeps_nothing_names_the_groups(
    run: Run, runs_csv: Path, tmp_path: Path
) -> None:
    table = tmp_path / "runs.csv"
    pd.read_csv(runs_csv).assign(kind=["dense"] * 30 + ["sparse"] * 6).to_csv(table, index=False)
    ran = run("fit", table, "--column", "group=kind", "--where", "group == 'nope'")
    assert ran.code == 2
    assert "The groups are dense 30, sparse 6." in ran.err


@pytest.mark.slow
def test_demo_sets_the_truth_beside_the_intervals(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "demo"
    ran = run("demo", "--output-dir", folder)
    assert ran.code == 0, ran.err
    words = " ".join(ran.out.split())
    assert "101 runs over sizes N and bytes D" in words
    assert "6 runs with 5 to 20 times the compute" in words
    runs = sb.datasets.load_tiny_transformers().where("split == 'held_out'")
    ordered = runs.frame.sort_values("flops")
    fit = sb.load(folder / "fit.nc")
    assert fit.diagnostics.converged
    assert fit.label == "coupled with smooth discrepancy"
    assert "coupled fitted to 101 runs in 77 rows" in words
    bounds = fit.forecast(ordered, seed=1).interval().values.T
    inside = 0
    for (lower, upper), loss in zip(bounds, ordered["loss"], strict=True):
        place = "below" if loss < lower else "above" if loss > upper else "inside"
        inside += place == "inside"
        assert f"{loss:.3f} [{lower:.3f}, {upper:.3f}] {place}" in words
    assert f"of a new run. {inside} of 6 truths lie inside." in words
    assert "Measured at that compute, after the allocation was made: N 251K 0.996, 467K" in words
    assert "5.12e+13 FLOPs is 10 times the largest compute fitted" in words
    for picture in ("forecasts", "loss", "isoflop", "residuals"):
        assert (folder / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_real_runs_give_the_published_exponents(real_data, tmp_path: Path) -> None:
    """The raw table has five outliers more than the 240 runs of Besiroglu et al. 2024."""
    path = tmp_path / "fit.nc"
    ran = run_apart("fit", real_data("chinchilla_fig4.csv"), *ALONE, "--output", path)
    assert ran.code == 0, ran.err
    assert "245 runs" in ran.out
    assert "\x1b" not in ran.out + ran.err
    *progress, last = ran.err.splitlines()
    assert all(line.startswith("Fit of chinchilla: ") for line in progress)
    assert last == f"Saved to {path}"
    assert max(map(len, ran.out.splitlines())) <= 100
    median = {
        words[0]: float(words[1])
        for words in map(str.split, ran.out.splitlines())
        if words and words[0] in ("L_inf", "alpha_N", "alpha_D", "a")
    }
    assert median["L_inf"] == pytest.approx(1.8172, abs=0.03)
    assert median["alpha_N"] == pytest.approx(0.3478, abs=0.02)
    assert median["alpha_D"] == pytest.approx(0.3658, abs=0.02)
    assert median["a"] == pytest.approx(0.513, abs=0.02)


@pytest.mark.slow
def test_own_law_is_run_from_its_file(run: Run, runs_csv: Path, tmp_path: Path) -> None:
    laws, fit = tmp_path / "my_laws.py", tmp_path / "own.nc"
    laws.write_text(OWN_LAW)
    ran = run("fit", runs_csv, "--law", f"{laws}:LogLaw", "--output", fit, "--json")
    assert document_of(ran)["law"] == "log-law"
    assert run("summary", fit).code == 2
    assert document_of(run("summary", fit, "--law", f"{laws}:LogLaw", "--json"))
    assert run("fit", runs_csv, "--law", f"{laws}:Nothing").code == 2
    assert run("fit", runs_csv, "--law", f"{laws}:not_a_law").code == 2
    laws.write_text("raise RuntimeError('broken')")
    assert "RuntimeError: broken" in run("fit", runs_csv, "--law", f"{laws}:LogLaw").err


@pytest.mark.filterwarnings("default::scaling_bayes.errors.IdentifiabilityWarning")
def test_no_convergence_exits_with_1_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    table, target = tmp_path / "narrow.csv", tmp_path / "fit.nc"
    table.write_text(
        "n_params,tokens,loss\n1e8,2e9,3.1\n1.2e8,2e9,3.05\n1.4e8,2e9,3.02\n1.9e8,2e9,2.97\n"
    )
    ran = run(
        *("fit", table, "--law", "power-n", "--draws", 10, "--tune", 10, "--output", target),
        "--csv",
    )
    assert ran.code == 1
    assert "did not converge" in ran.err
    assert ran.err.startswith("warning: n_params varies only by a factor of 1.9")
    assert ran.out == ""
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fti"], 'Did you mean "fit"?'),
        (["fit"], "RUNS"),
        (["fit", "{runs}", "--jsn"], "--jsn"),
        (["fit", "{runs}", "--json", "--csv"], "--json"),
        (["fit", "{runs}", "--prob", "90"], "--prob"),
        (["fit", "{runs}", "--interval", "wide"], "equal-tailed"),
        (["fit", "{runs}", "--sampler", "stan"], "nutpie"),
        (["fit", "{runs}", "--chains", "1"], "chains"),
        (["fit", "{runs}", "--law", "chinchila"], "chinchilla"),
        (["fit", "{runs}", "--law", "nowhere.py:Law"], "nowhere.py"),
        (["fit", "{runs}", "--noise", "cauchy"], "student-t"),
        (["fit", "{runs}", "--column", "loss"], "loss=val_loss"),
        (["fit", "{runs}", "--column", "loss=val_loss"], "val_loss"),
        (["fit", "{runs}", "--where", "loss <"], "loss <"),
        (["fit", "{runs}", "--where", "n_params > 2e9"], "n_params"),
        (["fit", "{runs}", "--output", "nowhere/fit.nc"], "nowhere"),
        (["fit", "{runs}", "--output", "{folder}"], "folder"),
        (["fit", "nowhere.csv"], "nowhere.csv"),
        (["summary", "nowhere.nc"], "nowhere.nc"),
        (["summary", "{runs}"], "runs.csv"),
        (["plot", "nowhere.nc"], "nowhere.nc"),
        (["plot", "nowhere.nc", "--output", "picture"], ".png"),
        (["plot", "nowhere.nc", "--kind", "pie"], "isoflop"),
        (["plot", "nowhere.nc", "--flops", "1e21"], "--flops has no meaning for --kind loss"),
        (["forecast", HOFFMANN], "--reach"),
        (["forecast", "published:nobody2030", "--flops", "1e22"], "hoffmann2022"),
        (["forecast", HOFFMANN, "--n-params", "7X", "--tokens", "1T"], "7X"),
        (["forecast", HOFFMANN, "--n-params", "7", "--tokens", "1T"], "'7B'"),
        (["forecast", HOFFMANN, "--points", "{runs}", "--flops", "1e22"], "not both"),
        (["forecast", HOFFMANN, "--points", "nowhere.csv"], "nowhere.csv"),
        (["forecast", HOFFMANN, "--points", "{runs}", "--reach", "2", "--csv"], "one table"),
        (["forecast", HOFFMANN, "--reach", "-2"], "positive"),
        (["forecast", HOFFMANN, "--reach", "2", "--target", "2"], "--target"),
        (["allocate", HOFFMANN], "--flops"),
        (["allocate", HOFFMANN, "--flops", "1e22 FLOP/s"], "rate"),
        (["allocate", HOFFMANN, "--flops", "5"], "flops = 5 is too few FLOPs"),
        (["allocate", HOFFMANN, "--flops", "1e22", "--tolerance", "0"], "tolerance"),
        (["allocate", HOFFMANN, "--flops", "1e22", "--follow", "nobody"], "nobody"),
        (["allocate", "published:kaplan2020-flops", "--flops", "1e22"], "optimal"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_used_exits_with_2(
    run: Run,
    words: list[str],
    message: str,
    runs_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*(word.format(runs=runs_csv, folder=tmp_path) for word in words))
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert "--help" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    assert "runs" not in ran.out or words[0] == "fit"
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_a_process_of_its_own_is_plain_text() -> None:
    ran = run_apart("summary", "nowhere.nc")
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == (
        "error: nowhere.nc: there is no such file.\nTry: scaling-bayes summary --help\n"
    )


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = [*PROGRAM, "forecast", HOFFMANN, "--n-params", "7B", "--tokens", "1T"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_help_that_is_cut_short_is_no_error() -> None:
    code = (
        "import os, sys; read, write = os.pipe(); os.close(read); os.dup2(write, 1); "
        "from scaling_bayes.cli import main; sys.exit(main(['fit', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_interrupt_in_a_callback_of_the_compiler_ends_the_process() -> None:
    """There, an exception would be dropped, and the command would go on."""
    code = """
import ctypes, os, signal, sys
from scaling_bayes.cli import _main

def interrupted(*_, **__):
    ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), signal.SIGINT))()
    print("went on")

_main.app = interrupted
sys.exit(_main.main([]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted\n")


def test_handler_of_interrupts_is_given_back(run: Run) -> None:
    before = signal.getsignal(signal.SIGINT)
    run("forecast", "nowhere.nc", "--flops", 1)
    run("--version")
    assert signal.getsignal(signal.SIGINT) is before


def test_of_many_rows_people_see_the_ends_and_machines_all(
    run: Run, fit_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_answer, "_MOST_ROWS", 50)
    budgets = np.geomspace(1e20, 1e22, 60)
    plans = tmp_path / "plans.csv"
    pd.DataFrame({"flops": budgets, "n_params": 1e9}).to_csv(plans, index=False)
    options = [word for each in budgets for word in ("--flops", each)]
    for command in (("forecast", fit_file, "--points", plans), ("allocate", fit_file, *options)):
        shown = run(*command).out
        assert "first and last 20 of 60 rows; --csv has all" in shown
        table = pd.read_csv(io.StringIO(run(*command, "--csv").out))
        np.testing.assert_allclose(table["flops"], budgets)
        document = json.loads(run(*command, "--json").out)
        rows = document.get("forecast") or document.get("allocation")
        assert [row["flops"] for row in rows] == list(table["flops"])


@pytest.mark.parametrize(
    ("python", "option"),
    [
        (
            'To leave rows out: read_runs(..., where="index not in [2]").',
            'To leave rows out: --where "index not in [2]".',
        ),
        (
            'by other names, pass columns={"loss": "val loss", "tokens": "D"}.',
            'by other names, give --column loss="val loss" --column tokens=D.',
        ),
        ("Pass it: sb.load(path, law=...).", "Name it: --law my_laws.py:MyLaw."),
        ('To keep them, pass unfinished="keep".', "To keep them, give --unfinished keep."),
        ('Delete it, or pass duplicates="drop"; if', "Delete it, or give --duplicates drop; if"),
        ('pass loss_unit="nats_per_token".', "give --loss-unit nats_per_token."),
        ('alone, such as sb.laws.PowerLaw("flops").', "alone, such as --law power-c."),
        ('Say at={"unique_tokens": ...}.', "Say --at unique_tokens=...."),
        ("Pass columns= where another", "Give --column where another"),
        ('More draws. To look at the draws all the same, pass on_failure="warn".', "More draws."),
        ("... and 3 more (3 in loss): see the error's .problems.", "... and 3 more (3 in loss)."),
    ],
)
def test_remedies_are_options(python: str, option: str) -> None:
    assert in_options(python) == option


def test_errors_of_the_core_give_options(run: Run, tmp_path: Path, runs_csv: Path) -> None:
    table = tmp_path / "bad.csv"
    pd.read_csv(runs_csv).assign(loss=lambda runs: runs["loss"].where(runs.index > 0, -1)).to_csv(
        table, index=False
    )
    assert '--where "index not in [2]"' in run("fit", table).err
    pd.read_csv(runs_csv).rename(columns={"loss": "val_loss"}).to_csv(table, index=False)
    assert "--column loss=val_loss" in run("fit", table).err


def test_help_lists_commands_and_exit_codes(run: Run) -> None:
    ran = run("--help")
    assert ran.code == 0
    for words in (*COMMANDS, "Exit codes", "did not converge", "bad usage"):
        assert words in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_parse(run: Run, command: str) -> None:
    text = run(command, "--help").out
    examples = [
        line.strip().partition(" > ")[0]
        for line in text.partition("Examples")[2].splitlines()
        if line.startswith("  scaling-bayes ")
    ]
    assert examples
    for example in examples:
        words = shlex.split(example)[1:]
        assert words[0] == command
        app.parse_args(words, print_error=False, exit_on_error=False)


def test_help_lists_laws_noises_and_published_sets(run: Run) -> None:
    text = "".join(run("fit", "--help").out.split())
    for name in (*sb.laws.REGISTRY, *sb.noise.REGISTRY):
        assert name in text
    text = "".join(run("forecast", "--help").out.split()).replace("│", "")
    for name in published_laws():
        assert f"published:{name}" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from scaling_bayes.cli import main; main(sys.argv[1:]); "
        "heavy = {'pymc', 'pytensor', 'nutpie', 'arviz_base', 'arviz_stats', 'pandas', 'xarray', "
        "'scipy', 'matplotlib', 'pandera', 'numba'}; sys.exit(' '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command, "--help"], capture_output=True, text=True, check=False
    )
    assert "Examples" in done.stdout
    assert done.stderr.strip() == ""


def test_version(run: Run) -> None:
    assert run("--version").out.strip() == sb.__version__


def test_defaults_are_those_of_the_python_api() -> None:
    options = {name: each.default for name, each in inspect.signature(_fit.fit).parameters.items()}
    settings = sb.SamplerSettings()
    for name in ("draws", "tune", "chains", "target_accept"):
        # What is left out is taken from the settings of Python: those of groups are others.
        assert options[name] in (None, getattr(settings, name))
    reader = inspect.signature(sb.read_runs).parameters
    for name in ("flops_per_param_token", "flops_tolerance"):
        assert options[name] == reader[name].default
    assert get_args(SamplerChoice) == tuple(SAMPLERS)
    tolerance = inspect.signature(_allocate.allocate).parameters["tolerance"].default
    assert tolerance == DEFAULT_TOLERANCE


def test_table_on_a_narrow_terminal_keeps_every_digit() -> None:
    console = Console(width=24, file=io.StringIO())
    console.print(table_of("", ["", "median"], [["a parameter", "[1.23456789, 2.34567891]"]]))
    text = console.file.getvalue()
    digits = [letter for letter in text if letter.isdigit()]
    assert "…" not in text
    assert "".join(digits) == "123456789234567891"


def test_costs_are_decimals() -> None:
    shown = [_numbers.cost(value) for value in (0.0, 1e-9, 9e-5, 0.0046, 0.12345)]
    assert shown == ["0.0000", "<0.0001", "0.0001", "0.0046", "0.1235"]


def test_file_is_replaced_only_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.png"
    path.write_text("old")

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", no_space)
        with pytest.raises(sb.errors.InputError, match="No space left"):
            write_whole(path, b"half")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(path, b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_in_the_place_of_a_fit_is_to_be_fitted_first(tmp_path, capsys):
    table = tmp_path / "runs.csv"
    table.write_text("n_params,tokens,loss\n")
    for command in (["forecast", "--n-params", "1B"], ["allocate", "--flops", "1e20"]):
        assert _main.main([command[0], str(table), *command[1:]]) == 2
        assert "is a table of runs: fit it first" in capsys.readouterr().err


def test_python_runs_the_package():
    command = [sys.executable, "-m", "scaling_bayes", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sb.__version__


@pytest.mark.filterwarnings("always::scaling_bayes.errors.RunsWarning")
def test_checkpoints_that_are_left_out_are_no_doubt(
    run: Run, sweep: sb.Runs, tmp_path: Path
) -> None:
    frame = sweep.frame[["n_params", "tokens", "loss"]].assign(run=lambda x: x.index)
    early = frame.assign(tokens=frame["tokens"] / 2, loss=frame["loss"] * 1.05)
    path = tmp_path / "runs.csv"
    pd.concat([early, frame]).to_csv(path, index=False)
    ran = run("fit", path, "--law", "chinchilla", "--law-alone")
    assert ran.code == 0, ran.err
    assert f"rows of {len(frame)} runs. Rows of one run share its luck" in ran.err
    assert "Doubt" not in ran.err + ran.out
