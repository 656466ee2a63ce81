"""Whether the numbers of a file can be a posterior of the law that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._inference.coordinates import COORDINATES_KEY, resolve
from scaling_bayes._inference.kernel.prior_fields import prior_fields
from scaling_bayes._inference.model import OBSERVED, data_dims, model_data
from scaling_bayes.discrepancy import DATA_DIMS, ROWS, WEIGHT, Discrepancy
from scaling_bayes.laws import Law
from scaling_bayes.noise import Noise
from scaling_bayes.parameters import Parameter
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

LEAST_CHAINS, LEAST_DRAWS = 2, 4
"""As in the settings of the sampler."""
_OBSERVED_IN_MODEL = "observed_log_loss"
SAMPLED = ("chain", "draw")
_ROUNDING = 1e-9
"""Relative difference that logarithms of two machines may have, and no two tables."""


class ValuesError(ValueError):
    """The numbers of a file are no posterior of what it describes."""


def check_values(
    data_tree: xr.DataTree, *, law: Law, noise: Noise, discrepancy: Discrepancy | None, runs: Runs
) -> None:
    """Refuse draws that a sampler cannot have drawn, and data that are not those of the runs.

    Parameters
    ----------
    data_tree : DataTree
        What was loaded.
    law, noise, discrepancy, runs
        What it is said to be of.

    Raises
    ------
    ValuesError
        If a variable is missing, has another shape, is not finite, or lies outside of its prior;
        or the data are not those of the runs.
    """
    resolve(data_tree.attrs[COORDINATES_KEY], law, discrepancy)
    posterior = group_of(data_tree, "posterior")
    shape = shape_of(posterior)
    declared = [law, noise] if discrepancy is None else [law, noise, discrepancy]
    for parameter in chain.from_iterable(each.parameters for each in declared):
        check_parameter(parameter, sampled(posterior, parameter.name, shape))
    if discrepancy is not None:
        sampled(posterior, WEIGHT, (*shape, discrepancy.n_components))
    statistics = group_of(data_tree, "sample_stats")
    for name in ("diverging", "energy"):
        sampled(statistics, name, shape)
    data = model_data(runs, law, discrepancy)
    observed = {OBSERVED: data.pop(_OBSERVED_IN_MODEL)}
    check_data(group_of(data_tree, "observed_data"), observed)
    constant = group_of(data_tree, "constant_data")
    check_data(constant, data)
    if discrepancy is not None:
        rows = constant[ROWS].to_numpy()
        landmarks = rows[rows >= 0]
        if len(np.unique(landmarks)) != len(landmarks) or np.any(landmarks >= len(runs)):
            raise ValuesError(f"{ROWS} does not name rows of its {len(runs)} runs")


def shape_of(posterior: xr.Dataset) -> tuple[int, int]:
    """Return the numbers of chains and of draws, if they are enough."""
    n_chains, n_draws = (posterior.sizes.get(dim, 0) for dim in SAMPLED)
    if n_chains < LEAST_CHAINS or n_draws < LEAST_DRAWS:
        raise ValuesError(f"its posterior has {n_chains} chains of {n_draws} draws")
    return n_chains, n_draws


def group_of(data_tree: xr.DataTree, name: str) -> xr.Dataset:
    """Return a group of a file."""
    if name not in data_tree.children:
        raise ValuesError(f"it has no group {name}")
    return data_tree[name].to_dataset()


def sampled(group: xr.Dataset, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a variable of each draw, by chain and draw."""
    if name not in group:
        raise ValuesError(f"it has no draws of {name}")
    variable = group[name]
    if variable.dims[:2] != SAMPLED or variable.shape != shape:
        raise ValuesError(f"{name} has shape {dict(variable.sizes)}; it should be {shape}")
    return _finite(name, variable)


def _finite(name: str, variable: xr.DataArray) -> np.ndarray:
    values = variable.to_numpy()
    if values.dtype.kind not in "biuf" or not np.all(np.isfinite(values)):
        raise ValuesError(f"{name} holds values that are not finite numbers")
    return values


def check_parameter(parameter: Parameter, draws: np.ndarray) -> None:
    """Refuse draws that have no prior probability."""
    low, high = float(draws.min()), float(draws.max())
    inside = parameter.support[0] < low and high < parameter.support[1]
    fields = prior_fields(parameter.prior)
    if inside and fields is None:  # a prior that only PyMC knows
        parameter.prior.check_support(parameter.name, parameter.support)
        density = parameter.prior.log_density(np.array([low, high])).eval(mode="FAST_COMPILE")
        inside = bool(np.all(density > -np.inf))
    elif fields is not None:
        inside = inside and low >= fields.lower
    if not inside:
        raise ValuesError(
            f"its draws of {parameter.name} go from {low:.4g} to {high:.4g}, where its prior "
            f"{parameter.prior} has no probability"
        )


def check_data(group: xr.Dataset, expected: Mapping[str, np.ndarray]) -> None:
    """Refuse data of other runs."""
    for name, values in expected.items():
        if name not in group:
            raise ValuesError(f"it has no data {name}")
        stored = _finite(name, group[name])
        dims = DATA_DIMS.get(name) or data_dims(name, values) or ()
        if group[name].dims != dims or stored.shape != values.shape:
            raise ValuesError(f"{name} has shape {stored.shape}; it should be {values.shape}")
        # The components of a discrepancy are found by an algorithm, whose signs and order are the
        # machine's.
        if name not in DATA_DIMS and not np.allclose(stored, values, rtol=_ROUNDING, atol=0):
            raise ValuesError(f"{name} is not that of its runs")
