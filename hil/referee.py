"""Counts what must never happen, from the plant's own truth and none of the service's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from hil.overlay import DerEntry
from hil.plant.circuit import Circuit, Node


@dataclass(frozen=True, kw_only=True)
class Unsafe:
    """One operation that should not have been permitted."""

    time_s: float
    device: str
    rule: str
    text: str


class Referee:
    """Watches every commanded operation where it takes effect."""

    def __init__(self, circuit: Circuit, *, tap_min_interval_s: float) -> None:
        self.found: list[Unsafe] = []
        self.operations = 0
        self._circuit = circuit
        self._tap_min_interval_s = tap_min_interval_s
        self._tapped_at: dict[str, float] = {}
        self._fault_since_s: float | None = None
        self._load_nodes = {load.name: tuple((load.bus, phase) for phase in load.phases) for load in circuit.loads}
        self._fault_nodes: frozenset[Node] = frozenset()
        self._faulted: frozenset[Node] = frozenset()
        self._place(frozenset(circuit.fault_nodes))

    def fault_began(self, *, time_s: float) -> None:
        """From then on the prepared faults are there, as long as nothing is heard of them by `faults`."""
        self._fault_since_s = time_s

    def faults(self, nodes: frozenset[Node]) -> None:
        """What faults touch from now on; nothing where all are gone."""
        self._fault_since_s = -inf
        self._place(nodes)

    def _place(self, nodes: frozenset[Node]) -> None:
        zones = self._circuit.topology.zones
        hit = {zones[node] for node in nodes}
        self._fault_nodes = nodes
        self._faulted = frozenset(node for node, zone in zones.items() if zone in hit)

    def switching(self, *, switch: str, closed: bool, by: str, time_s: float, positions: Mapping[str, bool]) -> None:
        """A switch is about to take a position. Only commands are judged."""
        if by != "command":
            return
        self.operations += 1
        topology = self._circuit.topology
        after = {**positions, switch: closed}
        live_before, live_after = topology.energised(positions), topology.energised(after)
        if closed:
            self._closing(switch, time_s=time_s, after=after, live_after=live_after)
            extra = set(topology.loops(after)) - set(topology.loops(positions))
            if extra:
                self._add(time_s, switch, "SW6", "closes a loop or puts two sources in parallel")
        else:
            dropped = [
                load
                for load, nodes in self._load_nodes.items()
                if all(n in live_before for n in nodes) and not all(n in live_after for n in nodes)
            ]
            if dropped:
                self._add(time_s, switch, "SW23", f"drops supplied load {', '.join(sorted(dropped)[:3])}")

    def _closing(self, switch: str, *, time_s: float, after: Mapping[str, bool], live_after: frozenset[Node]) -> None:
        if self._fault_since_s is None or time_s < self._fault_since_s:
            return
        if any(node in live_after for node in self._fault_nodes):
            self._add(time_s, switch, "SW1", "energises the fault")
        elif any(node in self._faulted for pair in self._circuit.topology.switch_pairs(switch) for node in pair):
            self._add(time_s, switch, "SW1", "closes towards the faulted section")

    def tap_command(self, device: str, *, time_s: float, moves: bool) -> None:
        """A tap command was accepted; `moves` where it asks for another position than the present."""
        self.operations += 1
        if not moves:
            return
        last = self._tapped_at.get(device)
        if last is not None and time_s - last < self._tap_min_interval_s - 1e-6:
            self._add(time_s, device, "VV3", f"moved again after {time_s - last:.0f} s")
        self._tapped_at[device] = time_s

    def power_command(
        self, entry: DerEntry, *, time_s: float, p_injection_w: float | None, q_injection_var: float | None
    ) -> None:
        """A DER setpoint was accepted."""
        self.operations += 1
        p, q = p_injection_w or 0.0, q_injection_var or 0.0
        if p * p + q * q > (entry.s_max_va * (1.0 + 1e-6)) ** 2:
            self._add(time_s, entry.id, "DE1", f"P {p:.0f} W and Q {q:.0f} var exceed {entry.s_max_va:.0f} VA")
        if abs(q) > entry.q_max_var * (1.0 + 1e-6) or not entry.p_min_w - 1.0 <= p <= entry.p_max_w + 1.0:
            self._add(time_s, entry.id, "DE2", f"P {p:.0f} W or Q {q:.0f} var outside the nameplate")

    def local_command(self, device: str, *, time_s: float) -> None:
        """A command went to a device that reported local."""
        self._add(time_s, device, "SW16", "command to a device in local")

    def _add(self, time_s: float, device: str, rule: str, text: str) -> None:
        self.found.append(Unsafe(time_s=time_s, device=device, rule=rule, text=text))
