"""The feeder as it is: one solve per step, with everything on it that moves by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, isinf

import numpy as np

from hil.engine import ComplexArray, FloatArray
from hil.plant.circuit import Circuit, Node
from hil.plant.controls import LocalControls
from hil.plant.events import PlantEvent, Watcher
from hil.plant.incident_plan import IncidentPlan
from hil.plant.incident_setup import incidents_of
from hil.plant.mismatch import starting_positions
from hil.plant.nature import nature_of
from hil.plant.plan import PlantPlan
from hil.plant.switch_defect import check_switches, travel_s
from hil.plant.switchgear import Switchgear
from hil.plant.terminals import Terminals
from hil.scenario import FaultEvent, Scenario

CONTROL_ROUNDS = 100
"""OpenDSS' own limit is 10 of them, with several taps in each."""
DUE_GRID_S = 1e-3
"""Protection acts, and faults change, on this grid: rounded up."""
MOST_REACTIONS = 20
"""Rounds of acting and solving again at one instant; what is left acts at the next."""


class Plant:
    """One feeder with its devices. Times are feeder seconds from 0."""

    def __init__(
        self,
        circuit: Circuit,
        *,
        scenario: Scenario,
        seed: int,
        coordinates: Mapping[str, tuple[float, float]],
        fault: FaultEvent | None,
        plan: PlantPlan | None = None,
        incidents: IncidentPlan | None = None,
    ) -> None:
        """`plan`: what lives on the feeder beyond the scenario's statistics. `fault` says when the one that the circuit
        was built with by name begins; its others know it themselves. `incidents` has what the overlay does not (its
        faults are the circuit's). Raises InputError with everything in them that does not fit the feeder."""
        overlay = circuit.overlay
        check_switches(scenario.switch_defects, switches={switch.id for switch in overlay.switches})
        self.circuit = circuit
        self.time_s = 0.0
        self.events: list[PlantEvent] = []
        self.watcher: Watcher | None = None
        self.on_step: Callable[[float], None] | None = None
        """Called at the end of every step, with its time."""
        self.unsolved: list[tuple[float, str]] = []
        """(time, why) of every step without a solution."""
        self._scenario = scenario
        self.gear = Switchgear(circuit)
        self.closed = self.gear.closed
        """By switch; False only where every pole is open (`gear.open_poles` has the others)."""
        self._switch = {switch.id: switch for switch in overlay.switches}
        self.taps = dict.fromkeys((entry.id for entry in overlay.tap_changers), 0)
        self.capacitors = {entry.id: entry.normal_steps for entry in overlay.capacitors}
        self.automatic = dict.fromkeys([*self.taps, *self.capacitors], True)
        nature = nature_of(circuit, plan or PlantPlan(), scenario=scenario, coordinates=coordinates, seed=seed)
        self.changes = nature.changes
        """What differs from the service's model."""
        elsewhere = starting_positions(self.changes)
        self._told = {switch: not closed for switch, closed in elsewhere.items()}
        for switch, closed in elsewhere.items():
            self.gear.set_switch(switch, closed=closed)
        self.f_hz: float | None = None
        """Of a 60 Hz system, for units that heed it; None: not modelled. A co-simulation may set it."""
        self._customers, self._fleet = nature.customers, nature.fleet
        self.ders = self._fleet.units
        self.incidents = incidents_of(
            self, scenario=scenario, fault=fault, plan=incidents, seed=seed, note=self._note, move=self._set_switch
        )
        self.relays = self.incidents.protection.reclosers
        self.indicators = self.incidents.indicators.reported
        self._moving: dict[str, tuple[bool, float, str]] = {}
        self._tap_target: dict[str, int] = {}
        names = circuit.engine.node_names()
        self._row = {node: i for i, node in enumerate(names)}
        self._controls = LocalControls(circuit, rows=self._row)
        self._rows = np.array([self._row[node] for node in circuit.nodes], dtype=np.int64)
        self._base = circuit.engine.node_bases()
        self._v_all: ComplexArray = circuit.engine.voltages()
        self._load_nodes = [tuple((load.bus, phase) for phase in load.phases) for load in circuit.loads]
        self._settle()

    # ---- what the devices read ------------------------------------------------------------------------------

    @property
    def v_phasor_v(self) -> ComplexArray:
        """Phase-to-ground voltages over `circuit.nodes`, V."""
        return np.asarray(self._v_all[self._rows], dtype=np.complex128)

    @property
    def v_pu(self) -> FloatArray:
        """Magnitudes over `circuit.nodes`, per unit; 0 where dead."""
        return np.asarray(np.abs(self._v_all[self._rows]) / self._base[self._rows], dtype=np.float64)

    @property
    def v_base_v(self) -> FloatArray:
        """Bases over `circuit.nodes`."""
        return np.asarray(self._base[self._rows], dtype=np.float64)

    @property
    def live(self) -> frozenset[Node]:
        """Nodes with a path to a source."""
        return self.gear.live

    @property
    def fault_on(self) -> bool:
        """A fault has begun, gone or not."""
        return self.incidents.faults.any_began

    @property
    def never_trips(self) -> str:
        """Why the first fault cannot trip anything where it is; empty where it can, or before it."""
        return self.incidents.never_trips

    def phasor_v(self, nodes: Sequence[Node]) -> ComplexArray:
        """Voltages to ground, V."""
        return np.asarray(self._v_all[[self._row[node] for node in nodes]], dtype=np.complex128)

    def told_closed(self, switch: str) -> bool:
        """Position as its contact tells it: one that a mismatch put elsewhere lies until it first moves."""
        return self._told.get(switch, self.closed[switch])

    def node_v(self, bus: str, *, phase: int) -> float:
        """Magnitude at a node, V."""
        return float(abs(self._v_all[self._row[(bus, phase)]]))

    def flow(self, element_id: str, *, side: int) -> tuple[ComplexArray, ComplexArray]:
        """Currents and powers into an element at a terminal, per phase."""
        return self.circuit.engine.flows(self.circuit.element(element_id), terminal=side)

    def import_w(self) -> float:
        """Power from the transmission interface, W."""
        _, power = self.flow(self.circuit.overlay.interface, side=0)
        return -float(power.real.sum())

    def load_live(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which loads have every one of their nodes supplied."""
        live = self.live
        return np.array([all(node in live for node in nodes) for nodes in self._load_nodes], dtype=np.bool_)

    def customers_off(self) -> int:
        """Customers without supply."""
        overlay = self.circuit.overlay
        return sum(
            overlay.customers_of(load.name, p_w=load.p_w)
            for load, live in zip(self.circuit.loads, self.load_live(), strict=True)
            if not live
        )

    @property
    def demand_va(self) -> ComplexArray:
        """What each load would draw at nominal voltage now, VA."""
        return self._customers.demand_va(self.time_s)

    # ---- what the devices do --------------------------------------------------------------------------------

    def operate_switch(self, switch: str, *, closed: bool, by: str = "command") -> None:
        """Start the travel of a switch; it arrives after its travel time."""
        if self.closed[switch] == closed and switch not in self._moving and switch not in self.gear.open_poles:
            return
        usual_s = self._switch[switch].travel_s
        takes_s = travel_s(self._scenario.switch_defects, switch=switch, usual_s=usual_s, now_s=self.time_s)
        if isinf(takes_s):
            self._note(switch, what="stuck", text="does not move", by=by)
            return
        self._moving[switch] = (closed, self.time_s + takes_s, by)

    def move_tap(self, regulator: str, *, position: int) -> None:
        """Start towards a tap; one step a second."""
        control = self.circuit.regulators[regulator]
        self._tap_target[regulator] = max(control.tap_low, min(control.tap_high, position))

    def switch_capacitor(self, capacitor: str, *, steps: int, by: str = "command") -> None:
        """Put so many steps in."""
        before = self.capacitors[capacitor]
        if steps == before:
            return
        self.capacitors[capacitor] = steps
        if steps < before:
            self._controls.opened(capacitor, now=self.time_s)
        self.circuit.set_capacitor(capacitor, steps=steps)
        self._note(capacitor, what="capacitor", text=f"{before} -> {steps} steps", by=by)

    # ---- what stands behind the sources ---------------------------------------------------------------------

    def source_base_v(self, source: str) -> float:
        """Nominal phase-to-ground voltage of a source, V. Raises EngineError when there is none of that id."""
        return self.circuit.engine.source_base_v(self._source_name(source))

    def set_source(self, source: str, *, v_phasor_pu: complex) -> None:
        """Voltage of a source behind its impedance, per unit of its own base: of its first phase, the others follow in
        positive sequence. It shows at the next solution. Raises EngineError when there is none of that id."""
        self.circuit.engine.set_source(self._source_name(source), v_phasor_pu=v_phasor_pu)

    def remove_source_impedance(self, source: str) -> None:
        """Make a source hold the voltage of its bus (1 microohm is left, for OpenDSS to solve)."""
        for name in ("r1", "x1", "r0", "x0"):
            self.circuit.engine.command(f"vsource.{self._source_name(source)}.{name}=1e-6")

    def solve_again(self) -> None:
        """The present instant anew, e.g. for another voltage of a source: nothing moves, no time passes."""
        self._solve()

    def _source_name(self, source: str) -> str:
        return self.circuit.element(source).split(".", 1)[1]

    # ---- time -----------------------------------------------------------------------------------------------

    def advance(self, time_s: float) -> None:
        """Let the feeder live until a time."""
        timing = self._scenario.timing
        while self.time_s < time_s - 1e-9:
            step = timing.fine_step_s if self.incidents.agitated else timing.step_s
            due_s = self.incidents.due_s - self.time_s
            if due_s < step:
                step = max(1, ceil(due_s / DUE_GRID_S - 1e-6)) * DUE_GRID_S
            self._step(min(step, time_s - self.time_s))

    def _step(self, dt_s: float) -> None:
        self.time_s = round(self.time_s + dt_s, 6)
        self.incidents.nature()
        self._arrivals()
        self._customers.step(dt_s, live=self.load_live())
        self._resources(dt_s)
        self._solve()
        self._protect()
        self._local(dt_s)
        if self.on_step is not None:
            self.on_step(self.time_s)

    def _arrivals(self) -> None:
        for switch, (closed, at, by) in sorted(self._moving.items()):
            if self.time_s >= at - 1e-9:
                del self._moving[switch]
                self._set_switch(switch, closed=closed, by=by)
                self.incidents.operated(switch, closed=closed)
        self.incidents.timed()
        for regulator, target in sorted(self._tap_target.items()):
            before = self.taps[regulator]
            if before != target:
                self._set_tap(regulator, position=before + (1 if target > before else -1), by="command")

    def _set_switch(self, switch: str, *, closed: bool, by: str) -> None:
        if self.watcher is not None:
            self.watcher.switching(switch=switch, closed=closed, by=by, time_s=self.time_s, positions=dict(self.closed))
        self._told.pop(switch, None)
        self.gear.set_switch(switch, closed=closed)
        self._note(switch, what="closed" if closed else "opened", text="", by=by)

    def _set_tap(self, regulator: str, *, position: int, by: str) -> None:
        before = self.taps[regulator]
        self.taps[regulator] = position
        self.circuit.set_tap(regulator, position=position)
        self._note(regulator, what="tap", text=f"{before:+d} -> {position:+d}", by=by)

    def _resources(self, dt_s: float) -> None:
        rounds = self._fleet.rounds(dt_s, seen=self._terminals())
        for k in range(rounds):
            if k:
                self._solve()
            for name, what, why in self._fleet.step(dt_s / rounds, now_s=self.time_s, seen=self._terminals()):
                self._note(name, what=what, text=why, by="protection")

    def _terminals(self) -> Terminals:
        return Terminals(v_v=self._v_all, base_v=self._base, row=self._row, live=self.live, f_hz=self.f_hz)

    def _solve(self) -> None:
        engine = self.circuit.engine
        engine.set_loads(self.demand_va)
        live = self.live
        for name, unit in self.ders.items():
            # At the instant that a section dies, its DER have not noticed yet; power into nowhere has no solution.
            supplied = all((unit.entry.bus, phase) in live for phase in unit.entry.phases)
            power = complex(unit.p_w, unit.q_var) if supplied else 0j
            engine.set_generator(name.split(".", 1)[1], s_injection_va=power)
        if not engine.solve():
            self.unsolved.append((self.time_s, engine.problem))
        self._v_all = engine.voltages()

    def _protect(self) -> None:
        for _ in range(MOST_REACTIONS):
            if not self.incidents.react():
                break
            self._solve()
        self.incidents.settled()

    def _local(self, dt_s: float) -> None:
        """What moves at this instant has moved before anything reads it; what that puts out of band starts its delay
        now. Every device has a delay, so that this ends; a delay of 0 s has `CONTROL_ROUNDS`."""
        for _ in range(CONTROL_ROUNDS):
            if not self._local_moves(dt_s):
                return
            self._solve()
            dt_s = 0.0

    def _local_moves(self, dt_s: float) -> bool:
        moved = False
        for name in self._controls.regulators:
            if not self.automatic[name]:
                self._controls.reset(name)
                continue
            direction = self._controls.tap_step(name, dt_s=dt_s, v_phasor_v=self._v_all)
            position = self.taps[name] + direction
            if direction and self._reachable(name, position=position):
                self._tap_target.pop(name, None)
                self._set_tap(name, position=position, by="local")
                moved = True
        for name in self._controls.capacitors:
            if not self.automatic[name]:
                self._controls.reset(name)
                continue
            steps = self.capacitors[name]
            change = self._controls.capacitor_step(name, now=self.time_s, v_phasor_v=self._v_all, steps=steps)
            if change:
                self.switch_capacitor(name, steps=steps + change, by="local")
                moved = True
        return moved

    def _reachable(self, regulator: str, *, position: int) -> bool:
        control = self.circuit.regulators[regulator]
        return control.tap_low <= position <= control.tap_high

    def _settle(self) -> None:
        """Start as if it had stood so for hours: DER at their targets, local controls at rest."""
        self._fleet.settle()
        steps = 2 * max((c.tap_high - c.tap_low for c in self.circuit.regulators.values()), default=1)
        for _ in range(steps + self._fleet.settle_steps):
            self._solve()
            at_rest = self._fleet.settle_on(self._terminals())
            moves = {
                name: int(np.sign(self._controls.tap_wanted(name, v_phasor_v=self._v_all)))
                for name in self._controls.regulators
            }
            active = {n: d for n, d in moves.items() if d and self._reachable(n, position=self.taps[n] + d)}
            if not active and at_rest:
                break
            for name, direction in active.items():
                self._set_tap(name, position=self.taps[name] + direction, by="local")
        self.events.clear()
        self._protect()

    def _note(self, element: str, *, what: str, text: str, by: str) -> None:
        self.events.append(PlantEvent(time_s=self.time_s, element=element, what=what, text=text, by=by))
