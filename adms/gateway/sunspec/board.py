"""Readings on their way to the service: the newest of each point, gathered into frames."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from adms.client import Point, PointKind, Quality
from adms.gateway.sunspec.config import DeviceTable
from adms.gateway.sunspec.reading import Measure, Reading


class Telemetry(Protocol):
    """Where frames go: `adms.client.TelemetrySource`."""

    async def send(
        self, *, measure_time: datetime, values: Mapping[int, float], quality: Mapping[int, Quality] | None = None
    ) -> int:
        """Queues one frame; waits while too many wait for the service."""
        ...


class DevicePoints:
    """The points of one device, by their places in the whole list."""

    def __init__(self, entry: DeviceTable, *, first: int) -> None:
        def of(kind: PointKind, sigma: float | None = None) -> Point:
            return Point(kind=kind, element=entry.device_id, sigma=sigma)

        volts = [
            Point(kind=PointKind.V_MAGNITUDE, element=entry.bus, phase=phase, sigma=entry.sigma_v_v)
            for phase in entry.phases
        ]
        self.points = [
            of(PointKind.REMOTE),
            of(PointKind.P_INJECTION, entry.sigma_p_w),
            of(PointKind.Q_INJECTION, entry.sigma_q_var),
            of(PointKind.P_AVAILABLE),
            *volts,
            *([of(PointKind.SOC)] if entry.energy_wh is not None else []),
        ]
        self._first = first
        self._has_soc = entry.energy_wh is not None

    def values(self, reading: Reading) -> dict[int, Measure]:
        """A reading by place."""
        measures = [Measure(value=float(reading.remote)), reading.p_w, reading.q_var, reading.p_available_w]
        measures += reading.v_v
        if self._has_soc:
            measures.append(reading.soc_frac)
        return {self._first + i: measure for i, measure in enumerate(measures)}

    @property
    def remote(self) -> int:
        """Place of its REMOTE."""
        return self._first


class Board:
    """The newest value of every point, and which of them the service has not been told."""

    def __init__(self, devices: Sequence[DeviceTable]) -> None:
        self._of: dict[str, DevicePoints] = {}
        self.points: list[Point] = []
        for entry in devices:
            made = DevicePoints(entry, first=len(self.points))
            self._of[entry.device_id] = made
            self.points += made.points
        self._known: dict[int, float] = {}
        self._waiting: dict[int, tuple[datetime, float, Quality]] = {}
        self._filled = asyncio.Event()

    def put(self, device_id: str, reading: Reading, *, now: datetime) -> None:
        """A device was read."""
        for place, measure in self._of[device_id].values(reading).items():
            self._put(place, measure, now=now)
        self._filled.set()

    def lost(self, device_id: str, *, now: datetime) -> None:
        """A device does not answer: no commands for it, and what was known of it is stale."""
        mine = self._of[device_id]
        self._put(mine.remote, Measure(value=0.0), now=now)
        for place in range(mine.remote + 1, mine.remote + len(mine.points)):
            self._put(place, Measure(value=None, quality=Quality.STALE), now=now)
        self._filled.set()

    def _put(self, place: int, measure: Measure, *, now: datetime) -> None:
        value = measure.value
        if value is None:
            # A frame carries numbers: the last one known goes with the flag; of a point that never had one nothing is
            # said.
            known = self._known.get(place)
            if known is None:
                return
            value = known
        elif measure.quality is Quality.GOOD:
            self._known[place] = value
        self._waiting[place] = (now, value, measure.quality)

    async def forward(self, telemetry: Telemetry, *, period_s: float) -> None:
        """Sends what is new, again and again, until cancelled."""
        while True:
            await self._filled.wait()
            await self.send(telemetry)
            await asyncio.sleep(period_s)

    async def send(self, telemetry: Telemetry) -> bool:
        """Sends what is new in one frame, measured when the oldest of it was; whether there was something."""
        self._filled.clear()
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return False
        await telemetry.send(
            measure_time=min(time for time, _, _ in waiting.values()),
            values={place: value for place, (_, value, _) in waiting.items()},
            quality={place: quality for place, (_, _, quality) in waiting.items() if quality is not Quality.GOOD},
        )
        return True
