"""Ctrl-C ends a command, whatever is running."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130
_SHOW_CURSOR: Final = "\x1b[?25h"


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let an interrupt end the process, instead of raising KeyboardInterrupt.

    While a model is compiled, an exception may come up in a callback of the compiler, which
    drops it, and the command would go on. Files appear only when they are whole, so that ending
    anywhere leaves none half written.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    before = signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    # A progress bar may have hidden the cursor. The streams of Python may be in the middle of a
    # write, so this one goes around them.
    cursor = _SHOW_CURSOR if sys.__stderr__ is not None and sys.__stderr__.isatty() else ""
    os.write(2, f"{cursor}\ninterrupted\n".encode())
    os._exit(INTERRUPTED)
