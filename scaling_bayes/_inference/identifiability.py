"""Whether runs can tell the parameters of a law apart."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from scaling_bayes._doubt import Doubt
from scaling_bayes.errors import IdentifiabilityError, IdentifiabilityWarning
from scaling_bayes.laws import Law, PowerSum
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES

LEAST_RANGE = 1.5
"""Largest over smallest size, below which a term cannot be told from a constant."""
SAFE_RANGE = 5.0
"""Largest over smallest size, below which an exponent rests on its prior."""
LEAST_LEVELS = 3
"""Distinct sizes that exponent, scale and irreducible loss need between them."""
SAME_SIZE = 0.01
"""How far above the smallest size of a level, in logs, a size still counts as the same."""
SAME_LOSS = 1e-6
"""Largest over smallest loss, less 1, below which losses are the same but for rounding."""
LEAST_SPREAD = np.log(1.25)
"""Spread of one log size where the other is held, below which their terms are hard to tell apart.

On a line of fixed tokens per parameter only a gap between the exponents tells the terms apart, and
the conditioning grows with its inverse square (Kricheli et al. 2026, arXiv 2605.08541).
"""


_KIND = "identifiability"


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
        If a column is missing, there are fewer runs than parameters of the law, or fewer distinct
        sizes of runs (repetitions with another seed tell of the noise, not of the law), a size
        hardly varies, or all losses are the same.

    Warns
    -----
    IdentifiabilityWarning
        Of what `barely_identified` finds.
    """
    check_columns(runs, law)
    if len(runs) < len(law.free_names):
        raise IdentifiabilityError(
            f"{runs.source} holds {len(runs)} runs, and {law.name} has {len(law.free_names)} "
            f"parameters ({', '.join(law.free_names)}). Add runs, or take a law with fewer "
            "parameters."
        )
    loss = runs.frame["loss"]
    if loss.max() / loss.min() - 1 < SAME_LOSS:
        raise IdentifiabilityError(
            f"every loss in {runs.source} is {loss.iloc[0]:.6g}: runs of different sizes that lose "
            "the same tell nothing of a law. Is it the right column, of the end of each run?"
        )
    columns = runs.covariates(law.covariates)
    n_distinct = _n_distinct(*columns.values())
    if n_distinct < len(law.free_names):
        raise IdentifiabilityError(
            f"{runs.source} holds {n_distinct} distinct sizes in {', '.join(columns)}, and "
            f"{law.name} has {len(law.free_names)} parameters ({', '.join(law.free_names)}). "
            "Add runs of other sizes, or take a law with fewer parameters."
        )
    for name, values in columns.items():
        if values.max() / values.min() < LEAST_RANGE:
            raise IdentifiabilityError(
                f"{name} goes only from {values.min():.4g} to {values.max():.4g} in {runs.source}, "
                f"so {_parameters_of(law, name)} cannot be identified. Add runs with other "
                f"{name}, or take a law without it."
            )
    for doubt in barely_identified(runs, law):
        warnings.warn(f"{doubt.words} {doubt.remedy}", IdentifiabilityWarning, stacklevel=3)


def check_columns(runs: Runs, law: Law) -> None:
    """Refuse runs that lack a column which the law reads.

    Raises
    ------
    IdentifiabilityError
        If one is missing.
    """
    lacking = [name for name in law.covariates if name not in runs.frame]
    if not lacking:
        return
    known = " and ".join(runs.sizes) or "no size"
    remedy = "Add the column"
    if set(lacking) <= set(SIZES):
        remedy = "Give two of n_params, tokens and flops; if a column has another name, say so"
        if runs.sizes:
            remedy += (
                f" when the table is read. Or fit a law of {runs.sizes[0]} alone, such as "
                f'sb.laws.PowerLaw("{runs.sizes[0]}")'
            )
    raise IdentifiabilityError(
        f"{law.name} reads {' and '.join(law.covariates)}, and {runs.source} has {known} but no "
        f"{' and no '.join(lacking)}. {remedy}."
    )


def barely_identified(runs: Runs, law: Law) -> Iterator[Doubt]:
    """Yield what runs tell of a law only with the help of its priors.

    That is if a size varies little, or takes only two values and the law has an irreducible loss,
    if two sizes vary together, or there are only as many runs as parameters.

    Parameters
    ----------
    runs : Runs
        The training runs, not refused by `check_identifiable`.
    law : Law
        The law.
    """
    columns = runs.covariates(law.covariates)
    for name, values in columns.items():
        ratio = values.max() / values.min()
        if ratio < SAFE_RANGE:
            yield Doubt(
                _KIND,
                f"{name} varies only by a factor of {ratio:.1f} in {runs.source}: "
                f"{_parameters_of(law, name)} will rest largely on the prior.",
                f"Add runs with other {name}.",
            )
        # Two values give the slope of a pure power law; a floor below it takes a third. No
        # refusal, as where two sizes vary together: the prior still makes the posterior proper.
        n_levels = _n_distinct(values)
        if n_levels < LEAST_LEVELS and "L_inf" in law.parameter_names:
            yield Doubt(
                _KIND,
                f"{name} takes only {n_levels} distinct values in {runs.source}: "
                f"{_parameters_of(law, name)} can be told from L_inf only by their priors.",
                f"Add runs with other {name}.",
            )
    for first, second in combinations(columns, 2):
        spread = _spread_beside(np.log(columns[first]), np.log(columns[second]))
        if spread < LEAST_SPREAD:
            yield Doubt(
                _KIND,
                f"{first} and {second} vary together in {runs.source} ({second} spreads by a "
                f"factor of {np.exp(spread):.2f} where {first} is held): "
                f"{_parameters_of(law, first)} can be told from {_parameters_of(law, second)} "
                "only by their priors.",
                "Add runs at other tokens per parameter, or fit a power law in one size.",
            )
    if len(runs) == len(law.free_names):
        yield Doubt(
            _KIND,
            f"{runs.source} holds as many runs as {law.name} has parameters, {len(runs)}: the law "
            "can pass through all of them, so that noise, and with it every interval, rests on "
            "its prior.",
            "Add runs.",
        )


def _spread_beside(first: np.ndarray, second: np.ndarray) -> float:
    """Return the standard deviation of a log size around its line through another."""
    slope = np.cov(first, second)[0, 1] / np.var(first, ddof=1)
    return float(np.std(second - slope * first))


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
