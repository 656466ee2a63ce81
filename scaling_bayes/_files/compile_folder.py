"""A folder that PyTensor can compile in, where it has none of its own."""

from __future__ import annotations

import atexit
import os
import re
import warnings
from pathlib import Path
from typing import Final

from scaling_bayes.errors import CompilationWarning

_VARIABLE: Final = "PYTENSOR_FLAGS"


def ensure_compile_folder() -> None:
    """Let PyTensor compile in a temporary folder where it cannot write to its own.

    That is ``.pytensor`` in the home, or what the variable ``PYTENSOR_FLAGS`` names. PyTensor reads
    the variable when it is imported, and does not work without a folder.

    Warns
    -----
    CompilationWarning
        If the folder that the variable names cannot be written to, or there is no temporary one.
    """
    flags = os.environ.get(_VARIABLE, "")
    named = re.findall(r"(?:^|,)\s*(?:base_)?compiledir=([^,]*)", flags)
    folder = Path(named[-1] if named else "~/.pytensor").expanduser()
    if _is_writable(folder):
        return

    import shutil
    import tempfile

    remedy = f"Set {_VARIABLE}=base_compiledir=... to a folder that can be written."
    try:
        temporary = tempfile.mkdtemp(prefix="scaling-bayes-")
    except OSError:
        warnings.warn(
            f"neither {folder} nor a temporary folder can be written to, so that no model of "
            f"PyMC can be compiled. {remedy}",
            CompilationWarning,
            stacklevel=2,
        )
        return
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    os.environ[_VARIABLE] = ",".join([*filter(None, [flags]), f"base_compiledir={temporary}"])
    if named:
        warnings.warn(
            f"{folder} cannot be written to, so that every process compiles models of PyMC anew. "
            f"{remedy}",
            CompilationWarning,
            stacklevel=2,
        )


def _is_writable(folder: Path) -> bool:
    """Return whether a folder can be written to, or made."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
