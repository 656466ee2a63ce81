"""Discrepancy as a smooth random function of compute and tokens per parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes.discrepancy._base import (
    BASIS,
    DIRECTIONS,
    ROWS,
    STRENGTHS,
    WEIGHT,
    Discrepancy,
    Shift,
)
from scaling_bayes.discrepancy._components import Components, leading_rows, left_over
from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior

if TYPE_CHECKING:
    import xarray as xr

_SIZES = ("n_params", "tokens")


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
    lengths = (log(100.0), log(50.0))
    """Correlation lengths in log C and in log(D / N)."""

    def data(self, sizes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what a model of runs reads; see `Discrepancy.data`."""
        places = self._places(sizes)
        # Half of the runs at most: the others tell the noise from the discrepancy.
        at_most = min(self.n_components, len(places) // 2)
        rows = leading_rows(places, _matern52, at_most)
        # The model has always as many components, so that it compiles once.
        lacking = self.n_components - len(rows)
        basis = np.pad(Components(_matern52, places[rows]).at(places), ((0, 0), (0, lacking)))
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

    def sample(
        self,
        draws: xr.Dataset,
        landmarks: Mapping[str, np.ndarray],
        points: xr.Dataset,
        rng: np.random.Generator,
    ) -> xr.DataArray:
        """Return draws of the shift of log loss; see `Discrepancy.sample`.

        Between and beyond the landmarks, draws are joint over the points in the leading components
        of what these leave over, and independent in the little that remains.
        """
        return self.over(draws, landmarks, points, rng)(points, rng)

    def over(
        self,
        draws: xr.Dataset,
        landmarks: Mapping[str, np.ndarray],
        points: xr.Dataset,
        rng: np.random.Generator,
    ) -> Shift:
        """Return what draws the shift at some points, joint over all; see `Discrepancy.over`."""
        missing = [name for name in _SIZES if name not in points]
        if missing:
            raise InputError(
                f"the discrepancy needs n_params and tokens of every point; the points have no "
                f"{' and no '.join(missing)}. Give two of n_params, tokens and flops."
            )
        known = Components(_matern52, self._places(landmarks))
        every = known.with_leading(self._places({name: points[name] for name in _SIZES}))
        n_known, n_every = len(known.landmarks), len(every.landmarks)
        tau = draws["tau"].transpose("chain", "draw")
        weight = draws[WEIGHT].transpose("chain", "draw", "component").to_numpy()[..., :n_known]
        others = rng.standard_normal((tau.size, n_every - n_known)).reshape(*tau.shape, -1)
        weights = np.concatenate([weight, tau.to_numpy()[..., None] * others], axis=-1)
        return _ByComponents(self._places, every, weights, tau)

    def to_dict(self) -> dict[str, Any]:
        """Return name, class, priors, number of components and lengths; see `Discrepancy`."""
        return super().to_dict() | {"lengths": [float(length) for length in self.lengths]}

    def _places(self, sizes: Mapping[str, Any]) -> np.ndarray:
        """Return log C and log(D / N) in correlation lengths, of shape (run, 2)."""
        log_n, log_d = (np.log(np.asarray(sizes[name], dtype=float)) for name in _SIZES)
        return np.column_stack([log_n + log_d, log_d - log_n]) / self.lengths


@dataclass(frozen=True, eq=False)
class _ByComponents:
    """Draws of the shift by the weights of components, and what these leave over.

    Attributes
    ----------
    places : callable
        From sizes to places.
    components : Components
        The components.
    weights : ndarray, shape (chain, draw, component)
        Their weights.
    tau : DataArray
        Scale of the discrepancy, with dims chain and draw.
    """

    places: Callable[[Mapping[str, Any]], np.ndarray]
    components: Components
    weights: np.ndarray
    tau: xr.DataArray

    def __call__(self, points: xr.Dataset, rng: np.random.Generator) -> xr.DataArray:
        import xarray as xr

        values = self.components.at(self.places({name: points[name] for name in _SIZES}))
        shift = self.weights @ values.T
        rest = rng.standard_normal((self.tau.size, len(values))).reshape(shift.shape)
        rest *= self.tau.to_numpy()[..., None]
        rest *= left_over(values)
        shift += rest
        (point,) = points[_SIZES[0]].dims
        return xr.DataArray(shift, dims=("chain", "draw", point), coords=self.tau.coords)


def _matern52(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Matern's correlation with smoothness 5/2 (Rasmussen and Williams 2006, eq. 4.17)."""
    distance = sqrt(5) * np.sqrt(np.sum((a[:, None] - b[None]) ** 2, axis=-1))
    correlation: np.ndarray = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return correlation
