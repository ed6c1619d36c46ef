"""What goes wrong on a feeder and what acts on it: faults, protective devices, indicators and dying meters, as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hil.engine import ComplexArray
from hil.plant.circuit import Circuit, Node
from hil.plant.events import PlantEvent, Watcher
from hil.plant.faults import Faults
from hil.plant.gear import Action, DeviceStatus, Reading, named
from hil.plant.indicators import Indicators, LastGasps, Passage
from hil.plant.protection import Protection, why_it_never_trips
from hil.plant.switchgear import Switchgear

LOOK_CLOSELY_S = 10.0
"""So long after a fault was energised or changed steps are fine; later only what protection times makes them so."""


class Feeder(Protocol):
    """What of the plant this reads and moves."""

    circuit: Circuit
    time_s: float
    events: list[PlantEvent]
    gear: Switchgear
    watcher: Watcher | None

    def flow(self, element_id: str, *, side: int) -> tuple[ComplexArray, ComplexArray]:
        """Currents and powers into an element, per phase."""
        ...

    def phasor_v(self, nodes: Sequence[Node]) -> ComplexArray:
        """Voltages to ground."""
        ...

    def load_live(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which loads have a supply."""
        ...


class Note(Protocol):
    """Tell of an event."""

    def __call__(self, element: str, *, what: str, text: str, by: str) -> None:
        """Now."""
        ...


class Move(Protocol):
    """Move every pole of a switch at once, without travel."""

    def __call__(self, switch: str, *, closed: bool, by: str) -> None:
        """Now."""
        ...


class Incidents:
    """Faults and protection of one feeder. Times are feeder seconds."""

    def __init__(
        self,
        feeder: Feeder,
        *,
        note: Note,
        move: Move,
        faults: Faults,
        protection: Protection,
        indicators: Indicators,
        last_gasps: LastGasps | None,
    ) -> None:
        self.faults = faults
        self.protection = protection
        self.indicators = indicators
        self.last_gasps = last_gasps
        self.never_trips = ""
        """Why the first fault cannot trip anything where it is; empty where it can, or before it."""
        self._circuit = feeder.circuit
        self._feeder = feeder
        self._note = note
        self._move = move
        self._fed: tuple[str, ...] = ()
        self._fed_since = 0.0
        self._last_a: dict[str, ComplexArray] = {}

    @property
    def busy(self) -> bool:
        """Protection has not finished: some device is timing, or a fault has a supply and was not yet left alone for
        `LOOK_CLOSELY_S` by devices that could have tripped (a fault of high impedance is no more busy after it)."""
        waits = bool(self.never_trips) and bool(self.faults.fed(self._feeder.gear.live))
        return self.agitated or waits

    @property
    def agitated(self) -> bool:
        """Steps should be fine."""
        new = bool(self._fed) and self._feeder.time_s - self._fed_since < LOOK_CLOSELY_S
        return new or self.protection.busy

    @property
    def due_s(self) -> float:
        """When a device acts or a fault changes next, if nothing else happens."""
        return min(self.protection.due_s, self.faults.due_s)

    def status(self, element: str) -> DeviceStatus:
        """What a protective device tells. Raises KeyError where there is none."""
        return self.protection.devices[element].status(closed=self._feeder.gear.closed_phases(element))

    def nature(self) -> None:
        """Faults that begin, evolve or clear now; before the feeder is solved."""
        feeder, gear = self._feeder, self._feeder.gear
        self.faults.hears(feeder.events)
        first = not self.faults.any_began
        changes = self.faults.step(now=feeder.time_s, live=gear.live)
        if changes and feeder.watcher is not None:
            feeder.watcher.faults(self.faults.active_nodes)
        for change in changes:
            if first:
                first = False
                self.never_trips = why_it_never_trips(
                    tuple(self.faults.active_nodes),
                    topology=self._circuit.topology,
                    closed=gear.closed,
                    relays=self.protection.interrupters,
                    open_poles=gear.open_poles,
                )
            for element, on in [(e, "no") for e in change.off] + [(e, "yes") for e in change.on]:
                self._circuit.engine.command(f"{element}.enabled={on}")
            self._fed = ()
            self._note(change.fault.line, what=change.what, text=change.text, by="nature")

    def timed(self) -> None:
        """Reclosings, contacts and arcs whose time has come; before the feeder is solved."""
        for action in self.protection.timed(now=self._feeder.time_s, live=self._feeder.gear.live):
            self._act(action)

    def operated(self, switch: str, *, closed: bool) -> None:
        """Somebody commanded a switch, and it has arrived."""
        device = self.protection.devices.get(switch)
        if device is not None:
            device.operated(closed=closed, now=self._feeder.time_s)

    def react(self) -> bool:
        """Devices see what was solved; whether some acted, so that it must be solved and shown again."""
        self._indicate()
        actions = self.protection.sees(self._reading, now=self._feeder.time_s)
        for action in actions:
            self._act(action)
        return bool(actions)

    def settled(self) -> None:
        """This instant's switching is over."""
        self.faults.supplied(self._feeder.gear.live)
        if self.last_gasps is not None:
            self.last_gasps.step(now=self._feeder.time_s, live=self._feeder.load_live())

    # ---- one instant ----------------------------------------------------------------------------------------

    def _act(self, action: Action) -> None:
        feeder = self._feeder
        for what, text in action.before:
            self._note(action.element, what=what, text=text, by="protection")
        moved, ganged = feeder.gear.needed(action)
        if moved and ganged:
            self._move(action.element, closed=action.closed, by="protection")
        elif moved:
            feeder.gear.set_poles(action.element, phases=moved, closed=action.closed)
            what = "closed" if action.closed else "opened"
            self._note(action.element, what=what, text=named(moved), by="protection")
        for what, text in action.after:
            self._note(action.element, what=what, text=text, by="protection")

    def _indicate(self) -> None:
        now = self._feeder.time_s
        fed = self.faults.fed(self._feeder.gear.live)
        if fed != self._fed:
            self._fed, self._fed_since = fed, now
        if fed:
            for switch, text in self.indicators.faulted(self._passages(), faults=fed, now=now):
                self._note(switch, what="indicator", text=text, by="protection")
        elif self.protection.busy:
            self.indicators.disturbed(now=now)
        else:
            wanted = self.faults.any_left or self.indicators.waits_for_load
            self.indicators.quiet(self._passages() if wanted else {}, now=now)

    def _passages(self) -> dict[str, Passage]:
        return {
            switch: Passage(
                i_a=self._currents(switch),
                v_v=self._feeder.phasor_v(self._first_nodes(switch)) if self.indicators.directional else None,
            )
            for switch in self.indicators.reported
        }

    def _first_nodes(self, element: str) -> list[Node]:
        return [node for node, _ in self._circuit.topology.pairs_of(element)]

    def _currents(self, element: str) -> ComplexArray:
        """Into the first terminal; zero where no pole is closed, whatever the open contact's capacitance draws."""
        if not self._feeder.gear.closed_phases(element):
            return np.zeros(len(self._first_nodes(element)), dtype=np.complex128)
        return self._feeder.flow(element, side=0)[0]

    def _reading(self, element: str) -> Reading:
        i_a, closed = self._currents(element), self._feeder.gear.closed_phases(element)
        if not np.isfinite(i_a).all():  # the step has no solution: what flowed before goes on
            i_a = self._last_a.get(element, np.zeros(i_a.size, dtype=np.complex128))
        self._last_a[element] = i_a
        phases = [phase for _, phase in self._first_nodes(element)]
        return Reading(
            i_a={phase: float(abs(i)) if phase in closed else 0.0 for phase, i in zip(phases, i_a, strict=True)},
            residual_a=float(abs(i_a.sum())),
            closed=closed,
            live=self.protection.live_phases(element, live=self._feeder.gear.live),
        )
