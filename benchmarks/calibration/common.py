"""What the commands of this folder share with the benchmarks beside it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from scores import Rows, scores
from sweep import arguments

__all__ = ["Rows", "arguments", "scores"]
