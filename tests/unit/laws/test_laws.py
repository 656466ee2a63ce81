from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import halfnorm, norm

import scaling_bayes as sb
from scaling_bayes.errors import InputError
from scaling_bayes.laws import (
    REGISTRY,
    Chinchilla,
    Coupled,
    Kaplan,
    Law,
    PowerLaw,
    PowerSum,
    PurePowerLaw,
    exponent,
    irreducible_loss,
    scale,
)
from scaling_bayes.priors import Prior

RANGES = {
    "n_params": (7, 12),
    "tokens": (9, 13),
    "flops": (17, 26),
    "unique_tokens": (8, 13),
    "n_experts": (0, 3),
}
N_POINTS = 50
SUMS = [name for name in sorted(REGISTRY) if isinstance(REGISTRY[name](), PowerSum)]
"""The laws whose terms are known."""


@pytest.fixture(params=sorted(REGISTRY))
def law(request: pytest.FixtureRequest) -> Law:
    """Every law that the package ships, also of other columns than sizes."""
    return REGISTRY[request.param]()


@pytest.fixture
def p(law: Law) -> SimpleNamespace:
    """Fifty draws of the law's parameters from their priors."""
    rng = np.random.default_rng(1)
    return SimpleNamespace(
        **{
            name: pm.draw(prior.dist(), N_POINTS, random_seed=rng)
            for name, prior in law.priors.items()
        }
    )


@pytest.fixture
def x(law: Law) -> SimpleNamespace:
    """Fifty points of the law's covariates."""
    rng = np.random.default_rng(2)
    return SimpleNamespace(
        **{name: 10 ** rng.uniform(*RANGES[name], N_POINTS) for name in law.covariates}
    )


def symbols(names: object) -> dict[str, pt.TensorVariable]:
    return {name: pt.dvector(name) for name in names}


def median(prior: Prior) -> float:
    if prior.distribution == "HalfNormal":
        return prior.parameters["sigma"] * halfnorm.median()
    if prior.distribution == "Normal":
        return prior.parameters["mu"]
    return np.exp(prior.parameters["mu"])


def at_centre(law: Law, **changed: object) -> SimpleNamespace:
    """Return the prior median of each parameter of a law."""
    medians = {name: median(prior) for name, prior in law.priors.items()}
    return SimpleNamespace(**medians | changed)


def test_it_is_registered_under_its_own_name(law):
    assert REGISTRY[law.name]() == law


def test_it_declares_itself_in_full(law):
    assert law.covariates
    assert len(set(law.parameter_names)) == len(law.parameters)
    assert law.parameter_names == [parameter.name for parameter in law.parameters]
    for parameter in law.parameters:
        assert parameter.name.isidentifier()
        assert parameter.symbol
        assert parameter.unit
        assert parameter.description
        assert len(parameter.reason) > 20, f"the prior of {parameter.name} has no reason"
    assert (type(law).__doc__ or "").startswith("L = ")


def test_its_priors_lie_inside_of_the_supports(law):
    for parameter in law.parameters:
        parameter.prior.check_support(parameter.name, parameter.support)


def test_the_graph_and_numpy_give_the_same_loss(law, p, x):
    parameters, covariates = symbols(law.parameter_names), symbols(law.covariates)
    loss = law.loss(SimpleNamespace(**parameters), SimpleNamespace(**covariates))
    compiled = pytensor.function(
        [*parameters.values(), *covariates.values()], loss, mode="FAST_COMPILE"
    )
    np.testing.assert_allclose(compiled(**vars(p), **vars(x)), law.loss(p, x), rtol=1e-10, atol=0)


def test_gradients_are_finite_and_equal_finite_differences(law, p, x):
    parameters, covariates = symbols(law.parameter_names), symbols(law.covariates)
    log_loss = pt.log(law.loss(SimpleNamespace(**parameters), SimpleNamespace(**covariates)))
    gradients = pytensor.function(
        [*parameters.values(), *covariates.values()],
        pt.grad(pt.sum(log_loss), list(parameters.values())),
        mode="FAST_COMPILE",
    )(**vars(p), **vars(x))
    step = 1e-5
    for name, gradient in zip(parameters, gradients, strict=True):
        value = getattr(p, name)
        up, down = (
            np.log(law.loss(SimpleNamespace(**vars(p) | {name: value * factor}), x))
            for factor in (1 + step, 1 - step)
        )
        np.testing.assert_allclose(
            gradient * value, (up - down) / (2 * step), rtol=1e-6, atol=1e-9, err_msg=name
        )


def test_xarray_draws_and_points_give_named_dims(law, p, x):
    draws = xr.Dataset(
        {name: (("chain", "draw"), value.reshape(2, -1)) for name, value in vars(p).items()}
    )
    points = xr.Dataset({name: ("point", value[:3]) for name, value in vars(x).items()})
    loss = law.loss(draws, points).transpose("chain", "draw", "point")
    assert loss.sizes == {"chain": 2, "draw": N_POINTS // 2, "point": 3}
    one = law.loss(draws.isel(chain=1, draw=7).astype(float), points.isel(point=2))
    assert float(one) == pytest.approx(float(loss[1, 7, 2]), rel=1e-14)
    for name, value in law.derived(draws).items():
        assert set(value.dims) == {"chain", "draw"}, name


@pytest.mark.parametrize("name", sorted(REGISTRY))
@given(data=st.data())
def test_loss_falls_as_any_size_grows(name, data):
    law = REGISTRY[name]()
    p = at_centre(law)
    sizes = {
        covariate: 10 ** data.draw(st.floats(*RANGES[covariate]), label=f"log10 {covariate}")
        for covariate in law.covariates
    }
    larger = data.draw(st.sampled_from(law.covariates))
    factor = data.draw(st.floats(1.01, 1e3))
    before = law.loss(p, SimpleNamespace(**sizes))
    after = law.loss(p, SimpleNamespace(**sizes | {larger: factor * sizes[larger]}))
    assert 0 < after <= before
    # What repeats is worth nothing in the end; a power goes on falling.
    assert after < before or not isinstance(law, PowerSum)


@pytest.mark.parametrize("law", SUMS, indirect=True)
def test_loss_tends_to_the_irreducible_loss(law, p):
    infinite = SimpleNamespace(**dict.fromkeys(law.covariates, np.float64(np.inf)))
    np.testing.assert_array_equal(
        law.loss(p, infinite), getattr(p, "L_inf", 0.0) * np.ones(N_POINTS)
    )


@pytest.mark.parametrize("law", SUMS, indirect=True)
def test_loss_at_the_characteristic_scale_alone_is_one_nat_above(law, p):
    """A term is 1 at its scale, so that the loss there is L_inf + 1 if all others are gone."""
    for alone in law.terms:
        sizes = dict.fromkeys(law.covariates, np.inf) | {alone.covariate: getattr(p, alone.scale)}
        np.testing.assert_allclose(
            law.loss(p, SimpleNamespace(**sizes)), getattr(p, "L_inf", 0.0) + 1, rtol=1e-12
        )


@pytest.mark.parametrize("law", SUMS, indirect=True)
def test_coefficients_rewrite_the_terms(law, p, x):
    """With A = N_c^e the term (N_c/N)^e is A / N^e."""
    derived = law.derived(p)
    terms = sum(
        derived[term.coefficient] * getattr(x, term.covariate) ** -law.inner_exponent(term, p)
        for term in law.terms
    )
    loss = getattr(p, "L_inf", 0.0) + terms ** law.outer_exponent(p)
    np.testing.assert_allclose(loss, law.loss(p, x), rtol=1e-9)


def test_allocation_exponents_are_the_slopes_of_the_optimum(law, p):
    derived = law.derived(p)
    if "a" not in derived:
        assert not isinstance(law, PowerSum) or len(law.covariates) == 1
        return
    np.testing.assert_allclose(derived["a"] + derived["b"], 1.0, rtol=1e-14)
    low, high = (law.optimal_n_params(p, flops, 6.0) for flops in (1e20, 1e22))
    np.testing.assert_allclose(np.log(high / low) / np.log(100), derived["a"], rtol=1e-10)


def test_chinchilla_in_hoffmanns_letters():
    law = Chinchilla()
    p = SimpleNamespace(L_inf=1.8, alpha_N=0.3, alpha_D=0.4, N_c=2e8, D_c=3e9)
    A, B = 2e8**0.3, 3e9**0.4
    loss = law.loss(p, SimpleNamespace(n_params=1e9, tokens=2e10))
    assert loss == pytest.approx(1.8 + A / 1e9**0.3 + B / 2e10**0.4, rel=1e-14)
    derived = law.derived(p)
    assert (derived["A"], derived["B"]) == pytest.approx((A, B), rel=1e-14)
    assert derived["a"] == pytest.approx(0.4 / 0.7, rel=1e-14)


def test_kaplan_in_kaplans_letters():
    p = SimpleNamespace(alpha_N=0.076, alpha_D=0.103, N_c=6.4e13, D_c=1.8e13)
    N, D = 1e9, 2e10
    expected = ((6.4e13 / N) ** (0.076 / 0.103) + 1.8e13 / D) ** 0.103
    assert Kaplan().loss(p, SimpleNamespace(n_params=N, tokens=D)) == pytest.approx(expected)


def points(rng: np.random.Generator) -> SimpleNamespace:
    return SimpleNamespace(
        n_params=10 ** rng.uniform(7, 12, N_POINTS), tokens=10 ** rng.uniform(9, 13, N_POINTS)
    )


def test_coupled_with_gamma_one_is_chinchilla():
    x = points(np.random.default_rng(3))
    p = at_centre(Chinchilla())
    coupled = Coupled().loss(SimpleNamespace(**vars(p), gamma=1.0), x)
    np.testing.assert_allclose(coupled, Chinchilla().loss(p, x), rtol=1e-14)


def test_coupled_without_irreducible_loss_is_kaplan():
    x = points(np.random.default_rng(4))
    kaplan = at_centre(Kaplan())
    coupled = SimpleNamespace(
        L_inf=1e-300,
        gamma=kaplan.alpha_D,
        **vars(kaplan),
    )
    np.testing.assert_allclose(Coupled().loss(coupled, x), Kaplan().loss(kaplan, x), rtol=1e-13)
    for name, value in Coupled().derived(coupled).items():
        assert value == pytest.approx(Kaplan().derived(kaplan)[name], rel=1e-12), name


def test_a_power_law_with_a_tiny_floor_is_the_pure_one():
    x = SimpleNamespace(flops=np.logspace(17, 26, 10))
    p = SimpleNamespace(alpha_C=0.05, C_c=1e28)
    np.testing.assert_allclose(
        PowerLaw("flops").loss(SimpleNamespace(**vars(p), L_inf=1e-300), x),
        PurePowerLaw("flops").loss(p, x),
        rtol=1e-14,
    )


@pytest.mark.parametrize("family", [PowerLaw, PurePowerLaw])
def test_a_power_law_in_nothing_known_is_refused(family):
    with pytest.raises(InputError, match=r"'steps'.*n_params, tokens, flops"):
        family("steps")


@pytest.mark.parametrize(
    "make",
    [
        lambda **given: exponent("e", "e", "epochs", **given),
        lambda **given: scale("E_c", "E_c", "epochs", median=1, **given),
        irreducible_loss,
    ],
)
def test_a_parameters_reason_is_its_authors_or_says_how_wide_the_prior_is(make):
    assert make(reason="measured on seven sweeps").reason == "measured on seven sweeps"
    assert "weakly informative" in make(spread=1.0).reason
    assert "a factor of 2.7 either way" in make(spread=1.0).reason


def test_every_shipped_law_gives_reasons_of_its_own(law):
    for parameter in law.parameters:
        assert "weakly informative" not in parameter.reason, parameter.name


def test_factors_in_reasons_are_those_of_the_priors(law):
    for parameter in law.parameters:
        stated = re.search(r"one standard deviation is a factor of ([\d.]+)", parameter.reason)
        if stated:
            factor = np.exp(parameter.prior.parameters["sigma"])
            assert float(stated[1]) == pytest.approx(factor, rel=0.05), parameter.name


def test_a_scale_says_what_it_counts():
    descriptions = {p.name: p.description for p in Chinchilla().parameters}
    assert descriptions["N_c"] == "parameters at which its term is 1"
    assert descriptions["D_c"] == "tokens at which its term is 1"
    assert scale("E_c", "E_c", "1", median=1).description == "size at which its term is 1"


@pytest.mark.parametrize(
    "published", Chinchilla.published.values(), ids=lambda published: published.label
)
def test_the_priors_of_the_coupled_law_reach_chinchillas(published):
    priors = Coupled().priors
    for name, value in {**published.values, "gamma": 1.0}.items():
        if name == "L_inf":
            assert halfnorm(scale=priors["L_inf"].parameters["sigma"]).sf(value) > 2 * norm.sf(2)
            continue
        z = (np.log(value) - priors[name].parameters["mu"]) / priors[name].parameters["sigma"]
        assert abs(z) < 2, name


@pytest.mark.slow
def test_the_coupled_law_follows_runs_of_kaplans(quiet):
    """64 runs with a tenth of the compute of the run that is forecast, and less."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"n_params": 10 ** rng.uniform(7, 9.5, 64), "tokens": 10 ** rng.uniform(8.5, 10.8, 64)}
    )
    truth = Kaplan.published["kaplan2020"]
    mean = truth.law.loss(SimpleNamespace(**truth.values), frame)
    runs = sb.read_runs(frame.assign(loss=mean * np.exp(0.005 * rng.standard_normal(64))))
    ten_times = {"n_params": 6e9, "tokens": 3e11}
    fit = sb.fit(runs, Coupled(), discrepancy=sb.discrepancy.Smooth(), seed=1, settings=quiet)
    lower, upper = fit.forecast(**ten_times, seed=1).interval(of="mean_curve").values.ravel()
    assert lower < sb.forecast(truth, **ten_times).mean_curve.item() < upper
