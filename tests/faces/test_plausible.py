"""Limits, budgets and sizes that cannot be meant are warned of in one line, like those of runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace

import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._plausible import PLAUSIBLE
from scaling_bayes.errors import PlausibilityWarning, RunsError

LAW = sb.laws.Chinchilla.published["besiroglu2024"]
ONE = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=1, price="$2.50")
Run = Callable[..., SimpleNamespace]

DOUBTFUL: dict[str, tuple[Callable[[], object], str]] = {
    "largest model": (
        lambda: sb.decide(LAW, flops=1e22, limits=sb.Limits(n_params=1)),
        r"limits\.n_params, at most N 1.*too few parameters for a language model",
    ),
    "smallest model": (
        lambda: sb.decide(LAW, flops=1e40, limits=sb.Limits(least_n_params="5000T")),
        r"limits\.least_n_params.*more parameters than any model",
    ),
    "tokens": (
        lambda: sb.decide(LAW, flops=1e22, limits=sb.Limits(tokens=10)),
        r"limits\.tokens, at most D 10.*too few training tokens",
    ),
    "unique tokens": (
        lambda: sb.decide(LAW, flops=1e22, limits=sb.Limits(unique_tokens=30)),
        r"limits\.unique_tokens.*too few training tokens",
    ),
    "time of the choice": (
        lambda: sb.decide(LAW, flops=5.7e23, hardware=ONE),
        r"16,\d\d\d days of training of the choice.*longer than any run",
    ),
    "menu": (lambda: sb.decide(LAW, flops=1e22, n_params=[70]), "n_params 70.*too few parameters"),
    "ratio of the choice": (
        lambda: sb.decide(LAW, flops=1e22, limits=sb.Limits(n_params="2k")),
        "tokens is more than any|the choice, N 2K.*more (tokens than any|than 10 million tokens)",
    ),
    "budget": (lambda: sb.decide(LAW, flops=1e34), "budget.*more FLOPs than any training run"),
    "budgets": (
        lambda: sb.spending(LAW, flops=[1e22, 1e34]),
        "budget.*more FLOPs than any training run",
    ),
    "allocation": (lambda: sb.allocate(LAW, flops=[1e22, 1e34]), "budget 1e\\+34.*more FLOPs"),
    "small allocation": (lambda: sb.allocate(LAW, flops=100), "budget 100.*too few FLOPs"),
    "forecast": (lambda: sb.forecast(LAW, n_params=7, tokens=1e12), "n_params 7 is too few"),
    "tokens of a forecast": (
        lambda: sb.forecast(LAW, n_params=1e9, tokens=300),
        "tokens 300 is too few training tokens",
    ),
    "ratio of a forecast": (
        lambda: sb.forecast(LAW, n_params=[1e9, 1e5], tokens=[2e10, 5e12]),
        r"5e\+07 tokens per parameter is more than 10 million",
    ),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_cannot_be_meant_is_warned_of_in_one_line(name: str) -> None:
    ask, words = DOUBTFUL[name]
    with pytest.warns(PlausibilityWarning, match=words) as caught:
        ask()
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert str(caught[0].message).endswith(".")


def test_what_has_been_trained_is_no_doubt() -> None:
    cluster = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, n_devices=10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n_params, tokens in ((5e3, 1e6), (270e6, 6e12), (70e9, 15e12), (1e12, 3e11)):
            sb.forecast(LAW, n_params=n_params, tokens=tokens)
        for flops in (1e13, 1e22, 5e25):
            sb.allocate(LAW, flops=flops)
            sb.decide(LAW, flops=flops, hardware=cluster)
        sb.decide(
            LAW, flops=1e22, limits=sb.Limits(n_params="1B", wall_time="90 days"), hardware=cluster
        )


@pytest.mark.parametrize("size", ["n_params", "tokens", "flops"])
def test_tables_and_limits_are_judged_by_the_same_numbers(size: str) -> None:
    plausible = PLAUSIBLE[size]
    for value, reason in (
        (plausible.least / 1.01, plausible.too_small),
        (plausible.most * 1.01, plausible.too_large),
    ):
        assert plausible.doubt(value) == reason
        table = pd.DataFrame({"n_params": [1e9], "tokens": [2e10], "loss": [2.5]})
        if size == "flops":
            table = table.drop(columns="tokens")
        with pytest.raises(RunsError, match=reason):
            sb.read_runs(table.assign(**{size: value}))
    assert plausible.doubt(plausible.least) is plausible.doubt(plausible.most) is None


@pytest.mark.filterwarnings("default::scaling_bayes.errors.PlausibilityWarning")
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--max-params", "1"], "--max-params, at most N 1"),
        (["--min-params", "5000T", "--flops", "1e40"], "--min-params"),
        (["--max-tokens", "10"], "--max-tokens, at most D 10"),
        (["--unique-tokens", "30"], "--unique-tokens"),
    ],
)
def test_the_command_line_names_its_option(words: list[str], named: str, run: Run) -> None:
    budget = [] if "--flops" in words else ["--flops", "1e22"]
    ran = run("decide", "published:besiroglu2024", *budget, *words)
    assert ran.code == 0, ran.err
    [line] = [each for each in ran.err.splitlines() if each.startswith("warning:")]
    assert named in line
