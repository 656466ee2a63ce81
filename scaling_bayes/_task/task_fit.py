"""A law of task loss and the accuracy that follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_bayes._checks.doubtful_fit import not_converged
from scaling_bayes._doubt import Doubt, doubts_of, in_lines
from scaling_bayes._fit.fit import Fit
from scaling_bayes._inference.diagnostics import Diagnostics, diagnose
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, interval, quantile
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.compute_to_reach import ComputeToReach, flops_of_mean
from scaling_bayes._prediction.forecast import forecast
from scaling_bayes._printable import printed
from scaling_bayes._task.link import Link
from scaling_bayes._task.task_forecast import TaskForecast, check_accuracy
from scaling_bayes._task.task_table import LOSS, QUESTIONS
from scaling_bayes._work.seeds import generator
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

_NONE, _EVERY = -600.0, 20.0
"""Logs of losses that no model is below, and that every one is."""
_SIGN_UNCLEAR = 0.05


@dataclass(frozen=True, eq=False)
class TaskFit(InNotebook):
    """The posterior of a law of task loss, and of the accuracy that a loss brings.

    Attributes
    ----------
    loss : Fit
        The law, fitted to task losses.
    link : Link
        How accuracy follows from the loss, with its priors.
    table : DataFrame
        ``loss``, ``accuracy`` and ``n_questions`` of each run that the link was fitted to.
    data_tree : DataTree
        Groups ``posterior`` and ``sample_stats`` of the link, as ArviZ knows them.
    """

    loss: Fit
    link: Link
    table: pd.DataFrame
    data_tree: xr.DataTree

    @property
    def centre(self) -> float:
        """Geometric mean of the table's losses, over which logs of losses are taken."""
        return float(np.exp(np.log(self.table[LOSS]).mean()))

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Figures that tell whether the draws of the link can be trusted."""
        return diagnose(self.data_tree, self.link.parameter_names)

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is doubtful about the link, and about the fit of the loss as to forecasts."""
        own = (*not_converged(self.diagnostics), *self._unclear_sign())
        return own + doubts_of(self.loss, "forecast")

    def _unclear_sign(self) -> Iterator[Doubt]:
        falls = float((self._posterior["slope"] < 0).mean())
        if falls > _SIGN_UNCLEAR:
            yield Doubt(
                "sign of the task",
                f"With probability {falls:.2f} accuracy falls as the loss does.",
                "Give runs whose losses lie farther apart, or look whether the loss is that of "
                "the right answers.",
            )

    @property
    def _posterior(self) -> xr.Dataset:
        return self.data_tree["posterior"].to_dataset()

    def _of_draws(self, like: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
        """Return draws of the link in random order, one for each draw of the law."""
        flat = self._posterior[self.link.parameter_names].stack(sample=("chain", "draw"))
        shape = tuple(like.sizes[dim] for dim in ("chain", "draw"))
        n_known, n_asked = flat.sizes["sample"], int(np.prod(shape))
        rounds = [rng.permutation(n_known) for _ in range(-(-n_asked // n_known))]
        chosen = np.concatenate(rounds)[:n_asked]
        return type(like)(
            {
                name: (("chain", "draw"), flat[name].to_numpy()[chosen].reshape(shape))
                for name in self.link.parameter_names
            }
        )

    def forecast(
        self,
        points: pd.DataFrame | Runs | None = None,
        *,
        n_params: object = None,
        tokens: object = None,
        flops: object = None,
        n_questions: int | None = None,
        at: Mapping[str, Any] | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> TaskForecast:
        """Forecast the accuracy at points.

        Parameters
        ----------
        points, n_params, tokens, flops, at
            As in `scaling_bayes.forecast`.
        n_questions : int, optional
            Questions that a new run is asked; by default as many as most runs of the table were.
        seed : int or Generator, optional
            Source of the noise of new runs.

        Returns
        -------
        TaskForecast
            Draws of the accuracy. The posterior of the loss is carried through: every draw of the
            law has a draw of the link.

        Raises
        ------
        InputError
            If the points do not hold what the law needs.
        """
        import xarray as xr

        rng = generator(seed)
        loss = forecast(
            self.loss, points, n_params=n_params, tokens=tokens, flops=flops, at=at, seed=rng
        )
        link = self._of_draws(self.loss.draws, rng)
        asked = int(self.table[QUESTIONS].mode()[0]) if n_questions is None else n_questions
        by_curve, of_run = (
            self.link.accuracy(link, np.log(drawn / self.centre)).transpose(*drawn.dims)
            for drawn in (loss.draws("mean_curve"), loss.draws("new_run"))
        )
        precision = of_run * (1 - of_run) / link["scatter"] ** 2
        share = rng.beta(*xr.broadcast(of_run * precision, (1 - of_run) * precision))
        scored = of_run.copy(data=rng.binomial(asked, share) / asked)
        return TaskForecast(loss, by_curve, scored, float(self.table[LOSS].min()), self.doubts)

    def compute_to_reach(
        self, accuracy: float | Sequence[float], *, seed: int | None = None
    ) -> ComputeToReach:
        """Return the compute at which the mean curve is expected to bring target accuracies.

        Parameters
        ----------
        accuracy : float or sequence of float
            Targets, between 0 and 1.
        seed : int, optional
            Source of which draw of the link goes with which of the law.

        Returns
        -------
        ComputeToReach
            Draws of the compute, allocated optimally; infinite where a draw never gets there. Its
            quantile 0.9 is the budget that suffices with probability 0.9.

        Raises
        ------
        InputError
            If a target does not lie between 0 and 1.
        NoOptimumError
            If the law neither reads compute nor trades N against D.
        """
        import xarray as xr

        targets = [accuracy] if isinstance(accuracy, int | float) else list(accuracy)
        for each in targets:
            check_accuracy(each)
        link = self._of_draws(self.loss.draws, generator(seed))
        losses = [
            np.exp((np.log(self.centre) + self.link.log_loss(link, each)).clip(_NONE, _EVERY))
            for each in targets
        ]
        target = xr.concat(losses, "target").transpose("chain", "draw", "target")
        flops = flops_of_mean(self.loss, target)
        return ComputeToReach(self.loss.label, np.array(targets), flops, "accuracy")

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a parameter of the link: median and interval."""
        rows = {}
        for name in self.link.parameter_names:
            draws = self._posterior[name]
            lower, upper = interval(draws, prob=prob, kind=kind).values
            rows[name] = {
                "median": float(quantile(draws, 0.5)),
                "lower": float(lower),
                "upper": float(upper),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    @printed
    def __repr__(self) -> str:
        return (
            f"Accuracy of {len(self.table)} runs by the loss of the task, on {self.loss.label}; "
            f"chance {self.link.chance:g}. Medians and 90% equal-tailed intervals:\n"
            + self.to_frame().to_string(float_format="{:.3g}".format)
            + f"\n{self.diagnostics}{in_lines(self.doubts)}"
        )
