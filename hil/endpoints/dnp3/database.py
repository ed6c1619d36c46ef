"""The outstation's points as last read, and the events that the master has not confirmed yet."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from adms.client import Point
from hil.endpoints.dnp3.points import AnalogInput, AnalogOutput, AnyPoint, Flag, Reading, Rtu


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a point shows."""

    value: float
    """SI; the last one known."""
    flags: Flag
    time_s: float
    """When it was measured, feeder seconds."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change of one point."""

    serial: int
    """Order of occurrence over all classes."""
    point: AnyPoint
    shown: Shown


class Database:
    """Points and event buffers of one outstation.

    A binary's change of value and any point's change of flags is an event; an analog's change of value is one where it
    exceeds the dead band, counted from the last event (IEEE 1815-2012 clause 5.1.4.2).
    """

    def __init__(self, rtu: Rtu, *, now_s: float) -> None:
        self._points = rtu.points
        restart = Shown(value=0.0, flags=Flag.RESTART, time_s=now_s)
        self._shown = dict.fromkeys(rtu.points, restart)
        self._told = dict(self._shown)
        self._events: dict[int, deque[Event]] = {1: deque(), 2: deque(), 3: deque()}
        self._events_max = rtu.events_max
        self._serial = 0
        self.overflowed = False
        """An event was lost since the buffers last had room."""

    @property
    def wanted(self) -> Collection[Point]:
        """Points to read from the field."""
        return {point.point for point in self._points}

    def shown(self, point: AnyPoint) -> Shown:
        """What a point shows now."""
        return self._shown[point]

    def waiting(self, event_class: int) -> bool:
        """Whether events of a class wait."""
        return bool(self._events[event_class])

    def update(self, readings: Mapping[Point, Reading], *, now_s: float) -> None:
        """Takes what the field shows."""
        for point in self._points:
            before = self._shown[point]
            now = _merged(before, readings.get(point.point), now_s=now_s)
            self._shown[point] = now
            if _is_event(point, told=self._told[point], now=now):
                self._told[point] = now
                self._add(point, now)

    def chosen(self, classes: Collection[int], *, fits: Callable[[Event], bool]) -> list[Event]:
        """Events of these classes in the order in which they happened, for as long as they fit. They stay until
        `confirmed`."""
        merged = sorted((event for each in classes for event in self._events[each]), key=lambda event: event.serial)
        chosen: list[Event] = []
        for event in merged:
            if not fits(event):
                break
            chosen.append(event)
        return chosen

    def confirmed(self, events: Collection[Event]) -> None:
        """The master has these: they are forgotten."""
        gone = {event.serial for event in events}
        for each, kept in self._events.items():
            self._events[each] = deque(event for event in kept if event.serial not in gone)
        if gone and all(len(kept) < self._events_max for kept in self._events.values()):
            self.overflowed = False

    def _add(self, point: AnyPoint, shown: Shown) -> None:
        if point.event_class == 0:
            return
        self._serial += 1
        kept = self._events[point.event_class]
        if len(kept) >= self._events_max:
            kept.popleft()
            self.overflowed = True
        kept.append(Event(serial=self._serial, point=point, shown=shown))


def _merged(before: Shown, reading: Reading | None, *, now_s: float) -> Shown:
    """A reading over what was shown; without a value the last one stays, marked."""
    if reading is None or reading.value is None or not math.isfinite(reading.value):
        flags = Flag.COMM_LOST | (before.flags & Flag.RESTART)
        time_s = before.time_s if before.flags == flags else now_s
        return Shown(value=before.value, flags=flags, time_s=time_s)
    return Shown(value=reading.value, flags=reading.flags, time_s=now_s if reading.time_s is None else reading.time_s)


def _is_event(point: AnyPoint, *, told: Shown, now: Shown) -> bool:
    if now.flags != told.flags:
        return True
    match point:
        case AnalogInput(dead_band=dead_band):
            return abs(now.value - told.value) > dead_band
        case AnalogOutput():
            return now.value != told.value
        case _:
            return bool(now.value) != bool(told.value)
