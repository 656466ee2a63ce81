"""Runs fitted in one call: to one law, or to one of which each group of runs has its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from scaling_bayes._fit.fitter import Fitter
from scaling_bayes._fit.pooled.pooled_fitter import PooledFitter
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from scaling_bayes._fit.fit import Fit
    from scaling_bayes._fit.grouping import Groups
    from scaling_bayes._fit.pooled.pooled_fit import PooledFit
    from scaling_bayes._inference.coordinates import CoordinateName
    from scaling_bayes._inference.sampling import OnFailure, SamplerName, SamplerSettings
    from scaling_bayes.discrepancy import Discrepancy
    from scaling_bayes.laws import Law
    from scaling_bayes.noise import Noise
    from scaling_bayes.runs import Runs


@overload
def fit(
    runs: Runs,
    law: Law | None = None,
    *,
    noise: Noise | None = None,
    discrepancy: Discrepancy | Literal["smooth"] | None = "smooth",
    groups: None = None,
    coordinates: CoordinateName | None = None,
    sampler: SamplerName = "nutpie",
    settings: SamplerSettings | None = None,
    on_failure: OnFailure = "raise",
    seed: int | np.random.Generator | None = None,
) -> Fit: ...


@overload
def fit(
    runs: Runs,
    law: Law | None = None,
    *,
    noise: Noise | None = None,
    discrepancy: Discrepancy | Literal["smooth"] | None = "smooth",
    groups: str | Groups,
    settings: SamplerSettings | None = None,
    on_failure: OnFailure = "raise",
    seed: int | np.random.Generator | None = None,
) -> PooledFit: ...


def fit(
    runs: Runs,
    law: Law | None = None,
    *,
    noise: Noise | None = None,
    discrepancy: Discrepancy | Literal["smooth"] | None = "smooth",
    groups: str | Groups | None = None,
    coordinates: CoordinateName | None = None,
    sampler: SamplerName = "nutpie",
    settings: SamplerSettings | None = None,
    on_failure: OnFailure = "raise",
    seed: int | np.random.Generator | None = None,
) -> Fit | PooledFit:
    """Fit a law to training runs.

    Parameters
    ----------
    runs : Runs
        The training runs.
    law : Law, optional
        The law, with its priors; `laws.Coupled` by default.
    noise, discrepancy, coordinates, sampler, settings, on_failure
        As in `Fitter`.
    groups : str or Groups, optional
        The column that says which group a run is of, such as a corpus. The parameters of each
        group then vary around common ones, and the runs of each tell of the others as far as all
        of them are alike; see `Groups`. Its defaults are those of `PooledFitter`.
    seed : int or Generator, optional
        Source of randomness; the same seed gives the same draws.

    Returns
    -------
    Fit
        The posterior, checked; with `groups` a `PooledFit`.

    Raises
    ------
    InputError
        If there are more than 200,000 rows, or an option does not suit.
    IdentifiabilityError
        If the runs cannot identify the law.
    ConvergenceError
        If the sampler fails its checks twice and `on_failure` is ``"raise"``.
    """
    if groups is not None:
        if coordinates is not None or sampler != "nutpie":
            raise InputError(
                "a law with groups has one sampler and coordinates of its own. Leave out "
                "coordinates and sampler, or leave out groups."
            )
        pooled = PooledFitter(
            groups,
            law,
            noise=noise,
            discrepancy=discrepancy,
            settings=settings,
            on_failure=on_failure,
        )
        return pooled.fit(runs, seed=seed)
    fitter = Fitter(
        law,
        noise=noise,
        discrepancy=discrepancy,
        coordinates=coordinates,
        sampler=sampler,
        settings=settings,
        on_failure=on_failure,
    )
    return fitter.fit(runs, seed=seed)
