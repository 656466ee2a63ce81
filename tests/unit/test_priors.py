from __future__ import annotations

import pickle

import numpy as np
import preliz as pz
import pymc as pm
import pytest
from scipy import stats

from scaling_bayes import Prior
from scaling_bayes.errors import PriorError
from scaling_bayes.parameters import POSITIVE

HALF_NORMAL = Prior("Truncated", dist=Prior("Normal", mu=0.3, sigma=0.2), lower=0)
ANYWHERE = (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("prior", "same"),
    [
        (Prior("LogNormal", mu=0.5, sigma=0.3), stats.lognorm(0.3, scale=np.exp(0.5))),
        (Prior("Gamma", alpha=2, beta=0.1), stats.gamma(2, scale=10)),
        (HALF_NORMAL, stats.truncnorm(-1.5, np.inf, loc=0.3, scale=0.2)),
    ],
)
def test_log_density_and_draws_are_those_of_the_distribution_named(prior, same):
    at = same.ppf([0.01, 0.3, 0.9])
    np.testing.assert_allclose(prior.log_density(at).eval(), same.logpdf(at), atol=1e-7)
    draws = pm.draw(prior.dist(), 2000, random_seed=1, mode="FAST_COMPILE")
    assert stats.kstest(draws, same.cdf).pvalue > 1e-3


def test_created_in_a_model_it_is_a_free_variable():
    with pm.Model() as model:
        HALF_NORMAL.create("alpha")
    assert [rv.name for rv in model.free_RVs] == ["alpha"]


@pytest.mark.parametrize("prior", [Prior("LogNormal", mu=0.1, sigma=1 / 3), HALF_NORMAL])
def test_plain_data_and_pickle_give_an_equal_prior(prior):
    for copy in (Prior.from_dict(prior.to_dict()), pickle.loads(pickle.dumps(prior))):
        assert copy == prior
        assert hash(copy) == hash(prior)
    assert prior != Prior("LogNormal", mu=0.1, sigma=0.3333)
    assert prior != "LogNormal"


def test_it_is_printed_as_it_is_written():
    assert repr(HALF_NORMAL) == (
        "Prior('Truncated', dist=Prior('Normal', mu=0.3, sigma=0.2), lower=0)"
    )
    assert eval(repr(HALF_NORMAL)) == HALF_NORMAL
    assert str(Prior("LogNormal", mu=0.5, sigma=0.3)) == "LogNormal(mu=0.5, sigma=0.3)"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pz.LogNormal(0, 1), Prior("LogNormal", mu=0, sigma=1)),
        (pz.Gamma(mu=2, sigma=1), Prior("Gamma", mu=2, sigma=1)),
        (
            pz.Truncated(pz.Normal(0.3, 0.2), lower=0, upper=5),
            Prior("Truncated", dist=Prior("Normal", mu=0.3, sigma=0.2), lower=0, upper=5),
        ),
        (HALF_NORMAL, HALF_NORMAL),
    ],
)
def test_preliz_distributions_are_taken(given, expected):
    prior = Prior.coerce(given)
    assert prior == expected
    prior.check_support("alpha", POSITIVE if "Normal" not in prior.distribution else ANYWHERE)


@pytest.mark.parametrize("given", [0.3, "LogNormal", None, pz.Normal, pz.Normal()])
def test_what_is_no_prior_is_refused_with_a_remedy(given):
    with pytest.raises(PriorError, match=r"is not a prior|has no value for mu, sigma"):
        Prior.coerce(given)


@pytest.mark.parametrize("number", ["wide", None, [1, 2], float("nan")])
def test_an_argument_that_is_no_number_is_named(number):
    with pytest.raises(PriorError, match=r"mu=.* of the prior Normal is neither a number"):
        Prior("Normal", mu=number)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (Prior("LogNormale", mu=0), "PyMC has no distribution 'LogNormale'"),
        (Prior("Model"), "PyMC has no distribution 'Model'"),
        (Prior("Gamma", mean=2), "PyMC cannot build the prior"),
    ],
)
def test_a_distribution_that_pymc_lacks_is_named(prior, message):
    with pytest.raises(PriorError, match=message):
        prior.dist()


@pytest.mark.parametrize(
    "prior",
    [
        Prior("Normal", mu=0.3, sigma=0.2),
        Prior("Normal", mu=-50, sigma=0.01),
        Prior("Uniform", lower=-5, upper=-2),
        Prior("Truncated", dist=Prior("Normal", mu=0.3, sigma=0.2), lower=-1e-3),
    ],
)
def test_a_prior_that_reaches_outside_of_the_support_is_refused(prior):
    with pytest.raises(PriorError, match=r"reaches outside of \(0, inf\).*Truncated"):
        prior.check_support("alpha_N", POSITIVE)


@pytest.mark.parametrize(
    "prior",
    [
        HALF_NORMAL,
        Prior("HalfNormal", sigma=1),
        Prior("LogNormal", mu=18, sigma=3),
        Prior("Uniform", lower=0, upper=0.5),
    ],
)
def test_a_prior_inside_of_the_support_is_taken(prior):
    prior.check_support("alpha_N", POSITIVE)


def test_an_upper_bound_counts_too():
    Prior("Beta", alpha=2, beta=2).check_support("share", (0.0, 1.0))
    with pytest.raises(PriorError, match="upper=1"):
        Prior("LogNormal", mu=0, sigma=1).check_support("share", (0.0, 1.0))


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (Prior("Poisson", mu=3), "is discrete"),
        (Prior("Gamma", alpha=-1, beta=1), "alpha > 0"),
    ],
)
def test_a_prior_that_cannot_be_sampled_is_refused(prior, message):
    with pytest.raises(PriorError, match=message):
        prior.check_support("alpha_N", POSITIVE)
