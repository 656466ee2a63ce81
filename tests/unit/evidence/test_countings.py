"""One law of the same runs, with their parameters counted in two ways."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes.cli import _main
from scaling_bayes.errors import InputError

QUICK = sb.SamplerSettings(progressbar=False)
OMEGA = 47_491.0
"""Embeddings over the cube root of other parameters, in the models of Pearce & Song 2024."""


@pytest.fixture(scope="module")
def runs() -> sb.Runs:
    """Runs of Chinchilla's law in all parameters, small enough for embeddings to matter."""
    rng = np.random.default_rng(3)
    other = 10 ** rng.uniform(5, 7.5, 60)
    total = other + OMEGA * np.cbrt(other)
    tokens = total * 10 ** rng.uniform(0.3, 2.3, 60)
    values = sb.laws.Chinchilla.published["besiroglu2024"].values
    sizes = SimpleNamespace(n_params=total, tokens=tokens)
    loss = sb.laws.Chinchilla().loss(SimpleNamespace(**values), sizes)
    loss = loss * np.exp(0.003 * rng.standard_normal(60))
    table = {"n_params": total, "n_params_non_embedding": other, "tokens": tokens, "loss": loss}
    return sb.read_runs(pd.DataFrame(table))


@pytest.fixture(scope="module")
def both(runs) -> sb.Countings:
    law = sb.laws.Chinchilla()
    return sb.compare_countings(runs, law, flops="1e19", discrepancy=None, settings=QUICK, seed=1)


def test_without_embeddings_the_optimal_size_grows_faster(both):
    frame = both.to_frame().set_index("counting")
    assert frame.loc["n_params_non_embedding", "growth"] > frame.loc["n_params", "growth"] + 0.05
    assert frame.loc["n_params", "growth_lower"] < 0.51 < frame.loc["n_params", "growth_upper"]


def test_the_law_is_in_the_count_that_it_was_simulated_in(both):
    assert both.comparison.evidence.index[0] == "n_params"
    assert any("n_params_non_embedding" in each for each in both.comparison.evidence.index[1:])
    assert "plan with the count" in repr(both)
    assert both.comparison.n_counts == 2
    assert any("N, N* and exponents do not" in each for each in both.comparison.words)


def test_compute_that_was_computed_follows_the_count_and_other_compute_stays(runs):
    counted = runs.counted_by("n_params_non_embedding").frame
    np.testing.assert_allclose(
        counted["flops"], 6 * runs.frame["n_params_non_embedding"] * runs.frame["tokens"]
    )
    measured = sb.Runs(runs.frame.assign(flops=1.3 * runs.frame["flops"]))
    again = measured.counted_by("n_params_non_embedding").frame
    np.testing.assert_array_equal(again["flops"], measured.frame["flops"])
    assert runs.counted_by("n_params") is runs


def test_a_count_that_is_not_there_or_not_positive_is_named(runs):
    with pytest.raises(InputError, match="no column 'n_params_active'"):
        runs.counted_by("n_params_active")
    with pytest.raises(InputError, match=r"row 0: n_params_active = 0 is not a positive"):
        sb.Runs(runs.frame.assign(n_params_active=0.0)).counted_by("n_params_active")
    with pytest.raises(InputError, match="two columns or more"):
        sb.compare_countings(runs, flops="1e20", countings=["n_params"])


def test_fits_of_two_counts_compare_by_elpd_and_not_on_runs_held_out(both, runs):
    with pytest.raises(InputError, match="count parameters in different ways"):
        sb.compare(both.fits, held_out=runs)
    other = sb.fit(runs.where(np.arange(60) < 50), sb.laws.Chinchilla(), settings=QUICK, seed=1)
    with pytest.raises(InputError, match="was fitted to other runs"):
        sb.compare({"all": both.fits["n_params"], "some": other})


def test_the_command_shows_both(runs, tmp_path, capsys):
    path = tmp_path / "runs.csv"
    runs.frame.to_csv(path, index=False)
    arguments = ["countings", str(path), "--flops", "1e19", "--law", "chinchilla"]
    assert _main.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "n_params_non_embedding" in shown
    assert "growth of N*" in shown
    assert _main.main([*arguments, "--counting", "n_params"]) == 2
    assert "two columns or more" in capsys.readouterr().err
