"""Forecasts of the sweeps that have several runs of a size, with these as one row or as they are.

Every sweep is fitted below each of its cuts by the default, and all runs above are forecast: how
often the 90% interval (equal-tailed, of a new run) holds, and CRPS of log loss in percent.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from common import arguments
from sweeps import sweeps

import scaling_bayes as sb


class Rows(sb.noise.StudentT):
    """The default noise, by another name, which leaves rows as they are."""

    name = "rows"


def main() -> None:
    """Print one row a sweep and way."""
    options = arguments(__doc__).parse_args()
    warnings.simplefilter("ignore", sb.errors.ScalingBayesWarning)
    settings = sb.SamplerSettings(progressbar=False)
    fitters = {
        "joined": sb.Fitter(settings=settings, on_failure="warn"),
        "as they are": sb.Fitter(noise=Rows(), settings=settings, on_failure="warn"),
    }
    rows = []
    for sweep in sweeps(options.data):
        if len(sweep.runs.means_by_size()) == len(sweep.runs):
            continue
        for cut in sweep.cuts:
            below, above = sweep.runs.below(flops=cut), sweep.runs.above(flops=cut)
            for way, fitter in fitters.items():
                forecast = sb.forecast(fitter.fit(below, seed=1), above)
                row = {"sweep": sweep.name, "rows": way}
                rows.append(row | scores(forecast, np.log(above.frame["loss"].to_numpy())))
    print(pd.DataFrame(rows).groupby(["sweep", "rows"]).mean().round(3).to_string())


def scores(forecast: sb.Forecast, observed: np.ndarray) -> dict[str, float]:
    """Return the mean scores of new runs whose log losses were observed."""
    draws = np.sort(np.log(forecast.new_run.to_numpy()).reshape(-1, len(observed)), axis=0)
    spread = (2 * np.arange(1, len(draws) + 1) - len(draws) - 1)[:, None] / len(draws) ** 2
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    crps = np.abs(draws - observed).mean(axis=0) - (spread * draws).sum(axis=0)
    return {
        "held": float(((low < observed) & (observed < high)).mean()),
        "CRPS": 100 * float(crps.mean()),
        "width": 100 * float((high - low).mean()),
    }


if __name__ == "__main__":
    main()
