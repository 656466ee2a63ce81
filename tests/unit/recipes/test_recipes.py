from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._recipes.crossing import crossing
from scaling_bayes._recipes.likeness import exponents_of, natural_parameters
from scaling_bayes._recipes.pair_check import check_pairs
from scaling_bayes._recipes.pairs import combined, find_pairs
from scaling_bayes._recipes.recipe import Recipe
from scaling_bayes._recipes.recipe_model import build_recipe_model, recipe_data
from scaling_bayes._recipes.recipes_at import recipes_at
from scaling_bayes._recipes.same_winner import same_winner
from scaling_bayes._recipes.sharing import log_density_at_zero, sharing
from scaling_bayes.errors import (
    ConvergenceError,
    IdentifiabilityError,
    InputError,
    NoOptimumError,
)

NAMES = ("adam", "muon")
SIGMA, CORRELATION = 0.005, 0.8


@pytest.fixture(scope="module")
def both_runs(truth) -> dict[str, sb.Runs]:
    """Twenty-four pairs of runs; the second recipe needs exp(-0.1/alpha) of the compute."""
    rng = np.random.default_rng(1)
    sizes = pd.DataFrame(
        {"n_params": 10 ** rng.uniform(7.5, 9.5, 24), "tokens": 10 ** rng.uniform(9, 11, 24)}
    )
    centre = SimpleNamespace(**np.exp(np.log(sizes).mean()))
    common = np.sqrt(CORRELATION) * rng.standard_normal(24)
    found = {}
    for name, side in zip(NAMES, (-0.5, 0.5), strict=True):
        p = natural_parameters(
            truth.law,
            SimpleNamespace(**truth.values),
            {"N_c_term": -0.1, "D_c_term": -0.1},
            centre,
            side=side,
        )
        noise = SIGMA * (common + np.sqrt(1 - CORRELATION) * rng.standard_normal(24))
        loss = truth.law.loss(p, sizes) * np.exp(noise)
        found[name] = sb.read_runs(sizes.assign(loss=loss))
    return found


@pytest.fixture(scope="module")
def short() -> sb.SamplerSettings:
    return sb.SamplerSettings(draws=1000, chains=2, progressbar=False)


@pytest.fixture(scope="module")
def fitter(short) -> sb.RecipeFitter:
    return sb.RecipeFitter(sb.laws.Chinchilla(), settings=short)


@pytest.fixture(scope="module")
def both(fitter, both_runs) -> sb.RecipeComparison:
    return fitter.fit(both_runs, seed=1)


@pytest.fixture(scope="module")
def alike(both_runs, short) -> sb.RecipeComparison:
    return sb.compare_recipes(
        both_runs,
        sb.laws.Chinchilla(),
        share=("exponents", "L_inf"),
        pair_by=None,
        noise=sb.noise.Normal(),
        settings=short,
        seed=1,
    )


def made_up(law: sb.Law, *draws: Mapping[str, object]) -> dict[str, Recipe]:
    """Return recipes whose posterior is what is given, each a number or of shape (draw,)."""
    n_draws = max(np.size(value) for values in draws for value in values.values())
    return {
        name: Recipe(
            name,
            law,
            sb.noise.Normal(),
            SimpleNamespace(flops_per_param_token=6.0, loss_unit="nats per token"),
            xr.Dataset(
                {
                    key: (("chain", "draw"), np.broadcast_to(value, (1, n_draws)))
                    for key, value in values.items()
                }
            ),
            xr.Dataset(),
        )
        for name, values in zip(NAMES, draws, strict=True)
    }


def power_law(floor: object, scale: object, exponent: object) -> dict[str, object]:
    return {"L_inf": floor, "alpha_C": exponent, "C_c": scale}


# The parameters of each recipe


def test_each_part_of_the_law_has_the_log_ratio_stated(sum_of_powers):
    middle = SimpleNamespace(
        **{
            name: float(pm.draw(prior.dist(), random_seed=1))
            for name, prior in sum_of_powers.priors.items()
        }
    )
    centre = {"n_params": 3e8, "tokens": 2e10, "flops": 4e19}
    centres = SimpleNamespace(**{name: centre[name] for name in sum_of_powers.covariates})
    log_ratios = dict.fromkeys(exponents_of(sum_of_powers), 0.1)
    log_ratios |= {
        f"{term.scale}_term": -0.1 * i for i, term in enumerate(sum_of_powers.terms, start=1)
    }
    if sum_of_powers.irreducible:
        log_ratios["L_inf"] = 0.05

    first, second = (
        natural_parameters(sum_of_powers, middle, log_ratios, centres, side=side)
        for side in (-0.5, 0.5)
    )

    for name in exponents_of(sum_of_powers):
        assert getattr(second, name) / getattr(first, name) == pytest.approx(np.exp(0.1))
    for of, expected in log_ratios.items():
        if of.endswith("_term"):
            sizes = [
                term_size(sum_of_powers, p, centres, of.removesuffix("_term"))
                for p in (first, second)
            ]
            assert np.log(sizes[1] / sizes[0]) == pytest.approx(expected, rel=1e-9)
    if sum_of_powers.irreducible:
        assert np.log(second.L_inf / first.L_inf) == pytest.approx(0.05)


def term_size(law: sb.laws.PowerSum, p: object, x: object, scale: str) -> float:
    """Return the part of the loss that a term has in proportion to its ratio to the power."""
    inner = {
        term.scale: (getattr(p, term.scale) / getattr(x, term.covariate))
        ** law.inner_exponent(term, p)
        for term in law.terms
    }
    reducible = law.loss(p, x) - (p.L_inf if law.irreducible else 0.0)
    return reducible * inner[scale] / sum(inner.values())


def test_no_log_ratios_give_the_middle_back(sum_of_powers):
    middle = SimpleNamespace(
        **{
            name: float(pm.draw(prior.dist(), random_seed=2))
            for name, prior in sum_of_powers.priors.items()
        }
    )
    centres = SimpleNamespace(**dict.fromkeys(sum_of_powers.covariates, 1e9))
    p = natural_parameters(sum_of_powers, middle, {}, centres, side=0.5)
    for name in sum_of_powers.parameter_names:
        assert getattr(p, name) == pytest.approx(getattr(middle, name), rel=1e-9)


def test_it_does_not_matter_which_recipe_is_first(both_runs):
    first, second = both_runs.values()
    # As many of one as of the other would hide an exchange of the two.
    first = first.where(np.arange(24) < 20)
    spreads = sb.Likeness().spreads(sb.laws.Chinchilla())
    log_densities = []
    for pair, sign in (((first, second), 1), ((second, first), -1)):
        model = model_of(*pair, spreads)
        point = model.initial_point()
        for i, name in enumerate(spreads):
            point[f"shift_{name}"] = np.array(sign * 0.02 * (i + 1))
        log_densities.append(float(model.compile_logp()(point)))
    assert log_densities[0] == pytest.approx(log_densities[1], abs=1e-6)


def model_of(first: sb.Runs, second: sb.Runs, spreads: Mapping[str, float]) -> pm.Model:
    law = sb.laws.Chinchilla()
    pairs = find_pairs(first, second, NAMES, ("n_params", "tokens"))
    pooled = sb.Runs(pd.concat([first.frame, second.frame], ignore_index=True))
    data = recipe_data(pooled, len(first), law, pairs)
    return build_recipe_model(data, law, sb.noise.Normal(), spreads)


# Pairs


def test_means_and_differences_are_as_uncorrelated_as_said(both_runs):
    first, second = both_runs.values()
    pairs = find_pairs(first, second.where(np.arange(24) % 3 > 0), NAMES, ("n_params", "tokens"))
    assert len(pairs) == 16
    weight = np.random.default_rng(0).uniform(0.5, 4, 24 + 16)
    data = SimpleNamespace(**pairs.data(weight, 24))
    transform = np.stack([combined(row, data) for row in np.eye(40)], axis=1)
    correlation = np.eye(40)
    for i, j in zip(pairs.first, 24 + pairs.second, strict=True):
        correlation[i, j] = correlation[j, i] = 0.6
    covariance = correlation / np.sqrt(np.outer(weight, weight))

    found = transform @ covariance @ transform.T

    np.testing.assert_allclose(found, np.diag(1 + 0.6 * data.side), atol=1e-12)
    assert sorted(data.side) == [-1] * 16 + [0] * 8 + [1] * 16


def test_with_normal_noise_a_pair_has_a_common_effect(both_runs):
    """The likelihood is that of a Normal with correlated noise, written down by itself."""
    first, second = (runs.where(np.arange(24) < 3) for runs in both_runs.values())
    model = model_of(first, second, {"L_inf": 0.05})
    frames = [first.frame, second.frame]
    law, sigma, rho = sb.laws.Chinchilla(), 0.01, 0.7
    point = {name: np.array(value) for name, value in model.initial_point().items()} | {
        "sigma_log__": np.log(sigma),
        "pair_correlation_interval__": np.log(rho / (1 - rho)),
    }
    names = [f"{which}_{name}" for which in ("first", "second") for name in law.parameter_names]
    in_point = model.replace_rvs_by_values([model[name] for name in names])
    log_likelihood = model.logp(vars=[model["combined_log_loss"]])
    *found, likelihood = model.compile_fn([*in_point, log_likelihood])(point)
    values = dict(zip(names, found, strict=True))
    means, observed = [], []
    for which, frame in zip(("first", "second"), frames, strict=True):
        p = SimpleNamespace(**{name: values[f"{which}_{name}"] for name in law.parameter_names})
        means.append(np.log(law.loss(p, frame)))
        observed.append(np.log(frame["loss"]))
    covariance = sigma**2 * np.kron([[1, rho], [rho, 1]], np.eye(3))
    expected = stats.multivariate_normal(np.concatenate(means), covariance).logpdf(
        np.concatenate(observed)
    )
    assert float(likelihood) == pytest.approx(expected, rel=1e-9)


def table(**columns: object) -> sb.Runs:
    frame = pd.DataFrame({"loss": 3.0, "weight": 1.0, "flops": 1e18} | columns)
    return sb.Runs(frame)


def test_runs_pair_by_the_columns_named():
    first = table(n_params=[1e8, 2e8, 4e8], tokens=[1e9, 1e9, 1e9], seed=[1.0, 2.0, np.nan])
    second = table(
        n_params=[4e8, 2e8, 1e8, 3e8], tokens=[1e9, 1e9 * (1 + 1e-9), 2e9, 1e9], seed=[1.0, 3, 1, 1]
    )
    by_size = find_pairs(first, second, NAMES, ("n_params", "tokens"))
    assert by_size.first.tolist() == [1, 2]
    assert by_size.second.tolist() == [1, 0]
    assert len(find_pairs(first, second, NAMES, ("n_params", "tokens", "seed"))) == 0
    # The run without a seed has no pair.
    only = first.where(np.arange(3) != 1)
    by_seed = find_pairs(only, second.where("seed == 3"), NAMES, "seed")
    assert len(by_seed) == 0


def test_runs_with_another_seed_are_told_apart():
    sizes = {"n_params": [1e8, 1e8], "tokens": [1e9, 1e9]}
    first, second = table(**sizes, seed=[1, 2]), table(**sizes, seed=[2, 1])
    pairs = find_pairs(first, second, NAMES, ("n_params", "tokens", "seed"))
    np.testing.assert_array_equal(
        first.frame["seed"].to_numpy()[pairs.first], second.frame["seed"].to_numpy()[pairs.second]
    )
    with pytest.raises(
        InputError, match=r"2 runs of 'adam' and 2 of 'muon' have n_params = 1e\+08"
    ):
        find_pairs(first, second, NAMES, ("n_params", "tokens"))


def test_no_pairs_are_a_note():
    first, second = (table(n_params=[size], tokens=[1e9]) for size in (1e8, 2e8))
    pairs = find_pairs(first, second, NAMES, ("n_params", "tokens"))
    assert len(pairs) == 0
    assert pairs.notes == (
        "no runs of the two agree in n_params and tokens, so there are no pairs",
    )
    assert find_pairs(first, second, NAMES, None).notes == ()


@pytest.mark.parametrize("ratio", [1.0, 1.01])
def test_the_same_runs_twice_are_refused(ratio):
    first = table(n_params=[1e8, 2e8, 4e8], tokens=[1e9] * 3, loss=[3.0, 2.9, 2.8])
    second = sb.Runs(first.frame.assign(loss=ratio * first.frame["loss"]))
    words = rf"in all 3 pairs the loss of 'muon' is {ratio:g} times that of 'adam'.*same runs"
    with pytest.raises(InputError, match=words):
        find_pairs(first, second, NAMES, ("n_params", "tokens"))
    assert len(find_pairs(first, second, NAMES, None)) == 0


def test_a_column_that_is_missing_is_named(both_runs):
    with pytest.raises(InputError, match=r"pair_by is \('seed',\), and the columns of 'adam' are"):
        sb.compare_recipes(both_runs, sb.laws.Chinchilla(), pair_by=("seed",))


# Loss, multiplier, crossing, winner


@pytest.fixture(scope="module")
def sharing_floor_and_exponents() -> dict[str, Recipe]:
    rng = np.random.default_rng(2)
    common = {
        "L_inf": rng.uniform(1, 2, 50),
        "alpha_N": rng.uniform(0.2, 0.5, 50),
        "alpha_D": rng.uniform(0.2, 0.5, 50),
    }
    scales = [
        {"N_c": 10 ** rng.uniform(7, 9, 50), "D_c": 10 ** rng.uniform(8, 10, 50)} for _ in "12"
    ]
    return made_up(sb.laws.Chinchilla(), *(common | each for each in scales))


def test_with_floor_and_exponents_shared_the_multiplier_has_a_closed_form(
    sharing_floor_and_exponents,
):
    at = recipes_at(sharing_floor_and_exponents, flops=["1e20", "1e24"])
    p = sharing_floor_and_exponents["adam"].draws
    exponent = p.alpha_N * p.alpha_D / (p.alpha_N + p.alpha_D)
    adam, muon = (at.loss.sel(recipe=name) - p.L_inf for name in NAMES)
    expected = (adam / muon) ** (1 / exponent)
    np.testing.assert_allclose(at.multiplier, expected.transpose(*at.multiplier.dims), rtol=1e-6)
    assert 0.1 < at.probability_better.sel(recipe="muon")[0] < 0.9


def test_it_says_how_far_beyond_the_runs_it_is(both):
    largest = max(one.runs.frame["flops"].max() for one in both.recipes.values())
    assert "10 times the compute of the largest run" in repr(both.at(flops=10 * largest))
    assert "times the compute of the largest run" not in repr(both.at(flops=largest))


def test_at_a_model_size_tokens_per_parameter_are_kept(sharing_floor_and_exponents):
    recipes = sharing_floor_and_exponents
    at = recipes_at(recipes, n_params="1B", tokens="20B")
    times = at.multiplier
    sizes = {"n_params": 1e9 * times**0.5, "tokens": 2e10 * times**0.5}
    adam = sb.laws.Chinchilla().loss(recipes["adam"].draws, SimpleNamespace(**sizes))
    np.testing.assert_allclose(adam, at.loss.sel(recipe="muon"), rtol=1e-9)


def test_the_multiplier_is_above_one_where_the_second_is_better(sharing_floor_and_exponents):
    at = recipes_at(sharing_floor_and_exponents, flops="1e22")
    np.testing.assert_array_equal(at.multiplier > 1, at.difference < 0)
    np.testing.assert_allclose(at.ratio - 1, at.difference / at.loss.sel(recipe="adam"))
    assert at.probability_better.sum("recipe").item() == pytest.approx(1)


def test_a_loss_below_the_others_floor_is_never_reached():
    recipes = made_up(
        sb.laws.PowerLaw("flops"), power_law([2.0, 1.5], 1e19, 0.15), power_law(1.5, 1e19, 0.15)
    )
    at = recipes_at(recipes, flops="1e24")
    assert at.multiplier.values.ravel().tolist() == [np.inf, pytest.approx(1.0)]
    assert "inf" in repr(at)


def test_a_law_of_tokens_alone_has_a_difference_and_no_multiplier():
    draws = {"L_inf": 1.5, "alpha_D": 0.3, "D_c": 1e9}
    recipes = made_up(sb.laws.PowerLaw("tokens"), draws, draws | {"D_c": 5e8})
    at = recipes_at(recipes, tokens="1B")
    assert at.difference.item() == pytest.approx(0.5**0.3 - 1)
    assert at.multiplier is None
    assert "times the compute" not in repr(at)
    assert "multiplier" not in at.to_frame()
    with pytest.raises(NoOptimumError, match="reads tokens alone"):
        recipes_at(recipes, flops="1e20")


def test_power_laws_cross_where_they_are_equal():
    """(C1/C)^a1 = (C2/C)^a2 at log C = (a1 log C1 - a2 log C2) / (a1 - a2)."""
    a1, a2 = 0.2, np.array([0.15, 0.2, 0.25, 0.19])
    c1, c2 = 1e19, 2e19
    recipes = made_up(sb.laws.PowerLaw("flops"), power_law(1.5, c1, a1), power_law(1.5, c2, a2))
    found = crossing(recipes, 1e18, 1e24)
    with np.errstate(divide="ignore"):
        expected = np.exp((a1 * np.log(c1) - a2 * np.log(c2)) / (a1 - a2))
    inside = (expected > 1e18) & (expected < 1e24)
    assert inside.tolist() == [True, False, True, False]
    np.testing.assert_allclose(found.flops.values[0], np.where(inside, expected, np.inf), rtol=1e-9)
    assert found.count.values.tolist() == [[1, 0, 1, 0]]
    assert found.probability_none == 0.5
    assert found.second_better_above.values.tolist() == [[False, False, True, False]]
    assert found.probability_second_overtakes == 0.25
    assert "no crossing with probability 0.500" in repr(found)


def test_curves_above_different_floors_may_cross_twice():
    first, second = power_law(1.5, 1e19, 0.1), power_law(1.55, 1.2e19, 0.2)
    found = crossing(made_up(sb.laws.PowerLaw("flops"), first, second), 1e15, 1e35)
    flops = np.geomspace(1e15, 1e35, 1_000_001)
    better = 1.55 + (1.2e19 / flops) ** 0.2 < 1.5 + (1e19 / flops) ** 0.1
    (places,) = np.nonzero(np.diff(better))
    assert found.count.item() == len(places) == 2
    assert found.probability_several == 1
    assert found.flops.item() == pytest.approx(flops[places[0]], rel=1e-4)
    assert found.second_better_above.item()


def test_a_range_that_is_none_is_refused(both):
    with pytest.raises(InputError, match=r"from 1e\+22 to 1e\+20 FLOPs"):
        both.crossing(least="1e22", most="1e20")


def test_the_winner_is_the_same_as_at_the_scales_alone():
    a1, a2 = 0.2, np.array([0.15, 0.2, 0.25, 0.19])
    recipes = made_up(sb.laws.PowerLaw("flops"), power_law(1.5, 1e19, a1), power_law(1.5, 2e19, a2))
    found = same_winner(*(recipes_at(recipes, flops=flops) for flops in ("1e18", "1e24")))
    assert found.probability == 0.5
    assert found.joint.to_numpy().tolist() == [[0.5, 0.25], [0.25, 0.0]]
    for name in NAMES:
        for at, axis in ((found.small, 1), (found.target, 0)):
            expected = at.probability_better.sel(recipe=name).item()
            assert found.joint.sum(axis=axis)[name] == pytest.approx(expected)


def test_the_winner_is_asked_at_one_point(both):
    with pytest.raises(InputError, match="target names 2 points"):
        both.same_winner(small="1e20", target=["1e22", "1e24"])


# Sharing


@pytest.mark.parametrize("dims", [1, 3])
def test_the_density_of_normal_draws_is_known(dims):
    rng = np.random.default_rng(dims)
    root = np.tril(rng.standard_normal((dims, dims))) + 2 * np.eye(dims)
    centre = root @ np.full(dims, 0.7)
    draws = centre + rng.standard_normal((4000, dims)) @ root.T
    found, near = log_density_at_zero(draws)
    assert near
    expected = stats.multivariate_normal(centre, root @ root.T).logpdf(np.zeros(dims))
    assert found == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("tail", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_the_density_of_skew_draws_is_closer_than_a_normal_one(tail):
    gamma = stats.gamma(8)
    place = gamma.ppf(tail)
    draws = gamma.rvs(4000, random_state=1)[:, None] - place
    found, _ = log_density_at_zero(draws)
    expected = gamma.logpdf(place)
    by_normal = stats.norm(8, 8**0.5).logpdf(place)
    assert found == pytest.approx(expected, abs=0.4)
    assert abs(found - expected) < max(abs(by_normal - expected), 0.1)


@pytest.mark.parametrize("away", [8, 40])
def test_a_density_where_no_draws_are_is_marked(away):
    draws = np.random.default_rng(0).normal(away, 1, (4000, 1))
    found, near = log_density_at_zero(draws)
    assert not near
    assert found == pytest.approx(stats.norm(away, 1).logpdf(0), rel=0.1)


@pytest.mark.parametrize("observed", [0.0, 0.05, 0.2])
def test_bayes_factors_are_those_of_a_conjugate_model(observed):
    """One log ratio, seen with a Normal error of 0.04, under priors of three widths."""
    error, spread = 0.04, 0.05
    factors = {
        by: stats.norm.logpdf(observed, 0, error)
        - stats.norm.logpdf(observed, 0, np.hypot(error, by * spread))
        for by in (1, 2, 0.5)
    }
    precision = 1 / error**2 + 1 / spread**2
    rng = np.random.default_rng(1)
    draws = rng.normal(observed / error**2 / precision, precision**-0.5, (4, 2000))
    posterior = xr.Dataset({"log_ratio_L_inf": (("chain", "draw"), draws)})

    (row,) = sharing(posterior, {"L_inf": spread}, sb.laws.Chinchilla()).to_dict("records")

    assert row["log_bayes_factor"] == pytest.approx(factors[1], abs=0.1)
    assert row["log_bayes_factor_lower"] == pytest.approx(min(factors.values()), abs=0.3)
    assert row["log_bayes_factor_upper"] == pytest.approx(max(factors.values()), abs=0.3)
    assert row["prior_sd"] == spread
    if observed == 0.2:
        assert "against sharing" in row["words"]


# The whole


def test_both_recipes_are_sources_like_a_fit(both):
    muon = both.recipes["muon"]
    forecast = sb.forecast(muon, n_params="1B", tokens="20B", seed=1)
    at = both.at(n_params="1B", tokens="20B")
    np.testing.assert_allclose(forecast.mean_curve, at.loss.sel(recipe="muon"))
    assert forecast.new_run is not None
    best = sb.allocate(muon, flops="1e22").optimum["loss"].isel(budget=0)
    optimal = both.at(flops="1e22").loss.sel(recipe="muon").isel(point=0)
    np.testing.assert_allclose(best, optimal)
    assert np.isfinite(sb.compute_to_reach(muon, 2.6).flops).all()
    assert "24 runs of its own" in repr(muon)


def test_the_interval_holds_the_multiplier_that_was_simulated(both):
    exponent = 0.34781 * 0.36585 / (0.34781 + 0.36585)
    frame = both.at(flops="1e21").to_frame(prob=0.99)
    assert frame["multiplier_lower"][0] < np.exp(0.1 / exponent) < frame["multiplier_upper"][0]
    assert frame["better_muon"][0] > 0.99


def test_words_say_what_numbers_are_of(both):
    words = repr(both)
    assert "24 pairs with noise that correlates by 0." in words
    assert "L_inf shared? " in words
    assert "The law follows how the loss of muon over that of adam moves" in words
    assert "largest R-hat" in words
    at = repr(both.at(flops="1e22"))
    assert "median and 90% equal-tailed interval" in at
    assert "adam needs" in at
    assert "muon is better with probability" in at
    winner = repr(both.same_winner(small={"n_params": "100M", "tokens": "2B"}, target="1e23"))
    assert "muon better at the small scale" in winner


def test_log_ratios_are_tested_one_by_one_and_together(both):
    assert both.sharing.index.tolist() == [
        "L_inf",
        "alpha_N",
        "alpha_D",
        "exponents",
        "L_inf and exponents",
    ]
    single = both.sharing.iloc[:3]
    assert (single["log_ratio_lower"] < single["log_ratio_upper"]).all()
    assert both.sharing.iloc[3:]["log_ratio"].isna().all()
    lower, stated, upper = (
        both.sharing[f"log_bayes_factor{end}"] for end in ("_lower", "", "_upper")
    )
    assert ((lower <= stated) & (stated <= upper)).all()


def test_every_number_presented_has_been_gated(both):
    names = set(both.diagnostics.parameters.index)
    assert names >= {"first_L_inf", "second_D_c", "log_ratio_N_c_term", "sigma", "nu"}
    assert "pair_correlation" in names
    assert both.diagnostics.converged


def test_what_is_shared_is_equal_in_every_draw(alike):
    adam, muon = (alike.recipes[name].draws for name in NAMES)
    for name in ("L_inf", "alpha_N", "alpha_D"):
        np.testing.assert_allclose(adam[name], muon[name])
    assert (adam["N_c"] != muon["N_c"]).all()
    assert alike.sharing.empty
    assert alike.share == ("L_inf", "exponents")
    assert "no pairs" in repr(alike)
    assert "exponents shared by choice" in repr(alike)
    assert "pair_correlation" not in alike.data_tree["posterior"]


def test_the_priors_of_a_likeness_may_be_changed(both_runs):
    likeness = sb.Likeness(L_inf=0.01, terms=1.0)
    assert likeness.spreads(sb.laws.Kaplan()) == {
        "alpha_N": 0.2,
        "alpha_D": 0.2,
        "N_c_term": 1.0,
        "D_c_term": 1.0,
    }
    with pytest.raises(InputError, match=r"likeness of L_inf is 0; .* share=\(\"L_inf\",\)"):
        sb.Likeness(L_inf=0)
    with pytest.raises(InputError, match="likeness of terms is 'wide'"):
        sb.Likeness(terms="wide")


def test_draws_that_did_not_converge_are_an_error(fitter, both_runs, monkeypatch):
    few = sb.SamplerSettings(draws=10, tune=20, chains=2, progressbar=False)
    monkeypatch.setattr(fitter, "settings", few)
    with pytest.raises(ConvergenceError, match="did not converge"):
        fitter.fit(both_runs, seed=1)


def test_a_seed_gives_the_same_draws_and_other_names_swap_signs(fitter, both_runs, both):
    again = fitter.fit(both_runs, seed=1)
    xr.testing.assert_equal(
        again.data_tree["posterior"].to_dataset(), both.data_tree["posterior"].to_dataset()
    )
    swapped = fitter.fit(dict(reversed(both_runs.items())), seed=2)
    for found, expected in zip(swapped.names, ("muon", "adam"), strict=True):
        assert found == expected
    difference = both.at(flops="1e22").difference
    error = 5 * difference.std().item() / 400**0.5
    assert swapped.at(flops="1e22").difference.mean().item() == pytest.approx(
        -difference.mean().item(), abs=error
    )


def test_a_fitter_crosses_processes_without_its_compiled_models(fitter, both):
    assert fitter._prepared
    other = pickle.loads(pickle.dumps(fitter))
    assert other._prepared == {}
    assert other.share == fitter.share


def test_pairs_say_where_the_law_bends_away(both, both_runs):
    check = both.check_pairs()
    assert not check.suspect
    assert "follows" in repr(check)
    assert check.table["flops"].is_monotonic_increasing
    inside = (check.table["by_law_lower"] < check.table["log_ratio"]) & (
        check.table["log_ratio"] < check.table["by_law_upper"]
    )
    assert 0.1 < inside.mean() < 0.9
    frame = both_runs["muon"].frame.copy()
    # A warm-up too long for short runs: worse at small compute and at large, by this law.
    frame["loss"] *= 1 + 0.02 * (np.log(frame["flops"] / frame["flops"].median()) ** 2 - 1)
    bent = {
        "adam": both.recipes["adam"],
        "muon": dataclasses.replace(both.recipes["muon"], runs=sb.Runs(frame)),
    }
    found = check_pairs(bent, both.pairs)
    assert found.suspect
    assert found.same_side > 0.75
    assert "misses" in repr(found)


def test_without_pairs_there_is_nothing_to_check(alike):
    with pytest.raises(InputError, match="there are 0 pairs of runs"):
        alike.check_pairs()


@pytest.mark.parametrize("change", [{}, {"soap": "muon"}])
def test_other_than_two_recipes_are_refused(both_runs, change):
    runs = {"adam": both_runs["adam"]} | {name: both_runs[of] for name, of in change.items()}
    runs |= {"muon": both_runs["muon"]} if change else {}
    with pytest.raises(InputError, match=rf"there are {len(runs)} recipes \('adam'"):
        sb.compare_recipes(runs, sb.laws.Chinchilla())


def test_recipes_that_are_no_runs_are_refused(both_runs):
    with pytest.raises(InputError, match="'muon' is a DataFrame"):
        sb.compare_recipes(both_runs | {"muon": both_runs["muon"].frame}, sb.laws.Chinchilla())
    with pytest.raises(InputError, match="by name, such as"):
        sb.compare_recipes(list(both_runs.values()), sb.laws.Chinchilla())


class LogLaw(sb.Law):
    name = "log-law"
    covariates = ("flops",)
    parameters = (sb.laws.irreducible_loss(), sb.laws.scale("C_c", "C_c", "FLOPs", median=1e19))

    def loss(self, p, x):
        return p.L_inf + np.log1p(p.C_c / x.flops)


@pytest.mark.parametrize("law", [LogLaw(), sb.laws.Chinchilla])
def test_a_law_whose_terms_are_not_known_is_refused(both_runs, law):
    with pytest.raises(InputError, match="whose terms are not known"):
        sb.compare_recipes(both_runs, law)


def test_what_cannot_be_shared_is_named(both_runs):
    with pytest.raises(InputError, match="share names 'noise'; recipes can share L_inf and expo"):
        sb.compare_recipes(both_runs, sb.laws.Chinchilla(), share=("noise",))
    with pytest.raises(InputError, match="share names 'L_inf', and kaplan has none"):
        sb.compare_recipes(both_runs, sb.laws.Kaplan(), share="L_inf")


def test_different_k_of_compute_are_refused(both_runs):
    other = sb.Runs(both_runs["muon"].frame, flops_per_param_token=2.0)
    with pytest.raises(InputError, match="different k of C = k N D: adam 6, muon 2"):
        sb.compare_recipes(both_runs | {"muon": other}, sb.laws.Chinchilla())


def test_a_recipe_with_too_few_runs_is_named(both_runs):
    few = both_runs["muon"].where(np.arange(24) < 3)
    with pytest.raises(
        IdentifiabilityError,
        match=r"'muon' has runs of 3 distinct sizes .* 5 parameters of its own",
    ):
        sb.compare_recipes(both_runs | {"muon": few}, sb.laws.Chinchilla())


def test_the_multiplier_is_right_at_small_compute():
    law = sb.laws.PowerLaw("flops")

    def recipe(label: str, scale: float) -> SimpleNamespace:
        values = {"L_inf": 1.0, "alpha_C": 0.2, "C_c": scale}
        draws = xr.Dataset({name: (("chain", "draw"), [[v]]) for name, v in values.items()})
        return SimpleNamespace(label=label, law=law, draws=draws, flops_per_param_token=6.0)

    at = recipes_at({"adam": recipe("adam", 1e10), "muon": recipe("muon", 5e10)}, flops=2e10)
    assert at.multiplier.item() == pytest.approx(0.2, rel=1e-6)


def test_the_prior_of_a_log_ratio_holds_whatever_it_is_sampled_by(both_runs):
    """Where gains are not 1, a missing Jacobian shows."""
    law, spread = sb.laws.Chinchilla(), 0.5
    n = len(both_runs["adam"])
    pooled = sb.Runs(
        pd.concat([own.frame for own in both_runs.values()], ignore_index=True), source="both"
    )
    pairs = find_pairs(*both_runs.values(), list(NAMES), None)
    data = recipe_data(pooled, n, law, pairs)
    model = build_recipe_model(data, law, sb.noise.Normal(), {"N_c_term": spread})
    potential = model["log_ratio_N_c_term_prior"]
    ratio = model["log_ratio_N_c_term"]
    point = model.initial_point()
    outputs = model.compile_fn(
        model.replace_rvs_by_values([potential, ratio]),
        inputs=model.value_vars,
        on_unused_input="ignore",
    )
    step = 1e-5
    at = {move: point | {"shift_N_c_term": np.array(0.1 + move)} for move in (-step, 0.0, step)}
    (density, value), low, high = outputs(at[0.0]), outputs(at[-step]), outputs(at[step])
    log_jacobian = np.log((high[1] - low[1]) / (2 * step))
    expected = stats.norm.logpdf(value, 0, spread) + log_jacobian
    assert density == pytest.approx(expected, abs=1e-6)
    assert abs(log_jacobian) > 0.5
