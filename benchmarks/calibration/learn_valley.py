"""How N* grows with compute over the measured minima of every sweep: what a straight valley knows.

log N* at the minima of a sweep is a line in log C, with bends of a Gaussian process (Matern 5/2,
two decades of compute) and the minima's own uncertainty. Growth is Normal over sweeps; the size of
the bends is LogNormal over them, integrated on a grid. Every source weighs the same. Printed are
the maximum likelihood for all sources and with each of them left out, and the root mean square of
the bends.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import log

import numpy as np
import pandas as pd
from common import arguments
from measure import print_table
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sweeps import sweeps

from scaling_bayes._prediction.straight_valley import covariance_of_line

BENDS = np.geomspace(0.01, 1.5, 25)
WIDTH_IN_SDS = 3.29
"""Standard deviations between the ends of a 90 percent interval."""
SPREAD_OF_BENDS = log(0.6), 0.5
"""Center and standard deviation of the log of the bends' spread over sweeps, before the runs."""


@dataclass(frozen=True)
class Valley:
    """The measured minima of a sweep: logs of C and N*, and standard deviations of the latter."""

    source: str
    log_c: np.ndarray
    log_n: np.ndarray
    sd: np.ndarray

    def log_likelihood(self, growth: float, growth_sd: float, bend: float) -> float:
        """Return the log density of the minima; see the head of this file."""
        away = self.log_c - self.log_c[-1]
        covariance = covariance_of_line(away, growth_sd=growth_sd, bend=bend)
        covariance += np.diag(self.sd**2)
        mean = self.log_n.mean() + growth * (away - away.mean())
        return float(multivariate_normal.logpdf(self.log_n, mean, covariance))


def learned(valleys: list[Valley]) -> dict[str, float]:
    """Return growth, its spread, and the median, spread and root mean square of bends."""
    count = Counter(valley.source for valley in valleys)

    def loss(point: np.ndarray) -> float:
        growth, log_growth_sd, log_bend, log_spread = point
        shares = -0.5 * ((np.log(BENDS) - log_bend) / np.exp(log_spread)) ** 2
        shares -= np.logaddexp.reduce(shares)
        total = 0.5 * ((log_spread - SPREAD_OF_BENDS[0]) / SPREAD_OF_BENDS[1]) ** 2
        for valley in valleys:
            by_bend = [valley.log_likelihood(growth, np.exp(log_growth_sd), bend) for bend in BENDS]
            total -= float(np.logaddexp.reduce(shares + by_bend)) / count[valley.source]
        return total

    start = np.array([0.53, log(0.08), log(0.2), log(0.6)])
    growth, *logs = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 400}).x
    growth_sd, bend, spread = np.exp(logs)
    return {
        "growth": growth,
        "its sd": growth_sd,
        "bends, median": bend,
        "sd of their log": spread,
        "root mean square": bend * np.exp(spread**2),
    }


def main() -> None:
    """Learn, and print a table."""
    options = arguments(__doc__).parse_args()
    valleys = []
    for sweep in sweeps(options.data):
        found = [] if sweep.repeats else sweep.minima()
        if len(found) > 1:
            frame = pd.DataFrame([vars(minimum) for minimum in found])
            sd = np.log(frame["upper"] / frame["lower"]) / WIDTH_IN_SDS
            logs = [np.log(frame[name].to_numpy()) for name in ("flops", "n_params")]
            valleys.append(Valley(sweep.source, *logs, sd.to_numpy()))
    rows = [{"sources": "all"} | learned(valleys)]
    for source in () if options.quick else dict.fromkeys(valley.source for valley in valleys):
        others = [valley for valley in valleys if valley.source != source]
        rows.append({"sources": f"without {source}"} | learned(others))
    print_table(f"Growth of N* over {len(valleys)} sweeps", rows)


if __name__ == "__main__":
    main()
