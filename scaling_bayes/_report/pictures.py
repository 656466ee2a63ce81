"""Plots as SVG that a page can hold: text as text, and no names that two pictures share."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from scaling_bayes._report.section import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEADER = re.compile(r".*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


def picture(draw: Callable[[], Axes], name: str, title: str, description: str) -> Picture:
    """Return what a plot draws.

    Parameters
    ----------
    draw : callable
        Draws on new axes.
    name : str
        Goes before the names of parts of the picture.
    title, description : str
        What it shows, for those who do not see it.
    """
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure = draw().get_figure(root=True)
        assert figure is not None
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        plt.close(figure)
    svg = _METADATA.sub("", _HEADER.sub("", buffer.getvalue(), count=1))
    for attribute in ('id="', 'href="#', "url(#"):
        svg = svg.replace(attribute, f"{attribute}{name}-")
    return Picture(svg, title, description)
