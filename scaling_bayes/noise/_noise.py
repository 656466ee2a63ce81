"""What every noise model declares."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from math import log
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes.parameters import Declared, Parameter
from scaling_bayes.priors import Prior

if TYPE_CHECKING:
    import numpy.typing as npt

# PyTensor's compiler may not run in two threads at once.
_ONE_AT_A_TIME = threading.Lock()


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

    def log_density(
        self,
        observed: npt.ArrayLike,
        log_loss: npt.ArrayLike,
        p: Any,
        *,
        weight: npt.ArrayLike = 1.0,
    ) -> np.ndarray:
        """Return the log density of observed log losses, for each of arrays that broadcast.

        By default it is what `observe` adds to a model, and takes a compilation at every call: a
        noise of your own that gives it as a formula is much faster.

        Parameters
        ----------
        observed, log_loss : array_like
            Observed log losses, and the logs of the law's loss.
        p : object with one attribute per parameter
            Parameters of the noise, as arrays.
        weight : array_like
            Number of equal runs that each observed one is the mean of.
        """
        import pymc as pm
        import pytensor.tensor as pt

        names = self.parameter_names
        arrays = np.broadcast_arrays(
            observed, log_loss, weight, *(getattr(p, name) for name in names)
        )
        runs, curve, weights, *values = (np.array(array, dtype=float).ravel() for array in arrays)
        parameters = zip(names, map(pt.as_tensor, values), strict=True)
        with _ONE_AT_A_TIME, pm.Model(coords={"run": np.arange(len(runs))}) as model:
            self.observe(
                "observed",
                pt.as_tensor(curve),
                SimpleNamespace(**dict(parameters)),
                weight=weights,
                observed=runs,
            )
            (terms,) = model.logp(vars=[model["observed"]], sum=False)
            density = np.asarray(terms.eval(mode="FAST_COMPILE"))
        return density.reshape(arrays[0].shape)

    def independent(self, weight: Any, p: Any) -> Any:
        """Return how many independent runs the mean of several runs of one size is worth.

        Parameters
        ----------
        weight : float or array
            Number of runs.
        p : object with one attribute per parameter
            Parameters of the noise.
        """
        return weight

    def observe_scatter(self, p: Any, *, repeats: Any, squares: Any) -> None:
        """Add to the PyMC model in context how the runs of each row scatter around their mean.

        By default it says nothing of the parameters.

        Parameters
        ----------
        p : object with one attribute per parameter
            Parameters of the noise.
        repeats : TensorVariable, shape (run,)
            For each row how many of its runs are more than one, where their scatter is known.
        squares : TensorVariable, shape (run,)
            Sum of squares of their log losses around the row's.
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
