"""PyPI's simple-scaling-laws 0.2.0 as a forecaster, to be scored in the same backtest.

It is no dependency of the package: ``pip install simple-scaling-laws==0.2.0``.

The tool fits E + A/N^alpha + B/D^beta to the losses, not to their logs, by least squares, and
refits 1000 wild bootstraps whose residuals are inflated for leverage and degrees of freedom. Its
``predict`` reports quantiles of what its ``target_draws`` returns: the curves of the refits
(``kind="mean"``), and the same with run-to-run noise (``kind="new-run"``), at a scale drawn
by the bootstrap and in the shape of the repeated runs, or Normal where there are fewer than ten of
them. Those very draws are taken here, so the 2.5 and 97.5 percent quantiles of a forecast are the
ends of the tool's own 95 percent intervals.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import xarray as xr

import scaling_bayes as sb
from scaling_bayes.errors import ConvergenceError, InputError

VERSION = "0.2.0"
TARGET = "test_loss__nats"
COLUMNS = {"model_size__n_params": "n_params", "dataset_size__tokens": "tokens"}
LEAST_SHARE = 0.01
"""Share of the smallest loss fitted, below which no draw goes: the tool's noise is on the loss."""


@dataclass(frozen=True, eq=False)
class RivalFit:
    """What simple-scaling-laws has fitted.

    Attributes
    ----------
    model : simple_scaling_laws.model.ScalingLawModel
        The tool's own fit.
    least_loss : float
        Loss in nats per token that stands in for draws below it.
    """

    model: Any = field(repr=False)
    least_loss: float
    label: str = field(default=f"simple-scaling-laws {VERSION}", init=False)

    def forecast(
        self, points: sb.Runs, *, seed: int | np.random.Generator | None = None
    ) -> sb.Forecast:
        """Return the draws behind the tool's predictions at points.

        Parameters
        ----------
        points : Runs
            The points; neither their losses nor their weights are read.
        seed : int or Generator, optional
            Source of the noise of new runs.
        """
        sizes = points.covariates(("n_params", "tokens", "flops"))
        table = pl.DataFrame({theirs: sizes[ours] for theirs, ours in COLUMNS.items()})
        log_x = self.model.fitting_predictors(self.model.prepare_points(table))
        where = xr.Dataset({name: ("point", values) for name, values in sizes.items()})
        curve, run = (
            self._losses(self.model.target_draws(TARGET, log_x, kind=kind, rng=rng))
            for kind, rng in (("mean", None), ("new-run", np.random.default_rng(seed)))
        )
        return sb.Forecast(self.label, where, curve, run)

    def _losses(self, draws: np.ndarray) -> xr.DataArray:
        if not np.isfinite(draws).all():
            raise ConvergenceError(f"{self.label} predicts losses that are not finite.")
        return xr.DataArray(
            np.maximum(draws, self.least_loss)[None],
            dims=("chain", "draw", "point"),
            name="loss",
            attrs={"units": "nats per token"},
        )


@dataclass(frozen=True)
class SimpleScalingLaws:
    """The tool with its defaults: every row is a training run of its own, evaluated once.

    A size that takes one value only is left out of its law. Weights are not passed on: the tool
    has no place for them.

    Attributes
    ----------
    law : str
        The tool's name of the law.
    n_draws : int
        Number of bootstraps.
    """

    law: str = "separable-power"
    n_draws: int = 1000

    def fit(self, runs: sb.Runs, *, seed: int = 0) -> RivalFit:
        """Fit the runs.

        Raises
        ------
        InputError
            If the tool is not installed.
        ConvergenceError
            If the tool refuses the runs, or fails on them.
        """
        try:
            tool = importlib.import_module("simple_scaling_laws")
        except ModuleNotFoundError as error:
            raise InputError(
                f"simple-scaling-laws is not installed. pip install simple-scaling-laws=={VERSION}"
            ) from error
        values = runs.covariates(("n_params", "tokens", "loss"))
        columns = COLUMNS | {TARGET: "loss"}
        table = pl.DataFrame(
            {"training_run_id": [str(i) for i in range(len(runs))]}
            | {theirs: values[ours] for theirs, ours in columns.items()}
        )
        try:
            model = tool.fit(table, law=self.law, n_draws=self.n_draws, seed=seed)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise ConvergenceError(
                f"simple-scaling-laws {VERSION} does not fit the {len(runs)} runs of "
                f"{runs.source}: {error}"
            ) from error
        return RivalFit(model, LEAST_SHARE * float(values["loss"].min()))
