"""Noise models: how the log loss of a run scatters around the law."""

from __future__ import annotations

from collections.abc import Callable

from scaling_bayes.noise._by_size import BySize, NormalBySize, StudentTBySize, by_size
from scaling_bayes.noise._noise import Noise
from scaling_bayes.noise._normal import Normal
from scaling_bayes.noise._student_t import StudentT

REGISTRY: dict[str, Callable[..., Noise]] = {
    "student-t": StudentT,
    "normal": Normal,
    "student-t-by-size": StudentTBySize,
    "normal-by-size": NormalBySize,
}

__all__ = [
    "REGISTRY",
    "BySize",
    "Noise",
    "Normal",
    "NormalBySize",
    "StudentT",
    "StudentTBySize",
    "by_size",
]
