"""Noise of which runs of one size have a part in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling_bayes.noise._noise import Noise
from scaling_bayes.noise._normal import Normal
from scaling_bayes.noise._student_t import StudentT
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior

SCATTER = "scatter_of_seeds"
"""Name under which a model holds the squares of log losses around the mean of each row."""

_COMMON = Parameter(
    "common",
    r"\kappa",
    "1",
    "variance of noise that runs of one size share, over that of each run alone",
    Prior("LogNormal", mu=0.0, sigma=1.8),
    "the share in common is then nearly uniform between none and all",
)


class BySize(Noise):
    r"""What noise by size adds to a noise of single runs.

    A run of a size scatters around the law by sigma. Part of that is the same for all runs of the
    size, such as a batch size that suits it or not, and the rest is that of the run, such as its
    seed. With kappa, the variance of the first over that of the second, the mean of n runs has
    the variance

        sigma^2 (kappa + 1 / n) / (kappa + 1),

    as much as the mean of n (1 + kappa) / (1 + n kappa) independent runs (Kish 1965 calls the
    ratio of the two numbers the design effect). The log losses of the n runs scatter around their
    mean by a Normal with the variance sigma^2 / (1 + kappa).
    """

    def independent(self, weight: Any, p: Any) -> Any:
        """Return how many independent runs the mean of runs of one size is worth."""
        return weight * (1 + p.common) / (1 + weight * p.common)

    def observe_scatter(self, p: Any, *, repeats: Any, squares: Any) -> None:
        """Add how the runs of each row scatter around their mean; see `Noise.observe_scatter`."""
        import pymc as pm

        variance = p.sigma**2 / (1 + p.common)
        density = -0.5 * (repeats * np.log(2 * np.pi * variance) + squares / variance)
        pm.Potential(SCATTER, density.sum())


class NormalBySize(BySize, Normal):
    """Normal noise of which runs of one size have a part in common; see `BySize`."""

    name = "normal-by-size"
    parameters: tuple[Parameter, ...] = (*Normal.parameters, _COMMON)


class StudentTBySize(BySize, StudentT):
    """Student-t noise of which runs of one size have a part in common; see `BySize`."""

    name = "student-t-by-size"
    parameters: tuple[Parameter, ...] = (*StudentT.parameters, _COMMON)


_OF_RUNS: dict[type[Noise], type[BySize]] = {Normal: NormalBySize, StudentT: StudentTBySize}


def by_size(noise: Noise) -> Noise | None:
    """Return a noise with a part that runs of one size have in common; None if it is not known.

    Parameters
    ----------
    noise : Noise
        A noise of single runs, whose priors stay; or one by size already.
    """
    if isinstance(noise, BySize):
        return noise
    known = _OF_RUNS.get(type(noise))
    return None if known is None else known(priors=noise.priors)
