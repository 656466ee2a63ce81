"""A law is compiled once in a process, and only what computes the same shares it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pymc as pm
import pytest
from pytensor import shared

import scaling_bayes as sb
from scaling_bayes._inference import compiled as compiled_module
from scaling_bayes._inference.compiled import Graph, compiled, graph_of
from scaling_bayes._inference.model import build_model, model_data


class Own(sb.Law):
    """A law with a number that is no parameter."""

    name = "own"
    covariates = ("n_params",)
    parameters = (sb.laws.irreducible_loss(), sb.laws.exponent("alpha", r"\alpha", "size"))

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size

    def loss(self, p, x):
        return p.L_inf + (self.size / x.n_params) ** p.alpha


class OwnNoise(sb.noise.Normal):
    """A noise that adds something to the model that is not in its parameters."""

    def __init__(self, add: Callable[[], object]) -> None:
        super().__init__()
        self.add = add

    def observe(self, name, log_loss, p, *, weight, observed):
        spread = self.add() * p.sigma / weight**0.5
        return pm.Normal(name, log_loss, spread, observed=observed, dims="run")


class Few(sb.discrepancy.Smooth):
    """The discrepancy by fewer landmarks."""

    n_components = 5


def along_new_dim(labels: list[str]) -> object:
    pm.modelcontext(None).add_coord("part", labels)
    return pm.LogNormal("parts", 0, 1, dims="part").sum()


def many_starting_at(one: float) -> object:
    starts = np.ones(2000)
    starts[1000] += one
    return pm.LogNormal("times", 0, 1, shape=2000, initval=starts).mean()


OTHERS = {
    "prior": (sb.laws.Chinchilla(priors={"L_inf": sb.Prior("LogNormal", mu=0.5, sigma=0.3)}), {}),
    "law": (sb.laws.Kaplan(), {}),
    "noise": (sb.laws.Chinchilla(), {"noise": sb.noise.Normal()}),
    "coordinates": (sb.laws.Chinchilla(), {"coordinates": "natural"}),
    "discrepancy": (sb.laws.Chinchilla(), {"discrepancy": sb.discrepancy.Smooth()}),
}

ADDED = {
    "number": (lambda: 2.0, lambda: 2.0 + 1e-12),
    "data of its own": (lambda: pm.Data("times", 1.0), lambda: pm.Data("times", 9.0)),
    "shared variable": (lambda: shared(1.0, "times"), lambda: shared(9.0, "times")),
    "start": (
        lambda: pm.LogNormal("times", 0, 1, initval=1.0),
        lambda: pm.LogNormal("times", 0, 1, initval=9.0),
    ),
    "long start": (lambda: many_starting_at(0.0), lambda: many_starting_at(9.0)),
    "labels": (lambda: along_new_dim(["a", "b"]), lambda: along_new_dim(["a", "c"])),
    "length": (lambda: along_new_dim(["a", "b"]), lambda: along_new_dim(["a", "b", "c"])),
}


def made(runs: sb.Runs, law: sb.Law | None = None, **options) -> Graph:
    law = sb.laws.Chinchilla() if law is None else law
    exchanged = {*model_data(runs, law, options.get("discrepancy")), "run"}
    return graph_of(build_model(runs, law, **options), exchanged)


@pytest.fixture(scope="module")
def some(simulate) -> sb.Runs:
    return simulate(20)


@pytest.fixture
def none_kept(monkeypatch) -> list:
    """Return what `compiled` keeps, and let it make texts in place of slow code."""
    kept: list = []
    monkeypatch.setattr(compiled_module, "_kept", kept)
    monkeypatch.setattr(compiled_module, "_compile", lambda model: f"code {id(model)}")
    return kept


@pytest.mark.parametrize("discrepancy", [None, sb.discrepancy.Smooth()])
@pytest.mark.parametrize("coordinates", ["centred", "natural"])
def test_other_runs_have_the_same_graph(some, simulate, discrepancy, coordinates):
    options = {"discrepancy": discrepancy, "coordinates": coordinates}
    assert made(some, **options).equals(made(simulate(31, seed=4), **options))


@pytest.mark.parametrize("what", OTHERS)
def test_another_model_has_another_graph(some, what):
    law, options = OTHERS[what]
    usual, other = made(some), made(some, law, **options)
    assert not usual.equals(other)
    assert not other.equals(usual)


def test_landmarks_are_part_of_the_graph(some):
    many, few = (made(some, discrepancy=each) for each in (sb.discrepancy.Smooth(), Few()))
    assert not many.equals(few)


def test_numbers_in_a_law_are_part_of_its_graph(some):
    two, again, three = (made(some, Own(size)) for size in (2.0, 2.0, 3.0))
    assert two.equals(again)
    assert not two.equals(three)


@pytest.mark.parametrize("what", ADDED)
def test_what_a_noise_adds_is_part_of_the_graph(some, what):
    one, other = (made(some, noise=OwnNoise(add)) for add in ADDED[what])
    again = made(some, noise=OwnNoise(ADDED[what][0]))
    assert not one.equals(other)
    assert one.equals(again)


def effects_by_dims() -> object:
    return pm.LogNormal("effect", 0, 1, dims="run")


def effects_by_shape() -> object:
    return pm.LogNormal("effect", 0, 1, shape=pm.modelcontext(None)["weight"].shape)


def twice_the_weights() -> object:
    return pm.Deterministic("twice", 2 * pm.modelcontext(None)["weight"])


@pytest.mark.parametrize("add", [effects_by_dims, effects_by_shape, twice_the_weights])
def test_variables_with_a_value_for_each_run_belong_to_as_many_runs(some, simulate, add):
    noise = OwnNoise(add)
    assert not made(some, noise=noise).equals(made(simulate(31, seed=4), noise=noise))
    assert made(some, noise=noise).equals(made(simulate(20, seed=4), noise=noise))


def test_a_law_is_compiled_once_and_the_last_ones_are_kept(some, none_kept, monkeypatch):
    monkeypatch.setattr(compiled_module, "_KEPT", 2)
    first, again, second, third = (build_model(some, Own(size)) for size in (1.0, 1.0, 2.0, 3.0))
    data = model_data(some, Own(1.0), None)
    code = compiled(first, data)
    assert compiled(again, data) == code
    compiled(second, data)
    assert compiled(first, data) == code
    compiled(third, data)
    assert compiled(again, data) == code
    assert len(none_kept) == 2
    assert compiled(second, data) == f"code {id(second)}"
    assert len(none_kept) == 2


def test_threads_get_the_code_of_their_own_model(some, none_kept, monkeypatch):
    models = [build_model(some, Own(float(size))) for size in range(1, 5)]
    data = model_data(some, Own(1.0), None)
    monkeypatch.setattr(compiled_module, "graph_of", lambda model, _: graphs[id(model)])
    graphs = {id(model): graph_of(model, data) for model in models}
    asked = [model for _ in range(200) for model in models]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda model: compiled(model, data), asked))
    finally:
        sys.setswitchinterval(interval)
    assert found == [f"code {id(model)}" for model in asked]


def by_number_of_runs() -> object:
    return pm.modelcontext(None).dim_lengths["run"] / 20


@pytest.mark.parametrize("noise", [sb.noise.Normal(), OwnNoise(by_number_of_runs)])
def test_what_was_compiled_for_other_runs_gives_the_same_draws(
    some, simulate, quiet, monkeypatch, noise
):
    law, others = Own(1e8), simulate(30, seed=6)
    options = {"noise": noise, "discrepancy": None, "settings": quiet, "seed": 2}
    monkeypatch.setattr(compiled_module, "_kept", [])
    sb.fit(others, law, **options)
    shared_code = sb.fit(some, law, **options).draws
    assert len(compiled_module._kept) == 1
    compiled_module._kept.clear()
    assert sb.fit(some, law, **options).draws.equals(shared_code)
