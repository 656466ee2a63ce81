"""The check of Chinchilla's law on the 240 runs of Figure 4."""

from __future__ import annotations

import logging

import pytest

import scaling_bayes as sb

pytestmark = pytest.mark.slow

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def checked(chinchilla_fit) -> sb.Check:
    return chinchilla_fit.check(seed=1)


def test_the_runs_with_half_a_token_per_parameter_are_the_outliers(checked, chinchilla_runs):
    """A residual of the published law by hand: those of fewest tokens lie 5% too high."""
    logger.info("%s", checked)
    law = sb.laws.Chinchilla.published["besiroglu2024"]
    loss = sb.forecast(law, chinchilla_runs).mean_curve.to_numpy().ravel()
    farthest = (chinchilla_runs.frame["loss"] / loss).idxmax()
    assert checked.outliers.index[0] == farthest
    assert checked.outliers.loc[farthest, "tokens_per_param"] < 1
    assert checked.outliers.loc[farthest, "residual_percent"] == pytest.approx(5.3, abs=0.5)
    assert f"Row {farthest} (" in repr(checked)


def test_residuals_bend_with_tokens_per_parameter(checked):
    trends = checked.trends.set_index(["quantity", "against"])
    row = trends.loc[("bend", "tokens_per_param")]
    assert row["p_adjusted"] < 0.01
    assert 0.4 < row["size"] < 1.2
    assert any("Residuals bend with tokens per parameter" in words for words in checked.words)


def test_priors_do_not_move_what_240_runs_determine(checked):
    law = sb.laws.Chinchilla()
    assert (checked.sensitivity.loc[law.parameter_names, "prior"] < 0.05).all()
    assert (checked.identifiability.loc[law.parameter_names, "contraction"] > 0.99).all()
