"""Sectionalisers: they interrupt no fault, but count how often an upstream device did, and open while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from hil.plant.gear import Action, DeviceStatus, Reading, named


@dataclass(frozen=True, kw_only=True)
class SectionaliserSettings:
    """Settings of one sectionaliser."""

    count_a: float
    """A phase that carried more than this and then lost its supply is counted."""
    counts: int
    """It opens in the dead time after so many."""
    opens_after_s: float
    """From the interruption that completes the count; must be shorter than the dead time."""
    forgets_after_s: float
    """Without a further count for so long the count starts again."""


class Sectionaliser:
    """One sectionaliser; all poles together. With voltage restraint: a current that stops while the supply stays was
    cleared downstream, and is not counted."""

    def __init__(self, element: str, *, phases: tuple[int, ...], settings: SectionaliserSettings) -> None:
        self.element = element
        self.settings = settings
        self.counted = 0
        self.lockout = False
        """It has opened on its count and nobody has closed it since."""
        self.trips = 0
        """Interruptions counted since the run began."""
        self.targets: frozenset[int] = frozenset()
        self._phases = frozenset(phases)
        self._armed: frozenset[int] = frozenset()
        self._counted_at = -inf
        self._opens_at = inf

    @property
    def busy(self) -> bool:
        """A count is running or an opening is due."""
        return bool(self._armed) or self._opens_at < inf

    @property
    def due_s(self) -> float:
        """When it opens."""
        return self._opens_at

    def timed(self, *, now: float, live: frozenset[int]) -> list[Action]:
        """Open now if the line is still dead; where the supply has come back it stays closed until the next count."""
        if now < self._opens_at - 1e-9:
            return []
        self._opens_at = inf
        if self.targets & live:
            return []
        self.lockout = True
        told = (("sectionalise", f"after {self.counted} interruptions, {named(self.targets)}"),)
        return [Action(element=self.element, closed=False, phases=self._phases, before=told)]

    def sees(self, reading: Reading, *, now: float) -> list[Action]:
        """Arm on a fault current; count when the supply goes."""
        if not reading.closed:
            self._armed = frozenset()
            return []
        if self.counted and now - self._counted_at > self.settings.forgets_after_s:
            self.counted = 0
        lost = self._armed - reading.live
        if lost:
            self.counted += 1
            self.trips += 1
            self.targets = lost
            self._counted_at = now
            if self.counted >= self.settings.counts:
                self._opens_at = now + self.settings.opens_after_s
        self._armed = frozenset(phase for phase, i_a in reading.i_a.items() if i_a > self.settings.count_a)
        return []

    def operated(self, *, closed: bool, now: float) -> None:
        """Somebody commanded it: what was counted is forgotten."""
        self._armed, self._opens_at, self.counted = frozenset(), inf, 0
        if closed:
            self.lockout = False

    def status(self, *, closed: frozenset[int]) -> DeviceStatus:
        """What it tells."""
        return DeviceStatus(
            kind="sectionaliser", closed=closed, lockout=self.lockout, trips=self.trips, targets=self.targets
        )
