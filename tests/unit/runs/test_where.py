"""Conditions on rows: they keep the rows that pandas keeps, and run nothing."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes.errors import InputError
from scaling_bayes.runs._where import DEEPEST, MOST_CHARACTERS, MOST_OPERATIONS, truth_of_rows

TABLE = pd.DataFrame(
    {
        "loss": [3.5, 2.0, np.nan, 1.25, 2.0, -0.5],
        "tokens": [1, 2, 3, 4, 5, 7],
        "group": ["a", "b", None, "c", "it's", "a"],
        "best": [True, False, True, True, False, False],
        "val loss": [3.0, 1.0, 2.0, np.nan, 0.0, 2.0],
        "run": list("xxyyzz"),
    }
)

# --- What can be done to a machine is seen by Python's audit hook, whoever does it.

_DEEDS = (
    "open",
    "os.",
    "subprocess.",
    "socket.",
    "exec",
    "pickle.",
    "shutil.",
    "urllib.",
    "ctypes",
)
_seen: list[str] = []
_watched: list[int] = []


def _watch(event: str, _: object) -> None:
    if _watched and threading.get_ident() in _watched and event.startswith(_DEEDS):
        _seen.append(event)


sys.addaudithook(_watch)

HOSTILE = [
    "@pd.io.common.os.system('touch x')",
    "@np.f2py.os.system('touch x')",
    "@pd.read_pickle('x.pkl')",
    "loss.to_csv('x.csv')",
    "loss.to_csv('x.csv') is None",
    "__import__('os').system('touch x')",
    "().__class__.__base__.__subclasses__()",
    "(lambda: open('x', 'w'))()",
    "[open(x) for x in group]",
    "f'{loss.to_pickle(group)}' == 'a'",
    "open('x') if best else loss",
    "(x := open('x')) == 1",
    "eval('loss') < 3",
    "print(loss)",
    "last_of_each(open('x'))",
    "last_of_each(*run)",
    "last_of_each(run, key=open)",
    "last_of_each.__globals__",
    "index.to_series().to_csv('x')",
    "loss < 9**9**9",
    "loss < 2**(2**(2**64))",
    "'a' * 10**9 == group",
    "[0] * 10**9 == loss",
    "loss < 1e400",
    "loss < " + "9" * 5000,
    "`loss`.to_csv('x')",
    "loss[open('x')]",
    "loss < 3 # open",
    "loss < 3\nopen('x')",
    "{'a': open('x')}",
    "yield open('x')",
    "await open('x')",
    "best and open('x').read() or loss",
    "loss in open('x')",
    "loss in [open('x')]",
    "group == '\\N{BULLET}' or \\d",
    "`__class__`.x == `",
    "\ud800 < loss",
    "a\0b",
    "\u202eloss < 3",
    "\ufb01 < 3",
]
PIECES = st.sampled_from(
    [
        *HOSTILE,
        *("loss", "tokens", "group", "best", "`val loss`", "index", "run", "last_of_each(run)"),
        *(
            "open('x')",
            ".to_csv('x')",
            "os",
            "@",
            "__import__",
            "()",
            "lambda: ",
            "[",
            "]",
            "{",
            "}",
        ),
        *(" and ", " or ", " not ", " in ", " is ", "None", "&", "|", "~", "**", "%", "//", "9**9"),
        *("(", ")", "'", '"', "`", "#", "\n", "\\", ":=", "=", "==", "<", ",", ".", "!", "1e308"),
    ]
)


@st.composite
def hostile(draw: st.DrawFn) -> str:
    """Return a hostile text, with pieces put in, taken out and exchanged."""
    text = draw(st.sampled_from(HOSTILE) | st.lists(PIECES, max_size=8).map("".join) | st.text())
    for _ in range(draw(st.integers(0, 3))):
        start, end = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        text = text[:start] + draw(PIECES | st.text(max_size=3)) + text[end:]
    return text


def _all(examples):
    def decorated(test):
        for one in examples:
            test = example(one)(test)
        return test

    return decorated


@_all(HOSTILE)
@settings(max_examples=1000)
@given(hostile())
def test_a_hostile_text_is_a_condition_or_refused_and_does_nothing(text):
    _watched.append(threading.get_ident())
    start = time.thread_time()
    refusal = None
    try:
        rows = truth_of_rows(TABLE, text)
    except InputError as error:
        refusal = str(error)
    finally:
        _watched.clear()
    if refusal is None:
        assert rows.dtype == bool
        assert rows.shape == (len(TABLE),)
    else:
        assert refusal.startswith("where = ")
        assert refusal.isprintable()
        assert len(refusal) < 1500
    assert not _seen
    assert time.thread_time() - start < 1


def test_the_watch_sees_deeds(tmp_path):
    _watched.append(threading.get_ident())
    TABLE["loss"].to_csv(tmp_path / "x.csv")
    _watched.clear()
    assert "open" in _seen
    _seen.clear()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_refused(text):
    with pytest.raises(InputError, match=r"cannot be evaluated"):
        truth_of_rows(TABLE, text)


# --- Harmless conditions keep the rows that DataFrame.query keeps.

numbers = st.sampled_from(["loss", "tokens", "`val loss`", "index"])
constants = st.sampled_from(["0", "1", "2", "2.5", "1e-3", "-1", "4"])
divisors = st.sampled_from(["tokens", "2", "-3", "0.5"])  # a zero of floats has a sign
sums = st.recursive(
    numbers | constants,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner)
        | st.builds("({} {} {})".format, inner, st.sampled_from(["/", "%"]), divisors)
        | st.builds("(-{})".format, inner)
        | st.builds("({} ** {})".format, numbers, st.sampled_from(["2", "3", "0.5"]))
    ),
    max_leaves=4,
)
signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
texts = st.sampled_from(["'a'", "'b'", '"it\'s"', "'&'", "'`'"])
comparisons = (
    # A column on the left: pandas evaluates what has none by itself, as Python's numbers.
    st.builds("{} {} {}".format, numbers, signs, sums)
    | st.builds("({} {} {}) {} {}".format, numbers, st.sampled_from("+-*"), sums, signs, sums)
    | st.builds("{} {} {} {} {}".format, constants, signs, numbers, signs, constants)
    | st.builds("group {} {}".format, st.sampled_from(["==", "!="]), texts)
    | st.builds(
        "{} {} [{}, {}]".format, numbers, st.sampled_from(["in", "not in"]), constants, constants
    )
    | st.builds("group {} ({}, {})".format, st.sampled_from(["in", "not in"]), texts, texts)
    | st.sampled_from(["best", "best == True", "best == 1", "`val loss` == loss"])
)
conditions = st.recursive(
    comparisons,
    lambda inner: (
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or", "&", "|"]), inner)
        | st.builds("not ({})".format, inner)
        | st.builds("~({})".format, inner)
        | st.builds("({})".format, inner)
    ),
    max_leaves=5,
)


@settings(max_examples=500)
@given(conditions)
def test_the_rows_are_those_of_a_query(condition):
    try:
        expected = TABLE.query(condition, engine="python").index
    except (TypeError, ValueError, KeyError, ZeroDivisionError, NotImplementedError):
        assume(False)  # a number is no condition to pandas either, or it folds 1 % 0 itself
    found = TABLE.index[truth_of_rows(TABLE, condition)]
    assert list(found) == list(expected)


# --- What pandas has no word for.


def test_missing_cells_can_be_asked_for():
    for name in TABLE:
        written = f"`{name}`"
        missing = truth_of_rows(TABLE, f"{written} is None")
        np.testing.assert_array_equal(missing, TABLE[name].isna())
        np.testing.assert_array_equal(truth_of_rows(TABLE, f"{written} is not None"), ~missing)


def test_the_last_of_each_is_that_of_runs():
    runs = sb.datasets.load_tiny_transformers()
    assert runs.where("last_of_each(n_params)").frame.equals(runs.last_of_each("n_params").frame)
    both = runs.where("last_of_each(n_params, batch)").frame
    assert both.equals(runs.last_of_each("n_params", "batch").frame)


@pytest.mark.parametrize("dtype", ["Float64", "float64[pyarrow]", object])
def test_columns_of_every_dtype_are_compared(dtype):
    table = TABLE.astype({"loss": dtype})
    assert truth_of_rows(table, "loss < 2.5 and loss + 1 > 2").tolist() == [0, 1, 0, 1, 1, 0]
    assert truth_of_rows(table, "loss is None").tolist() == [0, 0, 1, 0, 0, 0]


def test_dates_categories_and_truth_values_with_gaps_are_compared():
    table = pd.DataFrame(
        {
            "day": pd.date_range("2026-01-01", periods=3),
            "kind": pd.Categorical(["a", "b", None]),
            "best": pd.Series([True, None, False], dtype=object),
            "none": [None] * 3,
        }
    )
    assert truth_of_rows(table, "day >= '2026-01-02'").tolist() == [0, 1, 1]
    assert truth_of_rows(table, "kind in ['b'] or kind is None").tolist() == [0, 1, 1]
    assert truth_of_rows(table, "best").tolist() == [1, 0, 0]
    assert truth_of_rows(table, "not best").tolist() == [0, 0, 1]
    assert truth_of_rows(table, "none > 1 or none is None").tolist() == [1, 1, 1]


def test_a_row_is_named_by_its_label():
    table = TABLE.set_index("run")
    assert truth_of_rows(table, "run == 'x'").tolist() == [1, 1, 0, 0, 0, 0]
    assert truth_of_rows(table, "index == 'x'").tolist() == [1, 1, 0, 0, 0, 0]


# --- What is refused, and with which words.


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("best and los < 3", r"'los' at character 10 is not a column\. Did you mean 'loss'\?"),
        ("`val los` < 3", r"'`val los`' at character 1 .*Did you mean 'val loss'"),
        ("loss.mean() < 3", r"'loss\.mean\(\)' at character 1 is not allowed"),
        ("loss = 3", r"cannot be read at character 6, '= 3'"),
        ("loss <", "ends too early"),
        ("", "ends too early"),
        ("best & (loss", "cannot be read at character 8"),
        ("loss", "one truth value for each run: compare it"),
        ("~loss < 3", "comparisons in brackets"),
        ("1 < 2", "one truth value for each run"),
        ("group == 1", r"'1' at character 10 holds numbers, where 'group' .* holds text"),
        ("tokens in [1, 'a']", r"\"'a'\" at character 15 holds text"),
        ("group < 3", "holds numbers"),
        ("group + 'a' == 'b'", "arithmetic takes numbers"),
        ("loss == None", "'None' at character 9 is not allowed here"),
        ("loss is 3", "where only None can"),
        ("loss in 3", "where a list such as"),
        ("loss in [None]", "not allowed here"),
        ("loss < 2 ** tokens ** 9", "exponent beyond 100"),
        ("last_of_each('run')", "takes the names of columns"),
        (f"best {'and best ' * MOST_OPERATIONS}", "is beyond 200"),
        (f"{'-' * DEEPEST}loss < 3", "brackets or signs deep"),
        (f"{'(' * 5000}best{')' * 4000}", "cannot be read"),
        ("best" + " " * MOST_CHARACTERS, "10,004 characters long"),
    ],
)
def test_a_refusal_names_the_text_the_place_and_what_is_allowed(text, fragment):
    with pytest.raises(InputError, match=fragment) as caught:
        truth_of_rows(TABLE, text)
    if len(text) <= MOST_CHARACTERS:
        assert "A condition is made of columns" in str(caught.value)


def test_a_list_may_be_long():
    rows = ", ".join(map(str, range(1500)))
    assert not truth_of_rows(TABLE, f"index not in [{rows}]").any()
