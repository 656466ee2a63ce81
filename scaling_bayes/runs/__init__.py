"""A table of training runs: read, checked and selected."""

from __future__ import annotations

from scaling_bayes.runs._read import read_runs
from scaling_bayes.runs._runs import Runs

__all__ = ["Runs", "read_runs"]
