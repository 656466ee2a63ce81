"""What a result was made from and with: a digest of the runs, and versions."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version

import pandas as pd

from scaling_bayes.runs import Runs

_PACKAGES = ("scaling_bayes", "pymc", "nutpie", "arviz-base", "numpy", "pandas", "xarray")


def digest_of(runs: Runs) -> str:
    """Return 16 hexadecimal digits that change with any cell of the runs."""
    content = pd.util.hash_pandas_object(runs.frame, index=False).to_numpy().tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def versions() -> tuple[tuple[str, str], ...]:
    """Return the names and versions of Python and of the packages that figures depend on."""
    return (("Python", platform.python_version()), *((name, version(name)) for name in _PACKAGES))
