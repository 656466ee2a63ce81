"""Whether the numbers of a file can be a posterior of the groups that it describes."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._fit.grouping import Groups, kinds_of
from scaling_bayes._fit.storage.stored_values import (
    ValuesError,
    check_data,
    check_parameter,
    group_of,
    sampled,
    shape_of,
)
from scaling_bayes._inference.coordinates import references
from scaling_bayes._inference.kernel.pooled_density import GROUP, of_group
from scaling_bayes.discrepancy import ROWS, WEIGHT, Discrepancy
from scaling_bayes.laws import PowerSum
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr


def check_pooled_values(
    data_tree: xr.DataTree,
    *,
    law: PowerSum,
    noise: Noise,
    discrepancy: Discrepancy | None,
    groups: Groups,
    runs: Runs,
    runs_of: dict[str, Runs],
) -> None:
    """Refuse draws that no sampler can have drawn, and landmarks that are no runs of a group.

    Parameters
    ----------
    data_tree : DataTree
        What was loaded.
    law, noise, discrepancy, groups, runs
        What it is said to be of.
    runs_of : dict of str to Runs
        The runs of each group.

    Raises
    ------
    ValuesError
        If a variable is missing, has another shape, is not finite, or lies outside of its prior.
    """
    posterior = group_of(data_tree, "posterior")
    shape = shape_of(posterior)
    n_groups = posterior.sizes.get(GROUP, 0)
    if n_groups != len(runs_of):
        raise ValuesError(f"its posterior has {n_groups} groups, and its runs {len(runs_of)}")
    spreads = [each for each in groups.parameters if each.name[len("spread_") :] in kinds_of(law)]
    declared = [law, noise] if discrepancy is None else [law, noise, discrepancy]
    for parameter in (*chain.from_iterable(each.parameters for each in declared), *spreads):
        check_parameter(parameter, sampled(posterior, parameter.name, shape))
    for name in law.parameter_names:
        if np.any(sampled(posterior, of_group(name), (*shape, n_groups)) <= 0):
            raise ValuesError(f"some draws of {of_group(name)} are not positive")
    statistics = group_of(data_tree, "sample_stats")
    for name in ("diverging", "energy"):
        sampled(statistics, name, shape)
    constant = group_of(data_tree, "constant_data")
    check_data(constant, references(runs, law))
    if discrepancy is not None:
        most = posterior.sizes.get("component", 0)
        sampled(posterior, WEIGHT, (*shape, n_groups, most))
        _check_landmarks(constant, runs_of, most)


def _check_landmarks(constant: xr.Dataset, runs_of: dict[str, Runs], most: int) -> None:
    """Refuse landmarks that are not as many runs of their group as there are weights."""
    if ROWS not in constant or constant[ROWS].dims != (GROUP, "landmark"):
        raise ValuesError(f"it has no {ROWS} of each group")
    rows = constant[ROWS].to_numpy()
    if rows.dtype.kind not in "iu" or rows.shape[0] != len(runs_of) or rows.shape[1] > most:
        raise ValuesError(f"{ROWS} has shape {rows.shape} and type {rows.dtype}")
    for own, found in zip(runs_of.values(), rows, strict=True):
        landmarks = found[found >= 0]
        few = not landmarks.size or len(np.unique(landmarks)) != len(landmarks)
        if few or np.any(landmarks >= len(own)):
            raise ValuesError(f"{ROWS} does not name rows of the {len(own)} runs of a group")
