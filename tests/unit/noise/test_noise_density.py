"""The density of noise as a formula is that of the likelihood that fits are made with."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from scaling_bayes import noise

RNG = np.random.default_rng(0)
P = SimpleNamespace(
    sigma=np.exp(RNG.normal(-4, 1, 6)), nu=2 + RNG.gamma(2, 5, 6), common=RNG.gamma(2, 1, 6)
)
OBSERVED, CURVE = RNG.normal(1, 0.05, (4, 1)), RNG.normal(1, 0.05, 6)


@pytest.fixture(params=sorted(noise.REGISTRY))
def model(request: pytest.FixtureRequest) -> noise.Noise:
    """Every noise that the package ships, one after the other."""
    return noise.REGISTRY[request.param]()


@pytest.mark.parametrize("weight", [1.0, 9.0])
def test_the_formula_is_what_is_observed_with(model, weight):
    formula = model.log_density(OBSERVED, CURVE, P, weight=weight)
    assert formula.shape == (4, 6)
    through_pymc = noise.Noise.log_density(model, OBSERVED, CURVE, P, weight=weight)
    np.testing.assert_allclose(formula, through_pymc, rtol=1e-7)


@pytest.mark.parametrize("weight", [1.0, 9.0])
def test_the_formula_is_that_of_scipy(model, weight):
    common = P.common if isinstance(model, noise.BySize) else 0.0
    scale = P.sigma * ((common + 1 / weight) / (common + 1)) ** 0.5
    known = {"normal": stats.norm(CURVE, scale), "student-t": stats.t(P.nu, CURVE, scale)}[
        model.name.removesuffix("-by-size")
    ]
    np.testing.assert_allclose(
        model.log_density(OBSERVED, CURVE, P, weight=weight), known.logpdf(OBSERVED), rtol=1e-9
    )


def test_single_numbers_are_taken(model):
    p = SimpleNamespace(sigma=0.01, nu=5.0, common=1.0)
    assert np.ndim(model.log_density(1.0, 1.01, p)) == 0
