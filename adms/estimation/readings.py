"""Which points of a snapshot can be used, per unit, and why the others cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import Quality, TelemetrySnapshot
from adms.estimation.aged import aged
from adms.estimation.kernel.columns import ReadingColumns
from adms.estimation.kinds.ampere import MIN_SIGMAS
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Beliefs, Problem

LEAST_V_PU, LARGEST_V_PU = 0.1, 3.0
"""What a voltage meter at a live node can read. Below, it says that the node is dead; above, nothing."""
_LEAST_SIGMA_PU = 1e-9
_LARGEST_PU = 1e4


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
    stack = problem.layout.rows
    rows = stack.table_rows
    moving = problem.layout.moving
    value, sigma = snapshot.value[rows], snapshot.sigma[rows]
    quality, age = snapshot.quality[rows], snapshot.age_s[rows]
    z, deviation = value / stack.si_per_unit, sigma / stack.si_per_unit
    average = moving.average
    ageing = policy.ageing
    oldest = policy.telemetry_max_age_s
    max_age = oldest if ageing is None else np.where(average, ageing.average_max_age_s, oldest)
    # Late is what meters of intervals are; how much they still say is in their weight.
    fine = (quality == Quality.GOOD) | (average & (quality == Quality.STALE))
    told = np.zeros(len(snapshot.value), dtype=np.bool_)
    if beliefs is not None:
        told[beliefs.prior.told] = True
    with np.errstate(invalid="ignore", over="ignore"):
        tests = (
            (~problem.live_rows, "what it measures has no voltage"),
            (quality == Quality.MISSING, "never came"),
            (~(age <= max_age), "too old"),
            (age < -max_age, "dated in the future"),
            (~fine, "flagged by its source"),
            (told[rows], "the forecast rests on it already"),
            (~np.isfinite(value), "no value"),
            (~np.isfinite(sigma), "no sigma"),
            (~((deviation > _LEAST_SIGMA_PU) & (deviation < _LARGEST_PU)), "sigma out of any range"),
            (~(np.abs(z) < _LARGEST_PU), "value out of any range"),
            (moving.current_size & ~(z >= MIN_SIGMAS * deviation), "too small to tell from none"),
            (moving.voltage_size & ~((z > LEAST_V_PU) & (z < LARGEST_V_PU)), "no voltage that a live node has"),
        )
    why = np.full(len(rows), "", dtype=object)
    use = np.ones(len(rows), dtype=np.bool_)
    for failed, reason in tests:
        why[failed & use] = reason
        use &= ~failed
    # No current has no angle, and nearly none has hardly any.
    lost = moving.angle & use & (~use[moving.partner] | (moving.partner == np.arange(len(rows))))
    why[lost] = "its current is too small, or not measured"
    use &= ~lost
    z, variance = np.where(use, z, 0.0), np.where(use, deviation, 1.0) ** 2
    if beliefs is not None and ageing is not None:
        z, variance = aged(z, variance, age_s=np.where(use, age, 0.0), problem=problem, beliefs=beliefs, policy=policy)
        nothing = use & ~(variance < _LARGEST_PU**2)
        why[nothing] = "says nothing of the present any more"
        use &= ~nothing
        z, variance = np.where(use, z, 0.0), np.where(use, variance, 1.0)
    return Readings(
        columns=ReadingColumns(z=z, variance=variance, use=use),
        why=tuple(why.tolist()),
    )
