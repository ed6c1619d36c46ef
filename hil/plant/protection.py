"""What protects a feeder: which devices stand where, with the settings of overlay and scenario, asked as one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from adms.client import InputError, Problem
from hil.overlay import Overlay, SwitchEntry
from hil.plant.circuit import Circuit, Node, Topology
from hil.plant.curves import DefiniteTime
from hil.plant.fuse import Fuse, FuseSettings
from hil.plant.gear import Action, Device, Reading
from hil.plant.recloser import Overcurrent, Recloser, RecloserSettings
from hil.plant.sectionaliser import Sectionaliser, SectionaliserSettings

NEIGHBOUR_DELAY_S = 0.3


@dataclass(frozen=True, kw_only=True)
class ProtectionTimes:
    """What the overlay does not say about protection."""

    reclose_dead_s: tuple[float, ...]
    """Open time before each reclosing."""
    reclaim_s: float
    """Closed and quiet for so long: the shots count from the start again."""
    manual_block_s: float
    """A trip so soon after a commanded close locks out at once."""
    indicator_rise_a: float
    """A fault indicator latches when a phase current jumps by more than this"""
    indicator_min_a: float
    """and is above this."""


@dataclass(frozen=True, kw_only=True)
class DevicePlan:
    """Protective devices that a scenario sets, by element: in place of what the overlay says of a switch, or where it
    says nothing."""

    reclosers: Mapping[str, RecloserSettings] = field(default_factory=dict)
    """By switch."""
    sectionalisers: Mapping[str, SectionaliserSettings] = field(default_factory=dict)
    """By switch."""
    fuses: Mapping[str, FuseSettings] = field(default_factory=dict)
    """By switch, or by line of the deck: then at the line's first terminal, where the service knows of none."""

    @property
    def by_kind(self) -> dict[str, Collection[str]]:
        """Elements with a recloser, a sectionaliser, a fuse."""
        return {"recloser": self.reclosers, "sectionaliser": self.sectionalisers, "fuse": self.fuses}

    def problems(self, circuit: Circuit) -> list[Problem]:
        """What of it does not fit the feeder."""
        switches = circuit.topology.switches
        lines = {c.element for c in circuit.topology.conductors if c.element.startswith("line.")}
        found, kinds = [], dict[str, list[str]]()
        for kind, elements in self.by_kind.items():
            for element in elements:
                kinds.setdefault(element, []).append(kind)
                if element not in (switches | lines if kind == "fuse" else switches):
                    where = "neither a switch nor a line" if kind == "fuse" else "no switch of the overlay"
                    found.append(
                        Problem(element=element, field=kind, value="", message=f"there is {where} of that name")
                    )
        relays = {switch.id for switch in circuit.overlay.switches if switch.pickup_a is not None}
        for element in sorted(relays & {*self.sectionalisers, *self.fuses}):
            message = "the overlay gives this switch a relay, and the service listens to its lockout"
            found.append(Problem(element=element, field="device", value="", message=message))
        for element, several in kinds.items():
            if len(several) > 1:
                message = f"cannot be {' and '.join(several)} at once"
                found.append(Problem(element=element, field="device", value="", message=message))
        return found


def why_it_never_trips(
    place: Sequence[Node],
    *,
    topology: Topology,
    closed: Mapping[str, bool],
    relays: Collection[str],
    open_poles: Mapping[str, frozenset[int]] | None = None,
) -> str:
    """Why a fault at `place` cannot trip anything, however large its current; empty where it can. `relays` are the
    elements that can interrupt it, fuses in lines among them."""
    poles = dict(open_poles or {})
    if topology.energised(closed, open_poles=poles).isdisjoint(place):
        return "it had no supply when it failed"
    cut = poles | {element: topology.phases_of(element) for element in relays}
    if not topology.energised(closed, open_poles=cut).isdisjoint(place):
        return "no breaker or recloser stands between it and its source"
    return ""


def overlay_recloser(switch: SwitchEntry, *, times: ProtectionTimes) -> RecloserSettings:
    """Definite-time settings of a switch as the overlay states them."""
    curve = DefiniteTime(delay_s=switch.trip_delay_s if switch.trip_delay_s is not None else 0.0)
    dead_s = times.reclose_dead_s[: switch.reclose_shots]

    def element(pickup_a: float | None) -> Overcurrent | None:
        return Overcurrent(pickup_a=pickup_a, fast=curve, slow=curve) if pickup_a is not None else None

    return RecloserSettings(
        sequence=("slow",) * (len(dead_s) + 1),
        dead_s=dead_s,
        phase=element(switch.pickup_a),
        ground=element(switch.ground_pickup_a),
        reclaim_s=times.reclaim_s,
        manual_block_s=times.manual_block_s,
    )


def _neighbour(pickup_a: float, *, times: ProtectionTimes) -> RecloserSettings:
    """The neighbour's breaker: it trips once."""
    curve = DefiniteTime(delay_s=NEIGHBOUR_DELAY_S)
    return RecloserSettings(
        sequence=("slow",),
        dead_s=(),
        phase=Overcurrent(pickup_a=pickup_a, fast=curve, slow=curve),
        ground=None,
        reclaim_s=times.reclaim_s,
        manual_block_s=times.manual_block_s,
    )


def recloser_settings(
    overlay: Overlay, *, times: ProtectionTimes, neighbour_pickup_a: float, plan: DevicePlan
) -> dict[str, RecloserSettings]:
    """Of every recloser and breaker: overlay, then the neighbours' at their ties, then the scenario's own."""
    found = {s.id: overlay_recloser(s, times=times) for s in overlay.switches if s.pickup_a is not None}
    source_buses = {source.bus for source in overlay.sources}
    for switch in overlay.switches:
        if switch.between is not None and source_buses.intersection(switch.between):
            found[switch.id] = _neighbour(neighbour_pickup_a, times=times)
    found.update(plan.reclosers)
    return {e: s for e, s in found.items() if e not in plan.fuses and e not in plan.sectionalisers}


class Protection:
    """Every protective device of a feeder. Times are feeder seconds."""

    def __init__(
        self,
        circuit: Circuit,
        *,
        times: ProtectionTimes,
        neighbour_pickup_a: float,
        plan: DevicePlan,
    ) -> None:
        """Raises InputError with every device of the plan that does not fit the feeder."""
        problems = plan.problems(circuit)
        if problems:
            raise InputError(problems)
        phases_of = circuit.topology.phases_of
        settings = recloser_settings(circuit.overlay, times=times, neighbour_pickup_a=neighbour_pickup_a, plan=plan)
        self.reclosers = {
            element: Recloser(element, phases=tuple(sorted(phases_of(element))), settings=chosen)
            for element, chosen in settings.items()
        }
        self.sectionalisers = {
            element: Sectionaliser(element, phases=tuple(sorted(phases_of(element))), settings=chosen)
            for element, chosen in plan.sectionalisers.items()
        }
        self.fuses = {
            element: Fuse(element, phases=tuple(sorted(phases_of(element))), settings=chosen)
            for element, chosen in plan.fuses.items()
        }
        self.devices: dict[str, Device] = {**self.reclosers, **self.sectionalisers, **self.fuses}
        self._first_node = {
            element: {node[1]: node for node, _ in circuit.topology.pairs_of(element)} for element in self.devices
        }

    @property
    def interrupters(self) -> tuple[str, ...]:
        """Elements that can interrupt a fault."""
        return (*self.reclosers, *self.fuses)

    @property
    def busy(self) -> bool:
        """Something is timing."""
        return any(device.busy for device in self.devices.values())

    @property
    def due_s(self) -> float:
        """When the next device does something if nothing changes."""
        return min((device.due_s for device in self.devices.values()), default=inf)

    def live_phases(self, element: str, *, live: Collection[Node]) -> frozenset[int]:
        """Phases with a supply at a device's first terminal."""
        return frozenset(phase for phase, node in self._first_node[element].items() if node in live)

    def timed(self, *, now: float, live: Collection[Node]) -> list[Action]:
        """Reclosings, openings and arcs whose time has come."""
        return [
            action
            for element, device in self.devices.items()
            if device.due_s <= now + 1e-9
            for action in device.timed(now=now, live=self.live_phases(element, live=live))
        ]

    def sees(self, read: Callable[[str], Reading], *, now: float) -> list[Action]:
        """Show every device its currents."""
        return [action for element, device in self.devices.items() for action in device.sees(read(element), now=now)]
