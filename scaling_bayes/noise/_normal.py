"""Normal noise on log loss."""

from __future__ import annotations

from math import log, pi
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes.noise._noise import Noise, scatter
from scaling_bayes.parameters import Parameter

if TYPE_CHECKING:
    import numpy.typing as npt


class Normal(Noise):
    """log L ~ Normal(log L(N, D), sigma): for clean sweeps with no stray runs."""

    name = "normal"
    parameters: tuple[Parameter, ...] = (scatter(),)

    def observe(self, name: str, log_loss: Any, p: Any, *, weight: Any, observed: Any) -> Any:
        """Add the Normal likelihood; see `Noise.observe`."""
        import pymc as pm

        sigma = p.sigma / self.independent(weight, p) ** 0.5
        return pm.Normal(name, mu=log_loss, sigma=sigma, observed=observed, dims="run")

    def scale(self, p: Any) -> Any:
        """Return sigma; see `Noise.scale`."""
        return p.sigma

    def sample(self, log_loss: Any, p: Any, rng: np.random.Generator, *, weight: Any = 1.0) -> Any:
        """Return log losses of new runs; see `Noise.sample`."""
        drawn = log_loss.copy(data=rng.standard_normal(log_loss.shape))
        # In place: there may be millions of runs and draws.
        drawn *= p.sigma / self.independent(weight, p) ** 0.5
        drawn += log_loss
        return drawn

    def log_density(
        self,
        observed: npt.ArrayLike,
        log_loss: npt.ArrayLike,
        p: Any,
        *,
        weight: npt.ArrayLike = 1.0,
    ) -> np.ndarray:
        """Return the log density of observed log losses; see `Noise.log_density`."""
        sigma = np.asarray(p.sigma) / np.sqrt(self.independent(weight, p))
        z = np.subtract(observed, log_loss) / sigma
        density: np.ndarray = -(z**2) / 2 - np.log(sigma) - log(2 * pi) / 2
        return density
