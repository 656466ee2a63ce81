"""What the law leaves unexplained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._fit.fit import Fit
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, quantile
from scaling_bayes._prediction.forecast import points_of
from scaling_bayes._prediction.law_draws import mean_loss
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import axes_or_new, footnote, literal, set_size_axis
from scaling_bayes.plots._bands import OPACITY, band_words
from scaling_bayes.plots._runs import FITTED, HELD_OUT, draw_runs, run_colour
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHUNK = 1000
"""Runs whose draws are held in memory at once."""
MOST_INTERVALS = 400
RESIDUAL_LABEL = "residual of log loss (%)"


def plot_residuals(
    fit: Fit,
    *,
    against: str = "flops",
    held_out: Runs | None = None,
    prob: float = DEFAULT_PROB,
    kind: IntervalKind = "equal-tailed",
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw residuals of log loss against a covariate, with the interval of a new run.

    A residual is 100 times the log of the observed loss over the median of the mean curve:
    per cent, for small residuals. Runs that lie together on one side of zero over some range
    show that the law bends otherwise than the runs do there.

    Parameters
    ----------
    fit : Fit
        The fit.
    against : str
        Any numeric column of the runs, such as ``"flops"``, ``"n_params"`` or ``"tokens"``.
    held_out : Runs, optional
        Runs that the fit has not seen, with a marker of their own.
    prob : float
        Probability inside the interval of a new run, which is drawn at each of up to 400 runs.
    kind : {"equal-tailed", "hdi"}
        Kind of the interval.
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
        If the source is not a fit, or the runs have no such numeric column.
    """
    if not isinstance(fit, Fit):
        raise InputError(f"plot_residuals needs a fit, which has runs; got {fit!r}.")
    tables = {FITTED: fit.runs} | ({} if held_out is None else {HELD_OUT: held_out})
    x = {name: table.covariates([against])[against] for name, table in tables.items()}
    middles = {name: _median_loss(fit, table) for name, table in tables.items()}
    at = {name: _spread_out(values) for name, values in x.items()}
    bounds = {
        name: fit.forecast(table.where(at[name]), seed=seed).interval(prob=prob, kind=kind)
        for name, table in tables.items()
    }
    ax = axes_or_new(ax)
    label = band_words("new_run", prob, kind)
    for name, table in tables.items():
        lower, upper = _percent(bounds[name].to_numpy(), middles[name][at[name]])
        ax.vlines(
            x[name][at[name]], lower, upper, color=_pale(ax), linewidth=4, zorder=1, label=label
        )
        residuals = _percent(table.frame["loss"].to_numpy(), middles[name])
        draw_runs(ax, name, x[name], residuals, colour=run_colour(name))
        label = "_nolegend_"
    ax.axhline(0, color="C0", zorder=2)
    if against in SIZES:
        set_size_axis(ax, "x", against)
    else:
        ax.set_xlabel(literal(against))
    ax.set_ylabel(RESIDUAL_LABEL)
    ax.legend()
    return footnote(ax, fit, "forecast")


def _pale(ax: Axes) -> tuple[float, ...]:
    """Return the colour of a band, opaque, so that neighbours which overlap do not add up."""
    from matplotlib.colors import to_rgb

    share = OPACITY["new_run"]
    ink, paper = np.array(to_rgb("C0")), np.array(to_rgb(ax.get_facecolor()))
    return tuple(share * ink + (1 - share) * paper)


def _median_loss(fit: Fit, runs: Runs) -> np.ndarray:
    """Return the median of the mean curve at each run, in chunks that fit into memory."""
    points = points_of(fit, runs)
    chunks = [points.isel(point=slice(i, i + CHUNK)) for i in range(0, len(runs), CHUNK)]
    medians = [quantile(mean_loss(fit, chunk), 0.5).to_numpy() for chunk in chunks]
    return np.concatenate(medians)


def _spread_out(x: np.ndarray) -> np.ndarray:
    """Return which runs get an interval: all, or some that are spread evenly along the axis."""
    ranks = np.linspace(0, len(x) - 1, min(len(x), MOST_INTERVALS)).round().astype(int)
    chosen = np.zeros(len(x), dtype=bool)
    chosen[np.argsort(x, kind="stable")[ranks]] = True
    return chosen


def _percent(loss: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Return 100 times the log of losses over those in the middle."""
    percent: np.ndarray = 100 * np.log(loss / middle)
    return percent
