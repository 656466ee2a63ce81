"""Paths as users give them."""

from __future__ import annotations

import os
from pathlib import Path

from scaling_bayes.errors import InputError


def path_of(path: object) -> Path:
    """Return a path, with ``~`` as the home folder.

    Raises
    ------
    InputError
        If it is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"the path is {path!r}; give text or a Path.")
    text = os.fspath(path)
    if not text or isinstance(text, bytes):
        raise InputError(f"the path is {text!r}; give the name of a file or folder as text.")
    if "\0" in text:
        raise InputError(f"the path {text!r} cannot be opened: no path has a NUL. Correct it.")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError(
            f"the path {text!r} cannot be opened: there is no such user. Give the folder in full."
        ) from None


def writable(path: object, role: str) -> Path:
    """Return the path of a file that can be written, before any work is done for it.

    Parameters
    ----------
    path : str or Path
        As the user gives it.
    role : str
        What it is called, such as ``"--output"``.

    Raises
    ------
    InputError
        If it is none, is a folder, or is in no folder.
    """
    target = path_of(path)
    if target.is_dir():
        raise InputError(f"{role} {target} is a folder; give the name of a file in it.")
    if not target.parent.is_dir():
        raise InputError(f"{role} {target}: there is no folder {target.parent}; make it first.")
    return target
