"""Axes with sizes and losses on them, in people's units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from scaling_bayes._doubt import About, doubts_of
from scaling_bayes._prediction.law_draws import loss_unit_of
from scaling_bayes._printable import printable
from scaling_bayes.units import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_LABELS: dict[str, str] = {
    "n_params": "model size N (parameters)",
    "tokens": "training tokens D",
    "flops": "training compute C (FLOPs)",
}

WIDE = (10.0, 5.0)
"""Inches of a figure with the legend beside the axes."""

Side = Literal["x", "y"]


def literal(name: object) -> str:
    """Return a name as matplotlib draws it to the letter: no formula, and not left out."""
    text = printable(str(name)).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def footnote(ax: Axes, source: object, *about: About) -> Axes:
    """Name below the figure what is doubtful about a source and matters to what is drawn."""
    kinds = dict.fromkeys(doubt.kind for doubt in doubts_of(source, *about))
    said = ax.figure.get_supxlabel()
    if kinds and not said:
        words = f"Doubts: {', '.join(kinds)}. Fit.doubts says more."
        ax.figure.supxlabel(words, x=0.01, ha="left", fontsize="x-small")
    return ax


def axes_or_new(ax: Axes | None, *, figsize: tuple[float, float] = (7.5, 5.0)) -> Axes:
    """Return the given axes, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    new: Axes = plt.subplots(figsize=figsize, layout="constrained")[1]
    return new


def legend_place(ax: Axes | None) -> dict[str, Any]:
    """Return where the legend of a crowded plot stands: beside new axes, inside given ones.

    Beside the axes it hides no data, but would take room from their neighbours in a figure
    that somebody else laid out; inside them it is small and framed, to be read over data.
    """
    if ax is not None:
        return {"fontsize": "small", "frameon": True}
    return {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}


def legend_below(ax: Axes | None) -> dict[str, Any]:
    """Return where a legend stands that has a colour bar beside it: below new axes."""
    if ax is not None:
        return legend_place(ax)
    return {"loc": "upper center", "bbox_to_anchor": (0.55, -0.13), "ncols": 2}


def set_size_axis(ax: Axes, side: Side, kind: Kind) -> None:
    """Make one side of the axes a log scale of parameters, tokens or FLOPs."""
    from scaling_bayes.plots._ticks import set_log_ticks, size_words

    ax.set(**{f"{side}scale": "log", f"{side}label": SIZE_LABELS[kind]})
    set_log_ticks(ax.xaxis if side == "x" else ax.yaxis, size_words(kind))


def set_loss_axis(ax: Axes, source: object) -> None:
    """Make the y axis a log scale of losses, in the unit of a source or of several by name."""
    from scaling_bayes.plots._ticks import set_loss_ticks

    ax.set(yscale="log", ylabel=f"loss ({loss_unit_of(source)})")
    set_loss_ticks(ax.yaxis)
