"""When points are read: scan classes of instantaneous values, and meters that report means over intervals, late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import floor

import numpy as np

from hil.engine import FloatArray
from hil.sensors.terms import Distribution, NotNegative, Pattern, Positive, drawn_s

_TINY_S = 1e-6
"""The plant counts time in microseconds."""


@dataclass(frozen=True, kw_only=True)
class ScanClass:
    """Points that match are read at `offset_s`, then every `period_s`, and once when the run begins (the integrity
    poll of a new connection). A class takes the place of an earlier one. Points in no class are read at every scan of
    the bench.

    A value that the plant solved at t holds over the step that ends at t; so a reading within a step shows that step's
    value. A class that is faster than the plant's steps is read once a step: more readings of one truth would be more
    certain than any meter is."""

    point: Pattern
    source: Pattern = "*"
    period_s: Positive
    offset_s: NotNegative = 0.0

    def due_s(self, *, after_s: float, until_s: float) -> float | None:
        """The newest reading time in (`after_s`, `until_s`]; None where there is none."""
        count = floor((until_s - self.offset_s + _TINY_S) / self.period_s)
        time_s = round(self.offset_s + count * self.period_s, 6)
        return time_s if count >= 0 and time_s > after_s + _TINY_S else None


@dataclass(frozen=True, kw_only=True)
class IntervalMeters:
    """The loads of the meter plan's `ami_loads` as interval meters: each reports the mean of its voltages and of its
    power over intervals of the clock (V_AVERAGE, P_AVERAGE, Q_AVERAGE), with the interval's end as measure time."""

    interval_s: Positive
    offset_s: NotNegative = 0.0
    """Intervals begin at this feeder second and at multiples of `interval_s` from it."""
    power_sigma_frac: Positive
    """Of a mean power against the load's rated apparent power. Voltages have the plan's `ami_sigma_frac`."""
    report_delay_s: NotNegative
    """Shortest time from an interval's end to the arrival of its report at the source."""
    report_spread_s: NotNegative
    """Of the part that is drawn for each meter and interval."""
    report_distribution: Distribution

    def delay_s(self, rng: np.random.Generator) -> float:
        """Delay of one report."""
        return self.report_delay_s + drawn_s(rng, spread_s=self.report_spread_s, distribution=self.report_distribution)


@dataclass(frozen=True, kw_only=True)
class IntervalMean:
    """Means over one whole interval."""

    end_s: float
    mean: FloatArray
    """Over the quantities, in their order."""


class IntervalMeans:
    """Time-weighted means of stepwise constant quantities. An interval that was not watched from its start gives no
    mean."""

    def __init__(self, count: int, *, interval_s: float, offset_s: float, begin_s: float) -> None:
        self._interval_s = interval_s
        self._offset_s = offset_s
        self._time_s = begin_s
        self._index = floor((begin_s - offset_s + _TINY_S) / interval_s)
        self._sum = np.zeros(count)
        self._whole = self._index >= 0 and abs(begin_s - self._end_s(self._index - 1)) <= _TINY_S

    def _end_s(self, index: int) -> float:
        return round(self._offset_s + (index + 1) * self._interval_s, 6)

    def add(self, value: FloatArray, *, until_s: float) -> Iterator[IntervalMean]:
        """`value` held since the last call, or the beginning, until `until_s`; the means of intervals that ended.
        Consume it at once."""
        while self._end_s(self._index) <= until_s + _TINY_S:
            end_s = self._end_s(self._index)
            self._sum += value * (end_s - self._time_s)
            if self._whole:
                yield IntervalMean(end_s=end_s, mean=self._sum / self._interval_s)
            self._sum = np.zeros_like(self._sum)
            self._time_s, self._index = end_s, self._index + 1
            self._whole = self._index >= 0
        if until_s > self._time_s:
            self._sum += value * (until_s - self._time_s)
            self._time_s = until_s


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one interval meter reports of one interval."""

    owner: str
    measure_time_s: float
    """End of the interval."""
    index: tuple[int, ...]
    value: tuple[float, ...]


class Reports:
    """Reports on their way from the meters to the source that collects them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Report]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, report: Report, *, due_s: float) -> None:
        """A report that will be there at a time."""
        self._count += 1
        heappush(self._waiting, (due_s, self._count, report))

    def due(self, now_s: float) -> list[Report]:
        """What has come by now: one report for each source and interval, oldest first, with the points of all its
        meters."""
        arrived: dict[tuple[float, str], dict[int, float]] = {}
        while self._waiting and self._waiting[0][0] <= now_s + _TINY_S:
            report = heappop(self._waiting)[2]
            # A frame has a point once: of two reports that say one time (a frozen clock) the later arrival stands.
            shown = arrived.setdefault((report.measure_time_s, report.owner), {})
            shown.update(zip(report.index, report.value, strict=True))
        return [
            Report(
                owner=owner,
                measure_time_s=time_s,
                index=tuple(sorted(shown)),
                value=tuple(shown[index] for index in sorted(shown)),
            )
            for (time_s, owner), shown in sorted(arrived.items())
        ]
