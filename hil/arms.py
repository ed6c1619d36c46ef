"""Feeders for a run: the plant under service, the same one left alone, the yardstick and the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hil.feeders import FeederFiles, read_coordinates
from hil.oracle import FeederState, Oracle, Restoration
from hil.overlay import Overlay, read_overlay
from hil.plant.circuit import build_circuit
from hil.plant.plant import Plant
from hil.pseudo import PseudoFlow
from hil.record import Trace
from hil.scenario import FaultEvent, Scenario


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Files and choices of one run."""

    files: FeederFiles
    overlay: Overlay
    scenario: Scenario
    seed: int
    coordinates: Mapping[str, tuple[float, float]]

    @property
    def fault(self) -> FaultEvent | None:
        """The fault of the story."""
        return self.scenario.fault

    def plant(self) -> Plant:
        """A feeder at rest at feeder time 0."""
        fault = self.fault
        circuit = build_circuit(
            self.files.deck,
            overlay=self.overlay,
            fault=fault.line if fault else None,
            fault_kind=fault.kind if fault else "three_phase",
            faults=self.scenario.incidents.faults,
        )
        return Plant(
            circuit,
            scenario=self.scenario,
            seed=self.seed,
            coordinates=self.coordinates,
            fault=fault,
            plan=self.scenario.plant,
            incidents=self.scenario.incidents,
        )

    def pseudo_flow(self) -> PseudoFlow:
        """The power flow on the prior loads."""
        circuit = build_circuit(self.files.deck, overlay=self.overlay)
        return PseudoFlow(circuit, mean_frac=self.scenario.loads.mean_frac)

    def oracle(self) -> Oracle:
        """Brute force on a circuit of its own."""
        return Oracle(build_circuit(self.files.deck, overlay=self.overlay))


def open_bench(
    files: FeederFiles, *, scenario: Scenario, seed: int, fault_line: str | None, fault_kind: str | None
) -> Bench:
    """Put a run together. `fault_line` may be given with or without its class. Raises ValueError for a line that the
    deck does not have."""
    overlay = read_overlay(files.overlay)
    fault = scenario.fault
    if fault_line is not None:
        line = fault_line.lower() if "." in fault_line else f"line.{fault_line.lower()}"
        engine = build_circuit(files.deck, overlay=overlay).engine
        known = {name for name in engine.element_names() if name.startswith("line.")}
        if line not in known or line in {*overlay.removed, *(switch.id for switch in overlay.switches)}:
            raise ValueError(f"--fault {fault_line}: the feeder has no line of that name that can fail")
        time_s = fault.time_s if fault else scenario.timing.duration_s * 0.3
        fault = FaultEvent(time_s=time_s, line=line, kind=fault.kind if fault else "three_phase")
    if fault is not None and fault_kind is not None:
        fault = replace(fault, kind=fault_kind)
    return Bench(
        files=files,
        overlay=overlay,
        scenario=replace(scenario, fault=fault),
        seed=seed,
        coordinates=read_coordinates(files.coordinates),
    )


def protection_busy(plant: Plant) -> bool:
    """A fault is on and protection has not finished with it: some node at it is alive or a device is timing."""
    return plant.incidents.busy


def run_idle(bench: Bench) -> Trace:
    """The same feeder and seed without the service: local controls only."""
    plant = bench.plant()
    trace = Trace(nodes=plant.circuit.nodes)
    timing = bench.scenario.timing
    for k in range(1, int(timing.duration_s / timing.scan_s) + 1):
        plant.advance(k * timing.scan_s)
        trace.take(plant, in_fault=protection_busy(plant))
    trace.events.extend(plant.events)
    return trace


def feeder_state(plant: Plant) -> FeederState:
    """How a plant stands now, for the oracle."""
    return FeederState(
        closed=dict(plant.closed),
        taps=dict(plant.taps),
        capacitors=dict(plant.capacitors),
        demand_va=plant.demand_va,
        der_va={name: complex(unit.p_w, unit.q_var) for name, unit in plant.ders.items()},
    )


def restored_w(plant: Plant, *, state: FeederState) -> float:
    """Demand (as it was in `state`) of the loads that were dead then and are supplied now, W."""
    topology = plant.circuit.topology
    live_then, live_now = topology.energised(state.closed), plant.live
    total = 0.0
    for load, demand in zip(plant.circuit.loads, state.demand_va, strict=True):
        nodes = [(load.bus, phase) for phase in load.phases]
        if any(node not in live_then for node in nodes) and all(node in live_now for node in nodes):
            total += float(demand.real)
    return total


def restoration(bench: Bench, *, state: FeederState) -> Restoration:
    """What brute force restores from a state."""
    fault = bench.fault
    if fault is None:
        raise ValueError("no fault in this story")
    return bench.oracle().best(state, faulted_line=fault.line)


def distance_km(plant: Plant) -> dict[str, float]:
    """Way from the head to each bus along lines in their normal state, km."""
    engine = plant.circuit.engine
    names = {dss: element for element, dss in plant.circuit.dss_name.items()}
    neighbours: dict[str, list[tuple[str, float]]] = {}
    closed = {switch.id: switch.normally_closed for switch in plant.circuit.overlay.switches}
    for dss in engine.element_names():
        if not dss.startswith(("line.", "transformer.")):
            continue
        if not closed.get(names.get(dss, dss), True):
            continue
        (fr, _), (to, _) = engine.element(dss).terminals[:2]
        length_km = float(engine.property_of(dss, name="length")) * 0.3048 if dss.startswith("line.") else 0.0
        neighbours.setdefault(fr, []).append((to, length_km))
        neighbours.setdefault(to, []).append((fr, length_km))
    start = engine.element(plant.circuit.element(plant.circuit.overlay.interface)).terminals[0][0]
    reached, stack = {start: 0.0}, [start]
    while stack:
        bus = stack.pop()
        for other, length_km in neighbours.get(bus, []):
            if other not in reached:
                reached[other] = reached[bus] + length_km
                stack.append(other)
    return reached
