"""Files that appear only when they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaling_bayes.errors import InputError


def writable(path: str) -> Path:
    """Return a path that a file can be written to, before any work is done for it.

    Raises
    ------
    InputError
        If it is a folder, or is in no folder.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise InputError(f"--output {target} is a folder; give the name of a file in it.")
    if not target.parent.is_dir():
        raise InputError(f"--output {target}: there is no folder {target.parent}; make it first.")
    return target


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file, which takes the place of `path` at the end."""
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
