"""The section graph as the interlock walks it: sections, the switches between them, and what hangs on each."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from adms.core.ids import BusId, ElementId, SectionId
from adms.core.kept import kept
from adms.core.telemetry import IntArray
from adms.grid.arrays import NetworkArrays
from adms.grid.model import SwitchGear
from adms.grid.sections import SectionGraph
from adms.grid.switched_sections import SwitchedSections, switched_sections


@dataclass(frozen=True, kw_only=True, eq=False)
class Wiring:
    """Sections of one model and how switches join them. Nothing here depends on positions."""

    network: SwitchedSections
    """What topologies are worked out on."""
    graph: SectionGraph
    section_of_bus: Mapping[BusId, SectionId]
    sections: tuple[SectionId, ...]
    """In model order."""
    ends: Mapping[ElementId, tuple[SectionId, SectionId]]
    """Switch to the sections at its terminals 0 and 1."""
    gear: Mapping[ElementId, SwitchGear]
    switches_at: Mapping[SectionId, tuple[ElementId, ...]]
    source_count: Mapping[SectionId, int]
    """Sources inside each section."""
    nodes: Mapping[SectionId, IntArray]
    """Node indices of each section."""
    customers: Mapping[SectionId, int]
    critical_customers: Mapping[SectionId, int]
    load_w: Mapping[SectionId, int]
    """Nominal load drawn, whole watts, so that sums do not depend on their order."""
    v_base_v: Mapping[BusId, float]
    """Nominal voltage of each bus to ground."""

    def across(self, switch: ElementId, section: SectionId) -> SectionId:
        """The section at the other side of a switch."""
        fr, to = self.ends[switch]
        return to if section == fr else fr

    def reach(self, start: Iterable[SectionId], *, closed: Collection[ElementId]) -> frozenset[SectionId]:
        """Sections joined to any of `start` by the closed switches, `start` included."""
        found = set(start)
        front = list(found)
        while front:
            section = front.pop()
            for switch in self.switches_at[section]:
                other = self.across(switch, section)
                if switch in closed and other not in found:
                    found.add(other)
                    front.append(other)
        return frozenset(found)

    def live(self, *, closed: Collection[ElementId]) -> frozenset[SectionId]:
        """Sections that the closed switches join to a source."""
        return self.reach((s for s, count in self.source_count.items() if count), closed=closed)


@kept
def wiring_of(arrays: NetworkArrays) -> Wiring:
    """The wiring of a model, kept for as long as the model is in use: it never changes."""
    model = arrays.model
    network = switched_sections(arrays)
    graph = network.graph
    parts = graph.sections
    critical = dict.fromkeys(parts, 0)
    for load in model.loads:
        critical[graph.section_of_bus[load.pairs[0][0].bus]] += load.critical_customers
    return Wiring(
        network=network,
        graph=graph,
        section_of_bus=graph.section_of_bus,
        sections=tuple(parts),
        ends=graph.switch_ends,
        gear={b.id: b.switch for b in model.branches if b.switch is not None},
        switches_at={section: part.boundary for section, part in parts.items()},
        source_count={section: len(part.sources) for section, part in parts.items()},
        nodes={section: np.array(part.node_rows, dtype=np.int64) for section, part in parts.items()},
        customers={section: part.customers for section, part in parts.items()},
        critical_customers=critical,
        load_w={section: round(part.load_w) for section, part in parts.items()},
        v_base_v={bus.id: bus.v_base_v for bus in model.buses},
    )
