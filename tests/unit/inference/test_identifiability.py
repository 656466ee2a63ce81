from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes.errors import IdentifiabilityError, IdentifiabilityWarning


def sweep(n_params: np.ndarray, tokens: np.ndarray) -> sb.Runs:
    frame = pd.DataFrame({"n_params": n_params, "tokens": tokens})
    frame["loss"] = 2 + 1e3 * frame["n_params"] ** -0.4 + 1e3 * frame["tokens"] ** -0.4
    frame["flops"] = 6 * frame["n_params"] * frame["tokens"]
    frame["weight"] = 1.0
    return sb.Runs(frame, source="sweep.csv")


WIDE_N, WIDE_D = np.logspace(7, 10, 12), np.resize(np.logspace(9, 11, 5), 12)


def test_a_wide_sweep_passes_in_silence(law, simulate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if law.name == "additive":
            warnings.simplefilter("ignore", IdentifiabilityWarning)
        check_identifiable(simulate(40), law)


def test_fewer_runs_than_parameters_are_refused(law):
    n = len(law.parameters)
    few = sweep(WIDE_N[: n - 1] if n > 1 else WIDE_N, WIDE_D[: n - 1])
    with pytest.raises(IdentifiabilityError, match=rf"sweep\.csv holds {n - 1} runs.* {n} param"):
        check_identifiable(few, law)


@pytest.mark.parametrize("spread", [0.0, 1e-15, 1e-8])
@pytest.mark.parametrize("level", [0.5, 1.0, 3.0, 11.0])
def test_losses_that_are_all_the_same_are_refused_before_anything_is_sampled(law, level, spread):
    frame = sweep(WIDE_N, WIDE_D).frame.assign(loss=level * (1 + spread * np.arange(12)))
    runs = sb.Runs(frame, source="sweep.csv")
    with pytest.raises(IdentifiabilityError, match=rf"every loss in sweep\.csv is {level:g}: runs"):
        sb.fit(runs, law)


def test_losses_that_differ_by_little_are_not_the_same(law):
    frame = sweep(WIDE_N, np.sort(WIDE_N) * 20).frame.assign(loss=3 - 1e-5 * np.arange(12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        check_identifiable(sb.Runs(frame), law)


def test_repetitions_of_two_sizes_are_not_twenty_sizes():
    runs = sweep(np.repeat([1e8, 1e9], 10), np.geomspace(1e9, 1e11, 20))
    with pytest.raises(
        IdentifiabilityError,
        match=r"holds 2 distinct sizes in n_params, .*3 parameters \(L_inf, alpha_N, N_c\)",
    ):
        check_identifiable(runs, sb.laws.PowerLaw("n_params"))
    check_identifiable(runs, sb.laws.PurePowerLaw("n_params"))


def test_sizes_that_differ_by_a_rounding_are_one():
    rng = np.random.default_rng(5)
    n_params = np.repeat([1e8, 1e9], 10) * rng.uniform(0.9999, 1.0001, 20)
    with pytest.raises(IdentifiabilityError, match="2 distinct sizes"):
        check_identifiable(sweep(n_params, np.full(20, 1e10)), sb.laws.PowerLaw("n_params"))


def test_sizes_that_lie_close_all_along_a_wide_range_are_many():
    dense = np.geomspace(1e8, 1e10, 1000)
    check_identifiable(sweep(dense, np.full(1000, 1e10)), sb.laws.PowerLaw("n_params"))


def test_repetitions_of_four_pairs_are_refused_for_five_parameters():
    runs = sweep(np.tile([1e8, 1e8, 1e9, 1e9], 5), np.tile([1e9, 1e11, 1e9, 1e11], 5))
    with pytest.raises(IdentifiabilityError, match="4 distinct sizes in n_params, tokens"):
        check_identifiable(runs, sb.laws.Chinchilla())


def test_two_values_of_a_size_are_warned_of_where_there_is_a_floor():
    runs = sweep(np.resize([1e8, 1e9], 12), np.geomspace(1e9, 1e11, 12))
    with pytest.warns(
        IdentifiabilityWarning,
        match=r"n_params takes only 2 distinct values.*alpha_N and N_c can be told from L_inf only",
    ):
        check_identifiable(runs, sb.laws.Chinchilla())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_identifiable(runs, sb.laws.Kaplan())


@pytest.mark.parametrize(
    ("n_params", "tokens", "message"),
    [
        (np.full(12, 1e9), WIDE_D, r"n_params goes only from 1e\+09.*alpha_N and N_c cannot"),
        (WIDE_N, np.full(12, 2e10), r"tokens goes only from 2e\+10.*alpha_D and D_c cannot"),
        (WIDE_N, np.linspace(2e10, 2.9e10, 12), "alpha_D and D_c cannot be identified"),
    ],
)
def test_a_size_that_hardly_varies_is_refused_and_its_parameters_named(n_params, tokens, message):
    with pytest.raises(IdentifiabilityError, match=message):
        check_identifiable(sweep(n_params, tokens), sb.laws.Chinchilla())


def test_a_size_that_the_law_does_not_read_need_not_vary():
    check_identifiable(sweep(WIDE_N, np.full(12, 2e10)), sb.laws.PowerLaw("n_params"))


def test_a_size_that_varies_little_is_warned_of():
    runs = sweep(WIDE_N, np.roll(np.linspace(2e10, 8e10, 12), 5))
    with pytest.warns(IdentifiabilityWarning, match=r"tokens varies only by a factor of 4\.0"):
        check_identifiable(runs, sb.laws.Chinchilla())


def test_sizes_that_vary_together_are_warned_of():
    runs = sweep(WIDE_N, 20 * WIDE_N)
    with pytest.warns(IdentifiabilityWarning, match="alpha_N and N_c can be told from alpha_D"):
        check_identifiable(runs, sb.laws.Chinchilla())


def test_a_law_without_terms_names_its_sizes():
    class Plain(sb.Law):
        name = "plain"
        covariates = ("tokens",)
        parameters = (sb.laws.irreducible_loss(),)

        def loss(self, p, x):
            return p.L_inf + 1e9 / x.tokens

    with pytest.raises(IdentifiabilityError, match="the parameters of the tokens term cannot"):
        check_identifiable(sweep(WIDE_N, np.full(12, 2e10)), Plain())


def test_losses_that_are_all_the_same_are_refused():
    frame = sweep(WIDE_N, np.roll(np.geomspace(2e9, 2e12, 12), 5)).frame.assign(loss=2.5)
    with pytest.raises(IdentifiabilityError, match=r"every loss in .* is 2\.5"):
        check_identifiable(sb.Runs(frame), sb.laws.Chinchilla())
