"""What a protective device is shown and what it does about it: the words between the plant and its devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

GROUND = 0
"""The ground element among target phases."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a device measures at one instant."""

    i_a: Mapping[int, float]
    """Magnitude by phase; 0 in an open pole."""
    residual_a: float
    """Magnitude of the sum of the phase currents."""
    closed: frozenset[int]
    """Phases whose pole is closed."""
    live: frozenset[int]
    """Phases with a supply at the device's first terminal."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """Poles that move by themselves; without phases only something to tell."""

    element: str
    closed: bool
    phases: frozenset[int]
    before: tuple[tuple[str, str], ...] = ()
    """(what, text) told before the move."""
    after: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeviceStatus:
    """What a device's telemetry can say."""

    kind: str
    """recloser, sectionaliser or fuse."""
    closed: frozenset[int]
    """Phases whose pole is closed."""
    lockout: bool
    trips: int
    """Trips (a sectionaliser: interruptions counted; a fuse: links blown) since the run began."""
    targets: frozenset[int] = field(default_factory=frozenset)
    """Phases (and `GROUND`) that the last trip was for."""


class Device(Protocol):
    """A protective device. Times are feeder seconds."""

    @property
    def busy(self) -> bool:
        """Something is timing: look closely."""
        ...

    @property
    def due_s(self) -> float:
        """When it next does something if nothing changes; infinite for never."""
        ...

    def timed(self, *, now: float, live: frozenset[int]) -> list[Action]:
        """What was waiting for a time that has come; before the feeder is solved. `live` as in `Reading`."""
        ...

    def sees(self, reading: Reading, *, now: float) -> list[Action]:
        """Take the currents from `now` on; what it does at once."""
        ...

    def operated(self, *, closed: bool, now: float) -> None:
        """Somebody commanded it."""
        ...

    def status(self, *, closed: frozenset[int]) -> DeviceStatus:
        """What it tells, `closed` being the phases whose pole is."""
        ...


def named(phases: frozenset[int]) -> str:
    """Phases in words."""
    return ", ".join(
        "ground" if phase == GROUND else f"phase {phase}" for phase in sorted(phases, key=lambda p: p or 9)
    )
