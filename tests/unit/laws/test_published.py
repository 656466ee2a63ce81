from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes.laws import REGISTRY, Chinchilla, Kaplan, PublishedLaw, PurePowerLaw
from scaling_bayes.units import PF_DAY, SIZES

PUBLISHED = {
    label: published
    for make in REGISTRY.values()
    for label, published in type(make()).published.items()
}
CHINCHILLA_FLOPS = 5.88e23


def optimum(published: PublishedLaw, flops: float) -> dict[str, float]:
    optima = sb.allocate(published, flops=flops).optimum
    return {str(name): values.item() for name, values in optima.data_vars.items()}


def by_grid(published: PublishedLaw, flops: float) -> float:
    """Return tokens per parameter at the smallest loss on a fine grid of sizes."""
    n_params = np.geomspace(1e9, 1e12, 1_000_001)
    tokens = flops / (6 * n_params)
    loss = published.law.loss(
        SimpleNamespace(**published.values), SimpleNamespace(n_params=n_params, tokens=tokens)
    )
    return (tokens / n_params)[np.argmin(loss)]


@pytest.mark.parametrize("label", sorted(PUBLISHED))
def test_it_can_be_used_as_a_fit_is(label):
    published = PUBLISHED[label]
    assert published.label == label
    assert published.citation.arxiv
    assert published.noise is None
    assert dict(published.draws.sizes) == {"chain": 1, "draw": 1}
    others = {name: 1e10 for name in published.law.covariates if name not in SIZES}
    forecast = sb.forecast(published, n_params="1B", tokens="20B", at=others)
    expected = published.law.loss(
        SimpleNamespace(**published.values),
        SimpleNamespace(n_params=1e9, tokens=2e10, flops=1.2e20, **others),
    )
    assert forecast.mean_curve.item() == pytest.approx(expected, rel=1e-14)


def test_every_law_publishes_only_its_own_values():
    for name, make in REGISTRY.items():
        for published in type(make()).published.values():
            assert type(published.law) is type(make()), name
            assert set(published.values) == set(published.law.parameter_names)


def test_values_that_are_not_the_laws_own_are_refused():
    with pytest.raises(ValueError, match="typo gives"):
        PublishedLaw("typo", Chinchilla(), {"L_inf": 1.7}, Chinchilla.citation)


def test_hoffmanns_values():
    published = Chinchilla.published["hoffmann2022"]
    derived = published.law.derived(SimpleNamespace(**published.values))
    assert derived["A"] == pytest.approx(406.4, rel=1e-12)
    assert derived["B"] == pytest.approx(410.7, rel=1e-12)
    assert derived["a"] == pytest.approx(0.28 / 0.62, rel=1e-12)
    best = optimum(published, CHINCHILLA_FLOPS)
    # Two digits of the exponents matter: the paper's unrounded values give 59.0.
    assert best["tokens_per_param"] == pytest.approx(92.8, abs=0.05)
    assert best["tokens_per_param"] == pytest.approx(by_grid(published, CHINCHILLA_FLOPS), rel=1e-4)


def test_besiroglus_values():
    published = Chinchilla.published["besiroglu2024"]
    derived = published.law.derived(SimpleNamespace(**published.values))
    assert derived["a"] == pytest.approx(0.513, abs=5e-4)
    best = optimum(published, CHINCHILLA_FLOPS)
    assert best["tokens_per_param"] == pytest.approx(18.3, abs=0.05)
    assert best["n_params"] == pytest.approx(73.1e9, abs=0.05e9)
    assert best["tokens"] == pytest.approx(1.34e12, abs=0.005e12)


def test_kaplans_joint_law():
    """Kaplan et al. 2020, section 1.2: table values, and what the formula implies."""
    published = Kaplan.published["kaplan2020"]
    assert published.values == {
        "alpha_N": 0.076,
        "alpha_D": 0.103,
        "N_c": 6.4e13,
        "D_c": 1.8e13,
    }
    derived = published.law.derived(SimpleNamespace(**published.values))
    assert derived["a"] == pytest.approx(1 / (1 + 0.076 / 0.103), rel=1e-12)
    low, high = (optimum(published, flops)["n_params"] for flops in (1e20, 1e21))
    assert high / low == pytest.approx(10 ** derived["a"], rel=1e-9)
    assert f"C^{derived['a']:.2f}" in published.note


@pytest.mark.parametrize(
    ("label", "size", "exponent", "scale"),
    [
        ("kaplan2020-n_params", "n_params", 0.076, 8.8e13),
        ("kaplan2020-tokens", "tokens", 0.095, 5.4e13),
        ("kaplan2020-flops", "flops", 0.050, 3.1e8 * PF_DAY),
    ],
)
def test_kaplans_laws_of_one_size(label, size, exponent, scale):
    published = PurePowerLaw.published[label]
    forecast = sb.forecast(published, **{size: [scale, scale / 10]})
    assert forecast.mean_curve.to_numpy().ravel() == pytest.approx([1.0, 10**exponent], rel=1e-12)
    assert list(published.law.covariates) == [size]
