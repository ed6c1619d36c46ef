"""Which rows of a telemetry table are meters of loads and of PV sites, found once a table."""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray, PointKey, PointKind, PointTable, Quality, TelemetrySnapshot
from adms.forecast.columns import ForecastColumns

_AVERAGES = {PointKind.P_AVERAGE: 0, PointKind.Q_AVERAGE: 1}


@dataclass(frozen=True, kw_only=True, eq=False)
class MeterRows:
    """Rows of one table."""

    table: PointTable
    slot: IntArray
    """[entry] number of the (quantity, load) that the row is a meter of, or a phase of."""
    row: IntArray
    """[entry] in the table."""
    quantity: IntArray
    """[slot] 0 is P, 1 is Q."""
    load: IntArray
    """[slot]."""
    phases: IntArray
    """[slot] entries that it takes: 1, or one for each of the load's rows."""
    site: IntArray
    """[PV entry] index in `DerColumns.solar`."""
    site_row: IntArray
    """[PV entry] in the table."""
    site_phases: IntArray
    """[site] entries that it takes; 0 where it has none."""


def meter_rows(table: PointTable, *, columns: ForecastColumns) -> MeterRows:
    """Find the rows.

    A load is metered by one point of phase 0, or by a point for each of its rows (single phases to ground).

    Args:
        table: the points.
        columns: the network's.

    Returns:
        The rows.
    """
    loads = columns.arrays.model.loads
    slots: list[tuple[int, int, list[int]]] = []
    for i, load in enumerate(loads):
        for kind, quantity in _AVERAGES.items():
            rows = _rows_of(table, kind=kind, element=load.id, phases=[fr.phase for fr, _ in load.pairs])
            if rows:
                slots.append((quantity, i, rows))
    sites: list[list[int]] = []
    for i in columns.ders.solar:
        der = columns.arrays.model.ders[i]
        kind = PointKind.P_INJECTION
        sites.append(_rows_of(table, kind=kind, element=der.id, phases=[fr.phase for fr, _ in der.pairs]))

    def whole(numbers: list[int]) -> IntArray:
        return np.array(numbers, dtype=np.int64)

    return MeterRows(
        table=table,
        slot=whole([i for i, (_, _, rows) in enumerate(slots) for _ in rows]),
        row=whole([row for _, _, rows in slots for row in rows]),
        quantity=whole([quantity for quantity, _, _ in slots]),
        load=whole([load for _, load, _ in slots]),
        phases=whole([len(rows) for _, _, rows in slots]),
        site=whole([i for i, rows in enumerate(sites) for _ in rows]),
        site_row=whole([row for rows in sites for row in rows]),
        site_phases=whole([len(rows) for rows in sites]),
    )


def _rows_of(table: PointTable, *, kind: PointKind, element: str, phases: list[int]) -> list[int]:
    total = table.row.get(PointKey(kind=kind, element=element))
    if total is not None:
        return [total]
    rows = [table.row.get(PointKey(kind=kind, element=element, phase=phase)) for phase in sorted(set(phases))]
    found = [row for row in rows if row is not None]
    return found if len(found) == len(phases) else []


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Values of meters, phases added up."""

    value: FloatArray
    """NaN where one phase is missing."""
    sigma: FloatArray
    age_s: FloatArray
    """Of the oldest phase."""


def meter_sums(rows: MeterRows, snapshot: TelemetrySnapshot) -> Sums:
    """[slot] interval means of loads. A STALE mean counts: late is what these meters are."""
    late = (int(Quality.GOOD), int(Quality.STALE))
    return _sums(rows.slot, rows.row, phases=rows.phases, snapshot=snapshot, qualities=late)


def site_sums(rows: MeterRows, snapshot: TelemetrySnapshot) -> Sums:
    """[site] what PV sites inject by their own telemetry."""
    return _sums(rows.site, rows.site_row, phases=rows.site_phases, snapshot=snapshot, qualities=(int(Quality.GOOD),))


def _sums(
    slot: IntArray, row: IntArray, *, phases: IntArray, snapshot: TelemetrySnapshot, qualities: tuple[int, ...]
) -> Sums:
    size = len(phases)
    value, sigma, age = snapshot.value[row], snapshot.sigma[row], snapshot.age_s[row]
    good = np.isin(snapshot.quality[row], qualities) & np.isfinite(value) & np.isfinite(age) & (sigma > 0.0)
    there = np.bincount(slot[good], minlength=size)
    total = np.bincount(slot[good], weights=value[good], minlength=size)
    variance = np.bincount(slot[good], weights=sigma[good] ** 2, minlength=size)
    oldest, newest = np.zeros(size), np.full(size, np.inf)
    np.maximum.at(oldest, slot[good], age[good])
    np.minimum.at(newest, slot[good], age[good])
    # Phases of different intervals do not add up to anything.
    complete = (there == phases) & (phases > 0) & (oldest - np.where(np.isfinite(newest), newest, 0.0) < 1.0)
    return Sums(
        value=np.where(complete, total, np.nan),
        sigma=np.where(complete, np.sqrt(variance), np.nan),
        age_s=np.where(complete, oldest, np.inf),
    )
