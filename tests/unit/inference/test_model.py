from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._inference.model import model_data
from scaling_bayes.errors import InputError, PriorError

QUICK = {"mode": Mode(linker="py", optimizer=None)}
NATURAL = {
    "L_inf": 1.8,
    "alpha_N": 0.3,
    "alpha_D": 0.4,
    "N_c": 2e8,
    "D_c": 3e9,
    "sigma": 0.02,
    "nu": 4.0,
}


def unconstrained(names) -> dict[str, np.ndarray]:
    """Return the natural values as PyMC's models hold them; the prior of nu begins at 2."""
    point = {f"{name}_log__": np.array(np.log(NATURAL[name])) for name in names if name != "nu"}
    return point | ({"nu_interval__": np.array(np.log(NATURAL["nu"] - 2))} if "nu" in names else {})


@pytest.fixture(scope="module")
def weighted(runs: sb.Runs) -> sb.Runs:
    """The runs, where some rows are the mean of four or of nine."""
    frame = runs.frame.copy()
    frame["weight"] = np.resize([1.0, 4.0, 9.0], len(runs))
    return sb.Runs(frame)


@pytest.mark.parametrize(
    ("noise", "scipy_noise"),
    [
        (sb.noise.StudentT(), lambda z: stats.t.logpdf(z, NATURAL["nu"])),
        (sb.noise.Normal(), stats.norm.logpdf),
    ],
)
def test_the_likelihood_is_scipys_with_weights_dividing_the_variance(weighted, noise, scipy_noise):
    law = sb.laws.Chinchilla()
    model = sb.build_model(weighted, law, noise=noise, coordinates="natural")
    log_likelihood = model.compile_logp([model["log_loss"]], sum=False, **QUICK)
    names = [*law.parameter_names, *noise.parameter_names]
    point = unconstrained(names)
    (found,) = log_likelihood(point)
    frame = weighted.frame
    expected_loss = law.loss(SimpleNamespace(**NATURAL), frame)
    scale = NATURAL["sigma"] / np.sqrt(frame["weight"])
    z = (np.log(frame["loss"]) - np.log(expected_loss)) / scale
    np.testing.assert_allclose(found, scipy_noise(z) - np.log(scale), rtol=1e-9)


def test_the_joint_density_is_priors_times_likelihood(runs):
    law, noise = sb.laws.Chinchilla(), sb.noise.StudentT()
    model = sb.build_model(runs, law, noise=noise, coordinates="natural")
    priors = law.priors | noise.priors
    point = unconstrained(NATURAL)
    prior = sum(float(priors[name].log_density(NATURAL[name]).eval()) for name in priors)
    likelihood = model.compile_logp([model["log_loss"]], jacobian=False, **QUICK)(point)
    joint = model.compile_logp(jacobian=False, **QUICK)(point)
    assert joint == pytest.approx(prior + likelihood, rel=1e-12)


def assert_named(law: sb.Law, runs: sb.Runs, coordinates: str) -> None:
    """Assert that every parameter of a model has its name, and that its runs have a dim."""
    model = sb.build_model(runs, law, coordinates=coordinates)
    names = {variable.name for variable in (*model.free_RVs, *model.deterministics)}
    assert {*law.parameter_names, "sigma", "nu"} <= names
    assert model.named_vars_to_dims["log_loss"] == ("run",)
    assert model.coords["run"] == tuple(range(len(runs)))
    assert [rv.name for rv in model.observed_RVs] == ["log_loss"]
    data = {variable.name for variable in model.data_vars}
    assert data == {
        *(f"log_{name}" for name in law.covariates),
        *(f"{name}_centre" for name in law.covariates),
        "weight",
        "observed_log_loss",
    }


def test_every_parameter_has_its_name_and_runs_have_a_dim(law, runs):
    assert_named(law, runs, "natural")


def test_they_have_them_in_centred_coordinates_too(sum_of_powers, runs):
    assert_named(sum_of_powers, runs, "centred")


def test_natural_coordinates_sample_the_natural_parameters(law, runs):
    model = sb.build_model(runs, law, noise=sb.noise.Normal(), coordinates="natural")
    assert [rv.name for rv in model.free_RVs] == [*law.parameter_names, "sigma"]
    assert not model.deterministics
    assert not model.potentials


def test_it_is_an_ordinary_model_with_student_t_noise_by_default(runs):
    model = sb.build_model(runs, sb.laws.Chinchilla())
    assert isinstance(model, pm.Model)
    assert "nu" in model.named_vars


def test_the_data_can_be_exchanged(runs, simulate):
    """The model of other runs is the same model with other data in it."""
    law, others = sb.laws.Chinchilla(), simulate(25, seed=7)
    model, expected = sb.build_model(runs, law), sb.build_model(others, law)
    pm.set_data(model_data(others, law), model=model, coords={"run": np.arange(25)})
    point = expected.initial_point()
    assert model.compile_logp(**QUICK)(point) == pytest.approx(
        float(expected.compile_logp(**QUICK)(point)), rel=1e-12
    )


def test_a_prior_outside_of_the_support_is_refused(runs):
    law = sb.laws.Chinchilla(priors={"alpha_N": sb.Prior("Normal", mu=0.3, sigma=0.2)})
    with pytest.raises(PriorError, match=r"of alpha_N reaches outside of \(0, inf\)"):
        sb.build_model(runs, law)
    noise = sb.noise.Normal(priors={"sigma": sb.Prior("Normal", mu=0, sigma=1)})
    with pytest.raises(PriorError, match="of sigma reaches outside"):
        sb.build_model(runs, sb.laws.Chinchilla(), noise=noise)


def test_a_covariate_that_the_runs_lack_is_named(runs):
    class Epochs(sb.laws.PowerSum):
        name = "epochs"
        parameters = (
            sb.laws.irreducible_loss(),
            sb.laws.exponent("alpha_E", "a", "epochs"),
            sb.laws.scale("E_c", "E_c", "1", median=1),
        )
        terms = (sb.laws.Term("epochs", scale="E_c", exponent="alpha_E", coefficient="A"),)

    with pytest.raises(InputError, match="no column 'epochs'"):
        sb.build_model(runs, Epochs())
