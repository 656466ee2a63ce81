"""Laws that are written in other parameters than their papers give the losses of the papers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import InputError

N = np.array([1e7, 2.5e8, 1e9, 7e10])
D = np.array([1e9, 5e9, 2e10, 3e12])


def test_farseers_nine_constants():
    paper = {"s": -0.07, "q": 0.12, "S": 0.2, "B": 180.0, "b": -0.16, "Q": -1.4}
    paper |= {"A": -1.5, "a": 0.05, "E": 3.0}
    c = SimpleNamespace(**paper)
    expected = np.exp(c.s * N**c.q + c.S)
    expected += np.exp(c.B * N**c.b + c.Q) * D ** -np.exp(c.A * N**c.a + c.E)
    p = SimpleNamespace(**sb.laws.Farseer.from_paper(**paper))
    loss = sb.laws.Farseer().loss(p, SimpleNamespace(n_params=N, tokens=D))
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


def test_farseers_values_and_slopes_are_those_at_a_billion_parameters():
    law = sb.laws.Farseer()
    values = sb.laws.Farseer.published["farseer2025"].values
    p = SimpleNamespace(**values)
    h = 1e-6
    beside = 1e9 * np.exp([-h, 0.0, h])
    endless = law.loss(p, SimpleNamespace(n_params=beside, tokens=np.inf))
    assert endless[1] == pytest.approx(p.L_N, rel=1e-12)
    assert np.log(endless[2] / endless[0]) / (2 * h) == pytest.approx(-p.alpha_N, rel=1e-6)
    term = law.loss(p, SimpleNamespace(n_params=beside, tokens=2e10)) - endless
    assert term[1] == pytest.approx(p.L_D, rel=1e-12)
    assert np.log(term[2] / term[0]) / (2 * h) == pytest.approx(p.slope_D, rel=1e-6)
    more = law.loss(p, SimpleNamespace(n_params=beside, tokens=2e11)) - endless
    exponent = -np.log10(more / term)
    assert exponent[1] == pytest.approx(p.alpha_D, rel=1e-10)
    slope = np.log(exponent[2] / exponent[0]) / (2 * h)
    assert slope == pytest.approx(p.slope_alpha_D, rel=1e-6)


def test_clarks_constants():
    paper = {"a": -0.08, "b": -0.11, "c": 0.01, "d": 1.1, "E_start": 1.9, "E_max": 300.0}
    experts = np.array([1.0, 8.0, 64.0, 512.0])
    counted = 1 / (1 / (experts - 1 + 1 / (1 / 1.9 - 1 / 300.0)) + 1 / 300.0)
    log_n, log_e = np.log10(N), np.log10(counted)
    expected = 10 ** (-0.08 * log_n - 0.11 * log_e + 0.01 * log_n * log_e + 1.1)
    p = SimpleNamespace(**sb.laws.Routed.from_paper(**paper))
    loss = sb.laws.Routed().loss(p, SimpleNamespace(n_params=N, n_experts=experts))
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    assert counted[0] == pytest.approx(1.9)


@pytest.mark.parametrize("n_breaks", [1, 2])
def test_caballeros_formula(n_breaks):
    # a + b x^-c0 (1 + (x/d1)^(1/f1))^(-c1 f1) ..., with c_i the change of the exponent.
    law = sb.laws.BrokenPowerLaw("tokens", n_breaks)
    p = SimpleNamespace(
        L_inf=1.7, alpha_0=0.3, D_c=2e9, d_1=1e10, f_1=0.3, alpha_1=0.2, ratio_2=40.0, f_2=0.5,
        alpha_2=0.4,
    )  # fmt: skip
    expected = (D / p.D_c) ** -0.3 * (1 + (D / 1e10) ** (1 / 0.3)) ** (0.1 * 0.3)
    if n_breaks == 2:
        expected *= (1 + (D / 4e11) ** (1 / 0.5)) ** (-0.2 * 0.5)
        assert law.derived(p) == {"d_2": 4e11}
    np.testing.assert_allclose(law.loss(p, SimpleNamespace(tokens=D)), 1.7 + expected, rtol=1e-12)


@pytest.mark.parametrize("n_breaks", [1, 2])
def test_far_from_its_breaks_a_broken_law_is_a_power_law(n_breaks):
    law = sb.laws.BrokenPowerLaw("flops", n_breaks, fixed={"L_inf": 1e-12})
    p = SimpleNamespace(
        L_inf=0.0, alpha_0=0.3, C_c=1e19, d_1=1e20, f_1=0.2, alpha_1=0.1, ratio_2=1e4, f_2=0.2,
        alpha_2=0.25,
    )  # fmt: skip
    places = {0.3: 1e16, 0.1: 1e22} if n_breaks == 2 else {0.3: 1e16, 0.1: 1e24}
    if n_breaks == 2:
        places[0.25] = 1e28
    for exponent, flops in places.items():
        low, high = law.loss(p, SimpleNamespace(flops=flops * np.array([1.0, 1.1])))
        assert np.log(low / high) / np.log(1.1) == pytest.approx(exponent, rel=2e-3)


def test_other_sizes_and_numbers_of_breaks_are_refused():
    with pytest.raises(InputError, match="n_breaks is 3"):
        sb.laws.BrokenPowerLaw("flops", 3)
    with pytest.raises(InputError, match="'epochs'"):
        sb.laws.BrokenPowerLaw("epochs")
