"""A source with its covariates held, within limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scaling_bayes._decision.limits import Limits
from scaling_bayes._prediction.held import held
from scaling_bayes._prediction.mixture import Source, check_source, weighted_laws


def source_within(source: Source, at: Mapping[str, Any] | None, limits: Limits) -> Source:
    """Return a source with its covariates held; the limits say how many tokens are unique."""
    check_source(source)
    reads = any("unique_tokens" in one.law.covariates for one, _ in weighted_laws(source))
    if reads and limits.unique_tokens is not None:
        at = {"unique_tokens": limits.unique_tokens, **(at or {})}
    return held(source, at)
