"""Where a table of runs is cut into those fitted and those scored."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs
from scaling_bayes.units import SIZES, parse_quantity

SHARES_BELOW = (0.35, 0.5, 0.65, 0.8)
"""Shares of the runs that lie below the default cuts."""


def choose_cuts(
    runs: Runs, along: str, cuts: Iterable[float | str] | None, *, min_runs: int
) -> tuple[float, ...]:
    """Return the cuts in ascending order, each once.

    Parameters
    ----------
    runs : Runs
        All runs.
    along : str
        The column that is cut.
    cuts : iterable of float or str, or None
        The cuts; None for the lowest levels with `SHARES_BELOW` of the runs strictly below.
    min_runs : int
        Fewest runs below a cut.

    Raises
    ------
    InputError
        If a cut leaves too few runs below it or none above, or there is no cut.
    """
    values = runs.covariates((along,))[along]
    if cuts is None:
        return _default_cuts(values, along, min_runs=min_runs)
    if isinstance(cuts, str | int | float):
        raise InputError(f"cuts is {cuts!r}; give a list, such as [{cuts!r}].")
    chosen = sorted({_parsed(along, cut) for cut in cuts})
    if not chosen:
        raise InputError("cuts is empty; give at least one value, or None for the default ones.")
    for cut in chosen:
        if not values.min() < cut <= values.max():
            raise InputError(
                f"the cut {along}={cut:g} leaves nothing to "
                f"{'score' if cut > values.max() else 'fit'}: {along} goes from "
                f"{values.min():g} to {values.max():g}. Runs below a cut are fitted, and runs at "
                "or above it are scored."
            )
        n_below = int((values < cut).sum())
        if n_below < min_runs:
            raise InputError(
                f"the cut {along}={cut:g} leaves {n_below} runs below it, and min_runs is "
                f"{min_runs}. Move the cut up, or lower min_runs."
            )
    return tuple(chosen)


def _default_cuts(values: np.ndarray, along: str, *, min_runs: int) -> tuple[float, ...]:
    levels = np.unique(values)
    n_below = np.searchsorted(np.sort(values), levels)
    enough = n_below >= max(min_runs, 1)
    chosen = {
        float(levels[enough & (n_below >= share * len(values))][0])
        for share in SHARES_BELOW
        if np.any(enough & (n_below >= share * len(values)))
    }
    if not chosen:
        raise InputError(
            f"no value of {along} has {min_runs} of the {len(values)} runs below it and others at "
            "or above it. Give cuts, lower min_runs, or take another column for along."
        )
    return tuple(sorted(chosen))


def _parsed(along: str, cut: float | str) -> float:
    if along in SIZES:
        return parse_quantity(cut, kind=along)
    try:
        return float(cut)
    except (TypeError, ValueError):
        raise InputError(f"the cut {along}={cut!r} is not a number.") from None
