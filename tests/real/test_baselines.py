"""The field's habit on the 240 runs that Besiroglu et al. 2024 refitted."""

from __future__ import annotations

import pytest

from scaling_bayes.baselines import HuberBootstrap

PUBLISHED_ERROR = {"alpha_N": 0.01540, "alpha_D": 0.02060, "L_inf": 0.02566}
"""Bootstrap standard errors of Besiroglu et al. 2024, table 1."""


@pytest.fixture(scope="module")
def fitted(chinchilla_runs):
    return HuberBootstrap().fit(chinchilla_runs, seed=1)


def test_the_minimum_is_the_published_one(fitted):
    assert fitted.objective == pytest.approx(0.001018274, abs=5e-10)
    found = {name: fitted.best[name] for name in PUBLISHED_ERROR}
    assert found == pytest.approx({"alpha_N": 0.3473, "alpha_D": 0.3672, "L_inf": 1.8172}, abs=1e-4)


@pytest.mark.parametrize("name", PUBLISHED_ERROR)
def test_the_bootstrap_spreads_as_the_published_one(name, fitted):
    assert float(fitted.draws[name].std()) == pytest.approx(PUBLISHED_ERROR[name], rel=0.25)
