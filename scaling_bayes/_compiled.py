"""Models that nutpie has compiled, kept for later fits of the same law in the same process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pymc as pm
    from pytensor.graph.basic import Variable

_KEPT = 8


@dataclass(frozen=True, eq=False)
class Graph:
    """What a model computes, whatever its data.

    Attributes
    ----------
    names : tuple
        Names of variables, data and dims.
    outputs, inputs : list of Variable
        The log density and the deterministic variables, as they follow from values and data.
    """

    names: tuple[Any, ...]
    outputs: list[Variable]
    inputs: list[Variable]

    def equals(self, other: Graph) -> bool:
        """Return whether both compute the same from the same values and data."""
        from pytensor.graph.basic import equal_computations

        return self.names == other.names and bool(
            equal_computations(self.outputs, other.outputs, self.inputs, other.inputs)
        )


_kept: list[tuple[Graph, Any]] = []
"""Graphs that were compiled, and what became of them, the last used first."""


def compiled(model: pm.Model) -> Any:
    """Return a model compiled by nutpie, now or when one with the same graph was.

    To compile takes several times as long as to sample. Law, priors, noise and coordinates are in
    the graph; data are not, which nutpie exchanges.
    """
    graph = graph_of(model)
    at = next((at for at, (kept, _) in enumerate(_kept) if kept.equals(graph)), None)
    entry = (graph, _compile(model)) if at is None else _kept.pop(at)
    _kept.insert(0, entry)
    del _kept[_KEPT:]
    return entry[1]


def graph_of(model: pm.Model) -> Graph:
    """Return what a model computes."""
    named = (model.value_vars, model.deterministics, model.data_vars)
    lengths = [length for length in model.dim_lengths.values() if length.owner is None]
    return Graph(
        names=(
            *(tuple(variable.name for variable in some) for some in named),
            dict(model.named_vars_to_dims),
            tuple(model.dim_lengths),
        ),
        outputs=[model.logp(), *model.replace_rvs_by_values(model.deterministics)],
        inputs=[*model.value_vars, *model.data_vars, *lengths],
    )


def _compile(model: pm.Model) -> Any:
    import nutpie
    from pytensor import config

    # With fast math, code compiled now and the same code read back from numba's cache round
    # differently, and a seed gives other draws in the first process than in later ones.
    with config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(model)
