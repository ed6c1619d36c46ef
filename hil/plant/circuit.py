"""The deck with the overlay applied as OpenDSS commands, and the topology that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hil.engine import Engine, EngineError, LoadRecord, RegulatorControl
from hil.overlay import Overlay
from hil.plant.fault_places import FAULT_BUS, FaultPlace, prepare_faults
from hil.plant.fault_plan import Fault, prepared_fault

Node = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Conductor:
    """An element that joins nodes phase by phase (through a transformer: all with all)."""

    element: str
    """Element id of the service."""
    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What is joined to what, switch by switch."""

    nodes: frozenset[Node]
    conductors: tuple[Conductor, ...]
    switches: frozenset[str]
    source_nodes: Mapping[str, tuple[Node, ...]]

    @cached_property
    def _pairs(self) -> dict[str, tuple[tuple[Node, Node], ...]]:
        return {c.element: c.pairs for c in self.conductors}

    def pairs_of(self, element: str) -> tuple[tuple[Node, Node], ...]:
        """Nodes at both sides of an element, phase by phase."""
        return self._pairs[element]

    def phases_of(self, element: str) -> frozenset[int]:
        """Phases of an element at its first terminal."""
        return frozenset(phase for (_, phase), _ in self._pairs[element])

    def switch_pairs(self, switch: str) -> tuple[tuple[Node, Node], ...]:
        """Nodes at both sides of a switch, phase by phase."""
        return self._pairs[switch]

    @cached_property
    def zones(self) -> dict[Node, Node]:
        """Representative of the switch-bounded zone of every node (all switches open)."""
        return self._roots({})

    def _roots(
        self, closed: Mapping[str, bool], *, open_poles: Mapping[str, frozenset[int]] | None = None
    ) -> dict[Node, Node]:
        poles = open_poles or {}
        parent: dict[Node, Node] = {node: node for node in self.nodes}

        def find(node: Node) -> Node:
            while parent[node] != node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            return node

        for conductor in self.conductors:
            if conductor.element in self.switches and not closed.get(conductor.element, False):
                continue
            missing = poles.get(conductor.element, frozenset())
            for fr, to in conductor.pairs:
                if fr[1] not in missing:
                    parent[find(fr)] = find(to)
        return {node: find(node) for node in self.nodes}

    def energised(
        self, closed: Mapping[str, bool], *, open_poles: Mapping[str, frozenset[int]] | None = None
    ) -> frozenset[Node]:
        """Nodes with a path to a source, for switch positions. `open_poles` are phases that are open by themselves, of
        closed switches and of lines."""
        roots = self._roots(closed, open_poles=open_poles)
        live = {roots[node] for nodes in self.source_nodes.values() for node in nodes}
        return frozenset(node for node, root in roots.items() if root in live)

    def connected(self, node: Node, *, closed: Mapping[str, bool]) -> frozenset[Node]:
        """Nodes joined to a node."""
        roots = self._roots(closed)
        return frozenset(other for other, root in roots.items() if root == roots[node])

    def loops(self, closed: Mapping[str, bool]) -> tuple[str, ...]:
        """Closed switches that close a loop or put two sources in parallel; empty where each live node has one
        source path."""
        parent: dict[Node, Node] = dict(self.zones)
        sourced: dict[Node, str] = {}

        def find(node: Node) -> Node:
            while parent.setdefault(node, node) != node:
                node = parent[node]
            return node

        for source, nodes in self.source_nodes.items():
            for node in nodes:
                sourced[find(node)] = source
        closing = []
        for switch in sorted(self.switches):
            if not closed.get(switch, False):
                continue
            for fr, to in self.switch_pairs(switch):
                a, b = find(fr), find(to)
                if a == b or (a in sourced and b in sourced):
                    closing.append(switch)
                if a != b:
                    parent[a] = b
                    if a in sourced:
                        sourced.setdefault(b, sourced[a])
        return tuple(dict.fromkeys(closing))


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A compiled feeder: engine, names, topology."""

    engine: Engine
    overlay: Overlay
    dss_name: Mapping[str, str]
    """OpenDSS full name of an element id, where they differ."""
    topology: Topology
    loads: tuple[LoadRecord, ...]
    regulators: Mapping[str, RegulatorControl]
    capacitor_steps: Mapping[str, int]
    fault_nodes: tuple[Node, ...]
    """Nodes that any of the prepared faults can touch; empty where none was prepared."""
    faults: tuple[Fault, ...]
    """What was prepared."""
    fault_places: Mapping[str, FaultPlace]
    """By the fault's name."""
    nodes: tuple[Node, ...]
    """In the engine's order, less those that exist only for the fault."""

    def element(self, element_id: str) -> str:
        """OpenDSS full name of an element id."""
        return self.dss_name.get(element_id, element_id)

    def set_tap(self, regulator: str, *, position: int) -> None:
        """Put a regulator on a tap, steps from neutral."""
        control = self.regulators[regulator]
        self.engine.set_tap(
            regulator.split(".", 1)[1], winding=control.winding, position=position, step_pu=control.tap_step_pu
        )

    def set_capacitor(self, capacitor: str, *, steps: int) -> None:
        """Put so many steps of a capacitor in."""
        states = [1] * steps + [0] * (self.capacitor_steps[capacitor] - steps)
        self.engine.set_capacitor(capacitor.split(".", 1)[1], states=states)

    def set_pole(self, element: str, *, phase: int, closed: bool) -> None:
        """Close or open one pole at the first terminal of a switch or line."""
        dss = self.element(element)
        conductor = self.engine.element(dss).terminals[0][1].index(phase) + 1
        self.engine.command(f"{'close' if closed else 'open'} {dss} 1 {conductor}")


_SWITCH_IMPEDANCE = "switch=yes r1=1e-3 r0=1e-3 x1=0 x0=0 c1=0 c0=0 length=0.001"


def _dotted(bus: str, phases: tuple[int, ...]) -> str:
    return ".".join([bus, *map(str, phases)])


def _apply(engine: Engine, overlay: Overlay) -> dict[str, str]:
    names: dict[str, str] = {}
    for element in overlay.removed:
        engine.command(f"{element}.enabled=no")
    for switch in overlay.switches:
        if switch.existing:
            continue
        name = f"line.{switch.id.replace('.', '_')}"
        names[switch.id] = name
        if switch.between is not None:
            fr, to, phases = *switch.between, switch.phases
        elif switch.in_line is not None:
            side = 0 if switch.at == "fr" else 1
            old, phases = engine.element(switch.in_line).terminals[side]
            new = f"{switch.in_line.split('.', 1)[1]}_{switch.at}_sw"
            engine.command(f"{switch.in_line}.bus{side + 1}={_dotted(new, phases)}")
            fr, to = (old, new) if side == 0 else (new, old)
        else:
            raise EngineError(f"{switch.id}: neither between, in_line nor existing")
        engine.command(
            f"new {name} phases={len(phases)} bus1={_dotted(fr, phases)} bus2={_dotted(to, phases)} {_SWITCH_IMPEDANCE}"
        )
    # Their buses may have come with the switches: only now each has its base.
    engine.set_voltage_bases()
    for source in overlay.sources:
        name = source.id.split(".", 1)[1]
        names[source.id] = f"vsource.{name}"
        base_kv = engine.base_v(source.bus) * (3**0.5 if len(source.phases) > 1 else 1.0) / 1e3
        engine.command(
            f"new vsource.{name} bus1={_dotted(source.bus, source.phases)} phases={len(source.phases)} "
            f"basekv={base_kv:.9g} pu={source.v_pu} angle={source.angle_deg} r1={source.r1_ohm} x1={source.x1_ohm} "
            f"r0={source.r0_ohm} x0={source.x0_ohm}"
        )
    for capacitor in overlay.capacitors:
        if capacitor.steps > 1:
            engine.command(f"{capacitor.id}.numsteps={capacitor.steps}")
    for der in overlay.ders:
        name = der.id.split(".", 1)[1]
        names[der.id] = f"generator.{name}"
        across = 3**0.5 if len(der.phases) > 1 or der.connection == "delta" else 1.0
        kv = engine.base_v(der.bus) * across / 1e3
        engine.command(
            f"new generator.{name} phases={len(der.phases)} bus1={_dotted(der.bus, der.phases)} kv={kv:.6f} "
            f"kw=0 kvar=0 model=1 vminpu=0.3 vmaxpu=1.5 conn={der.connection}"
        )
    return names


def _topology(engine: Engine, overlay: Overlay, names: Mapping[str, str]) -> Topology:
    element_of = {dss: element for element, dss in names.items()}
    conductors: list[Conductor] = []
    source_nodes: dict[str, tuple[Node, ...]] = {}
    for dss in engine.element_names():
        kind = dss.split(".", 1)[0]
        if dss in overlay.removed or kind not in {"line", "transformer", "vsource"}:
            continue
        terminals = engine.element(dss).terminals
        (bus_fr, phases_fr), (bus_to, phases_to) = terminals[0], terminals[1]
        if kind == "vsource":
            source_nodes[element_of.get(dss, dss)] = tuple((bus_fr, p) for p in phases_fr)
            continue
        pairs = [((bus_fr, p), (bus_to, q)) for p, q in zip(phases_fr, phases_to, strict=False)]
        conductors.append(Conductor(element=element_of.get(dss, dss), pairs=tuple(pairs)))
    return Topology(
        nodes=frozenset(engine.node_names()),
        conductors=tuple(conductors),
        switches=frozenset(switch.id for switch in overlay.switches),
        source_nodes=source_nodes,
    )


def build_circuit(
    deck: Path,
    *,
    overlay: Overlay,
    fault: str | None = None,
    fault_kind: str = "three_phase",
    faults: Sequence[Fault] = (),
) -> Circuit:
    """Compile the deck, apply the overlay, set every device to its normal position with OpenDSS' own controls off.

    `faults` are prepared, off, before any other. `fault` names a line that can be faulted at its middle
    (`fault_kind` "three_phase": all its phases to ground, or "line_ground": its first phase) when the plant says so.
    Raises EngineError, and InputError with every fault that has no place."""
    engine = Engine()
    engine.compile(deck)
    names = _apply(engine, overlay)
    prepared = tuple(faults)
    if fault is not None:
        phases = engine.element(fault).terminals[1][1]
        prepared += (prepared_fault(line=fault, kind=fault_kind, phases=phases, time_s=None),)
    places = prepare_faults(engine, overlay, prepared)
    engine.set_voltage_bases()
    regulators = {control.transformer: control for control in engine.regulator_controls()}
    engine.prepare()
    topology = _topology(engine, overlay, names)
    for switch in overlay.switches:
        engine.set_switch(names.get(switch.id, switch.id), closed=switch.normally_closed)
    for capacitor in overlay.capacitors:
        states = [1] * capacitor.normal_steps + [0] * (capacitor.steps - capacitor.normal_steps)
        engine.set_capacitor(capacitor.id.split(".", 1)[1], states=states)
    nodes = tuple(node for node in engine.node_names() if not node[0].startswith(FAULT_BUS))
    return Circuit(
        engine=engine,
        overlay=overlay,
        dss_name=names,
        topology=topology,
        loads=engine.loads(),
        regulators=regulators,
        capacitor_steps={c.id: c.steps for c in overlay.capacitors},
        fault_nodes=tuple(dict.fromkeys(node for p in places.values() for stage in p.nodes for node in stage)),
        faults=prepared,
        fault_places=places,
        nodes=nodes,
    )
