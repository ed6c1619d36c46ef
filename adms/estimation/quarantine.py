"""Meters that were bad again and again are not asked until they are right again and again.

A meter that is rejected in every scan still costs every scan a rejection, of which only a few are permitted, and where
it drifts it is only rejected now and then. In quarantine it is left out from the start; the estimate then does not rest
on it, and its innovation (reading less estimate) is watched against S, what both leave open.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from adms.core.estimate import Innovations, Use
from adms.core.telemetry import FloatArray, IntArray, PointKey
from adms.estimation.bad_data import Verdict
from adms.estimation.iterate import Converged
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.layout import Layout
from adms.estimation.policy import QuarantinePolicy
from adms.estimation.system import System, system_at


@dataclass(frozen=True, kw_only=True)
class Record:
    """Of one point."""

    bad: int
    """Consecutive scans in which it was rejected."""
    fine: int
    """Consecutive scans in quarantine in which it agreed with the estimate."""
    since: datetime | None
    """When it was quarantined; None where it is not."""


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """Points that were rejected of late, or are in quarantine."""

    records: Mapping[PointKey, Record]

    @property
    def excluded(self) -> Mapping[PointKey, str]:
        """Points not to use, and why."""
        return {
            key: f"in quarantine since {record.since.isoformat(timespec='seconds')}"
            for key, record in self.records.items()
            if record.since is not None
        }


EMPTY = Quarantine(records={})


def quarantined(state: Quarantine, innovations: Innovations, *, time: datetime, policy: QuarantinePolicy) -> Quarantine:
    """What one scan says of the points.

    A scan that says nothing of a point (missing, stale, nothing to compare with) changes nothing about it: silence is
    no sign of health.

    Args:
        state: of the last scan.
        innovations: of this one, with those of quarantined points (`watched`).
        time: of this scan.
        policy: how often is often.
    """
    records = dict(state.records)
    for place, key in enumerate(innovations.keys):
        before = records.get(key)
        if before is None and innovations.use[place] is not Use.REJECTED:
            continue
        after = _after(
            before or Record(bad=0, fine=0, since=None),
            use=innovations.use[place],
            normalized=float(innovations.normalized[place]),
            time=time,
            policy=policy,
        )
        if after is None:
            records.pop(key, None)
        else:
            records[key] = after
    return Quarantine(records=records)


def _after(before: Record, *, use: Use, normalized: float, time: datetime, policy: QuarantinePolicy) -> Record | None:
    """A record after one scan; None where nothing is held against the point any more."""
    if before.since is None:
        if use is Use.REJECTED:
            bad = before.bad + 1
            return Record(bad=bad, fine=0, since=time if bad >= policy.bad_scans else None)
        return None if use is Use.USED else before
    if use is Use.REJECTED or abs(normalized) > policy.fine_sigmas:
        return Record(bad=before.bad, fine=0, since=before.since)
    if not np.isfinite(normalized):
        return before
    fine = before.fine + 1
    return None if fine >= policy.fine_scans else Record(bad=before.bad, fine=fine, since=before.since)


def excluded_rows(quarantine: Quarantine, layout: Layout) -> dict[int, str]:
    """Rows of the estimator that are in quarantine, and why."""
    excluded = quarantine.excluded
    if not excluded:
        return {}
    points = {layout.table.row[key]: why for key, why in excluded.items() if key in layout.table.row}
    return {row: points[point] for row, point in enumerate(layout.rows.table_rows.tolist()) if point in points}


def watched(verdict: Verdict, rows: IntArray) -> Verdict:
    """A verdict with the innovations of rows that it does not rest on.

    Args:
        verdict: without those rows.
        rows: with a reading that could be used.
    """
    if not len(rows):
        return verdict
    sigma = innovation_sigma(verdict.optimum, verdict.readings.columns, rows=rows)
    if sigma is None:
        return verdict
    residual, deviation, normalized = verdict.residual.copy(), verdict.residual_sigma.copy(), verdict.normalized.copy()
    residual[rows], deviation[rows] = verdict.optimum.residual[rows], sigma
    normalized[rows] = residual[rows] / sigma
    return replace(verdict, residual=residual, residual_sigma=deviation, normalized=normalized)


def innovation_sigma(optimum: Converged, readings: ReadingColumns, *, rows: IntArray) -> FloatArray | None:
    """[rows] standard deviation of reading less estimate of rows that the estimate does not rest on.

    With the rows taken into K, (K^-1) over their multipliers is -S^-1, and S = R + H Sigma H^T.

    Args:
        optimum: without those rows.
        readings: of the scan, their variances included.
        rows: which.

    Returns:
        Per unit; None where the factor fails.
    """
    at = optimum.system
    inside = readings.use.copy()
    inside[rows] = True
    made = system_at(at.problem, optimum.x, s=optimum.s, beliefs=at.beliefs, inside=inside, variance=readings.variance)
    if not isinstance(made, System):
        return None
    place = at.problem.rows.place[rows]
    z = np.stack([made.column_of_row(int(row))[place] for row in rows])
    modes, core = made.mode_columns
    if len(core):
        z = z - modes[:, place].T @ np.linalg.solve(core, modes[:, place])
    return np.sqrt(np.maximum(np.diag(np.linalg.inv(-0.5 * (z + z.T))), 0.0))
