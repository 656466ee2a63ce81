"""Text of others, such as names in a file, as it may be printed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps


def printable(text: str) -> str:
    r"""Return a text with an escape for each character that does something instead of being seen.

    These are what `str.isprintable` says of them, but for line breaks: control characters, which
    steer a terminal; those that turn the direction of writing; and invisible ones.

    Examples
    --------
    >>> print(printable("\x1b[31mred\u202e"))
    \x1b[31mred\u202e
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text
    )


def printed[Printed](words: Callable[[Printed], str]) -> Callable[[Printed], str]:
    """Make what a method such as ``__repr__`` returns printable."""

    @wraps(words)
    def safe(self: Printed) -> str:
        return printable(words(self))

    return safe
