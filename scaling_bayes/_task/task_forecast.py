"""The accuracy of runs that are not trained yet, as draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_bayes._doubt import Doubt, in_lines
from scaling_bayes._intervals import (
    DEFAULT_PROB,
    SAMPLE_DIMS,
    IntervalKind,
    interval,
    quantile,
    shown_in_words,
)
from scaling_bayes._prediction.forecast_answer import AtPoints, Forecast, Of, check_of
from scaling_bayes._printable import printed
from scaling_bayes.errors import InputError
from scaling_bayes.units import SIZES, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, eq=False)
class TaskForecast(AtPoints):
    """Posterior of the accuracy at points (N, D).

    Attributes
    ----------
    loss : Forecast
        The task loss there.
    mean_curve : DataArray
        Accuracy that the mean curve of the loss is expected to bring, with dims chain, draw and
        point.
    new_run : DataArray
        Accuracy that a single new run scores on as many questions as the table has, likewise:
        with the noise of its loss, its scatter, and the luck of questions.
    beyond : float
        Lowest loss of the table.
    doubts : tuple of Doubt
        What is doubtful about it.
    """

    loss: Forecast
    mean_curve: xr.DataArray
    new_run: xr.DataArray
    beyond: float
    doubts: tuple[Doubt, ...] = ()

    def draws(self, of: Of = "new_run") -> xr.DataArray:
        """Return the draws of the mean curve or of a new run.

        Raises
        ------
        InputError
            If `of` is neither.
        """
        check_of(of)
        drawn: xr.DataArray = getattr(self, of)
        return drawn

    def probability_at_least(self, accuracy: float, *, of: Of = "new_run") -> xr.DataArray:
        """Return the probability that the accuracy is a target or more, at each point.

        Parameters
        ----------
        accuracy : float
            The target, between 0 and 1.
        of : {"new_run", "mean_curve"}
            Whose accuracy.

        Raises
        ------
        InputError
            If the target does not lie between 0 and 1.
        """
        check_accuracy(accuracy)
        reached: xr.DataArray = (self.draws(of) >= accuracy).mean(SAMPLE_DIMS)
        return reached.rename("probability_at_least").assign_attrs(units="1", target=accuracy)

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a point: its covariates, median task loss and accuracy, and intervals.

        Columns ``mean_curve_lower`` to ``new_run_upper`` bound intervals of the accuracy.
        """
        frame = self.loss.points.to_dataframe()
        frame["task_loss"] = quantile(self.loss.mean_curve, 0.5).values
        frame["accuracy"] = quantile(self.mean_curve, 0.5).values
        for of in ("mean_curve", "new_run"):
            drawn = interval(getattr(self, of), prob=prob, kind=kind)
            frame[f"{of}_lower"], frame[f"{of}_upper"] = drawn.values
        return frame

    @printed
    def __repr__(self) -> str:
        frame = self.to_frame()
        below = int((frame["task_loss"] < self.beyond).sum())
        for name in SIZES:
            if name in frame:
                frame[name] = [format_quantity(value, kind=name) for value in frame[name]]
        note = (
            f"\nThe task loss of {below} of {len(frame)} points lies below {self.beyond:.4g}, the "
            "lowest in the table: accuracy there rests on the sigmoid."
        )
        title = (
            f"Forecast of accuracy by {self.loss.label}: {shown_in_words(self.new_run)} of the "
            "accuracy at the mean curve of the loss, and of what a new run scores"
        )
        table = frame.to_string(index=False, float_format="{:.3f}".format)
        return f"{title}\n{table}{note if below else ''}{in_lines(self.doubts)}"


def check_accuracy(accuracy: object) -> None:
    """Refuse a target that no accuracy can be.

    Raises
    ------
    InputError
        If it is not a number between 0 and 1.
    """
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or not 0 < accuracy < 1:
        raise InputError(f"the target accuracy is {accuracy!r}; give a share between 0 and 1.")
