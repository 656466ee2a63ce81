"""Recipes of Porian et al. 2024 on RefinedWeb that differ in one thing: decay, or warm-up.

Decay: with a warm-up as short as the run allows, the learning rate stays constant, or follows a
cosine down. The runs are at the same sizes. What is checked the law has no part in: losses of
pairs, isoFLOP minima read off the table, and the published exponents a, from 0.602 to 0.571.
Warm-up: the long one of Kaplan et al. takes up most of a short run, so no power law holds.
"""

from __future__ import annotations

import logging

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes._intervals import interval

pytestmark = [pytest.mark.slow, pytest.mark.long]

CONSTANT, COSINE, LONG = "base|short|kaplan", "base|short|chinchilla", "base|long|kaplan"
PUBLISHED_CHANGE = 0.571 - 0.602

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def runs_of(real_data):
    """Return a function that gives the runs of a recipe, all parameters counted."""

    def read(recipe: str) -> sb.Runs:
        where = f"group == 'rw|{recipe}' and param_count == 'standard'"
        return sb.read_runs(real_data("porian_isoflop.csv"), where=where)

    return read


@pytest.fixture(scope="module")
def fitter(settings) -> sb.RecipeFitter:
    return sb.RecipeFitter(sb.laws.Chinchilla(), settings=settings)


@pytest.fixture(scope="module")
def decay(fitter, runs_of) -> sb.RecipeComparison:
    found = fitter.fit({name: runs_of(name) for name in (CONSTANT, COSINE)}, seed=1)
    logger.info("%r", found)
    return found


def largest_pairs(runs_of):
    """Return the pairs of both recipes at the most compute."""
    pairs = runs_of(CONSTANT).frame.merge(
        runs_of(COSINE).frame, on=["n_params", "tokens", "flops"], suffixes=("", "_cosine")
    )
    return pairs[pairs["flops"] == pairs["flops"].max()]


def test_all_runs_with_decay_have_a_partner(decay):
    assert len(decay.pairs) == len(decay.recipes[COSINE].runs) == 88
    correlation = decay.data_tree["posterior"]["pair_correlation"]
    assert correlation.quantile(0.05) > 0.9


def test_the_law_follows_the_difference_of_pairs(decay):
    check = decay.check_pairs()
    assert not check.suspect
    by_level = check.table.groupby("flops")[["log_ratio", "by_law"]].mean()
    logger.info("log ratio by compute:\n%s", by_level.round(4).to_string())
    residual = by_level["log_ratio"] - by_level["by_law"]
    assert (residual.abs() < 0.008).all()
    assert (residual.abs().loc[1e17:] < 0.005).all()


def test_decay_pays_at_large_compute_and_more_and_more(decay):
    at = decay.at(flops=["1e18", "2.56e19"])
    assert (at.probability_better.sel(recipe=COSINE) > 0.99).all()
    assert (at.multiplier.isel(point=1) > at.multiplier.isel(point=0)).mean() > 0.99
    assert decay.same_winner(small="2e16", target="2.56e19").probability < 0.05


def test_the_multiplier_is_the_one_read_off_the_table(decay, runs_of):
    """The compute at which the lowest loss of each level, interpolated in log C, is the same."""
    constant, cosine = (
        runs_of(name).frame.groupby("flops")["loss"].min() for name in (CONSTANT, COSINE)
    )
    levels = np.array([8e17, 1.6e18, 3.2e18])
    log_c = np.log(constant.index.to_numpy())
    read_off = np.exp(np.interp(-cosine[levels], -constant.to_numpy(), log_c)) / levels
    frame = decay.at(flops=levels).to_frame()
    logger.info("multiplier %s, read off %s", frame["multiplier"].round(2).tolist(), read_off)
    np.testing.assert_allclose(frame["multiplier"], read_off, rtol=0.15)


def test_the_exponent_of_size_moves_as_published(decay):
    constant, cosine = (each.law.derived(each.draws)["a"] for each in decay.recipes.values())
    lower, upper = interval(cosine - constant).values
    logger.info("a moves by [%.3f, %.3f]; published %.3f", lower, upper, PUBLISHED_CHANGE)
    assert lower < PUBLISHED_CHANGE < upper < 0


def test_runs_of_a_sixteenth_of_the_compute_forecast_the_largest_pairs(fitter, runs_of):
    """The mean log ratio of the largest pairs; the interval is of the mean curves."""
    small = {name: runs_of(name).below(flops=2e18) for name in (CONSTANT, COSINE)}
    both = fitter.fit(small, seed=1)
    pairs = largest_pairs(runs_of)
    at = both.at(n_params=pairs["n_params"].to_numpy(), tokens=pairs["tokens"].to_numpy())
    log_ratio = np.log(at.ratio).mean("point")
    observed = np.log(pairs["loss_cosine"] / pairs["loss"]).mean()
    lower, upper = interval(log_ratio).values
    logger.info("mean log ratio [%.4f, %.4f], observed %.4f", lower, upper, observed)
    assert lower < observed < upper
    assert (at.probability_better.sel(recipe=COSINE) > 0.99).all()


def test_pairs_make_the_difference_surer(decay, settings):
    runs = {name: recipe.runs for name, recipe in decay.recipes.items()}
    unpaired = sb.compare_recipes(
        runs, sb.laws.Chinchilla(), pair_by=None, settings=settings, seed=1
    )
    widths = []
    for each in (decay, unpaired):
        lower, upper = interval(each.at(flops="1e18").difference).values.ravel()
        widths.append(upper - lower)
    logger.info("width of the 90%% interval: %.4f in pairs, %.4f without", *widths)
    assert widths[0] < 0.5 * widths[1]


def test_a_warm_up_too_long_for_short_runs_is_seen_to_break_the_law(fitter, runs_of):
    """By the law the long warm-up wins at 2.56e19 FLOPs; the pairs there show no difference."""
    both = fitter.fit({name: runs_of(name) for name in (LONG, CONSTANT)}, seed=1)
    check = both.check_pairs()
    logger.info("%r", check)
    assert check.suspect
    assert check.same_side > 0.75
    largest = check.table[check.table["flops"] == check.table["flops"].max()]
    assert largest["log_ratio"].abs().max() < 0.005
    assert (largest["by_law_lower"] > largest["log_ratio"]).mean() > 0.5
