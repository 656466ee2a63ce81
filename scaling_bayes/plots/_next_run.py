"""What candidate runs are worth against what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_bayes._next_run import RunValues
from scaling_bayes.plots._axes import SIZE_LABELS, axes_or_new, legend_below
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST_SHARE = 1e-3
"""Share of the largest value below which a value is drawn as if it were that."""


def plot_next_run(values: RunValues, *, ax: Axes | None = None) -> Axes:
    """Draw the expected value of each candidate run against its cost, both on log scales.

    Bars are plus and minus one Monte Carlo standard error. Colours say how large the model is.
    Hollow markers are candidates whose weights cannot be trusted. Ringed are those with most value
    and with most value per cost. No run can be worth more than the dashed line, the value of
    perfect information; one worth less than a thousandth of the best is drawn at the lower edge.

    Parameters
    ----------
    values : RunValues
        What to draw.
    ax : Axes, optional
        Where to draw; new axes by default.

    Returns
    -------
    Axes
    """
    table = values.to_frame()
    place = legend_below(ax)
    ax = axes_or_new(ax)
    floor = table["evsi"].max() * _LEAST_SHARE
    _draw_candidates(ax, table.assign(evsi=table["evsi"].clip(lower=floor)), floor)
    most = values.value_of_perfect_information
    ax.axhline(most, color="black", linestyle="--", label="value of perfect information")
    _ring(ax, values.best, "most value", "-")
    _ring(ax, values.best_per_cost, "most value per cost", ":")
    _set_axes(ax, table)
    budget = format_quantity(values.decision.budget, kind="flops")
    ax.legend(**place, title=f"for a decision on {budget}")
    return ax


def _draw_candidates(ax: Axes, table: pd.DataFrame, floor: float) -> None:
    """Draw the candidates, with a bar that says which colour is which size."""
    import matplotlib as mpl
    from matplotlib.colors import LogNorm

    from scaling_bayes.plots._ticks import set_log_ticks, size_words

    ends = table["n_params"].min(), table["n_params"].max()
    norm = LogNorm(*ends) if ends[0] < ends[1] else LogNorm(ends[0] / 2, ends[1] * 2)
    colours = mpl.cm.ScalarMappable(norm, mpl.rcParams["image.cmap"])
    for trusted, each in table.groupby("trusted"):
        colour: Any = colours.to_rgba(each["n_params"].to_numpy())
        down = np.minimum(each["evsi_se"], each["evsi"] - floor)
        error = [down, each["evsi_se"]]
        ax.errorbar(each["cost"], each["evsi"], error, fmt="none", ecolor="grey", zorder=1)
        ax.scatter(
            each["cost"],
            each["evsi"],
            facecolors=colour if trusted else "white",
            edgecolors=colour,
            zorder=2,
            label=f"{'candidates' if trusted else 'not to be trusted'} ({len(each)})",
        )
    bar = ax.figure.colorbar(colours, ax=ax, label=SIZE_LABELS["n_params"])
    set_log_ticks(bar.ax.yaxis, size_words("n_params"))


def _ring(ax: Axes, run: pd.Series, what: str, linestyle: str) -> None:
    size = format_quantity(run["n_params"], kind="n_params")
    label = f"{what}: N {size}, D {format_quantity(run['tokens'], kind='tokens')}"
    style: dict[str, Any] = {"facecolors": "none", "edgecolors": "C3", "linewidths": 1.5}
    ax.scatter(run["cost"], run["evsi"], s=150, label=label, linestyle=linestyle, zorder=3, **style)


def _set_axes(ax: Axes, table: pd.DataFrame) -> None:
    from scaling_bayes.plots._ticks import power_of_ten, set_log_ticks

    in_flops = np.allclose(table["cost"], table["flops"] * table["weight"])
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="cost of the run (FLOPs)" if in_flops else "cost of the run",
        ylabel="expected value of the run (nats per token)",
    )
    for axis in (ax.xaxis, ax.yaxis):
        set_log_ticks(axis, power_of_ten)
