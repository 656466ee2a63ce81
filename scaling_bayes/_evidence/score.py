"""Scores of forecasts on runs that were not fitted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scaling_bayes._evidence.scores import crps, interval_score, log_draws, log_score, quantile_of
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._prediction.forecast import forecast
from scaling_bayes._prediction.forecast_answer import POINTS_AT_ONCE, Forecast
from scaling_bayes._prediction.forecaster import Forecasting
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._prediction.mixture import check_forecasting
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs

_OF_A_NEW_RUN = ("log_score", "crps", "interval_score", "coverage")


def score(
    sources: Mapping[str, LawDraws | Forecasting],
    held_out: Runs,
    *,
    prob: float = DEFAULT_PROB,
    seed: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Score forecasts on runs that were not fitted, such as larger ones.

    The runs scored are the same for all sources; the runs that each was fitted to may differ. So
    laws fitted to different sweeps are compared here, while `compare` needs the same runs for its
    evidence. Everything is of log loss, and by the same scores as in `backtest`.

    Parameters
    ----------
    sources : mapping of str to Fit, PublishedLaw or what a `Forecaster` returned
        What to score, by name.
    held_out : Runs
        The runs. That no source has seen them is up to you.
    prob : float
        Probability inside the intervals.
    seed : int or Generator, optional
        Source of the noise of new runs.

    Returns
    -------
    DataFrame
        One row a source. ``rmse``, the root-mean-square difference between the log loss and that
        of the median of the mean curve; means over the runs of ``log_score``, the log predictive
        density by a kernel estimate from the draws (higher is better), of ``crps`` and of
        ``interval_score`` (both lower is better; Gneiting & Raftery 2007); ``coverage``, the
        share of runs inside the equal-tailed interval of a new run that holds `prob`. All but
        ``rmse`` are NaN where a source has no noise, as a published law.

    Raises
    ------
    InputError
        If the sources are not given by name, `held_out` is no `Runs`, or `prob` is not between 0
        and 1.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> runs = sb.datasets.load_cerebras_gpt()
    >>> sb.score(sb.laws.Chinchilla.published, runs)["rmse"].round(2)
    source
    hoffmann2022     0.26
    besiroglu2024    0.25
    Name: rmse, dtype: float64
    """
    if not isinstance(sources, Mapping) or not sources:
        raise InputError('give the sources by name, such as {"chinchilla": fit}.')
    check_forecasting(sources)
    if not isinstance(held_out, Runs):
        raise InputError(
            f"held_out is a {type(held_out).__name__}; give what sb.read_runs(...) returns."
        )
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; an interval needs a probability between 0 and 1.")
    # One seed for all: the scores of a source do not depend on which others there are.
    common = int(generator(seed).integers(2**31))
    rows = {name: _scores(source, held_out, prob, common) for name, source in sources.items()}
    return pd.DataFrame(rows).T.rename_axis("source")


def rmse(source: LawDraws | Forecasting, runs: Runs) -> float:
    """Return the root-mean-square difference of log loss to the median of the mean curve."""
    return _rmse(_forecast(source, runs, 0), runs)


def _scores(source: LawDraws | Forecasting, runs: Runs, prob: float, seed: int) -> dict[str, float]:
    made = _forecast(source, runs, seed)
    scores = {"rmse": _rmse(made, runs)} | dict.fromkeys(_OF_A_NEW_RUN, np.nan)
    if "new_run" not in made.known:
        return scores
    observed = np.split(_log_loss(runs), range(POINTS_AT_ONCE, len(runs), POINTS_AT_ONCE))
    parts = [
        _of_a_new_run(part, some, prob) for part, some in zip(made.parts(), observed, strict=True)
    ]
    return scores | {
        name: float(np.concatenate([part[name] for part in parts]).mean()) for name in _OF_A_NEW_RUN
    }


def _of_a_new_run(made: Forecast, observed: np.ndarray, prob: float) -> dict[str, np.ndarray]:
    """Return the scores of each run."""
    draws = log_draws(made.draws("new_run"))
    lower, upper = (quantile_of(draws, q) for q in ((1 - prob) / 2, (1 + prob) / 2))
    return {
        "log_score": log_score(draws, observed),
        "crps": crps(draws, observed),
        "interval_score": interval_score(lower, upper, observed, prob=prob),
        "coverage": (lower <= observed) & (observed <= upper),
    }


def _forecast(source: LawDraws | Forecasting, runs: Runs, seed: int) -> Forecast:
    if hasattr(source, "forecast"):
        return source.forecast(runs, seed=seed)
    return forecast(source, runs, seed=seed)


def _rmse(made: Forecast, runs: Runs) -> float:
    parts = made.parts("mean_curve")
    medians = [quantile_of(log_draws(part.mean_curve), 0.5) for part in parts]
    error = np.concatenate(medians) - _log_loss(runs)
    return float(np.sqrt(np.mean(error**2)))


def _log_loss(runs: Runs) -> np.ndarray:
    return np.log(runs.covariates(("loss",))["loss"])
