"""What every model of discrepancy declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Declared

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

BASIS = "discrepancy_basis"
"""Name of the value of each component at each run."""
DIRECTIONS = "discrepancy_directions"
"""Name of the directions of the weights that the runs tell of independently; orthonormal."""
STRENGTHS = "discrepancy_strengths"
"""Name of how much the runs tell of each: the sum of squares of what it does to the runs."""
ROWS = "discrepancy_row"
"""Name of the runs that are the landmarks."""
WEIGHT = "discrepancy_weight"
"""Name of the weight of each component, on log loss."""

Shift = Callable[["xr.Dataset"], "xr.DataArray"]
"""Shift of log loss at points, for each draw."""

_SEED = 0

DATA_DIMS = {
    BASIS: ("run", "component"),
    DIRECTIONS: ("component", "direction"),
    STRENGTHS: ("direction",),
    ROWS: ("landmark",),
}


class Discrepancy(Declared, ABC):
    """How the mean of runs differs from the law, as a function of their sizes.

    Noise differs from run to run at the same sizes; discrepancy does not (Kennedy and O'Hagan
    2001, section 4.2). A fit learns it where there are runs; between and beyond them it is as
    uncertain as what was learned leaves it.

    It is a weighted sum of components, which belong to landmarks: some of the runs.

    Parameters
    ----------
    priors : mapping of str to Prior or PreliZ distribution, optional
        Priors to take instead of the default ones, by parameter name.
    """

    n_components: int
    covariates: tuple[str, ...] = ("n_params", "tokens")
    """The columns of the runs that it is a function of."""

    @abstractmethod
    def data(self, sizes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what a model of runs reads: `BASIS`, its `DIRECTIONS` and `STRENGTHS`, and `ROWS`.

        Parameters
        ----------
        sizes : mapping of str to ndarray, shape (run,)
            Sizes of the runs, by covariate.

        Returns
        -------
        dict of str to ndarray
            With dims as in `DATA_DIMS`. Where there are fewer landmarks than components, `ROWS`
            ends in -1, and the columns of `BASIS` in zeros.
        """

    @abstractmethod
    def create(self, p: Any, data: Any) -> Any:
        """Add the weights to the PyMC model in context, and return the shift of log loss.

        Parameters
        ----------
        p : object with one attribute per parameter
            Parameters of the discrepancy.
        data : object with one attribute for each name in `DATA_DIMS`
            What `data` returned, as variables.
        """

    def create_centred(self, p: Any, data: Any, *, log_loss: Any, observed: Any, scale: Any) -> Any:
        """Do as `create`, in coordinates that the runs determine well; by default just as `create`.

        Parameters
        ----------
        p, data
            As in `create`.
        log_loss : TensorVariable
            Log of the law's loss, one value a run.
        observed : TensorVariable
            Observed log losses.
        scale : TensorVariable or float
            Scale of the noise on log loss.
        """
        return self.create(p, data)

    @abstractmethod
    def functions(
        self, draws: xr.Dataset, landmarks: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> Shift:
        """Return, for each draw, the shift of log loss as a function of sizes.

        Parameters
        ----------
        draws : Dataset
            Parameters of the discrepancy and `WEIGHT`, with dims chain and draw.
        landmarks : mapping of str to ndarray, shape (landmark,)
            Sizes of the landmarks, by covariate.
        rng : numpy.random.Generator
            Source of what the runs do not determine.

        Returns
        -------
        callable
            From a data set with the covariates along one dim to the shift, with dims chain, draw
            and that of the points. The same points always get the same values.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return name, class, priors and number of components as plain data, for saving.

        Override it to add what else the weights depend on.
        """
        return super().to_dict() | {"n_components": self.n_components}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@dataclass(frozen=True, eq=False)
class DiscrepancyDraws:
    """A discrepancy as a fit has learned it: one function of sizes for each draw.

    What the runs do not determine of it is drawn once, so that all that is asked of a fit, such
    as forecasts, allocations and decisions, is asked of the same functions.

    Attributes
    ----------
    discrepancy : Discrepancy
        The model.
    draws : Dataset
        Its parameters and `WEIGHT`, with dims chain and draw.
    landmarks : mapping of str to ndarray, shape (landmark,)
        Sizes of the runs that the weights belong to, by covariate.
    """

    discrepancy: Discrepancy
    draws: xr.Dataset
    landmarks: Mapping[str, np.ndarray]

    @cached_property
    def functions(self) -> Shift:
        """The shift as a function of sizes; see `Discrepancy.functions`."""
        import numpy as np

        rng = np.random.default_rng(_SEED)
        return self.discrepancy.functions(self.draws, self.landmarks, rng)

    def at(self, points: xr.Dataset) -> xr.DataArray:
        """Return draws of the shift of log loss at points; see `Discrepancy.functions`.

        Raises
        ------
        InputError
            If the points lack a covariate of the discrepancy.
        """
        missing = [name for name in self.discrepancy.covariates if name not in points]
        if missing:
            raise InputError(
                f"the discrepancy needs {' and '.join(self.discrepancy.covariates)} of every "
                f"point; the points have no {' and no '.join(missing)}. Give two of n_params, "
                "tokens and flops."
            )
        return self.functions(points)
