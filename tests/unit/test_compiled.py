"""A law is compiled once in a process, and only what computes the same shares it."""

from __future__ import annotations

import pytest

import scaling_bayes as sb
from scaling_bayes import _compiled
from scaling_bayes._compiled import compiled, graph_of
from scaling_bayes._model import build_model


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


OTHERS = {
    "prior": (sb.laws.Chinchilla(priors={"L_inf": sb.Prior("LogNormal", mu=0.5, sigma=0.3)}), {}),
    "law": (sb.laws.Kaplan(), {}),
    "noise": (sb.laws.Chinchilla(), {"noise": sb.noise.Normal()}),
    "coordinates": (sb.laws.Chinchilla(), {"coordinates": "natural"}),
    "discrepancy": (sb.laws.Chinchilla(), {"discrepancy": sb.discrepancy.Smooth()}),
}


@pytest.fixture(scope="module")
def some(simulate) -> sb.Runs:
    return simulate(20)


@pytest.fixture
def none_kept(monkeypatch) -> list:
    """Return what `compiled` keeps, and let it make texts in place of slow code."""
    kept: list = []
    monkeypatch.setattr(_compiled, "_kept", kept)
    monkeypatch.setattr(_compiled, "_compile", lambda model: f"code {id(model)}")
    return kept


@pytest.mark.parametrize("discrepancy", [None, sb.discrepancy.Smooth()])
def test_other_runs_have_the_same_graph(some, simulate, discrepancy):
    graphs = [
        graph_of(build_model(runs, sb.laws.Chinchilla(), discrepancy=discrepancy))
        for runs in (some, simulate(31, seed=4))
    ]
    assert graphs[0].equals(graphs[1])


@pytest.mark.parametrize("what", OTHERS)
def test_another_model_has_another_graph(some, what):
    law, options = OTHERS[what]
    usual = graph_of(build_model(some, sb.laws.Chinchilla()))
    other = graph_of(build_model(some, law, **options))
    assert not usual.equals(other)
    assert not other.equals(usual)


def test_numbers_in_a_law_are_part_of_its_graph(some):
    two, again, three = (graph_of(build_model(some, Own(size))) for size in (2.0, 2.0, 3.0))
    assert two.equals(again)
    assert not two.equals(three)


def test_a_law_is_compiled_once_and_the_last_ones_are_kept(some, none_kept, monkeypatch):
    monkeypatch.setattr(_compiled, "_KEPT", 2)
    first, again, second, third = (build_model(some, Own(size)) for size in (1.0, 1.0, 2.0, 3.0))
    code = compiled(first)
    assert compiled(again) == code
    compiled(second)
    assert compiled(first) == code
    compiled(third)
    assert compiled(again) == code
    assert len(none_kept) == 2
    assert compiled(second) == f"code {id(second)}"
    assert len(none_kept) == 2


def test_what_was_compiled_for_other_runs_gives_the_same_draws(some, simulate, quiet, monkeypatch):
    law, others = sb.laws.PowerLaw("n_params"), simulate(30, seed=6)
    sb.fit(others, law, settings=quiet, seed=1)
    shared = sb.fit(some, law, settings=quiet, seed=2)
    monkeypatch.setattr(_compiled, "_kept", [])
    assert sb.fit(some, law, settings=quiet, seed=2).draws.equals(shared.draws)
