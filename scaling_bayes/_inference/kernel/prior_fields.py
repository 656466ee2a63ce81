"""Priors of positive parameters as the numbers that the kernel reads."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, lgamma, log, pi
from typing import TYPE_CHECKING, Any, NamedTuple

from scaling_bayes._inference.kernel.prior_code import GAMMA, HALF_NORMAL, LOG_NORMAL, NORMAL

if TYPE_CHECKING:
    from scaling_bayes.priors import Prior


class PriorFields(NamedTuple):
    """A prior as the kernel reads it.

    Attributes
    ----------
    family : int
        One of the kernel's families.
    a, b : float
        Its two parameters.
    lower : float
        The bound above which it lies, 0 or more.
    constant : float
        What the log density has besides its terms in x.
    """

    family: int
    a: float
    b: float
    lower: float
    constant: float


def prior_fields(prior: Prior) -> PriorFields | None:
    """Return a prior of a positive parameter as numbers; None if the kernel cannot read it."""
    described = _described(prior)
    return None if described is None else described[0]


def log_median_above(prior: Prior) -> float:
    """Return the log of how far the median of a prior lies above its lower bound."""
    described = _described(prior)
    assert described is not None
    fields, distribution = described
    median = distribution.isf(distribution.sf(fields.lower) / 2)
    return log(median - fields.lower)


def probability_below(prior: Prior, value: float) -> float:
    """Return the prior probability of a value or less."""
    described = _described(prior)
    assert described is not None
    fields, distribution = described
    below = distribution.cdf(value) - distribution.cdf(fields.lower)
    return float(max(below, 0.0) / distribution.sf(fields.lower))


def _described(prior: Prior) -> tuple[PriorFields, Any] | None:
    if prior.distribution != "Truncated":
        return _bounded(prior, 0.0) if prior.distribution != "Normal" else None
    given = dict(prior.parameters)
    inner, lower, upper = given.pop("dist", None), given.pop("lower", None), given.pop("upper", inf)
    if given or isinstance(inner, float | None) or not isinstance(lower, float):
        return None
    return _bounded(inner, lower) if upper == inf and lower >= 0 else None


def _bounded(prior: Prior, lower: float) -> tuple[PriorFields, Any] | None:
    family = _FAMILIES.get(prior.distribution)
    given = prior.parameters
    if family is None or set(given) != set(family.arguments):
        return None
    numbers = {name: value for name, value in given.items() if isinstance(value, float)}
    if len(numbers) < len(given) or any(numbers[name] <= 0 for name in family.positive):
        return None
    a, b, constant, distribution = family.describe(**numbers)
    constant -= float(distribution.logsf(lower))
    return PriorFields(family.code, a, b, lower, constant), distribution


class _Family(NamedTuple):
    code: int
    arguments: tuple[str, ...]
    positive: tuple[str, ...]
    describe: Callable[..., tuple[float, float, float, Any]]


def _normal(mu: float, sigma: float) -> tuple[float, float, float, Any]:
    from scipy import stats

    return mu, sigma, -log(sigma) - log(2 * pi) / 2, stats.norm(mu, sigma)


def _log_normal(mu: float, sigma: float) -> tuple[float, float, float, Any]:
    from scipy import stats

    return mu, sigma, -log(sigma) - log(2 * pi) / 2, stats.lognorm(sigma, loc=0, scale=exp(mu))


def _half_normal(sigma: float) -> tuple[float, float, float, Any]:
    from scipy import stats

    return 0.0, sigma, log(2 / pi) / 2 - log(sigma), stats.halfnorm(scale=sigma)


def _gamma(alpha: float, beta: float) -> tuple[float, float, float, Any]:
    from scipy import stats

    constant = alpha * log(beta) - lgamma(alpha)
    return alpha, beta, constant, stats.gamma(alpha, scale=1 / beta)


_FAMILIES = {
    "Normal": _Family(NORMAL, ("mu", "sigma"), ("sigma",), _normal),
    "LogNormal": _Family(LOG_NORMAL, ("mu", "sigma"), ("sigma",), _log_normal),
    "HalfNormal": _Family(HALF_NORMAL, ("sigma",), ("sigma",), _half_normal),
    "Gamma": _Family(GAMMA, ("alpha", "beta"), ("alpha", "beta"), _gamma),
}
