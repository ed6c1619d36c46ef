"""Sections: what switches bound, whatever their positions. FLISR thinks in sections, not in nodes. Transformers and
regulators without switches are inside sections. How sections are supplied is `adms.grid.topology`."""

from collections.abc import Mapping
from dataclasses import dataclass

from adms.core.ids import BusId, ElementId, SectionId
from adms.grid.components import components
from adms.grid.model import NetworkModel


@dataclass(frozen=True, kw_only=True)
class Section:
    """Buses that no switch separates."""

    id: SectionId
    """`section.<bus>`, after its first bus in model order."""
    buses: tuple[BusId, ...]
    node_rows: tuple[int, ...]
    """Rows of its nodes in `NetworkArrays.nodes`."""
    phases: frozenset[int]
    boundary: tuple[ElementId, ...]
    """Switches with one side here, in model order; one with both sides here is not a boundary."""
    sources: tuple[ElementId, ...]
    load_w: float
    """Drawn at nominal voltage by the model's loads."""
    customers: int


@dataclass(frozen=True, kw_only=True)
class SectionGraph:
    """Sections and the switches between them."""

    sections: Mapping[SectionId, Section]
    """In model order."""
    section_of_bus: Mapping[BusId, SectionId]
    switch_ends: Mapping[ElementId, tuple[SectionId, SectionId]]
    """Of every switch, at its first and second terminal. Both the same where a switch is bridged."""
    switch_phases: Mapping[ElementId, frozenset[int]]
    """Phases that a switch carries. Fewer than a section has: it cannot supply that section (SW8)."""


def sections(model: NetworkModel) -> SectionGraph:
    """Divides a model at its switches. Positions play no part."""
    index = {bus.id: row for row, bus in enumerate(model.buses)}
    fr, to = [], []
    for branch in model.branches:
        if branch.switch is None:
            ends = [index[terminal[0].bus] for terminal in branch.terminals]
            fr += ends[:-1]
            to += ends[1:]
    label = components(fr, to, size=len(model.buses)).tolist()
    name: dict[int, SectionId] = {}
    for bus in model.buses:
        name.setdefault(label[index[bus.id]], SectionId(f"section.{bus.id}"))
    section_of_bus = {bus.id: name[label[index[bus.id]]] for bus in model.buses}
    ends_of = {
        b.id: (section_of_bus[b.terminals[0][0].bus], section_of_bus[b.terminals[-1][0].bus])
        for b in model.branches
        if b.switch is not None
    }
    return SectionGraph(
        sections=_contents(model, section_of_bus=section_of_bus, ends_of=ends_of),
        section_of_bus=section_of_bus,
        switch_ends=ends_of,
        switch_phases={
            b.id: frozenset(node.phase for terminal in b.terminals for node in terminal)
            for b in model.branches
            if b.switch is not None
        },
    )


def _contents(
    model: NetworkModel,
    *,
    section_of_bus: Mapping[BusId, SectionId],
    ends_of: Mapping[ElementId, tuple[SectionId, SectionId]],
) -> dict[SectionId, Section]:
    names = list(dict.fromkeys(section_of_bus.values()))
    buses: dict[SectionId, list[BusId]] = {s: [] for s in names}
    rows: dict[SectionId, list[int]] = {s: [] for s in names}
    phases: dict[SectionId, set[int]] = {s: set() for s in names}
    boundary: dict[SectionId, list[ElementId]] = {s: [] for s in names}
    sources: dict[SectionId, list[ElementId]] = {s: [] for s in names}
    load_w = dict.fromkeys(names, 0.0)
    customers = dict.fromkeys(names, 0)
    row = 0
    for bus in model.buses:
        section = section_of_bus[bus.id]
        buses[section].append(bus.id)
        phases[section].update(bus.phases)
        rows[section] += range(row, row + len(bus.phases))
        row += len(bus.phases)
    for switch, (fr, to) in ends_of.items():
        if fr != to:
            boundary[fr].append(switch)
            boundary[to].append(switch)
    for source in model.sources:
        sources[section_of_bus[source.nodes[0].bus]].append(source.id)
    for load in model.loads:
        section = section_of_bus[load.pairs[0][0].bus]
        load_w[section] += load.p_w
        customers[section] += load.customers
    return {
        s: Section(
            id=s,
            buses=tuple(buses[s]),
            node_rows=tuple(rows[s]),
            phases=frozenset(phases[s]),
            boundary=tuple(boundary[s]),
            sources=tuple(sources[s]),
            load_w=load_w[s],
            customers=customers[s],
        )
        for s in names
    }
