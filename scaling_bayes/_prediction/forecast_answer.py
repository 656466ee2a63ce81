"""The loss of runs that are not trained yet, as draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from scaling_bayes._doubt import Doubt, doubts_of, in_lines
from scaling_bayes._intervals import (
    DEFAULT_PROB,
    SAMPLE_DIMS,
    IntervalKind,
    interval,
    is_point,
    quantile,
    shown_in_words,
)
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.answer_gate import not_mixed
from scaling_bayes._prediction.law_draws import loss_unit_of
from scaling_bayes._printable import printed
from scaling_bayes._work.blocks import Lazily, block, n_blocks
from scaling_bayes.errors import InputError
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Of = Literal["mean_curve", "new_run"]

POINTS_AT_ONCE: Final = 1000
"""Points whose draws are made at once; more would only take more memory."""


class AtPoints(InNotebook, ABC):
    """Draws at points, of the mean curve and of a new run."""

    @abstractmethod
    def draws(self, of: Of = "new_run") -> xr.DataArray:
        """Return the draws of the mean curve or of a new run."""

    def interval(
        self,
        prob: float = DEFAULT_PROB,
        *,
        of: Of = "new_run",
        kind: IntervalKind = "equal-tailed",
    ) -> xr.DataArray:
        """Return the credible interval at each point.

        Parameters
        ----------
        prob : float
            Probability inside.
        of : {"new_run", "mean_curve"}
            What the interval is of.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.

        Returns
        -------
        DataArray
            With dims ``bound`` (lower, upper) and ``point``.
        """
        return interval(self.draws(of), prob=prob, kind=kind)


@dataclass(frozen=True, eq=False)
class Forecast(AtPoints):
    """Posterior of the loss at points (N, D).

    Two questions are kept apart. The mean curve is the law itself, times its discrepancy if it
    has one: where the middle of many runs at that point would lie. A new run scatters around it
    by the noise of the fit.

    Attributes
    ----------
    label : str
        The fit or published law that made the forecast.
    points : Dataset
        The covariates, with dim ``point``.
    mean_curve : DataArray
        Its loss in nats per token, with dims chain, draw and point.
    new_run : DataArray or None
        Loss of a single new run, likewise, or of the mean of as many as the point's ``weight``
        says; None for a published law, whose noise is unknown.
    source : object
        What made the forecast, which may have doubts; None where it keeps none.
    """

    label: str
    points: xr.Dataset
    mean_curve: xr.DataArray
    new_run: xr.DataArray | None
    source: object = field(default=None, repr=False)

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about the fit or these draws and matters here; see `Fit.doubts`."""
        first = self.parts("mean_curve")[0].mean_curve
        return doubts_of(self.source, "forecast") + not_mixed(first, self.source, "the mean curve")

    @property
    def n_points(self) -> int:
        """Number of points."""
        return int(self.mean_curve.sizes["point"])

    @property
    def known(self) -> tuple[Of, ...]:
        """What is forecast: the mean curve, and a new run where the noise is known."""
        return ("mean_curve",) if self.new_run is None else ("mean_curve", "new_run")

    def parts(self, of: Of = "new_run") -> Sequence[Forecast]:
        """Return the forecast in parts of at most 1000 points, each made where it is read.

        Draws of different parts belong together: of the same parameters of the law and, but for
        what is said at `forecast`, of one discrepancy.

        Parameters
        ----------
        of : {"new_run", "mean_curve"}
            What is read of the parts: without a new run they may be made sooner.
        """
        return Lazily(
            n_blocks(self.n_points, POINTS_AT_ONCE), lambda number: self._part(number, of)
        )

    def _part(self, number: int, of: Of) -> Forecast:
        some = {"point": block(number, POINTS_AT_ONCE)}
        new_run = None if self.new_run is None else self.new_run.isel(some)
        points = self.points.isel(some, missing_dims="ignore")
        return Forecast(self.label, points, self.mean_curve.isel(some), new_run, self.source)

    def draws(self, of: Of = "new_run") -> xr.DataArray:
        """Return the draws of the mean curve or of a new run.

        Raises
        ------
        InputError
            If a new run is asked of a law whose noise is not known.
        """
        self._check_known(of)
        drawn: xr.DataArray = getattr(self, of)
        return drawn

    def _check_known(self, of: Of) -> None:
        check_of(of)
        if of not in self.known:
            raise InputError(
                f"{self.label} has no noise, so a new run cannot be forecast from it. "
                "Ask for of='mean_curve'."
            )

    def probability_below(self, target: float, *, of: Of = "new_run") -> xr.DataArray:
        """Return the probability that the loss is below a target, at each point.

        Parameters
        ----------
        target : float
            Loss in nats per token.
        of : {"new_run", "mean_curve"}
            Whose loss.

        Raises
        ------
        InputError
            If the target is not a positive number.
        """
        check_target(target)
        below: xr.DataArray = (self.draws(of) < target).mean(SAMPLE_DIMS)
        return below.rename("probability_below").assign_attrs(units="1", target=target)

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a point: its covariates, the median loss, and the intervals.

        Columns ``mean_curve_lower`` and ``mean_curve_upper``, and where the noise is known
        ``new_run_lower`` and ``new_run_upper``, bound the intervals of probability `prob`.
        """
        frame = self.points.to_dataframe()
        frame["loss"] = quantile(self.mean_curve, 0.5).values
        for of in self.known:
            lower, upper = self.interval(prob=prob, of=of, kind=kind).values
            frame[f"{of}_lower"], frame[f"{of}_upper"] = lower, upper
        return frame

    @printed
    def __repr__(self) -> str:
        return self._in_words(self.to_frame(), self.mean_curve) + in_lines(self.doubts)

    def _in_words(self, frame: pd.DataFrame, draws: xr.DataArray) -> str:
        """Return rows of `to_frame` under a title that says what they are of draws."""
        if is_point(draws):
            frame = frame.drop(columns=["mean_curve_lower", "mean_curve_upper"])
        for name in SIZES:
            if name in frame:
                frame[name] = [format_quantity(value, kind=name) for value in frame[name]]
        return (
            f"Forecast by {self.label}: loss in {loss_unit_of(self.source)}, "
            f"{shown_in_words(draws)}\n"
            + frame.to_string(index=False, float_format="{:.4f}".format)
        )


def check_of(of: object) -> None:
    """Refuse to forecast anything but the mean curve and a new run.

    Raises
    ------
    InputError
        If `of` is neither.
    """
    if of not in ("mean_curve", "new_run"):
        raise InputError(f"of is {of!r}; take 'mean_curve' or 'new_run'.")


def check_target(loss: float) -> None:
    """Refuse a target that no loss can be.

    Raises
    ------
    InputError
        If it is not a positive number.
    """
    if not (isinstance(loss, int | float | np.number) and np.isfinite(loss) and loss > 0):
        raise InputError(f"the target loss is {loss!r}; give a positive number of nats per token.")
