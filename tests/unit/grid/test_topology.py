"""Energised nodes and what feeds them, conductor by conductor."""

import numpy as np

from adms.core.ids import ElementId, ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, BranchKind, NetworkModel
from adms.grid.state import normal_state
from adms.grid.topology import SEVERAL, UNSUPPLIED, source_of_node
from tests.unit.grid.small_networks import bus, line, matrix, network, nodes, source, switch, two_feeders


def _arrays(model: NetworkModel) -> NetworkArrays:
    return NetworkArrays(model, version=ModelVersion("test"))


def test_an_open_switch_leaves_what_is_behind_it_dead() -> None:
    model = two_feeders()
    arrays = _arrays(model)
    grid = normal_state(model).with_switch(ElementId("switch.x1"), closed=False)
    dead = {arrays.nodes[row].bus for row in np.flatnonzero(~arrays.energised(grid))}
    assert dead == {"b", "c", "e"}


def test_coupling_between_conductors_energises_nothing() -> None:
    # Phase 1 comes through a one-phase switch; the coupled line beyond has three phases.
    coupled = matrix(
        [[(1.0 if (i < 3) == (j < 3) else -1.0) * (1.0 if i % 3 == j % 3 else 0.3) for j in range(6)] for i in range(6)]
    )
    lb = Branch(
        id=ElementId("line.l"), kind=BranchKind.LINE, terminals=(nodes("b"), nodes("c")), y_primitive_siemens=coupled
    )
    model = network(
        buses=(bus("a"), bus("b"), bus("c")),
        sources=(source("source.s", "a"),),
        branches=(switch("switch.x", "a", "b", (1,)), lb),
    )
    arrays = _arrays(model)
    live = arrays.energised(normal_state(model))
    alive = {(node.bus, node.phase) for node, on in zip(arrays.nodes, live, strict=True) if on}
    assert alive == {("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1)}


def test_a_transformer_joins_all_its_conductors() -> None:
    model = network(
        buses=(bus("a"), bus("b"), bus("c")),
        sources=(source("source.s", "a"),),
        branches=(switch("switch.x", "a", "b", (1,)), line("transformer.t", "b", "c", kind=BranchKind.TRANSFORMER)),
    )
    arrays = _arrays(model)
    assert arrays.energised(normal_state(model)).all()


def test_a_transposed_line_joins_its_conductors_by_position() -> None:
    swapped = Branch(
        id=ElementId("line.l"),
        kind=BranchKind.LINE,
        terminals=(nodes("a", (1, 2)), nodes("b", (2, 1))),
        y_primitive_siemens=line("line.m", "a", "b", (1, 2)).y_primitive_siemens,
    )
    model = network(buses=(bus("a"), bus("b", (1, 2))), sources=(source("source.s", "a", (1,)),), branches=(swapped,))
    arrays = _arrays(model)
    live = arrays.energised(normal_state(model))
    assert {(n.bus, n.phase) for n, on in zip(arrays.nodes, live, strict=True) if on} == {("a", 1), ("b", 2)}


def test_each_node_names_the_one_source_that_feeds_it() -> None:
    model = two_feeders()
    arrays = _arrays(model)
    feeding = source_of_node(arrays, normal_state(model))
    by_bus = {node.bus: int(index) for node, index in zip(arrays.nodes, feeding, strict=True)}
    assert by_bus == {"a": 0, "b": 0, "c": 0, "d": 1, "e": 0}


def test_sources_in_parallel_and_islands_without_one_are_values() -> None:
    model = two_feeders()
    arrays = _arrays(model)
    grid = normal_state(model).with_switch(ElementId("switch.x2"), closed=True)
    grid = grid.with_switch(ElementId("switch.x3"), closed=False)
    feeding = source_of_node(arrays, grid)
    assert set(feeding[[arrays.node_idx[node] for node in nodes("b")]]) == {SEVERAL}
    assert feeding[arrays.node_idx[nodes("e", (1,))[0]]] == UNSUPPLIED
