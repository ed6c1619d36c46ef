"""What each protective device sees of a fault, which ones must clear it, and how far each one reaches."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.core.telemetry import FloatArray
from adms.grid.arrays import NetworkArrays
from adms.grid.faults import BALANCED_PHASE, Fault, FaultKind
from adms.grid.state import GridState
from adms.powerflow.factor import Factor, NotSolved
from adms.powerflow.protection_zones import (
    CLEARING_KINDS,
    ProtectionZones,
    ProtectiveDevice,
    protection_zones,
    protective_devices,
)
from adms.powerflow.short_circuit import ShortCircuit
from adms.powerflow.short_circuit_columns import solve_columns
from adms.powerflow.short_circuit_faults import (
    every_fault,
    fault_paths,
)
from adms.powerflow.short_circuit_network import OpenCircuit, Prefault, fault_network


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceCurrent:
    """What one device sees."""

    device: ProtectiveDevice
    phases: tuple[int, ...]
    current_a: FloatArray
    """[phase] magnitudes, the larger of its two sides."""
    ground_a: float
    """Magnitude of the sum of its phases, 3 I0."""
    phase_ratio: float | None
    """Largest phase current over its pickup; None where that is unknown."""
    ground_ratio: float | None
    """Ground current over its pickup; None where it has none."""

    @property
    def margin(self) -> float | None:
        """The larger of the two ratios: it picks up from 1 on. None where no pickup is known."""
        return max((r for r in (self.phase_ratio, self.ground_ratio) if r is not None), default=None)

    @property
    def picks_up(self) -> bool | None:
        """None where no pickup is known."""
        return None if self.margin is None else self.margin >= 1.0


@dataclass(frozen=True, kw_only=True)
class ClearingDevice:
    """A device at the edge of a fault's zone through which the fault is fed."""

    device: ProtectiveDevice
    fed_by: tuple[ElementId, ...]
    """Sources, then DER that inject during the fault, behind it."""


@dataclass(frozen=True, kw_only=True)
class Clearing:
    """Who must clear a fault."""

    zone_buses: tuple[BusId, ...]
    """Dead once it is cleared."""
    devices: tuple[ClearingDevice, ...]
    """All of them must open. In a radial network it is the nearest one upstream."""
    fed_inside: tuple[ElementId, ...]
    """Sources and injecting DER with no device between them and the fault."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceReach:
    """The fault in a device's zone that it sees least of."""

    device: ProtectiveDevice
    zone_buses: tuple[BusId, ...]
    """What it protects first: up to the next devices that clear."""
    weakest: Fault
    """By margin where a pickup is known, otherwise by phase current."""
    seen: DeviceCurrent
    """In that fault."""
    smallest_a: float
    """Smallest phase current (of the largest phase) over all faults in the zone."""


def device_currents(short: ShortCircuit) -> tuple[DeviceCurrent, ...]:
    """What every closed protective device sees, in model order; of a dead one, zeros."""
    arrays, grid = short.factor.arrays, short.factor.grid
    v = short.v_phasor_pu - short.v_prefault_pu if short.v_drop_only else short.v_phasor_pu
    return tuple(_seen(arrays, grid, device, v_pu=v) for device in protective_devices(arrays, grid))


def clearing(short: ShortCircuit) -> Clearing:
    """The devices that must open so that nothing feeds a fault."""
    arrays, grid = short.factor.arrays, short.factor.grid
    zones = protection_zones(arrays, grid)
    by_name = {device.name: device for device in protective_devices(arrays, grid)}
    zone = int(zones.zone_of_node[_first_node(arrays, short.fault.bus)])
    injecting = {
        injector.element: int(zones.zone_of_node[injector.fr])
        for injector, current in zip(arrays.injectors, short.der_current_a, strict=True)
        if current != 0.0
    }
    feeding = {**zones.source_zones, **injecting}
    devices = []
    for name, ends in zones.ends.items():
        if zone in ends and ends[0] != ends[1]:
            behind = zones.beyond(name, of=zone)
            fed_by = tuple(element for element, at in feeding.items() if at in behind)
            if fed_by:
                devices.append(ClearingDevice(device=by_name[name], fed_by=fed_by))
    return Clearing(
        zone_buses=zones.buses(arrays, zone=zone),
        devices=tuple(devices),
        fed_inside=tuple(element for element, at in feeding.items() if at == zone),
    )


def protection_reach(
    factor: Factor,
    *,
    kinds: Collection[FaultKind] = tuple(FaultKind),
    r_fault_ohm: float = 0.0,
    r_ground_ohm: float = 0.0,
    prefault: Prefault | None = None,
    der_off: Collection[ElementId] = (),
) -> Sequence[DeviceReach] | NotSolved:
    """For every closed clearing device, the weakest fault in the zones that it feeds. Inverters are left out.

    Args:
        factor: of the grid state.
        kinds: of faults, each in every choice of phases at every bus.
        r_fault_ohm: as in `Fault`.
        r_ground_ohm: as in `Fault`, of those that go to ground.
        prefault: as in `short_circuit`.
        der_off: as in `short_circuit`.

    Returns:
        One entry a device and zone, in model order (two where it is fed from both sides; none for a dead one), or why
        there is none.
    """
    arrays, grid = factor.arrays, factor.grid
    network = fault_network(factor, prefault=OpenCircuit() if prefault is None else prefault, der_off=der_off)
    zones = protection_zones(arrays, grid)
    guarded = [
        (device, zone)
        for device in protective_devices(arrays, grid)
        if device.kind in CLEARING_KINDS
        for zone in _fed_zones(zones, device)
    ]
    out: list[DeviceReach] = []
    for device, zone in guarded:
        at = np.concatenate([arrays.branch_nodes[arrays.branch_idx[element]] for element in device.elements])
        if not factor.energised[at].all():
            continue
        buses = zones.buses(arrays, zone=zone)
        faults = every_fault(arrays, buses, kinds=kinds, r_fault_ohm=r_fault_ohm, r_ground_ohm=r_ground_ohm)
        shapes = fault_paths(arrays, faults)
        alive = [i for i, shape in enumerate(shapes) if factor.energised[shape.nodes].all()]
        solved = solve_columns(network, [shapes[i] for i in alive], watched=[at] * len(alive))
        if isinstance(solved, NotSolved):
            return solved
        seen = []
        for _, v_at in solved:
            v = np.zeros(arrays.node_count, dtype=np.complex128)
            v[at] = v_at - network.before_at(at) if network.v_drop_only else v_at
            seen.append(_seen(arrays, grid, device, v_pu=v))
        if seen:
            weakest = min(range(len(seen)), key=lambda i: _weakness(seen[i]))
            out.append(
                DeviceReach(
                    device=device,
                    zone_buses=buses,
                    weakest=faults[alive[weakest]],
                    seen=seen[weakest],
                    smallest_a=min(float(s.current_a.max()) for s in seen),
                )
            )
    return out


def _weakness(seen: DeviceCurrent) -> float:
    return float(seen.current_a.max()) if seen.margin is None else seen.margin


def _fed_zones(zones: ProtectionZones, device: ProtectiveDevice) -> tuple[int, ...]:
    ends = zones.ends[device.name]
    if ends[0] == ends[1]:
        return ()
    sources = set(zones.source_zones.values())
    return tuple(zone for zone in ends if sources & zones.beyond(device.name, of=zone))


def _first_node(arrays: NetworkArrays, bus: BusId) -> int:
    return next(row for row, node in enumerate(arrays.nodes) if node.bus == bus)


def _seen(arrays: NetworkArrays, grid: GridState, device: ProtectiveDevice, *, v_pu: ComplexArray) -> DeviceCurrent:
    phases: list[int] = []
    largest: list[float] = []
    total = np.zeros(2, dtype=np.complex128)
    for element in device.elements:
        index = arrays.branch_idx[element]
        terminals = arrays.branches[index].terminals
        nodes = arrays.branch_nodes[index]
        current = arrays.branch_current_a(index, grid, v_pu)
        count = len(terminals[0])
        sides = current[:count], -current[len(nodes) - count :]
        phases += [node.phase for node in terminals[0]]
        largest += np.maximum(np.abs(sides[0]), np.abs(sides[1])).tolist()
        total += [sides[0].sum(), sides[1].sum()]
    ground = 0.0 if phases == [BALANCED_PHASE] else float(np.abs(total).max())
    pickup, ground_pickup = device.pickup_a, device.ground_pickup_a
    return DeviceCurrent(
        device=device,
        phases=tuple(phases),
        current_a=np.array(largest),
        ground_a=ground,
        phase_ratio=None if pickup is None else max(largest) / pickup,
        ground_ratio=None if ground_pickup is None else ground / ground_pickup,
    )
