"""Byte-level transformers trained on Python's standard library."""

from __future__ import annotations

from importlib.resources import as_file, files

from scaling_bayes.runs import Runs, read_runs


def load_tiny_transformers() -> Runs:
    """Return a sweep of small transformers over bytes, and larger runs held out of it."""
    with as_file(files("scaling_bayes.datasets") / "tiny_transformers.csv") as path:
        return read_runs(path)
