"""Sections and how they are supplied."""

from adms.core.ids import BusId, ElementId, SectionId
from adms.grid.sections import sections, source_paths
from adms.grid.state import normal_state
from tests.unit.grid.small_networks import bus, line, network, source, switch, two_feeders


def test_switches_bound_sections_whatever_their_positions() -> None:
    graph = sections(two_feeders())
    assert list(graph.sections) == ["section.a", "section.b", "section.d", "section.e"]
    middle = graph.sections[SectionId("section.b")]
    assert middle.buses == ("b", "c")
    assert middle.node_rows == (3, 4, 5, 6, 7, 8)
    assert middle.boundary == ("switch.x1", "switch.x2", "switch.x3")
    assert (middle.load_w, middle.customers) == (80e3, 20)
    assert graph.section_of_bus[BusId("c")] == "section.b"
    assert graph.switch_ends[ElementId("switch.x2")] == ("section.b", "section.d")
    assert graph.switch_phases[ElementId("switch.x3")] == {1}


def test_a_section_behind_an_open_switch_has_no_source() -> None:
    model = two_feeders()
    grid = normal_state(model).with_switch(ElementId("switch.x1"), closed=False)
    paths = source_paths(sections(model), grid)
    assert {section for section, supply in paths.items() if supply.sources} == {"section.a", "section.d"}


def test_a_closed_tie_between_two_sources_is_two_paths() -> None:
    model = two_feeders()
    graph = sections(model)
    closed = normal_state(model).with_switch(ElementId("switch.x2"), closed=True)
    paths = source_paths(graph, closed)
    assert paths[SectionId("section.b")].sources == ("source.s1", "source.s2")
    assert {p.count for p in paths.values()} == {2}
    moved = closed.with_switch(ElementId("switch.x1"), closed=False)
    assert {p.count for p in source_paths(graph, moved).values()} == {1}


def test_a_closed_loop_on_one_source_is_two_paths() -> None:
    model = network(
        buses=(bus("a"), bus("b"), bus("c")),
        sources=(source("source.s", "a"),),
        branches=(switch("switch.x", "a", "b"), switch("switch.y", "b", "c"), switch("switch.z", "c", "a")),
    )
    graph = sections(model)
    assert {p.count for p in source_paths(graph, normal_state(model)).values()} == {2}


def test_three_one_phase_switches_side_by_side_are_no_loop() -> None:
    model = network(
        buses=(bus("a"), bus("b")),
        sources=(source("source.s", "a"),),
        branches=tuple(switch(f"switch.x{phase}", "a", "b", (phase,)) for phase in (1, 2, 3)),
    )
    assert {p.count for p in source_paths(sections(model), normal_state(model)).values()} == {1}


def test_a_one_phase_switch_supplies_one_phase_only() -> None:
    model = network(
        buses=(bus("a"), bus("b")),
        sources=(source("source.s", "a"),),
        branches=(switch("switch.x", "a", "b", (1,)),),
    )
    paths = source_paths(sections(model), normal_state(model))
    assert paths[SectionId("section.b")].phases == {1}


def test_a_bridged_switch_has_the_same_section_on_both_sides() -> None:
    model = network(
        buses=(bus("a"), bus("b")),
        sources=(source("source.s", "a"),),
        branches=(line("line.l", "a", "b"), switch("switch.x", "a", "b", closed=False)),
    )
    graph = sections(model)
    assert graph.switch_ends[ElementId("switch.x")] == ("section.a", "section.a")
    assert graph.sections[SectionId("section.a")].boundary == ()


def test_an_island_without_a_source_has_no_path() -> None:
    model = network(
        buses=(bus("a"), bus("b")),
        sources=(source("source.s", "a"),),
        branches=(switch("switch.x", "a", "b", closed=False),),
    )
    paths = source_paths(sections(model), normal_state(model))
    assert paths[SectionId("section.b")].count == 0
    assert paths[SectionId("section.b")].phases == frozenset()
