"""Discrepancy as a smooth random function of compute and tokens per parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import solve_triangular

from scaling_bayes.discrepancy._components import Components, leading_rows
from scaling_bayes.discrepancy._discrepancy import (
    BASIS,
    DIRECTIONS,
    ROWS,
    STRENGTHS,
    WEIGHT,
    Discrepancy,
)
from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior

if TYPE_CHECKING:
    import xarray as xr

_BEYOND = ((0.5, 2.0), (1.5, 1.5))
"""How far below and above its landmarks, in lengths of a coordinate, a function is drawn once."""
_STEPS = 40
_LEFT_OVER = 1e-2
_MOST_FUNCTIONS = 250
_SEED_FAR = 1
_SLOPE_VARIANCE = 5 / 3
"""Variance of the slope of a process of unit variance, per squared unit of a length."""
_JITTER = 1e-6
_DRAWS_AT_ONCE = 1000


class Smooth(Discrepancy):
    """log L = log L(N, D) + delta, with delta a Gaussian process in log C and log(D / N).

    delta has standard deviation tau and a Matern 5/2 correlation whose lengths are two decades
    of compute and a factor of 50 in tokens per parameter: laws are off by smooth bends along
    these two, and a bend that was seen says less and less of runs ever farther away.

    It is carried by at most 20 landmarks among the runs. What they leave over is noise to the fit:
    sigma is that of single runs and of bends too short for the landmarks.
    """

    name = "smooth"
    parameters = (
        Parameter(
            "tau",
            r"\tau",
            "1",
            "scale of the discrepancy on log loss",
            Prior("LogNormal", mu=log(0.06), sigma=0.9),
            "hierarchical fit to 15 sweeps of 6 public sources, whose tau is from 0.03 to 0.24",
        ),
    )
    n_components = 20
    lengths: tuple[float, ...] = (log(100.0), log(50.0))
    """Correlation lengths in log C and in log(D / N)."""

    def data(self, sizes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what a model of runs reads; see `Discrepancy.data`."""
        places = self.places(sizes)
        # Half of the runs at most: the others tell the noise from the discrepancy.
        at_most = min(self.n_components, len(places) // 2)
        rows = leading_rows(places, matern52, at_most)
        # The model has always as many components, so that it compiles once.
        lacking = self.n_components - len(rows)
        basis = np.pad(Components(matern52, places[rows]).at(places), ((0, 0), (0, lacking)))
        strengths, directions = np.linalg.eigh(basis.T @ basis)
        return {
            BASIS: basis,
            DIRECTIONS: directions,
            STRENGTHS: np.clip(strengths, 0, None),
            ROWS: np.pad(rows, (0, lacking), constant_values=-1),
        }

    def create(self, p: Any, data: Any) -> Any:
        """Add the weights to the model; see `Discrepancy.create`."""
        import pymc as pm

        weight = pm.Normal(WEIGHT, 0, p.tau, dims="component")
        return getattr(data, BASIS) @ weight

    def create_centred(self, p: Any, data: Any, *, log_loss: Any, observed: Any, scale: Any) -> Any:
        """Add the weights to the model by where Normal noise would put them, given the rest.

        Given law, tau and noise they would be Normal a posteriori, and independent along the
        `DIRECTIONS`. Sampled is how far they lie from that mean, in its standard deviations:
        nearly independent of all else, however small or large tau is beside the noise, so that
        the sampler moves as if the discrepancy were integrated out.
        """
        import pymc as pm
        import pytensor.tensor as pt

        basis, directions = getattr(data, BASIS), getattr(data, DIRECTIONS)
        offset = pm.Flat("discrepancy_offset", dims="direction")
        precision = getattr(data, STRENGTHS) / scale**2 + 1 / p.tau**2
        pull = directions.T @ (basis.T @ (observed - log_loss)) / scale**2
        along = pull / precision + offset / pt.sqrt(precision)
        weight = pm.Deterministic(WEIGHT, directions @ along, dims="component")
        log_prior = pm.logp(pm.Normal.dist(0, p.tau), along)
        pm.Potential("discrepancy_prior", (log_prior - pt.log(precision) / 2).sum())
        return basis @ weight

    def functions(
        self, draws: xr.Dataset, landmarks: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> SmoothFunctions:
        """Return, for each draw, the shift as a function; see `Discrepancy.functions`."""
        known = Components(matern52, self.places(landmarks))
        ends = zip(known.landmarks.min(axis=0), known.landmarks.max(axis=0), _BEYOND, strict=False)
        axes = [np.linspace(low - less, high + more, _STEPS) for low, high, (less, more) in ends]
        around = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))
        every = known.extended(around, at_most=_MOST_FUNCTIONS, left_over=_LEFT_OVER)
        tau = draws["tau"].transpose("chain", "draw")
        weights = draws[WEIGHT].transpose("chain", "draw", "component").to_numpy()
        n_known = len(known.landmarks)
        drawn = rng.standard_normal((*tau.shape, len(every.landmarks) - n_known))
        drawn *= tau.to_numpy()[..., None]
        weights = np.concatenate([weights[..., :n_known], drawn], axis=-1)
        return SmoothFunctions(self, every, tau, weights, n_known)

    def to_dict(self) -> dict[str, Any]:
        """Return name, class, priors, number of components and lengths; see `Discrepancy`."""
        return super().to_dict() | {"lengths": [float(length) for length in self.lengths]}

    def places(self, sizes: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return log C and log(D / N) in correlation lengths, of shape (place, 2)."""
        log_n, log_d = (np.log(np.asarray(sizes[name], dtype=float)) for name in self.covariates)
        return np.column_stack([log_n + log_d, log_d - log_n]) / self.lengths


class SmoothInOneSize(Smooth):
    """log L = log L(X) + delta, with delta a Gaussian process in log X, for laws of one size X.

    It is as `Smooth`, with a length of two decades in compute, or of one decade in N or in D,
    which is as much where both grow with the root of compute.

    Parameters
    ----------
    covariate : {"n_params", "tokens", "flops"}
        The size X.
    priors : mapping, optional
        As in `Discrepancy`.
    """

    def __init__(self, covariate: str, *, priors: Mapping[str, object] | None = None) -> None:
        if covariate not in _ONE_SIZE:
            raise InputError(
                f"a discrepancy cannot be in {covariate!r}; it can be in {', '.join(_ONE_SIZE)}."
            )
        letter, length = _ONE_SIZE[covariate]
        self.name = f"smooth-{letter}"
        self.covariates = (covariate,)
        self.lengths = (length,)
        super().__init__(priors=priors)

    def places(self, sizes: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return log X in correlation lengths, of shape (place, 1)."""
        (covariate,) = self.covariates
        log_size = np.log(np.asarray(sizes[covariate], dtype=float))
        return log_size[:, None] / self.lengths


_ONE_SIZE = {"n_params": ("n", log(10.0)), "tokens": ("d", log(10.0)), "flops": ("c", log(100.0))}
"""Letter and correlation length of the log of each size."""


@dataclass(frozen=True, eq=False)
class SmoothFunctions:
    """A function of sizes for each draw, by its weights.

    Around the landmarks, as far as compute grows ten-thousandfold, the functions are drawn once.
    What is asked farther away is drawn jointly for all points of a question, and alike for the
    same points.

    Attributes
    ----------
    discrepancy : Smooth
        Where in the components' coordinates a point lies.
    components : Components
        What is weighed.
    tau : DataArray
        Scale of the discrepancy, with dims chain and draw.
    weights : ndarray, shape (chain, draw, component)
        Weights on log loss.
    n_known : int
        How many of the components, from the first, the runs were fitted with.
    """

    discrepancy: Smooth
    components: Components
    tau: xr.DataArray
    weights: np.ndarray
    n_known: int

    @cached_property
    def _whitening(self) -> np.ndarray:
        """What turns covariances with the landmarks into values of the components."""
        root = self.components.root
        return np.ascontiguousarray(solve_triangular(root, np.eye(len(root)), lower=True).T)

    def __call__(self, points: xr.Dataset) -> xr.DataArray:
        """Return the shift of log loss at points; see `Discrepancy.functions`."""
        import xarray as xr

        covariates = self.discrepancy.covariates
        (point,) = points[covariates[0]].dims
        places = self.discrepancy.places({name: points[name].to_numpy() for name in covariates})
        values = self.components.kernel(places, self.components.landmarks) @ self._whitening
        # A product of two matrices takes a fifth of the time of one matrix for each chain.
        flat = self.weights.reshape(-1, self.weights.shape[-1]) @ np.ascontiguousarray(values.T)
        shift = flat.reshape(*self.tau.shape, -1)
        left_over = 1 - np.sum(values**2, axis=1)
        far = left_over > _LEFT_OVER
        if far.any():
            rng = np.random.default_rng(_SEED_FAR)
            rest = self.components.rest(places[far], self.tau.size, rng)
            # From none at the edge of what is drawn once, so that no function jumps there.
            rest *= np.sqrt(1 - _LEFT_OVER / left_over[far])
            shift[..., far] += self.tau.to_numpy()[..., None] * rest.reshape(*self.tau.shape, -1)
        return xr.DataArray(shift, dims=("chain", "draw", point), coords=self.tau.coords)

    def with_slopes(
        self,
        places: np.ndarray,
        along: np.ndarray,
        *,
        at: np.ndarray,
        slopes: np.ndarray,
        variance: np.ndarray,
    ) -> SmoothFunctions:
        """Return the functions given their slopes at some places, where the runs left them free.

        The weights that the runs were fitted with stay; the others are drawn given the slopes, by
        what their slopes lack of them (Matheron's rule; Wilson et al. 2021, arXiv:2011.04026).

        Parameters
        ----------
        places : ndarray, shape (place, coordinate)
            Where slopes may be given, in lengths of the coordinates; see `Smooth.places`.
        along : ndarray, shape (coordinate,)
            The direction of the slopes, per unit.
        at : ndarray of int, shape (draw, slope)
            The place of each slope.
        slopes, variance : ndarray, shape (draw, slope)
            What each function's slope is there, and the variance of what it may lie off.
        """
        effects = _slope_of_matern52(places, self.components.landmarks, along) @ self._whitening
        free = effects[:, self.n_known :]
        flat = self.weights.reshape(-1, self.weights.shape[-1]).copy()
        lacking = slopes - np.take_along_axis(flat @ effects.T, at, axis=1)
        prior = self.tau.to_numpy().reshape(-1, 1) ** 2
        left_over = np.clip(_SLOPE_VARIANCE * along @ along - np.sum(effects**2, axis=1), 0, None)
        off = variance + prior * (left_over[at] + _JITTER)
        covariances, diagonal = free @ free.T, np.arange(at.shape[1])
        pull = np.zeros((len(flat), len(places)))
        for first in range(0, len(flat), _DRAWS_AT_ONCE):
            some = slice(first, first + _DRAWS_AT_ONCE)
            joint = covariances[at[some, :, None], at[some, None, :]] * prior[some, :, None]
            joint[:, diagonal, diagonal] += off[some]
            found = np.linalg.solve(joint, lacking[some, :, None])[..., 0]
            np.add.at(pull[some], (np.arange(len(found))[:, None], at[some]), found)
        flat[:, self.n_known :] += prior * (pull @ free)
        return replace(self, weights=flat.reshape(self.weights.shape))


def matern52(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Matern's correlation with smoothness 5/2 (Rasmussen and Williams 2006, eq. 4.17)."""
    distance = sqrt(5) * np.sqrt(np.sum((a[:, None] - b[None]) ** 2, axis=-1))
    correlation: np.ndarray = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return correlation


def _slope_of_matern52(a: np.ndarray, b: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return the derivative of `matern52` by the first place, per unit along a direction."""
    apart = a[:, None] - b[None]
    distance = sqrt(5) * np.sqrt(np.sum(apart**2, axis=-1))
    slope: np.ndarray = -_SLOPE_VARIANCE * (1 + distance) * np.exp(-distance) * (apart @ along)
    return slope
