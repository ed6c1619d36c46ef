"""Readings on their way to the service: in order, one frame for each time of measurement."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from adms.client import Quality

FRAMES_MAX = 100
"""Frames that wait while the service takes none; of more only the newest value of each point goes on waiting, so that
what arrives when it takes some again is not old."""
TOGETHER = timedelta(seconds=0.1)
"""Those newest values go together in frames dated by the youngest of them: up to this much fresher than they are, which
is less than the skew that the service allows for."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One value of one point."""

    place: int
    """Of the point in the source's declaration."""
    value: float
    quality: Quality
    time: datetime
    """When it was measured."""


class Source(Protocol):
    """Who takes frames; `adms.client.TelemetrySource`."""

    async def send(
        self, *, measure_time: datetime, values: Mapping[int, float], quality: Mapping[int, Quality] | None = None
    ) -> int:
        """Queues one frame; may wait."""
        ...


@dataclass(kw_only=True)
class _Frame:
    time: datetime
    values: dict[int, float] = field(default_factory=dict)
    quality: dict[int, Quality] = field(default_factory=dict)

    def add(self, reading: Reading) -> None:
        self.values[reading.place] = reading.value
        self.quality.pop(reading.place, None)
        if reading.quality is not Quality.GOOD:
            self.quality[reading.place] = reading.quality


class Outbox:
    """Takes readings without waiting and sends them as the source takes them."""

    def __init__(self) -> None:
        self._frames: deque[_Frame] = deque()
        self._filled = asyncio.Event()

    def put(self, readings: Iterable[Reading]) -> None:
        """Queues readings. Those of one time and of different points go together."""
        for reading in readings:
            last = self._frames[-1] if self._frames else None
            if last is None or last.time != reading.time or reading.place in last.values:
                last = _Frame(time=reading.time)
                self._frames.append(last)
            last.add(reading)
        if len(self._frames) > FRAMES_MAX:
            self._frames = _newest(self._frames)
        if self._frames:
            self._filled.set()

    async def pump(self, source: Source) -> None:
        """Sends what is queued, until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._frames:
                frame = self._frames.popleft()
                await source.send(measure_time=frame.time, values=frame.values, quality=frame.quality)


def _newest(frames: Iterable[_Frame]) -> deque[_Frame]:
    """The newest reading of each point, oldest first."""
    newest: dict[int, Reading] = {}
    for frame in frames:
        for place, value in frame.values.items():
            quality = frame.quality.get(place, Quality.GOOD)
            held = newest.get(place)
            if held is None or frame.time >= held.time:
                newest[place] = Reading(place=place, value=value, quality=quality, time=frame.time)
    folded: deque[_Frame] = deque()
    for reading in sorted(newest.values(), key=lambda reading: (reading.time, reading.place), reverse=True):
        if not folded or folded[0].time - reading.time > TOGETHER:
            folded.appendleft(_Frame(time=reading.time))
        folded[0].add(reading)
    return folded
