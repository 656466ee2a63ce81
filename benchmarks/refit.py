"""Time of a warm refit against 300 bootstrap fits by L-BFGS with analytic gradients.

The bootstrap is the field's habit: Huber loss on log L with delta 1e-3, each resample started
at the optimum of all runs. SciPy's default tolerance is shown too: the objective is so small
that L-BFGS then stops near where it starts, which the standard deviation of a gives away.
Target: a refit takes less than twice the time of the converged bootstrap.
"""

from __future__ import annotations

import os
from collections.abc import Callable

# SciPy's L-BFGS calls BLAS on five numbers at a time: more threads only make it slower.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from measure import alternate, print_table
from scipy.optimize import minimize
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb

DELTA = 1e-3
CONVERGED = {"ftol": 1e-12, "gtol": 1e-8, "maxiter": 5000}
START = np.array([6.2, 7.6, 0.6, 0.35, 0.37])


def huber(
    theta: np.ndarray, log_n: np.ndarray, log_d: np.ndarray, log_loss: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the summed Huber loss of (log A, log B, log E, alpha, beta), and its gradient."""
    log_a, log_b, log_e, alpha, beta = theta
    size, data, floor = np.exp(log_a - alpha * log_n), np.exp(log_b - beta * log_d), np.exp(log_e)
    predicted = size + data + floor
    residual = np.log(predicted) - log_loss
    clipped = np.clip(residual, -DELTA, DELTA)
    slope = clipped / predicted
    by_size, by_data = slope * size, slope * data
    gradient = [
        by_size.sum(),
        by_data.sum(),
        floor * slope.sum(),
        -by_size @ log_n,
        -by_data @ log_d,
    ]
    return float(clipped @ (residual - clipped / 2)), np.array(gradient)


def bootstrap(
    columns: list[np.ndarray], start: np.ndarray, options: dict[str, float], n_fits: int
) -> np.ndarray:
    """Return the parameters of each resample's fit."""
    rng = np.random.default_rng(0)
    fits = []
    for _ in range(n_fits):
        rows = rng.integers(len(columns[0]), size=len(columns[0]))
        resample = tuple(column[rows] for column in columns)
        fits.append(minimize(huber, start, resample, "L-BFGS-B", jac=True, options=options).x)
    return np.array(fits)


def sd_of_a(alpha: np.ndarray, beta: np.ndarray) -> float:
    """Return the standard deviation of the allocation exponent."""
    return float(np.std(beta / (alpha + beta)))


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    n_fits, rounds = (10, 1) if options.quick else (300, 7)
    runs = chinchilla_runs(options.data)
    sizes = runs.covariates(("n_params", "tokens", "loss"))
    columns = [np.log(sizes[name]) for name in ("n_params", "tokens", "loss")]
    best = minimize(huber, START, tuple(columns), "L-BFGS-B", jac=True, options=CONVERGED).x
    fitter = sb.Fitter(
        sb.laws.Chinchilla(), settings=sb.SamplerSettings(progressbar=False), discrepancy=None
    )

    refit = f"refit, {fitter.settings.chains} x {fitter.settings.draws} draws"
    converged, default = f"{n_fits} bootstraps", f"{n_fits} bootstraps, SciPy's tolerance"
    tasks: dict[str, Callable[[], object]] = {
        refit: lambda: fitter.fit(runs, seed=1),
        converged: lambda: bootstrap(columns, best, CONVERGED, n_fits),
        default: lambda: bootstrap(columns, best, {}, n_fits),
    }
    timings = alternate(tasks, rounds=rounds)
    draws = fitter.fit(runs, seed=1).draws
    spread = {
        refit: sd_of_a(draws["alpha_N"].to_numpy(), draws["alpha_D"].to_numpy()),
        converged: sd_of_a(*bootstrap(columns, best, CONVERGED, n_fits).T[3:]),
        default: sd_of_a(*bootstrap(columns, best, {}, n_fits).T[3:]),
    }
    print_table(
        f"One posterior of {len(runs)} runs, warm; ratios to the converged bootstrap (target < 2)",
        [
            {
                "how": name,
                "seconds": timing.wall,
                "ratio": timing.wall / timings[converged].wall,
                "CPU seconds": timing.cpu,
                "CPU ratio": timing.cpu / timings[converged].cpu,
                "sd of a": spread[name],
            }
            for name, timing in timings.items()
        ],
    )


if __name__ == "__main__":
    main()
