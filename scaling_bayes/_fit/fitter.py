"""From runs and a law to a fit."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scaling_bayes._fit.fit import Fit
from scaling_bayes._fit.independent import independent
from scaling_bayes._inference.coordinates import COORDINATES_KEY, CoordinateName, resolve
from scaling_bayes._inference.doubtful_runs import warn_of_doubts
from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes._inference.kernel.power_sum_density import power_sum_density
from scaling_bayes._inference.model import OBSERVED, build_model, data_dims, model_data
from scaling_bayes._inference.most_rows import check_number
from scaling_bayes._inference.sampling import (
    KernelSampler,
    OnFailure,
    Sampler,
    SamplerName,
    SamplerSettings,
    prepare,
    sample_checked,
)
from scaling_bayes._work.progress import watched
from scaling_bayes._work.seeds import generator
from scaling_bayes.discrepancy import Discrepancy, suited_to
from scaling_bayes.errors import InputError
from scaling_bayes.laws import Coupled, Law
from scaling_bayes.noise import Noise, StudentT
from scaling_bayes.parameters import free_names_of
from scaling_bayes.runs import SEED_SD, Runs

if TYPE_CHECKING:
    import xarray as xr


class Fitter:
    """Fits one law to any number of tables of runs, and compiles the model only once.

    Parameters
    ----------
    law : Law, optional
        The law, with its priors; `laws.Coupled` by default.
    noise : Noise, optional
        How log loss scatters around the law; `StudentT` by default. Where a table has several runs
        of a size, those of this package become `noise.BySize`, and each size is one row.
    discrepancy : Discrepancy or "smooth" or None
        How the mean of runs may differ from the law. By default it is smooth, as
        `discrepancy.suited_to` has it for the sizes that the law reads. None takes the law for
        the truth: for questions about its parameters, and not for forecasts, whose intervals then
        are far too narrow beyond the runs.
    coordinates : {"centred", "natural", "mixed"}, optional
        What the sampler moves in: centred on the runs where the law allows it; else mixed, where
        the discrepancy alone is.
    sampler : {"nutpie", "pymc", "numpyro"}
        Who samples. All give the same posterior; nutpie gives it soonest.
    settings : SamplerSettings, optional
        How long and how carefully to sample.
    on_failure : {"raise", "warn"}
        What to do when the draws fail their checks twice.

    Raises
    ------
    InputError
        If `law` is no law, `discrepancy` no discrepancy, or the coordinates do not suit the law.
    """

    def __init__(
        self,
        law: Law | None = None,
        *,
        noise: Noise | None = None,
        discrepancy: Discrepancy | Literal["smooth"] | None = "smooth",
        coordinates: CoordinateName | None = None,
        sampler: SamplerName = "nutpie",
        settings: SamplerSettings | None = None,
        on_failure: OnFailure = "raise",
    ) -> None:
        law = Coupled() if law is None else law
        if not isinstance(law, Law):
            hint = " Write it with parentheses." if isinstance(law, type) else ""
            raise InputError(
                f"law is {law!r}, which is not a law; give one such as sb.laws.Chinchilla().{hint}"
            )
        if discrepancy == "smooth":
            discrepancy = suited_to(law.covariates)
        if discrepancy is not None and not isinstance(discrepancy, Discrepancy):
            raise InputError(
                f"discrepancy is {discrepancy!r}, which is not a model of discrepancy; leave it "
                "out, give one such as sb.discrepancy.Smooth(), with parentheses, or None for the "
                "law alone."
            )
        self.law = law
        self.noise = StudentT() if noise is None else noise
        self.discrepancy = discrepancy
        self.coordinates = resolve(coordinates, law, discrepancy)
        self.sampler = sampler
        self.settings = SamplerSettings() if settings is None else settings
        self.on_failure = on_failure
        self._prepared: dict[tuple[str, bool], Sampler] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but compiled models, which every process makes for itself."""
        return self.__dict__ | {"_prepared": {}}

    def fit(self, runs: Runs, *, seed: int | np.random.Generator | None = None) -> Fit:
        """Sample the posterior of the law given runs, and check the draws.

        Parameters
        ----------
        runs : Runs
            The training runs.
        seed : int or Generator, optional
            Source of randomness; the same seed gives the same draws.

        Returns
        -------
        Fit
            The posterior.

        Raises
        ------
        InputError
            If `runs` is no `Runs`, or has more than 200,000 rows.
        IdentifiabilityError
            If the runs cannot identify the law.
        ConvergenceError
            If the sampler fails its checks twice and `on_failure` is ``"raise"``.

        Warns
        -----
        IdentifiabilityWarning
            Where the runs tell parameters apart only with the help of priors.
        DoubtWarning
            Where the table shows that runs are not what the law takes them for; `Fit.doubts`
            keeps all of it.
        RunsWarning
            If rows before the end of runs are left out.
        """
        if not isinstance(runs, Runs):
            raise InputError(
                f"runs is a {type(runs).__name__}; give what sb.read_runs(...) returns."
            )
        runs, noise = independent(runs, self.noise)
        check_number(runs)
        check_identifiable(runs, self.law)
        warn_of_doubts(runs, self.law)
        data = model_data(runs, self.law, self.discrepancy)
        names = free_names_of(self.law, noise, self.discrepancy)
        with watched(f"Fit of {self.law.name}", shown=self.settings.progressbar) as watch:
            watch.tell("building the model")
            kind = noise.name, SEED_SD in runs.frame
            if kind not in self._prepared:
                self._prepared[kind] = self._sampler_of(runs, noise)
            data_tree = sample_checked(
                self._prepared[kind],
                data,
                names,
                settings=self.settings,
                rng=generator(seed),
                watch=watch,
                on_failure=self.on_failure,
            )
        return Fit(self.law, noise, runs, self._described(data_tree, data, runs), self.discrepancy)

    def _sampler_of(self, runs: Runs, noise: Noise) -> Sampler:
        """Return the model made ready: by the kernel where it can be, and else by PyMC."""
        if self.sampler == "nutpie" and self.coordinates == "centred":
            density = power_sum_density(self.law, noise, self.discrepancy)
            if density is not None:
                return KernelSampler(density)
        model = build_model(
            runs,
            self.law,
            noise=noise,
            discrepancy=self.discrepancy,
            coordinates=self.coordinates,
        )
        return prepare(model, self.sampler)

    def _provenance(self) -> dict[str, str]:
        """Return what the draws were made with."""
        return {
            COORDINATES_KEY: self.coordinates,
            "sampler": self.sampler,
            **{
                f"{package}_version": version(package)
                for package in ("pymc", "nutpie", "arviz-base")
            },
        }

    def _described(
        self, data_tree: xr.DataTree, data: dict[str, np.ndarray], runs: Runs
    ) -> xr.DataTree:
        """Return posterior and statistics with the data beside them, as ArviZ expects."""
        import xarray as xr

        run = {"run": np.arange(len(runs))}
        constant = {
            name: (data_dims(name, values) or (), values)
            for name, values in data.items()
            if name != "observed_log_loss"
        }
        return xr.DataTree.from_dict(
            {
                "/": xr.Dataset(attrs=data_tree.attrs | self._provenance()),
                "posterior": data_tree["posterior"].to_dataset(),
                "sample_stats": data_tree["sample_stats"].to_dataset(),
                "observed_data": xr.Dataset({OBSERVED: ("run", data["observed_log_loss"])}, run),
                "constant_data": xr.Dataset(constant, run),
            }
        )
