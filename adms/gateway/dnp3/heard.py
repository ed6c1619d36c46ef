"""What one RTU says, as readings of the service's points (the library's sequence-of-events callbacks)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from dnp3.core.flags import IIN, DoubleBitState
from dnp3.master.double_bit import DoubleBitValue
from dnp3.master.handler import AnalogValue, BinaryValue, CounterValue, ResponseInfo

from adms.client import Quality
from adms.gateway.dnp3.config import Object, PointTable
from adms.gateway.dnp3.outbox import Outbox, Reading
from adms.gateway.dnp3.quality import quality_of


class Heard:
    """Turns an RTU's values into readings.

    A value without a time was current when it was asked for, or later: it is dated by the request, `asked`, so that it
    is never taken for fresher than it is. An event has its own time, unless the RTU says that its clock was never set,
    or the time is in the future. A clock that is behind makes events look older than they are, which is the safe way.

    Args:
        points: with their places in the source's declaration.
        outbox: where readings go.
        event_time_ahead_max_s: furthest that an event's time may be ahead of `asked`.
    """

    def __init__(
        self, points: Sequence[tuple[int, PointTable]], *, outbox: Outbox, event_time_ahead_max_s: float
    ) -> None:
        self._at: dict[tuple[Object, int], list[tuple[int, PointTable]]] = {}
        for place, table in points:
            self._at.setdefault((table.object, table.index), []).append((place, table))
        self._tables = dict(points)
        self._outbox = outbox
        self._ahead_max = timedelta(seconds=event_time_ahead_max_s)
        self._last: dict[int, Reading] = {}
        self._polled: set[int] | None = None
        self.asked: datetime
        """When the answer that comes was asked for, or when what comes unasked was awaited until."""
        self.wrong_times = 0
        """Events whose time was impossible."""

    def poll_begins(self) -> None:
        """An integrity poll: from now on it is noticed which points are told."""
        self._polled = set()

    def poll_ended(self) -> list[PointTable]:
        """The points that the poll did not tell. What was known of them is STALE from now on."""
        polled, self._polled = self._polled or set(), None
        untold = [place for place in self._tables if place not in polled]
        self._mark([place for place in untold if place in self._last])
        return [self._tables[place] for place in untold]

    def lost(self, *, now: datetime) -> None:
        """The RTU is gone: what was known of its points is STALE."""
        self._polled = None
        self.asked = now
        self._mark(list(self._last))

    # ---- callbacks of the library -------------------------------------------------------------------------------

    def on_binary_input(self, values: list[BinaryValue], info: ResponseInfo) -> None:
        """Groups 1 and 2."""
        self._binaries(Object.BINARY_INPUT, values, info)

    def on_binary_output(self, values: list[BinaryValue], info: ResponseInfo) -> None:
        """Groups 10 and 11."""
        self._binaries(Object.BINARY_OUTPUT, values, info)

    def on_double_bit_input(self, values: list[DoubleBitValue], info: ResponseInfo) -> None:
        """Groups 3 and 4. Between the ends, and in neither, a position is not known."""
        for each in values:
            known = each.state in (DoubleBitState.ON, DoubleBitState.OFF)
            quality = quality_of(each.quality, analog=False) if known else Quality.INVALID
            on = float(each.state is DoubleBitState.ON)
            self._take(Object.DOUBLE_BIT_INPUT, each.index, on, quality=quality, time=self._time(each.timestamp, info))

    def on_analog_input(self, values: list[AnalogValue], info: ResponseInfo) -> None:
        """Groups 30 and 32."""
        self._analogs(Object.ANALOG_INPUT, values, info)

    def on_analog_output(self, values: list[AnalogValue], info: ResponseInfo) -> None:
        """Groups 40 and 42."""
        self._analogs(Object.ANALOG_OUTPUT, values, info)

    def on_counter(self, values: list[CounterValue], info: ResponseInfo) -> None:
        """Not used."""

    def on_frozen_counter(self, values: list[CounterValue], info: ResponseInfo) -> None:
        """Not used."""

    # ---- to readings --------------------------------------------------------------------------------------------

    def _binaries(self, kind: Object, values: list[BinaryValue], info: ResponseInfo) -> None:
        for each in values:
            quality = quality_of(each.quality, analog=False)
            self._take(kind, each.index, float(each.value), quality=quality, time=self._time(each.timestamp, info))

    def _analogs(self, kind: Object, values: list[AnalogValue], info: ResponseInfo) -> None:
        for each in values:
            quality = quality_of(each.quality, analog=True)
            self._take(kind, each.index, each.value, quality=quality, time=self._time(each.timestamp, info))

    def _take(self, kind: Object, index: int, raw: float, *, quality: Quality, time: datetime) -> None:
        for place, table in self._at.get((kind, index), ()):
            if table.scale is None:
                value = 1.0 - raw if table.invert else raw
            else:
                value = raw * table.scale + table.offset
            self._put(Reading(place=place, value=value, quality=quality, time=time))
            if self._polled is not None:
                self._polled.add(place)

    def _time(self, stamp: datetime | None, info: ResponseInfo) -> datetime:
        if stamp is None:
            return self.asked
        if info.iin & IIN.NEED_TIME or stamp - self.asked > self._ahead_max:
            self.wrong_times += 1
            return self.asked
        return stamp

    def _mark(self, places: Iterable[int]) -> None:
        for place in places:
            last = self._last[place]
            if last.quality is not Quality.STALE:
                self._put(replace(last, quality=Quality.STALE, time=max(last.time, self.asked)))

    def _put(self, reading: Reading) -> None:
        self._last[reading.place] = reading
        self._outbox.put([reading])
