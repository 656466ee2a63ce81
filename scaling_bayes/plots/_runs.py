"""Runs as points, and how far they reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scaling_bayes._fit.fit import Fit
from scaling_bayes._prediction.mixture import Source, check_forecasting, weighted_laws
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FITTED = "fitted runs"
HELD_OUT = "held-out runs"

_STYLE: dict[str, Any] = {"marker": "o", "s": 20, "edgecolors": "white", "linewidths": 0.4}
_HELD_OUT_STYLE: dict[str, Any] = {
    "marker": "D",
    "s": 32,
    "edgecolors": "black",
    "linewidths": 0.8,
}


def check_sources(sources: object) -> None:
    """Raise an error unless there are sources, by name.

    Raises
    ------
    InputError
        If they have no names, there are none, or one cannot forecast.
    """
    if not isinstance(sources, Mapping):
        raise InputError('give the fits by name, such as {"chinchilla": fit, "kaplan": other}.')
    if not sources:
        raise InputError("sources is empty. Give at least one fit or published law, by name.")
    check_forecasting(sources)


def own_runs(source: Source) -> Runs | None:
    """Return the runs that a source was fitted to; None for a published law.

    Those of an average are the runs of its fits together, each once.
    """
    fitted = {id(one.runs): one.runs for one, _ in weighted_laws(source) if isinstance(one, Fit)}
    tables = list(fitted.values())
    if len(tables) < 2:
        return tables[0] if tables else None
    together = pd.concat([table.frame for table in tables])
    return Runs(
        together.drop_duplicates([*tables[0].sizes, "loss"]),
        source=" and ".join(dict.fromkeys(table.source for table in tables)),
        flops_per_param_token=tables[0].flops_per_param_token,
        loss_unit=tables[0].loss_unit,
    )


def shown_runs(
    sources: Iterable[Source], runs: Runs | None, held_out: Runs | None
) -> dict[str, pd.DataFrame]:
    """Return the runs to draw, by their name in the legend.

    Parameters
    ----------
    sources : iterable of Fit, PublishedLaw or Average
        The sources, whose own runs are drawn by default; each once, if fits share some.
    runs : Runs or None
        Runs to draw instead.
    held_out : Runs or None
        Runs that no source has seen.
    """
    shown: dict[str, pd.DataFrame] = {}
    if runs is None:
        own = [table.frame for table in map(own_runs, sources) if table is not None]
        distinct = list({id(frame): frame for frame in own}.values())
        if len(distinct) == 1:
            shown[FITTED] = distinct[0]
        elif distinct:
            together = pd.concat(distinct, join="inner")
            known = [name for name in (*SIZES, "loss") if name in together]
            shown[FITTED] = together[known].drop_duplicates()
    else:
        shown["runs"] = runs.frame
    if held_out is not None:
        shown[HELD_OUT] = held_out.frame
    return {name: frame for name, frame in shown.items() if len(frame)}


def run_colour(name: str) -> str:
    """Return the colour of runs that are not coloured by size."""
    return "C1" if name == HELD_OUT else "black"


def draw_runs(
    ax: Axes, name: str, x: npt.ArrayLike, y: npt.ArrayLike, *, colour: Any, which: str = ""
) -> None:
    """Draw runs as points; held-out ones have a marker of their own.

    Parameters
    ----------
    ax : Axes
        Where.
    name : str
        Name in the legend, as `shown_runs` gives it.
    x, y : ndarray
        Places of the points.
    colour : matplotlib colour or array of colours
        Of the points.
    which : str
        Which of the runs are drawn, for the legend.
    """
    style = _HELD_OUT_STYLE if name == HELD_OUT else _STYLE
    ax.scatter(x, y, color=colour, label=f"{name}{which} ({np.size(x)})", zorder=3, **style)


def within_reach(x: np.ndarray, reached: np.ndarray | None) -> np.ndarray:
    """Return where a curve lies inside the range of the runs that its source was fitted to.

    Parameters
    ----------
    x : ndarray
        Where the curve is drawn.
    reached : ndarray or None
        Sizes of the runs. None for a published law, which does not say how far its runs reach:
        all of it counts as inside.
    """
    if reached is None:
        return np.ones(len(x), dtype=bool)
    if not len(reached):
        return np.zeros(len(x), dtype=bool)
    slack = 1 + 1e-9
    inside: np.ndarray = (x >= reached.min() / slack) & (x <= reached.max() * slack)
    return inside
