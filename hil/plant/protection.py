"""Breakers and reclosers that act on current and time, and fault indicators that remember."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hil.engine import ComplexArray
from hil.overlay import SwitchEntry
from hil.plant.circuit import Node, Topology


@dataclass(frozen=True, kw_only=True)
class ProtectionTimes:
    """What the overlay does not say about protection."""

    reclose_dead_s: tuple[float, ...]
    """Open time before each reclosing."""
    reclaim_s: float
    """Closed and quiet for so long: the shots count from the start again."""
    manual_block_s: float
    """A trip so soon after a commanded close locks out at once."""
    indicator_rise_a: float
    """A fault indicator latches when a phase current jumps by more than this"""
    indicator_min_a: float
    """and is above this."""


def why_it_never_trips(
    place: Sequence[Node], *, topology: Topology, closed: Mapping[str, bool], relays: Collection[str]
) -> str:
    """Why a fault at `place` cannot trip anything, however large its current; empty where it can."""
    if topology.energised(closed).isdisjoint(place):
        return "it had no supply when it failed"
    if not topology.energised({**closed, **dict.fromkeys(relays, False)}).isdisjoint(place):
        return "no breaker or recloser stands between it and its source"
    return ""


class Relay:
    """Definite-time phase and ground overcurrent with reclosing. Times are feeder seconds."""

    def __init__(self, switch: SwitchEntry, *, times: ProtectionTimes) -> None:
        self.switch = switch
        self._times = times
        self._picked_up_at: float | None = None
        self._reclose_at: float | None = None
        self._closed_by_hand_at: float | None = None
        self._last_close: float | None = None
        self.shots = 0
        self.lockout = False

    @property
    def busy(self) -> bool:
        """Something is timing: look closely."""
        return self._picked_up_at is not None or self._reclose_at is not None

    def sees(self, currents: ComplexArray, *, now: float) -> bool:
        """Take the phase currents of a closed device; True where it trips now."""
        over = bool(self.switch.pickup_a is not None and (abs(currents) > self.switch.pickup_a).any())
        ground = self.switch.ground_pickup_a
        over = over or bool(ground is not None and abs(currents.sum()) > ground)
        if not over:
            self._picked_up_at = None
            if self._last_close is not None and now - self._last_close > self._times.reclaim_s:
                self.shots = 0
            return False
        if self._picked_up_at is None:
            self._picked_up_at = now
        delay = self.switch.trip_delay_s if self.switch.trip_delay_s is not None else 0.0
        return now - self._picked_up_at >= delay - 1e-9

    def tripped(self, *, now: float) -> None:
        """It has opened on a fault: reclose later, or lock out."""
        self._picked_up_at = None
        by_hand = self._closed_by_hand_at is not None and now - self._closed_by_hand_at < self._times.manual_block_s
        dead = self._times.reclose_dead_s
        if by_hand or self.shots >= min(self.switch.reclose_shots, len(dead)):
            self.lockout = True
            self._reclose_at = None
        else:
            self._reclose_at = now + dead[self.shots]
            self.shots += 1

    def recloses(self, *, now: float) -> bool:
        """True once when the dead time is over."""
        if self._reclose_at is None or now < self._reclose_at - 1e-9:
            return False
        self._reclose_at = None
        self._last_close = now
        return True

    def operated(self, *, closed: bool, now: float) -> None:
        """Somebody commanded it: reclosing is off until it has been closed and quiet."""
        self._reclose_at = None
        self._picked_up_at = None
        if closed:
            self.lockout = False
            self.shots = 0
            self._closed_by_hand_at = now
            self._last_close = now
