"""Policies: how the next run is chosen, by what it teaches or by a rule of thumb."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from scaling_bayes._decision import Decision
from scaling_bayes._fit.fit import Fit
from scaling_bayes._next_run.run_values import next_run
from scaling_bayes._next_run.simulation import OPTIMAL_SIZE

__all__ = [
    "REGISTRY",
    "IsoFLOPSweep",
    "LargestAffordable",
    "MostInformation",
    "MostValue",
    "MostValuePerCost",
    "Policy",
    "Random",
]


class Policy(ABC):
    """How the next run is chosen. One of your own has the one method `choose`."""

    @abstractmethod
    def choose(self, decision: Decision, affordable: pd.DataFrame, rng: np.random.Generator) -> int:
        """Return the label of the run to train.

        Parameters
        ----------
        decision : Decision
            The decision as things are; ``decision.problem.source`` is the fit to all runs so far.
        affordable : DataFrame
            Candidates that can be paid for, at least one: ``n_params``, ``tokens``, ``flops``,
            ``weight`` and ``cost``; their labels are row numbers.
        rng : numpy.random.Generator
            Source of randomness.
        """


@dataclass(frozen=True)
class LargestAffordable(Policy):
    """The run with the most compute."""

    def choose(self, decision: Decision, affordable: pd.DataFrame, rng: np.random.Generator) -> int:
        """Return the label of the run to train; see `Policy.choose`."""
        return _label(affordable, affordable["flops"].to_numpy().argmax())


@dataclass(frozen=True)
class Random(Policy):
    """Any run, each with the same probability."""

    def choose(self, decision: Decision, affordable: pd.DataFrame, rng: np.random.Generator) -> int:
        """Return the label of the run to train; see `Policy.choose`."""
        return _label(affordable, rng.integers(len(affordable)))


@dataclass(frozen=True)
class IsoFLOPSweep(Policy):
    """Slices of equal compute: model sizes spread at the highest level that can be paid for.

    Parameters
    ----------
    factor : float
        How far apart levels of compute are. Runs count to the level next to them.
    """

    factor: float = 3.0

    def choose(self, decision: Decision, affordable: pd.DataFrame, rng: np.random.Generator) -> int:
        """Return the run farthest in log N from all at the level; see `Policy.choose`."""
        trained = cast("Fit", decision.problem.source).runs.frame
        level = self._levels(affordable)
        at_level = affordable[level == level.max()]
        sizes = np.log(at_level["n_params"].to_numpy())
        seen = np.log(trained["n_params"].to_numpy()[self._levels(trained) == level.max()])
        if not seen.size:
            return _label(at_level, np.abs(sizes - np.median(sizes)).argmin())
        distance = np.abs(sizes[:, None] - seen).min(axis=1)
        return _label(at_level, distance.argmax())

    def _levels(self, runs: pd.DataFrame) -> np.ndarray:
        levels: np.ndarray = np.round(np.log(runs["flops"].to_numpy()) / np.log(self.factor))
        return levels


@dataclass(frozen=True)
class MostValue(Policy):
    """The run with the highest expected value of sample information; see `next_run`.

    Parameters
    ----------
    n_outcomes : int
        Outcomes simulated of each candidate.
    """

    n_outcomes: int = 64

    def choose(self, decision: Decision, affordable: pd.DataFrame, rng: np.random.Generator) -> int:
        """Return the label of the run to train; see `Policy.choose`."""
        return _first(decision, affordable, "evsi", self.n_outcomes, rng)


@dataclass(frozen=True)
class MostValuePerCost(Policy):
    """The run with the highest expected value of sample information per cost.

    Parameters
    ----------
    n_outcomes : int
        Outcomes simulated of each candidate.
    """

    n_outcomes: int = 64

    def choose(self, decision: Decision, affordable: pd.DataFrame, rng: np.random.Generator) -> int:
        """Return the label of the run to train; see `Policy.choose`."""
        return _first(decision, affordable, "evsi_per_cost", self.n_outcomes, rng)


@dataclass(frozen=True)
class MostInformation(Policy):
    """The run that is expected to tell most of a quantity.

    Parameters
    ----------
    on : str
        The quantity: ``"optimal_n_params"`` or ``"optimal_loss"`` of the decision.
    n_outcomes : int
        Outcomes simulated of each candidate.
    """

    on: str = OPTIMAL_SIZE
    n_outcomes: int = 64

    def choose(self, decision: Decision, affordable: pd.DataFrame, rng: np.random.Generator) -> int:
        """Return the label of the run to train; see `Policy.choose`."""
        return _first(decision, affordable, f"information_{self.on}", self.n_outcomes, rng)


REGISTRY: dict[str, Callable[[], Policy]] = {
    "value": MostValue,
    "value per cost": MostValuePerCost,
    "information": MostInformation,
    "largest affordable": LargestAffordable,
    "isoFLOP sweep": IsoFLOPSweep,
    "random": Random,
}
"""Policies by name."""


def _first(
    decision: Decision,
    affordable: pd.DataFrame,
    by: str,
    n_outcomes: int,
    rng: np.random.Generator,
) -> int:
    """Return the candidate with the highest value in a column of `next_run`, by weights."""
    seed = int(rng.integers(2**31))
    values = next_run(decision, affordable, n_outcomes=n_outcomes, most_refits=0, seed=seed)
    return _label(values.table, values.table[by].to_numpy().argmax())


def _label(table: pd.DataFrame, row: np.integer) -> int:
    return int(table.index[int(row)])
