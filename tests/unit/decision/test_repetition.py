from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes._decision.repetition import effective, warranted_n_params

LAW = sb.laws.Chinchilla.published["besiroglu2024"]


def test_effective_tokens_are_muennighoffs():
    unique, lasts = 1e11, 15.4
    assert effective(np.array(5e10), np.array(unique), np.array(lasts)) == 5e10
    four_epochs = effective(np.array(4e11), np.array(unique), np.array(lasts))
    assert four_epochs == pytest.approx(unique * (1 + 15.4 * (1 - np.exp(-3 / 15.4))))
    assert 0.9 < four_epochs / 4e11 < 0.95  # "up to 4 epochs ... negligible changes to loss"
    endless = effective(np.array(1e16), np.array(unique), np.array(lasts))
    assert endless == pytest.approx(unique * 16.4)


@given(epochs=st.floats(1, 1e3), lasts=st.floats(0.5, 50))
def test_repeated_tokens_are_worth_something_but_less_than_new_ones(epochs, lasts):
    one = effective(np.array(epochs), np.array(1.0), np.array(lasts))
    more = effective(np.array(1.01 * epochs), np.array(1.0), np.array(lasts))
    assert 1 <= one <= epochs
    assert one <= more <= 1 + lasts


# Far out, where nobody trains, the rules have to hold as well.
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.PlausibilityWarning")
@pytest.mark.parametrize("tokens", [1e9, 1e11, 1e13])
def test_the_warranted_size_is_that_of_the_paper(tokens):
    p = LAW.values
    g = (p["alpha_N"] * p["N_c"] ** p["alpha_N"] / (p["alpha_D"] * p["D_c"] ** p["alpha_D"])) ** (
        1 / (p["alpha_N"] + p["alpha_D"])
    )
    by_paper = (tokens * g) ** (p["alpha_D"] / p["alpha_N"]) * g

    def optimal(flops: np.ndarray) -> np.ndarray:
        return sb.allocate(LAW, flops=flops).optimum["n_params"].to_numpy().reshape(-1, 1)

    assert warranted_n_params(optimal, np.array([tokens]), 6.0).item() == pytest.approx(by_paper)


def test_what_repeated_data_are_worth_is_uncertain():
    rng = np.random.default_rng(1)
    lasts_d, lasts_n = sb.Repetition().draws(4000, rng)
    assert np.median(lasts_d) == pytest.approx(15.4, rel=0.03)
    assert np.median(lasts_n) == pytest.approx(5.3, rel=0.03)
    assert np.log(lasts_d).std() == pytest.approx(0.25, rel=0.06)
    one, _ = sb.Repetition().draws(1, rng)
    assert one.item() == pytest.approx(15.4, rel=0.05)
