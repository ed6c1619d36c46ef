"""Positions as reported by telemetry: what the switches, taps and capacitors are at, and what is not known."""

from dataclasses import dataclass

import numpy as np

from adms.core.ids import ElementId
from adms.core.telemetry import PointKey, PointKind, TelemetrySnapshot
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState


@dataclass(frozen=True, kw_only=True)
class ReportedGrid:
    """Where everything stands, as far as telemetry says."""

    grid: GridState
    unknown: frozenset[ElementId]
    """Devices with a position point that is now missing, stale, flagged or impossible, and remote devices that nobody
    has a point for; `grid` has their previous position. Never operated (SW16)."""


def reported_grid(
    snapshot: TelemetrySnapshot, *, arrays: NetworkArrays, previous: GridState, max_age_s: float
) -> ReportedGrid:
    """Positions of a snapshot over the previous ones.

    A device with a point in the snapshot's table is telemetered: without a good value it is unknown. So is a remote
    one without a point: somebody should report it, and its normal position is a guess. A device worked by hand that
    has no point keeps its previous position (at first, the normal one) and is not unknown: nobody reports it.

    Args:
        snapshot: the telemetry of one instant.
        arrays: the network in solver order.
        previous: positions of the last round, or the normal ones.
        max_age_s: an older position is not known any more.

    Returns:
        The positions and the devices whose position is not known.
    """
    model = arrays.model
    closed: dict[ElementId, int] = dict(previous.closed)
    taps: dict[ElementId, int] = dict(previous.tap_position)
    capacitors: dict[ElementId, int] = dict(previous.capacitor_steps)
    unknown: set[ElementId] = set()
    for branch in model.branches:
        if branch.switch is not None:
            now = _position(snapshot, branch.id, kind=PointKind.SWITCH_CLOSED, limits=(0, 1), max_age_s=max_age_s)
            _take(closed, branch.id, now, remote=branch.switch.remote, unknown=unknown)
        if branch.taps is not None:
            limits = (branch.taps.min_position, branch.taps.max_position)
            now = _position(snapshot, branch.id, kind=PointKind.TAP_POSITION, limits=limits, max_age_s=max_age_s)
            _take(taps, branch.id, now, remote=branch.taps.remote, unknown=unknown)
    for capacitor in model.capacitors:
        limits = (0, capacitor.steps)
        now = _position(snapshot, capacitor.id, kind=PointKind.CAPACITOR_STEPS, limits=limits, max_age_s=max_age_s)
        _take(capacitors, capacitor.id, now, remote=capacitor.remote, unknown=unknown)
    grid = GridState(closed={e: bool(c) for e, c in closed.items()}, tap_position=taps, capacitor_steps=capacitors)
    return ReportedGrid(grid=previous if grid == previous else grid, unknown=frozenset(unknown))


class _NotTelemetered:
    """No point in the table."""


def _position(
    snapshot: TelemetrySnapshot, element: ElementId, *, kind: PointKind, limits: tuple[int, int], max_age_s: float
) -> int | _NotTelemetered | None:
    """The position; None where it is telemetered and not known."""
    key = PointKey(kind=kind, element=element)
    if key not in snapshot.table.row:
        return _NotTelemetered()
    value = snapshot.good(key, max_age_s=max_age_s)
    if value is None or value != np.round(value) or not limits[0] <= value <= limits[1]:
        return None
    return int(value)


def _take(
    positions: dict[ElementId, int],
    element: ElementId,
    now: int | _NotTelemetered | None,
    *,
    remote: bool,
    unknown: set[ElementId],
) -> None:
    if isinstance(now, int):
        positions[element] = now
    elif now is None or remote:
        unknown.add(element)
