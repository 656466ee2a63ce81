"""Laws built on the shipped ones have the optimum of their own loss, not of the parent's."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import NoOptimumError

BUDGETS = [1e21, 1e22, 5e24]


class ThreeTerms(sb.laws.PowerSum):
    """Two terms in N and one in D."""

    name = "three-terms"
    parameters = (
        *sb.laws.Chinchilla.parameters,
        sb.laws.exponent("alpha_M", r"\alpha_M", "model size", median=0.7),
        sb.laws.scale("M_c", "M_c", "parameters", median=1e7),
    )
    terms = (
        *sb.laws.Chinchilla.terms,
        sb.laws.Term("n_params", scale="M_c", exponent="alpha_M", coefficient="A2"),
    )


class Penalised(sb.laws.Chinchilla):
    """Chinchilla's law with a penalty on small models added to its loss."""

    name = "penalised"

    def loss(self, p, x):
        return super().loss(p, x) + (1e9 / x.n_params) ** 0.5 / 10


class Kinked(sb.laws.Chinchilla):
    """Chinchilla's law with a kink that no derivative sees."""

    name = "kinked"

    def loss(self, p, x):
        return super().loss(p, x) + 0.02 * np.abs(np.log(x.tokens / x.n_params / 20))


class Mistaken(sb.laws.Chinchilla):
    """Chinchilla's law with a closed form that is not its optimum."""

    name = "mistaken"

    def optimal_n_params(self, p, flops, flops_per_param_token):
        return 1.2 * super().optimal_n_params(p, flops, flops_per_param_token)


def source_of(law, truth, **more):
    """Return a law at Besiroglu's values."""
    return sb.laws.PublishedLaw(law.name, law, dict(truth.values) | more, truth.citation)


def brute_force(source, flops):
    p = SimpleNamespace(**source.values)
    log_n = np.linspace(np.log(1e7), np.log(1e13), 400_001)
    n_params = np.exp(log_n)
    sizes = SimpleNamespace(n_params=n_params, tokens=flops / (6 * n_params), flops=flops)
    return n_params[np.argmin(source.law.loss(p, sizes))]


@pytest.mark.parametrize(
    ("law", "more"),
    [(ThreeTerms(), {"alpha_M": 0.7, "M_c": 1e7}), (Penalised(), {}), (Kinked(), {})],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_optimum_is_that_of_the_loss_as_it_is(law, more, truth):
    source = source_of(law, truth, **more)
    plan = sb.allocate(source, flops=BUDGETS)
    expected = [brute_force(source, flops) for flops in BUDGETS]
    np.testing.assert_allclose(plan.optimum["n_params"].squeeze(), expected, rtol=1e-4)
    assert float(plan.recommended["cost_mean"].min()) >= -1e-8


def test_every_term_has_its_own_coefficient(truth):
    source = source_of(ThreeTerms(), truth, alpha_M=0.7, M_c=1e7)
    derived = source.law.derived(source.draws)
    assert derived["A"].item() == pytest.approx(482.006, rel=1e-6)
    assert derived["A2"].item() == pytest.approx(1e7**0.7)
    assert "a" not in derived
    assert source.law.covariates == ("n_params", "tokens")


def test_a_closed_form_that_is_not_the_optimum_is_found_out(truth):
    plan = sb.allocate(source_of(Mistaken(), truth), flops=1e22)
    with pytest.raises(NoOptimumError, match="optimal_n_params suit its loss"):
        _ = plan.recommended


def test_a_law_with_a_second_term_in_a_size_has_one_posterior_in_both_coordinates(fit):
    """The change of variables holds for it as for the shipped ones."""
    for coordinates in ("centred", "natural"):
        model = sb.build_model(fit.runs, ThreeTerms(), coordinates=coordinates)
        assert np.isfinite(model.compile_logp(mode="FAST_COMPILE")(model.initial_point()))


def test_given_up_loss_uses_the_compute_that_the_sizes_spend(prior_source):
    source = prior_source(sb.laws.Additive(), draws=50)
    frame = sb.loss_given_up(source, n_params=[1e9, 2e9], flops=[1.2e20, 1.2e20])
    assert float(frame.min()) >= -1e-9


def test_fits_that_only_differ_in_weights_are_not_compared(fit, fitter):
    heavier = sb.read_runs(fit.runs.frame.assign(weight=4.0))
    with pytest.raises(sb.errors.InputError, match="other runs"):
        sb.compare({"a": fit, "b": dataclasses.replace(fit, runs=heavier)})
