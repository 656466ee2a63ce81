"""Noise models: how the log loss of a run scatters around the law."""

from __future__ import annotations

from collections.abc import Callable

from scaling_bayes.noise._noise import Noise
from scaling_bayes.noise._normal import Normal
from scaling_bayes.noise._student_t import StudentT

REGISTRY: dict[str, Callable[..., Noise]] = {"student-t": StudentT, "normal": Normal}

__all__ = ["REGISTRY", "Noise", "Normal", "StudentT"]
