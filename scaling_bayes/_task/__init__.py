"""From the loss of a task to its accuracy."""

from __future__ import annotations

from scaling_bayes._task.link import Link
from scaling_bayes._task.task_fit import TaskFit
from scaling_bayes._task.task_fitter import fit_task
from scaling_bayes._task.task_forecast import TaskForecast

__all__ = ["Link", "TaskFit", "TaskForecast", "fit_task"]
