"""The field's habit, to compare with: a point fit of Chinchilla's law, and its bootstrap."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import scaling_bayes as sb

DELTA = 1e-3  # Huber's constant for log loss, as in Hoffmann et al. 2022, equation 3
N_BOOTSTRAP = 500
STARTS = [
    np.array([log_a, log_b, log_e, alpha, beta])
    for log_a, log_b, log_e, alpha, beta in product(
        (2.0, 5.0), (2.0, 5.0), (-1.0, 0.0), (0.3, 0.6), (0.3, 0.6)
    )
]


def bootstrap(runs: sb.Runs, points: pd.DataFrame, *, seed: int) -> dict[str, np.ndarray]:
    """Return draws of the loss at `points` by the fits of resampled runs.

    Parameters
    ----------
    runs : Runs
        The runs to fit.
    points : DataFrame
        Columns n_params and tokens.
    seed : int

    Returns
    -------
    dict of ndarray, shape (draw, point)
        ``mean_curve``: the fitted law. ``new_run``: the same with a residual of the fit on all
        runs, drawn at random, added to the log loss.
    """
    columns = runs.covariates(("n_params", "tokens", "loss"))
    n_params, tokens, loss = columns.values()
    found = [fit(n_params, tokens, loss, start) for start in STARTS]
    best = min(found, key=lambda one: one[1])[0]
    rng = np.random.default_rng(seed)
    resamples = rng.integers(len(loss), size=(N_BOOTSTRAP, len(loss)))
    fits = [fit(n_params[rows], tokens[rows], loss[rows], best)[0] for rows in resamples]
    sizes = points["n_params"].to_numpy(), points["tokens"].to_numpy()
    curve = np.array([log_loss(theta, *sizes) for theta in fits])
    residuals = np.log(loss) - log_loss(best, n_params, tokens)
    repeated = np.repeat(curve, 10, axis=0)
    noise = rng.choice(residuals, repeated.shape)
    return {"mean_curve": np.exp(curve), "new_run": np.exp(repeated + noise)}


def fit(
    n_params: np.ndarray, tokens: np.ndarray, loss: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return (log A, log B, log E, alpha, beta) and the cost, by Huber regression of log loss."""
    found = least_squares(
        lambda theta: log_loss(theta, n_params, tokens) - np.log(loss),
        start,
        loss="huber",
        f_scale=DELTA,
        x_scale="jac",
    )
    return found.x, found.cost


def log_loss(theta: np.ndarray, n_params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return the log of Chinchilla's law, E + A/N^alpha + B/D^beta."""
    log_a, log_b, log_e, alpha, beta = theta
    return np.logaddexp.reduce(
        [
            np.full(n_params.shape, log_e),
            log_a - alpha * np.log(n_params),
            log_b - beta * np.log(tokens),
        ]
    )
