"""Laws against each other on the larger runs of a backtest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scaling_bayes._evidence.backtest import Backtest
from scaling_bayes.errors import InputError

_LEAST_WEIGHT = 1e-6
"""Lowest weight while the optimum is sought, so that no run has the density zero."""


def future_of(backtest: Backtest, names: Sequence[str], *, prob: float) -> pd.DataFrame:
    """Return how laws fitted below each cut forecast the runs above it, best first.

    Only forecasts that all laws made are counted. The rows of a cut share a refit, and the rows
    of a run share its noise, so standard errors are clustered both ways; see `clustered_se`.

    Parameters
    ----------
    backtest : Backtest
        The backtest.
    names : sequence of str
        Names of laws in it.
    prob : float
        Probability inside the intervals whose coverage is counted.

    Returns
    -------
    DataFrame
        One row a law; see `Comparison`.

    Raises
    ------
    InputError
        If the backtest lacks a law, or no run was scored under all of them.
    """
    if not isinstance(backtest, Backtest):
        raise InputError(
            f"backtest is a {type(backtest).__name__}; give what sb.backtest(...) returns."
        )
    known = list(dict.fromkeys(backtest.scores["law"]))
    for name in names:
        if name not in known:
            raise InputError(
                f"the backtest has no law {name!r}; it has {', '.join(known)}. Give the fits the "
                "names that their laws have in the backtest."
            )
    points = backtest.points[backtest.points["of"] == "new_run"].set_index(["cut", "row"])
    by_law = {name: points[points["law"] == name] for name in names}
    index = by_law[names[0]].index
    everything = index
    for table in by_law.values():
        index, everything = index.intersection(table.index), everything.union(table.index)
    if index.empty:
        raise InputError(
            f"no run was scored under all of {', '.join(names)}. See the failures of the backtest."
        )
    by_law = {name: table.loc[index] for name, table in by_law.items()}
    log_scores = pd.DataFrame({name: table["log_score"] for name, table in by_law.items()})
    best = log_scores.sum().idxmax()
    weights = stacking_weights(log_scores.to_numpy())
    tails = (1 - prob) / 2, (1 + prob) / 2
    rows = {
        name: {
            "elpd": table["log_score"].sum(),
            "elpd_se": clustered_se(table["log_score"]),
            "elpd_diff": (table["log_score"] - log_scores[best]).sum(),
            "elpd_diff_se": clustered_se(table["log_score"] - log_scores[best]),
            "weight": weight,
            "log_score": table["log_score"].mean(),
            "crps": table["crps"].mean(),
            "coverage": table["pit"].between(*tails).mean(),
        }
        for (name, table), weight in zip(by_law.items(), weights, strict=True)
    }
    return (
        pd.DataFrame(rows)
        .T.rename_axis("source")
        .assign(
            n_scored=len(index),
            n_runs=index.get_level_values("row").nunique(),
            n_cuts=index.get_level_values("cut").nunique(),
            n_left_out=len(everything) - len(index),
        )
        .sort_values("elpd", ascending=False)
    )


def clustered_se(values: pd.Series) -> float:
    """Return the standard error of a sum over cuts and runs, clustered both ways.

    Variance by runs, plus that by cuts, less that of single rows (Cameron, Gelbach & Miller 2011,
    equation 2.11), each times g / (g - 1) for g clusters; at least the larger of the first two.
    Of a single cut it is the standard error over runs, which does not see how the refit itself
    would vary.

    Parameters
    ----------
    values : Series
        One value a row, with index levels ``cut`` and ``row``.
    """
    error = values - values.mean()
    by_run, by_cut = (
        _corrected(error.groupby(level=level).sum().to_numpy()) for level in ("row", "cut")
    )
    return float(
        np.sqrt(max(by_run + by_cut - _corrected(error.to_numpy()), by_run, by_cut)),
    )


def stacking_weights(log_scores: np.ndarray) -> np.ndarray:
    """Return the weights of the mixture with the highest mean log score.

    max over w on the simplex of mean_i log sum_k w_k p_k(y_i) (Yao et al. 2018, equation 4): a
    concave problem.

    Parameters
    ----------
    log_scores : ndarray, shape (point, law)
        Log predictive density of each point under each law.

    Returns
    -------
    ndarray, shape (law,)
        Weights that add up to 1.
    """
    from scipy.optimize import minimize

    known = log_scores[np.isfinite(log_scores).any(axis=1)]
    density = np.exp(known - known.max(axis=1, keepdims=True))
    n_laws = density.shape[1]
    if n_laws == 1:
        return np.ones(1)
    found = minimize(
        lambda w: -np.log(density @ w).mean(),
        np.full(n_laws, 1 / n_laws),
        jac=lambda w: -(density / (density @ w)[:, None]).mean(axis=0),
        bounds=[(_LEAST_WEIGHT, 1)] * n_laws,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.where(found.x > 2 * _LEAST_WEIGHT, found.x, 0)
    return np.asarray(weights / weights.sum())


def _corrected(totals: np.ndarray) -> float:
    n = len(totals)
    return float((totals**2).sum() * n / (n - 1)) if n > 1 else 0.0
