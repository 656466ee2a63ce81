"""Refits to simulated outcomes, where the weights of the draws fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scaling_bayes._decision import Decision
from scaling_bayes._fit.fit import Fit
from scaling_bayes._fit.fitter import Fitter
from scaling_bayes._inference.coordinates import COORDINATES_KEY
from scaling_bayes._inference.sampling import SamplerSettings
from scaling_bayes._next_run.candidates import WEIGHT
from scaling_bayes._next_run.simulation import Simulation, expected_losses
from scaling_bayes.errors import ConvergenceError, IdentifiabilityError
from scaling_bayes.units import SIZES


@dataclass(frozen=True, eq=False)
class Refits:
    """Fits of a decision's law to its runs and one more, whose loss was simulated.

    Attributes
    ----------
    decision : Decision
        The decision.
    source : Fit
        What it follows from.
    fitter : Fitter
        Of the same law, noise and discrepancy.
    """

    decision: Decision
    source: Fit
    fitter: Fitter

    def gains(
        self, simulation: Simulation, candidate: int, sizes: pd.Series, outcomes: np.ndarray
    ) -> Iterator[float | None]:
        """Yield what each of some outcomes of a candidate gains, None if its refit fails.

        Parameters
        ----------
        simulation : Simulation
            What the outcomes are from.
        candidate : int
            Its row.
        sizes : Series
            ``n_params``, ``tokens``, ``flops`` and ``weight`` of the candidate.
        outcomes : ndarray, shape (refit,)
            Which outcomes.

        Yields
        ------
        float or None
            Nats per token of expected loss.
        """
        losses = np.exp(simulation.outcomes(candidate)[outcomes])
        for outcome, loss in zip(outcomes, losses, strict=True):
            try:
                expected = self._expected(simulation, sizes, float(loss), int(outcome))
            except (ConvergenceError, IdentifiabilityError):
                yield None
            else:
                yield float(expected[simulation.choice] - expected.min())

    def _expected(
        self, simulation: Simulation, sizes: pd.Series, loss: float, seed: int
    ) -> np.ndarray:
        columns = [*SIZES, "loss", WEIGHT]
        run = sizes[[*SIZES, WEIGHT]].to_frame().T.assign(loss=loss)
        frame = pd.concat([self.source.runs.frame[columns], run[columns]])
        refit = self.fitter.fit(replace(self.source.runs, frame=frame), seed=seed)
        return expected_losses(replace(self.decision.problem, source=refit), simulation.options)


def refits_of(decision: Decision) -> Refits | None:
    """Return how a decision's source is refitted; None if it is no fit, or tokens may repeat."""
    source = decision.problem.source
    # A fit takes every token for a new one, so outcomes with repeated ones are none for it.
    if not isinstance(source, Fit) or decision.problem.limits.unique_tokens is not None:
        return None
    fitter = Fitter(
        source.law,
        noise=source.noise,
        discrepancy=source.discrepancy,
        coordinates=source.data_tree.attrs[COORDINATES_KEY],
        settings=SamplerSettings(progressbar=False),
    )
    return Refits(decision, source, fitter)
