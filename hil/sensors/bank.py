"""All sensors of a bench and the channels of their sources: truth in, deliveries out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hil.sensors.binding import channel_for, check, last_of, sensor_for
from hil.sensors.channel import ChannelCounts, Delivery, Frame
from hil.sensors.faults import SensorPlan
from hil.sensors.meter import Meter, name_of
from hil.sensors.scan_class import IntervalMean, IntervalMeans, Report, Reports, ScanClass
from hil.sensors.sensor import Reading
from hil.sensors.streams import Stream, stream_of

_Columns = dict[tuple[float, float, str], dict[int, float]]
"""Value by index of what stands in one frame, by (time sent, measure time, owner)."""


class SensorBank:
    """Reads meters when their class says so. The order of meters and the company they are in change no draw."""

    def __init__(
        self, meters: Sequence[Meter], *, plan: SensorPlan, seed: int, drop_out_frac: float, begin_s: float
    ) -> None:
        """Raises InputError where the plan means what is not there. Names of points are unique."""
        check(plan, meters)
        self._meters = tuple(meters)
        names = [name_of(meter.point) for meter in meters]
        self._row = {name: row for row, name in enumerate(names)}
        self._sensors = [sensor_for(meter, plan, seed=seed, drop_out_frac=drop_out_frac) for meter in meters]
        self.owners = tuple(dict.fromkeys(meter.owner for meter in meters))
        self._index: list[int] = []
        of_owner: dict[str, list[str]] = {owner: [] for owner in self.owners}
        for meter, name in zip(meters, names, strict=True):
            self._index.append(len(of_owner[meter.owner]))
            of_owner[meter.owner].append(name)
        self._channels = {
            owner: channel_for(owner, plan, points=points, seed=seed) for owner, points in of_owner.items()
        }
        self._classes: dict[ScanClass | None, list[int]] = {}
        self._of_interval_meter: dict[str, list[int]] = {}
        for row, meter in enumerate(meters):
            if meter.interval_meter:
                self._of_interval_meter.setdefault(meter.interval_meter, []).append(row)
            else:
                self._classes.setdefault(last_of(plan.scan_classes, meter), []).append(row)
        self._at_every_scan = self._classes.pop(None, [])
        self._observed_s = begin_s
        self._polled = False
        self._outgoing: _Columns = {}
        self._reports = Reports()
        self._intervals = plan.intervals
        self._means = self._means_from(begin_s)
        self._delay = {
            meter: stream_of(seed, Stream.REPORT_DELAY, name=meter) for meter in sorted(self._of_interval_meter)
        }
        self._averaged = [row for rows in self._of_interval_meter.values() for row in rows]

    def _means_from(self, begin_s: float) -> IntervalMeans | None:
        count = sum(len(rows) for rows in self._of_interval_meter.values())
        if self._intervals is None or not count:
            return None
        return IntervalMeans(
            count, interval_s=self._intervals.interval_s, offset_s=self._intervals.offset_s, begin_s=begin_s
        )

    @property
    def counts(self) -> Mapping[str, ChannelCounts]:
        """What became of the frames of each source."""
        return {owner: channel.counts for owner, channel in self._channels.items()}

    @property
    def on_their_way(self) -> Mapping[str, int]:
        """Frames of each source that have not arrived yet."""
        return {owner: channel.on_their_way for owner, channel in self._channels.items()}

    def read_all(self, now_s: float) -> dict[str, list[tuple[int, float]]]:
        """Every meter that shows what is now, read now, whatever its class: (index, value) by owner."""
        found: dict[str, list[tuple[int, float]]] = {}
        for row, meter in enumerate(self._meters):
            if not meter.interval_meter:
                reading = self._reading(row, time_s=now_s)
                if reading is not None:
                    found.setdefault(meter.owner, []).append((self._index[row], reading.value))
        return found

    def observe(self, now_s: float) -> None:
        """The plant has made a step that ends now: its values enter the means, and the classes that are due in it are
        read. Does nothing for a time that was observed."""
        after_s = self._observed_s
        if now_s <= after_s:
            return
        self._observed_s = now_s
        if self._means is not None:
            truth = np.array([self._meters[row].read() for row in self._averaged])
            for mean in self._means.add(truth, until_s=now_s):
                self._report(mean)
        for scan_class, rows in self._classes.items():
            due_s = scan_class.due_s(after_s=after_s, until_s=now_s) if self._polled and scan_class else now_s
            if due_s is not None:
                self._collect(rows, time_s=due_s)
        self._polled = True
        for report in self._reports.due(now_s):
            frame = self._outgoing.setdefault((now_s, report.measure_time_s, report.owner), {})
            frame.update(zip(report.index, report.value, strict=True))

    def deliveries(self, now_s: float) -> dict[str, tuple[Delivery, ...]]:
        """What arrives of each source until now; points in no class are read now. Sources of which nothing arrives are
        left out."""
        self.observe(now_s)
        self._collect(self._at_every_scan, time_s=now_s)
        for key in sorted(self._outgoing):
            sent_s, measure_time_s, owner = key
            shown = self._outgoing[key]
            index = tuple(sorted(shown))
            frame = Frame(measure_time_s=measure_time_s, index=index, value=tuple(shown[k] for k in index))
            self._channels[owner].send(frame, sent_s)
        self._outgoing.clear()
        arrived = {owner: tuple(channel.due(now_s)) for owner, channel in self._channels.items()}
        return {owner: deliveries for owner, deliveries in arrived.items() if deliveries}

    # ---- one reading ----------------------------------------------------------------------------------------

    def _reading(self, row: int, *, time_s: float) -> Reading | None:
        meter, sensor = self._meters[row], self._sensors[row]
        phase = sensor.phase_at(meter.point.phase, time_s=time_s)
        if phase != meter.point.phase:  # the leads of two phases are exchanged
            meter = self._meters[self._row[name_of(meter.point, phase=phase)]]
        return sensor.read(meter.read(), time_s=time_s)

    def _collect(self, rows: Iterable[int], *, time_s: float) -> None:
        for row in rows:
            reading = self._reading(row, time_s=time_s)
            if reading is not None:
                key = (time_s, reading.measure_time_s, self._meters[row].owner)
                self._outgoing.setdefault(key, {})[self._index[row]] = reading.value

    def _report(self, mean: IntervalMean) -> None:
        """What the interval meters make of the interval that ended, and when each of them is heard."""
        assert self._intervals is not None
        value = dict(zip(self._averaged, mean.mean.tolist(), strict=True))
        for name, rows in self._of_interval_meter.items():
            due_s = mean.end_s + self._intervals.delay_s(self._delay[name])
            by_time: dict[tuple[float, str], list[tuple[int, float]]] = {}
            for row in rows:
                point, sensor = self._meters[row].point, self._sensors[row]
                phase = sensor.phase_at(point.phase, time_s=mean.end_s)
                truth = value[self._row[name_of(point, phase=phase)]]
                reading = sensor.read(truth, time_s=mean.end_s)
                if reading is not None:
                    key = (reading.measure_time_s, self._meters[row].owner)
                    by_time.setdefault(key, []).append((self._index[row], reading.value))
            for (time_s, owner), pairs in by_time.items():
                index, shown = zip(*pairs, strict=True)
                self._reports.add(Report(owner=owner, measure_time_s=time_s, index=index, value=shown), due_s=due_s)
