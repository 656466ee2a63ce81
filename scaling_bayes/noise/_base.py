"""What every noise model declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import log
from typing import TYPE_CHECKING, Any

from scaling_bayes.parameters import Declared, Parameter
from scaling_bayes.priors import Prior

if TYPE_CHECKING:
    import numpy as np


class Noise(Declared, ABC):
    """How the log loss of a run scatters around the log of the law's loss.

    Parameters
    ----------
    priors : mapping of str to Prior or PreliZ distribution, optional
        Priors to take instead of the default ones, by parameter name.
    """

    @abstractmethod
    def observe(self, name: str, log_loss: Any, p: Any, *, weight: Any, observed: Any) -> Any:
        """Add the likelihood of the observed log losses to the PyMC model in context.

        Parameters
        ----------
        name : str
            Name of the observed variable; its dim is ``run``.
        log_loss : TensorVariable
            Log of the law's loss, one value a run.
        p : object with one attribute per parameter
            Parameters of the noise.
        weight : TensorVariable
            Number of equal runs that each row is the mean of: divides the variance.
        observed : TensorVariable
            Observed log losses.
        """

    @abstractmethod
    def sample(self, log_loss: Any, p: Any, rng: np.random.Generator, *, weight: Any = 1.0) -> Any:
        """Return the log loss of a new run for each value of the law's log loss.

        Parameters
        ----------
        log_loss : DataArray
            Log of the law's loss, with dims chain, draw and any others.
        p : Dataset
            Draws of the noise's parameters, with dims chain and draw.
        rng : numpy.random.Generator
            Source of randomness.
        weight : float or DataArray
            Number of equal runs that each new one is the mean of: divides the variance.
        """

    def scale(self, p: Any) -> Any:
        """Return about how far log losses scatter, a unit for the sampler's coordinates.

        Parameters
        ----------
        p : object with one attribute per parameter
            Parameters of the noise.
        """
        return 0.01

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def scatter() -> Parameter:
    """Return the parameter sigma, the scale of the noise on log loss."""
    return Parameter(
        "sigma",
        r"\sigma",
        "1",
        "scale of the noise on log loss",
        Prior("LogNormal", mu=log(0.01), sigma=1.0),
        "seeds move the loss by some tenths of a percent, recipes by some percent",
    )
