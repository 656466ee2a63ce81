"""Whether noise that changes with compute forecasts better than noise of one scale.

Every sweep is fitted below each of its cuts, with and without a discrepancy. The residuals tell
how log scatter changes with log compute: a slope by least squares of their log sizes, drawn
towards 0 by a Normal prior of standard deviation 0.2. Then it is fitted again with runs weighed by
that scatter, and new runs are forecast with the scatter at their compute. Printed are means over
the cuts of a source, then over sources: how often the 90% interval (equal-tailed, of a new run)
holds, its width and CRPS of log loss, both in percent.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from common import Rows, arguments, scores
from sweeps import sweeps

import scaling_bayes as sb

PRIOR_SD, OF_LOG_ABS = 0.2, np.pi**2 / 8
"""Standard deviation of the slope before the runs; variance of the log of a Normal's size."""


def slope(fit: sb.Fit) -> tuple[float, float]:
    """Return how the log of scatter changes with log compute, and the log compute it is about."""
    frame = fit.runs.frame
    mean = np.log(sb.forecast(fit, frame, seed=1).mean_curve).median(("chain", "draw"))
    residual = np.log(frame["loss"].to_numpy()) - mean.to_numpy()
    x = np.log(frame["flops"].to_numpy())
    y = np.log(np.abs(residual) + 1e-6)
    centre = float(x.mean())
    away = x - centre
    precision = (away**2).sum() / OF_LOG_ABS + 1 / PRIOR_SD**2
    return float((away * (y - y.mean())).sum() / OF_LOG_ABS / precision), centre


def weighed(runs: sb.Runs, by: float, centre: float) -> sb.Runs:
    """Return runs with the weight that noise at their compute gives them."""
    weight = np.exp(-2 * by * (np.log(runs.frame["flops"]) - centre))
    return replace(runs, frame=runs.frame.assign(weight=weight))


def main() -> None:
    """Print one row a source, then the means over sources."""
    options = arguments(__doc__).parse_args()
    warnings.simplefilter("ignore", sb.errors.ScalingBayesWarning)
    settings = sb.SamplerSettings(draws=500, progressbar=False)
    rows = []
    for sweep in sweeps(options.data):
        if sweep.kind != "joint" or sweep.repeats:
            continue
        for discrepancy in ("smooth", None):
            fitter = sb.Fitter(
                noise=Rows(), discrepancy=discrepancy, settings=settings, on_failure="warn"
            )
            for cut in sweep.cuts:
                below, above = sweep.runs.below(flops=cut), sweep.runs.above(flops=cut)
                fit = fitter.fit(below, seed=1)
                by, centre = slope(fit)
                again = fitter.fit(weighed(below, by, centre), seed=1)
                ways = {
                    "one scale": sb.forecast(fit, above, seed=1),
                    "by compute": sb.forecast(again, weighed(above, by, centre), seed=1),
                }
                about = {"source": sweep.source, "discrepancy": str(discrepancy)}
                rows += [
                    about | {"way": way, "slope": by} | scores(forecast, above)
                    for way, forecast in ways.items()
                ]
        print(f"{sweep.name} done", flush=True)
    table = pd.DataFrame(rows)
    by_source = table.groupby(["discrepancy", "source", "way"]).mean()
    print(by_source.round(3).to_string())
    print(by_source.groupby(["discrepancy", "way"]).mean().round(3).to_string())


if __name__ == "__main__":
    main()
