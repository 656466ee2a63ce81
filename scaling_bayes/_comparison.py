"""Laws against each other: on the evidence of the runs, and on runs held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from scaling_bayes._draws import LawDraws, law_loss
from scaling_bayes._fit import Fit
from scaling_bayes._forecast import forecast, points_of
from scaling_bayes._intervals import DEFAULT_PROB, SAMPLE_DIMS, quantile
from scaling_bayes._model import OBSERVED, build_model
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

_COMPARED = [*SIZES, "loss", "weight"]
_EVIDENCE = {
    "elpd": "elpd",
    "se": "elpd_se",
    "elpd_diff": "elpd_diff",
    "dse": "elpd_diff_se",
    "weight": "weight",
    "p": "p_loo",
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Laws compared on the same runs.

    Attributes
    ----------
    evidence : DataFrame
        One row a fit, best first: ``elpd``, the expected log predictive density of log loss
        over the runs, by leave-one-out cross-validation (PSIS-LOO, Vehtari et al. 2017), with
        ``elpd_se``; ``elpd_diff`` to the best and ``elpd_diff_se``; stacking ``weight`` (Yao et
        al. 2018); ``p_loo``, the effective number of parameters; ``bad_k``, the share of runs
        whose Pareto k is too high for the estimate to be trusted. It scores runs inside the
        range of the sizes: it does not say which law extrapolates best.
    fitted : DataFrame
        One row a source: ``rmse``, the root-mean-square difference of log loss between the runs
        fitted and the median of the mean curve.
    held_out : DataFrame or None
        One row a source, over runs that were not fitted: ``rmse`` as above; ``log_score``, the
        mean log predictive density of log loss (higher is better); ``coverage``, the share of
        runs inside the equal-tailed interval of a new run that holds `prob`. NaN where a
        published law has no noise.
    prob : float
        Probability inside the intervals.
    """

    evidence: pd.DataFrame
    fitted: pd.DataFrame
    held_out: pd.DataFrame | None
    prob: float

    def to_frame(self) -> pd.DataFrame:
        """Return the tables side by side, columns of held-out runs ending in ``_held_out``."""
        joined = self.fitted.join(self.evidence)
        if self.held_out is not None:
            joined = joined.join(self.held_out.add_suffix("_held_out"))
        return joined.sort_values("elpd", ascending=False, na_position="last")

    def __repr__(self) -> str:
        parts = [
            "Evidence inside the runs (PSIS-LOO, of log loss; higher elpd is better)",
            self.evidence.round(3).to_string(),
            "\nRoot-mean-square error of log loss on the runs fitted",
            self.fitted.to_string(float_format="{:.5f}".format),
        ]
        if self.held_out is not None:
            parts += [
                "\nRuns held out (coverage is of the "
                f"{100 * self.prob:g}% equal-tailed interval of a new run)",
                self.held_out.round(5).to_string(),
            ]
        return "\n".join(parts)


def compare(
    sources: Mapping[str, LawDraws],
    *,
    held_out: Runs | None = None,
    prob: float = DEFAULT_PROB,
    seed: int | np.random.Generator | None = None,
) -> Comparison:
    """Compare laws on the evidence of the runs, and on runs held out.

    Parameters
    ----------
    sources : mapping of str to Fit or PublishedLaw
        At least one fit; all fits are of the same runs. A published law is scored by its error
        alone, since its noise is not known.
    held_out : Runs, optional
        Runs that were not fitted, such as larger ones.
    prob : float
        Probability inside the intervals whose coverage is counted.
    seed : int or Generator, optional
        Source of the noise of new runs.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there is no fit, or the fits are of different runs.
    """
    if not isinstance(sources, Mapping):
        raise InputError('give the laws by name, such as {"chinchilla": fit, "kaplan": other}.')
    fits = {name: source for name, source in sources.items() if isinstance(source, Fit)}
    runs = _common_runs(fits)
    rng = np.random.default_rng(seed)
    scores = None
    if held_out is not None:
        scores = _table(
            {
                name: _held_out_scores(source, held_out, prob, rng)
                for name, source in sources.items()
            }
        )
    return Comparison(
        evidence=_evidence(fits),
        fitted=_table({name: {"rmse": _rmse(source, runs)} for name, source in sources.items()}),
        held_out=scores,
        prob=prob,
    )


def log_likelihood(fit: Fit, runs: Runs) -> xr.DataArray:
    """Return the log density of the log loss of each run, with dims chain, draw and run."""
    import pymc as pm

    model = build_model(runs, fit.law, noise=fit.noise, coordinates="natural")
    density: xr.Dataset = pm.compute_log_likelihood(
        fit.data_tree, model=model, extend_inferencedata=False, progressbar=False
    )
    return density[OBSERVED]


def _common_runs(fits: Mapping[str, Fit]) -> Runs:
    if not fits:
        raise InputError("none of the sources is a fit; laws are compared on the runs of a fit.")
    (first, fit), *others = fits.items()
    for name, other in others:
        if not other.runs.frame[_COMPARED].equals(fit.runs.frame[_COMPARED]):
            raise InputError(
                f"{name!r} was fitted to other runs ({other.runs.source}, {len(other.runs)}) than "
                f"{first!r} ({fit.runs.source}, {len(fit.runs)}). Fit both to the same runs."
            )
    return fit.runs


def _evidence(fits: Mapping[str, Fit]) -> pd.DataFrame:
    import arviz_stats
    import xarray as xr

    estimates = {
        name: arviz_stats.loo(
            xr.DataTree.from_dict(
                {
                    "posterior": fit.data_tree["posterior"].to_dataset(),
                    "log_likelihood": log_likelihood(fit, fit.runs).to_dataset(),
                }
            ),
            pointwise=True,
        )
        for name, fit in fits.items()
    }
    bad = {
        name: float((estimate.pareto_k > estimate.good_k).mean())
        for name, estimate in estimates.items()
    }
    compared: pd.DataFrame = arviz_stats.compare(estimates, round_to="none")
    evidence = compared[list(_EVIDENCE)].rename(columns=_EVIDENCE)
    return evidence.assign(bad_k=pd.Series(bad))


def _held_out_scores(
    source: LawDraws, runs: Runs, prob: float, rng: np.random.Generator
) -> dict[str, float]:
    scores = {"rmse": _rmse(source, runs), "log_score": np.nan, "coverage": np.nan}
    if isinstance(source, Fit):
        density = log_likelihood(source, runs)
        n_draws = density.sizes["chain"] * density.sizes["draw"]
        predictive = density.reduce(logsumexp, SAMPLE_DIMS) - np.log(n_draws)
        low, high = forecast(source, runs, seed=rng).interval(prob=prob).to_numpy()
        loss = runs.frame["loss"].to_numpy()
        scores["log_score"] = float(predictive.mean())
        scores["coverage"] = float(((low <= loss) & (loss <= high)).mean())
    return scores


def _rmse(source: LawDraws, runs: Runs) -> float:
    median = quantile(law_loss(source, points_of(source, runs)), 0.5).to_numpy()
    error = np.log(median) - np.log(runs.frame["loss"].to_numpy())
    return float(np.sqrt(np.mean(error**2)))


def _table(rows: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(dict(rows)).T.rename_axis("source")
