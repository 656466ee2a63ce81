"""Two settings of Porian et al. 2024 on RefinedWeb: Kaplan's recipe, and the mended one.

A sanity check and no more. Runs of one model size appear at several compute levels, so rows
are correlated and the posterior, which takes them as independent, is too narrow. The paper
reads its exponents off interpolated isoFLOP minima and not off a law of N and D.
"""

from __future__ import annotations

import logging

import pytest

import scaling_bayes as sb
from scaling_bayes._intervals import interval

pytestmark = [
    pytest.mark.slow,
    # In 2% of the pairs of one recipe the larger run has the larger loss, as the paper shows.
    pytest.mark.filterwarnings("ignore:In 2% of the pairs:scaling_bayes.errors.DoubtWarning"),
]

PUBLISHED = {"rw|base|long|kaplan": 0.835, "rw|tuned|short|const": 0.497}

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def exponents(real_data, settings):
    """Return the posterior of a for each setting."""
    fitter = sb.Fitter(sb.laws.Chinchilla(), settings=settings, discrepancy=None)
    found = {}
    for group, published in PUBLISHED.items():
        runs = sb.read_runs(real_data("porian_isoflop.csv"), where=f"group == {group!r}")
        fit = fitter.fit(runs, seed=1)
        a = fit.law.derived(fit.draws)["a"]
        logger.info(
            "%s: a median %.3f, 90%% equal-tailed [%.3f, %.3f]; published %.3f; %s",
            group,
            a.median(),
            *interval(a).values,
            published,
            fit.diagnostics,
        )
        found[group] = a
    return found


def test_the_mended_recipe_has_a_smaller_exponent(exponents):
    kaplan, mended = exponents.values()
    assert interval(kaplan)[0] > interval(mended)[1]


def test_the_exponent_of_the_mended_recipe_is_near_the_published_one(exponents):
    group = "rw|tuned|short|const"
    assert exponents[group].median().item() == pytest.approx(PUBLISHED[group], abs=0.05)
