"""A checksum at the end of a file, which tells damage before anything reads what is in it.

It protects from accidents and not from people: whoever changes a file can seal it anew.
"""

from __future__ import annotations

import hashlib
import re

_SEAL = b"\nscaling_bayes sha256 "
_SEALED = re.compile(re.escape(_SEAL) + rb"([0-9a-f]{64})\n")
_LENGTH = len(_SEAL) + 64 + 1


class SealError(ValueError):
    """A file is not what was sealed."""


class NoSealError(SealError):
    """A file has no checksum at its end."""


def sealed(content: bytes) -> bytes:
    """Return the content with its checksum at the end."""
    return content + _SEAL + hashlib.sha256(content).hexdigest().encode() + b"\n"


def unsealed(content: bytes) -> bytes:
    """Return what was sealed.

    Raises
    ------
    NoSealError
        If there is no checksum.
    SealError
        If the checksum is that of something else.
    """
    seal = _SEALED.fullmatch(content[-_LENGTH:])
    if seal is None:
        raise NoSealError("it has no checksum at its end")
    inside = content[:-_LENGTH]
    if hashlib.sha256(inside).hexdigest().encode() != seal[1]:
        raise SealError("its checksum is that of something else")
    return inside
