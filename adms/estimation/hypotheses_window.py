"""The readings of many scans as one.

Loads hardly change from a scan to the next, so that the odds of one scan after the other must not be multiplied: that
would count the same deviation of the loads sixty times. The mean of the readings says all that the scans say of
constant loads. In it the meters' noise is averaged; the prior of the loads is as wide as it was, which is cautious
where they do vary; and what a meter is constantly wrong by stays.
"""

from dataclasses import dataclass, replace

import numpy as np

from adms.core.telemetry import FloatArray, IntArray, PointKind, TelemetrySnapshot
from adms.estimation.hypotheses_evidence import Heard
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.layout import Layout
from adms.grid.points import VOLTAGE_SIZES

_SAME_S = 1e-3
_ANGLES = frozenset({PointKind.V_ANGLE, PointKind.I_ANGLE})


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Means over scans since the reported positions last changed. Columns run over the rows of a layout."""

    scans: int
    count: FloatArray
    """[M] how many readings are in the mean."""
    mean: FloatArray
    """[M] per unit."""
    variance: FloatArray
    """[M] of one reading, per unit squared."""
    measured_s: FloatArray
    """[M] when the last one was measured, seconds since 1970; NaN where none was."""

    @classmethod
    def empty(cls, layout: Layout) -> "Window":
        """Of no scan."""
        rows = layout.rows.count
        return cls(
            scans=0,
            count=np.zeros(rows),
            mean=np.zeros(rows),
            variance=np.ones(rows),
            measured_s=np.full(rows, np.nan),
        )

    def without(self, rows: IntArray) -> "Window":
        """The same where nothing was ever heard of some rows: a meter in quarantine.

        Args:
            rows: which.
        """
        if not self.count[rows].any():
            return self
        count, measured_s = self.count.copy(), self.measured_s.copy()
        count[rows], measured_s[rows] = 0.0, np.nan
        return replace(self, count=count, measured_s=measured_s)

    def after(self, heard: Heard, *, snapshot: TelemetrySnapshot, layout: Layout, most: int) -> "Window":
        """With one scan more. A reading that is still the last scan's is not counted again: its noise is the same.

        Args:
            heard: its readings.
            snapshot: says when they were measured.
            layout: of the rows.
            most: readings in a mean; from then on old ones fade.
        """
        at = snapshot.cut_time.timestamp() - snapshot.age_s[layout.rows.table_rows]
        with np.errstate(invalid="ignore"):
            fresh = heard.use & ~(np.abs(at - self.measured_s) < _SAME_S)
        count = np.where(fresh, np.minimum(self.count + 1.0, float(most)), self.count)
        share = np.where(fresh, 1.0 / np.maximum(count, 1.0), 0.0)
        return Window(
            scans=self.scans + 1,
            count=count,
            mean=self.mean + share * (heard.z - self.mean),
            variance=self.variance + share * (heard.variance - self.variance),
            measured_s=np.where(fresh, at, self.measured_s),
        )

    def heard(self, *, layout: Layout, hypotheses: HypothesisPolicy, count: float | None = None) -> Heard:
        """The means as one scan's readings.

        Args:
            layout: of the rows.
            hypotheses: constant errors of meters.
            count: as if each were the mean of so many; as many as there are where left out.
        """
        use = self.count > 0.0
        over = self.count if count is None else np.full(len(use), count)
        variance = np.where(use, self.variance / np.maximum(over, 1.0), 1.0)
        heard = Heard(z=np.where(use, self.mean, 0.0), variance=variance, use=use)
        return with_bias(heard, layout=layout, hypotheses=hypotheses)


def with_bias(heard: Heard, *, layout: Layout, hypotheses: HypothesisPolicy) -> Heard:
    """The same with the constant errors of meters in the variance."""
    frac = np.array([_bias_frac(kind, hypotheses) for kind in layout.rows.kind])
    return Heard(z=heard.z, variance=heard.variance + (frac * heard.z) ** 2, use=heard.use)


def with_more_bias(heard: Heard, *, layout: Layout, frac: float) -> Heard:
    """The same with a constant error of every meter, angles apart, besides what was stated.

    Args:
        heard: readings.
        layout: of the rows.
        frac: standard deviation of the error, over the reading.
    """
    sized = np.array([kind not in _ANGLES for kind in layout.rows.kind], dtype=np.bool_)
    more = np.where(sized, (frac * heard.z) ** 2, 0.0)
    return Heard(z=heard.z, variance=heard.variance + more, use=heard.use)


def _bias_frac(kind: PointKind, hypotheses: HypothesisPolicy) -> float:
    if kind in _ANGLES:
        return 0.0
    return hypotheses.voltage_bias_frac if kind in VOLTAGE_SIZES else hypotheses.power_bias_frac
