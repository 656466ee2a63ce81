from __future__ import annotations

from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._notebook import InNotebook, page_of
from scaling_bayes.units import format_quantity

TAGS = {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "span"}
HOSTILE = "<script>alert(1)</script> & $x^2$ \x1b[31m\u202e"


class Page(HTMLParser):
    """What a browser makes of a page: its tags, which must be closed in order, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.text, self._open = "", []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(result: object) -> Page:
    found = Page(result._repr_html_())
    assert set(found.tags) <= TAGS
    return found


@pytest.fixture(scope="module")
def results(plain_fit, default_fit):
    """One of each kind of answer, by name."""
    other = sb.average({"one": plain_fit, "other": default_fit})
    points = {"n_params": [1e9, 1e10], "tokens": [2e10, 2e11]}
    return {
        "fit": plain_fit,
        "runs": plain_fit.runs,
        "summary": default_fit.summary(),
        "forecast": default_fit.forecast(**points, seed=1),
        "allocation": default_fit.allocate(flops=["1e22", "1e23"]),
        "reach": default_fit.compute_to_reach([2.6, 2.4]),
        "decision": sb.decide(default_fit, flops="1e22"),
        "comparison": sb.compare({"one": plain_fit, "other": default_fit}),
        "diagnosis": sb.diagnose_run(
            default_fit, pd.DataFrame({"n_params": [1e9], "tokens": [2e10], "loss": [2.6]})
        ),
        "average": other.allocate(flops="1e22"),
    }


NAMES = (
    *("fit", "runs", "summary", "forecast", "allocation", "reach", "decision", "comparison"),
    *("diagnosis", "average"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_what_is_printed_first_and_a_table(results, name):
    result = results[name]
    found = page(result)
    assert found.tags["table"] == 1
    assert found.tags["tr"] >= 2
    if name != "comparison":
        assert repr(result).partition("\n")[0] in found.text


@pytest.mark.parametrize("name", ["summary", "forecast", "allocation", "reach"])
def test_it_says_what_the_intervals_are_of(results, name):
    assert "90% equal-tailed" in page(results[name]).text


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.forecast(n_params=1e9, tokens=2e10),
        lambda fit: fit.allocate(flops="1e22"),
        lambda fit: sb.decide(fit, flops="1e22"),
    ],
)
def test_no_number_stands_without_its_doubts(thin_fit, ask):
    result = ask(thin_fit)
    doubts = [str(doubt) for doubt in result.doubts]
    assert doubts
    assert all(doubt in page(result).text for doubt in doubts)


def test_sizes_are_written_as_people_write_them(results):
    text = page(results["allocation"]).text
    recommended = results["allocation"].recommended["n_params"].to_numpy()
    for n_params in recommended:
        assert format_quantity(float(n_params), kind="n_params") in text


def test_names_are_text_and_no_tags_formulas_or_orders(fit):
    frame = pd.DataFrame({HOSTILE: [HOSTILE, 1.0]}, index=pd.Index(["a", HOSTILE], name=HOSTILE))
    html = page_of(HOSTILE, frame, [HOSTILE])
    found = Page(html)
    assert set(found.tags) <= TAGS
    assert found.text.count("<script>alert(1)</script>") == 6
    assert "\x1b" not in html
    assert "\u202e" not in html
    # A formula must lie inside one element, so a dollar sign has one of its own.
    assert html.count("$") == html.count("<span>$</span>") > 0
    runs = replace(fit.runs, source=HOSTILE)
    assert "script" not in page(runs).tags


def test_a_long_table_shows_its_first_rows_and_says_so():
    found = Page(page_of("many", pd.DataFrame({"loss": np.ones(1000)}), []))
    assert found.tags["tr"] == 21
    assert "980 more rows are in to_frame()." in found.text


def test_many_points_show_both_ends(default_fit):
    many = default_fit.forecast(n_params=np.geomspace(1e8, 1e11, 3000), tokens=1e11, seed=1)
    found = page(many)
    assert found.tags["tr"] == 11
    assert "100B" in found.text


def test_missing_values_are_empty_and_text_and_numbers_stay():
    frame = pd.DataFrame({"x": [np.nan, 1.25], "word": [None, "yes"], "flag": [True, False]})
    cells = page_of("t", frame, []).split("<tbody>")[1]
    assert "<td></td><td></td><td>True</td>" in cells
    assert "<td>1.25</td><td>yes</td><td>False</td>" in cells


def every(kind: type) -> list[type]:
    return [kind, *(below for each in kind.__subclasses__() for below in every(each))]


def test_whatever_is_shown_as_a_table_has_one():
    kinds = [kind for kind in every(InNotebook) if kind.__module__.startswith("scaling_bayes")]
    assert len(kinds) > 8
    for kind in kinds[1:]:
        has_frame = hasattr(kind, "to_frame") or "_notebook_frame" in vars(kind)
        assert has_frame or kind.__subclasses__(), kind
