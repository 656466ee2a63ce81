"""The kernel of a law with groups computes the density that it says, and its gradient."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import scaling_bayes as sb
from scaling_bayes._fit.pooled.new_group import logs_of
from scaling_bayes._inference.coordinates import references
from scaling_bayes._inference.kernel.nuts_model import KernelModel
from scaling_bayes._inference.kernel.pooled_code import pooled_log_density
from scaling_bayes._inference.kernel.pooled_density import PooledDensity, of_group, own_data
from scaling_bayes._inference.kernel.power_sum_density import power_sum_density
from scaling_bayes.discrepancy import BASIS, WEIGHT

SIZES_OF_GROUPS = {"a": 9, "b": 4, "c": 17}


@pytest.fixture(scope="module")
def groups(simulate) -> dict[str, sb.Runs]:
    """Three groups, some runs of which are the mean of four or nine."""
    found = {}
    for seed, (name, n) in enumerate(SIZES_OF_GROUPS.items()):
        frame = simulate(n, seed=seed).frame.copy()
        frame["weight"] = np.resize([1.0, 4.0, 9.0], n)
        frame["seed_sd"] = np.resize([np.nan, 0.004, 0.002], n)
        frame["loss"] *= 1 + 0.1 * seed
        found[name] = sb.Runs(frame)
    return found


def density_of(groups, law, noise, discrepancy) -> PooledDensity:
    pooled = sb.Runs(frame_of(groups))
    centres = references(pooled, law)
    data = {name: own_data(own, law, discrepancy, centres) for name, own in groups.items()}
    spreads = sb.Groups("group").parameters[: 2 + law.irreducible]
    return PooledDensity(power_sum_density(law, noise, discrepancy), spreads, data)


def frame_of(groups: dict[str, sb.Runs]) -> pd.DataFrame:
    return pd.concat([own.frame for own in groups.values()], ignore_index=True)


def evaluate(density: PooledDensity, point: np.ndarray):
    gradient, natural = np.empty(density.dimension), np.empty(density.n_natural)
    value = pooled_log_density(point, gradient, natural, density.table)
    return value, gradient, natural


def slopes(function, point: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Return central differences of a function of a point, one row a coordinate."""
    ends = [(point + step * unit, point - step * unit) for unit in np.eye(len(point))]
    return np.array([(function(high) - function(low)) / (2 * step) for high, low in ends])


def variables_at(density: PooledDensity, point: np.ndarray) -> xr.Dataset:
    _, _, natural = evaluate(density, point)
    found = density.variables(np.concatenate([point, natural])[None, None])
    return xr.Dataset(found, {"group": list(density.groups)}).isel(chain=0, draw=0)


def written_out(density, groups, law, noise, discrepancy, point) -> float:
    """Return the log density by SciPy, from nothing but the variables that the kernel gives."""
    found = variables_at(density, point)
    common = {parameter.name: parameter for parameter in density.parameters}
    total = 0.0
    for name, parameter in common.items():
        prior = parameter.prior
        if prior.distribution == "LogNormal":
            shape = stats.lognorm(prior.parameters["sigma"], scale=np.exp(prior.parameters["mu"]))
        elif prior.distribution == "HalfNormal":
            shape = stats.halfnorm(scale=prior.parameters["sigma"])
        else:
            given = prior.parameters.get("dist", prior).parameters
            shape = stats.gamma(given["alpha"], scale=1 / given["beta"])
        value = float(found[name])
        lower = prior.parameters.get("lower", 0.0)
        total += shape.logpdf(value) - shape.logsf(lower)
    centres = references(sb.Runs(frame_of(groups)), law)
    logs = logs_of(law, found, centres)
    scales = [term.scale for term in law.terms]
    for name, own in groups.items():
        here = found.sel(group=name)
        natural = here[[of_group(each) for each in law.parameter_names]].rename(
            {of_group(each): each for each in law.parameter_names}
        )
        for each, value in logs_of(law, natural, centres).items():
            kind = "terms" if each in scales else "floor" if each == "L_inf" else "exponents"
            spread = float(found[f"spread_{kind}"])
            total += stats.norm(float(logs[each]), spread).logpdf(float(value))
        columns = own.covariates(law.covariates)
        p = SimpleNamespace(**{each: float(natural[each]) for each in law.parameter_names})
        mean = np.log(law.loss(p, SimpleNamespace(**columns)))
        if discrepancy is not None:
            basis = density.groups[name][BASIS]
            weight = here[WEIGHT].to_numpy()[: basis.shape[1]]
            mean = mean + basis @ weight
            total += stats.norm(0, float(found["tau"])).logpdf(weight).sum()
        frame = own.frame
        sigma, shared = float(found["sigma"]), float(found.get("common", 0.0))
        scale = sigma * np.sqrt((shared + 1 / frame["weight"].to_numpy()) / (shared + 1))
        if "common" in found:
            repeats = np.where(frame["seed_sd"].isna(), 0.0, frame["weight"] - 1)
            variance = sigma**2 / (1 + shared)
            squares = np.nansum(repeats * frame["seed_sd"] ** 2)
            total -= 0.5 * (repeats.sum() * np.log(2 * np.pi * variance) + squares / variance)
        shape = stats.t(float(found["nu"])) if "nu" in found else stats.norm()
        total += np.sum(shape.logpdf((np.log(frame["loss"]) - mean) / scale) - np.log(scale))
    return total


def in_which_it_is_a_density(density, groups, law, point) -> np.ndarray:
    """Return what `written_out` is a density in: common parameters, logs of groups, weights."""
    found = variables_at(density, point)
    centres = references(sb.Runs(frame_of(groups)), law)
    parts = [[float(found[each.name]) for each in density.parameters]]
    for name, data in density.groups.items():
        here = found.sel(group=name)
        natural = here[[of_group(each) for each in law.parameter_names]].rename(
            {of_group(each): each for each in law.parameter_names}
        )
        parts.append([float(value) for value in logs_of(law, natural, centres).values()])
        if WEIGHT in found:
            parts.append(here[WEIGHT].to_numpy()[: data[BASIS].shape[1]])
    return np.concatenate(parts)


STUDENT, NORMAL, SMOOTH = sb.noise.StudentT(), sb.noise.Normal(), sb.discrepancy.Smooth()


@pytest.mark.parametrize(
    ("law", "noise", "discrepancy"),
    [
        (sb.laws.Coupled(), STUDENT, SMOOTH),
        (sb.laws.Coupled(), NORMAL, None),
        (sb.laws.Chinchilla(), sb.noise.StudentTBySize(), SMOOTH),
        (sb.laws.Chinchilla(), NORMAL, SMOOTH),
        (sb.laws.Kaplan(), STUDENT, SMOOTH),
        (sb.laws.REGISTRY["power-n"](), STUDENT, None),
    ],
    ids=lambda model: model.name if model else "law alone",
)
def test_density_is_the_one_written_out_and_the_gradient_its_slope(law, noise, discrepancy, groups):
    density = density_of(groups, law, noise, discrepancy)
    rng = np.random.default_rng(5)
    levels = []
    for _ in range(2):
        point = density.start(rng)
        value, gradient, _ = evaluate(density, point)
        expected = slopes(lambda at: evaluate(density, at)[0], point)
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-4, atol=1e-5 * np.abs(gradient).max()
        )
        jacobian = slopes(
            lambda at: in_which_it_is_a_density(density, groups, law, at), point, step=1e-5
        )
        _, log_volume = np.linalg.slogdet(jacobian)
        levels.append(
            value - written_out(density, groups, law, noise, discrepancy, point) - log_volume
        )
    np.testing.assert_allclose(levels, 0, atol=1e-3 * density.dimension)


def test_the_code_on_disk_computes_what_the_function_does(groups):
    law, noise, discrepancy = sb.laws.Coupled(), sb.noise.StudentT(), sb.discrepancy.Smooth()
    density = density_of(groups, law, noise, discrepancy)
    model = KernelModel.of_groups(density)
    rng = np.random.default_rng(3)
    for _ in range(5):
        point = density.start(rng)
        assert model.log_density(point) == pytest.approx(evaluate(density, point)[0], rel=1e-12)
    assert model.log_density(np.full(model.n_dim, np.nan)) == -np.inf
