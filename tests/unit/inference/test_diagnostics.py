from __future__ import annotations

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from scaling_bayes._inference.diagnostics import diagnose

N_CHAINS, N_DRAWS = 4, 1000


def tree(
    alpha: np.ndarray, *, n_divergent: int = 0, energy: np.ndarray | None = None
) -> xr.DataTree:
    """Return a DataTree with a well-behaved parameter L_inf beside the given alpha."""
    rng = np.random.default_rng(9)
    dims, shape = ("chain", "draw"), alpha.shape
    diverging = np.zeros(shape, dtype=bool)
    diverging.ravel()[:n_divergent] = True
    energy = rng.normal(size=shape) if energy is None else energy
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {"alpha": (dims, alpha), "L_inf": (dims, rng.normal(size=shape))}
            ),
            "sample_stats": xr.Dataset({"diverging": (dims, diverging), "energy": (dims, energy)}),
        }
    )


@pytest.fixture
def alpha() -> np.ndarray:
    return np.random.default_rng(1).normal(0.35, 0.02, (N_CHAINS, N_DRAWS))


def wandering(rng: np.random.Generator, correlation: float) -> np.ndarray:
    """Return chains that move slowly through a standard Normal distribution."""
    steps = rng.normal(size=(N_CHAINS, N_DRAWS)) * np.sqrt(1 - correlation**2)
    chains = np.empty_like(steps)
    chains[:, 0] = rng.normal(size=N_CHAINS)
    for i in range(1, N_DRAWS):
        chains[:, i] = correlation * chains[:, i - 1] + steps[:, i]
    return chains


def test_independent_draws_pass(alpha):
    diagnostics = diagnose(tree(alpha), ["alpha", "L_inf"])
    assert diagnostics.converged
    assert diagnostics.failures() == []
    assert diagnostics.n_draws == N_CHAINS * N_DRAWS
    assert list(diagnostics.parameters.index) == ["alpha", "L_inf"]
    assert f"{N_CHAINS * N_DRAWS} draws" in str(diagnostics)


def test_figures_are_arvizs(alpha):
    stored = tree(alpha)
    row = diagnose(stored, ["alpha"]).parameters.loc["alpha"]
    assert row.r_hat == float(arviz_stats.rhat(alpha))
    assert row.ess_bulk == float(arviz_stats.ess(alpha, method="bulk"))
    tail = arviz_stats.ess(alpha, method="tail", prob=(0.05, 0.95))
    assert row.ess_tail == float(tail)


def test_a_chain_apart_fails_r_hat_and_is_named(alpha):
    alpha[0] += 0.1
    failures = diagnose(tree(alpha), ["alpha", "L_inf"]).failures()
    assert any("R-hat of alpha is" in failure and "limit 1.01" in failure for failure in failures)
    assert not any("L_inf" in failure for failure in failures)


def test_a_slow_chain_fails_the_effective_sample_size():
    slow = wandering(np.random.default_rng(2), 0.95)
    diagnostics = diagnose(tree(slow), ["alpha"])
    assert diagnostics.parameters.loc["alpha", "ess_bulk"] < 400
    assert any("ess_bulk of alpha is" in failure for failure in diagnostics.failures())


def test_a_parameter_that_is_not_finite_fails(alpha):
    alpha[1, 5] = np.nan
    failures = diagnose(tree(alpha), ["alpha"]).failures()
    assert any("R-hat of alpha is nan" in failure for failure in failures)
    assert any("ess_bulk of alpha is nan" in failure for failure in failures)


@pytest.mark.parametrize(("n_divergent", "passes"), [(4, True), (5, False)])
def test_one_divergence_in_a_thousand_draws_is_let_pass(alpha, n_divergent, passes):
    diagnostics = diagnose(tree(alpha, n_divergent=n_divergent), ["alpha"])
    assert diagnostics.n_divergent == n_divergent
    assert diagnostics.converged is passes
    assert passes or "5 of 4000 draws diverged" in diagnostics.failures()[0]


def test_slowly_changing_energy_fails_bfmi(alpha):
    energy = wandering(np.random.default_rng(3), 0.99)
    diagnostics = diagnose(tree(alpha, energy=energy), ["alpha"])
    assert diagnostics.bfmi < 0.3
    assert any("E-BFMI is" in failure for failure in diagnostics.failures())
