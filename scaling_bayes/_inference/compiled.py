"""Models that nutpie has compiled, kept for later fits of the same law in the same process."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pymc as pm
    from pytensor.graph.basic import Variable

_KEPT = 8


@dataclass(frozen=True, eq=False)
class Graph:
    """What a model computes, whatever the data that are exchanged.

    Attributes
    ----------
    facts : tuple
        Names of variables, their shapes, dims and coordinates, where chains start if that is
        set, and all values that the code holds.
    outputs, inputs : list of Variable
        The log density and the deterministic variables, as they follow from values and data.
    """

    facts: tuple[Any, ...]
    outputs: list[Variable]
    inputs: list[Variable]

    def equals(self, other: Graph) -> bool:
        """Return whether both compute the same from the same values and data."""
        from pytensor.graph.basic import equal_computations

        return self.facts == other.facts and bool(
            equal_computations(self.outputs, other.outputs, self.inputs, other.inputs)
        )


_kept: list[tuple[Graph, Any]] = []
"""Graphs that were compiled, and what became of them, the last used first."""

_lock = Lock()


def compiled(model: pm.Model, exchanged: Collection[str]) -> Any:
    """Return a model compiled by nutpie, now or when one with the same graph was.

    To compile takes several times as long as to sample. Law, priors, noise, discrepancy and
    coordinates are in the graph.

    Parameters
    ----------
    model : Model
        The model.
    exchanged : collection of str
        Names of the data, and of the dims whose length is, that are given anew with every fit.
    """
    graph = graph_of(model, exchanged)
    with _lock:
        at = next((at for at, (kept, _) in enumerate(_kept) if kept.equals(graph)), None)
        entry = (graph, _compile(model)) if at is None else _kept.pop(at)
        _kept.insert(0, entry)
        del _kept[_KEPT:]
    return entry[1]


def graph_of(model: pm.Model, exchanged: Collection[str]) -> Graph:
    """Return what a model computes."""
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.traversal import graph_inputs

    outputs = [model.logp(), *model.replace_rvs_by_values(model.deterministics)]
    data = [variable for variable in model.data_vars if variable.name in exchanged]
    data += [length for dim, length in model.dim_lengths.items() if dim in exchanged]
    shared = (each for each in graph_inputs(outputs) if isinstance(each, SharedVariable))
    held = [each for each in shared if each not in data]
    drawn = [*model.free_RVs, *model.deterministics]
    facts = (
        tuple(variable.name for variable in (*model.value_vars, *drawn, *data)),
        tuple((each.name, _bytes(each.get_value())) for each in held),
        tuple(_dims_of(model, drawn)),
        tuple(_bytes(model.rvs_to_initial_values[variable]) for variable in model.free_RVs),
    )
    return Graph(facts, outputs, [*model.value_vars, *data, *held])


def _dims_of(model: pm.Model, drawn: list[Variable]) -> Iterator[tuple[Any, ...]]:
    """Yield the shape of variables, their dims, and the coordinates along each."""
    for variable in drawn:
        shape = variable.type.shape
        if None in shape:
            shape = tuple(variable.shape.eval(mode="FAST_COMPILE"))
        dims = model.named_vars_to_dims.get(variable.name, ())
        yield shape, tuple((dim, model.coords.get(dim)) for dim in dims)


def _bytes(value: object) -> bytes | str | None:
    return value if value is None or isinstance(value, str) else np.asarray(value).tobytes()


def _compile(model: pm.Model) -> Any:
    import nutpie
    from pytensor import config

    # With fast math, code compiled now and the same code read back from numba's cache round
    # differently, and a seed gives other draws in the first process than in later ones.
    with config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(model)
