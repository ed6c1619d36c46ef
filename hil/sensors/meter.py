"""A metered quantity: which, whose, and where its truth is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adms.client import Point, PointKind

Reader = Callable[[], float]

MAGNITUDES = frozenset({PointKind.V_MAGNITUDE, PointKind.V_LINE, PointKind.V_AVERAGE, PointKind.I_MAGNITUDE})
"""No meter shows them below zero."""
TWO_STATE = frozenset({PointKind.SWITCH_CLOSED, PointKind.FAULT_INDICATOR, PointKind.LOCKOUT, PointKind.REMOTE})


def name_of(point: Point, *, phase: int | None = None) -> str:
    """One word for seeds and messages; with `phase`, that of the same quantity in another phase."""
    return f"{point.kind.value}/{point.element}/{point.side}/{point.phase if phase is None else phase}"


@dataclass(frozen=True, kw_only=True)
class Meter:
    """One metered quantity and who reports it."""

    owner: str
    """Id of the telemetry source."""
    point: Point
    read: Reader
    """The truth now, in the unit of the point."""
    rating: float | None = None
    """What errors are shares of, in the unit of the point; None for what is exact (positions, flags)."""
    interval_meter: str = ""
    """The meter that reports the mean of `read` over its intervals; empty for one that shows what is now."""
