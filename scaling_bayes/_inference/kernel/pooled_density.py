"""A sum of powers whose groups of runs vary around common parameters, as the kernel reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scaling_bayes._inference.coordinates import reference_name
from scaling_bayes._inference.kernel.c_functions import code_digest
from scaling_bayes._inference.kernel.density_code import N_SIZES
from scaling_bayes._inference.kernel.power_sum_density import PowerSumDensity, noise_parts
from scaling_bayes._inference.kernel.prior_fields import log_median_above, prior_fields
from scaling_bayes._inference.kernel.told_by_groups import told_by_groups
from scaling_bayes._inference.model import log_name, model_data
from scaling_bayes.discrepancy import BASIS, DIRECTIONS, ROWS, STRENGTHS, WEIGHT, Discrepancy
from scaling_bayes.laws import Law
from scaling_bayes.parameters import Parameter
from scaling_bayes.runs import Runs

_JITTER = 0.5
GROUP = "group"
"""Dim of the groups."""


def own_data(
    runs: Runs, law: Law, discrepancy: Discrepancy | None, centres: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return what the model reads of one group.

    Parameters
    ----------
    runs : Runs
        The runs of the group.
    law : Law
        The law.
    discrepancy : Discrepancy or None
        The discrepancy.
    centres : mapping of str to ndarray
        The centre of each covariate over the runs of all groups; see `references`.

    Returns
    -------
    dict of str to ndarray
        As `scaling_bayes._inference.model.model_data`, with as many components of the discrepancy
        as the group has landmarks.
    """
    data = {**model_data(runs, law, discrepancy), **centres}
    if discrepancy is not None:
        rows = data[ROWS][data[ROWS] >= 0]
        basis = data[BASIS][:, : len(rows)]
        strengths, directions = np.linalg.eigh(basis.T @ basis)
        strengths = np.clip(strengths, 0, None)
        data |= {BASIS: basis, DIRECTIONS: directions, STRENGTHS: strengths, ROWS: rows}
    return data


@dataclass(frozen=True, eq=False)
class PooledDensity:
    """What the kernel needs to know of a law with groups of runs.

    Attributes
    ----------
    common : PowerSumDensity
        The law with its noise and discrepancy, as for one group.
    spreads : sequence of Parameter
        Standard deviations over groups of the log of exponents, terms, and floor if there is one.
    groups : mapping of str to dict of str to ndarray
        For each group what `own_data` returned.
    """

    common: PowerSumDensity
    spreads: Sequence[Parameter]
    groups: Mapping[str, Mapping[str, np.ndarray]]

    @property
    def parameters(self) -> list[Parameter]:
        """The spreads, those of noise and discrepancy, and the common ones of the law."""
        of_law = self.common.parameters[: self._n_varied]
        return [*self.spreads, *self.common.parameters[self._n_varied :], *of_law]

    @property
    def _n_varied(self) -> int:
        return len(self.common.exponents) + self.common.n_shares

    @property
    def varied(self) -> list[str]:
        """The parameters of the law, which each group has of its own."""
        return [each.name for each in self.common.parameters[: self._n_varied]]

    @property
    def dimension(self) -> int:
        """Coordinates of the sampler."""
        of_groups = (len(self.varied) + self._components(data) for data in self.groups.values())
        return len(self.parameters) + sum(of_groups)

    n_natural = dimension
    """Numbers that the kernel works out beside the coordinates: as many."""

    def _components(self, data: Mapping[str, np.ndarray]) -> int:
        return len(data[ROWS]) if self.common.n_components else 0

    @cached_property
    def _log_centres(self) -> list[float]:
        names = [reference_name(term.covariate) for term in self.common.law.terms]
        data = next(iter(self.groups.values()))
        return [float(np.log(data[name])) for name in names]

    @cached_property
    def table(self) -> np.ndarray:
        """What the kernel reads: see `pooled_log_density`."""
        law = self.common.law
        parts: list[Any] = [
            [prior_fields(each.prior) for each in self.parameters],
            self.common.monomials,
            self._log_centres,
            *told_by_groups(self.common, list(self.groups.values())),
        ]
        covariates = [log_name(term.covariate) for term in law.terms]
        for data in self.groups.values():
            n_components = self._components(data)
            parts += [
                [len(data["weight"]), n_components],
                [data[each] - at for each, at in zip(covariates, self._log_centres, strict=True)],
                *noise_parts(data),
            ]
            if n_components:
                parts += [data[STRENGTHS], (data[BASIS] @ data[DIRECTIONS]).T]
        body = np.concatenate([np.ravel(np.asarray(part, dtype=float)) for part in parts])
        sizes = [len(self.groups), len(law.terms), len(self.common.exponents), law.irreducible]
        sizes += [self.common.heavy, self.common.by_size, self.common.n_components > 0]
        sizes += [self.n_natural]
        head = [N_SIZES + len(body), *sizes, code_digest()]
        return np.concatenate([np.array(head, dtype=float), body])

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Return a point to start a chain from: near the medians of scales, as the runs have it.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of where around it.
        """
        point = _JITTER * rng.uniform(-1, 1, self.dimension)
        scales = self.parameters[: -self._n_varied]
        point[: len(scales)] += [log_median_above(each.prior) for each in scales]
        return point

    def variables(self, draws: np.ndarray) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return dims and values of the common parameters, and of those of the groups.

        Parameters
        ----------
        draws : ndarray, shape (chain, draw, dimension + n_natural)
            What the kernel kept: coordinates, then what follows from them.

        Returns
        -------
        dict of str to tuple
            The common parameters by their names, those of groups by `of_group`, with the dim
            ``group``, and the weights of the discrepancy, with the dims ``group`` and
            ``component``; 0 where a group has fewer landmarks than another.
        """
        sample = ("chain", "draw")
        natural = draws[..., self.dimension :]
        found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            each.name: (sample, natural[..., at]) for at, each in enumerate(self.parameters)
        }
        at, n_varied = len(self.parameters), len(self.varied)
        most = max(map(self._components, self.groups.values()))
        own = np.empty((*natural.shape[:-1], len(self.groups), n_varied))
        weights = np.zeros((*natural.shape[:-1], len(self.groups), most))
        for i, data in enumerate(self.groups.values()):
            own[..., i, :] = natural[..., at : at + n_varied]
            at += n_varied
            if n_components := self._components(data):
                along = natural[..., at : at + n_components]
                weights[..., i, :n_components] = along @ data[DIRECTIONS].T
                at += n_components
        for i, name in enumerate(self.varied):
            found[of_group(name)] = ((*sample, GROUP), own[..., i])
        if most:
            found[WEIGHT] = ((*sample, GROUP, "component"), weights)
        return found


def of_group(name: str) -> str:
    """Return the name of a parameter of the law as the groups have it."""
    return f"{name}_of_group"
