"""Energised nodes and what feeds them, conductor by conductor; sections, their parents, islands and loops."""

import numpy as np

from adms.core.ids import ElementId, ModelVersion, SectionId
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, BranchKind, NetworkModel
from adms.grid.state import normal_state
from adms.grid.topology import SEVERAL, UNSUPPLIED, Energised, Loop, Topology, source_of_node, topology_of
from tests.unit.grid.small_networks import bus, line, matrix, network, nodes, source, switch, two_feeders


def _arrays(model: NetworkModel) -> NetworkArrays:
    return NetworkArrays(model, version=ModelVersion("test"))


def _normal(model: NetworkModel) -> Topology:
    return topology_of(_arrays(model), normal_state(model))


A, B, C, D, E = (SectionId(f"section.{name}") for name in "abcde")
X1, X2, X3 = (ElementId(f"switch.x{k}") for k in (1, 2, 3))


def _ring() -> NetworkModel:
    return network(
        buses=(bus("a"), bus("b"), bus("c")),
        sources=(source("source.s", "a"),),
        branches=(switch("switch.x1", "a", "b"), switch("switch.x2", "b", "c"), switch("switch.x3", "c", "a")),
    )


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


def test_sections_know_their_parents_children_and_what_feeds_them() -> None:
    normal = _normal(two_feeders())
    middle = normal.supply(B)
    assert (middle.parent, middle.through, middle.children, middle.sources) == (A, (X1,), (E,), ("source.s1",))
    assert (middle.energised, middle.phases, middle.count) == (Energised.FULLY, frozenset({1, 2, 3}), 1)
    assert (normal.supply(A).parent, normal.supply(A).children) == (None, (B,))
    assert normal.supply(D).sources == ("source.s2",)
    assert [(i.sections, i.sources) for i in normal.islands] == [((A, B, E), ("source.s1",)), ((D,), ("source.s2",))]
    assert normal.loops == ()


def test_an_island_without_a_source_is_a_value() -> None:
    cut = _normal(two_feeders()).with_switch(X1, closed=False)
    assert [(i.sections, i.sources) for i in cut.islands] == [
        ((A,), ("source.s1",)), ((B, E), ()), ((D,), ("source.s2",)),
    ]  # fmt: skip
    dead = cut.supply(B)
    assert (dead.energised, dead.parent, dead.children, dead.count) == (Energised.DEAD, None, (), 0)


def test_two_sources_in_one_island_are_two_paths_and_one_after_the_first_is_cut_off() -> None:
    tied = _normal(two_feeders()).with_switch(X2, closed=True)
    assert tied.supply(B).sources == ("source.s1", "source.s2")
    assert {tied.supply(s).count for s in tied.network.sections} == {2}
    assert len(tied.islands) == 1
    moved = tied.with_switch(X1, closed=False)
    assert {moved.supply(s).count for s in moved.network.sections} == {1}
    assert (moved.supply(B).parent, moved.supply(B).through) == (D, (X2,))


def test_a_closed_ring_is_a_loop_on_every_phase_and_two_source_paths() -> None:
    normal = _normal(_ring())
    assert normal.loops == tuple(Loop(phase=p, closed_by=X3, switches=(X1, X2, X3)) for p in (1, 2, 3))
    assert {normal.supply(s).count for s in normal.network.sections} == {2}
    assert normal.with_switch(X1, closed=False).loops == ()


def test_a_closed_switch_that_a_line_bridges_is_a_loop_of_itself() -> None:
    model = network(
        buses=(bus("a"), bus("b")),
        sources=(source("source.s", "a"),),
        branches=(line("line.l", "a", "b", (1,)), switch("switch.x1", "a", "b")),
    )
    normal = _normal(model)
    assert normal.loops == (Loop(phase=1, closed_by=X1, switches=(X1,)),)
    opened = normal.with_switch(X1, closed=False)
    assert (opened.supply(A).energised, opened.supply(A).phases) == (Energised.PARTLY, frozenset({1, 2, 3}))
    assert opened.loops == ()


def _poles() -> NetworkModel:
    """Three one-phase switches side by side to b, and b feeds c through one of three phases."""
    poles = tuple(switch(f"switch.x{phase}", "a", "b", (phase,)) for phase in (1, 2, 3))
    return network(
        buses=(bus("a"), bus("b"), bus("c")),
        sources=(source("source.s", "a"),),
        branches=(*poles, switch("switch.y", "b", "c")),
    )


def test_three_one_phase_switches_side_by_side_are_no_loop() -> None:
    normal = _normal(_poles())
    assert normal.loops == ()
    assert normal.supply(B).through == (X1, X2, X3)
    assert {normal.supply(s).count for s in normal.network.sections} == {1}


def test_a_device_with_one_pole_open_leaves_what_is_behind_it_partly_energised() -> None:
    opened = _normal(_poles()).with_switch(X2, closed=False)
    for section in (B, C):
        assert (opened.supply(section).energised, opened.supply(section).phases) == (
            Energised.PARTLY,
            frozenset({1, 3}),
        )
    assert opened.supply(A).energised is Energised.FULLY
    assert opened.with_switch(X1, closed=False).with_switch(X3, closed=False).supply(C).energised is Energised.DEAD


def test_a_transformer_inside_a_section_puts_voltage_on_all_its_conductors_and_makes_no_loop() -> None:
    parts = (
        switch("switch.x1", "a", "b", (1,)),
        line("transformer.t", "b", "c", kind=BranchKind.TRANSFORMER),
        switch("switch.x2", "c", "d"),
        line("transformer.u", "d", "e", kind=BranchKind.TRANSFORMER),
    )
    model = network(buses=tuple(bus(name) for name in "abcde"), sources=(source("source.s", "a"),), branches=parts)
    normal = _normal(model)
    assert {normal.supply(s).energised for s in normal.network.sections} == {Energised.FULLY}
    assert normal.supply(D).parent == B
    assert normal.loops == ()


def test_closing_a_switch_that_is_closed_changes_nothing() -> None:
    normal = _normal(two_feeders())
    assert normal.with_switch(X1, closed=True) is normal
