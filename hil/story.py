"""The run as events for people: JSON lines on stdout, and the rows of the report's story."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from hil.plant.events import PlantEvent

_WORDS = {
    "fault": "fault on {element}: {text}",
    "trip": "{element} trips ({text})",
    "reclose": "{element} recloses ({text})",
    "lockout": "{element} locks out ({text})",
    "opened": "{element} opens",
    "closed": "{element} closes",
    "stuck": "{element} is told to move and {text}",
    "evolved": "the fault on {element} is now {text}",
    "cleared": "the fault on {element} is gone",
    "sectionalise": "{element} opens while dead: {text}",
    "fuse": "fuse {element} blows: {text}",
    "tap": "{element} taps {text}",
    "capacitor": "{element} {text}",
    "indicator": "fault indicator at {element}: {text}",
    "der_trip": "{element} trips on voltage",
    "der_return": "{element} returns to service",
}


_TOLD = (
    "fault",
    "evolved",
    "cleared",
    "trip",
    "reclose",
    "lockout",
    "sectionalise",
    "fuse",
    "opened",
    "closed",
    "stuck",
    "tap",
    "capacitor",
)
"""What the report's story has of what the plant does; DER and indicators only go to the display."""


def in_words(event: PlantEvent) -> str:
    """One line about a plant event."""
    return _WORDS[event.what].format(element=event.element, text=event.text)


@dataclass(kw_only=True)
class Story:
    """Collects and prints what happens. Times are feeder seconds."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    rows: list[tuple[float, str, str]] = field(default_factory=list)
    """(time, what, why) for the report."""
    moves: list[tuple[float, str, str, str, str]] = field(default_factory=list)
    """(time, device, setpoint, app, reason) of latched commands."""
    refusals: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """How often (device, guard, reason) was refused."""
    lease_count: int = 0

    def emit(self, event: str, *, time_s: float, **fields: Any) -> None:
        """One JSON line."""
        line = {"event": event, "t": round(time_s, 3), **fields}
        self.out.write(json.dumps(line, separators=(",", ":")) + "\n")
        self.out.flush()

    def step(self, what: str, *, time_s: float, why: str = "") -> None:
        """A step of the story."""
        self.rows.append((time_s, what, why))
        self.emit("story", time_s=time_s, text=what, why=why)

    def plant(self, event: PlantEvent) -> None:
        """Something that the plant did by itself or was made to do; DER and indicators only go to the display."""
        text = in_words(event)
        if event.what in {*_TOLD}:
            self.rows.append((event.time_s, text, {"command": "by command"}.get(event.by, event.by)))
        self.emit("plant", time_s=event.time_s, element=event.element, what=event.what, text=text, by=event.by)

    def move(self, *, time_s: float, device: str, setpoint: str, app: str, reason: str) -> None:
        """A latched command of the service."""
        self.moves.append((time_s, device, setpoint, app, reason))
        self.emit("move", time_s=time_s, device=device, setpoint=setpoint, app=app, reason=reason)

    def refusal(self, *, device: str, guard: str, reason: str) -> None:
        """Something that the gate refused."""
        key = (device, guard, reason)
        self.refusals[key] = self.refusals.get(key, 0) + 1
