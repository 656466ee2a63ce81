"""The 240 runs of Hoffmann et al. 2022, as Besiroglu et al. 2024 recovered and refitted them."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._intervals import interval

pytestmark = pytest.mark.slow

PUBLISHED_ERROR = {"alpha_N": 0.01540, "alpha_D": 0.02060, "L_inf": 0.02566, "a": 0.020}
"""Bootstrap standard errors of Besiroglu et al. 2024, table 1 and its text."""

HOFFMANN_UNROUNDED = {
    "L_inf": np.exp(0.5267228),
    "alpha_N": 0.33917084,
    "alpha_D": 0.2849083,
    "log A": 6.0073404,
    "log B": 6.0179186,
}

logger = logging.getLogger(__name__)


def quantities(source: sb.Fit | sb.laws.PublishedLaw) -> xr.Dataset:
    """Return natural and derived parameters, with A and B as logs."""
    derived = source.law.derived(source.draws)
    logs = {f"log {name}": np.log(derived[name]) for name in ("A", "B")}
    return source.draws.assign(a=derived["a"], **logs)


@pytest.mark.parametrize("name", PUBLISHED_ERROR)
def test_parameters_lie_within_a_published_standard_error(name, chinchilla_fit):
    refit = quantities(sb.laws.Chinchilla.published["besiroglu2024"])[name].item()
    draws = quantities(chinchilla_fit)[name]
    distance = (draws.mean().item() - refit) / PUBLISHED_ERROR[name]
    lower, upper = interval(draws).values
    logger.info(
        "%s: mean %.4f, 90%% equal-tailed interval [%.4f, %.4f]; published %.4f, %.2f errors away",
        name,
        draws.mean(),
        lower,
        upper,
        refit,
        distance,
    )
    assert abs(distance) < 1


def test_tokens_per_parameter_at_the_compute_of_chinchilla(chinchilla_fit):
    plan = chinchilla_fit.allocate(flops=5.88e23)
    lower, upper = plan.interval("tokens_per_param").values.ravel()
    median = plan.optimum["tokens_per_param"].median().item()
    logger.info("D/N at 5.88e23 FLOPs: %.1f, 90%% equal-tailed [%.1f, %.1f]", median, lower, upper)
    assert 18 <= median <= 25
    assert lower < 18.3 < upper  # the published refit


def test_the_plain_posterior_of_the_allocation_exponent(chinchilla_fit):
    """Other code, with other priors, found 0.511 [0.495, 0.528] on the same rows."""
    a = quantities(chinchilla_fit)["a"]
    assert [a.median().item(), *interval(a).values] == pytest.approx(
        [0.511, 0.495, 0.528], abs=0.005
    )


@pytest.mark.parametrize("digits", ["rounded", "unrounded"])
def test_the_point_that_hoffmann_published_lies_far_outside(digits, chinchilla_fit):
    names = list(HOFFMANN_UNROUNDED)
    draws = quantities(chinchilla_fit)
    sample = np.stack([draws[name].values.ravel() for name in names])
    rounded = quantities(sb.laws.Chinchilla.published["hoffmann2022"])
    values = (
        HOFFMANN_UNROUNDED
        if digits == "unrounded"
        else {name: rounded[name].item() for name in names}
    )
    away = np.array([values[name] for name in names])[:, None] - sample.mean(axis=1, keepdims=True)
    inside = sample - sample.mean(axis=1, keepdims=True)
    inverse = np.linalg.inv(np.cov(sample))

    def distance(offsets):
        return np.sqrt(np.einsum("in,ij,jn->n", offsets, inverse, offsets))

    logger.info(
        "Hoffmann's %s values: Mahalanobis distance %.1f; farthest of %d draws %.1f",
        digits,
        distance(away)[0],
        sample.shape[1],
        distance(inside).max(),
    )
    assert distance(away)[0] > distance(inside).max()
