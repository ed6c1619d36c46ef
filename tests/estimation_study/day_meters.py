"""Telemetry of a day: noise, points that drop out, remote units that fall silent, interval meters that come late."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray, PointKey, PointKind, PointTable, Quality
from adms.grid.arrays import BoolArray

INTERVAL_S = 900
LOST_FRAC = 0.015
"""Of the points of each scan: the frame does not come, the image keeps the last value, older."""
FLAGGED_FRAC = 0.003
"""And that come flagged invalid."""
SILENCES_PER_H = 4.0
"""Remote units that fall silent, for 1 to 10 minutes each."""
LATE_S = (300.0, 3600.0)
NEVER_FRAC = 0.02
"""Of interval means, that never come."""
STALE_S = 10.0
_AVERAGES = (PointKind.P_AVERAGE, PointKind.Q_AVERAGE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """What the service's image holds at some seconds, [point, second]."""

    value: FloatArray
    age_s: FloatArray
    quality: IntArray
    silent: IntArray
    """[second] points of remote units that are silent."""


class DayMeters:
    """The meters of one day; asked for consecutive seconds."""

    def __init__(self, keys: Sequence[PointKey], *, sigma: FloatArray, rng: np.random.Generator) -> None:
        self.table = PointTable(keys=tuple(keys))
        self.sigma = sigma
        self._rng = rng
        self._late = np.array([key.kind in _AVERAGES for key in keys])
        units = {name: i for i, name in enumerate(dict.fromkeys(key.element for key in keys))}
        self._unit = np.array([units[key.element] for key in keys])
        self._units = sorted({int(u) for u in self._unit[~self._late]})
        self._silent_until = np.full(len(units), -1.0)
        count = len(self.table.keys)
        self._value, self._measured_s = np.full(count, np.nan), np.full(count, -np.inf)
        self._sum, self._seconds = np.zeros(int(self._late.sum())), 0
        self._coming: list[tuple[float, int, float, float]] = []

    def next(self, perfect: FloatArray, *, first_s: int) -> Frames:
        """The image at each second.

        Args:
            perfect: [point, second] of perfect meters; of interval meters the value of the second.
            first_s: of the first second since the day's beginning.
        """
        count, seconds = perfect.shape
        read = perfect + self.sigma[:, None] * self._rng.standard_normal(perfect.shape)
        lost = self._rng.random(perfect.shape) < LOST_FRAC
        flagged = self._rng.random(perfect.shape) < FLAGGED_FRAC
        silent = np.zeros(seconds, dtype=np.int64)
        for i in range(seconds):
            out = (self._silences(first_s + i)[self._unit]) & ~self._late
            lost[:, i] |= out
            silent[i] = out.sum()
        time = first_s + np.arange(seconds, dtype=np.float64)
        # Of each second the last column that came; -1 where that was before.
        came = np.maximum.accumulate(np.where(lost, -1, np.arange(seconds)), axis=1)
        rows = np.arange(count)[:, None]
        value = np.where(came >= 0, read[rows, came], self._value[:, None])
        measured = np.where(came >= 0, time[came], self._measured_s[:, None])
        self._late_means(perfect[self._late], value, measured, first_s=first_s)
        self._value, self._measured_s = value[:, -1].copy(), measured[:, -1].copy()
        age = time - measured
        quality = np.full(perfect.shape, int(Quality.GOOD), dtype=np.int64)
        quality[age > STALE_S] = int(Quality.STALE)
        quality[flagged & ~self._late[:, None] & (age == 0.0)] = int(Quality.INVALID)
        quality[~np.isfinite(value)] = int(Quality.MISSING)
        return Frames(value=value, age_s=age, quality=quality, silent=silent)

    def _silences(self, now_s: int) -> BoolArray:
        if self._units and self._rng.random() < SILENCES_PER_H / 3600.0:
            unit = self._units[int(self._rng.integers(len(self._units)))]
            self._silent_until[unit] = now_s + self._rng.uniform(60.0, 600.0)
        return self._silent_until > now_s

    def _late_means(self, power: FloatArray, value: FloatArray, measured: FloatArray, *, first_s: int) -> None:
        """Adds up intervals, and puts those that arrive into the columns in place."""
        rows = np.flatnonzero(self._late)
        value[rows], measured[rows] = self._value[rows, None], self._measured_s[rows, None]
        for i in range(value.shape[1] if len(rows) else 0):
            self._sum += power[:, i]
            self._seconds += 1
            now = first_s + i + 1
            if self._seconds == INTERVAL_S:
                mean = self._sum / INTERVAL_S
                noise = self.sigma[rows] * self._rng.standard_normal(len(rows))
                # A meter's P and Q come together.
                delay = {int(u): self._rng.uniform(*LATE_S) for u in np.unique(self._unit[rows])}
                never = {u for u in delay if self._rng.random() < NEVER_FRAC}
                for row, sent in zip(rows.tolist(), (mean + noise).tolist(), strict=True):
                    unit = int(self._unit[row])
                    if unit not in never:
                        heapq.heappush(self._coming, (now + delay[unit], row, float(now), sent))
                self._sum[:], self._seconds = 0.0, 0
            while self._coming and self._coming[0][0] <= now:
                _, row, end, mean_w = heapq.heappop(self._coming)
                if end > measured[row, i]:
                    value[row, i:], measured[row, i:] = mean_w, end
