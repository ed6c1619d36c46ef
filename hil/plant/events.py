"""What happens on the feeder, and who is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class PlantEvent:
    """Something that happened on the feeder."""

    time_s: float
    element: str
    what: str
    """fault, evolved, cleared, trip, reclose, lockout, sectionalise, fuse, opened, closed, tap, capacitor, indicator,
    der_trip, der_return."""
    text: str
    by: str
    """command, protection, local, nature."""


class Watcher(Protocol):
    """Is told of every switching before it happens, and of every fault."""

    def switching(self, *, switch: str, closed: bool, by: str, time_s: float, positions: Mapping[str, bool]) -> None:
        """`positions` are those before it."""
        ...

    def faults(self, nodes: frozenset[tuple[str, int]]) -> None:
        """A fault has begun, evolved or gone: (bus, phase) that faults touch from now on."""
        ...
