"""From runs, law and noise to a PyMC model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._inference.coordinates import (
    COORDINATES,
    CoordinateName,
    reference_name,
    references,
    resolve,
)
from scaling_bayes.discrepancy import DATA_DIMS, Discrepancy
from scaling_bayes.laws import Law
from scaling_bayes.noise import Noise, StudentT
from scaling_bayes.runs import SEED_SD, Runs

if TYPE_CHECKING:
    import pymc as pm

OBSERVED = "log_loss"
"""Name under which a model holds the runs' log loss."""
REPEATS, SQUARES = "repeats", "squares"
"""Names of how many runs of each row are more than one, and of their squares around its mean."""


def log_name(covariate: str) -> str:
    """Return the name under which a model holds the log of a covariate."""
    return f"log_{covariate}"


def data_dims(name: str, values: np.ndarray) -> tuple[str, ...] | None:
    """Return the dims of what `model_data` holds under a name; None for a scalar."""
    return DATA_DIMS.get(name, ("run",) if values.ndim else None)


def model_data(
    runs: Runs, law: Law, discrepancy: Discrepancy | None = None
) -> dict[str, np.ndarray]:
    """Return everything of the runs that the model reads, by the name it has there.

    Parameters
    ----------
    runs : Runs
        The training runs.
    law : Law
        The law, which says which covariates are read.
    discrepancy : Discrepancy, optional
        How the mean of runs may differ from the law.

    Returns
    -------
    dict of str to ndarray
        The log of each covariate, ``weight`` and ``observed_log_loss``, of shape (run,), the
        centre of each covariate, a scalar; with a discrepancy also what it reads of the runs; and
        ``repeats`` and ``squares`` where it is known how runs scatter around the means in rows.
    """
    columns = runs.covariates(("loss", "weight"))
    covariates = runs.covariates(law.covariates)
    return {
        **{log_name(name): np.log(values) for name, values in covariates.items()},
        **references(runs, law),
        "weight": columns["weight"],
        "observed_log_loss": np.log(columns["loss"]),
        **(
            {} if discrepancy is None else discrepancy.data(runs.covariates(discrepancy.covariates))
        ),
        **(_scatter(runs) if SEED_SD in runs.frame else {}),
    }


def _scatter(runs: Runs) -> dict[str, np.ndarray]:
    """Return how many runs of each row are more than one, and their squares around its mean."""
    seed_sd = runs.frame[SEED_SD].to_numpy(dtype=float)
    repeats = np.where(np.isnan(seed_sd), 0.0, runs.frame["weight"] - 1)
    return {REPEATS: repeats, SQUARES: repeats * np.nan_to_num(seed_sd) ** 2}


def build_model(
    runs: Runs,
    law: Law,
    *,
    noise: Noise | None = None,
    discrepancy: Discrepancy | None = None,
    coordinates: CoordinateName | None = None,
) -> pm.Model:
    """Return the PyMC model of the runs under a law.

    Parameters
    ----------
    runs : Runs
        The training runs.
    law : Law
        The law of their loss, with its priors.
    noise : Noise, optional
        How log loss scatters around the law; `StudentT` by default.
    discrepancy : Discrepancy, optional
        How the mean of runs may differ from the law; none by default.
    coordinates : {"centred", "natural", "mixed"}, optional
        What the sampler moves in: centred on the runs where the law allows it; else mixed, where
        the discrepancy alone is. The posterior is the same.

    Returns
    -------
    pymc.Model
        An ordinary model: dim ``run``, the law's natural parameters and the noise's
        parameters as named variables, the runs as `pymc.Data`, the likelihood in
        ``log_loss``.

    Raises
    ------
    PriorError
        If a prior reaches outside of its parameter's support.
    InputError
        If the coordinates do not suit the law.
    """
    import pymc as pm

    noise = StudentT() if noise is None else noise
    declared = (law, noise) if discrepancy is None else (law, noise, discrepancy)
    for parameter in (parameter for model in declared for parameter in model.parameters):
        parameter.prior.check_support(parameter.name, parameter.support)
    chosen = resolve(coordinates, law, discrepancy)
    coords = {"run": np.arange(len(runs))}
    if discrepancy is not None:
        dims = ("component", "direction", "landmark")
        coords |= dict.fromkeys(dims, np.arange(discrepancy.n_components))
    with pm.Model(coords=coords) as model:
        data = SimpleNamespace(
            **{
                name: pm.Data(name, values, dims=data_dims(name, values))
                for name, values in model_data(runs, law, discrepancy).items()
            }
        )
        centres = SimpleNamespace(
            **{name: getattr(data, reference_name(name)) for name in law.covariates}
        )
        # A power law takes logs of sizes; PyTensor cancels them against these exponentials, which
        # spares the sampler a log per run and term at every step.
        sizes = SimpleNamespace(
            **{name: np.exp(getattr(data, log_name(name))) for name in law.covariates}
        )
        p = COORDINATES[chosen](law, centres)
        noise_p = _created(noise)
        log_loss = np.log(law.loss(p, sizes))
        if discrepancy is not None:
            error_p = _created(discrepancy)
            shift = (
                discrepancy.create(error_p, data)
                if chosen == "natural"
                else discrepancy.create_centred(
                    error_p,
                    data,
                    log_loss=log_loss,
                    observed=data.observed_log_loss,
                    scale=noise.scale(noise_p),
                )
            )
            log_loss = log_loss + shift
        if SEED_SD in runs.frame:
            noise.observe_scatter(noise_p, repeats=data.repeats, squares=data.squares)
        noise.observe(
            OBSERVED,
            log_loss,
            noise_p,
            weight=data.weight,
            observed=data.observed_log_loss,
        )
    return model


def _created(declared: Noise | Discrepancy) -> SimpleNamespace:
    """Return the parameters of noise or discrepancy as variables of the model in context."""
    return SimpleNamespace(**{name: prior.create(name) for name, prior in declared.priors.items()})
