"""Latency from sensor to actuator, command by command, by the way that it takes."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

READINGS_KEPT = 64
"""Per device: more than lie between two rounds."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One command on its way. All in feeder seconds, which run at wall speed."""

    path: str
    """grpc, sunspec or dnp3."""
    device_id: str
    measured_s: float
    """When the newest reading of this device was taken that the round's picture could hold."""
    decided_s: float
    """Time of the round."""
    actuated_s: float
    """When it stood in the device: the last register written, the control operated, the lease taken."""

    @property
    def sensor_to_actuator_s(self) -> float:
        """The whole way."""
        return self.actuated_s - self.measured_s

    @property
    def decision_to_actuator_s(self) -> float:
        """The way down."""
        return self.actuated_s - self.decided_s


@dataclass(frozen=True, kw_only=True)
class PathLatency:
    """Of one way."""

    path: str
    commands: int
    p50_s: float
    p99_s: float
    worst_s: float
    """Of the whole way."""
    down_p50_s: float
    down_p99_s: float
    """From the round to the device."""

    @property
    def in_words(self) -> str:
        """For a report."""
        return (
            f"{self.path}: {self.commands} commands, sensor to actuator p50 {self.p50_s:.3f} s, "
            f"p99 {self.p99_s:.3f} s, worst {self.worst_s:.3f} s; decision to actuator p50 {self.down_p50_s:.3f} s, "
            f"p99 {self.down_p99_s:.3f} s"
        )


class Latencies:
    """Puts together what the bench sees of each command. Tell of readings and rounds before what they lead to."""

    def __init__(self) -> None:
        self.passages: list[Passage] = []
        self._read: dict[str, deque[float]] = {}
        self._checked: dict[str, deque[float]] = {}
        self._decided: dict[str, list[float]] = {}
        self.stood = 0
        """Decisions that asked for what the device did already: looked at, not written."""

    @property
    def unanswered(self) -> int:
        """Decisions that have not been seen at a device."""
        return sum(len(times) for times in self._decided.values())

    def read(self, device_id: str, times_s: Iterable[float]) -> None:
        """A device was read at these times, in order."""
        self._read.setdefault(device_id, deque(maxlen=READINGS_KEPT)).extend(times_s)

    def checked(self, device_id: str, times_s: Iterable[float]) -> None:
        """Somebody looked at these times, in order, whether a device does what it was told."""
        self._checked.setdefault(device_id, deque(maxlen=READINGS_KEPT)).extend(times_s)

    def round(self, time_s: float, *, devices: Iterable[str]) -> None:
        """A round of this time commands these devices."""
        for device_id in devices:
            self._decided.setdefault(device_id, []).append(time_s)

    def actuated(self, device_id: str, *, path: str, time_s: float) -> None:
        """A device was moved. Of several rounds that asked for it, it answers the first that was not found to stand
        already: which one it was cannot be seen, and a slow way shall not look like a fast one. Without a round that
        asked for it, or a reading before that, nothing is counted."""
        waiting = self._decided.get(device_id, [])
        answered = [decided_s for decided_s in waiting if decided_s <= time_s]
        if not answered:
            return
        self._decided[device_id] = waiting[len(answered) :]
        while len(answered) > 1 and self._looked_at(device_id, answered[0], answered[1]):
            self.stood += 1
            answered = answered[1:]
        decided_s, times = answered[0], list(self._read.get(device_id, ()))
        place = bisect_right(times, decided_s)
        if place == 0:
            return
        self.passages.append(
            Passage(
                path=path,
                device_id=device_id,
                measured_s=times[place - 1],
                decided_s=decided_s,
                actuated_s=time_s,
            )
        )

    def _looked_at(self, device_id: str, from_s: float, until_s: float) -> bool:
        return any(from_s <= time_s < until_s for time_s in self._checked.get(device_id, ()))

    def summary(self) -> Mapping[str, PathLatency]:
        """By path; paths without a command are left out."""
        return {path: self._of(path) for path in sorted({each.path for each in self.passages})}

    def _of(self, path: str) -> PathLatency:
        mine = [each for each in self.passages if each.path == path]
        whole = np.array([each.sensor_to_actuator_s for each in mine])
        down = np.array([each.decision_to_actuator_s for each in mine])
        return PathLatency(
            path=path,
            commands=len(mine),
            p50_s=float(np.percentile(whole, 50.0)),
            p99_s=float(np.percentile(whole, 99.0)),
            worst_s=float(whole.max()),
            down_p50_s=float(np.percentile(down, 50.0)),
            down_p99_s=float(np.percentile(down, 99.0)),
        )
