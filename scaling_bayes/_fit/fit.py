"""A fitted law: what a user holds, and what it can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_bayes._checks.check import Check, check
from scaling_bayes._checks.doubtful_fit import doubts_in, ratio_in_words, shared_in_words
from scaling_bayes._doubt import Doubt
from scaling_bayes._files.user_path import path_of
from scaling_bayes._fit import storage
from scaling_bayes._fit.summary import Summary, summarise
from scaling_bayes._inference.coordinates import COORDINATES_KEY, CoordinateName
from scaling_bayes._inference.diagnostics import Diagnostics, diagnose
from scaling_bayes._inference.doubtful_runs import doubts_about
from scaling_bayes._inference.identifiability import barely_identified
from scaling_bayes._inference.model import build_model
from scaling_bayes._inference.sampling import (
    RETRIED_KEY,
    OnFailure,
    check_on_failure,
    refuse_or_warn,
)
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes._notebook import page_of
from scaling_bayes._prediction.answers import Answers
from scaling_bayes._prediction.straight_valley import learned_discrepancy
from scaling_bayes._printable import printed
from scaling_bayes._work.seeds import generator
from scaling_bayes.discrepancy import (
    DATA_DIMS,
    ROWS,
    Discrepancy,
    DiscrepancyDraws,
)
from scaling_bayes.errors import InputError
from scaling_bayes.laws import Law
from scaling_bayes.noise import Noise
from scaling_bayes.parameters import free_names_of
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Fit(Answers):
    """The posterior of a law, given runs.

    Attributes
    ----------
    law : Law
        The law that was fitted, with its priors.
    noise : Noise
        The noise on log loss.
    runs : Runs
        The runs.
    data_tree : DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data`` and ``constant_data``, as
        ArviZ knows them.
    discrepancy : Discrepancy or None
        How the mean of runs may differ from the law.
    """

    law: Law
    noise: Noise
    runs: Runs
    data_tree: xr.DataTree
    discrepancy: Discrepancy | None = None

    @property
    def label(self) -> str:
        """Name of the law, and of its discrepancy if it has one, for tables and legends."""
        if self.discrepancy is None:
            return self.law.name
        return f"{self.law.name} with {self.discrepancy.name} discrepancy"

    @property
    def draws(self) -> xr.Dataset:
        """Draws of the law's natural parameters, with dims chain and draw."""
        return self.data_tree["posterior"].to_dataset()[self.law.parameter_names]

    @property
    def noise_draws(self) -> xr.Dataset:
        """Draws of the noise's parameters, with dims chain and draw."""
        return self.data_tree["posterior"].to_dataset()[self.noise.parameter_names]

    @property
    def parameter_names(self) -> list[str]:
        """Names of the parameters of law, noise and discrepancy."""
        names = [*self.law.parameter_names, *self.noise.parameter_names]
        return names if self.discrepancy is None else [*names, *self.discrepancy.parameter_names]

    @cached_property
    def discrepancy_draws(self) -> DiscrepancyDraws | None:
        """Draws of the discrepancy, which can be asked for any sizes; None where there is none."""
        if self.discrepancy is None:
            return None
        return learned_discrepancy(
            self.discrepancy,
            self.data_tree["posterior"].to_dataset(),
            self.data_tree["constant_data"][ROWS].to_numpy(),
            self.law,
            self.draws,
            self.runs,
        )

    @property
    def flops_per_param_token(self) -> float:
        """The k of C = k N D, as in the runs."""
        return self.runs.flops_per_param_token

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but what is built again where it is asked for."""
        built = ("model", "sampling_model", "discrepancy_draws")
        return {name: value for name, value in self.__dict__.items() if name not in built}

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Figures that tell whether the draws can be trusted."""
        names = free_names_of(self.law, self.noise, self.discrepancy)
        return diagnose(self.data_tree, names)

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about the fit, found in its runs, its draws and its residuals.

        Summary, forecast, allocation and decision show those that matter to them. They follow
        from what is saved, so that a fit that was read back has the same.
        """
        return (
            *barely_identified(self.runs, self.law),
            *doubts_about(self.runs, self.law),
            *doubts_in(self),
        )

    @cached_property
    def model(self) -> pm.Model:
        """The PyMC model with every natural parameter as a variable with its prior.

        Prior predictive draws, log priors and log likelihoods can be computed from it.
        """
        return self._built("natural")

    @cached_property
    def sampling_model(self) -> pm.Model:
        """The PyMC model that was sampled: the same posterior in the coordinates of the sampler."""
        return self._built(self.data_tree.attrs[COORDINATES_KEY])

    def _built(self, coordinates: CoordinateName) -> pm.Model:
        import pymc as pm

        model = build_model(
            self.runs,
            self.law,
            noise=self.noise,
            discrepancy=self.discrepancy,
            coordinates=coordinates,
        )
        if self.discrepancy is not None:
            # The draws are weights of the landmarks that were chosen when they were drawn.
            stored = self.data_tree["constant_data"].to_dataset()
            pm.set_data({name: stored[name].to_numpy() for name in DATA_DIMS}, model=model)
        return model

    def summary(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> Summary:
        """Return natural and derived parameters with intervals, diagnostics, and words.

        Parameters
        ----------
        prob : float
            Probability inside the intervals.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.
        """
        return summarise(
            self,
            self.diagnostics,
            counted=self.runs.counted,
            retried=bool(self.data_tree.attrs.get(RETRIED_KEY, 0)),
            remarks=(
                *shared_in_words(self, prob=prob, kind=kind),
                *ratio_in_words(self, prob=prob, kind=kind),
                *map(str, self.doubts),
            ),
            prob=prob,
            kind=kind,
        )

    def check(self, *, seed: int | None = None) -> Check:
        """Return how far the law describes its runs, and how far the runs determine it.

        Residuals against sizes, groups, spread, tails and outliers, each beside what the fit's
        own noise gives; sensitivity to priors; what the runs tell of each parameter.

        Parameters
        ----------
        seed : int, optional
            Source of replicates and of draws from the priors.
        """
        return check(self, seed=seed)

    def prior_predictive(self, *, draws: int = 1000, seed: int | None = None) -> xr.DataTree:
        """Return the fit's DataTree with groups ``prior`` and ``prior_predictive`` added.

        Parameters
        ----------
        draws : int
            Draws from the priors.
        seed : int, optional
            Source of randomness.
        """
        import pymc as pm

        rng = generator(seed)
        sampled = pm.sample_prior_predictive(draws=draws, model=self.model, random_seed=rng)
        return _with_groups(self.data_tree, sampled, ("prior", "prior_predictive"))

    def posterior_predictive(self, *, seed: int | None = None) -> xr.DataTree:
        """Return the fit's DataTree with the group ``posterior_predictive`` added.

        Parameters
        ----------
        seed : int, optional
            Source of randomness.
        """
        import pymc as pm

        sampled = pm.sample_posterior_predictive(
            self.data_tree, model=self.model, random_seed=generator(seed), progressbar=False
        )
        return _with_groups(self.data_tree, sampled, ("posterior_predictive",))

    def save(self, path: str | Path) -> Path:
        """Write the fit to a NetCDF file, which `scaling_bayes.load` and ArviZ read.

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
        try:
            storage.write(
                self.data_tree,
                target,
                law=self.law,
                noise=self.noise,
                discrepancy=self.discrepancy,
                runs=self.runs,
            )
        except InputError as error:
            raise InputError(
                f"{error} The draws are still in memory: save this fit to another path."
            ) from error
        return target

    def _repr_html_(self) -> str:
        summary = self.summary()
        return page_of(repr(self), summary.to_frame().drop(columns="kind"), summary.words)

    @printed
    def __repr__(self) -> str:
        error = "" if self.discrepancy is None else f" and {self.discrepancy.name} discrepancy"
        return (
            f"Fit of {self.law.name} with {self.noise.name} noise{error} to {self.runs.counted} "
            f"({self.runs.source}): {self.diagnostics}"
        )


def load(
    path: str | Path,
    *,
    law: Law | None = None,
    noise: Noise | None = None,
    discrepancy: Discrepancy | None = None,
    on_failure: OnFailure = "raise",
) -> Fit:
    """Read a fit that `Fit.save` wrote, and check it as if it were a stranger's.

    Sizes, links, types and the checksum are looked at before anything is loaded; then whether the
    draws are of the law, the priors and the runs that the file describes; then their diagnostics,
    as after `scaling_bayes.fit`. A file of before there were checksums is read without one.

    Parameters
    ----------
    path : str or Path
        The file.
    law : Law, optional
        The law, if it is one of your own.
    noise : Noise, optional
        The noise, if it is one of your own.
    discrepancy : Discrepancy, optional
        The discrepancy, if it is one of your own.
    on_failure : {"raise", "warn"}
        What to do when the draws fail the checks that `scaling_bayes.fit` makes.

    Returns
    -------
    Fit
        The fit, with every draw as it was.

    Raises
    ------
    FileFormatError
        If the file is not a fit, is damaged, is in another format, or holds another law.
    ConvergenceError
        If the draws do not represent the posterior and `on_failure` is ``"raise"``.
    """
    check_on_failure(on_failure)
    fit = Fit(
        *storage.read(path_of(path), law=law, noise_model=noise, discrepancy_model=discrepancy)
    )
    if not fit.diagnostics.converged:
        refuse_or_warn(fit.diagnostics, f"the draws in {path} did not converge", on_failure)
    return fit


def _with_groups(
    data_tree: xr.DataTree, sampled: xr.DataTree, groups: tuple[str, ...]
) -> xr.DataTree:
    joined = data_tree.copy()
    for group in groups:
        joined[group] = sampled[group]
    return joined
