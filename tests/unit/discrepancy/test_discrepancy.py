from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import gamma, kv

import scaling_bayes as sb
from scaling_bayes.discrepancy import (
    BASIS,
    DIRECTIONS,
    ROWS,
    STRENGTHS,
    WEIGHT,
    DiscrepancyDraws,
    Smooth,
    SmoothInOneSize,
    suited_to,
)
from scaling_bayes.discrepancy._components import Components, leading_rows
from scaling_bayes.discrepancy._smooth import _slope_of_matern52, matern52
from scaling_bayes.errors import InputError

ALL = ("chain", "draw")


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
    np.testing.assert_allclose(matern52(ends, np.zeros((1, 2)))[:, 0], expected, rtol=1e-10)
    np.testing.assert_array_equal(np.diag(matern52(ends, ends)), 1)


def test_with_all_places_as_landmarks_the_components_give_the_kernel():
    here = places(30, 5)
    values = Components(matern52, here).at(here)
    np.testing.assert_allclose(values @ values.T, matern52(here, here), atol=1e-8)


def test_landmarks_that_are_chosen_until_nothing_is_left_give_the_kernel():
    here = places(30, 1)
    rows = leading_rows(here, matern52, 30)
    values = Components(matern52, here[rows]).at(here)
    np.testing.assert_allclose(values @ values.T, matern52(here, here), atol=2e-6)


def test_each_landmark_is_the_place_that_the_ones_before_leave_most_uncertain():
    here = places(80, 2)
    rows = leading_rows(here, matern52, 12)
    assert len(rows) == 12
    for n_before in range(1, 12):
        z = here[rows[:n_before]]
        explained = matern52(here, z) @ np.linalg.solve(matern52(z, z), matern52(z, here))
        assert np.argmax(1 - np.diag(explained)) == rows[n_before]


def test_twenty_landmarks_explain_nearly_all_over_four_decades_of_compute():
    here = places(200, 2)
    few, many = (
        Components(matern52, here[leading_rows(here, matern52, n)]).at(here) for n in (5, 20)
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
    components = Components(matern52, places(6, 1))
    values = components.at(here)
    lacking = matern52(here, here) - values @ values.T
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
    rest = Components(matern52, landmarks).rest(
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
    rng = np.random.default_rng(seed)
    return Smooth().functions(draws, landmarks_of(runs), rng)(points)


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
    variance = (delta - expected).var(ALL).to_numpy() / TAU**2
    left_over = np.clip(1 - np.sum(data[BASIS] ** 2, axis=1), 0, None)
    # Functions are drawn once up to a hundredth of the variance.
    np.testing.assert_allclose(variance, left_over, rtol=0.2, atol=0.011)


def test_weights_from_the_prior_give_the_gaussian_process_at_any_points(simulate, prior_weights):
    """Its covariance is tau squared times the kernel: near the runs, between and beyond them."""
    rng = np.random.default_rng(7)
    n_params, ratio = 10 ** rng.uniform(7, 12, 15), 10 ** rng.uniform(0, 3, 15)
    points = points_at(n_params, n_params * ratio)
    delta = sampled(prior_weights, simulate(30), points).to_numpy().reshape(-1, 15) / TAU
    log_c, log_r = np.log(n_params**2 * ratio), np.log(ratio)
    where = np.column_stack([log_c / np.log(100), log_r / np.log(50)])
    kernel = matern52(where, where)
    error = np.sqrt((1 + kernel**2) / len(delta))
    assert (np.abs(delta.T @ delta / len(delta) - kernel) < 5 * error).all()
    assert (np.abs(delta.mean(axis=0)) < 5 / np.sqrt(len(delta))).all()


def test_uncertainty_grows_away_from_the_runs_to_tau(simulate, known_weights):
    runs = simulate(40)
    beyond = 10.0 ** np.arange(0, 11)
    points = points_at(10**9.5 * np.sqrt(beyond), 1e11 * np.sqrt(beyond))
    sd = sampled(known_weights, runs, points).std(ALL).to_numpy()
    assert (np.diff(sd[:5]) > 0).all()
    assert sd[0] < 0.3 * TAU
    np.testing.assert_allclose(sd[4:], TAU, rtol=0.05)


def test_functions_do_not_jump_where_they_are_no_longer_drawn_once(simulate, prior_weights):
    landmarks = landmarks_of(simulate(40))
    drawn = DiscrepancyDraws(Smooth(), prior_weights, landmarks)
    n_params = np.geomspace(1e8, 1e14, 4000)
    delta = drawn.at(points_at(n_params, 20 * n_params)).to_numpy().reshape(-1, len(n_params))
    assert np.abs(np.diff(delta, axis=1)).max() < 0.15 * TAU


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
    drawn = DiscrepancyDraws(Smooth(), prior_weights, landmarks_of(simulate(40)))
    with pytest.raises(InputError, match=f"{message}. Give two of n_params, tokens and flops"):
        drawn.at(points)


@pytest.mark.parametrize("factor", [1.0, 1e2, 1e9])
def test_functions_are_the_same_whatever_is_asked_beside_them(simulate, prior_weights, factor):
    """Near the runs one by one; far beyond only for the same question."""
    points = points_at([1e9, 3e9, 2e10], np.array([2e10, 5e10, 1e11]) * factor)
    drawn = DiscrepancyDraws(Smooth(), prior_weights, landmarks_of(simulate(40)))
    first = drawn.at(points)
    xr.testing.assert_identical(drawn.at(points), first)
    alone = drawn.at(points.isel(point=[1]))
    assert bool(np.allclose(alone, first[..., [1]])) == (factor < 1e9)


def test_a_discrepancy_in_one_size_reads_that_size_only(simulate):
    smooth = SmoothInOneSize("flops")
    sizes = simulate(40).covariates(("flops",))
    data = smooth.data(sizes)
    assert data[BASIS].shape == (40, smooth.n_components)
    runs_of = xr.Dataset({"flops": ("point", [1e20, 1e24])})
    weights = xr.Dataset(
        {
            "tau": (ALL, np.full((2, 500), TAU)),
            WEIGHT: ((*ALL, "component"), np.zeros((2, 500, smooth.n_components))),
        }
    )
    rows = data[ROWS][data[ROWS] >= 0]
    landmarks = {"flops": sizes["flops"][rows]}
    sd = smooth.functions(weights, landmarks, np.random.default_rng(1))(runs_of).std(ALL)
    assert sd[0] < 0.05 * TAU < 0.8 * TAU < sd[1]


def test_what_suits_a_law_follows_from_the_sizes_that_it_reads():
    assert suited_to(("n_params", "tokens")) == Smooth()
    assert suited_to(("n_params", "tokens", "flops", "epochs")) == Smooth()
    assert suited_to(("flops",)).name == "smooth-c"
    assert suited_to(("tokens", "epochs")).covariates == ("tokens",)
    with pytest.raises(InputError, match="cannot be in 'epochs'"):
        SmoothInOneSize("epochs")


# Functions given slopes


def along_budgets(discrepancy: Smooth) -> np.ndarray:
    """Return how places change with log N where compute stays."""
    one, e = np.ones(1), np.full(1, np.e)
    changed = discrepancy.places({"n_params": e, "tokens": 1 / e})
    return (changed - discrepancy.places({"n_params": one, "tokens": one}))[0]


@pytest.fixture(scope="module")
def free(simulate, prior_weights):
    """Functions with weights from the prior, and the places at which slopes are asked for."""
    runs, rng = simulate(60), np.random.default_rng(1)
    found = Smooth().functions(prior_weights, landmarks_of(runs), rng)
    sizes = {"n_params": np.geomspace(1e9, 1e11, 5), "tokens": np.geomspace(3e11, 3e12, 5)}
    return found, found.discrepancy.places(sizes), sizes


def slopes_by_differences(functions, sizes) -> np.ndarray:
    step = 1e-4
    ends = [
        functions(points_at(sizes["n_params"] * np.exp(h), sizes["tokens"] * np.exp(-h)))
        for h in (step, -step)
    ]
    return ((ends[0] - ends[1]) / (2 * step)).to_numpy().reshape(-1, len(sizes["tokens"]))


def test_functions_have_the_slopes_that_they_are_given(free):
    functions, places, sizes = free
    n_draws = functions.tau.size
    wanted = 0.01 * np.random.default_rng(0).standard_normal((n_draws, 5))
    at = np.tile(np.arange(5), (n_draws, 1))
    along = along_budgets(functions.discrepancy)
    found = functions.with_slopes(
        places, along, at=at, slopes=wanted, variance=np.full(wanted.shape, 1e-12)
    )
    # What the components leave over of a slope, at most a hundredth of a variance, is not met.
    before = slopes_by_differences(functions, sizes) - wanted
    after = slopes_by_differences(found, sizes) - wanted
    assert np.sqrt(np.mean(after**2)) < 0.2 * np.sqrt(np.mean(before**2))
    known = slice(None, functions.n_known)
    np.testing.assert_array_equal(found.weights[..., known], functions.weights[..., known])


def test_slopes_of_no_weight_change_nothing(free):
    functions, places, _ = free
    at = np.zeros((functions.tau.size, 1), dtype=int)
    along = along_budgets(functions.discrepancy)
    found = functions.with_slopes(
        places, along, at=at, slopes=np.ones(at.shape), variance=np.full(at.shape, 1e9)
    )
    np.testing.assert_allclose(found.weights, functions.weights, rtol=0, atol=1e-8)


def test_given_slopes_the_free_weights_are_those_of_a_gaussian_process(free):
    functions, places, _ = free
    n_draws, variance = 40_000, 1e-4
    rng = np.random.default_rng(1)
    shape = (1, n_draws, functions.weights.shape[-1])
    weights = 0.05 * rng.standard_normal(shape)
    weights[..., : functions.n_known] = 0.02
    tau = xr.DataArray(np.full((1, n_draws), 0.05), dims=("chain", "draw"))
    drawn = replace(functions, tau=tau, weights=weights)
    along = along_budgets(functions.discrepancy)
    wanted = 0.02 + np.sqrt(variance) * rng.standard_normal((n_draws, 2))
    at = np.tile([1, 3], (n_draws, 1))
    found = drawn.with_slopes(
        places, along, at=at, slopes=wanted, variance=np.full((n_draws, 2), variance)
    )
    effects = _slope_of_matern52(places[[1, 3]], functions.components.landmarks, along)
    effects = effects @ functions._whitening
    known, loose = effects[:, : functions.n_known], effects[:, functions.n_known :]
    left_over = 5 / 3 * along @ along - np.sum(effects**2, axis=1)
    joint = 0.05**2 * (loose @ loose.T + np.diag(left_over)) + variance * np.eye(2)
    gain = 0.05**2 * loose.T @ np.linalg.inv(joint)
    expected = gain @ (0.02 - known.sum(axis=1) * 0.02)
    covariance = 0.05**2 * (np.eye(loose.shape[1]) - gain @ loose)
    free_weights = found.weights[0, :, functions.n_known :]
    error = 4.5 * 0.05 / np.sqrt(n_draws)
    np.testing.assert_allclose(free_weights.mean(axis=0), expected, atol=error)
    # The draws answer a wanted slope that itself is drawn: that of N(0.02, variance).
    spread = np.cov(free_weights, rowvar=False)
    fitted = covariance + gain @ (variance * np.eye(2)) @ gain.T
    left = gain @ np.diag(0.05**2 * left_over) @ gain.T
    np.testing.assert_allclose(spread, fitted - left, atol=12 * 0.05**2 / np.sqrt(n_draws))
