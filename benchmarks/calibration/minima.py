"""Minima of isoFLOP slices, measured from the runs alone, with their own uncertainty.

A slice is a set of runs of about the same compute. Its loss is taken for a parabola in log N, with
a slope in log C where the compute differs, fitted by least squares to the runs within a factor of
4.5 of its minimum. The runs of a slice are resampled for the uncertainty. A slice counts whose
minimum lies inside its sizes, and whose resamples agree within a factor of `LOOSEST`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LEVEL = "isoflop_level"
"""Column that says which slice a run belongs to; where it is absent, compute decides."""

GAP, LONGEST = 0.08, 0.2
"""In log10 C: a slice ends at a wider gap, and is no longer than this."""
FEWEST_RUNS, FEWEST_SIZES = 6, 5
NEAR = 1.5
"""How far from the first minimum, in log N, runs are fitted."""
SPREAD_OF_COMPUTE = 0.02
"""Standard deviation of log C within a slice, above which the parabola has a slope in log C."""
RESAMPLES, LEAST_MANAGED = 200, 0.9
BEYOND = 2.0
"""How far beyond the sizes, in log N, the minimum of a resample may lie."""
LOOSEST = 8.0
"""Factor between the ends of the 90 percent interval, above which a slice says nothing."""


@dataclass(frozen=True)
class Minimum:
    """The smallest loss of an isoFLOP slice.

    Attributes
    ----------
    flops : float
        Geometric mean of the compute of the slice.
    least_flops : float
        Smallest compute of the runs that were used.
    n_params, lower, upper : float
        Model size at the minimum, and ends of its 90 percent interval.
    bend : float
        Nats per token by which loss rises one unit of log N from the minimum.
    smallest, largest : float
        Model sizes of the runs that were used.
    """

    flops: float
    least_flops: float
    n_params: float
    lower: float
    upper: float
    bend: float
    smallest: float
    largest: float

    def regret(self, n_params: float) -> float:
        """Return the nats per token that a size gives up, which is moved into those measured."""
        inside = np.clip(n_params, self.smallest, self.largest)
        return float(self.bend * np.log(inside / self.n_params) ** 2)


@dataclass(frozen=True)
class _Slice:
    """Runs of a slice, as logs around its middle: of N, of C, and the loss."""

    log_n: np.ndarray
    log_c: np.ndarray
    loss: np.ndarray

    def of(self, rows: np.ndarray) -> _Slice:
        return _Slice(self.log_n[rows], self.log_c[rows], self.loss[rows])

    def enough(self) -> bool:
        return len(self.loss) >= FEWEST_RUNS and len(np.unique(self.log_n)) >= FEWEST_SIZES

    def parabola(self) -> tuple[float, float] | None:
        """Return where it is smallest, and its bend; None if it bends down or is not determined."""
        columns = [np.ones_like(self.log_n), self.log_n, self.log_n**2]
        if self.log_c.std() > SPREAD_OF_COMPUTE:
            columns.append(self.log_c)
        if len(self.loss) <= len(columns):
            return None
        _, slope, bend, *_ = np.linalg.lstsq(np.column_stack(columns), self.loss, rcond=None)[0]
        return (float(-slope / (2 * bend)), float(bend)) if bend > 0 else None

    def resampled(self, rng: np.random.Generator) -> np.ndarray:
        """Return where the parabolas of resamples are smallest, of those that bend up."""
        size = len(self.loss)
        found = (self.of(rng.integers(size, size=size)).parabola() for _ in range(RESAMPLES))
        places = np.array([parabola[0] for parabola in found if parabola is not None])
        return places.clip(self.log_n.min() - BEYOND, self.log_n.max() + BEYOND)


def minima(runs: pd.DataFrame) -> list[Minimum]:
    """Return the minima of the slices of a table of runs that have one, in order of compute."""
    rng = np.random.default_rng(0)
    levels = runs[LEVEL] if LEVEL in runs else _levels(runs["flops"])
    found = (_measured(rows, rng) for _, rows in runs.groupby(levels))
    return [minimum for minimum in found if minimum is not None]


def _levels(flops: pd.Series) -> pd.Series:
    """Return numbers of slices, which end at a gap in compute or where they get too long."""
    log_flops = np.log10(flops).sort_values()
    level, start, previous = 0, log_flops.iloc[0], log_flops.iloc[0]
    levels = []
    for value in log_flops:
        if value - previous > GAP or value - start > LONGEST:
            level, start = level + 1, value
        levels.append(level)
        previous = value
    return pd.Series(levels, log_flops.index).reindex(flops.index)


def _measured(rows: pd.DataFrame, rng: np.random.Generator) -> Minimum | None:
    log_n, log_c = (np.log(rows[name].to_numpy(float)) for name in ("n_params", "flops"))
    middle, level = log_n.mean(), log_c.mean()
    every = _Slice(log_n - middle, log_c - level, rows["loss"].to_numpy(float))
    first = every.parabola() if every.enough() else None
    if first is None:
        return None
    near = np.abs(every.log_n - first[0]) <= NEAR
    if not every.of(near).enough():
        near = np.ones_like(near)
    used = every.of(near)
    parabola, places = used.parabola(), used.resampled(rng)
    if parabola is None or len(places) < LEAST_MANAGED * RESAMPLES:
        return None
    place, bend = parabola
    lower, upper = np.quantile(places, (0.05, 0.95))
    if not used.log_n.min() < place < used.log_n.max() or upper - lower > np.log(LOOSEST):
        return None
    sizes = middle + np.array([place, lower, upper, used.log_n.min(), used.log_n.max()])
    n_params, lower, upper, smallest, largest = np.exp(sizes).tolist()
    least_flops = float(np.exp(log_c[near].min()))
    return Minimum(
        float(np.exp(level)), least_flops, n_params, lower, upper, bend, smallest, largest
    )
