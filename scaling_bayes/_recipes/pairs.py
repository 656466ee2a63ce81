"""Runs of two recipes that differ in nothing else, and how such pairs enter the likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs

_FEW = 3
"""Pairs of which fewer may have the same ratio of losses by chance, being rounded."""
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which run of the one recipe belongs to which of the other.

    The log losses of a pair scatter with a correlation rho: part of the scatter is that of the
    order of data, of the seed, or of a law that misses this size in the same way for both. Their
    mean and difference, both divided by sqrt(2), are then uncorrelated, of variance 1 + rho and
    1 - rho times that of a run. Those take the place of the two log losses, each multiplied by
    the square root of its weight. For Normal noise this is the same as an effect common to both,
    Normal(0, sqrt(rho) sigma), above noise of sqrt(1 - rho) sigma of their own. For Student-t noise
    mean and difference have heavy tails, each by itself, and one stray run shows in both.

    Attributes
    ----------
    first, second : ndarray
        Position of each pair's runs among those of the first and of the second recipe.
    notes : tuple of str
        What to know of the pairing.
    """

    first: np.ndarray
    second: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)

    def data(self, weight: np.ndarray, n_first: int) -> dict[str, np.ndarray]:
        """Return what the model reads of the pairs, each of shape (run,).

        Parameters
        ----------
        weight : ndarray
            Of all runs, those of the first recipe before those of the second.
        n_first : int
            Number of runs of the first recipe.

        Returns
        -------
        dict of str to ndarray
            ``partner``, the position of the run's partner, or its own; ``of_own`` and
            ``of_partner``, by which log losses are multiplied and added; and ``side``, 1 for the
            mean of a pair, -1 for its difference, 0 for a run alone.
        """
        first, second = self.first, n_first + self.second
        partner = np.arange(len(weight))
        partner[first], partner[second] = second, first
        root = np.sqrt(weight)
        of_own, of_partner, side = root.copy(), np.zeros(len(weight)), np.zeros(len(weight))
        of_own[first], of_partner[first] = root[first] / np.sqrt(2), root[second] / np.sqrt(2)
        of_own[second], of_partner[second] = root[second] / np.sqrt(2), -root[first] / np.sqrt(2)
        side[first], side[second] = 1.0, -1.0
        return {"partner": partner, "of_own": of_own, "of_partner": of_partner, "side": side}


def combined(log_loss: Any, data: Any) -> Any:
    """Return log losses with means and differences in place of those of pairs.

    Parameters
    ----------
    log_loss : ndarray or TensorVariable, shape (run,)
        Of all runs, those of the first recipe before those of the second.
    data : object with the attributes that `Pairs.data` names
    """
    return data.of_own * log_loss + data.of_partner * log_loss[data.partner]


def find_pairs(
    first: Runs, second: Runs, names: Sequence[str], pair_by: Sequence[str] | None
) -> Pairs:
    """Return the pairs of runs that agree in every column named.

    Numbers agree if they are the same to six digits. A run with a missing cell has no pair.

    Parameters
    ----------
    first, second : Runs
        The runs of each recipe.
    names : sequence of str
        What the recipes are called, for messages.
    pair_by : sequence of str or None
        Columns; None for no pairs.

    Raises
    ------
    InputError
        If a column is missing, several runs of a recipe agree with one of the other, or the losses
        of all pairs have the same ratio.
    """
    nothing = np.array([], dtype=int)
    if pair_by is None:
        return Pairs(nothing, nothing)
    columns = [pair_by] if isinstance(pair_by, str) else list(pair_by)
    keys = [_keys(runs, columns, name) for runs, name in zip((first, second), names, strict=True)]
    common = keys[0][keys[0].isin(keys[1])].drop_duplicates()
    for key in common:
        counts = [int((each == key).sum()) for each in keys]
        if max(counts) > 1:
            at = ", ".join(
                f"{column} = {value}" for column, value in zip(columns, key, strict=True)
            )
            raise InputError(
                f"{counts[0]} runs of {names[0]!r} and {counts[1]} of {names[1]!r} have {at}, so "
                "which make a pair is not known. Name a column in pair_by that tells them apart, "
                "such as 'seed', or take pair_by=None."
            )
    by = " and ".join(columns)
    notes = () if len(common) else (f"no runs of the two agree in {by}, so there are no pairs",)
    positions = [each[each.isin(common)].sort_values().index.to_numpy() for each in keys]
    _check_scatter(first, second, positions, names)
    return Pairs(positions[0], positions[1], notes)


def _check_scatter(
    first: Runs, second: Runs, positions: Sequence[np.ndarray], names: Sequence[str]
) -> None:
    """Refuse pairs whose losses differ by no noise at all: their correlation would be 1."""
    if len(positions[0]) < _FEW:
        return
    losses = [
        each.frame["loss"].to_numpy()[at]
        for each, at in zip((first, second), positions, strict=True)
    ]
    if np.ptp(np.log(losses[0] / losses[1])) < _ROUNDING:
        ratio = losses[1][0] / losses[0][0]
        raise InputError(
            f"in all {len(positions[0])} pairs the loss of {names[1]!r} is {ratio:.6g} times that "
            f"of {names[0]!r}, without any noise. Are these the same runs? Give the runs of two "
            "recipes, or take pair_by=None."
        )


def _keys(runs: Runs, columns: Sequence[str], name: str) -> pd.Series:
    """Return the cells by which each run is paired, as a tuple; runs with a missing one go."""
    missing = [column for column in columns if column not in runs.frame]
    if missing or not columns:
        raise InputError(
            f"pair_by is {tuple(columns)!r}, and the columns of {name!r} are "
            f"{', '.join(map(str, runs.frame.columns))}. Name columns that both recipes have, or "
            "take pair_by=None."
        )
    frame = runs.frame[list(columns)].dropna()
    shown = frame.map(
        lambda cell: f"{cell:.6g}" if isinstance(cell, int | float | np.number) else str(cell)
    )
    return pd.Series(list(shown.itertuples(index=False, name=None)), frame.index, dtype=object)
