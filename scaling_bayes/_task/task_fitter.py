"""From task losses and accuracies to a fit of both."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._fit.fit import Fit
from scaling_bayes._inference.sampling import (
    OnFailure,
    SamplerSettings,
    prepare,
    sample_checked,
)
from scaling_bayes._task.link import Link
from scaling_bayes._task.task_fit import TaskFit
from scaling_bayes._task.task_table import ACCURACY, LOSS, QUESTIONS, checked
from scaling_bayes._work.progress import watched
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    import pymc as pm


def fit_task(
    fit: Fit,
    tasks: pd.DataFrame | None = None,
    *,
    chance: float | Link,
    settings: SamplerSettings | None = None,
    on_failure: OnFailure = "raise",
    seed: int | np.random.Generator | None = None,
) -> TaskFit:
    """Fit how the accuracy of a task follows from its loss, on a law that was fitted to that loss.

    Accuracy is hard to extrapolate by itself: it stays at chance, rises, and flattens. The loss of
    the right answers falls by a law, and accuracy follows from it (Bhagia et al. 2024). Here the
    posterior of the loss is carried through, so that both errors are in the interval.

    Parameters
    ----------
    fit : Fit
        A fit to runs whose ``loss`` is that of the task, such as nats or bits per byte of the
        right answer.
    tasks : DataFrame, optional
        ``loss`` of the task, ``accuracy`` from 0 to 1 and ``n_questions``, one row a model; by
        default the columns of the runs that were fitted.
    chance : float or Link
        Accuracy of guessing, such as 0.25; or a `Link` with priors of your own.
    settings : SamplerSettings, optional
        How long and how carefully to sample the link.
    on_failure : {"raise", "warn"}
        What to do when the draws fail their checks twice.
    seed : int or Generator, optional
        Source of randomness; the same seed gives the same draws.

    Returns
    -------
    TaskFit
        Forecasts accuracy, and the compute to reach one.

    Raises
    ------
    InputError
        If `fit` is not a fit, the table lacks a column or has cells that cannot be used, or no run
        is off chance.
    ConvergenceError
        If the sampler fails its checks twice and `on_failure` is ``"raise"``.

    Examples
    --------
    >>> task = sb.fit_task(fit, chance=0.25)  # doctest: +SKIP
    >>> task.forecast(n_params="13B", tokens="5T").probability_at_least(0.6)  # doctest: +SKIP
    """
    if not isinstance(fit, Fit):
        raise InputError(
            f"fit is a {type(fit).__name__}; give what sb.fit(...) returns for runs whose loss is "
            "that of the task."
        )
    link = chance if isinstance(chance, Link) else Link(chance)
    table = checked(fit.runs.frame if tasks is None else tasks, link.chance)
    settings = SamplerSettings(tune=1000, target_accept=0.95) if settings is None else settings
    log_loss = np.log(table[LOSS].to_numpy())
    data = {
        "log_loss": log_loss - log_loss.mean(),
        "right": np.round(table[ACCURACY].to_numpy() * table[QUESTIONS].to_numpy()),
        "questions": table[QUESTIONS].to_numpy(),
    }
    with watched("Fit of the accuracy", shown=settings.progressbar) as watch:
        data_tree = sample_checked(
            prepare(link_model(link, data), "nutpie"),
            data,
            link.parameter_names,
            settings=settings,
            rng=generator(seed),
            watch=watch,
            on_failure=on_failure,
        )
    return TaskFit(fit, link, table, data_tree)


def link_model(link: Link, data: dict[str, np.ndarray]) -> pm.Model:
    """Return the PyMC model of right answers.

    Parameters
    ----------
    link : Link
        The link, with its priors.
    data : dict of str to ndarray, shape (run,)
        ``log_loss``, ``right`` and ``questions``.
    """
    import pymc as pm

    with pm.Model(coords={"run": np.arange(len(data["log_loss"]))}) as model:
        read = {name: pm.Data(name, values, dims="run") for name, values in data.items()}
        for parameter in link.parameters:
            parameter.prior.check_support(parameter.name, parameter.support)
        p = SimpleNamespace(**{name: prior.create(name) for name, prior in link.priors.items()})
        link.observe(p, **read)
    return model
