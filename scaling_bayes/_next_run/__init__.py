"""Which run to train next: what candidates would teach, plans under a budget, and replays."""

from __future__ import annotations

from scaling_bayes._next_run import policies
from scaling_bayes._next_run._plan import RunPlan, plan_runs
from scaling_bayes._next_run._replay import replay
from scaling_bayes._next_run._replay_table import Replay
from scaling_bayes._next_run._values import RunValues, next_run

__all__ = ["Replay", "RunPlan", "RunValues", "next_run", "plan_runs", "policies", "replay"]
