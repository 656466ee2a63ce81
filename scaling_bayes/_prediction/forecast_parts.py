"""Forecasts of more points than draws can be held for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

from scaling_bayes._doubt import in_lines
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes._prediction.forecast_answer import Forecast, Of
from scaling_bayes._printable import printed
from scaling_bayes._work.blocks import joined

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Part = Callable[[int, Of], Forecast]
"""From the number of a part, and what is read of it, to the part; always with the same draws."""

_SHOWN: Final = 5
"""Points shown of each end."""


class ForecastInParts(Forecast):
    """Posterior of the loss at many points, whose draws are made where they are read.

    What is a number or two a point takes no more memory for more points. `mean_curve` and
    `new_run` are there as in any `Forecast`, as long as they fit into 8 GB; beyond that,
    `parts` gives them some points at a time.

    Parameters
    ----------
    label : str
        The fit or published law that made the forecast.
    points : Dataset
        The covariates, with dim ``point``.
    known : tuple of {"mean_curve", "new_run"}
        What is forecast.
    part : callable
        What makes the parts.
    source : object
        What made the forecast.
    """

    def __init__(
        self, label: str, points: xr.Dataset, known: tuple[Of, ...], part: Part, source: object
    ) -> None:
        for name, value in (("label", label), ("points", points), ("source", source)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_make", part)

    _known: tuple[Of, ...]
    _make: Part

    @property
    def n_points(self) -> int:
        """Number of points."""
        return int(self.points.sizes["point"])

    @property
    def known(self) -> tuple[Of, ...]:
        """What is forecast: the mean curve, and a new run where the noise is known."""
        return self._known

    def _part(self, number: int, of: Of) -> Forecast:
        return self._make(number, of)

    @cached_property
    def mean_curve(self) -> xr.DataArray:
        """Loss of the mean curve in nats per token, with dims chain, draw and point.

        Raises
        ------
        InputError
            If that takes more than 8 GB.
        """
        return self._all("mean_curve")

    @cached_property
    def new_run(self) -> xr.DataArray | None:
        """Loss of a single new run, likewise; None for a published law, whose noise is unknown.

        Raises
        ------
        InputError
            If that takes more than 8 GB.
        """
        return self._all("new_run") if "new_run" in self.known else None

    def _all(self, of: Of) -> xr.DataArray:
        return joined(
            (part.draws(of) for part in self.parts(of)),
            "point",
            self.n_points,
            remedy="interval(), probability_below() and to_frame() take no more for more points; "
            "parts() gives the draws of some points at a time.",
        )

    def interval(
        self,
        prob: float = DEFAULT_PROB,
        *,
        of: Of = "new_run",
        kind: IntervalKind = "equal-tailed",
    ) -> xr.DataArray:
        """Return the credible interval of the loss at each point; see `Forecast.interval`."""
        return self._each(of, lambda part: part.interval(prob=prob, of=of, kind=kind))

    def probability_below(self, target: float, *, of: Of = "new_run") -> xr.DataArray:
        """Return the probability of a loss below a target; see `Forecast.probability_below`."""
        return self._each(of, lambda part: part.probability_below(target, of=of))

    def _each(self, of: Of, summary: Callable[[Forecast], xr.DataArray]) -> xr.DataArray:
        import xarray as xr

        self._check_known(of)
        return xr.concat([summary(part) for part in self.parts(of)], dim="point")

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a point; see `Forecast.to_frame`."""
        import pandas as pd

        frames = [part.to_frame(prob=prob, kind=kind) for part in self.parts()]
        return pd.concat(frames, ignore_index=True).rename_axis("point")

    def _notebook_frame(self) -> pd.DataFrame:
        import pandas as pd

        parts = self.parts()
        return pd.concat([parts[0].to_frame().head(_SHOWN), parts[-1].to_frame().tail(_SHOWN)])

    @printed
    def __repr__(self) -> str:
        return (
            f"{self._in_words(self._notebook_frame(), self.parts()[0].mean_curve)}\n"
            f"The first and last {_SHOWN} of {self.n_points:,} points; to_frame() has all."
            f"{in_lines(self.doubts)}"
        )
