"""The noise of single runs, draw by draw, of one law or of several."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._decision.loss_draws import n_draws
from scaling_bayes._prediction.law_draws import LawDraws
from scaling_bayes._prediction.mixture import Source, mix, weighted_laws
from scaling_bayes.errors import InputError
from scaling_bayes.noise import Noise

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class _Part:
    """The noise of those draws that belong to one law.

    Attributes
    ----------
    noise : Noise
        The law's.
    parameters : Dataset
        Of the noise, with dims chain (of length 1) and draw.
    draws : ndarray of shape (part,), or slice
        Which draws they belong to.
    """

    noise: Noise
    parameters: xr.Dataset
    draws: np.ndarray | slice


@dataclass(frozen=True, eq=False)
class RunNoise:
    """How new runs scatter around the mean curve, in each draw of a source.

    Attributes
    ----------
    parts : tuple of _Part
        One for each law that has draws.
    """

    parts: tuple[_Part, ...]

    def sample(self, log_mean: np.ndarray, weight: float, rng: np.random.Generator) -> np.ndarray:
        """Return the log loss of a new run in each draw.

        Parameters
        ----------
        log_mean : ndarray, shape (draw,)
            Log of the mean curve where it is trained.
        weight : float
            Number of equal runs whose mean it is.
        rng : numpy.random.Generator
            Source of the scatter.
        """
        import xarray as xr

        sampled = np.empty_like(log_mean)
        for part in self.parts:
            curve = xr.DataArray(log_mean[part.draws][None], dims=("chain", "draw"))
            new = part.noise.sample(curve, part.parameters, rng, weight=weight)
            sampled[part.draws] = new.transpose("chain", "draw").to_numpy()[0]
        return sampled

    def log_density(self, observed: np.ndarray, log_mean: np.ndarray, weight: float) -> np.ndarray:
        """Return the log density of outcomes under each draw, of shape (outcome, draw).

        Parameters
        ----------
        observed : ndarray, shape (outcome,)
            Log losses of new runs.
        log_mean : ndarray, shape (draw,)
            Log of the mean curve where they are trained.
        weight : float
            Number of equal runs that each is the mean of.
        """
        density = np.empty((len(observed), len(log_mean)))
        for part in self.parts:
            p = SimpleNamespace(
                **{str(name): values.to_numpy()[0] for name, values in part.parameters.items()}
            )
            density[:, part.draws] = part.noise.log_density(
                observed[:, None], log_mean[part.draws], p, weight=weight
            )
        return density


def run_noise(source: Source) -> RunNoise:
    """Return the noise of a source in each of its draws, in the order of chain and draw.

    Parameters
    ----------
    source : Fit or Average
        Whose noise.

    Raises
    ------
    InputError
        If a law of the source has no noise.
    """
    import xarray as xr

    laws = [one for one, _ in weighted_laws(source)]
    for one in laws:
        if one.noise is None:
            raise InputError(
                f"{one.label} has no noise, so the outcome of a run cannot be simulated from it. "
                "Fit a law to runs."
            )
    starts = dict(zip(map(id, laws), np.cumsum([0, *map(n_draws, laws)]), strict=False))

    def numbered(one: LawDraws) -> xr.DataArray:
        shape = [one.draws.sizes[dim] for dim in ("chain", "draw")]
        numbers = starts[id(one)] + np.arange(np.prod(shape)).reshape(shape)
        return xr.DataArray(numbers, dims=("chain", "draw"))

    number = mix(source, numbered).to_numpy().ravel()
    parts = []
    for one in {id(law): law for law in laws}.values():
        row = number - starts[id(one)]
        own = np.flatnonzero((row >= 0) & (row < n_draws(one)))
        if not own.size:
            continue
        assert one.noise is not None
        assert one.noise_draws is not None
        ordered = one.noise_draws.transpose("chain", "draw")
        parameters = {
            name: (("chain", "draw"), values.to_numpy().reshape(1, -1)[:, row[own]])
            for name, values in ordered.items()
        }
        # A slice spares copies where all draws are of one law.
        draws = slice(None) if len(own) == len(number) else own
        parts.append(_Part(one.noise, xr.Dataset(parameters), draws))
    return RunNoise(tuple(parts))
