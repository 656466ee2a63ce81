"""At which points (N, D, C) a plot asks for the loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from scaling_bayes._prediction.allocate import allocate
from scaling_bayes._prediction.law_draws import discrepancy_of, sizes
from scaling_bayes._prediction.mixture import Source, check_source, law_names, weighted_laws
from scaling_bayes.errors import InputError
from scaling_bayes.plots._axes import literal
from scaling_bayes.units import SIZES, Kind, parse_quantity

GRID = 60
"""Points of a curve."""

_EVERY = 5
"""Budgets of a curve from one allocation that is found to the next."""

LEAST_SIZES = 3
"""Model sizes that make a compute level of the runs worth an isoFLOP curve."""

LIMITS: dict[Kind, tuple[float, float]] = {
    "n_params": (1e8, 1e12),
    "tokens": (1e9, 1e13),
    "flops": (1e19, 1e25),
}
"""What is drawn of a published law where neither runs nor limits are given."""

OFF_OPTIMUM = "runs away from the optimum lie above it"
"""What the legend says of runs beside a curve of optimal allocations."""

LETTERS: dict[Kind, str] = {"n_params": "N", "tokens": "D", "flops": "C"}
_UNITS: dict[Kind, str] = {"n_params": "", "tokens": " tokens", "flops": " FLOPs"}

OTHER: dict[Kind, Kind] = {"n_params": "tokens", "tokens": "n_params"}

Limits = tuple[float | str, float | str]


def sizes_read(source: Source) -> list[Kind]:
    """Return which of N, D and C a law reads, or any of the laws of an average.

    Raises
    ------
    InputError
        If one reads anything else, which a plot cannot choose values for.
    """
    check_source(source)
    read: set[str] = set()
    for one, _ in weighted_laws(source):
        more = [name for name in one.law.covariates if name not in SIZES]
        if more:
            raise InputError(
                f"{one.law.name} also reads {', '.join(more)}, and this plot varies only "
                f"{', '.join(SIZES)}. Forecast at points of your own, or take plot_residuals."
            )
        read |= set(one.law.covariates)
    return [name for name in SIZES if name in read]


def check_trades(source: Source, plot: str) -> None:
    """Refuse a law that does not trade N against D.

    Raises
    ------
    InputError
        If the law reads only one of N, D and C.
    """
    read = sizes_read(source)
    if len(read) < 2:
        raise InputError(
            f"{plot} needs a law that trades model size against tokens; {law_names(source)} reads "
            f"{read[0]} alone. Take plot_loss for it, or fit a law in N and D, such as Chinchilla."
        )


def resolve_along(source: Source, along: Kind | None) -> Kind:
    """Return what a law's loss is drawn against; by default its one size, or compute.

    Raises
    ------
    InputError
        If the loss cannot be drawn against `along`.
    """
    read = sizes_read(source)
    if along is None:
        return read[0] if len(read) == 1 else "flops"
    if along not in SIZES:
        raise InputError(f"along is {along!r}; take one of {', '.join(SIZES)}.")
    if len(read) == 1 and along != read[0]:
        raise InputError(
            f"{law_names(source)} reads {read[0]} alone, so its loss cannot be drawn along "
            f"{along}. Take along={read[0]!r}, or a law in N and D."
        )
    return along


def needs_level(source: Source, along: Kind) -> bool:
    """Return whether a curve along one size is a curve at a given level of the other."""
    return along != "flops" and len(sizes_read(source)) > 1


def follows_optimum(source: Source, along: Kind) -> bool:
    """Return whether a curve is that of the compute-optimal allocations of a law in N and D."""
    return along == "flops" and len(sizes_read(source)) > 1


def grid(
    along: Kind,
    limits: Limits | None,
    tables: Sequence[pd.DataFrame],
    *,
    margin: float = 1.0,
    count: int = GRID,
) -> np.ndarray:
    """Return sizes in even log steps between limits, or else over all tables of runs.

    Parameters
    ----------
    along : {"n_params", "tokens", "flops"}
        Which size.
    limits : pair of float or str, or None
        The ends.
    tables : sequence of DataFrame
        The runs; without limits the sizes go from the smallest to the largest of them.
    margin : float
        Factor of room on either side of the runs.
    count : int
        Number of sizes, to which the ends of the tables are added.

    Raises
    ------
    InputError
        If the limits do not increase.
    """
    if limits is not None:
        low, high = (parse_quantity(limit, kind=along) for limit in limits)
        if not low < high:
            raise InputError(f"limits are {limits!r}; the second must be larger than the first.")
    elif tables:
        values = np.concatenate([frame[along] for frame in tables])
        low, high = values.min() / margin, values.max() * margin
    else:
        low, high = LIMITS[along]
    if low == high:
        low, high = low / 2, high * 2
    ends = [end for frame in tables for end in (frame[along].min(), frame[along].max())]
    inside = [end for end in ends if low < end < high]
    return np.union1d(np.geomspace(low, high, count), inside)


def levels(
    other: Kind, at: object, tables: Sequence[pd.DataFrame], *, spread: tuple[float, ...]
) -> np.ndarray:
    """Return levels at which curves are drawn: those given, or quantiles of the runs."""
    if at is not None:
        return sizes(other, at)
    values = np.concatenate([frame[other] for frame in tables]) if tables else LIMITS[other]
    quantiles = np.exp(np.quantile(np.log(values), spread))
    return np.unique([_rounded(value, 1) for value in quantiles])


def budgets(tables: Sequence[pd.DataFrame], *, near: float, most: int = 5) -> np.ndarray:
    """Return the compute levels at which most model sizes were tried; else evenly spaced ones.

    Parameters
    ----------
    tables : sequence of DataFrame
        The runs.
    near : float
        Largest ratio of a run's compute to a budget that it counts for.
    most : int
        Largest number of budgets.
    """
    if not tables:
        return np.geomspace(*LIMITS["flops"], 4)
    runs = pd.concat(tables)
    flops = runs["flops"].to_numpy()
    candidates = np.unique([_rounded(value, 2) for value in flops])
    counts = np.array(
        [runs["n_params"][close_to(flops, budget, near)].nunique() for budget in candidates]
    )
    free = counts >= LEAST_SIZES
    found: list[float] = []
    while free.any() and len(found) < most:
        found.append(candidates[np.argmax(np.where(free, counts, 0))])
        free &= ~close_to(candidates, found[-1], 2.0)
    if not found:
        return np.geomspace(flops.min(), flops.max(), 4)
    return np.sort(found)


def close_to(values: np.ndarray, level: float, factor: float) -> np.ndarray:
    """Return which values are within a factor of a level."""
    close: np.ndarray = abs(np.log(values / level)) <= np.log(factor)
    return close


def curve_points(source: Source, along: Kind, x: np.ndarray, level: float | None) -> pd.DataFrame:
    """Return the points of a curve.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        Whose curve.
    along : {"n_params", "tokens", "flops"}
        The size that varies.
    x : ndarray
        Its values.
    level : float or None
        Level of the other of N and D, where the law needs one.

    Returns
    -------
    DataFrame
        One row a value of `x`, which goes up. Along compute, a law in N and D is followed where it
        recommends to train: at the allocation with the smallest expected loss, found at every
        fifth of the budgets.

    Raises
    ------
    InputError
        If the law reads one size alone, and has a discrepancy, which needs two.
    NoOptimumError
        If that allocation does not exist.
    """
    if level is not None:
        return pd.DataFrame({along: x, OTHER[along]: level})
    if sizes_read(source) == [along]:
        _check_no_discrepancy(source, along)
        return pd.DataFrame({along: x})
    # Between budgets log N goes on smoothly, and near the least loss that hardly moves the loss.
    some = np.unique(np.append(np.arange(0, len(x), _EVERY), len(x) - 1))
    best = allocate(source, flops=x[some]).recommended["n_params"].to_numpy()
    if len(some) > 1:
        best = np.exp(PchipInterpolator(np.log(x[some]), np.log(best))(np.log(x)))
    return pd.DataFrame({"n_params": best, "tokens": x / (source.flops_per_param_token * best)})


def level_words(size: Kind, level: float) -> str:
    """Return a level for a legend, such as ``"N = 7B"`` or ``"D = 1.4T tokens"``."""
    from scaling_bayes.plots._ticks import size_words

    return f"{LETTERS[size]} = {size_words(size)(level)}{_UNITS[size]}"


def curve_words(source: Source, along: Kind) -> str:
    """Return the name of the one curve of a source for a legend."""
    if follows_optimum(source, along):
        return literal(f"{source.label}, compute-optimal")
    return literal(source.label)


def _check_no_discrepancy(source: Source, along: Kind) -> None:
    """Refuse a curve along one size for a source whose discrepancy needs two."""
    errors = [discrepancy_of(one) for one, _ in weighted_laws(source)]
    if any(error and error.discrepancy.covariates != (along,) for error in errors):
        raise InputError(
            f"{source.label} cannot be drawn along {along} alone: at the same {along} its "
            "discrepancy differs with tokens per parameter. Take plot_residuals, which holds each "
            "run against the curve at its own sizes, or forecast at points with two of n_params, "
            "tokens and flops."
        )


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")
