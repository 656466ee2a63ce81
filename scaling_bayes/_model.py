"""From runs, law and noise to a PyMC model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._coordinates import (
    COORDINATES,
    CoordinateName,
    reference_name,
    references,
    resolve,
)
from scaling_bayes.laws import Law
from scaling_bayes.noise import Noise, StudentT
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import pymc as pm

OBSERVED = "log_loss"


def log_name(covariate: str) -> str:
    """Return the name under which a model holds the log of a covariate."""
    return f"log_{covariate}"


def model_data(runs: Runs, law: Law) -> dict[str, np.ndarray]:
    """Return everything of the runs that the model reads, by the name it has there.

    Parameters
    ----------
    runs : Runs
        The training runs.
    law : Law
        The law, which says which covariates are read.

    Returns
    -------
    dict of str to ndarray
        The log of each covariate, ``weight`` and ``observed_log_loss``, of shape (run,), and the
        centre of each covariate, a scalar.
    """
    columns = runs.covariates(("loss", "weight"))
    covariates = runs.covariates(law.covariates)
    return {
        **{log_name(name): np.log(values) for name, values in covariates.items()},
        **references(runs, law),
        "weight": columns["weight"],
        "observed_log_loss": np.log(columns["loss"]),
    }


def build_model(
    runs: Runs,
    law: Law,
    *,
    noise: Noise | None = None,
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
    coordinates : {"centred", "natural"}, optional
        What the sampler moves in; centred where the law allows it. The posterior is the same.

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
    for parameter in (*law.parameters, *noise.parameters):
        parameter.prior.check_support(parameter.name, parameter.support)
    create_parameters = COORDINATES[resolve(coordinates, law)]
    with pm.Model(coords={"run": np.arange(len(runs))}) as model:
        data = SimpleNamespace(
            **{
                name: pm.Data(name, values, dims="run" if values.ndim else None)
                for name, values in model_data(runs, law).items()
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
        p = create_parameters(law, centres)
        noise_p = SimpleNamespace(
            **{name: prior.create(name) for name, prior in noise.priors.items()}
        )
        noise.observe(
            OBSERVED,
            np.log(law.loss(p, sizes)),
            noise_p,
            weight=data.weight,
            observed=data.observed_log_loss,
        )
    return model
