"""What a pooled fit says of a group that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._inference.coordinates import reference_name
from scaling_bayes.discrepancy import WEIGHT, Discrepancy, DiscrepancyDraws
from scaling_bayes.laws import PowerSum

if TYPE_CHECKING:
    import xarray as xr


def logs_of(
    law: PowerSum, draws: xr.Dataset, centres: Mapping[str, np.ndarray]
) -> dict[str, xr.DataArray]:
    """Return the logs that vary over groups, by the name of the parameter that follows from each.

    Parameters
    ----------
    law : PowerSum
        The law.
    draws : Dataset
        Its parameters.
    centres : mapping of str to ndarray
        The centre of each covariate over the runs of all groups; see `references`.

    Returns
    -------
    dict of str to DataArray
        Logs of exponents and floor, and under the name of each scale that of its term's part of
        the reducible loss at the centre.
    """
    p = SimpleNamespace(**{name: draws[name] for name in law.parameter_names})
    inside: dict[str, xr.DataArray] = {}
    for term in law.terms:
        centre = float(centres[reference_name(term.covariate)])
        log_size: Any = np.log(draws[term.scale] / centre)
        inside[term.scale] = law.inner_exponent(term, p) * log_size
    log_sum = np.log(sum(np.exp(each) for each in inside.values()))
    of_terms = {
        name: value + (law.outer_exponent(p) - 1) * log_sum for name, value in inside.items()
    }
    logs: dict[str, Any] = {name: np.log(draws[name]) for name in law.parameter_names}
    return logs | of_terms


def from_logs(
    law: PowerSum, logs: Mapping[str, xr.DataArray], centres: Mapping[str, np.ndarray]
) -> dict[str, xr.DataArray]:
    """Return the natural parameters that `logs_of` returned the logs of."""
    scales = {term.scale: term for term in law.terms}
    p = SimpleNamespace(
        **{name: np.exp(value) for name, value in logs.items() if name not in scales}
    )
    log_sum = np.log(sum(np.exp(logs[name]) for name in scales))
    for name, term in scales.items():
        inside = logs[name] + (1 / law.outer_exponent(p) - 1) * log_sum
        centre = float(centres[reference_name(term.covariate)])
        setattr(p, name, centre * np.exp(inside / law.inner_exponent(term, p)))
    return vars(p)


def new_parameters(
    law: PowerSum,
    posterior: xr.Dataset,
    spreads: Mapping[str, xr.DataArray],
    centres: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return draws of the parameters of a group that has no runs yet, one for each draw.

    Parameters
    ----------
    law : PowerSum
        The law.
    posterior : Dataset
        Draws of the common parameters, with dims chain and draw.
    spreads : mapping of str to DataArray
        Draws of the spread of each parameter's log over groups.
    centres : mapping of str to ndarray
        The centre of each covariate over the runs; see `references`.
    rng : numpy.random.Generator
        Source of how far the group lies from the common parameters.
    """
    logs = {
        name: value + spreads[name] * rng.standard_normal(value.shape)
        for name, value in logs_of(law, posterior, centres).items()
    }
    found = from_logs(law, logs, centres)
    return type(posterior)({name: found[name] for name in law.parameter_names})


def new_discrepancy(
    discrepancy: Discrepancy,
    posterior: xr.Dataset,
    at: Mapping[str, float],
    rng: np.random.Generator,
) -> DiscrepancyDraws:
    """Return the discrepancy of a group that has no runs yet: known in scale alone.

    Parameters
    ----------
    discrepancy : Discrepancy
        The model.
    posterior : Dataset
        Draws of its parameters, with dims chain and draw.
    at : mapping of str to float
        Sizes of the only landmark, by covariate.
    rng : numpy.random.Generator
        Source of its value there.
    """
    draws = posterior[discrepancy.parameter_names]
    weight = draws["tau"] * rng.standard_normal(draws["tau"].shape)
    return DiscrepancyDraws(
        discrepancy,
        draws.assign({WEIGHT: weight.expand_dims("component", axis=-1)}),
        {name: np.array([at[name]]) for name in discrepancy.covariates},
    )
