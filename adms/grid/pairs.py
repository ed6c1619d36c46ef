"""How a device stands on the nodes of a bus."""

import math

from adms.grid.model import Bus, NodeRef

Pairs = tuple[tuple[NodeRef, NodeRef | None], ...]


def device_pairs(nodes: tuple[NodeRef, ...], *, delta: bool, bus: Bus) -> tuple[Pairs, float] | None:
    """Single-phase parts of a device over nodes of a bus, and the nominal voltage across one of them, V; None of a
    delta on one phase. The single node of a balanced bus stands for a wye or a delta alike."""
    if not delta or nodes[0].phase == 0:
        return tuple((node, None) for node in nodes), bus.v_base_v
    if len(nodes) == 1:
        return None
    ring = tuple(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    return ring if len(nodes) == 3 else ring[:1], bus.v_base_v * math.sqrt(3.0)
