"""Which run to train next: what candidates would teach, plans under a budget, and replays."""

from __future__ import annotations

from scaling_bayes._next_run import policies
from scaling_bayes._next_run.replay import replay
from scaling_bayes._next_run.replay_table import Replay
from scaling_bayes._next_run.run_plan import RunPlan, plan_runs
from scaling_bayes._next_run.run_values import RunValues, next_run

__all__ = ["Replay", "RunPlan", "RunValues", "next_run", "plan_runs", "policies", "replay"]
