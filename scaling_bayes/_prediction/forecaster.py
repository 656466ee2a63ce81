"""What a backtest asks of anything that learns from runs and forecasts others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scaling_bayes._prediction.forecast_answer import Forecast
    from scaling_bayes.runs import Runs


class Forecasting(Protocol):
    """What a forecaster has learnt, such as a `Fit`.

    One that also has the members of `Fit` that allocation reads (``law``, ``draws``, ``noise``,
    ``noise_draws``, ``flops_per_param_token``) is allocated with as well.
    """

    @property
    def label(self) -> str:
        """Short name for tables and legends."""

    def forecast(self, points: Runs, *, seed: int) -> Forecast:
        """Return draws of the loss of each of the points, in their order.

        Parameters
        ----------
        points : Runs
            The runs to forecast. Their losses must not be looked at.
        seed : int
            Source of randomness; the same seed gives the same draws.
        """


class Forecaster(Protocol):
    """Anything that learns from runs, such as a `Fitter`.

    It is pickled if other processes are to refit. If results are kept in a directory, they are
    found again by a description of the forecaster: the fields of a dataclass, with laws and
    priors spelt out, and else its ``repr``. That has to name everything that changes the
    forecasts.
    """

    def fit(self, runs: Runs, *, seed: int) -> Forecasting:
        """Learn from runs; the same seed gives the same result.

        Errors of this package, such as `errors.ConvergenceError`, are counted as failed refits;
        any other error ends the backtest.

        Parameters
        ----------
        runs : Runs
            The training runs.
        seed : int
            Source of randomness.
        """
