from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import scaling_bayes as sb
from scaling_bayes import noise

N_DRAWS = 2000
SIGMA = np.array([0.01, 0.04])
NU = np.array([3.0, 30.0])
COMMON = np.array([0.3, 4.0])


@pytest.fixture(params=sorted(noise.REGISTRY))
def model(request: pytest.FixtureRequest) -> noise.Noise:
    """Every noise that the package ships, one after the other."""
    return noise.REGISTRY[request.param]()


@pytest.fixture
def draws() -> xr.Dataset:
    """Two chains, each with its own constant scale and degrees of freedom."""
    return xr.Dataset(
        {
            name: (("chain", "draw"), np.repeat(values[:, None], N_DRAWS, axis=1))
            for name, values in {"sigma": SIGMA, "nu": NU, "common": COMMON}.items()
        }
    )


@pytest.fixture
def log_loss() -> xr.DataArray:
    """The same log loss at three points in every draw."""
    return xr.DataArray(
        np.broadcast_to([0.5, 1.0, 1.5], (2, N_DRAWS, 3)), dims=("chain", "draw", "point")
    )


def standard(model: noise.Noise, chain: int) -> stats.rv_continuous:
    return {"normal": stats.norm(), "student-t": stats.t(NU[chain])}[
        model.name.removesuffix("-by-size")
    ]


def test_it_is_registered_under_its_own_name(model):
    assert noise.REGISTRY[model.name]() == model
    assert repr(model) == f"{type(model).__name__}()"


def test_its_priors_have_reasons_and_lie_inside_of_the_supports(model):
    for parameter in model.parameters:
        assert len(parameter.reason) > 20
        parameter.prior.check_support(parameter.name, parameter.support)


def test_new_runs_scatter_by_each_draws_own_noise(model, log_loss, draws):
    new = model.sample(log_loss, draws, np.random.default_rng(1))
    assert new.dims == log_loss.dims
    for chain in range(2):
        for point in range(3):
            z = (new - log_loss).isel(chain=chain, point=point) / SIGMA[chain]
            assert stats.kstest(z, standard(model, chain).cdf).pvalue > 1e-3


def test_new_runs_at_two_points_are_independent(model, log_loss, draws):
    new = model.sample(log_loss, draws, np.random.default_rng(2)) - log_loss
    ranks = stats.spearmanr(new.isel(chain=1, point=0), new.isel(chain=1, point=2))
    assert abs(ranks.statistic) < 4 / np.sqrt(N_DRAWS)


def test_a_seed_repeats_and_another_does_not(model, log_loss, draws):
    first, again, other = (
        model.sample(log_loss, draws, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_points_without_a_dim_are_taken(model, log_loss, draws):
    one = model.sample(log_loss.isel(point=0), draws, np.random.default_rng(5))
    assert one.dims == ("chain", "draw")


def test_a_mean_of_many_runs_scatters_less(model, log_loss, draws):
    one = model.sample(log_loss, draws, np.random.default_rng(1)) - log_loss
    hundred = model.sample(log_loss, draws, np.random.default_rng(1), weight=100.0) - log_loss
    common = xr.DataArray(COMMON, dims="chain") if isinstance(model, noise.BySize) else 0.0
    narrower = ((common + 1 / 100) / (common + 1)) ** 0.5
    np.testing.assert_allclose(hundred, one * narrower, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", ["normal", "student-t"])
def test_noise_of_runs_becomes_one_by_size_with_its_priors(name):
    prior = sb.Prior("HalfNormal", sigma=0.1)
    found = noise.by_size(noise.REGISTRY[name](priors={"sigma": prior}))
    assert found.name == f"{name}-by-size"
    assert found.priors["sigma"] == prior
    assert noise.by_size(found) is found


def test_noise_of_a_user_does_not_become_one_by_size():
    class Wide(noise.Normal):
        name = "wide"

    assert noise.by_size(Wide()) is None
