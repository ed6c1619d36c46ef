"""Sections: what switches bound."""

from adms.core.ids import BusId, ElementId, SectionId
from adms.grid.sections import sections
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


def test_a_bridged_switch_has_the_same_section_on_both_sides() -> None:
    model = network(
        buses=(bus("a"), bus("b")),
        sources=(source("source.s", "a"),),
        branches=(line("line.l", "a", "b"), switch("switch.x", "a", "b", closed=False)),
    )
    graph = sections(model)
    assert graph.switch_ends[ElementId("switch.x")] == ("section.a", "section.a")
    assert graph.sections[SectionId("section.a")].boundary == ()
