"""Time of a decision over 4000 draws and 10,000 model sizes.

The alternative is what one would write with the forecast of the same fit: draws of the mean
curve at all points, and the rule on these. Target: under 2 seconds, rules of the tail included.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from measure import print_table
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb

BUDGET = 1e24


def seconds(task: Callable[[], object]) -> float:
    """Return the seconds that the task takes."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def by_forecast(fit: sb.Fit, n_points: int) -> float:
    """Return the model size with the smallest expected loss, by a forecast of all sizes."""
    n_params = np.logspace(9, 13, n_points)
    draws = fit.forecast(n_params=n_params, flops=BUDGET, seed=0).mean_curve
    return float(n_params[draws.mean(("chain", "draw")).to_numpy().argmin()])


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    n_points = 100 if options.quick else 10_000
    runs = chinchilla_runs(options.data)
    law, settings = sb.laws.Chinchilla(), sb.SamplerSettings(progressbar=False)
    fit = sb.fit(runs, law, settings=settings, seed=1, discrepancy=None)
    smooth = sb.fit(runs, law, discrepancy=sb.discrepancy.Smooth(), settings=settings, seed=1)
    tasks: dict[str, Callable[[], object]] = {
        "expected loss": lambda: sb.decide(fit, flops=BUDGET, n_candidates=n_points),
        "CVaR of a new run": lambda: sb.decide(
            fit, flops=BUDGET, n_candidates=n_points, rule="cvar", of="new_run"
        ),
        "CVaR of regret": lambda: sb.decide(
            fit, flops=BUDGET, n_candidates=n_points, rule=sb.rules.CVaR(of="regret")
        ),
        "expected loss, with discrepancy": lambda: sb.decide(
            smooth, flops=BUDGET, n_candidates=n_points
        ),
        "forecast of all sizes, and their mean": lambda: by_forecast(fit, n_points),
    }
    spent = {name: seconds(task) for name, task in tasks.items()}
    habit = spent["forecast of all sizes, and their mean"]
    print_table(
        f"A decision over {n_points} sizes and {fit.draws['L_inf'].size} draws",
        [{"how": name, "seconds": value, "ratio": value / habit} for name, value in spent.items()],
    )


if __name__ == "__main__":
    main()
