"""Decisions on compute: how large, how long, at what risk."""

from __future__ import annotations

from scaling_bayes._decision import rules
from scaling_bayes._decision.allocation_range import AllocationRange
from scaling_bayes._decision.choice import Choice
from scaling_bayes._decision.decide import Decision, decide
from scaling_bayes._decision.hardware import Hardware
from scaling_bayes._decision.limits import Limits
from scaling_bayes._decision.repetition import Repetition
from scaling_bayes._decision.spend import spending
from scaling_bayes._decision.spending import Spending
from scaling_bayes._decision.stopping import Stop

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
