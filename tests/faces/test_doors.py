"""Arguments that cannot be used: one clear sentence, in Python and on the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes.errors import IdentifiabilityWarning, InputError, RunsError

HOFFMANN = sb.laws.Chinchilla.published["hoffmann2022"]
PUBLISHED = "published:hoffmann2022"
PROGRAM = [sys.executable, "-c", "import sys; from scaling_bayes.cli import main; sys.exit(main())"]
POINT = {"n_params": 1e9, "tokens": 2e10}
Run = Callable[..., SimpleNamespace]


def table(n_runs: int, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    sizes = pd.DataFrame(
        {"n_params": 10 ** rng.uniform(8, 10, n_runs), "tokens": 10 ** rng.uniform(9, 11, n_runs)}
    )
    loss = sb.forecast(HOFFMANN, sizes).mean_curve.to_numpy().ravel()
    return sizes.assign(loss=loss * np.exp(0.003 * rng.standard_normal(n_runs)), **columns)


# --- Sources

SOURCES: dict[str, Callable[[object], object]] = {
    "forecast": lambda source: sb.forecast(source, **POINT),
    "allocate": lambda source: sb.allocate(source, flops="1e22"),
    "loss given up": lambda source: sb.loss_given_up(source, **POINT),
    "compute to reach": lambda source: sb.compute_to_reach(source, 2.5),
    "decide": lambda source: sb.decide(source, flops="1e22"),
    "spending": lambda source: sb.spending(source, flops=["1e22", "1e23"]),
    "diagnose": lambda source: sb.diagnose_run(source, table(3)),
    "compare": lambda source: sb.compare({"a": source}),
    "score": lambda source: sb.score({"a": source}, sb.read_runs(table(3))),
    "average": lambda source: sb.average({"a": source}),
    "plot loss": sb.plots.plot_loss,
    "plot isoflop": lambda source: sb.plots.plot_isoflop(source, flops=["1e22"]),
    "plot compare": lambda source: sb.plots.plot_compare({"a": source}),
    "plot held out": lambda source: sb.plots.plot_held_out({"a": source}, sb.read_runs(table(3))),
}


@pytest.mark.parametrize("ask", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("source", [3, "fit.nc", sb.laws.Chinchilla(), sb.Fit, None], ids=repr)
def test_what_has_no_draws_of_a_law_is_refused(ask, source):
    with pytest.raises(InputError, match=r"has no draws of a law|cannot forecast"):
        ask(source)


# --- Seeds


SEEDED: dict[str, Callable[[sb.Fit, object], object]] = {
    "fit": lambda fit, seed: sb.fit(fit.runs, sb.laws.Chinchilla(), discrepancy=None, seed=seed),
    "fit with discrepancy": lambda fit, seed: sb.fit(fit.runs, seed=seed),
    "fit groups": lambda fit, seed: sb.fit_groups(
        fit.runs, sb.laws.Chinchilla(), by="tokens", seed=seed
    ),
    "forecast": lambda fit, seed: fit.forecast(**POINT, seed=seed),
    "forecast of a law": lambda _, seed: sb.forecast(HOFFMANN, **POINT, seed=seed),
    "check": lambda fit, seed: fit.check(seed=seed),
    "decide": lambda fit, seed: sb.decide(fit, flops=1e22, seed=seed),
    "spending": lambda fit, seed: sb.spending(fit, flops=[1e21, 1e22], seed=seed),
    "next run": lambda fit, seed: sb.next_run(
        sb.decide(fit, flops=1e22), pd.DataFrame([POINT]), seed=seed
    ),
    "diagnose": lambda fit, seed: sb.diagnose_run(fit, fit.runs, seed=seed),
    "backtest": lambda fit, seed: sb.backtest(fit.runs, {"law": sb.laws.Chinchilla()}, seed=seed),
    "score": lambda fit, seed: sb.score({"a": fit}, fit.runs, seed=seed),
    "predictive": lambda fit, seed: fit.posterior_predictive(seed=seed),
}


@pytest.mark.parametrize("seed", [-1, "one", 1.5])
@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_that_is_none_is_refused(name: str, seed: object, fit: sb.Fit) -> None:
    with pytest.raises(InputError, match=r"seed is .*; give a whole number, at least 0"):
        SEEDED[name](fit, seed)


# --- Targets and weights


@pytest.mark.parametrize("target", [np.nan, np.inf, -1.0, 0, "low", None])
def test_a_target_that_no_loss_can_be_is_refused(target: object) -> None:
    with pytest.raises(InputError, match=r"target loss is .*positive number"):
        sb.forecast(HOFFMANN, **POINT).probability_below(target)
    with pytest.raises(InputError, match=r"target loss is .*positive number"):
        sb.rules.MeetTarget(target)


@pytest.mark.parametrize("weight", [1e300, 1e6, 1001, 0.5, 1e-9, 2.5])
def test_a_weight_that_is_no_number_of_averaged_runs_is_refused(weight: float) -> None:
    with pytest.raises(RunsError, match=r"weight = .*number of equal runs .* is the mean of"):
        sb.read_runs(table(8, weight=[weight] + [1] * 7))


@pytest.mark.parametrize("weight", [1, 3, 1000])
def test_a_number_of_averaged_runs_is_a_weight(weight: int) -> None:
    assert sb.read_runs(table(8, weight=weight)).frame["weight"].eq(weight).all()


# --- As many runs as parameters


def test_as_many_runs_as_parameters_are_warned_of() -> None:
    law = sb.laws.Chinchilla()
    with pytest.warns(IdentifiabilityWarning, match="as many runs as chinchilla has parameters, 5"):
        check_identifiable(sb.read_runs(table(5)), law)
    with pytest.raises(sb.errors.IdentifiabilityError, match="4 runs"):
        check_identifiable(sb.read_runs(table(4)), law)
    check_identifiable(sb.read_runs(table(6)), law)


# --- Paths


PATHS = ["", "a\0b.nc", "~nobody-of-this-name/fit.nc", 3, None, b"fit.nc"]
OPENED: dict[str, Callable[[sb.Fit, object], object]] = {
    "save": lambda fit, path: fit.save(path),
    "load": lambda _, path: sb.load(path),
    "directory": lambda fit, path: sb.backtest(
        fit.runs, {"law": sb.laws.Chinchilla()}, directory=path, seed=0
    ),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", OPENED)
def test_a_path_that_is_none_is_refused(name: str, path: object, fit: sb.Fit) -> None:
    if path is None and name == "directory":
        pytest.skip("no directory keeps nothing")
    with pytest.raises(InputError, match="the path"):
        OPENED[name](fit, path)


@pytest.mark.parametrize("path", ["", "a\0b.csv", "~nobody-of-this-name/runs.csv"])
def test_a_table_at_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(RunsError, match="the path"):
        sb.read_runs(path)


def test_a_fit_is_saved_to_a_file_in_a_folder(fit: sb.Fit, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        fit.save(tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        fit.save(tmp_path / "nowhere" / "fit.nc")
    assert fit.save(str(tmp_path / "fit.nc")).is_file()


# --- The command line


RUNS = str(Path(sb.__file__).with_name("datasets") / "cerebras_gpt.csv")
BAD = {
    "target nan": (
        ["forecast", PUBLISHED, "--n-params", "1B", "--tokens", "1T", "--target", "nan"]
    ),
    "seed": ["forecast", PUBLISHED, "--n-params", "1B", "--tokens", "1T", "--seed", "-1"],
    "seed of decide": ["decide", PUBLISHED, "--flops", "1e22", "--seed", "-1"],
    "seed of fit": ["fit", RUNS, "--flops-tolerance", "0.8", "--seed", "-1"],
    **{
        f"path {path!r} of {command}": [command, path, *more]
        for path in ("", "~nobody-of-this-name/x", "a\0b")
        for command, more in {
            "fit": [],
            "summary": [],
            "check": [],
            "forecast": ["--flops", "1e22"],
            "decide": ["--flops", "1e22"],
            "plot": [],
            "backtest": [],
        }.items()
    },
    **{
        f"output {path!r} of {command[0]}": [*command, option, path]
        for path in ("", "~nobody-of-this-name/x.png", "a\0b.png")
        for command, option in (
            (["fit", RUNS], "--output"),
            (["plot", RUNS], "--output"),
            (["demo"], "--output-dir"),
            (["backtest", RUNS, "--flops-tolerance", "0.8"], "--directory"),
            (["fit", RUNS, "--flops-tolerance", "0.8"], "--law"),
        )
    },
}


@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.IdentifiabilityWarning")
@pytest.mark.parametrize("name", BAD)
def test_the_command_line_says_one_sentence_and_ends_with_2(name: str, run: Run) -> None:
    ran = run(*BAD[name])
    assert ran.code == 2
    assert ran.out == "" or not ran.out.startswith("{")
    errors = [line for line in ran.err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, ran.err
    assert "Traceback" not in ran.err


LAWS = {
    "at once": "raise KeyboardInterrupt",
    "exit": "import sys; sys.exit(0)",
    "in the loss": (
        "import scaling_bayes as sb\n"
        "class Law(sb.laws.Chinchilla):\n"
        "    name = 'own'\n"
        "    def loss(self, p, x):\n"
        "        raise KeyboardInterrupt\n"
    ),
}


@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.IdentifiabilityWarning")
@pytest.mark.parametrize("name", LAWS)
def test_an_interrupt_raised_by_a_law_is_an_error_of_its_file(
    name: str, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "law.py"
    path.write_text(LAWS[name], encoding="utf-8")
    ran = run("fit", RUNS, "--flops-tolerance", 0.8, "--law", f"{path}:Law", "--law-alone")
    assert ran.code == 2
    assert "error: " in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("end", ["| head -0", "| true", ">&-", "> /dev/full", "2>&-"])
@pytest.mark.parametrize("words", [f"allocate {PUBLISHED} --flops 1e22", "--help"])
def test_a_standard_output_that_takes_nothing_leaves_no_traceback(words: str, end: str) -> None:
    program = " ".join(f"'{word}'" for word in PROGRAM)
    script = f"set -o pipefail; {program} {words} {end}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    lost = end in {">&-", "> /dev/full"}
    assert done.returncode == (2 if lost else 0)
    assert done.stderr.startswith("error: ") == lost
