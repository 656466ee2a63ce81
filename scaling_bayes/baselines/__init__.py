"""How the field usually forecasts loss, to be scored beside the Bayesian fits.

A forecaster holds its options, and its repr names them. ``fit(runs, seed=...)`` returns what was
fitted, and that returns forecasts with ``forecast(points, seed=...)``. Every fit is to log loss,
and a row that is the mean of `weight` runs counts with its variance divided by the weight.
"""

from __future__ import annotations

from scaling_bayes.baselines._broken import BrokenFit, BrokenLaw
from scaling_bayes.baselines._huber import HuberBootstrap, HuberFit
from scaling_bayes.baselines._last_slope import LastSlope, LastSlopeFit
from scaling_bayes.baselines._log_linear import LogLinearFit, LogLinearLeastSquares
from scaling_bayes.baselines._residuals import ResampledResiduals

__all__ = [
    "BrokenFit",
    "BrokenLaw",
    "HuberBootstrap",
    "HuberFit",
    "LastSlope",
    "LastSlopeFit",
    "LogLinearFit",
    "LogLinearLeastSquares",
    "ResampledResiduals",
]
