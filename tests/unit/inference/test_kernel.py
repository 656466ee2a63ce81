"""The kernel computes what PyMC's model computes, and leaves to PyMC what it cannot read."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytensor.compile.mode import Mode
from scipy import stats

import scaling_bayes as sb
from scaling_bayes import Prior
from scaling_bayes._inference.kernel.c_functions import code_digest
from scaling_bayes._inference.kernel.density_code import N_SIZES, log_density
from scaling_bayes._inference.kernel.elementary_code import exp, log
from scaling_bayes._inference.kernel.noise_code import digamma, normal, roots_of_means, scatter
from scaling_bayes._inference.kernel.nuts_model import KernelModel
from scaling_bayes._inference.kernel.power_sum_density import (
    PowerSumDensity,
    noise_parts,
    power_sum_density,
)
from scaling_bayes._inference.model import model_data

AS_WRITTEN = {"mode": Mode(linker="py", optimizer=None)}
"""To rewrite a graph takes many times as long as to evaluate it at three points."""


@pytest.fixture(scope="module")
def weighted(simulate) -> sb.Runs:
    """Forty runs, some of which are the mean of four or nine."""
    frame = simulate(40).frame.copy()
    frame["weight"] = np.resize([1.0, 4.0, 9.0], 40)
    return sb.Runs(frame)


@dataclass
class Reference:
    """Density, gradient and variables of PyMC's model, as functions of one flat point."""

    model: pm.Model

    def __post_init__(self) -> None:
        model = self.model
        self.values = [model.rvs_to_values[each] for each in model.free_RVs]
        self.shapes = [model.initial_point()[value.name].shape for value in self.values]
        self.kept = [*model.free_RVs, *model.deterministics]
        outputs = [model.logp(), model.dlogp(model.free_RVs)]
        outputs += model.replace_rvs_by_values(self.kept)
        self.function = model.compile_fn(outputs, inputs=self.values, point_fn=False, **AS_WRITTEN)

    def __call__(self, point: np.ndarray) -> tuple[float, np.ndarray, dict[str, np.ndarray]]:
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self.shapes])
        parts = np.split(point, ends[:-1])
        density, gradient, *kept = self.function(
            *(part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True))
        )
        names = [variable.name for variable in self.kept]
        return float(density), gradient, dict(zip(names, kept, strict=True))


def evaluate(density: PowerSumDensity, point: np.ndarray, table: np.ndarray):
    gradient, natural = np.empty(density.dimension), np.empty(density.n_natural)
    return log_density(point, gradient, natural, table), gradient, natural


def assert_alike(runs: sb.Runs, law, noise, discrepancy) -> None:
    density = power_sum_density(law, noise, discrepancy)
    assert density is not None
    model = sb.build_model(runs, law, noise=noise, discrepancy=discrepancy, coordinates="centred")
    reference = Reference(model)
    data = model_data(runs, law, discrepancy)
    table = density.table(data)
    rng = np.random.default_rng(1)
    for _ in range(3):
        point = density.start(data, rng)
        value, gradient, natural = evaluate(density, point, table)
        expected, slopes, variables = reference(point)
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-7, atol=1e-9 * np.abs(slopes).max())
        found = density.variables(np.concatenate([point, natural])[None, None], data)
        assert found.keys() == variables.keys()
        for name, (_, draws) in found.items():
            np.testing.assert_allclose(draws[0, 0], variables[name], rtol=1e-9, err_msg=name)


SUMS_OF_POWERS = [
    law for make in sb.laws.REGISTRY.values() if isinstance(law := make(), sb.laws.PowerSum)
]
OF_EACH_CLASS = {type(law): law for law in SUMS_OF_POWERS}.values()


@pytest.mark.parametrize("discrepancy", [None, sb.discrepancy.Smooth()], ids=["law", "smooth"])
@pytest.mark.parametrize("noise", [sb.noise.StudentT(), sb.noise.Normal()], ids=lambda n: n.name)
@pytest.mark.parametrize(
    "law",
    OF_EACH_CLASS,
    ids=lambda law: law.name,
)
def test_density_gradient_and_variables_are_those_of_pymc(law, noise, discrepancy, weighted):
    assert_alike(weighted, law, noise, discrepancy)


def test_laws_of_one_class_in_other_sizes_are_read_as_well(sum_of_powers, weighted):
    assert_alike(weighted, sum_of_powers, sb.noise.Normal(), None)


@pytest.mark.parametrize(
    "prior",
    [
        Prior("LogNormal", mu=-1.0, sigma=0.3),
        Prior("HalfNormal", sigma=0.7),
        Prior("Gamma", alpha=3.0, beta=8.0),
        Prior("Truncated", dist=Prior("Normal", mu=0.4, sigma=0.3), lower=0.0),
        Prior("Truncated", dist=Prior("LogNormal", mu=-1.0, sigma=0.3), lower=0.2),
        Prior("Truncated", dist=Prior("Gamma", alpha=3.0, beta=8.0), lower=0.1, upper=np.inf),
    ],
    ids=str,
)
def test_priors_of_a_user_are_those_of_pymc(prior, weighted):
    priors = {"alpha_N": prior}
    if prior.distribution != "Truncated" or prior.parameters["lower"] == 0:
        priors["L_inf"] = prior
    law = sb.laws.Chinchilla(priors=priors)
    assert_alike(weighted, law, sb.noise.Normal(), None)


@pytest.fixture(scope="module")
def of_sizes(weighted) -> sb.Runs:
    """The same, with how runs scatter around the means where it is known."""
    known = np.resize([np.nan, 0.004, 0.002], 40)
    return sb.Runs(weighted.frame.assign(seed_sd=known))


@pytest.mark.parametrize("discrepancy", [None, sb.discrepancy.Smooth()], ids=["law", "smooth"])
@pytest.mark.parametrize("noise", [sb.noise.StudentTBySize(), sb.noise.NormalBySize()])
def test_noise_by_size_is_that_of_pymc(noise, discrepancy, of_sizes):
    assert_alike(of_sizes, sb.laws.Chinchilla(), noise, discrepancy)


def test_noise_by_size_is_a_normal_of_the_runs_with_a_part_in_common(simulate):
    """Against the density of all log losses at once, whose covariance is written out."""
    sizes = simulate(3).frame.drop(columns=["loss", "weight"])
    rng = np.random.default_rng(2)
    frame = sizes.loc[[0, 0, 1, 1, 1, 2]].reset_index(drop=True)
    frame["loss"] = np.exp(1 + 0.02 * rng.standard_normal(6))
    rows = sb.read_runs(frame)
    data, p = model_data(rows.means_by_size(), sb.laws.Chinchilla()), (0.02, 1.7)
    same = frame["n_params"].to_numpy()[:, None] == frame["n_params"].to_numpy()
    covariance = p[0] ** 2 * (p[1] * same + np.eye(6)) / (1 + p[1])
    levels = []
    for level in (0.9, 1.05):
        mean, weight, _, figures = noise_parts(data)
        root = np.empty(3)
        total = roots_of_means(weight, p[1], root)
        total += scatter(figures[1], figures[2], *p)[0]
        total += normal(mean - level, root, p[0], np.empty(3))[0]
        whole = stats.multivariate_normal(np.full(6, level), covariance)
        levels.append(total - whole.logpdf(np.log(frame["loss"])))
    # The density of means and contrasts differs by the volume of n runs as their mean.
    np.testing.assert_allclose(levels, 0.5 * np.log(2 * 3), rtol=1e-9)


class TwoExponents(sb.laws.Chinchilla):
    """A law of a user: the exponent of tokens is a multiple of that of size."""

    name = "two-exponents"

    def inner_exponent(self, term, p):
        return p.alpha_N if term.covariate == "n_params" else 1.3 * p.alpha_D**2 / p.alpha_N


class Short(sb.discrepancy.Smooth):
    """A discrepancy of a user: shorter bends."""

    lengths = (1.0, 1.0)


def test_exponents_of_a_user_that_are_monomials_are_read(weighted):
    assert_alike(weighted, TwoExponents(), sb.noise.StudentT(), Short())


class Sum(sb.laws.Chinchilla):
    def inner_exponent(self, term, p):
        return p.alpha_N + p.alpha_D


class Plateau(sb.laws.Chinchilla):
    def outer_exponent(self, p):
        return np.minimum(p.alpha_N, 5.0)


class OwnLoss(sb.laws.Chinchilla):
    def loss(self, p, x):
        return 2 * super().loss(p, x)


class OwnNoise(sb.noise.Normal):
    def observe(self, name, log_loss, p, *, weight, observed):
        return super().observe(name, log_loss, p, weight=2 * weight, observed=observed)


class OwnScale(sb.noise.StudentT):
    def scale(self, p):
        return 2 * p.sigma


class OneMore(sb.noise.Normal):
    parameters = (*sb.noise.Normal.parameters, sb.noise.StudentT.parameters[1])


class OwnDiscrepancy(sb.discrepancy.Smooth):
    def create_centred(self, p, data, *, log_loss, observed, scale):
        return self.create(p, data)


def with_priors(**priors: Prior) -> sb.Law:
    return sb.laws.Chinchilla(priors=priors)


@pytest.mark.parametrize(
    ("law", "options"),
    [
        (Sum(), {}),
        (Plateau(), {}),
        (OwnLoss(), {}),
        (sb.laws.Chinchilla(), {"noise": OwnNoise()}),
        (sb.laws.Chinchilla(), {"noise": OwnScale()}),
        (sb.laws.Chinchilla(), {"noise": OneMore()}),
        (sb.laws.Chinchilla(), {"discrepancy": OwnDiscrepancy()}),
        (with_priors(alpha_N=Prior("Weibull", alpha=2.0, beta=0.4)), {}),
        (with_priors(alpha_N=Prior("Gamma", mu=0.4, sigma=0.1)), {}),
        (with_priors(alpha_N=Prior("Normal", mu=0.4, sigma=0.1)), {}),
        (with_priors(alpha_N=Prior("LogNormal", mu=0.4, sigma=-0.1)), {}),
        (
            with_priors(
                alpha_N=Prior("Truncated", dist=Prior("HalfNormal", sigma=1.0), lower=0.0, upper=1)
            ),
            {},
        ),
        (
            with_priors(L_inf=Prior("Truncated", dist=Prior("HalfNormal", sigma=1.0), lower=0.5)),
            {},
        ),
    ],
)
def test_what_the_kernel_cannot_read_is_left_to_pymc(law, options):
    given = {"noise": sb.noise.StudentT(), "discrepancy": None} | options
    assert power_sum_density(law, **given) is None


def test_a_table_for_other_code_gives_no_draws(weighted):
    law = sb.laws.Chinchilla()
    density = power_sum_density(law, sb.noise.Normal(), None)
    model = KernelModel.of(density, model_data(weighted, law))
    assert model.table[N_SIZES - 1] == code_digest()
    other = model.table.copy()
    other[N_SIZES - 1] += 1
    import nutpie

    with pytest.raises(RuntimeError):
        nutpie.sample(replace(model, table=other), progress_bar=False, draws=10, tune=10)


def test_the_code_on_disk_computes_what_the_function_does(weighted):
    law, noise, discrepancy = sb.laws.Coupled(), sb.noise.StudentT(), sb.discrepancy.Smooth()
    density = power_sum_density(law, noise, discrepancy)
    data = model_data(weighted, law, discrepancy)
    model = KernelModel.of(density, data)
    rng = np.random.default_rng(3)
    for _ in range(5):
        point = density.start(data, rng)
        assert model.log_density(point) == pytest.approx(
            evaluate(density, point, model.table)[0], rel=1e-12
        )
    assert model.log_density(np.full(model.n_dim, np.nan)) == -np.inf


def test_a_chain_starts_from_the_most_probable_of_some_points(weighted):
    law = sb.laws.Coupled()
    density = power_sum_density(law, sb.noise.StudentT(), None)
    data = model_data(weighted, law)
    model = KernelModel.of(density, data)
    rng = np.random.default_rng(0)
    anywhere = [model.log_density(density.start(data, rng)) for _ in range(200)]
    started = [model.log_density(model._start(seed)) for seed in range(50)]
    assert np.mean(started) > np.quantile(anywhere, 0.85)
    assert min(started) > np.quantile(anywhere, 0.5)


@given(st.floats(-700.0, 700.0))
def test_the_exponential_is_exact_to_the_digit_before_the_last(x):
    assert abs(exp(x) - math.exp(x)) <= 2 * math.ulp(math.exp(x))


@given(st.floats(1e-300, 1e300))
def test_the_logarithm_is_exact_to_the_digit_before_the_last(x):
    assert abs(log(x) - math.log(x)) <= 2 * math.ulp(max(abs(math.log(x)), 0.5))


def test_digamma_is_scipys():
    from scipy.special import digamma as expected

    at = np.geomspace(0.1, 1e4, 50)
    np.testing.assert_allclose([digamma(x) for x in at], expected(at), rtol=1e-11, atol=1e-11)


SCRIPT = """
import sys, warnings
import numba.core.caching
import scaling_bayes as sb
numba.core.caching.CacheImpl._locator_classes = []  # as where no folder can be written
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    runs = sb.datasets.load_tiny_transformers().where("split == 'train'")
    settings = sb.SamplerSettings(progressbar=False)
    fit = sb.fit(runs, sb.laws.Chinchilla(), settings=settings, seed=1)
assert "pymc" not in sys.modules and "pytensor" not in sys.modules
(warning,) = caught
assert warning.category is sb.errors.CompilationWarning
print(warning.message)
"""


@pytest.mark.slow
def test_without_a_folder_to_write_to_and_without_a_compiler_one_sentence_is_said(tmp_path: Path):
    file = tmp_path / "no folder"
    file.touch()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"HOME": str(file), "PATH": str(file), "CXX": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "every process compiles for some seconds" in done.stdout
    assert "Set NUMBA_CACHE_DIR" in done.stdout
