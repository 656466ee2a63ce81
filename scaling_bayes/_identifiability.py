"""Whether runs can tell the parameters of a law apart."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np

from scaling_bayes.errors import IdentifiabilityError, IdentifiabilityWarning
from scaling_bayes.laws import Law, PowerSum
from scaling_bayes.runs import Runs

LEAST_RANGE = 1.5
"""Largest over smallest size, below which a term cannot be told from a constant."""
SAFE_RANGE = 5.0
"""Largest over smallest size, below which an exponent rests on its prior."""
LEAST_LEVELS = 3
"""Distinct sizes that exponent, scale and irreducible loss need between them."""
SAME_SIZE = 0.01
"""How far above the smallest size of a level, in logs, a size still counts as the same."""
MOST_CORRELATION = 0.99
"""Correlation of two log sizes, beyond which their terms cannot be told apart."""


def check_identifiable(runs: Runs, law: Law) -> None:
    """Refuse runs that cannot identify a law, and warn where they can only barely.

    Parameters
    ----------
    runs : Runs
        The training runs.
    law : Law
        The law to be fitted.

    Raises
    ------
    IdentifiabilityError
        If there are fewer runs than parameters of the law, or fewer distinct sizes of runs
        (repetitions with another seed tell of the noise, not of the law), or a size hardly varies.

    Warns
    -----
    IdentifiabilityWarning
        If there are only as many runs as parameters, a size varies little, or takes only two
        values and the law has an irreducible loss, or two sizes vary together.
    """
    if len(runs) < len(law.parameters):
        raise IdentifiabilityError(
            f"{runs.source} holds {len(runs)} runs, and {law.name} has {len(law.parameters)} "
            f"parameters ({', '.join(law.parameter_names)}). Add runs, or take a law with fewer "
            "parameters."
        )
    columns = runs.covariates(law.covariates)
    n_distinct = _n_distinct(*columns.values())
    if n_distinct < len(law.parameters):
        raise IdentifiabilityError(
            f"{runs.source} holds {n_distinct} distinct sizes in {', '.join(columns)}, and "
            f"{law.name} has {len(law.parameters)} parameters ({', '.join(law.parameter_names)}). "
            "Add runs of other sizes, or take a law with fewer parameters."
        )
    for name, values in columns.items():
        ratio = values.max() / values.min()
        if ratio < LEAST_RANGE:
            raise IdentifiabilityError(
                f"{name} goes only from {values.min():.4g} to {values.max():.4g} in {runs.source}, "
                f"so {_parameters_of(law, name)} cannot be identified. Add runs with other "
                f"{name}, or take a law without it."
            )
        if ratio < SAFE_RANGE:
            warnings.warn(
                f"{name} varies only by a factor of {ratio:.1f} in {runs.source}: "
                f"{_parameters_of(law, name)} will rest largely on the prior.",
                IdentifiabilityWarning,
                stacklevel=3,
            )
        # Two values give the slope of a pure power law; a floor below it takes a third. A warning,
        # as where two sizes vary together: the prior still makes the posterior proper.
        n_levels = _n_distinct(values)
        if n_levels < LEAST_LEVELS and "L_inf" in law.parameter_names:
            warnings.warn(
                f"{name} takes only {n_levels} distinct values in {runs.source}: "
                f"{_parameters_of(law, name)} can be told from L_inf only by their priors. Add "
                f"runs with other {name}.",
                IdentifiabilityWarning,
                stacklevel=3,
            )
    for first, second in combinations(columns, 2):
        correlation = np.corrcoef(np.log(columns[first]), np.log(columns[second]))[0, 1]
        if abs(correlation) > MOST_CORRELATION:
            warnings.warn(
                f"{first} and {second} vary together in {runs.source} (correlation of logs "
                f"{correlation:.3f}): {_parameters_of(law, first)} can be told from "
                f"{_parameters_of(law, second)} only by their priors. Add runs at other tokens "
                "per parameter, or fit a power law in one size.",
                IdentifiabilityWarning,
                stacklevel=3,
            )
    if len(runs) == len(law.parameters):
        warnings.warn(
            f"{runs.source} holds as many runs as {law.name} has parameters, {len(runs)}: the law "
            "can pass through all of them, so that noise, and with it every interval, rests on "
            "its prior. Add runs.",
            IdentifiabilityWarning,
            stacklevel=3,
        )


def _n_distinct(*columns: np.ndarray) -> int:
    """Return the number of distinct rows of sizes."""
    return len(np.unique(np.column_stack([_levels(column) for column in columns]), axis=0))


def _levels(column: np.ndarray) -> np.ndarray:
    """Return the number of the level that each size is at, of shape (run,)."""
    starts: list[float] = []
    for log_size in np.unique(np.log(column)):
        if not starts or log_size - starts[-1] > SAME_SIZE:
            starts.append(log_size)
    return np.searchsorted(starts, np.log(column), side="right")


def _parameters_of(law: Law, covariate: str) -> str:
    """Return the parameters of the term in a covariate, in words."""
    if isinstance(law, PowerSum):
        for term in law.terms:
            if term.covariate == covariate:
                return f"{term.exponent} and {term.scale}"
    return f"the parameters of the {covariate} term"
