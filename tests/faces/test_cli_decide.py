"""The commands that decide: the numbers of the Python API, and remedies in options."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.cli._main import app

BESIROGLU = "published:besiroglu2024"
HARDWARE = ("--peak", "989 TFLOP/s", "--utilisation", 0.4, "--price", "$2.50", "--devices", 512)
H100 = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=512, price="$2.50")
COMMANDS = ("decide", "next-run")
Run = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def fit_file(fit: sb.Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    fit.save(path)
    return path


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("candidates") / "candidates.csv"
    path.write_text("n_params,flops\n100M,1e20\n1B,1e21\n3B,1e21\n")
    return path


def document_of(ran: SimpleNamespace) -> dict:
    """Return the JSON that a command wrote, after it has ended well."""
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_decide_gives_the_numbers_of_the_python_api(run: Run, fit_file: Path, fit: sb.Fit) -> None:
    ran = run(
        *("decide", fit_file, "--money", "$200k", *HARDWARE, "--served-tokens", "1T"),
        *("--max-params", "20B", "--max-tokens", "3T", "--rule", "quantile", "--prob", 0.8),
        *("--epsilon", 0.02, "--seed", 3, "--json"),
    )
    document = document_of(ran)
    decision = sb.decide(
        fit,
        money="$200k",
        hardware=H100,
        served_tokens="1T",
        limits=sb.Limits(n_params="20B", tokens="3T"),
        rule=sb.rules.Quantile(0.8),
        seed=3,
    )
    for name in ("n_params", "tokens", "flops", "total_flops"):
        assert document["choice"][name] == getattr(decision.choice, name)
    assert document["budget"] == decision.budget
    assert document["binding"] == list(decision.binding)
    assert document["expected_loss"] == decision.expected_loss
    assert document["value_of_perfect_information"] == decision.value_of_perfect_information
    found = decision.range(epsilon=0.02, prob=0.8)
    assert document["range"]["n_params"] == list(found.n_params)
    expected = decision.alternatives(prob=0.8)
    shown = pd.DataFrame(document["alternatives"]).set_index("alternative")
    np.testing.assert_allclose(shown.to_numpy(float), expected.to_numpy(float), rtol=1e-12)
    changes = [row["change"] for row in document["changes"]]
    assert changes == decision.what_would_change_it()["change"].tolist()


def test_decide_for_people(run: Run, fit_file: Path) -> None:
    ran = run("decide", fit_file, "--flops", 1e23, "--epsilon", 0.02, "--prob", 0.8)
    assert ran.code == 0, ran.err
    words = " ".join(ran.out.split())
    for each in (
        "Train N ",
        "The choice and alternatives",
        "80% interval",
        "by quantile",
        "0.5 N",
        "What would change it",
        "2 times the budget",
        "regret below 0.02 nats with probability 0.8",
        "80% equal-tailed intervals",
        "Extrapolation: 1e+23 FLOPs is 100 times the largest compute fitted",
    ):
        assert each in words
    assert "0.001 nats" not in words
    assert max(map(len, ran.out.splitlines())) <= 100


def test_decide_as_csv_with_a_picture(run: Run, fit_file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "regret.png"
    ran = run("decide", fit_file, "--flops", 1e22, "--csv", "--output", picture)
    assert ran.code == 0, ran.err
    shown = pd.read_csv(io.StringIO(ran.out))
    assert shown["alternative"][0] == "choice"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "Train N " in ran.err


def test_decide_by_a_published_law_has_no_intervals(run: Run) -> None:
    ran = run("decide", BESIROGLU, "--flops", 5.88e23, "--n-params", "7B", "--n-params", "70B")
    assert ran.code == 0, ran.err
    assert "Train N 70B" in ran.out
    assert "no intervals" in ran.out
    assert "90% interval" not in ran.out
    assert "percentile" not in ran.out


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("--rule", "cvar-regret"), sb.rules.CVaR(of="regret")),
        (("--rule", "cvar", "--prob", 0.8), sb.rules.CVaR(0.8)),
        (("--rule", "meet-target", "--target", 2.1), sb.rules.MeetTarget(2.1)),
        (("--rule", "cheapest", "--target", 2.2, "--prob", 0.8), sb.rules.Cheapest(2.2, 0.8)),
        (("--rule", "expected_loss"), sb.rules.ExpectedLoss()),
    ],
)
def test_rules_are_those_of_the_python_api(
    run: Run, fit_file: Path, fit: sb.Fit, words: tuple, rule: sb.rules.Rule
) -> None:
    choice = document_of(run("decide", fit_file, "--flops", 1e23, *words, "--json"))["choice"]
    assert choice["n_params"] == sb.decide(fit, flops=1e23, rule=rule).choice.n_params


def test_several_laws_are_averaged(run: Run) -> None:
    ran = run(
        *("decide", BESIROGLU, "published:hoffmann2022", "--flops", 1e24),
        *("--rule", "minimax-regret", "--json"),
    )
    document = document_of(ran)
    published = sb.laws.Chinchilla.published
    both = sb.average(
        {f"published:{name}": published[name] for name in ("besiroglu2024", "hoffmann2022")}
    )
    expected = sb.decide(both, flops=1e24, rule="minimax_regret").choice.n_params
    assert document["choice"]["n_params"] == pytest.approx(expected)


def test_next_run_gives_the_numbers_of_the_python_api(
    run: Run, fit_file: Path, fit: sb.Fit, candidates: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "values.png"
    ran = run(
        *("next-run", fit_file, candidates, "--flops", 1e23, "--budget", "2e21", "--refits", 0),
        *("--seed", 4, "--output", picture, "--json"),
    )
    document = document_of(ran)
    decision = sb.decide(fit, flops=1e23, seed=4)
    table = pd.read_csv(candidates)
    values = sb.next_run(decision, table, most_refits=0, seed=4).to_frame()
    plan = sb.plan_runs(decision, table, "2e21", seed=4)
    shown = pd.DataFrame(document["values"])
    np.testing.assert_allclose(shown["evsi"], values["evsi"])
    np.testing.assert_allclose(shown["cost"], values["cost"])
    assert [row["candidate"] for row in document["plan"]] == [
        1 + row for row in plan.to_frame().index
    ]
    assert document["stopped"] == plan.stopped
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_next_run_for_people(run: Run, fit_file: Path, candidates: Path) -> None:
    ran = run(
        *("next-run", fit_file, candidates, "--flops", 1e23, "--refits", 0, "--budget", "2e21")
    )
    assert ran.code == 0, ran.err
    words = " ".join(ran.out.split())
    for each in (
        "Most value has candidate 2 (N 1B, D 167B)",
        "3 candidates with most value",
        "Runs to train together for",
        "Perfect knowledge of the mean curve would gain",
        "The plan ends there because",
    ):
        assert each in words
    assert max(map(len, ran.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["decide"], "give a fit or a published law"),
        (["decide", BESIROGLU], "give the budget: --flops, --gpu-hours or --money."),
        (["decide", BESIROGLU, "--flops", "1e22", "--money", "5"], "give one of them"),
        (["decide", BESIROGLU, BESIROGLU, "--flops", "1e22"], "is given twice"),
        (["decide", BESIROGLU, "--flops", "1e22 FLOP/s"], "rate"),
        (["decide", BESIROGLU, "--flops", "5"], "below the smallest feasible"),
        (["decide", BESIROGLU, "--flops", "1e22", "--rule", "best"], "rule"),
        (["decide", BESIROGLU, "--rule", "cheapest"], "--rule cheapest needs a loss: --target"),
        (["decide", BESIROGLU, "--flops", "1e22", "--target", "2"], "no use for --target"),
        (["decide", BESIROGLU, "--money", "5"], "give --peak and --utilisation."),
        (["decide", BESIROGLU, "--flops", "1e22", "--price", "5"], "both --peak and --utilisation"),
        (
            ["decide", BESIROGLU, "--money", "5", "--peak", "1e15", "--utilisation", "0.4"],
            "such as --price '$2.50'",
        ),
        (
            ["decide", BESIROGLU, "--flops", "1e22", "--wall-time", "5 days"],
            "give --peak, --utilisation and --devices.",
        ),
        (
            ["decide", BESIROGLU, "--flops", "1e22", "--rule", "minimax-regret"],
            "For one law take --rule cvar-regret.",
        ),
        (["decide", BESIROGLU, "--flops", "1e22", "--of", "new_run"], "Decide on --of mean_curve."),
        (["decide", BESIROGLU, "--flops", "1e22", "--epsilon", "0"], "--epsilon is 0"),
        (["decide", BESIROGLU, "--flops", "1e22", "--output", "x.txt"], ".png"),
        (["decide", "published:kaplan2020-flops", "--flops", "1e22"], "optimal"),
        (["next-run", "nowhere.nc", "{candidates}", "--flops", "1e22"], "nowhere.nc"),
        (["next-run", "{fit}", "nowhere.csv", "--flops", "1e22"], "nowhere.csv"),
        (["next-run", "{fit}", "{candidates}"], "--flops, --gpu-hours or --money"),
        (
            ["next-run", "{fit}", "{candidates}", "--flops", "1e22", "--budget", "5"],
            "below the cost of the cheapest candidate",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_used_exits_with_2(
    run: Run, words: list[str], message: str, fit_file: Path, candidates: Path
) -> None:
    ran = run(*(word.format(fit=fit_file, candidates=candidates) for word in words))
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert "sb." not in ran.err
    assert "--help" in ran.err.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_parse(command: str) -> None:
    from scaling_bayes.cli import _decide, _next_run

    examples = {"decide": _decide.EXAMPLES, "next-run": _next_run.EXAMPLES}[command]
    lines = [line for line in examples.splitlines() if line.startswith("  scaling-bayes ")]
    assert len(lines) >= 3
    for line in lines:
        words = shlex.split(line)[1:]
        assert words[0] == command
        app.parse_args(words, print_error=False, exit_on_error=False)


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
