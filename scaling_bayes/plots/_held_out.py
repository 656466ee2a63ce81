"""Forecasts of runs beside what they turned out to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, quantile
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import axes_or_new, literal
from scaling_bayes.plots._bands import Drawable, band_words, chosen_bands, forecast_by
from scaling_bayes.plots._runs import HELD_OUT, check_sources, draw_runs
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ROW_INCHES = 0.45
"""Height of the rows of new axes."""
BAR_POINTS = 14.0
"""Height of the bars of a row together."""


def plot_held_out(
    sources: Mapping[str, Drawable],
    held_out: Runs,
    *,
    of: Of = "new_run",
    prob: float = DEFAULT_PROB,
    kind: IntervalKind = "equal-tailed",
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw forecasts of runs that no fit has seen, and their losses: one row a run.

    Rows go up with compute. Each source has a bar, its interval, with the median as a tick; the
    bars of a row stand in the order of the legend.

    Parameters
    ----------
    sources : mapping of str to Fit, PublishedLaw or Average
        Who forecasts, by the name that the legend gives it.
    held_out : Runs
        The runs, with their losses.
    of : {"new_run", "mean_curve"}
        What the bars are intervals of. A loss that was measured is one of a new run, so that
        only those intervals ought to contain it.
    prob : float
        Probability inside the bars.
    kind : {"equal-tailed", "hdi"}
        Kind of the intervals.
    seed : int
        Seed of the noise of new runs.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If there are no sources or no runs, or a source has no such interval: published laws
        have none.
    """
    check_sources(sources)
    if not len(held_out):
        raise InputError("held_out has no runs. Give those that the forecasts are judged by.")
    for source in sources.values():
        chosen_bands(source, of)
    frame = held_out.frame.sort_values(held_out.sizes[-1], ignore_index=True)
    ax = axes_or_new(ax, figsize=(8.0, 1.8 + ROW_INCHES * len(frame)))
    rows = np.arange(len(frame))
    n = len(sources)
    offsets = min(0.18, 0.7 / n) * ((n - 1) / 2 - np.arange(n))
    height = min(5.0, BAR_POINTS / n)
    for i, ((name, source), offset) in enumerate(zip(sources.items(), offsets, strict=True)):
        found = forecast_by(source, frame, seed=seed)
        lower, upper = found.interval(of=of, prob=prob, kind=kind).values
        label = f"{literal(name)}: {band_words(of, prob, kind)}"
        ax.hlines(rows + offset, lower, upper, color=f"C{i}", lw=height, alpha=0.6, label=label)
        median = quantile(found.draws(of), 0.5).values
        ax.plot(median, rows + offset, "|", color="black", ms=7)
    draw_runs(ax, HELD_OUT, frame["loss"], rows, colour="black")
    ax.set_yticks(rows, [_words(run) for _, run in frame.iterrows()])
    ax.set(xlabel=f"loss ({held_out.loss_unit})", ylabel="held-out run: N, D, C")
    ax.margins(y=0.5 / len(frame))
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.01), borderaxespad=0.0)
    return ax


def _words(run: pd.Series) -> str:
    return ", ".join(format_quantity(run[kind], kind=kind) for kind in SIZES if kind in run)
