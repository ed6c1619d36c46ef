"""Which points of a snapshot can be used, per unit, and why the others cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import IntArray, Quality, TelemetrySnapshot
from adms.estimation.aged import aged
from adms.estimation.beliefs import Beliefs
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kernel.reading import REASONS, ReadingLimits, read_rows
from adms.estimation.kinds.ampere import MIN_SIGMAS
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.grid.arrays import BoolArray

LEAST_V_PU, LARGEST_V_PU = 0.1, 3.0
"""What a voltage meter at a live node can read. Below, it says that the node is dead; above, nothing."""
LEAST_SIGMA_PU = 1e-9
LARGEST_PU = 1e4
_GOOD, _STALE, _MISSING = int(Quality.GOOD), int(Quality.STALE), int(Quality.MISSING)


@dataclass(frozen=True, kw_only=True, eq=False)
class Readings:
    """What the meters say in one scan."""

    columns: ReadingColumns
    why: tuple[str, ...]
    """[M] why a row is not in use; empty where it is."""

    def without(self, row: int, *, why: str) -> "Readings":
        """The same with one measurement taken out. Its value stays, so that it still has a residual."""
        use = self.columns.use.copy()
        use[row] = False
        reasons = list(self.why)
        reasons[row] = why
        return Readings(columns=self.columns._replace(use=use), why=tuple(reasons))

    def including(self, rows: Sequence[int]) -> "Readings":
        """The same with measurements that were taken out."""
        use, why = self.columns.use.copy(), list(self.why)
        for row in rows:
            use[row], why[row] = True, ""
        return Readings(columns=self.columns._replace(use=use), why=tuple(why))

    def excluding(self, reasons: Mapping[int, str]) -> "Readings":
        """The same without some rows that would be in use, whose values stay.

        Args:
            reasons: why, by row.
        """
        if not reasons:
            return self
        use, why = self.columns.use.copy(), list(self.why)
        for row, reason in reasons.items():
            if use[row]:
                use[row], why[row] = False, reason
        return Readings(columns=self.columns._replace(use=use), why=tuple(why))


def readings_of(
    snapshot: TelemetrySnapshot, *, problem: Problem, policy: EstimationPolicy, beliefs: Beliefs | None = None
) -> Readings:
    """Points of a snapshot that can be used, as measurements of now. What no meter can say at a live node is not used;
    where it contradicts the switches, `contradictions_of` says so.

    Args:
        snapshot: the telemetry of one instant.
        problem: says which rows of the table are measurements here.
        policy: says what is stale, and how values age.
        beliefs: how far loads and DER move, and which points they rest on already; None: nothing ages.
    """
    layout = problem.layout
    rows = layout.rows.table_rows
    count = len(rows)
    ageing = policy.ageing
    age = snapshot.age_s[rows]
    z, variance = np.empty(count), np.empty(count)
    use, failed = np.empty(count, dtype=np.bool_), np.empty(count, dtype=np.int64)
    missing = read_rows(
        layout.reading_rules,
        problem.live_rows,
        ReadingLimits(
            good=_GOOD,
            stale=_STALE,
            missing=_MISSING,
            max_age_s=policy.telemetry_max_age_s,
            average_max_age_s=policy.telemetry_max_age_s if ageing is None else ageing.average_max_age_s,
            least_sigma_pu=LEAST_SIGMA_PU,
            largest_pu=LARGEST_PU,
            current_sigmas=MIN_SIGMAS,
            least_v_pu=LEAST_V_PU,
            largest_v_pu=LARGEST_V_PU,
        ),
        snapshot.value[rows],
        snapshot.sigma[rows],
        age,
        snapshot.quality[rows].astype(np.int64, copy=False),
        _told(rows, points=len(snapshot.value), beliefs=beliefs),
        z,
        variance,
        use,
        failed,
    )
    why = [""] * count
    if missing:
        for row in np.flatnonzero(failed).tolist():
            why[row] = REASONS[failed[row]]
    if beliefs is not None and ageing is not None:
        z, variance = aged(z, variance, age_s=age, use=use, problem=problem, beliefs=beliefs, policy=policy)
        nothing = use & ~(variance < LARGEST_PU**2)
        for row in np.flatnonzero(nothing).tolist():
            why[row], use[row], z[row], variance[row] = "says nothing of the present any more", False, 0.0, 1.0
    return Readings(columns=ReadingColumns(z=z, variance=variance, use=use), why=tuple(why))


def _told(rows: IntArray, *, points: int, beliefs: Beliefs | None) -> BoolArray:
    """[M] True where the prior rests on it already."""
    if beliefs is None or not len(beliefs.prior.told):
        return np.zeros(len(rows), dtype=np.bool_)
    told = np.zeros(points, dtype=np.bool_)
    told[beliefs.prior.told] = True
    return told[rows]
