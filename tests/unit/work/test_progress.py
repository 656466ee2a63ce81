"""What is shown while something runs: on a terminal, in a pipe, in a notebook."""

from __future__ import annotations

import io
import os
import re
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import pytest

import scaling_bayes as sb
from scaling_bayes._work import progress
from scaling_bayes._work.progress import Bar, Lines, NotebookLine, Shown, Watch, display_at, watched

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Watch:
    return Watch("Fit", clock)


def run_for(
    seconds: float,
    shown: Shown,
    clock: Clock,
    watch: Watch,
    *,
    until: float,
    detail: str = "sampling",
) -> None:
    """Tick every tenth of a second, while the share that is told grows evenly."""
    for tick in range(round(10 * seconds)):
        clock.now = 100 + tick / 10
        watch.tell(detail, min(1.0, tick / (10 * until)))
        shown.tick()
    clock.now = 100 + seconds


def test_a_line_says_what_how_far_how_long_and_what_is_left(clock, watch):
    assert watch.line() == "Fit: 0 s"
    watch.tell("compiling")
    clock.now += 4
    assert watch.line() == "Fit: 4 s (compiling)"
    watch.tell("sampling", 0.0)
    clock.now += 10
    watch.tell("sampling", 0.25)
    assert watch.line() == "Fit: 25%, 14 s, about 30 s left (sampling)"
    assert watch.last_line("done") == "Fit: done after 14 s"


def test_what_was_done_at_the_beginning_does_not_count_for_the_pace(clock, watch):
    watch.count(8, 10, "refits")
    clock.now += 60
    assert watch.remaining is None
    watch.count(9, 10, "refits")
    assert watch.line() == "Fit: 90%, 1 min 00 s, about 1 min 00 s left (9 of 10 refits)"


def test_the_pace_of_a_second_try_is_its_own(clock, watch):
    watch.tell("sampling", 0.0)
    clock.now += 100
    watch.tell("compiling")
    watch.tell("sampling", 0.0)
    clock.now += 10
    watch.tell("sampling", 0.5)
    assert watch.remaining == pytest.approx(10)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_durations_are_said_as_people_do(seconds, words):
    assert progress.in_words(seconds) == words


def test_in_a_pipe_there_is_a_line_every_ten_seconds(clock, watch):
    stream = io.StringIO()
    shown = Shown(watch, Lines(stream))
    run_for(35, shown, clock, watch, until=40)
    shown.end("done")
    assert stream.getvalue().splitlines() == [
        "Fit: 25%, 10 s, about 30 s left (sampling)",
        "Fit: 50%, 20 s, about 20 s left (sampling)",
        "Fit: 75%, 30 s, about 10 s left (sampling)",
        "Fit: done after 35 s",
    ]


def test_in_a_pipe_nothing_is_said_of_what_takes_a_few_seconds(clock, watch):
    stream = io.StringIO()
    shown = Shown(watch, Lines(stream))
    run_for(9, shown, clock, watch, until=9)
    shown.end("done")
    assert stream.getvalue() == ""


@pytest.fixture
def terminal(monkeypatch):
    """Give a stream to a pseudo-terminal of 60 columns, and what reads all that it got."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    reader, writer = os.openpty()
    got = bytearray()

    def read_on() -> None:
        try:
            while data := os.read(reader, 4096):
                got.extend(data)
        except OSError:  # the other end is closed
            pass

    thread = threading.Thread(target=read_on)
    thread.start()
    stream = os.fdopen(writer, "w", encoding="utf-8")

    def everything() -> str:
        stream.close()
        thread.join()
        return got.decode()

    yield stream, everything
    everything()
    os.close(reader)


def test_on_a_terminal_a_bar_grows_and_makes_way_for_the_last_line(terminal, clock, watch):
    stream, everything = terminal
    display = display_at(stream)
    assert isinstance(display, Bar)
    shown = Shown(watch, display)
    run_for(10, shown, clock, watch, until=20, detail="sampling with far too many words")
    shown.end("done")
    text = everything()
    frames = [frame.rstrip() for frame in re.split(r"[\r\n]+", ESCAPES.sub("", text)) if frame]
    *bars, last = [frame for frame in frames if frame.strip()]
    assert last == "Fit: done after 10 s"
    assert len(bars) == pytest.approx(90, abs=2)
    assert "Fit: 5%, 1 s, about 19 s left (samp" in bars[0]
    assert "Fit: 50%, 10 s, about 10 s left (sam" in bars[-1]
    grown = [bar.index("╸") for bar in bars if "╸" in bar]
    assert grown == sorted(grown)
    assert grown[0] <= 2
    assert grown[-1] == 9
    assert all(len(bar.split()[0]) == 20 for bar in bars)
    assert all(len(bar) <= 60 for bar in bars)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"


def test_on_a_terminal_nothing_is_said_of_what_takes_less_than_a_second(terminal, clock, watch):
    stream, everything = terminal
    shown = Shown(watch, Bar(stream))
    run_for(1, shown, clock, watch, until=1)
    shown.end("done")
    assert everything() == ""


class Notebook:
    """The part of IPython that shows things in a notebook."""

    def __init__(self, monkeypatch, *, kernel: object) -> None:
        self.displayed: list[str] = []
        self.updates: list[str] = []
        module = ModuleType("IPython")
        module.get_ipython = lambda: SimpleNamespace(kernel=kernel)
        display = ModuleType("IPython.display")
        display.display = self.display
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def display(self, content, *, raw, display_id):
        assert raw
        assert display_id is True
        self.displayed.append(content["text/plain"])
        return self

    def update(self, content, *, raw):
        assert raw
        self.updates.append(content["text/plain"])


def test_in_a_notebook_one_line_is_replaced(monkeypatch, clock, watch):
    notebook = Notebook(monkeypatch, kernel=object())
    display = display_at(io.StringIO())
    assert isinstance(display, NotebookLine)
    shown = Shown(watch, display)
    run_for(3, shown, clock, watch, until=10)
    shown.end("done")
    assert notebook.displayed == ["Fit: 10%, 1 s, about 9 s left (sampling)"]
    assert notebook.updates == [
        "Fit: 15%, 2 s, about 8 s left (sampling)",
        "Fit: 20%, 2 s, about 8 s left (sampling)",
        "Fit: 25%, 2 s, about 8 s left (sampling)",
        "Fit: done after 3 s",
    ]


def test_where_things_are_shown_follows_from_the_stream(monkeypatch, terminal):
    stream, _ = terminal
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert isinstance(display_at(io.StringIO()), Lines)
    assert display_at(None) is None
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(display_at(stream), Lines)
    Notebook(monkeypatch, kernel=None)
    assert isinstance(display_at(io.StringIO()), Lines), "IPython on a terminal"


@pytest.fixture
def at_once(monkeypatch) -> io.StringIO:
    """Let lines come at once, and return where they go."""
    monkeypatch.setattr(Lines, "first", 0.0)
    monkeypatch.setattr(Lines, "every", 0.0)
    stream = io.StringIO()
    monkeypatch.setattr(progress, "display_at", lambda _: Lines(stream))
    return stream


def wait_for(stream: io.StringIO, text: str) -> None:
    end = time.monotonic() + 10
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.01)


def test_what_is_told_is_shown_meanwhile_and_how_it_ended_at_the_end(at_once):
    with watched("Work", shown=True) as watch:
        watch.tell("digging", 0.5)
        wait_for(at_once, "Work: 50%, 0 s (digging)\n")
    assert at_once.getvalue().endswith("Work: done after 0 s\n")
    assert not any("scaling_bayes" in thread.name for thread in threading.enumerate())


def test_an_interrupt_passes_and_the_last_line_says_so(at_once):
    def work() -> None:
        with watched("Work", shown=True):
            wait_for(at_once, "Work: 0 s\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert at_once.getvalue().endswith("Work: ended after 0 s\n")


def test_within_what_is_watched_nothing_else_is_shown(at_once):
    with watched("Outer", shown=True):
        wait_for(at_once, "Outer")
        with watched("Inner", shown=True) as inner:
            inner.tell("unseen")
            time.sleep(0.3)
    assert "Inner" not in at_once.getvalue()
    with watched("Inner", shown=True):
        wait_for(at_once, "Inner")


def test_nothing_is_shown_where_nothing_is_asked_for_nor_within(at_once):
    with watched("Outer", shown=False), watched("Inner", shown=True):
        time.sleep(0.3)
    assert at_once.getvalue() == ""


def test_a_fit_says_what_it_does_unless_it_is_quiet(at_once, fitter, runs, monkeypatch):
    fitter.fit(runs, seed=1)
    assert at_once.getvalue() == ""
    monkeypatch.setattr(fitter, "settings", sb.SamplerSettings())
    fitter.fit(runs, seed=1)
    lines = at_once.getvalue().splitlines()
    assert any(re.match(r"Fit of chinchilla: \d+%, .*\(sampling, ", line) for line in lines)
    assert re.fullmatch(r"Fit of chinchilla: done after \d+ s", lines[-1])


def test_a_backtest_counts_refits_and_hides_the_fits_within(at_once, fitter, runs, monkeypatch):
    monkeypatch.setattr(fitter, "settings", sb.SamplerSettings())
    limit = float(runs.frame["flops"].median())
    sb.backtest(runs, {"law": fitter}, cuts=[limit])
    lines = at_once.getvalue().splitlines()
    assert any("(1 of 2 refits)" in line for line in lines)
    assert {line.partition(":")[0] for line in lines} == {"Backtest"}


def test_replay_and_fits_of_groups_say_how_many_are_done(at_once, fitter, runs):
    policies = {"random": sb.policies.Random()}
    options = {"flops": 1e22, "budgets": [2e20], "runs_per_budget": 1, "n_starts": 2}
    sb.replay(runs, policies, law=fitter, **options)
    assert "(1 of 2 starts)" in at_once.getvalue()
    halves = sb.read_runs(runs.frame.assign(half=["a", "b"] * (len(runs) // 2)))
    sb.fit_groups(halves, fitter, by="half")
    assert "(1 of 2 groups)" in at_once.getvalue()
