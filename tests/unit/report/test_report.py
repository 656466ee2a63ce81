"""The page for the person who decides: what is on it, and what names can do to it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._report import first_page
from scaling_bayes._report.first_page import Asked, track_record
from scaling_bayes._report.pages import as_markdown
from scaling_bayes._report.section import Section
from scaling_bayes.errors import InputError, NoOptimumError

HOSTILE = '<script>alert("x")</script> \u202e\x1b[31m & | `rm` _a_ \U0001f600'
VOID = {"meta", "br", "path", "use", "rect", "circle", "line", "image", "stop"}


class Page(HTMLParser):
    """Tags, ids, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = [(name, value or "") for name, value in attrs]
        self.attributes += given
        self.ids += [value for name, value in given if name == "id"]
        self.links += [value for name, value in given if name in ("href", "xlink:href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def written(fit, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    return sb.report(fit, path, flops="1e22", target=2.2, track_record=False, seed=3)


@pytest.fixture(scope="module")
def page(written) -> Page:
    return Page(written.read_text())


def test_the_choice_comes_first_and_is_that_of_the_decision(page, fit):
    choice = sb.decide(fit, flops=1e22).choice
    first = page.text.index("The choice", page.text.index("Behind it"))
    words = page.text[first:]
    assert words.index("Train ") < words.index("The target") < words.index("Posterior")
    assert f"({choice.tokens / choice.n_params:.3g} tokens per parameter)" in words
    assert "90% equal-tailed interval of a new run" in words


def test_the_target_has_the_probability_of_the_forecast(page, fit):
    choice = sb.decide(fit, flops=1e22).choice
    forecast = sb.forecast(fit, n_params=choice.n_params, tokens=choice.tokens, seed=3)
    probability = float(forecast.probability_below(2.2).item())
    assert f"below 2.2 nats per token with probability {probability:.2f}" in page.text


def test_what_the_usual_rules_give_up_is_that_of_the_allocation(page, fit):
    n_params = (1e22 / (6 * 20)) ** 0.5
    mean = float(sb.loss_given_up(fit, n_params=n_params, flops=1e22).mean())
    assert "20 tokens per parameter" in page.text
    assert f"{mean:.4f}" in page.text


def test_it_needs_nothing_from_elsewhere(page, written):
    assert written.stat().st_size < 1e6
    assert not {"script", "link", "iframe", "object", "img"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    policies = [value for _, value in page.attributes if value.startswith("default-src 'none'")]
    assert len(policies) == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_links_lead_to_parts_and_names_are_unique(page):
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert {"choice", "target", "forecast", "changes", "rules", "doubts"} <= set(page.ids)


def test_pictures_hold_text_and_are_described(page):
    assert page.tags.count("svg") == 4
    assert "text" in page.tags
    described = [value for name, value in page.attributes if name == "aria-label"]
    assert any("Loss against compute" in each for each in described)


def test_the_same_seed_gives_the_same_page(written, fit, tmp_path):
    again = sb.report(
        fit, tmp_path / "again.html", flops="1e22", target=2.2, track_record=False, seed=3
    )
    assert again.read_text() == written.read_text()


def test_names_stay_text(fit, tmp_path):
    hostile = replace(fit.runs, source=HOSTILE)
    named = sb.Fit(fit.law, fit.noise, hostile, fit.data_tree)
    text = sb.report(named, tmp_path / "report.html", track_record=False).read_text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script" not in text
    assert "script" not in Page(text).tags
    assert "alert(" in Page(text).text


def test_names_stay_text_in_markdown():
    section = Section("name", HOSTILE, (HOSTILE,), ("a", HOSTILE), (("1", HOSTILE),), HOSTILE)
    text = as_markdown(HOSTILE, [section], [])
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not re.search(r"(?<!\\)<", text)
    (row,) = [line for line in text.splitlines() if line.startswith("| 1 |")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_markdown_says_the_same(fit, page, tmp_path):
    path = sb.report(
        fit, tmp_path / "report.md", flops="1e22", target=2.2, track_record=False, seed=3
    )
    text = path.read_text()
    assert text.startswith("# What to train: chinchilla on DataFrame\n")
    train = re.search(r"Train .*? FLOPs\.", page.text)
    assert train
    assert train.group() in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)
    assert len({line.count("|") for line in rows if "tokens per parameter" in line}) == 1


def test_the_track_record_counts_what_held(simulate, tmp_path, quiet):
    fit = sb.fit(
        simulate(60, seed=4), sb.laws.Chinchilla(), discrepancy=None, settings=quiet, seed=1
    )
    text = Page(sb.report(fit, tmp_path / "report.html", seed=1).read_text()).text
    found = re.search(r"held (\d+) of (\d+) times", text)
    assert found
    held, asked = map(int, found.groups())
    assert 0.6 * asked < held <= asked


def test_the_track_record_is_of_the_noise_of_the_fit(fit, monkeypatch):
    normal = sb.Fit(fit.law, sb.noise.Normal(), fit.runs, fit.data_tree)
    tested = []

    def refused(_, fitters, **__):
        tested.extend(each.noise for each in fitters.values())
        raise InputError("no cuts")

    monkeypatch.setattr(first_page, "backtest", refused)
    track_record(Asked(normal, sb.decide(fit, flops=1e22), None, 1))
    assert tested == [sb.noise.Normal()]


def test_of_too_few_runs_there_is_no_track_record(fit):
    few = sb.Fit(fit.law, fit.noise, replace(fit.runs, frame=fit.runs.frame.head(5)), fit.data_tree)
    (words,) = track_record(Asked(few, sb.decide(fit, flops=1e22), None, 1)).words
    assert words.startswith("There is none:")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("report.pdf", {}, "does not end in .html or .htm or .md"),
        ("report.html", {"target": -1.0}, "target loss is -1.0"),
        ("report.html", {"flops": "much"}, "much"),
        ("nowhere/report.html", {}, "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_said(fit, tmp_path, name, options, words):
    with pytest.raises(InputError, match=words):
        sb.report(fit, tmp_path / name, track_record=False, **options)
    assert not list(tmp_path.iterdir())


def test_what_is_no_fit_is_refused(tmp_path, truth):
    with pytest.raises(InputError, match="fit is a PublishedLaw"):
        sb.report(truth, tmp_path / "report.html")


def test_a_law_of_one_size_has_no_allocation(quiet, tmp_path):
    rng = np.random.default_rng(1)
    flops = np.geomspace(1e18, 1e21, 20)
    loss = (1.7 + (1e21 / flops) ** 0.15) * np.exp(0.002 * rng.standard_normal(20))
    runs = sb.read_runs(pd.DataFrame({"flops": flops, "loss": loss}))
    fit = sb.fit(runs, sb.laws.PowerLaw("flops"), discrepancy=None, settings=quiet, seed=1)
    with pytest.raises((InputError, NoOptimumError)):
        sb.report(fit, tmp_path / "report.html", track_record=False)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_browser_shows_it_and_refuses_nothing(written, tmp_path):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", written.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert shown.returncode == 0, shown.stderr
    assert "Content Security Policy" not in shown.stderr
    assert "The choice" in Page(shown.stdout).text
