"""A sum of powers with its noise and discrepancy, as the kernel reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from scaling_bayes._inference.coordinates import reference_name
from scaling_bayes._inference.kernel.c_functions import code_digest
from scaling_bayes._inference.kernel.density_code import N_SIZES
from scaling_bayes._inference.kernel.prior_fields import PriorFields, log_median_above, prior_fields
from scaling_bayes._inference.model import REPEATS, SQUARES, log_name
from scaling_bayes.discrepancy import BASIS, DIRECTIONS, STRENGTHS, WEIGHT, Discrepancy, Smooth
from scaling_bayes.laws import Law, PowerSum
from scaling_bayes.noise import BySize, Noise, Normal, StudentT
from scaling_bayes.parameters import POSITIVE, Parameter

_PROBES = 16
_PROBED = (-4.0, 3.0)
"""Logs of the values at which an exponent is looked at."""
_JITTER = 1.0
_JITTER_OF_LEVEL = 0.1


@dataclass(frozen=True, eq=False)
class PowerSumDensity:
    """What the kernel needs to know of a model, apart from its runs.

    Attributes
    ----------
    law : PowerSum
        The law.
    exponents : list of Parameter
        Its parameters that are neither the floor nor a scale.
    monomials : ndarray, shape (term + 1, exponent + 1)
        Logs of the terms' exponents and of the outer one, as weighted sums of the logs of
        the exponent parameters, and a constant.
    parameters : list of Parameter
        Exponents, floor, scales, sigma, nu and tau.
    priors : list of PriorFields
        Their priors.
    heavy : bool
        Whether the noise is Student's.
    by_size : bool
        Whether runs of one size have a part of it in common.
    n_components : int
        Components of the discrepancy; 0 where there is none.
    """

    law: PowerSum
    exponents: list[Parameter]
    monomials: np.ndarray
    parameters: list[Parameter]
    priors: list[PriorFields]
    heavy: bool
    by_size: bool
    n_components: int

    @property
    def n_shares(self) -> int:
        """Parts that the loss at the centre of the runs is divided into."""
        return len(self.law.terms) + self.law.irreducible

    @property
    def dimension(self) -> int:
        """Coordinates of the sampler."""
        n_scales = 1 + self.heavy + self.by_size + bool(self.n_components)
        return len(self.exponents) + self.n_shares + n_scales + self.n_components

    @property
    def n_natural(self) -> int:
        """Numbers that the kernel works out beside the coordinates."""
        return len(self.parameters) + self.n_shares + self.n_components

    @cached_property
    def log_medians(self) -> np.ndarray:
        """Logs of how far the prior of each parameter has its median above its lower bound."""
        return np.array([log_median_above(parameter.prior) for parameter in self.parameters])

    def table(self, data: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what the kernel reads: see `log_density` in ``density_code``.

        Parameters
        ----------
        data : mapping of str to ndarray
            What `scaling_bayes._inference.model.model_data` returned.
        """
        covariates = [term.covariate for term in self.law.terms]
        centres = [float(np.log(data[reference_name(name)])) for name in covariates]
        parts: list[Any] = [
            self.priors,
            self.monomials,
            centres,
            [data[log_name(name)] - at for name, at in zip(covariates, centres, strict=True)],
            *noise_parts(data),
        ]
        if self.n_components:
            parts += [data[STRENGTHS], (data[BASIS] @ data[DIRECTIONS]).T]
        body = np.concatenate([np.ravel(part) for part in parts])
        n_runs, n_terms = len(data["weight"]), len(self.law.terms)
        sizes = [n_runs, n_terms, len(self.exponents), self.law.irreducible, self.heavy]
        sizes += [self.by_size, self.n_components, self.n_natural]
        head = [N_SIZES + len(body), *sizes, code_digest()]
        return np.concatenate([np.array(head, dtype=float), body])

    def start(self, data: Mapping[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Return a point to start a chain from: near the medians of priors, as high as the runs.

        Parameters
        ----------
        data : mapping of str to ndarray
            What `scaling_bayes._inference.model.model_data` returned.
        rng : numpy.random.Generator
            Source of where around it.
        """
        point = np.zeros(self.dimension)
        spread = np.full(self.dimension, _JITTER)
        n_exponents = len(self.exponents)
        after_shares = n_exponents + self.n_shares
        medians = self.log_medians
        point[:n_exponents] = medians[:n_exponents]
        point[n_exponents] = data["observed_log_loss"].mean()
        spread[n_exponents] = _JITTER_OF_LEVEL
        point[after_shares : len(self.parameters)] = medians[after_shares:]
        return point + spread * rng.uniform(-1, 1, self.dimension)

    def variables(
        self, draws: np.ndarray, data: Mapping[str, np.ndarray]
    ) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return dims and values of the model's variables, by the names that PyMC's model has.

        Parameters
        ----------
        draws : ndarray, shape (chain, draw, dimension + n_natural)
            What the kernel kept: coordinates, then what follows from them.
        data : mapping of str to ndarray
            What `scaling_bayes._inference.model.model_data` returned.
        """
        sample = ("chain", "draw")
        natural = draws[..., self.dimension :]
        names = [parameter.name for parameter in self.parameters]
        found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            name: (sample, natural[..., at]) for at, name in enumerate(names)
        }
        found["log_loss_centre"] = (sample, draws[..., len(self.exponents)])
        after = len(self.parameters) + self.n_shares
        if self.n_shares > 1:
            found["share"] = ((*sample, "share_dim_0"), natural[..., len(self.parameters) : after])
        if self.n_components:
            offsets = draws[..., self.dimension - self.n_components : self.dimension]
            found["discrepancy_offset"] = ((*sample, "direction"), offsets)
            weights = natural[..., after:] @ data[DIRECTIONS].T
            found[WEIGHT] = ((*sample, "component"), weights)
        return found


def noise_parts(data: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return what the noise reads: log loss, weights, and how runs scatter around means of sizes.

    Parameters
    ----------
    data : mapping of str to ndarray
        What `scaling_bayes._inference.model.model_data` returned.
    """
    root_weight = np.sqrt(data["weight"])
    scatter = [np.sum(data.get(name, 0.0)) for name in (REPEATS, SQUARES)]
    return [
        data["observed_log_loss"],
        data["weight"],
        root_weight,
        np.array([np.sum(np.log(root_weight)), *scatter]),
    ]


def power_sum_density(
    law: Law, noise: Noise, discrepancy: Discrepancy | None
) -> PowerSumDensity | None:
    """Return a model in centred coordinates as the kernel reads it; None if it cannot read it.

    It reads laws that declare terms and leave their formula as it is, with exponents that are
    monomials of parameters; the noises and the discrepancy of this package; and priors of the
    families in `scaling_bayes._inference.kernel.prior_fields`.

    Parameters
    ----------
    law : Law
        The law.
    noise : Noise
        The noise.
    discrepancy : Discrepancy or None
        The discrepancy.
    """
    heavy, by_size = type(noise).observe is StudentT.observe, isinstance(noise, BySize)
    read = [
        "sigma",
        *(("nu",) if heavy else ()),
        *(("common",) if by_size else ()),
        *(() if discrepancy is None else ("tau",)),
    ]
    if not (
        isinstance(law, PowerSum)
        and type(law).loss is PowerSum.loss
        and (heavy or type(noise).observe is Normal.observe)
        and type(noise).scale in {StudentT.scale, Normal.scale}
        and type(noise).independent in {Noise.independent, BySize.independent}
        and (discrepancy is None or type(discrepancy).create_centred is Smooth.create_centred)
    ):
        return None
    scales = [term.scale for term in law.terms]
    derived = ["L_inf", *scales] if law.irreducible else scales
    by_name = {parameter.name: parameter for parameter in law.parameters}
    exponents = [parameter for parameter in law.parameters if parameter.name not in derived]
    monomials = _monomials(law, [parameter.name for parameter in exponents])
    if monomials is None or len(set(scales)) < len(scales) or not set(derived) <= set(by_name):
        return None
    others = [*noise.parameters, *(() if discrepancy is None else discrepancy.parameters)]
    parameters = [*exponents, *(by_name[name] for name in derived), *others]
    if [parameter.name for parameter in others] != read:
        return None
    priors = [fields for each in parameters if (fields := prior_fields(each.prior)) is not None]
    if any(each.support != POSITIVE for each in parameters):
        return None
    # A scale or a floor is worked out, so that it cannot be kept above a bound.
    bounded = any(fields.lower > 0 for fields in priors[len(exponents) : -len(others)])
    if len(priors) < len(parameters) or bounded:
        return None
    n_components = 0 if discrepancy is None else discrepancy.n_components
    return PowerSumDensity(
        law, exponents, monomials, parameters, priors, heavy, by_size, n_components
    )


def _monomials(law: PowerSum, names: list[str]) -> np.ndarray | None:
    """Return the exponents of a law as monomials of its exponent parameters; None if one is not."""
    rows = []
    rng = np.random.default_rng(0)
    probes = rng.uniform(*_PROBED, (_PROBES, len(names)))

    def log_of(power: Callable[[Any], Any], logs: np.ndarray) -> float:
        p = SimpleNamespace(**dict(zip(names, map(float, np.exp(logs)), strict=True)))
        return float(np.log(float(power(p))))

    powers: list[Callable[[Any], Any]] = [
        *(lambda p, term=term: law.inner_exponent(term, p) for term in law.terms),
        law.outer_exponent,
    ]
    for power in powers:
        try:
            with np.errstate(all="ignore"):
                constant = log_of(power, np.zeros(len(names)))
                slopes = np.array([log_of(power, unit) - constant for unit in np.eye(len(names))])
                found = np.array([log_of(power, probe) for probe in probes])
        except (AttributeError, TypeError, ValueError):
            return None
        if not np.allclose(found, probes @ slopes + constant, rtol=0, atol=1e-9):
            return None
        rows.append([*np.round(slopes, 9), constant])
    return np.array(rows)
