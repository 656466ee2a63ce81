"""Do the draws represent the posterior? Figures, and limits that they must keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._intervals import SAMPLE_DIMS

if TYPE_CHECKING:
    import xarray as xr

MAX_R_HAT = 1.01
MIN_ESS = 400
MAX_DIVERGENT_SHARE = 0.001
MIN_BFMI = 0.3
_TAILS = (0.05, 0.95)
"""Quantiles whose effective draws count as those of the tails."""


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Figures that tell whether the draws of a fit can be trusted.

    Attributes
    ----------
    parameters : DataFrame
        One row a natural parameter: ``r_hat``, ``ess_bulk`` and ``ess_tail``
        (Vehtari et al. 2021).
    n_draws : int
        Draws after warm-up, over all chains.
    n_divergent : int
        Draws whose trajectory diverged.
    bfmi : float
        Smallest estimated Bayesian fraction of missing information of a chain
        (Betancourt 2016).
    """

    parameters: pd.DataFrame
    n_draws: int
    n_divergent: int
    bfmi: float

    def failures(self) -> list[str]:
        """Return one sentence for every limit that is not kept; none if all are."""
        found = [
            f"R-hat of {name} is {row.r_hat:.3f} (limit {MAX_R_HAT}): the chains disagree"
            for name, row in self.parameters.iterrows()
            if not row.r_hat < MAX_R_HAT
        ]
        for column, words in (("ess_bulk", "centre"), ("ess_tail", "tails")):
            found += [
                f"{column} of {name} is {value:.0f} (limit {MIN_ESS}): "
                f"too few independent draws for its {words}"
                for name, value in self.parameters[column].items()
                if not value >= MIN_ESS
            ]
        if self.n_divergent > MAX_DIVERGENT_SHARE * self.n_draws:
            found.append(
                f"{self.n_divergent} of {self.n_draws} draws diverged "
                f"(limit {MAX_DIVERGENT_SHARE:.1%}): parts of the posterior were not reached"
            )
        if not self.bfmi >= MIN_BFMI:
            found.append(f"E-BFMI is {self.bfmi:.2f} (limit {MIN_BFMI}): chains mix slowly")
        return found

    @property
    def converged(self) -> bool:
        """Whether every limit is kept."""
        return not self.failures()

    def __str__(self) -> str:
        table = self.parameters
        return (
            f"{self.n_draws} draws, largest R-hat {table.r_hat.max():.3f}, smallest bulk ESS "
            f"{table.ess_bulk.min():.0f}, smallest tail ESS {table.ess_tail.min():.0f}, "
            f"{self.n_divergent} divergences, E-BFMI {self.bfmi:.2f}"
        )


def diagnose(data_tree: xr.DataTree, names: Sequence[str]) -> Diagnostics:
    """Return the diagnostics of the named parameters.

    Parameters
    ----------
    data_tree : DataTree
        With groups ``posterior`` and ``sample_stats`` (``diverging``, ``energy``).
    names : sequence of str
        Variables of the posterior to look at; of one with further dims, such as ``group``, every
        element by itself.
    """
    from arviz_stats.base import array_stats

    posterior, stats = data_tree["posterior"].to_dataset(), data_tree["sample_stats"].to_dataset()
    # As arrays: by data sets the same figures take three times as long.
    elements = [element for name in names for element in _elements(posterior[name])]
    draws = np.stack([values for _, values in elements])
    energy = stats["energy"].transpose(*SAMPLE_DIMS).to_numpy()
    with np.errstate(all="ignore"):
        bfmi = float(np.min(array_stats.bfmi(energy)))
    return Diagnostics(
        parameters=pd.DataFrame(
            figures_of(draws), index=pd.Index([name for name, _ in elements], name="parameter")
        ),
        n_draws=int(np.prod(draws.shape[1:])),
        n_divergent=int(stats["diverging"].sum()),
        bfmi=bfmi,
    )


def figures_of(draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``r_hat``, ``ess_bulk`` and ``ess_tail`` of each quantity.

    Parameters
    ----------
    draws : ndarray, shape (quantity, chain, draw)
        Draws; chains that stand still give NaN, which keeps no limit.
    """
    from arviz_stats.base import array_stats

    with np.errstate(all="ignore"):
        return {
            "r_hat": array_stats.rhat(draws),
            "ess_bulk": array_stats.ess(draws, method="bulk"),
            "ess_tail": array_stats.ess(draws, method="tail", prob=_TAILS),
        }


def _elements(variable: xr.DataArray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each element of a variable with its name, such as ``alpha_N[C4]``."""
    others = [dim for dim in variable.dims if dim not in SAMPLE_DIMS]
    if not others:
        yield str(variable.name), variable.transpose(*SAMPLE_DIMS).to_numpy()
        return
    stacked = variable.transpose(*others, *SAMPLE_DIMS)
    for at in np.ndindex(*stacked.shape[: len(others)]):
        labels = (str(stacked[dim].to_numpy()[i]) for dim, i in zip(others, at, strict=True))
        yield f"{variable.name}[{', '.join(labels)}]", stacked.to_numpy()[at]
