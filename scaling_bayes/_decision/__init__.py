"""Decisions on compute: how large, how long, at what risk."""

from __future__ import annotations

from scaling_bayes._decision import rules
from scaling_bayes._decision._choice import Choice
from scaling_bayes._decision._decide import Decision, decide
from scaling_bayes._decision._hardware import Hardware
from scaling_bayes._decision._limits import Limits
from scaling_bayes._decision._range import AllocationRange
from scaling_bayes._decision._repetition import Repetition
from scaling_bayes._decision._spend import spending
from scaling_bayes._decision._spending import Spending
from scaling_bayes._decision._stop import Stop

__all__ = [
    "AllocationRange",
    "Choice",
    "Decision",
    "Hardware",
    "Limits",
    "Repetition",
    "Spending",
    "Stop",
    "decide",
    "rules",
    "spending",
]
