"""Two simulated recipes: their difference at a larger scale is found, and as surely as is said.

Runs scatter by Normal noise of which pairs have a part in common; the model takes it for Student-t.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._recipes.crossing import crossing
from scaling_bayes._recipes.likeness import natural_parameters
from scaling_bayes._recipes.recipe import Recipe
from scaling_bayes._recipes.recipes_at import recipes_at

pytestmark = pytest.mark.slow

NAMES = ("adam", "muon")
TARGET = "1e23"
"""Fifty times the compute of the largest run that is simulated."""

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def settings() -> sb.SamplerSettings:
    return sb.SamplerSettings(draws=1000, chains=2, progressbar=False)


@pytest.fixture(scope="module")
def fitter(settings) -> sb.RecipeFitter:
    return sb.RecipeFitter(sb.laws.Chinchilla(), settings=settings)


@pytest.fixture(scope="module")
def sizes() -> Callable[..., pd.DataFrame]:
    """Return a function that gives the sizes of runs over two decades of N and of D."""

    def drawn(n_runs: int, rng: np.random.Generator) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "n_params": 10 ** rng.uniform(7.5, 9.5, n_runs),
                "tokens": 10 ** rng.uniform(9, 11, n_runs),
            }
        )

    return drawn


@pytest.fixture(scope="module")
def truth_of() -> Callable[..., dict[str, Recipe]]:
    """Return a function from log ratios to two recipes around a published law, as single draws."""
    published = sb.laws.Chinchilla.published["besiroglu2024"]
    centre = SimpleNamespace(n_params=3e8, tokens=1e10)

    def recipes(log_ratios: Mapping[str, float]) -> dict[str, Recipe]:
        found = {}
        for name, side in zip(NAMES, (-0.5, 0.5), strict=True):
            middle = SimpleNamespace(**published.values)
            p = natural_parameters(published.law, middle, log_ratios, centre, side=side)
            draws = published.draws.assign(
                {key: published.draws[key] * 0 + value for key, value in vars(p).items()}
            )
            runs = SimpleNamespace(flops_per_param_token=6.0, loss_unit="nats per token")
            found[name] = Recipe(name, published.law, sb.noise.Normal(), runs, draws, draws)
        return found

    return recipes


@pytest.fixture(scope="module")
def trained() -> Callable[..., dict[str, sb.Runs]]:
    """Return a function that trains pairs of simulated runs."""

    def runs(
        truth: Mapping[str, Recipe],
        sizes: pd.DataFrame,
        rng: np.random.Generator,
        *,
        sigma: float,
        correlation: float,
    ) -> dict[str, sb.Runs]:
        common = np.sqrt(correlation) * rng.standard_normal(len(sizes))
        found = {}
        for name, recipe in truth.items():
            p = SimpleNamespace(**{key: recipe.draws[key].item() for key in recipe.draws})
            own = np.sqrt(1 - correlation) * rng.standard_normal(len(sizes))
            loss = recipe.law.loss(p, sizes) * np.exp(sigma * (common + own))
            found[name] = sb.read_runs(sizes.assign(loss=loss))
        return found

    return runs


def rank(draws: object, truth: float) -> float:
    """Return the share of draws below the truth."""
    return float((draws < truth).mean())


@pytest.mark.long
def test_intervals_at_a_larger_scale_hold_the_truth_as_often_as_they_say(
    truth_of, trained, sizes, fitter
):
    """Log ratios and the correlation of pairs come from their priors; six runs have no pair."""
    rng = np.random.default_rng(10)
    ranks = []
    for refit in range(20):
        spreads = sb.Likeness().spreads(sb.laws.Chinchilla())
        truth = truth_of({name: rng.normal(0, spread) for name, spread in spreads.items()})
        runs = trained(truth, sizes(26, rng), rng, sigma=0.005, correlation=rng.uniform())
        runs["muon"] = runs["muon"].where(np.arange(26) < 20)
        both = fitter.fit(runs, seed=refit)
        assert len(both.pairs) == 20
        found, right = both.at(flops=TARGET), recipes_at(truth, flops=TARGET)
        ranks.append(
            {
                "difference": rank(found.difference, right.difference.item()),
                "multiplier": rank(found.multiplier, right.multiplier.item()),
                "tail of pairs": both.check_pairs().tail_probability,
            }
        )
    table = pd.DataFrame(ranks)
    logger.info("ranks of the truth among the draws:\n%s", table.round(3).to_string())
    assert (table.pop("tail of pairs") < 0.05).sum() <= stats.binom.ppf(0.999, 20, 0.05)
    for name, column in table.items():
        for prob in (0.5, 0.9):
            covered = int((abs(column - 0.5) < prob / 2).sum())
            logger.info("%s: %.0f%% intervals hold %d of 20", name, 100 * prob, covered)
            lower, upper = stats.binom.ppf([0.001, 0.999], 20, prob)
            assert lower <= covered <= upper


@pytest.mark.long
def test_pairs_narrow_the_difference(truth_of, trained, sizes, settings):
    rng = np.random.default_rng(3)
    truth = truth_of({"N_c_term": -0.05, "D_c_term": -0.05})
    runs = trained(truth, sizes(30, rng), rng, sigma=0.02, correlation=0.95)
    right = recipes_at(truth, flops="1e21").difference.item()
    widths, correlation = {}, None
    for pair_by in (("n_params", "tokens"), None):
        both = sb.compare_recipes(
            runs, sb.laws.Chinchilla(), pair_by=pair_by, settings=settings, seed=1
        )
        frame = both.at(flops="1e21").to_frame(prob=0.98)
        lower, upper = frame["difference_lower"][0], frame["difference_upper"][0]
        logger.info("pair_by %s: %.4f [%.4f, %.4f]", pair_by, right, lower, upper)
        assert lower < right < upper
        widths[pair_by] = upper - lower
        if pair_by is not None:
            correlation = both.data_tree["posterior"]["pair_correlation"]
    assert widths["n_params", "tokens"] < 0.6 * widths[None]
    assert correlation.quantile(0.01) < 0.95 < correlation.quantile(0.99)


@pytest.fixture(scope="module")
def shifted(truth_of, trained, sizes, fitter) -> sb.RecipeComparison:
    """Recipes that share floor and exponents: the second is worth more compute, everywhere."""
    rng = np.random.default_rng(4)
    truth = truth_of({"N_c_term": -0.1, "D_c_term": -0.1})
    runs = trained(truth, sizes(40, rng), rng, sigma=0.003, correlation=0.8)
    return fitter.fit(runs, seed=1)


def test_sharing_is_favoured_where_it_is_true(shifted):
    logger.info("shared in truth:\n%s", shifted.sharing.drop(columns="words").to_string())
    assert shifted.sharing.loc["L_inf", "log_bayes_factor"] > np.log(3)
    assert shifted.sharing.loc["L_inf and exponents", "log_bayes_factor"] > np.log(20)
    assert not shifted.sharing["words"].str.contains("against").any()


def test_no_crossing_is_found_where_there_is_none(shifted):
    found = shifted.crossing(least="1e18", most="1e23")
    logger.info("%r", found)
    assert found.probability_none > 0.95
    winner = shifted.same_winner(small="1e19", target="1e22")
    assert winner.probability > 0.99
    assert winner.joint.loc["muon", "muon"] > 0.99


@pytest.mark.long
def test_what_is_shared_by_choice_narrows_the_multiplier(shifted, truth_of, settings):
    right = recipes_at(
        truth_of({"N_c_term": -0.1, "D_c_term": -0.1}), flops=TARGET
    ).multiplier.item()
    runs = {name: recipe.runs for name, recipe in shifted.recipes.items()}
    shared = sb.compare_recipes(
        runs, sb.laws.Chinchilla(), share=("L_inf", "exponents"), settings=settings, seed=1
    )
    frames = [each.at(flops=TARGET).to_frame(prob=0.98) for each in (shared, shifted)]
    for frame in frames:
        logger.info("%s", frame[["multiplier", "multiplier_lower", "multiplier_upper"]].to_string())
        assert frame["multiplier_lower"][0] < right < frame["multiplier_upper"][0]
    narrow, wide = (frame["multiplier_upper"][0] - frame["multiplier_lower"][0] for frame in frames)
    assert narrow < 0.3 * wide


def test_sharing_is_rejected_where_floors_differ(truth_of, trained, sizes, fitter):
    rng = np.random.default_rng(5)
    truth = truth_of({"L_inf": 0.1})
    runs = trained(truth, sizes(40, rng), rng, sigma=0.003, correlation=0.8)
    both = fitter.fit(runs, seed=1)
    logger.info("floors that differ:\n%s", both.sharing.drop(columns="words").to_string())
    assert both.sharing.loc["L_inf", "log_bayes_factor_upper"] < -np.log(20)
    assert "against sharing" in both.sharing.loc["L_inf", "words"]
    assert both.sharing.loc["exponents", "log_bayes_factor_upper"] > 0


def test_a_crossing_is_found_where_it_is(truth_of, trained, sizes, fitter):
    rng = np.random.default_rng(6)
    truth = truth_of({"alpha_N": 0.25, "alpha_D": 0.25, "N_c_term": 0.1, "D_c_term": 0.1})
    right = crossing(truth, 1e17, 1e25).flops.item()
    runs = trained(truth, sizes(40, rng), rng, sigma=0.003, correlation=0.8)
    both = fitter.fit(runs, seed=1)
    found = both.crossing(least="1e17", most="1e25")
    logger.info("true crossing %.3g\n%r", right, found)
    lower, upper = found.interval(prob=0.98).values
    assert lower < right < upper
    assert upper / lower < 10
    assert found.probability_none < 0.01
    assert found.probability_second_overtakes > 0.99
    assert both.same_winner(small=right / 30, target=right * 30).probability < 0.01


@pytest.mark.long
def test_bayes_factors_are_those_of_the_marginal_likelihoods(settings):
    """Against importance sampling of a density written down by itself, for a law without floor."""
    rng = np.random.default_rng(7)
    law, noise = sb.laws.PurePowerLaw("flops"), sb.noise.Normal()
    flops = np.geomspace(1e18, 1e21, 16)
    log_c = np.log(flops) - np.log(flops).mean()
    losses = [
        np.exp(np.log(2.5) - a * log_c + 0.01 * rng.standard_normal(16)) for a in (0.05, 0.054)
    ]
    sizes = pd.DataFrame({"n_params": flops**0.5, "tokens": flops**0.5 / 6, "flops": flops})
    runs = {
        name: sb.read_runs(sizes.assign(loss=loss))
        for name, loss in zip(NAMES, losses, strict=True)
    }

    def log_joint(x: np.ndarray, spread: float | None) -> np.ndarray:
        """Return the log density of log a, log C_c, log sigma, and log ratios of term and a."""
        log_a, log_scale, log_sigma, of_term = x[:4]
        of_a = x[4] if spread is not None else 0.0
        joint = stats.norm.logpdf(of_term, 0, sb.Likeness().terms)
        if spread is not None:
            joint = joint + stats.norm.logpdf(of_a, 0, spread)
        for name, value in (("alpha_C", log_a), ("C_c", log_scale), ("sigma", log_sigma)):
            numbers = (law.priors | noise.priors)[name].parameters
            joint = joint + stats.norm.logpdf(value, numbers["mu"], numbers["sigma"])
        size = np.exp(log_a) * (log_scale - np.log(flops).mean())
        for side, loss in zip((-0.5, 0.5), losses, strict=True):
            a = np.exp(log_a + side * of_a)
            mean = size + side * of_term - np.multiply.outer(log_c, a)
            joint = joint + stats.norm.logpdf(np.log(loss)[:, None], mean, np.exp(log_sigma)).sum(0)
        return joint

    def log_marginal(both: sb.RecipeComparison, spread: float | None) -> float:
        posterior = both.data_tree["posterior"].to_dataset()
        logs = [np.log(posterior[name]) for name in ("alpha_C", "C_c", "sigma")]
        logs.append(posterior["log_ratio_C_c_term"])
        if spread is not None:
            logs.append(posterior["log_ratio_alpha_C"])
        draws = np.stack([each.values.ravel() for each in logs])
        proposal = stats.multivariate_t(draws.mean(axis=1), 1.3 * np.cov(draws), df=5)
        x = proposal.rvs(40_000, random_state=1)
        log_weights = log_joint(x.T, spread) - proposal.logpdf(x)
        weights = np.exp(log_weights - log_weights.max())
        assert weights.sum() ** 2 / (weights**2).sum() > 5000
        return float(log_weights.max() + np.log(weights.mean()))

    def fitted(share: tuple[str, ...]) -> sb.RecipeComparison:
        return sb.compare_recipes(
            runs, law, noise=noise, share=share, pair_by=None, settings=settings, seed=1
        )

    free, equal = fitted(()), fitted(("exponents",))
    without = log_marginal(equal, None)
    spread = sb.Likeness().exponents
    factors = [without - log_marginal(free, by * spread) for by in (1, 2, 0.5)]
    row = free.sharing.loc["alpha_C"]
    logger.info("by importance sampling %s, by density ratio\n%s", factors, row)
    assert row["log_bayes_factor"] == pytest.approx(factors[0], abs=0.3)
    assert row["log_bayes_factor_upper"] == pytest.approx(max(factors), abs=0.3)
    assert row["log_bayes_factor_lower"] == pytest.approx(min(factors), abs=0.3)
    # Data that say nothing would make all of these zero.
    assert abs(factors[0]) > 0.3
