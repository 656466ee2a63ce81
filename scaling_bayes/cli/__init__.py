"""The command line ``scaling-bayes``: one file per command, and no statistics."""

from __future__ import annotations

from scaling_bayes.cli._main import main

__all__ = ["main"]
