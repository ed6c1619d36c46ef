"""What was made to lie in a run, by point and by device, so that what the service blamed can be held against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from adms.client import Point, PointKind
from hil.plant.der_class import DefectEntry
from hil.plant.events import PlantEvent
from hil.plant.mismatch import Change
from hil.sensors.faults import SensorPlan
from hil.sensors.injected import lie_in_words
from hil.sensors.lies import NotANumber, StuckAtLast, TimeFrozen
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
    changes: Sequence[Change],
    events: Sequence[PlantEvent],
    groups: Mapping[str, str],
    defects: Sequence[DefectEntry],
) -> Injections:
    """All of a run. `points`: declared points by source; `changes`: the plant's mismatch; `events`: those of the run;
    `groups`: group by tap changer."""
    lying = lying_points(plan, points=points, groups=groups)
    wrong = [
        *_lying_positions(lying, plan=plan, points=points, events=events),
        *_mismatched(changes, events=events),
    ]
    return Injections(points=lying, positions=tuple(wrong), defects=tuple(defects))


def lying_points(
    plan: SensorPlan, *, points: Mapping[str, Sequence[Point]], groups: Mapping[str, str]
) -> tuple[LyingPoint, ...]:
    """Every point that a sensor fault means."""
    return tuple(
        LyingPoint(
            point=name_of(point),
            device=point.element,
            also=groups.get(point.element, ""),
            start_s=fault.span.start_s,
            end_s=fault.span.end_s,
            text=lie_in_words(fault.lie),
            to_be_named=point.kind in MEASURED | POSITIONS and not isinstance(fault.lie, NotANumber | TimeFrozen),
        )
        for fault in plan.faults
        for source, declared in points.items()
        if matches(fault.source, source)
        for point in declared
        if matches(fault.point, name_of(point))
    )


def _lying_positions(
    lying: Sequence[LyingPoint],
    *,
    plan: SensorPlan,
    points: Mapping[str, Sequence[Point]],
    events: Sequence[PlantEvent],
) -> list[WrongPosition]:
    kinds = {name_of(point): point.kind for declared in points.values() for point in declared}
    stuck = {lie_in_words(fault.lie) for fault in plan.faults if isinstance(fault.lie, StuckAtLast)}
    found = []
    for one in lying:
        if kinds[one.point] not in POSITIONS or not one.to_be_named:
            continue
        start_s = one.start_s
        if one.text in stuck:
            # What stands still tells the truth until it should have moved.
            start_s = _first_move(one.device, events=events, from_s=one.start_s)
        if start_s < one.end_s:
            found.append(
                WrongPosition(
                    device=one.device,
                    also=one.also,
                    start_s=start_s,
                    end_s=one.end_s,
                    text=one.text,
                )
            )
    return found


def _mismatched(changes: Sequence[Change], *, events: Sequence[PlantEvent]) -> list[WrongPosition]:
    """Switches of a mismatch: their contacts lie until they first move."""
    return [
        WrongPosition(
            device=change.element,
            also="",
            start_s=0.0,
            end_s=_first_move(change.element, events=events, from_s=0.0),
            text=f"is {change.true}, told {change.told}",
        )
        for change in changes
        if change.kind == "switch"
    ]


def _first_move(device: str, *, events: Sequence[PlantEvent], from_s: float) -> float:
    moves = (e.time_s for e in events if e.element == device and e.what in MOVED and e.time_s >= from_s)
    return min(moves, default=inf)
