"""A law fitted to groups of runs, each of which learns from the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_bayes._checks.doubtful_fit import not_converged
from scaling_bayes._doubt import Doubt, in_lines
from scaling_bayes._files.user_path import path_of
from scaling_bayes._fit import storage
from scaling_bayes._fit.grouping import Groups, kinds_of, names_of, runs_by_group
from scaling_bayes._fit.pooled.group_fit import GroupFit
from scaling_bayes._fit.pooled.new_group import logs_of, new_discrepancy, new_parameters
from scaling_bayes._fit.pooled.pooled_summary import PooledSummary, row_of
from scaling_bayes._inference.coordinates import references
from scaling_bayes._inference.diagnostics import Diagnostics, diagnose
from scaling_bayes._inference.doubtful_runs import doubts_about
from scaling_bayes._inference.kernel.pooled_density import GROUP, of_group
from scaling_bayes._inference.kernel.prior_fields import probability_below
from scaling_bayes._inference.sampling import (
    RETRIED_KEY,
    OnFailure,
    check_on_failure,
    refuse_or_warn,
)
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, interval
from scaling_bayes._notebook import page_of
from scaling_bayes._prediction.straight_valley import learned_discrepancy
from scaling_bayes._printable import printed
from scaling_bayes.discrepancy import ROWS, Discrepancy, DiscrepancyDraws
from scaling_bayes.errors import UnknownGroupError
from scaling_bayes.laws import Law, PowerSum
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

    from scaling_bayes._prediction.allocation import Allocation
    from scaling_bayes._prediction.compute_to_reach import ComputeToReach
    from scaling_bayes._prediction.forecast_answer import Forecast

NEW = "new"
"""What a group is asked for by that has no runs yet."""
_ALIKE = 0.05
"""Spread of exponents below which groups have, for every use, the same."""
_SEED_OF_NEW = 0
_MOSTLY, _LITTLE = 2 / 3, 1 / 3


@dataclass(frozen=True, eq=False)
class PooledFit(Mapping[str, GroupFit]):
    """The posterior of a law and of its groups, given the runs of all of them.

    A mapping of the name of each group to its `GroupFit`, which forecasts, allocates and decides
    as any fit does.

    Attributes
    ----------
    law : PowerSum
        The law, with the priors of the common parameters.
    noise : Noise
        The noise on log loss, the same for all groups.
    groups : Groups
        The column that tells them apart, and the priors of the spreads.
    runs : Runs
        The runs of all groups.
    data_tree : DataTree
        Groups ``posterior``, ``sample_stats`` and ``constant_data``, as ArviZ knows them. The
        common parameters have their names, those of groups names such as ``alpha_N_of_group``
        and the dim ``group``.
    discrepancy : Discrepancy or None
        How the mean of a group's runs may differ from its law.
    """

    law: PowerSum
    noise: Noise
    groups: Groups
    runs: Runs
    data_tree: xr.DataTree
    discrepancy: Discrepancy | None = None

    @property
    def label(self) -> str:
        """Name of the law, and by what it is pooled."""
        return f"{self.law.name} by {self.groups.by}"

    @cached_property
    def _runs_of(self) -> dict[str, Runs]:
        return runs_by_group(self.runs, self.groups.by)

    @property
    def _posterior(self) -> xr.Dataset:
        posterior: xr.Dataset = self.data_tree["posterior"].to_dataset()
        return posterior

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs_of)

    def __len__(self) -> int:
        return len(self._runs_of)

    def __getitem__(self, group: str) -> GroupFit:
        """Return the posterior of a group.

        Raises
        ------
        InputError
            If there is no such group.
        """
        if group not in self._runs_of:
            raise UnknownGroupError(
                f"there is no group {group!r} by {self.groups.by}; there are "
                f"{', '.join(self._runs_of)}. A group without runs is {NEW!r}."
            )
        own = self._posterior.sel({GROUP: group}, drop=True)
        renamed = {of_group(name): name for name in self.law.parameter_names}
        law_draws = own[list(renamed)].rename(renamed)
        return GroupFit(
            group,
            self.law,
            self.noise,
            self._runs_of[group],
            law_draws,
            own[self.noise.parameter_names],
            self._discrepancy_of(group, own, law_draws),
            self._doubts_of(group),
        )

    def _discrepancy_of(
        self, group: str, own: xr.Dataset, law_draws: xr.Dataset
    ) -> DiscrepancyDraws | None:
        if self.discrepancy is None:
            return None
        rows = self.data_tree["constant_data"][ROWS].sel({GROUP: group}).to_numpy()
        return learned_discrepancy(
            self.discrepancy, own, rows, self.law, law_draws, self._runs_of[group]
        )

    def _doubts_of(self, group: str) -> tuple[Doubt, ...]:
        return (
            *not_converged(self.diagnostics),
            *doubts_about(self._runs_of[group], self.law),
        )

    @cached_property
    def new_group(self) -> GroupFit:
        """The posterior of a group that has no runs yet, such as a corpus that nobody has tried.

        Its parameters are as far from the common ones as those of the groups; with few groups that
        is known badly, and its intervals are wide.
        """
        rng = np.random.default_rng(_SEED_OF_NEW)
        posterior, centres = self._posterior, references(self.runs, self.law)
        spreads = {
            name: posterior[f"spread_{kind}"]
            for kind, names in kinds_of(self.law).items()
            for name in names
        }
        at = {
            name: float(np.exp(np.mean(np.log(values))))
            for name, values in self.runs.covariates(
                () if self.discrepancy is None else self.discrepancy.covariates
            ).items()
        }
        return GroupFit(
            f"new {self.groups.by}",
            self.law,
            self.noise,
            self.runs,
            new_parameters(self.law, posterior, spreads, centres, rng),
            posterior[self.noise.parameter_names],
            None
            if self.discrepancy is None
            else new_discrepancy(self.discrepancy, posterior, at, rng),
            tuple(not_converged(self.diagnostics)),
        )

    def group(self, name: str) -> GroupFit:
        """Return the posterior of a group, or that of a new one by the name ``"new"``.

        Raises
        ------
        InputError
            If there is no such group.
        """
        return self.new_group if name == NEW and NEW not in self else self[name]

    def forecast(
        self, points: pd.DataFrame | Runs | None = None, *, group: str, **asked: Any
    ) -> Forecast:
        """Forecast the loss of a group at points; see `scaling_bayes.forecast`."""
        return self.group(group).forecast(points, **asked)

    def allocate(self, *, flops: object, group: str) -> Allocation:
        """Return the compute-optimal allocation for a group; see `scaling_bayes.allocate`."""
        return self.group(group).allocate(flops=flops)

    def compute_to_reach(self, loss: float | list[float], *, group: str) -> ComputeToReach:
        """Return the compute that a group takes to a loss; see `scaling_bayes.compute_to_reach`."""
        return self.group(group).compute_to_reach(loss)

    def loss_given_up(self, *, group: str, **asked: Any) -> xr.DataArray:
        """Return what runs of a group lose against the optimum; see `loss_given_up`."""
        return self.group(group).loss_given_up(**asked)

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Figures that tell whether the draws can be trusted, of every parameter of every group."""
        return diagnose(self.data_tree, names_of(self.law, self.noise, self.discrepancy))

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about the runs of any group."""
        return tuple(dict.fromkeys(doubt for name in self for doubt in self._doubts_of(name)))

    @cached_property
    def borrowed(self) -> pd.DataFrame:
        """How much of what is known of each group comes from the others.

        The variance of how far the group lies from the common law, as a share of the square of the
        spread: 1 where its own runs say nothing of it, 0 where they alone say it. One row a group,
        columns ``n_runs``, ``exponents``, ``terms`` and, of laws with a floor, ``floor``; the mean
        over the parameters of each kind.
        """
        posterior, kinds = self._posterior, kinds_of(self.law)
        centres = references(self.runs, self.law)
        common = logs_of(self.law, posterior[self.law.parameter_names], centres)
        rows = []
        for name, own in self._runs_of.items():
            logs = logs_of(self.law, self[name].draws, centres)
            shares: dict[str, float] = {}
            for kind, each in kinds.items():
                spread = posterior[f"spread_{kind}"]
                found = [_share(logs[one] - common[one], spread) for one in each]
                shares[kind] = sum(found) / len(found)
            rows.append({"group": name, "n_runs": len(own), **shares})
        return pd.DataFrame(rows).set_index("group")

    def summary(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> PooledSummary:
        """Return the parameters of each group, the common ones and the spreads with intervals.

        Parameters
        ----------
        prob : float
            Probability inside the intervals.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.
        """
        posterior = self._posterior
        every = names_of(self.law, self.noise, self.discrepancy)
        scales = every[: every.index(self.law.parameter_names[0])]
        rows = [row_of("all", name, posterior[name], prob, kind) for name in scales]
        for name in self.law.parameter_names:
            rows.append(row_of("common", name, posterior[name], prob, kind))
            rows += [
                row_of(each, name, posterior[of_group(name)].sel({GROUP: each}), prob, kind)
                for each in self
            ]
        table = pd.DataFrame(rows).set_index(["parameter", "group"])
        return PooledSummary(table, prob, kind, self._words(prob, kind))

    def _words(self, prob: float, kind: IntervalKind) -> tuple[str, ...]:
        spread = self._posterior["spread_exponents"]
        low, high = interval(spread, prob=prob, kind=kind).values
        before = probability_below(self.groups.priors["spread_exponents"], _ALIKE)
        words = [
            f"{self.law.name} fitted to {self.runs.counted} of {len(self)} groups by "
            f"{self.groups.by}, which vary around common parameters.",
            f"Exponents of groups differ by a factor of exp(s), s = {float(spread.median()):.2g} "
            f"[{low:.2g}, {high:.2g}] (median and {100 * prob:g}% {kind} interval). They are as "
            f"good as shared (s below {_ALIKE:g}) with probability "
            f"{float((spread < _ALIKE).mean()):.2f}; before the runs it was {before:.2f}.",
        ]
        for name, row in self.borrowed.iterrows():
            words.append(
                borrowed_in_words(str(name), n_runs=int(row["n_runs"]), share=row["exponents"])
            )
        retried = bool(self.data_tree.attrs.get(RETRIED_KEY, 0))
        words.append(
            f"Converged{' at the second try' if retried else ''}: {self.diagnostics}."
            if self.diagnostics.converged
            else f"NOT CONVERGED: {'; '.join(self.diagnostics.failures())}."
        )
        return (*words, *map(str, self.doubts))

    def save(self, path: str | Path) -> Path:
        """Write the fit to a NetCDF file, which `PooledFit.load` and ArviZ read.

        Parameters
        ----------
        path : str or Path
            Where to. The file appears there only when it is whole.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        InputError
            If it is no path, or no file can be written there; the draws are still in this fit.
        """
        target = path_of(path)
        storage.write(
            # Groups are counted in a file, since its runs name them.
            self.data_tree.map_over_datasets(_counted),
            target,
            law=self.law,
            noise=self.noise,
            discrepancy=self.discrepancy,
            runs=self.runs,
            groups=self.groups,
        )
        return target

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        law: Law | None = None,
        noise: Noise | None = None,
        discrepancy: Discrepancy | None = None,
        on_failure: OnFailure = "raise",
    ) -> PooledFit:
        """Read a fit that `save` wrote, and check it as if it were a stranger's.

        Parameters
        ----------
        path : str or Path
            The file.
        law, noise, discrepancy : optional
            Those of the fit, if they are your own.
        on_failure : {"raise", "warn"}
            What to do when the draws fail the checks that `scaling_bayes.fit` makes.

        Raises
        ------
        FileFormatError
            If the file is not a pooled fit, is damaged, or holds another law.
        ConvergenceError
            If the draws do not represent the posterior and `on_failure` is ``"raise"``.
        """
        check_on_failure(on_failure)
        fit = cls(
            *storage.read_pooled(
                path_of(path), law=law, noise_model=noise, discrepancy_model=discrepancy
            )
        )
        if not fit.diagnostics.converged:
            refuse_or_warn(fit.diagnostics, f"the draws in {path} did not converge", on_failure)
        return fit

    def _repr_html_(self) -> str:
        summary = self.summary()
        title, *doubts = repr(self).splitlines()
        return page_of(title, summary.to_frame(), [*summary.words, *doubts])

    @printed
    def __repr__(self) -> str:
        return (
            f"Pooled fit of {self.law.name} to {self.runs.counted} of {len(self)} groups by "
            f"{self.groups.by} ({self.runs.source}): {self.diagnostics}{in_lines(self.doubts)}"
        )


def borrowed_in_words(name: str, *, n_runs: int, share: float) -> str:
    """Return the sentence that says how much a group borrows of what is known of its exponents."""
    if share > _MOSTLY:
        amount = "most"
    elif share > _LITTLE:
        amount = "about half"
    else:
        amount = "little"
    return (
        f"{name}: {n_runs} runs borrow {amount} of what is known of their exponents ({share:.0%})."
    )


def _counted(data: xr.Dataset) -> xr.Dataset:
    """Return a data set with numbers in the place of the names of groups."""
    if GROUP not in data.dims:
        return data
    return data.assign_coords({GROUP: np.arange(data.sizes[GROUP])})


def _share(away: xr.DataArray, spread: xr.DataArray) -> float:
    """Return the variance of how far a group lies from the common law, in squares of the spread."""
    return min(1.0, float(away.var()) / float((spread**2).mean()))
