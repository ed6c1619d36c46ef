"""What a person sees of the run: a value that the bench's events change. No terminal and no process in here."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Reasons that only say who wrote the story.
UNTOLD = {"story", "scenario"}
# What the feeder does that is part of the story.
PLANT_BEATS = {"fault", "trip", "reclose", "lockout", "opened", "closed"}

MOVES_SHOWN = 6
BEATS_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Voltage:
    """An extreme voltage and where it is."""

    v_pu: float
    node: str
    within: bool
    """Inside the feeder's normal limits."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """A command that the service sent, and why."""

    time_s: float
    app: str
    device: str
    setpoint: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Beat:
    """One step of the story."""

    time_s: float
    text: str
    strong: bool = False


@dataclass(kw_only=True)
class Scene:
    """Everything on the screen. None is "not known now"."""

    feeder: str = ""
    duration_s: float = 0.0
    time_s: float = 0.0
    mode: str = ""
    grade: str = ""
    estimate_ms: float | None = None
    """Wall time of the newest estimate."""
    lowest: Voltage | None = None
    highest: Voltage | None = None
    losses_w: float | None = None
    import_w: float | None = None
    import_max_w: float | None = None
    import_peak_w: float = 0.0
    customers_off: int | None = None
    service_up: bool = True
    moves: deque[Move] = field(default_factory=lambda: deque(maxlen=MOVES_SHOWN))
    beats: deque[Beat] = field(default_factory=lambda: deque(maxlen=BEATS_SHOWN))
    v_min_pu: float = 0.0
    v_max_pu: float = float("inf")

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in one event of the bench (hil/README.md); an unknown one changes nothing."""
        self.time_s = max(self.time_s, float(event.get("t", 0.0)))
        match event.get("event"):
            case "start":
                self._start(event)
            case "scan":
                self._scan(event)
            case "move":
                self.moves.append(move_of(event))
            case "plant" | "story":
                beat = beat_of(event)
                if beat is not None:
                    self.beats.append(beat)

    def _start(self, event: Mapping[str, Any]) -> None:
        self.feeder = str(event["feeder"])
        self.duration_s = float(event["duration_s"])
        self.v_min_pu, self.v_max_pu = float(event["v_min_pu"]), float(event["v_max_pu"])

    def _scan(self, event: Mapping[str, Any]) -> None:
        self.mode = str(event.get("mode") or "").lower()
        self.grade = str(event.get("grade") or "").lower()
        self.estimate_ms = event.get("estimate_ms")
        self.lowest = self._voltage(event.get("v_min_pu"), event.get("v_min_node"))
        self.highest = self._voltage(event.get("v_max_pu"), event.get("v_max_node"))
        self.losses_w = event.get("losses_w")
        self.import_w = event.get("import_w")
        self.import_max_w = event.get("import_max_w")
        self.import_peak_w = max(self.import_peak_w, self.import_w or 0.0)
        self.customers_off = event.get("customers_off")
        self.service_up = bool(event.get("service_up", True))

    def _voltage(self, v_pu: float | None, node: str | None) -> Voltage | None:
        if v_pu is None:
            return None
        return Voltage(v_pu=v_pu, node=node or "?", within=self.v_min_pu <= v_pu <= self.v_max_pu)


def move_of(event: Mapping[str, Any]) -> Move:
    """A `move` event."""
    return Move(
        time_s=float(event["t"]),
        app=str(event["app"]),
        device=str(event["device"]),
        setpoint=str(event["setpoint"]),
        reason=str(event["reason"]),
    )


def beat_of(event: Mapping[str, Any]) -> Beat | None:
    """What the event adds to the story; None where it belongs elsewhere (taps are moves, indicators are many)."""
    time_s = float(event["t"])
    match event.get("event"):
        case "story":
            why = f": {event['why']}" if event.get("why") and event["why"] not in UNTOLD else ""
            return Beat(time_s=time_s, text=f"{event['text']}{why}", strong=True)
        case "plant" if event["what"] in PLANT_BEATS:
            return Beat(time_s=time_s, text=str(event["text"]), strong=event["what"] in {"fault", "lockout"})
    return None
