"""How a device stands on the nodes of a bus."""

import math
from dataclasses import dataclass

from adms.grid.joints import LAST_PHASE
from adms.grid.model import Bus, NodeRef

Pairs = tuple[tuple[NodeRef, NodeRef | None], ...]


@dataclass(frozen=True, kw_only=True)
class NoNodes:
    """A bus does not have the phases that are asked for."""

    phases: tuple[int, ...]
    """Those that are wrong."""
    message: str


def nodes_at(bus: Bus, phases: tuple[int, ...] | None) -> tuple[NodeRef, ...] | NoNodes:
    """Nodes of a bus; all but its neutral conductors where no phases are given."""
    wanted = tuple(phase for phase in bus.phases if phase <= LAST_PHASE) if phases is None else phases
    if len(set(wanted)) < len(wanted):
        return NoNodes(phases=wanted, message="a phase twice")
    absent = tuple(phase for phase in wanted if phase not in bus.phases)
    if absent or not wanted:
        return NoNodes(phases=absent, message=f"bus {bus.id} has only {', '.join(map(str, bus.phases))}")
    return tuple(NodeRef(bus.id, phase) for phase in wanted)


def device_pairs(nodes: tuple[NodeRef, ...], *, delta: bool, bus: Bus) -> tuple[Pairs, float] | None:
    """Single-phase parts of a device over nodes of a bus, and the nominal voltage across one of them, V; None of a
    delta on one phase. The single node of a balanced bus stands for a wye or a delta alike."""
    if not delta or nodes[0].phase == 0:
        return tuple((node, None) for node in nodes), bus.v_base_v
    if len(nodes) == 1:
        return None
    ring = tuple(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    return ring if len(nodes) == 3 else ring[:1], bus.v_base_v * math.sqrt(3.0)
