"""What was made to lie in a run, by point and by device, so that what the service blamed can be held against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from adms.client import Point, PointKind
from hil.plant.der_class import DefectEntry
from hil.plant.mismatch import Change
from hil.record import Trace, move_of
from hil.sensors.faults import SensorPlan
from hil.sensors.injected import lie_in_words
from hil.sensors.lies import NotANumber, SensorFault, TimeFrozen, shown_by
from hil.sensors.meter import name_of
from hil.sensors.terms import matches

POSITIONS = frozenset({PointKind.SWITCH_CLOSED, PointKind.TAP_POSITION})
MEASURED = frozenset(
    {
        PointKind.V_MAGNITUDE,
        PointKind.V_LINE,
        PointKind.V_ANGLE,
        PointKind.V_AVERAGE,
        PointKind.P_FLOW,
        PointKind.Q_FLOW,
        PointKind.I_MAGNITUDE,
        PointKind.I_ANGLE,
        PointKind.P_INJECTION,
        PointKind.Q_INJECTION,
        PointKind.P_AVERAGE,
        PointKind.Q_AVERAGE,
    }
)
"""Kinds that an estimator weighs against each other, so that one of them can be found out."""
MOVED = frozenset({"opened", "closed", "tap"})


@dataclass(frozen=True, kw_only=True)
class LyingPoint:
    """A point that shows something else than the truth."""

    point: str
    """`kind/element/side/phase`."""
    device: str
    """The element."""
    also: str = ""
    """The group that a tap changer may be named by; empty where it has none."""
    start_s: float
    end_s: float
    """First instant after it."""
    text: str
    to_be_named: bool
    """A wrong value of a kind that the others can contradict. A value that is no number, or of an old time, is dropped
    and not named; flags, states of charge and indicators stand alone."""


@dataclass(frozen=True, kw_only=True)
class WrongPosition:
    """A switch or tap changer that is not where it is reported."""

    device: str
    also: str
    """The group that it may be named by; empty where it has none."""
    start_s: float
    end_s: float
    text: str

    def named_by(self, names: frozenset[str]) -> bool:
        """Whether it is among devices that were named."""
        return self.device in names or (bool(self.also) and self.also in names)


@dataclass(frozen=True, kw_only=True)
class Injections:
    """Everything that lied or did not obey."""

    points: tuple[LyingPoint, ...] = ()
    positions: tuple[WrongPosition, ...] = ()
    defects: tuple[DefectEntry, ...] = ()
    """DER that misbehave."""


def injections(
    plan: SensorPlan,
    *,
    points: Mapping[str, Sequence[Point]],
    trace: Trace,
    changes: Sequence[Change],
    groups: Mapping[str, str],
    defects: Sequence[DefectEntry],
) -> Injections:
    """All of a run. `points`: declared points by source; `changes`: the plant's mismatch; `groups`: group by tap
    changer."""
    lying: list[LyingPoint] = []
    wrong = _mismatched(changes, trace=trace)
    for fault in plan.faults:
        for point in _meant(fault, points):
            one = _lying(fault, point, trace=trace, also=groups.get(point.element, ""))
            lying.append(one)
            if point.kind in POSITIONS and one.to_be_named:
                wrong.append(
                    WrongPosition(device=one.device, also=one.also, start_s=one.start_s, end_s=one.end_s, text=one.text)
                )
    return Injections(points=tuple(lying), positions=tuple(wrong), defects=tuple(defects))


def _meant(fault: SensorFault, points: Mapping[str, Sequence[Point]]) -> list[Point]:
    return [
        point
        for source, declared in points.items()
        if matches(fault.source, source)
        for point in declared
        if matches(fault.point, name_of(point))
    ]


def _lying(fault: SensorFault, point: Point, *, trace: Trace, also: str) -> LyingPoint:
    start_s, end_s = fault.span.start_s, fault.span.end_s
    named = point.kind in MEASURED | POSITIONS and not isinstance(fault.lie, NotANumber | TimeFrozen)
    if named and point.kind in POSITIONS:
        # A position that is told right by chance, or that has not moved yet, is no lie.
        found = _wrong_span(fault, point.element, trace=trace)
        named, (start_s, end_s) = found is not None, found or (start_s, end_s)
    return LyingPoint(
        point=name_of(point),
        device=point.element,
        also=also,
        start_s=start_s,
        end_s=end_s,
        text=lie_in_words(fault.lie),
        to_be_named=named,
    )


def _course(device: str, *, trace: Trace) -> list[tuple[float, int]]:
    """(from when on, true position) of a switch or tap changer; what it was at the first scan it was before."""
    first_s = trace.time_s[0] if trace.time_s else 0.0
    course = [(0.0, trace.first_positions[device])] if device in trace.first_positions else []
    for event in trace.events:
        if event.element == device and event.what in MOVED and event.time_s > first_s:
            known = {"opened": 0, "closed": 1}.get(event.what)
            course.append((event.time_s, move_of(event)[1] if known is None else known))
    return course


def _wrong_span(fault: SensorFault, device: str, *, trace: Trace) -> tuple[float, float] | None:
    """From when a lie first tells a position that is not true until when it last does; None where it never does."""
    course = _course(device, trace=trace)
    ends = [start_s for start_s, _ in course[1:]] + [inf]
    last: float | None = None
    wrong: list[tuple[float, float]] = []
    for (start_s, position), end_s in zip(course, ends, strict=True):
        if start_s <= fault.span.start_s or last is None:
            last = float(position)
        inside = max(start_s, fault.span.start_s), min(end_s, fault.span.end_s)
        if inside[0] < inside[1] and shown_by(fault.lie, float(position), last=last) != position:
            wrong.append(inside)
    return (wrong[0][0], wrong[-1][1]) if wrong else None


def _mismatched(changes: Sequence[Change], *, trace: Trace) -> list[WrongPosition]:
    """Switches of a mismatch: their contacts lie until they first move."""
    return [
        WrongPosition(
            device=change.element,
            also="",
            start_s=0.0,
            end_s=min((e.time_s for e in trace.events if e.element == change.element and e.what in MOVED), default=inf),
            text=f"is {change.true}, told {change.told}",
        )
        for change in changes
        if change.kind == "switch"
    ]
