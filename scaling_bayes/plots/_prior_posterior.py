"""What the runs taught: prior against posterior of each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from scaling_bayes._fit.fit import Fit
from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Parameter
from scaling_bayes.units import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PRIOR_PROB = 0.98
"""Central probability of the prior that a panel shows."""
WIDE = 20.0
"""Ratio of the ends of that range, above which a positive parameter has a log axis."""
PRIOR_DRAWS = 4000
GRID = 400
MOST_COLUMNS = 4

_SIZES_BY_UNIT: dict[str, Kind] = {"parameters": "n_params", "tokens": "tokens", "FLOPs": "flops"}


def plot_prior_posterior(
    fit: Fit,
    *,
    parameters: Sequence[str] | None = None,
    seed: int = 0,
    axes: npt.ArrayLike | None = None,
) -> np.ndarray:
    """Draw the prior and the posterior density of each natural parameter.

    Both are scaled to the same height, since a posterior is often a hundred times narrower
    than its prior. Where the prior spans more than a factor of 20, the axis is logarithmic and
    the densities are those of the logarithm. A posterior that looks like its prior says that
    the runs taught nothing about the parameter.

    Parameters
    ----------
    fit : Fit
        The fit.
    parameters : sequence of str, optional
        Which parameters of the law and the noise; all by default.
    seed : int
        Seed of the draws that find how far each prior reaches.
    axes : array_like of Axes, optional
        Where to draw, one for each parameter; new axes by default.

    Returns
    -------
    ndarray of Axes, shape (parameter,)

    Raises
    ------
    InputError
        If the source is not a fit, has no such parameter, or the number of axes differs.
    """
    if not isinstance(fit, Fit):
        raise InputError(f"plot_prior_posterior needs a fit, which has a posterior; got {fit!r}.")
    declared = (*fit.law.parameters, *fit.noise.parameters)
    known = {each.name: each for each in declared if each.prior.held_at is None}
    chosen = list(known) if parameters is None else list(parameters)
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise InputError(
            f"there is no parameter {', '.join(map(repr, unknown)) or 'to draw'}; "
            f"the fit has {', '.join(known)}."
        )
    panels = _panels(axes, len(chosen))
    posterior = fit.data_tree["posterior"].to_dataset()
    for ax, name in zip(panels, chosen, strict=True):
        _draw_panel(ax, known[name], posterior[name].to_numpy().ravel(), seed)
    panels[0].legend(title="density, scaled\nto equal height")
    return panels


def _panels(axes: npt.ArrayLike | None, count: int) -> np.ndarray:
    """Return the given axes in a row, or those of a new figure."""
    if axes is not None:
        given = np.ravel(np.asarray(axes, dtype=object))
        if len(given) != count:
            raise InputError(f"axes holds {len(given)} axes for {count} parameters.")
        return given
    import matplotlib.pyplot as plt

    columns = min(count, MOST_COLUMNS)
    rows = -(-count // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(3 * columns, 2.6 * rows), layout="constrained", squeeze=False
    )
    for spare in panels.flat[count:]:
        figure.delaxes(spare)
    return panels.ravel()[:count]


def _draw_panel(ax: Axes, parameter: Parameter, posterior: np.ndarray, seed: int) -> None:
    """Draw the two densities of one parameter."""
    from arviz_stats.base import array_stats

    draws = parameter.prior.draw(PRIOR_DRAWS, seed)
    tail = (1 - PRIOR_PROB) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    low, high = min(low, posterior.min()), max(high, posterior.max())
    log = low > 0 and high / low > WIDE
    grid = np.geomspace(low, high, GRID) if log else np.linspace(low, high, GRID)
    prior = np.exp(parameter.prior.log_density(grid).eval()) * (grid if log else 1.0)
    at, density, _ = array_stats.kde(np.log(posterior) if log else posterior)
    _draw_density(ax, grid, prior, "C0", "prior")
    _draw_density(ax, np.exp(at) if log else at, density, "C1", "posterior")
    _label(ax, parameter, log=log)


def _draw_density(ax: Axes, at: np.ndarray, density: np.ndarray, colour: str, label: str) -> None:
    """Draw a density, scaled to height 1."""
    height = density / density.max()
    ax.fill_between(at, height, color=colour, alpha=0.3, linewidth=0, zorder=1)
    ax.plot(at, height, color=colour, label=label, zorder=2)


def _label(ax: Axes, parameter: Parameter, *, log: bool) -> None:
    """Name the parameter, and write ticks in its unit."""
    from scaling_bayes.plots._ticks import plain, set_log_ticks, size_words

    unit = "" if parameter.unit == "1" else f" ({parameter.unit})"
    ax.set(title=f"${parameter.symbol}$", xlabel=f"{parameter.description}{unit}")
    ax.set(yticks=[], ylim=(0, None))
    ax.spines[["left", "right", "top"]].set_visible(False)
    if log:
        ax.set_xscale("log")
        kind = _SIZES_BY_UNIT.get(parameter.unit)
        set_log_ticks(ax.xaxis, plain if kind is None else size_words(kind))
