"""One page for the person who decides."""

from __future__ import annotations

from scaling_bayes._report.report import report

__all__ = ["report"]
