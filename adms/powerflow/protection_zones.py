"""What clears a fault where: the network divided at the devices that interrupt fault current.

Breakers, reclosers and fuses interrupt it. A sectionaliser counts and opens when dead, so a fault beyond one is cleared
by what stands before it. Zones are made of buses: a device of one pole bounds its lateral.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.csgraph  # noqa: F401  (makes sp.csgraph available)

from adms.core.ids import BusId, ElementId
from adms.core.telemetry import IntArray
from adms.grid.arrays import NetworkArrays
from adms.grid.model import SwitchKind
from adms.grid.state import GridState

CLEARING_KINDS = frozenset({SwitchKind.BREAKER, SwitchKind.RECLOSER, SwitchKind.FUSE})
PROTECTIVE_KINDS = CLEARING_KINDS | {SwitchKind.SECTIONALISER}


@dataclass(frozen=True, kw_only=True)
class ProtectiveDevice:
    """A switch that acts on fault current; one whose poles are branches of their own is one device."""

    name: str
    """Its group, or the element where it stands alone."""
    kind: SwitchKind
    elements: tuple[ElementId, ...]
    """Closed poles, in model order."""
    pickup_a: float | None
    """Lowest of its poles; None where unknown."""
    ground_pickup_a: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ProtectionZones:
    """Zones between clearing devices, in one grid state."""

    zone_of_node: IntArray
    """[node]"""
    ends: Mapping[str, tuple[int, int]]
    """Zones at the first and second terminal of each clearing device, by name; both the same where it is bridged."""
    source_zones: Mapping[ElementId, int]

    def beyond(self, device: str, *, of: int) -> frozenset[int]:
        """Zones that a device connects to zone `of` by ways that do not lead through it."""
        first, second = self.ends[device]
        open_ = [second if first == of else first]
        found: set[int] = set()
        while open_:
            zone = open_.pop()
            if zone == of or zone in found:
                continue
            found.add(zone)
            open_ += [b if a == zone else a for a, b in self.ends.values() if zone in (a, b)]
        return frozenset(found)

    def buses(self, arrays: NetworkArrays, *, zone: int) -> tuple[BusId, ...]:
        """Buses of a zone, in model order."""
        rows = np.flatnonzero(self.zone_of_node == zone)
        return tuple(dict.fromkeys(arrays.nodes[row].bus for row in rows))


def protective_devices(arrays: NetworkArrays, grid: GridState) -> tuple[ProtectiveDevice, ...]:
    """All closed ones, in model order."""
    poles: dict[str, list[int]] = {}
    for index in arrays.switches.tolist():
        branch = arrays.branches[index]
        if branch.switch is not None and branch.switch.kind in PROTECTIVE_KINDS and grid.closed[branch.id]:
            poles.setdefault(branch.switch.group or branch.id, []).append(index)
    devices = []
    for name, indices in poles.items():
        gears = [gear for index in indices if (gear := arrays.branches[index].switch) is not None]
        devices.append(
            ProtectiveDevice(
                name=name,
                kind=gears[0].kind,
                elements=tuple(arrays.branches[index].id for index in indices),
                pickup_a=min((g.pickup_a for g in gears if g.pickup_a is not None), default=None),
                ground_pickup_a=min((g.ground_pickup_a for g in gears if g.ground_pickup_a is not None), default=None),
            )
        )
    return tuple(devices)


def protection_zones(arrays: NetworkArrays, grid: GridState) -> ProtectionZones:
    """Divides the network at its closed clearing devices; open switches part it as well."""
    clearing = [device for device in protective_devices(arrays, grid) if device.kind in CLEARING_KINDS]
    cut = {arrays.branch_idx[element] for device in clearing for element in device.elements}
    shut = [
        index not in cut and (branch.switch is None or grid.closed[branch.id])
        for index, branch in enumerate(arrays.branches)
    ]
    fr, to, owner = arrays.conductor_joints
    kept = np.array(shut, dtype=np.bool_)[owner]
    first: dict[BusId, int] = {}
    for row, node in enumerate(arrays.nodes):
        first.setdefault(node.bus, row)
    anchor = np.array([first[node.bus] for node in arrays.nodes], dtype=np.int64)
    rows = np.concatenate([fr[kept], np.arange(arrays.node_count)])
    columns = np.concatenate([to[kept], anchor])
    adjacency = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(arrays.node_count,) * 2)
    zone = np.asarray(sp.csgraph.connected_components(adjacency, directed=False)[1], dtype=np.int64)
    ends: dict[str, tuple[int, int]] = {}
    for device in clearing:
        terminals = arrays.branches[arrays.branch_idx[device.elements[0]]].terminals
        at = [int(zone[arrays.node_idx[terminal[0]]]) for terminal in (terminals[0], terminals[-1])]
        ends[device.name] = (at[0], at[1])
    sources = {
        source.id: int(zone[nodes[0]]) for source, nodes in zip(arrays.model.sources, arrays.source_nodes, strict=True)
    }
    return ProtectionZones(zone_of_node=zone, ends=ends, source_zones=sources)
