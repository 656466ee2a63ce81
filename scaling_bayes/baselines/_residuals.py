"""Noise of a new run that is the residual of a run that was fitted."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from scaling_bayes.errors import InputError
from scaling_bayes.noise import Noise


class ResampledResiduals(Noise):
    """Log loss scatters by the residuals of a fit, drawn with replacement.

    Parameters
    ----------
    residuals : ndarray, shape (run,)
        Residuals of log loss, each times the root of the weight of its run.
    """

    name = "resampled-residuals"
    parameters = ()

    def __init__(self, residuals: np.ndarray) -> None:
        super().__init__()
        self.residuals = residuals

    def observe(self, name: str, log_loss: Any, p: Any, *, weight: Any, observed: Any) -> NoReturn:
        """Refuse: residuals drawn with replacement have no density to observe runs with.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(
            "resampled residuals have no density, so no likelihood can be had from them. Fit with "
            "StudentT or Normal noise, or score forecasts by their draws."
        )

    def sample(self, log_loss: Any, p: Any, rng: np.random.Generator, *, weight: Any = 1.0) -> Any:
        """Return log losses of new runs; see `Noise.sample`."""
        scatter = log_loss.copy(data=rng.choice(self.residuals, log_loss.shape))
        return log_loss + scatter / weight**0.5


def per_degree_of_freedom(residuals: np.ndarray, n_parameters: int) -> np.ndarray:
    """Return residuals as wide as the noise, which a fit of that many parameters narrows."""
    wider: np.ndarray = residuals * np.sqrt(len(residuals) / (len(residuals) - n_parameters))
    return wider
