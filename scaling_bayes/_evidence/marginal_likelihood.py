"""Marginal likelihoods by sequential Monte Carlo, and Bayes factors with prior sensitivity."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._fit.fit import Fit
from scaling_bayes._printable import printed
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import InputError
from scaling_bayes.laws import Law
from scaling_bayes.priors import Prior

if TYPE_CHECKING:
    import pymc as pm

    from scaling_bayes.runs import Runs

PRIOR_FACTOR = 2.0
"""Factor on the spread of the law's priors, up and down, by which sensitivity is judged."""

_IMPROPER = ("Flat", "HalfFlat")
_SPREAD = {"LogNormal": "sigma", "HalfNormal": "sigma"}
"""Argument that holds the spread of a prior, by family."""
_PROPOSALS = 4000
_DEGREES_OF_FREEDOM = 5
_INFLATION = 1.2
"""How much wider than the particles the proposal is: weights stay bounded."""
_LEAST_PER_DIMENSION = 20
"""Effective draws per dimension above which weighted draws give a better proposal."""


@dataclass(frozen=True, eq=False)
class MarginalLikelihood:
    """The probability density of the runs under a law with its priors.

    Of log loss: differences are log Bayes factors between laws fitted to the same runs.

    Attributes
    ----------
    label : str
        The law.
    n_runs : int
        Number of runs.
    digest : str
        Of law, noise, priors and runs: `compare` knows by it whether it is that of a fit.
    log_marginal_likelihood : float
        Its natural log: by importance sampling around the particles of SMC; the log of the mean
        of `smc` where the importance weights cannot be trusted.
    mc_se : float
        Monte Carlo standard error of it.
    smc : tuple of float
        What each chain of sequential Monte Carlo gives. These tend to be too low, by more than
        they differ from each other, where the posterior is a narrow ridge.
    pareto_k : float
        Pareto k of the importance weights (Vehtari et al. 2024).
    wider, narrower : float
        The log marginal likelihood with the spread of the prior of every parameter of the law
        doubled and halved (of the log, for a LogNormal); NaN where that is not known.
    notes : tuple of str
        What limits these figures.
    """

    label: str
    n_runs: int
    digest: str
    log_marginal_likelihood: float
    mc_se: float
    smc: tuple[float, ...]
    pareto_k: float
    wider: float
    narrower: float
    notes: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether the importance weights can be trusted (Vehtari et al. 2024)."""
        return _trusted(self.pareto_k)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest over the stated priors and those changed; NaN if one is not known."""
        values = (self.log_marginal_likelihood, self.wider, self.narrower)
        return float(np.min(values)), float(np.max(values))

    @printed
    def __repr__(self) -> str:
        lines = [
            f"Log marginal likelihood of {self.label} on {self.n_runs} runs: "
            f"{self.log_marginal_likelihood:.2f}, Monte Carlo standard error {self.mc_se:.2g}",
            f"- the law's priors {PRIOR_FACTOR:g} times as wide: {self.wider:.2f}; "
            f"as narrow: {self.narrower:.2f}",
            f"- chains of SMC: {', '.join(f'{value:.1f}' for value in self.smc)}",
            *(f"- {note}" for note in self.notes),
        ]
        return "\n".join(lines)


def marginal_likelihood(
    fit: Fit,
    *,
    draws: int = 1000,
    chains: int = 4,
    seed: int | np.random.Generator | None = None,
) -> MarginalLikelihood:
    """Return the marginal likelihood of the runs, and how far it depends on the law's priors.

    Sequential Monte Carlo moves particles from the priors to the posterior (Ching & Chen 2007, by
    PyMC). Around the particles a Student-t proposal q is laid in unconstrained coordinates and
    improved once by its own weighted draws, and log mean [p(y, theta) / q(theta)] over draws of it
    is the estimate: SMC's own one can be too low by several units where a posterior is a narrow
    ridge, as that of scales and exponents.

    Parameters
    ----------
    fit : Fit
        The fit, whose priors are proper, without discrepancy.
    draws : int
        Particles, per chain.
    chains : int
        Independent chains; two at least, since their spread is looked at.
    seed : int or Generator, optional
        Source of randomness.

    Returns
    -------
    MarginalLikelihood

    Raises
    ------
    InputError
        If a prior is improper, the fit has a discrepancy, or `draws` or `chains` is too small.
    """
    if not isinstance(fit, Fit):
        raise InputError(f"fit is a {type(fit).__name__}; give what sb.fit(...) returns.")
    if fit.discrepancy is not None:
        raise InputError(
            f"the fit is of {fit.label}, and the weights of a discrepancy are too many for a "
            "marginal likelihood that can be trusted. Compare it by a backtest: "
            "sb.compare(..., backtest=...)."
        )
    for name, value, least in (("draws", draws, 100), ("chains", chains, 2)):
        if not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name} is {value!r}; it must be a whole number, at least {least}.")
    for name, prior in (fit.law.priors | fit.noise.priors).items():
        if prior.distribution in _IMPROPER:
            raise InputError(
                f"the prior {prior.distribution} of {name} is improper, so the runs have no "
                "marginal likelihood. Give it a proper prior, such as LogNormal."
            )
    rng = generator(seed)
    smc, particles = _sampled(fit.model, int(draws), int(chains), rng)
    proposals, log_proposal = _proposed(particles, rng)
    log_weights = _log_joint(fit.model, proposals) - log_proposal
    shares = _shares(log_weights)
    if 1 / (shares**2).sum() >= _LEAST_PER_DIMENSION * len(proposals):
        # A chain of SMC that got stuck puts the first proposal in the wrong place.
        proposals, log_proposal = _proposed(proposals, rng, shares)
        log_weights = _log_joint(fit.model, proposals) - log_proposal
    stated, error, k = _importance(log_weights)
    notes = []
    if not _trusted(k):
        stated = float(np.logaddexp.reduce(smc) - np.log(len(smc)))
        error = float(np.std(smc, ddof=1) / np.sqrt(len(smc)))
        notes.append(
            f"importance weights cannot be trusted (Pareto k {k:.2f}): the figure is that of SMC, "
            "which can be too low by more than its chains differ"
        )
    changed = {}
    for word, factor in (("wider", PRIOR_FACTOR), ("narrower", 1 / PRIOR_FACTOR)):
        changed[word], note = _with_priors(fit, factor, proposals, log_proposal)
        notes += [note] if note else []
    return MarginalLikelihood(
        label=fit.label,
        n_runs=len(fit.runs),
        digest=digest_of(fit),
        log_marginal_likelihood=stated,
        mc_se=error,
        smc=smc,
        pareto_k=k,
        notes=tuple(dict.fromkeys(notes)),
        **changed,
    )


def compared_columns(runs: Runs) -> list[str]:
    """Return the columns in which the runs of fits agree that are compared."""
    return [*runs.sizes, "loss", "weight"]


def digest_of(fit: Fit) -> str:
    """Return a digest of what a marginal likelihood is of: law and noise with priors, and runs."""
    models = json.dumps([fit.label, fit.law.to_dict(), fit.noise.to_dict()])
    runs = pd.util.hash_pandas_object(fit.runs.frame[compared_columns(fit.runs)], index=False)
    return hashlib.sha256(models.encode() + runs.to_numpy().tobytes()).hexdigest()


def bayes_factors(found: Mapping[str, MarginalLikelihood]) -> pd.DataFrame:
    """Return log Bayes factors against the law with the highest marginal likelihood.

    Parameters
    ----------
    found : mapping of str to MarginalLikelihood
        At least one.

    Returns
    -------
    DataFrame
        One row a law, best first; see `Comparison`.
    """
    best = max(found, key=lambda name: found[name].log_marginal_likelihood)
    rows = {}
    for name, each in found.items():
        other = found[best]
        lower, upper = each.range[0] - other.range[1], each.range[1] - other.range[0]
        rows[name] = {
            "log_marginal_likelihood": each.log_marginal_likelihood,
            "log_marginal_likelihood_se": each.mc_se,
            "log_bayes_factor": each.log_marginal_likelihood - other.log_marginal_likelihood,
            "log_bayes_factor_se": 0.0 if name == best else np.hypot(each.mc_se, other.mc_se),
            "log_bayes_factor_lower": 0.0 if name == best else lower,
            "log_bayes_factor_upper": 0.0 if name == best else upper,
            "pareto_k": each.pareto_k,
            "trusted": each.trusted,
            "has_notes": bool(each.notes),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("source")
    return table.sort_values("log_marginal_likelihood", ascending=False)


def _with_priors(
    fit: Fit, factor: float, proposals: Mapping[str, np.ndarray], log_proposal: np.ndarray
) -> tuple[float, str]:
    """Return the log marginal likelihood under changed priors, or NaN and why it is not known."""
    fixed = [
        f"{name} ({prior.distribution})"
        for name, prior in fit.law.priors.items()
        if prior.distribution not in _SPREAD
    ]
    if fixed:
        return np.nan, (
            f"sensitivity to the law's priors is not available: the spread of the prior of "
            f"{', '.join(fixed)} cannot be scaled; {' and '.join(_SPREAD)} can"
        )
    changed = replace(fit, law=_with_spread(fit.law, factor))
    value, _, k = _importance(_log_joint(changed.model, proposals) - log_proposal)
    if not _trusted(k):
        return np.nan, (
            f"the figure for the law's priors {factor:g} times as wide is not known: its "
            f"importance weights cannot be trusted (Pareto k {k:.2f})"
        )
    return value, ""


def _with_spread(law: Law, factor: float) -> Law:
    changed = copy.copy(law)
    changed.parameters = tuple(
        replace(parameter, prior=_scaled(parameter.prior, factor)) for parameter in law.parameters
    )
    return changed


def _scaled(prior: Prior, factor: float) -> Prior:
    spread = _SPREAD[prior.distribution]
    value = prior.parameters[spread]
    assert not isinstance(value, Prior)
    return Prior(prior.distribution, **{**prior.parameters, spread: factor * value})


def _sampled(
    model: pm.Model, draws: int, chains: int, rng: np.random.Generator
) -> tuple[tuple[float, ...], dict[str, np.ndarray]]:
    """Return SMC's estimates, one a chain, and its particles by unconstrained variable."""
    import pymc as pm

    with _quiet():
        # One core: a script would need a main guard before PyMC may start processes.
        tree = pm.sample_smc(
            draws,
            model=model,
            chains=chains,
            cores=1,
            random_seed=rng.integers(2**31, size=chains).tolist(),
            progressbar=False,
            compute_convergence_checks=False,
            idata_kwargs={"include_transformed": True},
        )
    stages = tree["sample_stats"]["log_marginal_likelihood"].to_numpy()
    posterior = tree["posterior"].to_dataset()
    return (
        tuple(float(stage[-1]) for stage in stages),
        {value.name: posterior[value.name].to_numpy().ravel() for value in model.value_vars},
    )


def _proposed(
    points: Mapping[str, np.ndarray], rng: np.random.Generator, weights: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return draws of a Student-t with the moments of weighted points, and their log density."""
    from scipy.stats import multivariate_t

    flat = np.column_stack(list(points.values()))
    spread = _INFLATION * np.atleast_2d(np.cov(flat, rowvar=False, aweights=weights))
    centre = np.average(flat, axis=0, weights=weights)
    proposal = multivariate_t(centre, spread, df=_DEGREES_OF_FREEDOM)
    drawn = proposal.rvs(_PROPOSALS, random_state=rng).reshape(_PROPOSALS, -1)
    return dict(zip(points, drawn.T, strict=True)), np.asarray(proposal.logpdf(drawn))


def _shares(log_weights: np.ndarray) -> np.ndarray:
    """Return weights that add up to 1; equal ones if none is finite."""
    log_weights = np.where(np.isnan(log_weights), -np.inf, log_weights)
    top = log_weights.max()
    weights = np.exp(log_weights - top) if np.isfinite(top) else np.ones(len(log_weights))
    return np.asarray(weights / weights.sum())


def _log_joint(model: pm.Model, points: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return log p(y, theta) at points in unconstrained coordinates, with the Jacobian."""
    log_density = model.compile_logp()
    rows = (dict(zip(points, row, strict=True)) for row in zip(*points.values(), strict=True))
    return np.array([float(log_density(row)) for row in rows])


def _importance(log_weights: np.ndarray) -> tuple[float, float, float]:
    """Return the log of the mean weight, its standard error, and Pareto k."""
    from arviz_stats.base import array_stats

    log_weights = np.where(np.isnan(log_weights), -np.inf, log_weights)
    n = len(log_weights)
    top = log_weights.max()
    if not np.isfinite(top):
        return -np.inf, np.inf, np.inf
    weights = np.exp(log_weights - top)
    _, k = array_stats.psislw(-np.maximum(log_weights, top - 700))
    return (
        float(top + np.log(weights.mean())),
        float(weights.std(ddof=1) / weights.mean() / np.sqrt(n)),
        float(k),
    )


def _trusted(pareto_k: float) -> bool:
    """Return whether weights with that Pareto k are to be trusted (Vehtari et al. 2024)."""
    return bool(pareto_k <= min(1 - 1 / np.log10(_PROPOSALS), 0.7))


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("pymc.smc.sampling")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
