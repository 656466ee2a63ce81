"""Leave-one-out cross-validation of a fit, some runs at a time."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._checks.at_runs import log_likelihoods
from scaling_bayes._intervals import SAMPLE_DIMS

if TYPE_CHECKING:
    from arviz_stats.utils import ELPDDataLOO

    from scaling_bayes._fit.fit import Fit


def leave_one_out(fit: Fit) -> ELPDDataLOO:
    """Return the PSIS-LOO estimate of a fit, as `arviz_stats.loo` does, pointwise.

    Log likelihoods are held of some runs at a time, and their importance weights not at all.

    Parameters
    ----------
    fit : Fit
        The fit.
    """
    import xarray as xr
    from arviz_stats.utils import ELPDDataLOO

    efficiency = _efficiency(fit)
    found: list[tuple[Any, ...]] = [
        some.azstats.loo(sample_dims=list(SAMPLE_DIMS), r_eff=efficiency)
        for some in log_likelihoods(fit)
    ]
    elpd_i, pareto_k, p_i = (xr.concat(each, dim="run") for each in zip(*found, strict=True))
    elpd, se, p, _ = elpd_i.azstats.loo_summary(p_i)
    n_draws = fit.diagnostics.n_draws
    good_k = min(1 - 1 / log10(n_draws), 0.7)
    return ELPDDataLOO(
        elpd=elpd,
        se=se,
        p=p,
        n_samples=n_draws,
        n_data_points=len(fit.runs),
        scale="log",
        warning=bool((pareto_k > good_k).any()),
        good_k=good_k,
        elpd_i=elpd_i,
        pareto_k=pareto_k,
    )


def _efficiency(fit: Fit) -> float:
    """Return the effective number of draws over their number: the mean of all variables."""
    effective = fit.data_tree["posterior"].to_dataset().azstats.ess(method="mean")
    values = np.concatenate([each.to_numpy().ravel() for each in effective.data_vars.values()])
    return float(values.mean() / fit.diagnostics.n_draws)
