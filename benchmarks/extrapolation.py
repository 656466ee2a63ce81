"""Coverage beyond the data: fits below a compute cut against every run at or above it.

Cut rule: runs with FLOPs below the cut are fitted, and all runs at or above it are forecast. The
package fits Chinchilla's law with its default priors and Student-t noise. Beside it stands the
field's habit: a Huber fit of log loss (delta 1e-3) and 300 bootstraps, whose percentiles give the
mean curve; and the same with the residuals of the fit, resampled, added. CRPS is that of log loss,
the mean over the forecast runs; smaller is better.
"""

from __future__ import annotations

from refit import CONVERGED, START, bootstrap, huber  # first: it limits the threads of BLAS

# isort: split
import numpy as np
from measure import print_table
from scipy.optimize import minimize
from sweep import CUTS, arguments, chinchilla_runs

import scaling_bayes as sb

PROB = 0.9
NEW_RUN, MEAN_CURVE = "scaling_bayes, new run", "scaling_bayes, mean curve"
HABIT, HABIT_NOISE = "Huber + bootstrap, mean curve", "Huber + bootstrap + residuals"


def log_columns(runs: sb.Runs) -> list[np.ndarray]:
    """Return the logs of sizes, tokens and losses."""
    columns = runs.covariates(("n_params", "tokens", "loss"))
    return [np.log(column) for column in columns.values()]


def log_curve(theta: np.ndarray, log_n: np.ndarray, log_d: np.ndarray) -> np.ndarray:
    """Return log loss, of shape (fit, run), for fits of (log A, log B, log E, alpha, beta)."""
    log_a, log_b, log_e, alpha, beta = np.atleast_2d(theta).T[..., None]
    return np.log(np.exp(log_a - alpha * log_n) + np.exp(log_b - beta * log_d) + np.exp(log_e))


def by_habit(below: sb.Runs, above: sb.Runs, n_fits: int) -> dict[str, np.ndarray]:
    """Return draws of log loss, of shape (draw, run), by Huber fits of bootstrap resamples."""
    columns = log_columns(below)
    log_n, log_d, log_loss = columns
    best = minimize(huber, START, tuple(columns), "L-BFGS-B", jac=True, options=CONVERGED).x
    curve = log_curve(bootstrap(columns, best, CONVERGED, n_fits), *log_columns(above)[:2])
    residuals = (log_loss - log_curve(best, log_n, log_d)).ravel()
    # Several residuals a fit, so that the percentiles do not rest on one draw of each.
    repeated = np.repeat(curve, 10, axis=0)
    noise = np.random.default_rng(0).choice(residuals, repeated.shape)
    return {HABIT: curve, HABIT_NOISE: repeated + noise}


def by_package(fit: sb.Fit, above: sb.Runs, seed: int) -> dict[str, np.ndarray]:
    """Return draws of log loss, of shape (draw, run), by the posterior."""
    forecast = fit.forecast(above, seed=seed)
    losses = {NEW_RUN: forecast.draws("new_run"), MEAN_CURVE: forecast.draws("mean_curve")}
    return {
        how: np.log(draws.stack(sample=("chain", "draw")).transpose("sample", "point").to_numpy())
        for how, draws in losses.items()
    }


def coverage(draws: np.ndarray, observed: np.ndarray) -> float:
    """Return the share of observations inside the equal-tailed interval of the draws."""
    lower, upper = np.quantile(draws, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)
    return float(np.mean((lower <= observed) & (observed <= upper)))


def crps(draws: np.ndarray, observed: np.ndarray) -> float:
    """Return the mean CRPS: E|x - y| - E|x - x'| / 2, the second term from sorted draws."""
    n = len(draws)
    ranks = 2 * np.arange(1, n + 1) - n - 1
    spread = ranks @ np.sort(draws, axis=0) / n**2
    return float(np.mean(np.abs(draws - observed).mean(axis=0) - spread))


def main() -> None:
    """Fit below each cut, forecast above it, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the package (default: 1)")
    options = parser.parse_args()
    cuts, n_fits, n_draws = (CUTS[2:3], 20, 200) if options.quick else (CUTS, 300, 1000)
    runs = chinchilla_runs(options.data)
    flops = runs.covariates(("flops",))["flops"]
    settings = sb.SamplerSettings(draws=n_draws, progressbar=False)
    fitter = sb.Fitter(
        sb.laws.Chinchilla(),
        settings=settings,
        on_failure="warn" if options.quick else "raise",
        discrepancy=None,
    )
    inside: dict[str, dict[str, object]] = {}
    score: dict[str, dict[str, object]] = {}
    for cut in cuts:
        below, above = runs.where(flops < cut), runs.where(flops >= cut)
        observed = log_columns(above)[2]
        column = f"{cut:.0e} ({len(below)} | {len(above)})"
        fit = fitter.fit(below, seed=options.seed)
        forecasts = by_package(fit, above, options.seed) | by_habit(below, above, n_fits)
        for how, draws in forecasts.items():
            inside.setdefault(how, {"how": how})[column] = coverage(draws, observed)
            score.setdefault(how, {"how": how})[column] = 1e3 * crps(draws, observed)
    print(f"Columns: cut in FLOPs (runs fitted, below it | runs forecast). Seed {options.seed}.")
    print_table(
        f"Share of runs inside the nominal {PROB:.0%} equal-tailed interval", list(inside.values())
    )
    print_table("Mean CRPS of log loss, in thousandths", list(score.values()))


if __name__ == "__main__":
    main()
