"""Pictures of runs, fits and published laws: one file per kind of plot.

Every function draws on matplotlib axes, makes new ones if none are given, and returns them.
Colours are those of the current colour cycle, so that ArviZ's styles apply. The numbers come
from `scaling_bayes.forecast`, `scaling_bayes.allocate` and `scaling_bayes.decide`; nothing is
estimated here.
"""

from __future__ import annotations

from scaling_bayes.plots._compare import plot_compare
from scaling_bayes.plots._contours import plot_contours
from scaling_bayes.plots._frontier import plot_frontier
from scaling_bayes.plots._held_out import plot_held_out
from scaling_bayes.plots._isoflop import plot_isoflop
from scaling_bayes.plots._loss import plot_loss
from scaling_bayes.plots._next_run import plot_next_run
from scaling_bayes.plots._prior_posterior import plot_prior_posterior
from scaling_bayes.plots._range import plot_range
from scaling_bayes.plots._regret import plot_regret
from scaling_bayes.plots._residuals import plot_residuals
from scaling_bayes.plots._spending import plot_spending
from scaling_bayes.plots._task import plot_task

__all__ = [
    "plot_compare",
    "plot_contours",
    "plot_frontier",
    "plot_held_out",
    "plot_isoflop",
    "plot_loss",
    "plot_next_run",
    "plot_prior_posterior",
    "plot_range",
    "plot_regret",
    "plot_residuals",
    "plot_spending",
    "plot_task",
]
