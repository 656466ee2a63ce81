"""What is happening and for how long, told to whoever waits.

On a terminal that is a bar, in a notebook one line that is replaced, and anywhere else, such as
in a pipe, a line every ten seconds. All of it goes to standard error or the notebook.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Protocol, TextIO

from scaling_bayes._printable import printable

_watched: ContextVar[bool] = ContextVar("_watched", default=False)
"""Whether this is part of something that is watched, or not, already."""

_TICK = 0.1
"""Seconds between two looks at whether something is to be shown."""
_BAR_WIDTH = 20
_LEAST_SHARE = 0.01
"""Share of the work that must be done before the time of the rest is estimated."""


class Watch:
    """How far some work is. Whoever works tells it; a thread of its own shows it.

    Parameters
    ----------
    what : str
        The work, as the subject of a line.
    clock : callable
        Returns seconds.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._began = clock()
        self._detail = ""
        self._share: float | None = None
        self._first: tuple[float, float] | None = None

    def tell(self, detail: str, share: float | None = None) -> None:
        """Say what is happening.

        Parameters
        ----------
        detail : str
            A few words.
        share : float, optional
            The share of it that is done; none if it is not known.
        """
        if share is not None and (self._first is None or self._share is None):
            self._first = (self._clock(), share)
        self._detail, self._share = detail, share

    def count(self, done: int, total: int, of: str) -> None:
        """Say how many of some things are done."""
        self.tell(f"{done} of {total} {of}", done / total)

    def add(self, words: str) -> None:
        """Add some words to what the work is called."""
        self._what = f"{self._what}, {words}"

    @property
    def share(self) -> float | None:
        """The share that is done; None if it is not known."""
        return self._share

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest takes at the pace since a share was first told; None if unknown."""
        if self._share is None or self._first is None:
            return None
        since, share = self._first
        done = self._share - share
        if done < _LEAST_SHARE:
            return None
        return (self._clock() - since) * (1 - self._share) / done

    def line(self) -> str:
        """Return what is happening, in one line."""
        share, remaining = self._share, self.remaining
        parts = [] if share is None else [f"{share:.0%}"]
        parts.append(in_words(self.elapsed))
        if remaining is not None:
            parts.append(f"about {in_words(remaining)} left")
        # What matters most comes first: a narrow terminal cuts the end off.
        detail = f" ({self._detail})" if self._detail else ""
        return printable(f"{self._what}: {', '.join(parts)}{detail}")

    def last_line(self, outcome: str) -> str:
        """Return how it ended, in one line."""
        return printable(f"{self._what}: {outcome} after {in_words(self.elapsed)}")


def in_words(seconds: float) -> str:
    """Return a duration as people say it."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class Display(Protocol):
    """Where lines go."""

    first: ClassVar[float]
    """Seconds after which something is shown for the first time."""
    every: ClassVar[float]
    """Seconds between two times, at least."""

    def show(self, watch: Watch) -> None:
        """Show how far it is."""

    def end(self, line: str) -> None:
        """Leave a last line; called only if something was shown."""


class Bar:
    """A bar on a terminal, which makes way for the last line.

    Parameters
    ----------
    stream : TextIO
        The terminal.
    """

    first: ClassVar[float] = 1.0
    every: ClassVar[float] = 0.0

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        # Standard output is for answers, and may be a file while standard error is a terminal.
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False
        )

    def show(self, watch: Watch) -> None:
        """Draw the bar anew."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        share = watch.share
        bar = ProgressBar(1.0, share or 0.0, width=_BAR_WIDTH, pulse=share is None)
        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(width=_BAR_WIDTH)
        row.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        row.add_row(bar, Text(watch.line()))
        self._live.start()
        self._live.update(row, refresh=True)

    def end(self, line: str) -> None:
        """Take the bar away and write the last line."""
        self._live.stop()
        self._console.print(line)


class Lines:
    """A line every ten seconds.

    Parameters
    ----------
    stream : TextIO
        Where to, such as a pipe or a file.
    """

    first: ClassVar[float] = 10.0
    every: ClassVar[float] = 10.0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, watch: Watch) -> None:
        """Write a line."""
        self.end(watch.line())

    def end(self, line: str) -> None:
        """Write the last line."""
        self._stream.write(f"{line}\n")
        self._stream.flush()


class NotebookLine:
    """One line below a cell, which is replaced."""

    first: ClassVar[float] = 1.0
    every: ClassVar[float] = 0.5

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, watch: Watch) -> None:
        """Replace the line."""
        self.end(watch.line())

    def end(self, line: str) -> None:
        """Replace the line by the last one."""
        from IPython.display import display

        content = {"text/plain": line}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class Shown:
    """Shows a watch whenever its display is due.

    Parameters
    ----------
    watch : Watch
        How far the work is.
    display : Display
        Where it is shown.
    """

    def __init__(self, watch: Watch, display: Display) -> None:
        self._watch = watch
        self._display = display
        self._due = display.first
        self._shown = False
        self._over = threading.Event()

    def tick(self) -> None:
        """Show how far it is, if that is due."""
        if self._watch.elapsed >= self._due:
            self._due = self._watch.elapsed + self._display.every
            self._shown = True
            self._display.show(self._watch)

    def end(self, outcome: str) -> None:
        """Leave a last line if there was any."""
        if self._shown:
            self._display.end(self._watch.last_line(outcome))

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """Tick until the end."""
        thread = threading.Thread(target=self._tick_on, name="scaling_bayes progress", daemon=True)
        thread.start()
        outcome = "ended"
        try:
            yield
            outcome = "done"
        finally:
            self._over.set()
            thread.join()
            self.end(outcome)

    def _tick_on(self) -> None:
        while not self._over.wait(_TICK):
            self.tick()


@contextmanager
def watched(what: str, *, shown: bool) -> Iterator[Watch]:
    """Show how far some work is, as long as it is under way.

    Within something that is watched nothing else is shown, and nothing at all within what is not
    shown.

    Parameters
    ----------
    what : str
        The work, as the subject of a line.
    shown : bool
        Whether anything is shown.

    Yields
    ------
    Watch
        To be told.
    """
    watch = Watch(what)
    display = display_at(sys.stderr) if shown and not _watched.get() else None
    before = _watched.set(True)
    try:
        if display is None:
            yield watch
        else:
            with Shown(watch, display).in_background():
                yield watch
    finally:
        _watched.reset(before)


def display_at(stream: TextIO | None) -> Display | None:
    """Return how progress is shown where a stream leads; None if it leads nowhere."""
    if in_notebook():
        return NotebookLine()
    if stream is None:
        return None
    bar = stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    return Bar(stream) if bar else Lines(stream)


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None
