"""The feeder as it is: one solve per step, with everything on it that moves by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np

from hil.engine import ComplexArray, FloatArray
from hil.plant.circuit import Circuit, Node
from hil.plant.customers import Customers
from hil.plant.der import DerUnit
from hil.plant.events import PlantEvent, Watcher
from hil.plant.incident_plan import IncidentPlan
from hil.plant.incident_setup import incidents_of
from hil.plant.local import LocalCapacitor, LocalRegulator
from hil.plant.switchgear import Switchgear
from hil.plant.weather import Sky
from hil.scenario import FaultEvent, Scenario

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
        incidents: IncidentPlan | None = None,
    ) -> None:
        """`fault` says when the one that the circuit was built with by name begins; its others know it themselves.
        `incidents` has what the overlay does not (its faults are the circuit's). Raises InputError with every device of
        it that does not fit the feeder."""
        overlay = circuit.overlay
        self.circuit = circuit
        self.time_s = 0.0
        self.events: list[PlantEvent] = []
        self.watcher: Watcher | None = None
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
        self._customers = Customers(circuit.loads, statistics=scenario.loads, seed=seed)
        self._sky = Sky(coordinates, clear_frac=scenario.clear_frac, clouds=scenario.clouds)
        self.ders = {
            entry.id: DerUnit(entry, ride_through=scenario.ride_through, soc_frac=scenario.soc_frac)
            for entry in overlay.ders
        }
        self.incidents = incidents_of(
            self, scenario=scenario, fault=fault, plan=incidents, seed=seed, note=self._note, move=self._set_switch
        )
        self.relays = self.incidents.protection.reclosers
        self.indicators = self.incidents.indicators.reported
        self._regulators = {
            entry.id: LocalRegulator(control=circuit.regulators[entry.id], delay_s=entry.delay_s)
            for entry in overlay.tap_changers
        }
        self._local_capacitors = {
            entry.id: LocalCapacitor(v_on_pu=entry.v_on_pu, v_off_pu=entry.v_off_pu, delay_s=entry.delay_s)
            for entry in overlay.capacitors
            if entry.v_on_pu is not None and entry.v_off_pu is not None
        }
        self._moving: dict[str, tuple[bool, float, str]] = {}
        self._tap_target: dict[str, int] = {}
        names = circuit.engine.node_names()
        self._row = {node: i for i, node in enumerate(names)}
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
        self._moving[switch] = (closed, self.time_s + self._switch[switch].travel_s, by)

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
        if steps < before and capacitor in self._local_capacitors:
            self._local_capacitors[capacitor].opened_at = self.time_s
        self.circuit.set_capacitor(capacitor, steps=steps)
        self._note(capacitor, what="capacitor", text=f"{before} -> {steps} steps", by=by)

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
        self.gear.set_switch(switch, closed=closed)
        self._note(switch, what="closed" if closed else "opened", text="", by=by)

    def _set_tap(self, regulator: str, *, position: int, by: str) -> None:
        before = self.taps[regulator]
        self.taps[regulator] = position
        self.circuit.set_tap(regulator, position=position)
        self._note(regulator, what="tap", text=f"{before:+d} -> {position:+d}", by=by)

    def _resources(self, dt_s: float) -> None:
        for name, unit in self.ders.items():
            nodes = [(unit.entry.bus, phase) for phase in unit.entry.phases]
            alive = all(node in self.live for node in nodes)
            v_pu = min(abs(self._v_all[self._row[n]]) / self._base[self._row[n]] for n in nodes) if alive else 0.0
            was_tripped = unit.tripped
            irradiance = self._sky.irradiance_frac(unit.entry.bus, time_s=self.time_s)
            unit.step(dt_s, irradiance_frac=irradiance, v_pu=v_pu)
            if unit.tripped != was_tripped:
                what = "der_trip" if unit.tripped else "der_return"
                self._note(name, what=what, text="voltage", by="protection")

    def _solve(self) -> None:
        engine = self.circuit.engine
        engine.set_loads(self.demand_va)
        for name, unit in self.ders.items():
            engine.set_generator(name.split(".", 1)[1], s_injection_va=complex(unit.p_w, unit.q_var))
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
        for name, regulator in self._regulators.items():
            if not self.automatic[name]:
                regulator.reset()
                continue
            direction = regulator.step(dt_s, **self._regulator_readings(name))
            position = self.taps[name] + direction
            if direction and self._reachable(name, position=position):
                self._tap_target.pop(name, None)
                self._set_tap(name, position=position, by="local")
        for name, capacitor in self._local_capacitors.items():
            if self.automatic[name]:
                moved = capacitor.step(
                    dt_s,
                    v_pu=self._capacitor_v_pu(name),
                    steps=self.capacitors[name],
                    max_steps=self.circuit.capacitor_steps[name],
                    now=self.time_s,
                )
                if moved:
                    self.switch_capacitor(name, steps=self.capacitors[name] + moved, by="local")

    def _reachable(self, regulator: str, *, position: int) -> bool:
        control = self.circuit.regulators[regulator]
        return control.tap_low <= position <= control.tap_high

    def _regulator_readings(self, name: str) -> dict[str, complex]:
        control = self.circuit.regulators[name]
        bus, phases = self.circuit.engine.element(name).terminals[control.winding - 1]
        current, _ = self.flow(name, side=control.winding - 1)
        return {"v_phasor_v": complex(self._v_all[self._row[(bus, phases[0])]]), "i_into_a": complex(current[0])}

    def _capacitor_v_pu(self, name: str) -> float:
        bus, phases = self.circuit.engine.element(name).terminals[0]
        rows = [self._row[(bus, phase)] for phase in phases]
        return float(np.mean(np.abs(self._v_all[rows]) / self._base[rows]))

    def _settle(self) -> None:
        """Start as if it had stood so for hours: DER at their targets, local controls at rest."""
        for unit in self.ders.values():
            unit.settle(irradiance_frac=self._sky.irradiance_frac(unit.entry.bus, time_s=0.0))
        for _ in range(2 * max((c.tap_high - c.tap_low for c in self.circuit.regulators.values()), default=1)):
            self._solve()
            moves = {
                name: regulator.wanted(**self._regulator_readings(name)) for name, regulator in self._regulators.items()
            }
            active = {n: d for n, d in moves.items() if d and self._reachable(n, position=self.taps[n] + d)}
            if not active:
                break
            for name, direction in active.items():
                self._set_tap(name, position=self.taps[name] + direction, by="local")
        self.events.clear()
        self._protect()

    def _note(self, element: str, *, what: str, text: str, by: str) -> None:
        self.events.append(PlantEvent(time_s=self.time_s, element=element, what=what, text=text, by=by))
