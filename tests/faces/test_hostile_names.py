"""Names of others steer no terminal, no formula of a picture and no spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

import scaling_bayes as sb
from scaling_bayes import plots
from scaling_bayes._printable import printable
from scaling_bayes._work.progress import Watch
from scaling_bayes.cli._answer import csv_of
from scaling_bayes.plots._axes import literal

ORDERS = "\x1b[31m\x07\u202e\u2066\x9b2J\r"
NAME = f"a{ORDERS}b"
TEX = ("$", r"_hidden $x$ 50% & #1 {}^_ \\$a$ $$", r"a\$b$c \alpha_{ $\frac{$")
Run = Callable[..., SimpleNamespace]


def is_harmless(text: str) -> bool:
    return text.replace("\n", "").isprintable()


@given(st.text())
def test_printable_text_steers_nothing_and_harmless_text_stays(text: str) -> None:
    assert is_harmless(printable(text))
    assert printable(printable(text)) == printable(text)
    if is_harmless(text):
        assert printable(text) == text


class HostileLaw(sb.laws.Chinchilla):
    """A law whose name is none."""

    name = NAME


def named(fit: sb.Fit, **changes: Any) -> sb.Fit:
    """Return the fit of runs with hostile names, by a law that has one if it is given."""
    groups = [NAME, f"b{ORDERS}"] * len(fit.runs)
    frame = fit.runs.frame.assign(group=groups[: len(fit.runs)], **{NAME: 1.0})
    runs = sb.Runs(frame, source=f"{NAME}.csv")
    return sb.Fit(changes.get("law", fit.law), fit.noise, runs, fit.data_tree)


def another(fit: sb.Fit) -> sb.Fit:
    """Return a fit of the same runs whose draws are others."""
    tree = fit.data_tree.copy()
    tree["posterior"] = fit.data_tree["posterior"].to_dataset().map(lambda draws: 1.001 * draws)
    return dataclasses.replace(fit, data_tree=tree)


@pytest.fixture(scope="module")
def hostile(fit: sb.Fit) -> sb.Fit:
    return named(fit, law=HostileLaw())


# --- Python


def everything_said(fit: sb.Fit) -> Iterator[object]:
    """Give each answer about a fit, and each of its sentences."""
    decision = sb.decide(fit, flops=1e22)
    candidates = pd.DataFrame({"n_params": ["100M", "1B"], "flops": [1e20, 1e21]}, index=[NAME, 2])
    values = sb.next_run(decision, candidates, most_refits=0)
    spending = sb.spending(fit, flops=np.geomspace(1e21, 1e23, 4))
    checked = fit.check(seed=1)
    larger = fit.runs.frame.assign(n_params=lambda runs: 1.1 * runs["n_params"]).drop(
        columns=["flops"]
    )
    diagnosis = sb.diagnose_run(fit, larger.set_index(pd.Index([NAME] * len(larger))), seed=1)
    comparison = sb.compare({NAME: fit, f"{NAME}2": another(fit)}, seed=1)
    average = sb.average({NAME: fit, f"{NAME}2": fit}, weights={NAME: 0.5, f"{NAME}2": 0.5})
    yield from (fit, fit.runs, fit.summary(), checked, decision, values, spending, diagnosis)
    yield from (comparison, average, fit.allocate(flops=1e22), fit.compute_to_reach(2.5))
    yield from (
        fit.forecast(n_params=1e9, tokens=1e10, seed=1),
        average.forecast(n_params=1e9, tokens=1e10),
    )
    yield from sb.plan_runs(decision, candidates, 2e21).to_frame().columns
    for answer in (checked, decision, values, spending, diagnosis):
        yield from answer.words
    yield from comparison.words


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
def test_every_answer_and_sentence_is_harmless(hostile: sb.Fit) -> None:
    said = [str(each) for each in everything_said(hostile)]
    assert all(map(is_harmless, said))
    assert sum(r"\x1b[31m" in each for each in said) >= 10


ERRORS: dict[str, Callable[[sb.Fit], object]] = {
    "column": lambda fit: fit.runs.below(**{f"{NAME}x": 1}),
    "where": lambda fit: fit.runs.where(f"`{NAME}x` < 3"),
    "nothing kept": lambda fit: sb.read_runs(fit.runs.frame, where=f"group == '{NAME[:-2]}'"),
    "cell": lambda fit: sb.read_runs(fit.runs.frame.assign(loss=NAME)),
    "label": lambda fit: sb.read_runs(
        fit.runs.frame.assign(loss=-1).set_index(pd.Index([NAME] * len(fit.runs)))
    ),
    "file": lambda fit: sb.read_runs(f"{NAME}.csv"),
    "fit file": lambda fit: sb.load(f"{NAME}.nc"),
    "mapping": lambda fit: sb.read_runs(fit.runs.frame, columns={NAME: "loss"}),
    "weights": lambda fit: sb.average({NAME: fit, "b": fit}, weights={NAME: 1, "c": 1}),
    "quantity": lambda fit: fit.allocate(flops=NAME),
}


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_harmless(name: str, hostile: sb.Fit) -> None:
    with pytest.raises(sb.errors.ScalingBayesError) as caught:
        ERRORS[name](hostile)
    assert is_harmless(str(caught.value))
    assert r"\x1b[31m" in str(caught.value)


def test_warnings_and_progress_are_harmless() -> None:
    assert is_harmless(str(sb.errors.RunsWarning(NAME)))
    watch = Watch(NAME)
    watch.tell(NAME)
    assert is_harmless(watch.line() + watch.last_line(NAME))


# --- The command line


@pytest.fixture(scope="module")
def files(fit: sb.Fit, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Return files with hostile names that hold hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    found = {name: folder / f"{name}{ORDERS}.{end}" for name, end in FILES.items()}
    shipped = named(fit)
    shipped.save(found["fit"])
    another(shipped).save(found["again"])
    shipped.runs.frame.to_csv(found["runs"], index=False)
    larger = shipped.runs.frame.assign(loss=lambda runs: runs["loss"] * 1.001)
    larger.drop(columns="flops").to_csv(found["larger"], index=False)
    found["points"].write_text(f"n_params,tokens,{NAME[:-3]}\n1B,20B,x\n", encoding="utf-8")
    found["candidates"].write_text("n_params,flops,note\n100M,1e20,=1\n1B,1e21,@\n")
    shipped.runs.frame.assign(loss=f"x{ORDERS[:-1]}").to_csv(found["bad"], index=False)
    return found


FILES = dict.fromkeys(["runs", "larger", "points", "candidates", "bad"], "csv") | {
    "fit": "nc",
    "again": "nc",
    "picture": "png",
}
COMMANDS = {
    "fit": ("fit", "{runs}", "--law", "chinchilla", "--law-alone"),
    "fit of one group": ("fit", "{runs}", "--where", f"group == 'x{ORDERS[:-1]}'"),
    "fit of a bad table": ("fit", "{bad}"),
    "fit by an unknown law": ("fit", "{runs}", "--law", NAME),
    "fit of no file": ("fit", f"{NAME}.csv"),
    "summary": ("summary", "{fit}"),
    "forecast": ("forecast", "{fit}", "--n-params", "1B", "--tokens", "20B"),
    "forecast of points": ("forecast", "{fit}", "--points", "{points}"),
    "forecast of no source": ("forecast", NAME, "--flops", "1e22"),
    "allocate": ("allocate", "{fit}", "--flops", "1e22"),
    "decide": ("decide", "{fit}", "--flops", "1e22"),
    "next-run": ("next-run", "{fit}", "{candidates}", "--flops", "1e22", "--refits", 0),
    "check": ("check", "{fit}"),
    "diagnose": ("diagnose", "{fit}", "{larger}"),
    "compare": ("compare", "{fit}", "{again}", "--held-out", "{larger}"),
    "countings": ("countings", "{runs}", "--flops", "1e22", "--counting", NAME),
    "plot": ("plot", "{fit}", "--output", "{picture}"),
    "plot of an unknown kind": ("plot", "{fit}", "--kind", NAME),
    "unknown command": (NAME,),
    "unknown option": ("fit", "{runs}", f"--{NAME}"),
    "backtest": ("backtest", "{runs}", "--law", NAME),
}


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
@pytest.mark.parametrize("shape", [(), ("--csv",), ("--json",)], ids=["people", "csv", "json"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_harmless(
    name: str, shape: tuple[str, ...], run: Run, files: Mapping[str, Path]
) -> None:
    words = [str(word) for word in COMMANDS[name]]
    if "plot" in words and shape:
        pytest.skip("a plot has one shape")
    for key, path in files.items():
        words = [word.replace(f"{{{key}}}", str(path)) for word in words]
    ran = run(*words, *shape)
    assert is_harmless(ran.out)
    assert is_harmless(ran.err)
    assert ran.code == (0 if name in WORKING else 2), ran.err


FAILING = {"backtest", "countings"}
WORKING = {name for name in COMMANDS if " " not in name} - FAILING | {"forecast of points"}


@pytest.mark.parametrize("begin", ["=", "+", "-", "@"])
def test_a_cell_of_csv_is_no_formula(begin: str) -> None:
    text = f"{begin}cmd|' /C calc'!A0"
    frame = pd.DataFrame({"name": [text, "-3", "a"], text: [-1.5, 2, np.inf], "n": [-1, 2, 3]})
    rows = list(csv.reader(io.StringIO(csv_of(frame))))
    assert rows[0] == ["name", f"'{text}", "n"]
    assert rows[1] == [f"'{text}", "-1.5", "-1"]
    assert [row[0] for row in rows[2:]] == ["-3", "a"]
    assert is_harmless(csv_of(pd.DataFrame({NAME: [NAME]})))


def test_candidates_are_read_like_runs(run: Run, files: Mapping[str, Path]) -> None:
    ran = run("next-run", files["fit"], "http://127.0.0.1:1/x.csv", "--flops", "1e22")
    assert ran.code == 2
    assert "does not exist" in ran.err
    short = files["candidates"].with_name("short.csv")
    short.write_text("n_params,flops\n1B\n")
    ran = run("next-run", files["fit"], short, "--flops", "1e22")
    assert ran.code == 2
    assert "line 2: has 1 cells, where the header has 2" in ran.err


# --- Pictures


def drawings(name: str, fit: sb.Fit) -> Mapping[str, Callable[[], object]]:
    """Return every picture in which a name can stand."""
    law = type("Law", (sb.laws.Chinchilla,), {"name": name})()
    one = sb.Fit(law, fit.noise, fit.runs, fit.data_tree)
    other = replace(fit.runs, frame=fit.runs.frame.assign(**{name: fit.runs.frame["loss"]}))
    with_column = sb.Fit(law, fit.noise, other, fit.data_tree)
    decision = sb.decide(one, flops=1e22)
    spending = sb.spending(one, flops=np.geomspace(1e21, 1e23, 3))
    return {
        "loss": lambda: plots.plot_loss(one),
        "loss along N": lambda: plots.plot_loss(one, along="n_params"),
        "isoflop": lambda: plots.plot_isoflop(one),
        "contours": lambda: plots.plot_contours(one),
        "frontier": lambda: plots.plot_frontier(one, flops=np.geomspace(1e20, 1e22, 3)),
        "regret": lambda: plots.plot_regret(decision),
        "range": lambda: plots.plot_range(decision),
        "spending": lambda: plots.plot_spending(spending),
        "residuals": lambda: plots.plot_residuals(with_column, against=name),
        "prior and posterior": lambda: plots.plot_prior_posterior(one),
        "compare": lambda: plots.plot_compare({name: one, "f": fit}),
        "held out": lambda: plots.plot_held_out({name: one}, fit.runs),
    }


NAMED = ("loss", "loss along N", "contours", "frontier", "regret", "spending", "residuals")


@pytest.mark.parametrize("name", [" ".join(TEX), NAME])
def test_every_picture_shows_a_name_to_the_letter(name: str, fit: sb.Fit) -> None:
    for what, draw in drawings(name, fit).items():
        ax = np.ravel(np.asarray(draw(), dtype=object))[0]
        ax.figure.canvas.draw()
        texts = [text.get_text() for text in ax.figure.findobj(Text)]
        assert all(map(is_harmless, texts))
        if what in (*NAMED, "compare", "held out"):
            shown = [text for text in texts if literal(name) in text]
            assert shown, (what, texts)
        plt.close("all")


@pytest.mark.parametrize("name", TEX)
def test_a_literal_name_is_drawn_as_it_is_written(name: str) -> None:
    figure = plt.figure()
    plain = figure.text(0, 0, literal(name))
    cleaned, is_math = plain._preprocess_math(plain.get_text())
    assert cleaned.strip() == name
    assert is_math is False
