"""How hard regulators and capacitors work."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_most, change_frac, not_judged
from hil.plant.events import PlantEvent
from hil.record import Trace, move_of

REVERSAL_WINDOW_S = 1800.0
"""SAFETY.md, VV6: more than two reversals in 30 min freeze a device."""


def direction_of(event: PlantEvent) -> int:
    """1 up, -1 down, of a move of a regulator or capacitor. Raises ValueError for an event that is none."""
    before, after = move_of(event)
    return (after > before) - (after < before)


def _moves(trace: Trace, *, what: str) -> Mapping[str, Sequence[PlantEvent]]:
    found: dict[str, list[PlantEvent]] = {}
    for event in trace.events:
        if event.what == what:
            found.setdefault(event.element, []).append(event)
    return found


def _most(trace: Trace, *, what: str, words: str) -> Finding:
    if not trace.time_s:
        return not_judged("nothing was recorded")
    counts = sorted(((-len(events), name) for name, events in _moves(trace, what=what).items()))
    if not counts:
        return Finding(value=0.0, text=f"no {words} moved")
    count, name = -counts[0][0], counts[0][1]
    asked = sum(event.by == "command" for event in _moves(trace, what=what)[name])
    return Finding(value=float(count), text=f"{name}: {count}, {asked} by command; {len(counts)} {words}s moved")


def _taps(found: Findings) -> Finding:
    return _most(found.trace, what="tap", words="regulator")


def _capacitors(found: Findings) -> Finding:
    return _most(found.trace, what="capacitor", words="capacitor")


def _taps_vs_idle(found: Findings) -> Finding:
    if found.idle is None or not found.idle.time_s or not found.trace.time_s:
        return not_judged("the idle run is missing")
    with_it, without = (sum(event.what == "tap" for event in trace.events) for trace in (found.trace, found.idle))
    return change_frac(with_it, before=without, of="tap moves")


def _most_reversals(events: Sequence[PlantEvent]) -> tuple[int, float]:
    """The most in any window, and when the last of them was. Two reversals as far apart as a window are both in it."""
    most, at_s, last = 0, 0.0, 0
    recent: deque[float] = deque()
    for event in events:
        way = direction_of(event)
        if last and way == -last:
            recent.append(event.time_s)
            while recent[0] < event.time_s - REVERSAL_WINDOW_S:
                recent.popleft()
            if len(recent) > most:
                most, at_s = len(recent), event.time_s
        last = way or last
    return most, at_s


def _reversals(found: Findings) -> Finding:
    if not found.trace.time_s:
        return not_judged("nothing was recorded")
    devices = {**_moves(found.trace, what="tap"), **_moves(found.trace, what="capacitor")}
    worst = max(((*_most_reversals(events), name) for name, events in devices.items()), default=(0, 0.0, ""))
    count, at_s, name = worst
    text = f"{name}: {count} until {at_s:.6g} s" if count else "no device turned round"
    return Finding(value=float(count), text=text)


MEASURES = (
    at_most(
        "tap_moves_per_regulator_max",
        "count",
        what="most tap moves of one regulator in the run, local ones included (SAFETY.md, VV4)",
        find=_taps,
    ),
    at_most(
        "tap_moves_vs_idle_frac",
        "1",
        what="tap moves of all regulators against those of the same feeder without the service",
        find=_taps_vs_idle,
    ),
    at_most(
        "capacitor_moves_max",
        "count",
        what="most switchings of one capacitor in the run, local ones included (SAFETY.md, VV4)",
        find=_capacitors,
    ),
    at_most(
        "reversals_max",
        "count",
        what="most reversals of one regulator or capacitor in any 30 min (SAFETY.md, VV6)",
        find=_reversals,
    ),
)
