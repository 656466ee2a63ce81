"""Scores of forecasts of new runs, and noise that leaves rows of one size as they are."""

from __future__ import annotations

import numpy as np

import scaling_bayes as sb

PROB = 0.9


class Rows(sb.noise.StudentT):
    """The default noise, by another name, which leaves rows as they are."""

    name = "rows"


def scores(forecast: sb.Forecast, hidden: sb.Runs) -> dict[str, float]:
    """Return scores of a forecast of new runs, of log loss and in percent."""
    draws = np.log(forecast.new_run.to_numpy().reshape(-1, len(hidden)))
    observed = np.log(hidden.frame["loss"].to_numpy())
    low, high = np.quantile(draws, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)
    ordered = np.sort(draws, axis=0)
    n = len(ordered)
    weights = (2 * np.arange(1, n + 1) - n - 1)[:, None] / n**2
    crps = np.mean(np.abs(draws - observed), axis=0) - np.sum(weights * ordered, axis=0)
    return {
        "CRPS": 100 * float(crps.mean()),
        "held": float(np.mean((low <= observed) & (observed <= high))),
        "width": 100 * float(np.mean(high - low)),
    }
