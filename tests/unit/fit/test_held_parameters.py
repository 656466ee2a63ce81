"""Parameters held at a value, and priors that end where the runs would go on."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_bayes as sb
from scaling_bayes.cli import _main
from scaling_bayes.cli._priors import fixed_of, priors_of
from scaling_bayes.errors import InputError, PriorError

HELD = {
    "fixed": {"fixed": {"L_inf": 1.6}},
    "a prior on one value": {"priors": {"L_inf": sb.Prior("DiracDelta", c=1.6)}},
}


@pytest.fixture(scope="module")
def frontier(case):
    return sb.read_runs(case("pinned_floor/runs.csv"))


@pytest.fixture(scope="module")
def held(frontier, quiet):
    law = sb.laws.PowerLaw("flops", fixed={"L_inf": 1.6})
    return sb.fit(frontier, law, discrepancy=None, settings=quiet, seed=1)


def test_both_ways_mean_the_same():
    made = [sb.laws.PowerLaw("flops", **how) for how in HELD.values()]
    assert made[0] == made[1]
    assert made[0].free_names == ["alpha_C", "C_c"]


def test_the_rest_is_what_least_squares_finds(held):
    # The authors hold the floor too: 95.18 C^-0.0941 above it.
    assert set(np.unique(held.draws["L_inf"])) == {1.6}
    assert float(held.draws["alpha_C"].median()) == pytest.approx(0.0941, abs=0.002)
    forecast = held.forecast(flops=["1e21", "1e23"], seed=1)
    np.testing.assert_allclose(forecast.mean_curve.median(("chain", "draw")), [2.606, 2.252], 0.001)


def test_what_is_held_has_no_interval_and_is_said(held):
    row = held.summary().to_frame().loc["L_inf"]
    assert row["median"] == 1.6
    assert row[["sd", "lower", "upper", "r_hat", "ess_bulk"]].isna().all()
    assert "L_inf is held at 1.6" in repr(held.summary())
    assert "L_inf" not in held.check(seed=1).sensitivity.index
    assert len(sb.plots.plot_prior_posterior(held)) == 4


def test_it_is_saved_and_read_back(held, tmp_path):
    loaded = sb.load(held.save(tmp_path / "held.nc"))
    assert loaded.law == held.law
    assert loaded.draws.equals(held.draws)


@pytest.mark.long
def test_a_narrow_prior_is_sampled_with_and_without_discrepancy(frontier, quiet):
    for sigma, discrepancy in ((1e-4, "smooth"), (0.05, None)):
        prior = sb.Prior("Normal", mu=1.6, sigma=sigma)
        law = sb.laws.PowerLaw("flops", priors={"L_inf": prior})
        fit = sb.fit(frontier, law, discrepancy=discrepancy, settings=quiet, seed=1)
        spread = float(fit.draws["L_inf"].std())
        assert 0.5 * sigma < spread < 1.5 * sigma


def test_a_prior_that_ends_where_the_runs_go_on_is_sampled(runs, quiet):
    prior = sb.Prior("Uniform", lower=0.1, upper=1.75)  # L_inf of these runs is 1.82
    law = sb.laws.Chinchilla(priors={"L_inf": prior})
    fit = sb.fit(runs, law, discrepancy=None, settings=quiet, seed=1)
    assert fit.diagnostics.converged
    assert 1.7 < float(fit.draws["L_inf"].median()) < 1.75


BAD = {
    "unknown": ({"fixed": {"beta": 1.0}}, "has no parameter 'beta'"),
    "no number": ({"fixed": {"L_inf": "1.6"}}, "give a finite number"),
    "infinite": ({"fixed": {"L_inf": np.inf}}, "give a finite number"),
    "both": (
        {"fixed": {"L_inf": 1.6}, "priors": {"L_inf": sb.Prior("HalfNormal", sigma=1)}},
        "given a prior and is fixed",
    ),
}


@pytest.mark.parametrize(("how", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_held_is_refused(how, message):
    with pytest.raises(PriorError, match=message):
        sb.laws.Chinchilla(**how)


def test_a_value_outside_of_the_support_is_refused(runs):
    with pytest.raises(PriorError, match=r"L_inf is held at -1, outside of \(0, inf\)"):
        sb.build_model(runs, sb.laws.Chinchilla(fixed={"L_inf": -1.0}))


def test_centred_coordinates_cannot_hold_a_parameter():
    with pytest.raises(InputError, match="L_inf is held"):
        sb.Fitter(sb.laws.Chinchilla(fixed={"L_inf": 1.7}), coordinates="centred")


def test_the_command_line_holds_and_replaces(case, capsys):
    command = ["fit", str(case("pinned_floor/runs.csv")), "--law", "power-c", "--law-alone"]
    command += ["--fix", "L_inf=1.6", "--prior", "alpha_C=LogNormal(-2.3, sigma=0.5)"]
    assert _main.main([*command, "--draws", "500"]) == 0
    assert "L_inf is held at 1.6" in capsys.readouterr().out


def test_priors_are_read_from_text():
    given = ["L_inf=Normal(1.6, 0.05)", "alpha_N=Truncated(Normal(0.3, 0.1), lower=0)"]
    assert priors_of(given) == {
        "L_inf": sb.Prior("Normal", mu=1.6, sigma=0.05),
        "alpha_N": sb.Prior("Truncated", dist=sb.Prior("Normal", mu=0.3, sigma=0.1), lower=0.0),
    }
    assert fixed_of(["L_inf=1.6", "alpha_N=3e-1"]) == {"L_inf": 1.6, "alpha_N": 0.3}


@pytest.mark.parametrize(
    "text",
    [
        "L_inf", "=Normal(1, 2)", "L_inf=1.6", "L_inf=Normal(1, 2, 3)", "L_inf=Normal('x', 1)",
        "L_inf=__import__('os').system('x')", "L_inf=os.system(1)", "L_inf=Normal(*[1, 2])",
        "L_inf=Normal(mu=1, mu=2)", "L_inf=" + "Truncated(" * 2000 + "1" + ")" * 2000,
    ],
)  # fmt: skip
def test_text_that_is_no_prior_is_refused(text):
    with pytest.raises(InputError, match="does not give one parameter a prior"):
        priors_of([text])


@pytest.mark.parametrize("text", ["L_inf", "L_inf=", "=1", "L_inf=x"])
def test_text_that_holds_nothing_is_refused(text):
    with pytest.raises(InputError, match="does not hold one parameter"):
        fixed_of([text])
