"""Accuracy against the loss of the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from scaling_bayes._intervals import DEFAULT_PROB, interval, quantile
from scaling_bayes._task import TaskFit
from scaling_bayes.plots._axes import axes_or_new, footnote, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOSSES = 200
_BEYOND = 0.6
"""How far below the lowest loss of the table the curve goes, as a factor."""


def plot_task(
    task: TaskFit,
    *,
    observed: pd.DataFrame | None = None,
    prob: float = DEFAULT_PROB,
    ax: Axes | None = None,
) -> Axes:
    """Draw the accuracy that a loss is expected to bring, and the runs that it was learned from.

    Parameters
    ----------
    task : TaskFit
        What to draw.
    observed : DataFrame, optional
        ``loss`` and ``accuracy`` of runs that the fit has not seen.
    prob : float
        Probability inside the band, which is equal-tailed and of the accuracy expected at a loss.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
    """
    place = legend_below(ax)
    ax = axes_or_new(ax)
    table = task.table
    lowest = table["loss"].min() * _BEYOND
    if observed is not None:
        lowest = min(lowest, observed["loss"].min())
    losses = np.geomspace(lowest, table["loss"].max(), _LOSSES)
    draws = task.data_tree["posterior"].to_dataset()
    curve = task.link.accuracy(draws, xr.DataArray(np.log(losses / task.centre), dims="point"))
    lower, upper = interval(curve, prob=prob).values
    label = f"expected: median, {100 * prob:g}% equal-tailed"
    (line,) = ax.plot(losses, quantile(curve, 0.5), label=label)
    ax.fill_between(losses, lower, upper, color=line.get_color(), alpha=0.25, linewidth=0)
    error = np.sqrt(table["accuracy"] * (1 - table["accuracy"]) / table["n_questions"])
    ax.errorbar(
        table["loss"],
        table["accuracy"],
        yerr=error,
        fmt="o",
        color="black",
        markersize=4,
        label="runs, standard error",
    )
    if observed is not None:
        ax.plot(observed["loss"], observed["accuracy"], "D", color="C3", label="runs not seen")
    ax.axvline(table["loss"].min(), color="grey", linestyle=":", label="lowest loss seen")
    ax.axhline(task.link.chance, color="grey", linestyle="--", label="chance")
    ax.invert_xaxis()
    ax.set_xlabel(f"loss of the task, {task.loss.runs.loss_unit}")
    ax.set_ylabel("accuracy")
    ax.legend(**place)
    return footnote(ax, task, "forecast")
