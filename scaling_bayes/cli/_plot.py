"""The command ``plot``: a picture of a fit."""

from __future__ import annotations

import inspect
import io
from enum import Enum
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from scaling_bayes._files.user_path import writable
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes.cli._answer import note
from scaling_bayes.cli._options import FitFile, OwnLaw
from scaling_bayes.cli._sources import fit_at
from scaling_bayes.errors import InputError
from scaling_bayes.units import Kind as Size

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from matplotlib.axes import Axes

EXAMPLES = """\
Examples
  scaling-bayes plot fit.nc
  scaling-bayes plot fit.nc --kind isoflop --output isoflop.pdf
  scaling-bayes plot fit.nc --kind isoflop --flops 1e21 --flops 1e22
  scaling-bayes plot fit.nc --along n_params --prob 0.5
  scaling-bayes plot fit.nc --kind prior-posterior"""

_SUFFIXES = (".png", ".pdf", ".svg")


class Kind(Enum):
    """The kinds of picture, each with the function of `scaling_bayes.plots` that draws it."""

    LOSS = "plot_loss"
    ISOFLOP = "plot_isoflop"
    CONTOURS = "plot_contours"
    PRIOR_POSTERIOR = "plot_prior_posterior"
    RESIDUALS = "plot_residuals"


def plot(
    fit_file: FitFile,
    /,
    *,
    kind: Annotated[Kind, Parameter(help="What to draw.")] = Kind.LOSS,
    output: Annotated[
        str | None,
        Parameter(help="PNG, PDF or SVG file to write; the kind with .png by default."),
    ] = None,
    along: Annotated[
        Size | None,
        Parameter(help="What stands on the x axis of --kind loss."),
    ] = None,
    flops: Annotated[
        tuple[str, ...],
        Parameter(show_default=False, help="A budget of --kind isoflop; repeat it for several."),
    ] = (),
    prob: Annotated[
        float | None, Parameter(validator=Number(gt=0, lt=1), help="Probability inside the bands.")
    ] = None,
    law: OwnLaw = None,
) -> None:
    """Draw a saved fit."""
    target = picture_at(output or f"{_option(kind)}.png")
    asked = {"along": along, "flops": list(flops) or None, "prob": prob}
    given = {name: value for name, value in asked.items() if value is not None}

    from scaling_bayes import plots

    draw = getattr(plots, kind.value)
    for name in given.keys() - inspect.signature(draw).parameters:
        raise InputError(f"--{name} has no meaning for --kind {_option(kind)}. Leave it out.")
    save_picture(draw(fit_at(fit_file, law), **given), target)


def _option(kind: Kind) -> str:
    return kind.name.lower().replace("_", "-")


def picture_at(path: str) -> Path:
    """Return a path that a picture can be written to.

    Raises
    ------
    InputError
        If it cannot, or its name does not end as that of a picture.
    """
    target = writable(path, "--output")
    if target.suffix.lower() not in _SUFFIXES:
        raise InputError(f"--output {target}: the name must end in {', '.join(_SUFFIXES)}.")
    return target


def save_picture(axes: Axes | np.ndarray, target: Path) -> None:
    """Write the figure of some axes to a file, without a display, and close it."""
    import matplotlib.pyplot as plt
    import numpy as np

    figure = np.ravel(np.asarray(axes, dtype=object))[0].figure
    picture = io.BytesIO()
    figure.savefig(picture, format=target.suffix[1:].lower(), dpi=150, bbox_inches="tight")
    plt.close(figure)
    write_whole(target, picture.getvalue())
    note(f"Wrote {target}")
