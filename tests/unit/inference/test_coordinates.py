from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor.gradient import jacobian
from scipy.special import gammaln

import scaling_bayes as sb
from scaling_bayes._inference.coordinates import references, resolve
from scaling_bayes.errors import InputError
from scaling_bayes.laws import Chinchilla, PowerSum

QUICK = {"mode": "FAST_COMPILE"}
"""Dozens of points are not worth a compilation for speed."""


class CubeLaw(sb.Law):
    """A law whose terms are not declared."""

    name = "cube"
    covariates = ("n_params",)
    parameters = (sb.laws.irreducible_loss(), sb.laws.scale("N_c", "N_c", "", median=1e8))

    def loss(self, p, x):
        return p.L_inf + (p.N_c / x.n_params) ** 3


def assert_same_posterior(law: PowerSum, runs: sb.Runs) -> None:
    """Compare the log densities of both models at random points, the Jacobian accounted for."""
    centred = sb.build_model(runs, law, coordinates="centred")
    natural = sb.build_model(runs, law, coordinates="natural")
    parameters = centred.replace_rvs_by_values([centred[rv.name] for rv in natural.free_RVs])
    with_transforms = zip(natural.free_RVs, parameters, strict=True)
    natural_values = pt.stack(
        [
            natural.rvs_to_transforms[rv].forward(value, *rv.owner.inputs)
            for rv, value in with_transforms
        ]
    )
    columns = jacobian(natural_values, centred.value_vars)
    to_natural = centred.compile_fn(
        [natural_values, pt.concatenate([c.reshape((c.shape[0], -1)) for c in columns], axis=1)],
        point_fn=True,
        **QUICK,
    )
    log_density = centred.compile_logp(**QUICK)
    natural_log_density = natural.compile_logp(**QUICK)

    rng = np.random.default_rng(1)
    start = centred.initial_point()
    differences = []
    for _ in range(20):
        point = {name: value + rng.normal(0, 0.5, value.shape) for name, value in start.items()}
        values, slopes = to_natural(point)
        sign, log_volume = np.linalg.slogdet(slopes)
        assert sign != 0
        names = [variable.name for variable in natural.value_vars]
        there = natural_log_density(dict(zip(names, values, strict=True)))
        assert np.isfinite(there)
        differences.append(log_density(point) - (there + log_volume))
    # The flat simplex has density (number of shares - 1)!, the only constant between the two.
    n_shares = len(law.terms) + law.irreducible
    np.testing.assert_allclose(differences, gammaln(n_shares), rtol=0, atol=1e-6)


def test_both_coordinates_have_the_same_posterior(sum_of_powers, runs):
    assert_same_posterior(sum_of_powers, runs)


def test_both_coordinates_have_the_same_posterior_under_a_users_priors(runs):
    law = Chinchilla(
        priors={
            "L_inf": sb.Prior("Truncated", dist=sb.Prior("Normal", mu=1.7, sigma=0.3), lower=0),
            "alpha_N": sb.Prior("Gamma", alpha=4, beta=10),
            "N_c": sb.Prior("HalfCauchy", beta=1e9),
            "D_c": sb.Prior("Weibull", alpha=0.7, beta=1e9),
        }
    )
    assert_same_posterior(law, runs)


def test_the_centre_of_the_runs_does_not_enter_the_prior(simulate):
    assert_same_posterior(Chinchilla(), simulate(12, seed=9).below(tokens=2e10))


def test_centred_coordinates_sample_totals_and_shares(runs):
    model = sb.build_model(runs, Chinchilla())
    assert {rv.name for rv in model.free_RVs} == {
        "log_loss_centre",
        "share",
        "alpha_N",
        "alpha_D",
        "sigma",
        "nu",
    }
    assert {"L_inf", "N_c", "D_c"} <= {variable.name for variable in model.deterministics}


def test_a_law_with_one_term_and_no_floor_has_no_shares(runs):
    model = sb.build_model(runs, sb.laws.PurePowerLaw("flops"))
    assert {rv.name for rv in model.free_RVs} == {"log_loss_centre", "alpha_C", "sigma", "nu"}


def test_the_centre_is_the_geometric_mean(runs):
    centres = references(runs, Chinchilla())
    assert set(centres) == {"n_params_centre", "tokens_centre"}
    for name, centre in centres.items():
        column = runs.frame[name.removesuffix("_centre")]
        assert centre == pytest.approx(np.prod(column ** (1 / len(runs))), rel=1e-12)


def test_at_the_centre_the_law_gives_the_loss_and_the_shares_that_are_sampled(sum_of_powers, runs):
    model = sb.build_model(runs, sum_of_powers, coordinates="centred")
    names = ["log_loss_centre", *sum_of_powers.parameter_names]
    evaluate = model.compile_fn(
        model.replace_rvs_by_values([model[name] for name in names]),
        inputs=model.value_vars,
        on_unused_input="ignore",
        **QUICK,
    )
    point = model.initial_point() | {"log_loss_centre": np.array(np.log(2.5))}
    values = dict(zip(names, evaluate(point), strict=True))
    centre = {
        name: references(runs, sum_of_powers)[f"{name}_centre"] for name in sum_of_powers.covariates
    }
    loss = sum_of_powers.loss(SimpleNamespace(**values), SimpleNamespace(**centre))
    assert loss == pytest.approx(2.5, rel=1e-12)


def test_centred_is_the_default_where_terms_are_known(law):
    assert resolve(None, law) == ("centred" if isinstance(law, PowerSum) else "natural")
    assert resolve(None, CubeLaw()) == "natural"
    assert resolve(None, CubeLaw(), sb.discrepancy.Smooth()) == "mixed"
    assert resolve("natural", law) == "natural"


def test_coordinates_that_do_not_suit_are_refused(runs):
    with pytest.raises(InputError, match="'polar' are unknown; take natural or centred"):
        sb.build_model(runs, Chinchilla(), coordinates="polar")
    with pytest.raises(InputError, match="cube declares none"):
        sb.build_model(runs, CubeLaw(), coordinates="centred")
