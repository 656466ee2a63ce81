"""Time and memory of the compute-optimal allocation of 1000 budgets by 4000 draws.

Each step is measured apart, since most users take only the first: the optimum of every draw,
then the one recommended allocation, its valley, and the table of all of it. The same for a law
without a closed form, and for a loop of `scipy.optimize.minimize_scalar` over draws and
budgets, of which a sample is timed and scaled up.
Target: the closed form takes less than a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from measure import peak_megabytes, print_table
from scipy.optimize import minimize_scalar
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb


class NoClosedForm(sb.laws.Chinchilla):
    """Chinchilla's law, of which the package is not told where its optimum lies."""

    name = "chinchilla, numerically"

    def optimal_n_params(self, p: Any, flops: Any, flops_per_param_token: float) -> None:
        """Return None: there is no closed form here."""


def seconds(task: Callable[[], object]) -> float:
    """Return the seconds that the task takes."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def steps(source: sb.Fit, flops: np.ndarray) -> list[dict[str, object]]:
    """Return time and memory of each step of an allocation; every step redoes those it needs."""

    def allocation() -> sb.Allocation:
        return sb.allocate(source, flops=flops)

    tasks: dict[str, Callable[[], object]] = {
        "optimum of every draw": allocation,
        "... and its intervals": lambda: allocation().interval("n_params"),
        "... and the recommended size": lambda: allocation().recommended,
        "... and the valley": lambda: allocation().valley(),
        "everything, in a table": lambda: allocation().to_frame(),
    }
    return [
        {
            "law": source.label,
            "step": name,
            "seconds": seconds(task),
            "peak MB": peak_megabytes(task),
        }
        for name, task in tasks.items()
    ]


def loop(source: sb.Fit, flops: np.ndarray, *, sample: int) -> dict[str, object]:
    """Return the time of a loop over draws and budgets, scaled up from a sample of them."""
    rng = np.random.default_rng(0)
    draws = {name: values.to_numpy().ravel() for name, values in source.draws.items()}
    n_draws = len(draws["L_inf"])

    def one() -> None:
        row, budget = rng.integers(n_draws), rng.choice(flops)
        p = SimpleNamespace(**{name: values[row] for name, values in draws.items()})

        def loss(log_n: float) -> float:
            n_params = np.exp(log_n)
            x = SimpleNamespace(n_params=n_params, tokens=budget / (6 * n_params))
            return float(source.law.loss(p, x))

        minimize_scalar(loss, bounds=(0, np.log(budget / 6)), method="bounded")

    taken = seconds(lambda: [one() for _ in range(sample)])
    return {
        "law": source.label,
        "step": f"minimize_scalar in a loop, from {sample} of them",
        "seconds": taken / sample * n_draws * len(flops),
        "peak MB": np.nan,
    }


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    n_budgets, sample = (20, 20) if options.quick else (1000, 500)
    runs = chinchilla_runs(options.data)
    settings = sb.SamplerSettings(progressbar=False)
    fit = sb.fit(runs, sb.laws.Chinchilla(), settings=settings, seed=1, discrepancy=None)
    numerical = sb.Fit(NoClosedForm(), fit.noise, fit.runs, fit.data_tree)
    flops = np.geomspace(1e19, 1e26, n_budgets)
    rows = [*steps(fit, flops), loop(fit, flops, sample=sample), *steps(numerical, flops)[:1]]
    n_draws = settings.chains * settings.draws
    print_table(f"{n_budgets} budgets x {n_draws} draws (target: first row under 1 second)", rows)


if __name__ == "__main__":
    main()
