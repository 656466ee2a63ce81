"""From groups of runs to a pooled fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from scaling_bayes._fit.fitter import Fitter
from scaling_bayes._fit.grouping import Groups, names_of, runs_by_group
from scaling_bayes._fit.independent import independent
from scaling_bayes._fit.pooled.pooled_fit import PooledFit
from scaling_bayes._inference.coordinates import references
from scaling_bayes._inference.doubtful_runs import doubts_about
from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes._inference.kernel.pooled_density import GROUP, own_data
from scaling_bayes._inference.kernel.power_sum_density import PowerSumDensity, power_sum_density
from scaling_bayes._inference.kernel.prior_fields import prior_fields
from scaling_bayes._inference.most_rows import check_number
from scaling_bayes._inference.sampling import (
    OnFailure,
    PooledSampler,
    SamplerSettings,
    sample_checked,
)
from scaling_bayes._work.progress import watched
from scaling_bayes._work.seeds import generator
from scaling_bayes.discrepancy import ROWS, Discrepancy
from scaling_bayes.errors import DoubtWarning, IdentifiabilityError, InputError
from scaling_bayes.laws import Law
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

SETTINGS: Final = SamplerSettings(draws=2000, tune=2000, target_accept=0.98)
"""How a law with groups is sampled: its posterior is harder than that of one law."""
_FEWEST_RUNS = 2


class PooledFitter:
    """Fits one law to groups of runs, whose parameters vary around common ones.

    Parameters
    ----------
    groups : str or Groups
        The column that tells groups apart, or a `Groups` with priors of how far they vary.
    law, noise, discrepancy
        As in `Fitter`. The law must be a sum of powers; its priors are those of the common
        parameters.
    settings : SamplerSettings, optional
        How long and how carefully to sample; by default with a longer warm-up than one law has.
    on_failure : {"raise", "warn"}
        What to do when the draws fail their checks twice.

    Raises
    ------
    InputError
        If the law's terms are not known, or a parameter is held or has a prior of its own kind.
    """

    def __init__(
        self,
        groups: str | Groups,
        law: Law | None = None,
        *,
        noise: Noise | None = None,
        discrepancy: Discrepancy | Literal["smooth"] | None = "smooth",
        settings: SamplerSettings | None = None,
        on_failure: OnFailure = "raise",
    ) -> None:
        of_one = Fitter(law, noise=noise, discrepancy=discrepancy, on_failure=on_failure)
        self.groups = groups if isinstance(groups, Groups) else Groups(groups)
        self.law, self.noise, self.discrepancy = of_one.law, of_one.noise, of_one.discrepancy
        self.settings = SETTINGS if settings is None else settings
        self.on_failure = on_failure
        self._common(self.noise)

    def _common(self, noise: Noise) -> PowerSumDensity:
        density = power_sum_density(self.law, noise, self.discrepancy)
        unread = [
            each.name
            for each in (*self.law.parameters, *self.groups.parameters)
            if (fields := prior_fields(each.prior)) is None or fields.lower > 0
        ]
        if density is None or unread:
            reason = (
                f"the prior of {' and '.join(unread)} cannot be pooled"
                if unread
                else "its terms, noise or discrepancy are of its own kind"
            )
            raise InputError(
                f"groups cannot vary around {self.law.name}: {reason}. Take a law that is a sum of "
                "powers, such as sb.laws.Coupled(), with priors LogNormal, HalfNormal or Gamma and "
                "no parameter held; or fit each group by itself with sb.fit_groups."
            )
        return density

    def fit(self, runs: Runs, *, seed: int | np.random.Generator | None = None) -> PooledFit:
        """Sample the joint posterior of all groups, and check the draws.

        Parameters
        ----------
        runs : Runs
            The runs of all groups; two at least of each.
        seed : int or Generator, optional
            Source of randomness; the same seed gives the same draws.

        Returns
        -------
        PooledFit
            The posterior.

        Raises
        ------
        InputError
            If the column is missing, cells of it are, or there is one group only.
        IdentifiabilityError
            If the runs cannot identify the law, or a group has one run.
        ConvergenceError
            If the sampler fails its checks twice and `on_failure` is ``"raise"``.

        Warns
        -----
        DoubtWarning
            Where the table shows that runs of a group are not what the law takes them for.
        RunsWarning
            If rows before the end of runs are left out.
        """
        by = self.groups.by
        if not isinstance(runs, Runs):
            raise InputError(
                f"runs is a {type(runs).__name__}; give what sb.read_runs(...) returns."
            )
        runs, noise = independent(runs, self.noise, by)
        check_number(runs)
        runs_of = runs_by_group(runs, by)
        if len(runs_of) < 2:
            raise InputError(
                f"{runs.source} has one group by {by}, {next(iter(runs_of))!r}, so that nothing "
                "varies. Leave out groups."
            )
        check_identifiable(runs, self.law)
        for name, own in runs_of.items():
            if len(own) < _FEWEST_RUNS:
                raise IdentifiabilityError(
                    f"group {name!r} by {by} has {len(own)} run; give {_FEWEST_RUNS} at least of "
                    "each, or leave the group out."
                )
            for doubt in doubts_about(own, self.law):
                warnings.warn(f"{name}: {doubt.words} {doubt.remedy}", DoubtWarning, stacklevel=2)
        centres = references(runs, self.law)
        data = {
            name: own_data(own, self.law, self.discrepancy, centres)
            for name, own in runs_of.items()
        }
        common = self._common(noise)
        spreads = [
            each
            for each in self.groups.parameters
            if each.name != "spread_floor" or common.law.irreducible
        ]
        title = f"Fit of {self.law.name} to {len(data)} groups"
        with watched(title, shown=self.settings.progressbar) as watch:
            data_tree = sample_checked(
                PooledSampler(common, spreads),
                data,
                names_of(common.law, noise, self.discrepancy),
                settings=self.settings,
                rng=generator(seed),
                watch=watch,
                on_failure=self.on_failure,
            )
        return PooledFit(
            common.law,
            noise,
            self.groups,
            runs,
            _described(data_tree, data, centres),
            self.discrepancy,
        )


def _described(
    data_tree: xr.DataTree,
    data: Mapping[str, Mapping[str, np.ndarray]],
    centres: Mapping[str, np.ndarray],
) -> xr.DataTree:
    """Return posterior and statistics with centres and landmarks beside them."""
    import xarray as xr

    constant: dict[str, Any] = {name: ((), value) for name, value in centres.items()}
    rows = [own[ROWS] for own in data.values() if ROWS in own]
    if rows:
        most = max(map(len, rows))
        padded = [np.pad(each, (0, most - len(each)), constant_values=-1) for each in rows]
        constant[ROWS] = ((GROUP, "landmark"), np.array(padded))
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=data_tree.attrs),
            "posterior": data_tree["posterior"].to_dataset(),
            "sample_stats": data_tree["sample_stats"].to_dataset(),
            "constant_data": xr.Dataset(constant, {GROUP: list(data)}),
        }
    )
