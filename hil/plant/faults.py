"""Faults over time: they begin, evolve, and where they are temporary clear themselves once they are without supply."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from hil.plant.events import PlantEvent
from hil.plant.fault_places import FaultPlace
from hil.plant.fault_plan import Fault


@dataclass(frozen=True, kw_only=True)
class FaultChange:
    """Fault elements that come and go now."""

    fault: Fault
    on: tuple[str, ...]
    """OpenDSS elements to enable."""
    off: tuple[str, ...]
    what: str
    """fault, evolved or cleared."""
    text: str


class _State:
    """One fault."""

    def __init__(self, fault: Fault, *, place: FaultPlace) -> None:
        self.fault = fault
        self.place = place
        self.begins_at = fault.time_s if fault.time_s is not None else inf
        self.stage = -1
        self.gone = False
        self.fed_s = 0.0
        """Energised time in this stage."""
        self.dead_s = 0.0
        self.fed = False
        """Supplied since the last look."""

    @property
    def active(self) -> bool:
        return self.stage >= 0 and not self.gone

    @property
    def nodes(self) -> tuple[tuple[str, int], ...]:
        return self.place.nodes[self.stage] if self.active else ()


class Faults:
    """Every fault of a run. Times are feeder seconds."""

    def __init__(self, faults: Sequence[Fault], *, places: Mapping[str, FaultPlace]) -> None:
        self._states = [_State(fault, place=places[fault.name]) for fault in faults]
        self._now = 0.0
        self._events_seen = 0
        self._locked = False

    @property
    def any_began(self) -> bool:
        """Some fault has begun, gone or not."""
        return any(state.stage >= 0 for state in self._states)

    @property
    def any_left(self) -> bool:
        """Some fault is there or may still come."""
        return any(not state.gone for state in self._states)

    @property
    def active(self) -> tuple[str, ...]:
        """Names of the faults that are there now."""
        return tuple(state.fault.name for state in self._states if state.active)

    @property
    def active_nodes(self) -> frozenset[tuple[str, int]]:
        """(bus, phase) that faults touch now."""
        return frozenset(node for state in self._states for node in state.nodes)

    def fed(self, live: Collection[tuple[str, int]]) -> tuple[str, ...]:
        """Names of the faults that have a supply, given the nodes that have one."""
        return tuple(s.fault.name for s in self._states if s.active and any(node in live for node in s.nodes))

    @property
    def due_s(self) -> float:
        """When the next one begins, evolves or clears if no switch moves."""
        due = [inf]
        for state in self._states:
            if state.gone:
                continue
            if state.stage < 0:
                due.append(state.begins_at)
            elif state.fed and state.stage + 1 < len(state.fault.stages):
                due.append(self._now + state.fault.stages[state.stage + 1].after_s - state.fed_s)
            elif not state.fed and state.fault.clears_after_dead_s is not None:
                due.append(self._now + state.fault.clears_after_dead_s - state.dead_s)
        return min(due)

    def hears(self, events: Sequence[PlantEvent]) -> None:
        """Take what has happened on the feeder so far: faults may wait for a lockout or a restoration."""
        for event in events[self._events_seen :]:
            self._locked = self._locked or event.what == "lockout"
            restores = self._locked and event.what == "closed" and event.by == "command"
            for state in self._states:
                waits = state.fault.time_s is None and state.begins_at == inf
                if waits and (
                    (state.fault.after == "lockout" and event.what == "lockout")
                    or (state.fault.after == "restoration" and restores)
                ):
                    state.begins_at = event.time_s + state.fault.delay_s
        self._events_seen = len(events)

    def step(self, *, now: float, live: Collection[tuple[str, int]]) -> list[FaultChange]:
        """Go on to `now`. What had a supply at the last `supplied` had it since; `live` is not looked at before the
        changes of this step: a fault begins whether or not its place is live."""
        dt_s, self._now = now - self._now, now
        changes = []
        for state in self._states:
            if state.gone:
                continue
            if state.stage < 0:
                if now >= state.begins_at - 1e-9:
                    state.stage = 0
                    changes.append(self._change(state, what="fault", text=state.fault.in_words))
            elif state.fed:
                state.fed_s += dt_s
                stages = state.fault.stages
                if state.stage + 1 < len(stages) and state.fed_s >= stages[state.stage + 1].after_s - 1e-9:
                    state.stage += 1
                    state.fed_s = 0.0
                    phases = ", ".join(map(str, stages[state.stage].phases))
                    text = f"to {stages[state.stage].kind}, phase {phases}"
                    changes.append(self._change(state, what="evolved", text=text))
            else:
                state.dead_s += dt_s
                clears_s = state.fault.clears_after_dead_s
                if clears_s is not None and state.dead_s >= clears_s - 1e-9:
                    off = state.place.elements[state.stage]
                    state.gone = True
                    text = f"after {state.dead_s:.1f} s without supply"
                    changes.append(FaultChange(fault=state.fault, on=(), off=off, what="cleared", text=text))
        self.supplied(live)
        return changes

    def supplied(self, live: Collection[tuple[str, int]]) -> None:
        """Which nodes have a supply from now on: after every switching."""
        for state in self._states:
            state.fed = state.active and any(node in live for node in state.nodes)
            if state.fed:
                state.dead_s = 0.0

    @staticmethod
    def _change(state: _State, *, what: str, text: str) -> FaultChange:
        off = state.place.elements[state.stage - 1] if state.stage > 0 else ()
        return FaultChange(fault=state.fault, on=state.place.elements[state.stage], off=off, what=what, text=text)
