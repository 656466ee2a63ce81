"""What the priors and what the runs say of each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from scaling_bayes._checks.at_runs import Fitted, log_likelihoods
from scaling_bayes._inference.model import OBSERVED
from scaling_bayes._prediction.best_allocation import optimum
from scaling_bayes._prediction.held import held
from scaling_bayes._prediction.law_draws import LawDraws, discrepancy_of, mean_loss, point_dataset
from scaling_bayes._prediction.mixture import mix
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import NoOptimumError
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior
from scaling_bayes.runs import beyond_budget
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

SENSITIVE = 0.05
"""Least power-scaling sensitivity of a parameter that counts as moved (Kallioinen et al. 2024)."""
CONFLICT = "prior-data conflict"
WEAK = "strong prior or weak likelihood"
NEITHER = "none"

_PRIOR_DRAWS = 4000
_GROWTH = {"n_params": 10**0.5, "tokens": 10**0.5, "flops": 10.0}
"""Factors from the largest run to where the answers are asked."""


class Modelled(Fitted, Protocol):
    """A law that was fitted to runs by a PyMC model."""

    @property
    def model(self) -> pm.Model:
        """The model with every natural parameter as a variable with its prior."""


def sensitivity_of(source: Modelled) -> pd.DataFrame:
    """Return how far each parameter moves when priors or likelihood are power-scaled.

    Kallioinen et al. 2024. What is raised to a power is the density of the log of a parameter
    with a LogNormal prior, of the parameter itself with any other. On the natural scale a wide
    LogNormal has its mode far below its median, and any posterior near the median would look
    like a conflict. How far the posterior of a positive parameter moves is measured in its log,
    so that a long tail does not count for all.

    Parameters
    ----------
    source : Fit
        The draws and their model.

    Returns
    -------
    DataFrame
        One row a parameter, and one for each of what is mostly asked: the mean curve and N* at
        ten times the largest fitted compute, both in their logs; see `Check`.
    """
    import pymc as pm
    import xarray as xr

    tree, model = source.data_tree, source.model
    log_prior = pm.stats.compute_log_prior(
        tree, model=model, extend_inferencedata=False, progressbar=False
    )
    log_likelihood = sum(some.sum("run") for some in log_likelihoods(source))
    declared = _declared(source)
    drawn = _draws_of(source)
    moved = {
        name: np.log(values) if _is_positive(declared[name]) else values
        for name, values in drawn.items()
    } | _answers(source)
    # The prior of a discrepancy's weights, given its scale, is part of the model's form: scaled
    # are the priors that a user declares (Kallioinen et al. 2024 on hierarchical models).
    log_prior = log_prior[list(drawn)].assign(
        {
            name: log_prior[name] + np.log(values)
            for name, values in drawn.items()
            if declared[name].prior.distribution == "LogNormal"
        }
    )
    groups = {
        "posterior": xr.Dataset(moved),
        "log_prior": log_prior,
        "log_likelihood": xr.Dataset({OBSERVED: log_likelihood}),
    }
    scaled = xr.DataTree.from_dict(groups)
    table = pd.DataFrame({group: _moved_by(scaled, group) for group in ("prior", "likelihood")})
    each = pd.DataFrame({name: _moved_by(scaled, "prior", [name]) for name in log_prior.data_vars})
    table["most_sensitive_to"] = each.idxmax(axis=1)
    table["diagnosis"] = np.select(
        [
            (table["prior"] >= SENSITIVE) & (table["likelihood"] >= SENSITIVE),
            table["prior"] >= SENSITIVE,
        ],
        [CONFLICT, WEAK],
        default=NEITHER,
    )
    return table


def _answers(source: Modelled) -> dict[str, xr.DataArray]:
    """Return log draws of the mean curve and of N* at ten times the largest fitted compute."""
    import xarray as xr

    sizes = source.runs.sizes
    if not sizes:
        return {}
    frame, along = source.runs.frame, sizes[-1]
    largest = frame.iloc[[int(frame[along].to_numpy().argmax())]]
    grown = largest.assign(**{name: largest[name] * _GROWTH[name] for name in sizes})
    size = float(grown[along].iloc[0])
    budget = format_quantity(size, kind=along)
    columns = {name: grown[name] for name in {*sizes, *source.law.covariates}}
    answers = {f"loss at {budget}": mean_loss(source, point_dataset(columns)).isel(point=0)}
    with suppress(NoOptimumError):
        flops = xr.DataArray([size if along == "flops" else np.nan], dims="budget")
        others = {name: float(grown[name].iloc[0]) for name in beyond_budget(source.law.covariates)}
        best = mix(held(source, others), lambda one: optimum(one, flops))["n_params"]
        answers[f"N* at {budget}"] = best.isel(budget=0)
    return {
        name: xr.ufuncs.log(values.drop_vars("flops", errors="ignore"))
        for name, values in answers.items()
    }


def _moved_by(scaled: xr.DataTree, group: str, names: list[str] | None = None) -> pd.Series:
    """Return how far each parameter moves when some densities are raised to a power."""
    import arviz_stats

    try:
        moved = arviz_stats.psense(scaled, group=group, group_var_names=names)
    except ValueError as error:
        # Of exact runs, whose draws are so close together that the density does not vary.
        if "tail values are the same" not in str(error):
            raise
        return pd.Series(0.0, index=list(scaled["posterior"].data_vars)).rename_axis("parameter")
    return _by_parameter(moved)


def identifiability_of(source: LawDraws, *, seed: int | None = None) -> pd.DataFrame:
    """Return how far the runs narrow each parameter down, and what it is tied to.

    Parameters
    ----------
    source : LawDraws
        Draws of a law, its noise and its discrepancy.
    seed : int, optional
        Source of draws from the priors.

    Returns
    -------
    DataFrame
        One row a parameter; see `Check`.
    """
    declared = _declared(source)
    drawn = {name: values.to_numpy().ravel() for name, values in _draws_of(source).items()}
    names = list(drawn)
    posterior = pd.DataFrame(
        {name: _on_its_scale(values, declared[name]) for name, values in drawn.items()}
    )
    prior = pd.DataFrame(
        {
            name: _on_its_scale(values, declared[name])
            for name, values in _prior_draws(
                {name: declared[name].prior for name in names}, seed
            ).items()
        }
    )
    prior_sd, posterior_sd = (draws.std(ddof=1).astype(float) for draws in (prior, posterior))
    correlations = posterior.corr().to_numpy(copy=True)
    np.fill_diagonal(correlations, 0.0)
    partner = np.abs(correlations).argmax(axis=1)
    return pd.DataFrame(
        {
            "scale": ["log" if _is_positive(declared[name]) else "natural" for name in names],
            "prior_sd": prior_sd,
            "posterior_sd": posterior_sd,
            "contraction": 1 - (posterior_sd / prior_sd) ** 2,
            "most_correlated": posterior.columns[partner],
            "correlation": correlations[np.arange(len(partner)), partner],
        }
    ).rename_axis("parameter")


def _declared(source: LawDraws) -> dict[str, Parameter]:
    of_noise = () if source.noise is None else source.noise.parameters
    error = discrepancy_of(source)
    of_error = () if error is None else error.discrepancy.parameters
    declared = (*source.law.parameters, *of_noise, *of_error)
    return {parameter.name: parameter for parameter in declared}


def _draws_of(source: LawDraws) -> dict[str, xr.DataArray]:
    """Return the draws of every parameter that is one number, and not held."""
    free = {name for name, each in _declared(source).items() if each.prior.held_at is None}
    error = discrepancy_of(source)
    groups = (source.draws, source.noise_draws, None if error is None else error.draws)
    return {
        str(name): values
        for draws in groups
        if draws is not None
        for name, values in draws.data_vars.items()
        if str(name) in free and set(values.dims) == {"chain", "draw"}
    }


def _prior_draws(priors: Mapping[str, Prior], seed: int | None) -> dict[str, np.ndarray]:
    rng = generator(seed)
    return {name: prior.draw(_PRIOR_DRAWS, rng) for name, prior in priors.items()}


def _by_parameter(sensitivity: xr.Dataset) -> pd.Series:
    values = {str(name): float(value) for name, value in sensitivity.data_vars.items()}
    return pd.Series(values).rename_axis("parameter")


def _is_positive(parameter: Parameter) -> bool:
    return parameter.support[0] >= 0


def _on_its_scale(values: np.ndarray, parameter: Parameter) -> np.ndarray:
    """Return the logs of a positive parameter, the values of any other."""
    return np.log(values) if _is_positive(parameter) else values
