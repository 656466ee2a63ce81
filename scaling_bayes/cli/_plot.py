"""The command ``plot``: a picture of a fit."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from scaling_bayes.cli._answer import note
from scaling_bayes.cli._files import replacing, writable
from scaling_bayes.cli._options import FitFile, OwnLaw
from scaling_bayes.cli._sources import fit_at
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from matplotlib.axes import Axes

EXAMPLES = """\
Examples
  scaling-bayes plot fit.nc
  scaling-bayes plot fit.nc --kind isoflop --output isoflop.pdf
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
    law: OwnLaw = None,
) -> None:
    """Draw a saved fit."""
    target = _picture(output or f"{kind.name.lower().replace('_', '-')}.png")
    fit = fit_at(fit_file, law)

    from scaling_bayes import plots

    save_picture(getattr(plots, kind.value)(fit), target)


def _picture(path: str) -> Path:
    target = writable(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise InputError(f"--output {target}: the name must end in {', '.join(_SUFFIXES)}.")
    return target


def save_picture(axes: Axes | np.ndarray, target: Path) -> None:
    """Write the figure of some axes to a file, without a display."""
    import numpy as np

    figure = np.ravel(np.asarray(axes, dtype=object))[0].figure
    with replacing(target) as temporary:
        figure.savefig(temporary, dpi=150, bbox_inches="tight")
    note(f"Wrote {target}")
