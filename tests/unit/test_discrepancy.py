from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import arviz_stats
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from pymc.stats import compute_log_likelihood
from pytensor.gradient import jacobian
from scipy import stats
from scipy.special import gamma, gammaln, kv

import scaling_bayes as sb
from scaling_bayes._model import model_data
from scaling_bayes.discrepancy import (
    BASIS,
    DIRECTIONS,
    ROWS,
    STRENGTHS,
    WEIGHT,
    DiscrepancyDraws,
    Smooth,
)
from scaling_bayes.discrepancy._components import Components, leading_rows
from scaling_bayes.discrepancy._smooth import _matern52
from scaling_bayes.errors import FileFormatError, InputError, PriorError

QUICK = {"mode": "FAST_COMPILE"}
ALL = ("chain", "draw")
WIDER = {"tau": sb.Prior("HalfNormal", sigma=0.2)}
SIGMA = 0.003
BEND = 0.03
"""How far bent runs lie from the law at most, on log loss."""


class Steep(Smooth):
    """A discrepancy that the package does not ship."""

    name = "steep"
    lengths = (np.log(10.0), np.log(50.0))


def bend(flops: np.ndarray) -> np.ndarray:
    """Return a wave of six decades of compute, which no power law can follow for long."""
    return BEND * np.sin(2 * np.pi * np.log10(flops / 1e18) / 6)


@pytest.fixture(scope="module")
def bent(truth: sb.laws.PublishedLaw) -> Callable[..., sb.Runs]:
    """Return a function that simulates runs around a law with a bend, between two budgets."""

    def simulated(n_runs: int, low: float, high: float, *, seed: int) -> sb.Runs:
        rng = np.random.default_rng(seed)
        flops = 10 ** rng.uniform(np.log10(low), np.log10(high), n_runs)
        ratio = 10 ** rng.uniform(0, 2.5, n_runs)
        n_params = np.sqrt(flops / (6 * ratio))
        frame = pd.DataFrame({"n_params": n_params, "tokens": n_params * ratio})
        mean = truth.law.loss(SimpleNamespace(**truth.values), frame)
        frame["loss"] = mean * np.exp(bend(flops) + SIGMA * rng.standard_normal(n_runs))
        return sb.read_runs(frame)

    return simulated


@pytest.fixture(scope="module")
def bent_runs(bent: Callable[..., sb.Runs]) -> sb.Runs:
    return bent(60, 1e18, 3e20, seed=0)


@pytest.fixture(scope="module")
def smooth_fitter(quiet: sb.SamplerSettings) -> sb.Fitter:
    return sb.Fitter(sb.laws.Chinchilla(), discrepancy=Smooth(), settings=quiet)


@pytest.fixture(scope="module")
def smooth_fit(smooth_fitter: sb.Fitter, bent_runs: sb.Runs) -> sb.Fit:
    """Chinchilla's law with discrepancy, fitted to bent runs."""
    return smooth_fitter.fit(bent_runs, seed=1)


@pytest.fixture(scope="module")
def plain_fit(fitter: sb.Fitter, bent_runs: sb.Runs) -> sb.Fit:
    """Chinchilla's law alone, fitted to the same runs."""
    return fitter.fit(bent_runs, seed=1)


def sizes_of(runs: sb.Runs) -> dict[str, np.ndarray]:
    return runs.covariates(("n_params", "tokens"))


def points_at(n_params: object, tokens: object) -> xr.Dataset:
    return xr.Dataset(
        {
            "n_params": ("point", np.atleast_1d(np.asarray(n_params, dtype=float))),
            "tokens": ("point", np.atleast_1d(np.asarray(tokens, dtype=float))),
        }
    )


# Components


def places(n: int, width: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, width, (n, 2))


def test_the_kernel_is_materns_with_smoothness_five_halves():
    ends = np.column_stack([np.linspace(0.05, 6, 40), np.zeros(40)])
    x = np.sqrt(5) * ends[:, 0]
    expected = 2 ** (1 - 2.5) / gamma(2.5) * x**2.5 * kv(2.5, x)
    np.testing.assert_allclose(_matern52(ends, np.zeros((1, 2)))[:, 0], expected, rtol=1e-10)
    np.testing.assert_array_equal(np.diag(_matern52(ends, ends)), 1)


def test_with_all_places_as_landmarks_the_components_give_the_kernel():
    here = places(30, 5)
    values = Components(_matern52, here).at(here)
    np.testing.assert_allclose(values @ values.T, _matern52(here, here), atol=1e-8)


def test_landmarks_that_are_chosen_until_nothing_is_left_give_the_kernel():
    here = places(30, 1)
    rows = leading_rows(here, _matern52, 30)
    values = Components(_matern52, here[rows]).at(here)
    np.testing.assert_allclose(values @ values.T, _matern52(here, here), atol=2e-6)


def test_each_landmark_is_the_place_that_the_ones_before_leave_most_uncertain():
    here = places(80, 2)
    rows = leading_rows(here, _matern52, 12)
    assert len(rows) == 12
    for n_before in range(1, 12):
        z = here[rows[:n_before]]
        explained = _matern52(here, z) @ np.linalg.solve(_matern52(z, z), _matern52(z, here))
        assert np.argmax(1 - np.diag(explained)) == rows[n_before]


def test_twenty_landmarks_explain_nearly_all_over_four_decades_of_compute():
    here = places(200, 2)
    few, many = (
        Components(_matern52, here[leading_rows(here, _matern52, n)]).at(here) for n in (5, 20)
    )
    left_over = [1 - np.sum(values**2, axis=1).min() for values in (few, many)]
    assert left_over[1] < 0.03 < left_over[0]


@pytest.mark.parametrize(
    "here",
    [
        places(12, 3, seed=1),
        places(60, 1.5, seed=1),
        40.0 * np.column_stack([np.arange(60), np.zeros(60)]) + 40,
        np.repeat(places(15, 3, seed=1), 3, axis=0),
    ],
    ids=["few", "sixty close", "sixty far apart", "duplicates"],
)
def test_the_rest_has_the_covariance_that_the_components_lack(here):
    n_draws = 40_000
    components = Components(_matern52, places(6, 1))
    values = components.at(here)
    lacking = _matern52(here, here) - values @ values.T
    rest = components.rest(here, n_draws, np.random.default_rng(2))
    assert rest.shape == (n_draws, len(here))
    variance = np.diag(lacking)
    error = np.sqrt((np.outer(variance, variance) + lacking**2) / n_draws)
    miss = rest.T @ rest / n_draws - lacking
    # Beyond 40 places what is left over is independent; close together it is below 1%.
    assert np.all(np.abs(miss) < 5 * error + 0.01)
    assert np.all(np.abs(np.diag(miss)) < 5 * np.diag(error) + 1e-9)


def test_the_rest_is_zero_at_the_landmarks_and_equal_at_equal_places():
    landmarks = places(6, 1)
    rest = Components(_matern52, landmarks).rest(
        np.concatenate([landmarks, [[3.0, 3.0]], [[3.0, 3.0]]]), 500, np.random.default_rng(3)
    )
    assert np.abs(rest[:, :6]).max() < 1e-5
    assert rest[:, 6].std() > 0.5
    np.testing.assert_allclose(rest[:, 6], rest[:, 7], atol=1e-5)


# What a model of runs reads


def test_the_data_are_the_components_at_the_runs(simulate):
    runs = simulate(80)
    smooth = Smooth()
    data = smooth.data(sizes_of(runs))
    n = smooth.n_components
    assert {name: values.shape for name, values in data.items()} == {
        BASIS: (80, n),
        DIRECTIONS: (n, n),
        STRENGTHS: (n,),
        ROWS: (n,),
    }
    basis, rows, directions = data[BASIS], data[ROWS], data[DIRECTIONS]
    assert len(set(rows)) == n
    assert rows.min() >= 0
    # The first landmark explains itself alone, the second itself and the first, and so on.
    np.testing.assert_allclose(np.triu(basis[rows], 1), 0, atol=1e-9)
    assert basis[rows[0], 0] == pytest.approx(1)
    np.testing.assert_allclose(np.sum(basis[rows] ** 2, axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(directions.T @ directions, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(
        directions.T @ basis.T @ basis @ directions, np.diag(data[STRENGTHS]), atol=1e-9
    )


@pytest.mark.parametrize("n_runs", [1, 2, 7, 12, 39, 40, 41])
def test_at_most_half_of_the_runs_are_landmarks_and_the_others_are_padded(simulate, n_runs):
    data = Smooth().data(sizes_of(simulate(n_runs)))
    n = min(20, n_runs // 2)
    assert data[BASIS].shape == (n_runs, 20)
    assert (data[ROWS][:n] >= 0).all()
    assert (data[ROWS][n:] == -1).all()
    assert (data[BASIS][:, n:] == 0).all()
    assert (np.abs(data[BASIS][:, :n]).max(axis=0) > 0).all()
    assert (data[STRENGTHS] >= 0).all()
    assert np.sum(data[STRENGTHS] > 1e-9) == n


def test_runs_at_the_same_sizes_are_one_landmark(simulate):
    few = simulate(5).frame
    runs = sb.Runs(pd.concat([few] * 10))
    data = Smooth().data(sizes_of(runs))
    assert np.sum(data[ROWS] >= 0) == 5
    assert len({row % 5 for row in data[ROWS][:5]}) == 5
    np.testing.assert_allclose(data[BASIS][:5], data[BASIS][45:], atol=1e-12)
    assert all(np.isfinite(values).all() for values in data.values())


def test_lengths_are_two_decades_of_compute_and_fifty_times_the_tokens_per_parameter():
    """At one length the correlation is that of Matern at 1, along either axis."""
    at_one = (1 + np.sqrt(5) + 5 / 3) * np.exp(-np.sqrt(5))
    for far in ((1e9, 2e11), (1e8 / np.sqrt(50), 2e10 * np.sqrt(50))):
        n_params, tokens = (np.repeat(pair, 2) for pair in zip((1e8, 2e10), far, strict=True))
        data = Smooth().data({"n_params": n_params, "tokens": tokens})
        one, other = data[BASIS][0], data[BASIS][2]
        assert one @ other == pytest.approx(at_one, rel=1e-9)


# The posterior is the same in both coordinates


def assert_same_posterior(
    runs: sb.Runs, law: sb.Law, noise: sb.noise.Noise, discrepancy: sb.discrepancy.Discrepancy
) -> None:
    """Compare the log densities of both models at random points, the Jacobian accounted for."""
    centred, natural = (
        sb.build_model(runs, law, noise=noise, discrepancy=discrepancy, coordinates=coordinates)
        for coordinates in ("centred", "natural")
    )
    assert WEIGHT in {rv.name for rv in natural.free_RVs}
    assert WEIGHT in {variable.name for variable in centred.deterministics}
    parameters = centred.replace_rvs_by_values([centred[rv.name] for rv in natural.free_RVs])
    forward = []
    for rv, value in zip(natural.free_RVs, parameters, strict=True):
        transform = natural.rvs_to_transforms[rv]
        forward.append(value if transform is None else transform.forward(value, *rv.owner.inputs))
    # Vectorised: a scan would ask for a BLAS to link to.
    columns = jacobian(
        pt.concatenate([pt.atleast_1d(v) for v in forward]), centred.value_vars, vectorize=True
    )
    to_natural = centred.compile_fn(
        [*forward, pt.concatenate([c.reshape((c.shape[0], -1)) for c in columns], axis=1)],
        point_fn=True,
        **QUICK,
    )
    log_density, natural_log_density = (model.compile_logp(**QUICK) for model in (centred, natural))
    names = [variable.name for variable in natural.value_vars]

    rng = np.random.default_rng(1)
    start = centred.initial_point()
    differences = []
    for _ in range(20):
        point = {name: value + rng.normal(0, 0.5, value.shape) for name, value in start.items()}
        *values, slopes = to_natural(point)
        sign, log_volume = np.linalg.slogdet(slopes)
        assert sign != 0
        there = natural_log_density(dict(zip(names, values, strict=True)))
        assert np.isfinite(there)
        differences.append(log_density(point) - (there + log_volume))
    # The flat simplex has density (number of shares - 1)!, the only constant between the two.
    n_shares = len(law.terms) + law.irreducible if isinstance(law, sb.laws.PowerSum) else 1
    np.testing.assert_allclose(differences, gammaln(n_shares), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_runs", [7, 12, 60])
@pytest.mark.parametrize("noise", [sb.noise.StudentT(), sb.noise.Normal()], ids=lambda n: n.name)
def test_both_coordinates_have_the_same_posterior(simulate, n_runs, noise):
    assert_same_posterior(simulate(n_runs), sb.laws.Chinchilla(), noise, Smooth())


def test_both_coordinates_have_the_same_posterior_under_users_priors_and_weights(runs):
    frame = runs.frame.assign(weight=np.resize([1.0, 4.0, 9.0], len(runs)))
    assert_same_posterior(
        sb.Runs(frame),
        sb.laws.Kaplan(),
        sb.noise.StudentT(priors={"sigma": sb.Prior("HalfNormal", sigma=0.1)}),
        Steep(priors=WIDER),
    )


def test_a_noise_without_a_scale_of_its_own_has_the_same_posterior(runs):
    class Own(sb.noise.Normal):
        def scale(self, p):
            return sb.noise.Noise.scale(self, p)

    assert_same_posterior(runs, sb.laws.Chinchilla(), Own(), Smooth())


def test_the_likelihood_is_that_of_the_shifted_law(runs):
    """By scipy, at a point with weights that are not zero."""
    law, smooth = sb.laws.Chinchilla(), Smooth()
    model = sb.build_model(
        runs, law, noise=sb.noise.Normal(), discrepancy=smooth, coordinates="natural"
    )
    p = {"L_inf": 1.8, "alpha_N": 0.3, "alpha_D": 0.4, "N_c": 2e8, "D_c": 3e9}
    point = {f"{name}_log__": np.log(value) for name, value in (p | {"sigma": 0.02}).items()}
    weight = np.random.default_rng(4).normal(0, 0.05, smooth.n_components)
    point |= {"tau_log__": np.log(0.07), WEIGHT: weight}
    shift = smooth.data(sizes_of(runs))[BASIS] @ weight
    mean = np.log(law.loss(SimpleNamespace(**p), runs.frame)) + shift
    expected = stats.norm.logpdf(np.log(runs.frame["loss"]), mean, 0.02)
    (found,) = model.compile_logp([model["log_loss"]], sum=False, **QUICK)(point)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    prior = model.compile_logp([model[WEIGHT]], **QUICK)(point)
    assert prior == pytest.approx(stats.norm.logpdf(weight, 0, 0.07).sum(), rel=1e-12)


def test_a_centred_offset_of_zero_is_the_mode_of_the_weights_under_normal_noise(runs):
    """Then weights far from the truth cost what a Normal of sd 1 says, whatever the law."""
    model = sb.build_model(
        runs, sb.laws.Chinchilla(), noise=sb.noise.Normal(), discrepancy=Smooth()
    )
    log_density = model.compile_logp(**QUICK)
    rng = np.random.default_rng(5)
    for _ in range(3):
        point = {
            name: value + rng.normal(0, 0.3, value.shape)
            for name, value in model.initial_point().items()
        }
        offset = rng.normal(0, 2, 20)
        here, there = (
            log_density(point | {"discrepancy_offset": value}) for value in (np.zeros(20), offset)
        )
        assert here - there == pytest.approx(offset @ offset / 2, rel=1e-6)


def test_the_data_can_be_exchanged_for_those_of_fewer_runs(runs, simulate):
    law, others = sb.laws.Chinchilla(), simulate(12, seed=7)
    model, expected = (sb.build_model(some, law, discrepancy=Smooth()) for some in (runs, others))
    data = model_data(others, law, Smooth())
    pm.set_data(data, model=model, coords={"run": np.arange(12)})
    point = expected.initial_point()
    assert model.compile_logp(**QUICK)(point) == pytest.approx(
        float(expected.compile_logp(**QUICK)(point)), rel=1e-12
    )


def test_a_prior_outside_of_the_support_of_tau_is_refused(runs):
    smooth = Smooth(priors={"tau": sb.Prior("Normal", mu=0, sigma=1)})
    with pytest.raises(PriorError, match="of tau reaches outside"):
        sb.build_model(runs, sb.laws.Chinchilla(), discrepancy=smooth)


def z_scores(first: sb.Fit, second: sb.Fit, points: sb.Runs) -> dict[str, float]:
    """Return differences of means and sds of log parameters and shifts, in Monte Carlo errors."""
    drawn = []
    for fit in (first, second):
        posterior = fit.data_tree["posterior"].to_dataset()
        quantities = {f"log {name}": np.log(posterior[name]) for name in fit.parameter_names}
        log_curve = np.log(fit.forecast(points, seed=1).mean_curve)
        drawn.append(quantities | {f"curve {i}": log_curve.isel(point=i) for i in range(3)})
    scores = {}
    for name, ours in drawn[0].items():
        for figure, of in (("mean", "mean"), ("sd", "std")):
            both = (ours, drawn[1][name])
            values = [getattr(draws, of)().item() for draws in both]
            errors = [arviz_stats.mcse(draws, method=figure).item() for draws in both]
            scores[f"{figure} of {name}"] = (values[0] - values[1]) / np.hypot(*errors)
    return scores


def assert_same_draws(first: sb.Fit, second: sb.Fit, points: sb.Runs) -> None:
    """Fail with a probability of 0.1% for two samples of the same posterior."""
    scores = z_scores(first, second, points)
    worst = max(scores, key=lambda figure: abs(scores[figure]))
    assert abs(scores[worst]) < stats.norm.isf(1e-3 / len(scores) / 2), (worst, scores[worst])


@pytest.fixture(scope="module")
def small(bent: Callable[..., sb.Runs]) -> sb.Runs:
    return bent(20, 1e18, 3e20, seed=3)


@pytest.mark.slow
def test_natural_coordinates_sample_the_same_posterior(smooth_fitter, small):
    careful = sb.SamplerSettings(draws=3000, tune=2000, target_accept=0.98, progressbar=False)
    natural = sb.fit(
        small,
        sb.laws.Chinchilla(),
        discrepancy=Smooth(),
        coordinates="natural",
        settings=careful,
        seed=2,
    )
    assert_same_draws(smooth_fitter.fit(small, seed=1), natural, small)


@pytest.mark.slow
def test_pymcs_sampler_gives_the_same_posterior(smooth_fitter, small):
    theirs = sb.fit(
        small,
        sb.laws.Chinchilla(),
        discrepancy=Smooth(),
        sampler="pymc",
        settings=sb.SamplerSettings(chains=2, progressbar=False),
        seed=2,
    )
    assert_same_draws(smooth_fitter.fit(small, seed=1), theirs, small)


# Draws of the discrepancy


N_DRAWS = 2000
TAU = 0.05


@pytest.fixture(scope="module")
def prior_weights() -> xr.Dataset:
    """A tau and weights from their prior given that tau."""
    weight = TAU * np.random.default_rng(6).standard_normal((2, N_DRAWS, 20))
    return xr.Dataset(
        {"tau": (ALL, np.full((2, N_DRAWS), TAU)), WEIGHT: ((*ALL, "component"), weight)},
        coords={"chain": [0, 1], "draw": np.arange(N_DRAWS)},
    )


@pytest.fixture(scope="module")
def known_weights(prior_weights: xr.Dataset) -> xr.Dataset:
    """The same weights in every draw."""
    first = prior_weights[WEIGHT].isel(chain=0, draw=0, drop=True)
    return prior_weights.assign({WEIGHT: first.broadcast_like(prior_weights[WEIGHT])})


def landmarks_of(runs: sb.Runs) -> dict[str, np.ndarray]:
    rows = Smooth().data(sizes_of(runs))[ROWS]
    return {name: values[rows[rows >= 0]] for name, values in sizes_of(runs).items()}


def sampled(draws: xr.Dataset, runs: sb.Runs, points: xr.Dataset, seed: int = 1) -> xr.DataArray:
    return Smooth().sample(draws, landmarks_of(runs), points, np.random.default_rng(seed))


@pytest.mark.parametrize("n_runs", [12, 60])
def test_at_landmarks_it_is_basis_times_weights_and_nearly_so_at_the_other_runs(
    simulate, prior_weights, n_runs
):
    runs = simulate(n_runs)
    data = Smooth().data(sizes_of(runs))
    expected = prior_weights[WEIGHT].to_numpy() @ data[BASIS].T
    delta = sampled(prior_weights, runs, points_at(*sizes_of(runs).values()))
    assert delta.dims == (*ALL, "point")
    rows = data[ROWS][data[ROWS] >= 0]
    np.testing.assert_allclose(delta[..., rows], expected[..., rows], atol=1e-4 * TAU)
    spread = TAU * np.sqrt(np.clip(1 - np.sum(data[BASIS] ** 2, axis=1), 0, None))
    ratio = (delta - expected).std(ALL).to_numpy() / np.where(spread > 1e-3 * TAU, spread, np.inf)
    assert ((abs(ratio - 1) < 0.1) | (spread <= 1e-3 * TAU)).all()


def test_weights_from_the_prior_give_the_gaussian_process_at_any_points(simulate, prior_weights):
    """Its covariance is tau squared times the kernel: near the runs, between and beyond them."""
    rng = np.random.default_rng(7)
    n_params, ratio = 10 ** rng.uniform(7, 12, 15), 10 ** rng.uniform(0, 3, 15)
    points = points_at(n_params, n_params * ratio)
    delta = sampled(prior_weights, simulate(30), points).to_numpy().reshape(-1, 15) / TAU
    log_c, log_r = np.log(n_params**2 * ratio), np.log(ratio)
    where = np.column_stack([log_c / np.log(100), log_r / np.log(50)])
    kernel = _matern52(where, where)
    error = np.sqrt((1 + kernel**2) / len(delta))
    assert (np.abs(delta.T @ delta / len(delta) - kernel) < 5 * error).all()
    assert (np.abs(delta.mean(axis=0)) < 5 / np.sqrt(len(delta))).all()


def test_uncertainty_grows_away_from_the_runs_to_tau(simulate, known_weights):
    runs = simulate(40)
    beyond = 10.0 ** np.arange(0, 11)
    points = points_at(10**9.5 * np.sqrt(beyond), 1e11 * np.sqrt(beyond))
    sd = sampled(known_weights, runs, points).std(ALL).to_numpy()
    assert (np.diff(sd[:6]) > 0).all()
    assert sd[0] < 0.3 * TAU
    assert sd[-1] == pytest.approx(TAU, rel=0.05)


def test_points_near_each_other_share_their_draws(simulate, known_weights):
    points = points_at([1e11, 1.05e11, 1e15], [2e12, 2.1e12, 2e16])
    delta = sampled(known_weights, simulate(40), points).to_numpy().reshape(-1, 3)
    correlation = np.corrcoef(delta.T)
    assert correlation[0, 1] > 0.99
    assert abs(correlation[0, 2]) < 0.1


def test_the_order_of_dims_of_draws_does_not_matter(simulate, prior_weights):
    points = points_at([1e9, 1e11], [2e10, 2e12])
    turned = prior_weights.transpose("component", "draw", "chain")
    expected = sampled(prior_weights, simulate(40), points)
    assert expected.sizes == {"chain": 2, "draw": N_DRAWS, "point": 2}
    np.testing.assert_array_equal(expected["draw"], np.arange(N_DRAWS))
    xr.testing.assert_identical(sampled(turned, simulate(40), points), expected)


def test_the_dim_of_points_keeps_its_name_and_a_seed_repeats(simulate, prior_weights):
    points = points_at([1e9, 1e11], [2e10, 2e12]).rename(point="budget")
    first, again, other = (
        sampled(prior_weights, simulate(40), points, seed=seed) for seed in (1, 1, 2)
    )
    assert first.dims == (*ALL, "budget")
    xr.testing.assert_identical(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        (["tokens"], "needs n_params and tokens of every point; the points have no tokens"),
        (["n_params"], "the points have no n_params"),
        (["n_params", "tokens"], "the points have no n_params and no tokens"),
    ],
)
def test_points_that_lack_a_size_are_refused(simulate, prior_weights, dropped, message):
    points = points_at([1e9], [2e10]).assign(flops=("point", [1.2e20])).drop_vars(dropped)
    with pytest.raises(InputError, match=message):
        sampled(prior_weights, simulate(40), points)


# Fits


def test_the_fit_knows_its_discrepancy(smooth_fit, bent_runs):
    assert smooth_fit.discrepancy == Smooth()
    assert smooth_fit.parameter_names == [*smooth_fit.law.parameter_names, "sigma", "nu", "tau"]
    assert "tau" in smooth_fit.diagnostics.parameters.index
    assert repr(smooth_fit).startswith(
        "Fit of chinchilla with student-t noise and smooth discrepancy to 60 runs"
    )
    error = smooth_fit.discrepancy_draws
    assert isinstance(error, DiscrepancyDraws)
    assert set(error.draws.data_vars) == {"tau", WEIGHT}
    expected = landmarks_of(bent_runs)
    for name, values in error.landmarks.items():
        np.testing.assert_array_equal(values, expected[name])


def test_a_fit_without_discrepancy_has_none(plain_fit):
    assert plain_fit.discrepancy is None
    assert plain_fit.discrepancy_draws is None
    assert "tau" not in plain_fit.summary().to_frame().index
    assert "discrepancy" not in repr(plain_fit)


def test_it_finds_the_bend_and_the_scale_of_the_noise(smooth_fit, plain_fit):
    tau = smooth_fit.data_tree["posterior"]["tau"]
    low, high = np.log(tau).quantile([0.005, 0.995]).to_numpy()
    assert low < np.log(BEND) < high
    sigma = [fit.noise_draws["sigma"] for fit in (smooth_fit, plain_fit)]
    assert abs(np.log(sigma[0]).mean() - np.log(SIGMA)) < 4 * np.log(sigma[0]).std()
    assert sigma[1].median() > 1.3 * sigma[0].median()


def test_at_the_runs_the_mean_curve_follows_them(smooth_fit, bent_runs, truth):
    curve = np.log(smooth_fit.forecast(bent_runs, seed=1).mean_curve)
    law = truth.law.loss(SimpleNamespace(**truth.values), bent_runs.frame)
    expected = np.log(law) + bend(bent_runs.frame["flops"])
    z = (curve.mean(ALL).to_numpy() - expected) / curve.std(ALL).to_numpy()
    assert np.abs(z).max() < 4.5
    assert float(curve.std(ALL).max()) < BEND / 3


def test_beyond_the_runs_the_forecast_holds_the_truth_which_the_plain_law_misses(
    smooth_fit, plain_fit, bent
):
    new = bent(20, 3e20, 1e22, seed=50)
    loss = new.frame["loss"].to_numpy()
    inside = {}
    for name, fit in (("smooth", smooth_fit), ("plain", plain_fit)):
        lower, upper = fit.forecast(new, seed=1).interval(prob=0.9).to_numpy()
        inside[name] = np.mean((lower < loss) & (loss < upper))
    assert inside["smooth"] >= 0.8
    assert inside["plain"] <= 0.4


def test_the_mean_curve_is_less_certain_than_without_and_more_so_farther_out(smooth_fit, plain_fit):
    where = {"flops": [1e22, 1e23, 1e24], "tokens": [2e11, 7e11, 2e12], "seed": 1}
    widths = [
        fit.forecast(**where).interval(of="mean_curve").diff("bound").to_numpy()[0]
        for fit in (smooth_fit, plain_fit)
    ]
    assert (widths[0] > 2 * widths[1]).all()
    assert (np.diff(widths[0]) > 0).all()


def test_a_seed_repeats_mean_curve_and_new_runs(smooth_fit):
    where = {"n_params": ["7B", "70B"], "tokens": ["140B", "1.4T"]}
    first, again, other = (smooth_fit.forecast(**where, seed=seed) for seed in (1, 1, 2))
    for of in ("mean_curve", "new_run"):
        assert first.draws(of).equals(again.draws(of))
        assert not first.draws(of).equals(other.draws(of))
    assert first.mean_curve.dims == (*ALL, "point")
    assert first.mean_curve.attrs["units"] == first.new_run.attrs["units"] == "nats per token"
    assert not np.allclose(first.mean_curve, first.new_run)


def test_the_summary_lists_tau_after_the_noise(smooth_fit):
    table = smooth_fit.summary().to_frame()
    assert list(table.index) == [
        *smooth_fit.law.parameter_names,
        *("sigma", "nu", "tau", "A", "B", "a", "b"),
    ]
    assert table.loc["tau", "kind"] == "discrepancy"
    tau = smooth_fit.data_tree["posterior"]["tau"]
    assert table.loc["tau", "mean"] == pytest.approx(float(tau.mean()))
    assert "tau" in repr(smooth_fit.summary())


def test_prior_and_posterior_predictive(smooth_fit, bent_runs):
    prior = smooth_fit.prior_predictive(draws=300, seed=1)
    assert prior["prior"][WEIGHT].sizes["component"] == 20
    of_tau = Smooth().priors["tau"].parameters
    z = (np.log(prior["prior"]["tau"]) - of_tau["mu"]) / of_tau["sigma"]
    assert abs(float(z.mean())) < 5 / np.sqrt(300)
    assert prior["prior_predictive"]["log_loss"].sizes["run"] == 60

    tree = smooth_fit.posterior_predictive(seed=1)
    predicted = tree["posterior_predictive"]["log_loss"]
    below = (predicted < tree["observed_data"]["log_loss"]).mean(ALL)
    assert stats.kstest(below, "uniform").pvalue > 1e-3
    # The same as a forecast of new runs at the sizes of the runs.
    forecast = np.log(smooth_fit.forecast(bent_runs, seed=1).new_run)
    for q in (0.1, 0.5, 0.9):
        ours, theirs = (draws.quantile(q, ALL).to_numpy() for draws in (forecast, predicted))
        assert np.abs(ours - theirs).max() < SIGMA / 2


def test_log_likelihoods_are_to_be_had(smooth_fit, bent_runs):
    with smooth_fit.model:
        found = compute_log_likelihood(
            smooth_fit.data_tree, extend_inferencedata=False, progressbar=False
        )["log_loss"]
    draw = smooth_fit.data_tree["posterior"].to_dataset().isel(chain=2, draw=77)
    basis = Smooth().data(sizes_of(bent_runs))[BASIS]
    mean = np.log(smooth_fit.law.loss(draw, bent_runs.frame.to_xarray())).to_numpy()
    mean = mean + basis @ draw[WEIGHT].to_numpy()
    observed = np.log(bent_runs.frame["loss"])
    expected = stats.t.logpdf(observed, draw["nu"].item(), mean, draw["sigma"].item())
    np.testing.assert_allclose(found[2, 77], expected, rtol=1e-8, atol=1e-8)


def test_the_sampling_model_is_the_one_that_was_sampled(smooth_fit):
    model = smooth_fit.sampling_model
    log_density = model.compile_logp(**QUICK)
    draws = smooth_fit.data_tree["posterior"].to_dataset().isel(chain=1)
    for draw in (0, 999):
        point = {}
        for rv in model.free_RVs:
            value, transform = draws[rv.name][draw].to_numpy(), model.rvs_to_transforms[rv]
            if transform is not None:
                value = transform.forward(value, *rv.owner.inputs).eval(mode="FAST_COMPILE")
            point[model.rvs_to_values[rv].name] = value
        there = float(smooth_fit.data_tree["sample_stats"]["logp"][1, draw])
        assert float(log_density(point)) == pytest.approx(there, rel=1e-9)


def test_the_check_finds_no_trend_that_the_plain_law_leaves(smooth_fit, plain_fit):
    checks = [fit.check(seed=1) for fit in (smooth_fit, plain_fit)]
    p = [check.trends.set_index(["quantity", "against"])["p"] for check in checks]
    assert p[0].min() > 0.01
    assert p[1].min() < 0.01


def test_the_check_tells_of_tau_but_not_of_its_weights(smooth_fit):
    check = smooth_fit.check(seed=1)
    for table in (check.sensitivity, check.identifiability):
        assert list(table.index) == smooth_fit.parameter_names
    assert set(check.sensitivity["most_sensitive_to"]) <= set(smooth_fit.parameter_names)
    tau = np.log(smooth_fit.data_tree["posterior"]["tau"])
    row = check.identifiability.loc["tau"]
    assert row["posterior_sd"] == pytest.approx(float(tau.std(ddof=1)))
    assert row["prior_sd"] == pytest.approx(0.9, rel=0.05)


# The fitter


@pytest.mark.parametrize("wrong", ["smooth", sb.discrepancy.Smooth, True])
def test_what_is_no_discrepancy_is_refused(wrong):
    with pytest.raises(sb.errors.InputError, match=r"sb\.discrepancy\.Smooth\(\)"):
        sb.Fitter(sb.laws.Chinchilla(), discrepancy=wrong)


def test_one_compilation_serves_runs_of_any_number(smooth_fitter, smooth_fit, bent, simulate):
    prepared = smooth_fitter._prepared
    for runs, n_landmarks in (
        (bent(12, 1e18, 3e20, seed=8), 6),
        (simulate(41), 20),
        (bent(150, 1e18, 3e20, seed=9), 20),
    ):
        fit = smooth_fitter.fit(runs, seed=1)
        assert fit.diagnostics.converged
        assert len(fit.discrepancy_draws.landmarks["n_params"]) == n_landmarks
        assert fit.data_tree["constant_data"][BASIS].shape == (len(runs), 20)
        assert np.isfinite(fit.forecast(n_params="70B", tokens="1.4T").mean_curve).all()
    assert smooth_fitter._prepared is prepared


def test_components_that_the_runs_lack_keep_their_prior(smooth_fitter, bent):
    fit = smooth_fitter.fit(bent(12, 1e18, 3e20, seed=8), seed=1)
    posterior = fit.data_tree["posterior"]
    z = (posterior[WEIGHT] / posterior["tau"]).isel(component=slice(6, None))
    spread = z.std(ALL).to_numpy()
    np.testing.assert_allclose(spread, 1, atol=0.1)
    assert np.abs(z.mean(ALL)).max() < 0.1


@pytest.mark.parametrize("n_runs", [12, 40, 80])
def test_runs_that_follow_the_law_pass_the_gate_at_once(smooth_fitter, simulate, n_runs):
    """Where there is nothing to find, tau and the weights shrink together."""
    for seed in range(3):
        fit = smooth_fitter.fit(simulate(n_runs, seed=20 + seed), seed=1)
        energy = fit.data_tree["sample_stats"]["energy"]
        assert arviz_stats.bfmi(energy).min() > 0.5
        assert fit.data_tree["posterior"]["tau"].median() < 0.05


def test_the_same_seed_gives_the_same_fit(smooth_fitter, smooth_fit, bent_runs):
    again = smooth_fitter.fit(bent_runs, seed=1)
    xr.testing.assert_equal(
        again.data_tree["posterior"].to_dataset(), smooth_fit.data_tree["posterior"].to_dataset()
    )


def test_a_pickled_fitter_keeps_its_discrepancy(smooth_fitter, smooth_fit):
    copy = pickle.loads(pickle.dumps(smooth_fitter))
    assert copy._prepared is None
    assert copy.discrepancy == Smooth()
    unpickled = pickle.loads(pickle.dumps(replace(smooth_fit)))
    assert unpickled.discrepancy == Smooth()
    where = {"n_params": "7B", "tokens": "140B", "seed": 1}
    assert unpickled.forecast(**where).new_run.equals(smooth_fit.forecast(**where).new_run)


# Files


def test_a_saved_fit_comes_back_with_its_discrepancy(smooth_fit, tmp_path):
    loaded = sb.load(smooth_fit.save(tmp_path / "fit.nc"))
    assert loaded.discrepancy == smooth_fit.discrepancy
    assert repr(loaded) == repr(smooth_fit)
    for group, node in smooth_fit.data_tree.children.items():
        xr.testing.assert_identical(loaded.data_tree[group].to_dataset(), node.to_dataset())
    where = {"n_params": "70B", "tokens": "1.4T", "seed": 1}
    assert loaded.forecast(**where).new_run.equals(smooth_fit.forecast(**where).new_run)
    pd.testing.assert_frame_equal(loaded.summary().to_frame(), smooth_fit.summary().to_frame())
    names = [{rv.name for rv in fit.sampling_model.free_RVs} for fit in (loaded, smooth_fit)]
    assert names[0] == names[1]


def test_users_priors_of_tau_come_back(smooth_fit, tmp_path):
    path = replace(smooth_fit, discrepancy=Smooth(priors=WIDER)).save(tmp_path / "fit.nc")
    assert sb.load(path).discrepancy == Smooth(priors=WIDER)
    assert sb.load(path, discrepancy=Smooth(priors=WIDER)).discrepancy.priors == WIDER


def test_a_discrepancy_of_ones_own_has_to_be_given(smooth_fit, tmp_path):
    path = replace(smooth_fit, discrepancy=Steep()).save(tmp_path / "fit.nc")
    message = (
        r"discrepancy 'steep' \(class Steep\), which scaling_bayes does not ship.*discrepancy="
    )
    with pytest.raises(FileFormatError, match=message):
        sb.load(path)
    assert type(sb.load(path, discrepancy=Steep()).discrepancy) is Steep


def test_another_discrepancy_than_the_stored_one_is_refused(smooth_fit, tmp_path):
    path = smooth_fit.save(tmp_path / "fit.nc")
    with pytest.raises(FileFormatError, match=r"fit with discrepancy 'smooth'.*'steep'"):
        sb.load(path, discrepancy=Steep())
    with pytest.raises(FileFormatError, match=r"tau ~ LogNormal.*tau ~ HalfNormal"):
        sb.load(path, discrepancy=Smooth(priors=WIDER))


def test_a_discrepancy_given_for_a_fit_without_one_is_refused(plain_fit, tmp_path):
    path = plain_fit.save(tmp_path / "fit.nc")
    assert sb.load(path).discrepancy is None
    with pytest.raises(FileFormatError, match=r"holds a fit without discrepancy.*'smooth'"):
        sb.load(path, discrepancy=Smooth())


def test_a_file_of_before_there_was_discrepancy_loads(plain_fit, tmp_path):
    with xr.open_datatree(plain_fit.save(tmp_path / "fit.nc")) as stored:
        tree = stored.load()
    assert json.loads(tree.attrs.pop("discrepancy")) is None
    tree.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    loaded = sb.load(tmp_path / "old.nc")
    assert loaded.discrepancy is None
    where = {"n_params": "70B", "tokens": "1.4T", "seed": 1}
    assert loaded.forecast(**where).new_run.equals(plain_fit.forecast(**where).new_run)


@pytest.mark.parametrize("broken", ["{", ""])
def test_a_damaged_description_of_it_is_refused(smooth_fit, tmp_path, broken):
    with xr.open_datatree(smooth_fit.save(tmp_path / "fit.nc")) as stored:
        tree = stored.load()
    tree.attrs["discrepancy"] = broken
    tree.to_netcdf(tmp_path / "damaged.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match=r"damaged\.nc is damaged"):
        sb.load(tmp_path / "damaged.nc")
