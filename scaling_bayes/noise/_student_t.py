"""Student-t noise on log loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes.noise._noise import Noise, scatter
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior

if TYPE_CHECKING:
    import numpy.typing as npt


class StudentT(Noise):
    """log L ~ StudentT(nu, log L(N, D), sigma): one stray run does not bend the law.

    The Bayesian kin of the Huber loss on log L that Hoffmann et al. 2022 fit with.
    """

    name = "student-t"
    parameters: tuple[Parameter, ...] = (
        scatter(),
        Parameter(
            "nu",
            r"\nu",
            "1",
            "degrees of freedom of the noise",
            Prior("Truncated", dist=Prior("Gamma", alpha=2.0, beta=0.1), lower=2.0),
            "from heavy tails to nearly Normal (Juarez and Steel 2010), but of finite variance",
        ),
    )

    def observe(self, name: str, log_loss: Any, p: Any, *, weight: Any, observed: Any) -> Any:
        """Add the Student-t likelihood; see `Noise.observe`."""
        import pymc as pm

        sigma = p.sigma / self.independent(weight, p) ** 0.5
        return pm.StudentT(name, nu=p.nu, mu=log_loss, sigma=sigma, observed=observed, dims="run")

    def scale(self, p: Any) -> Any:
        """Return sigma; see `Noise.scale`."""
        return p.sigma

    def sample(self, log_loss: Any, p: Any, rng: np.random.Generator, *, weight: Any = 1.0) -> Any:
        """Return log losses of new runs; see `Noise.sample`."""
        nu = p.nu.broadcast_like(log_loss).transpose(*log_loss.dims)
        drawn = log_loss.copy(data=rng.standard_t(nu.values))
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
        from scipy.special import gammaln

        sigma = np.asarray(p.sigma) / np.sqrt(self.independent(weight, p))
        nu = np.asarray(p.nu)
        top = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(np.pi * nu) / 2 - np.log(sigma)
        # In place: there may be millions of outcomes and draws.
        density = np.asarray(np.subtract(observed, log_loss) / (sigma * np.sqrt(nu)))
        density *= density
        density += 1
        np.log(density, out=density)
        density *= -(nu + 1) / 2
        density += top
        return density
