"""Where a command may write."""

from __future__ import annotations

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
