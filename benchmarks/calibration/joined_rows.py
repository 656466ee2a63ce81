"""Forecasts of the sweeps that have several runs of a size, with these as one row or as they are.

Every sweep is fitted below each of its cuts by the default, and all runs above are forecast: how
often the 90% interval (equal-tailed, of a new run) holds, and CRPS of log loss in percent.
"""

from __future__ import annotations

import warnings

import pandas as pd
from common import Rows, arguments, scores
from sweeps import sweeps

import scaling_bayes as sb


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
                rows.append(row | scores(forecast, above))
    print(pd.DataFrame(rows).groupby(["sweep", "rows"]).mean().round(3).to_string())


if __name__ == "__main__":
    main()
