"""The answer of this package, and of the checkout of it that PYTHONPATH names."""

import time

import numpy as np
from question import QUANTILES, arguments, columns, tell

import scaling_bayes as sb

LETTERS = {"L_inf": "E", "alpha_N": "alpha", "alpha_D": "beta"}


def answer(options):
    """Fit, print, and return the fit and the forecast of new runs."""
    runs, points = sb.read_runs(options.runs), columns(options.points)
    discrepancy = sb.discrepancy.Smooth() if options.discrepancy else None
    fit = sb.fit(runs, sb.laws.Chinchilla(), discrepancy=discrepancy, seed=1)
    print(fit.summary())
    forecast = fit.forecast(n_params=points["n_params"], tokens=points["tokens"], seed=1)
    print(forecast)
    return fit, forecast.draws("new_run")


parser = arguments()
parser.add_argument("--discrepancy", action="store_true", help="the law is nearly true")
parser.add_argument("--again", action="store_true", help="answer twice, and time the second")
options = parser.parse_args()
fit, forecast = answer(options)
more = {}
if options.again:
    wall, cpu = time.perf_counter(), time.process_time()
    answer(options)
    more["again"] = [time.perf_counter() - wall, time.process_time() - cpu]
letters = fit.draws.assign(fit.law.derived(fit.draws)).rename(LETTERS)
draws = {str(name): np.ravel(values) for name, values in letters.items()}
ends = forecast.quantile(QUANTILES, dim=("chain", "draw")).transpose("quantile", "point")
tell("posterior, new run", draws, ends.to_numpy(), **more)
