"""Fuses: a link in each phase that melts by the integral of its curve, arcs, clears and stays open."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf

from hil.plant.curves import DONE, FuseLink
from hil.plant.gear import Action, DeviceStatus, Reading, named


@dataclass(frozen=True, kw_only=True)
class FuseSettings:
    """The links of one place."""

    link: FuseLink
    cooling_s: float
    """A link that was heated and did not melt forgets 63 % of it in this time below its melting current."""


class _Link:
    """One phase."""

    def __init__(self) -> None:
        self.melting = 0.0
        self.i_a = 0.0
        self.clears_at = inf
        self.blown = False

    def has_melted(self) -> bool:
        return self.melting >= DONE


class Fuse:
    """Links of one place, each for itself. Heating adds up over the operations of a recloser; a link that has melted
    is open even where somebody else interrupts its arc."""

    def __init__(self, element: str, *, phases: tuple[int, ...], settings: FuseSettings) -> None:
        self.element = element
        self.settings = settings
        self._links = {phase: _Link() for phase in phases}
        self._now = 0.0

    @property
    def blown(self) -> frozenset[int]:
        """Phases whose link is open."""
        return frozenset(phase for phase, link in self._links.items() if link.blown)

    @property
    def lockout(self) -> bool:
        """A fuse does not reclose."""
        return bool(self.blown)

    @property
    def busy(self) -> bool:
        """A link melts or arcs."""
        melt_s = self.settings.link.melt_s
        return any(not k.blown and (k.has_melted() or melt_s(k.i_a) < inf) for k in self._links.values())

    @property
    def due_s(self) -> float:
        """When the next link melts or clears if the currents stay."""
        melt_s = self.settings.link.melt_s
        waiting = [inf]
        for link in self._links.values():
            if link.blown:
                continue
            if link.has_melted():
                waiting.append(link.clears_at)
            elif melt_s(link.i_a) < inf:
                waiting.append(self._now + (DONE - link.melting) * melt_s(link.i_a))
        return min(waiting)

    def timed(self, *, now: float, live: frozenset[int]) -> list[Action]:
        """Arcs that are over."""
        return self._blow(now=now, without_current=frozenset())

    def sees(self, reading: Reading, *, now: float) -> list[Action]:
        """Heat and cool up to now with the currents held, take the new ones, open what has melted and carries none."""
        dt_s, self._now = now - self._now, now
        for phase, link in self._links.items():
            if not link.blown and not link.has_melted():
                self._heat(link, dt_s=dt_s)
                if link.has_melted():
                    link.clears_at = now + self.settings.link.arcing_s(link.i_a)
            link.i_a = reading.i_a.get(phase, 0.0) if phase in reading.closed else 0.0
        dead = frozenset(phase for phase, link in self._links.items() if link.i_a <= 0.0 or phase not in reading.live)
        return self._blow(now=now, without_current=dead)

    def operated(self, *, closed: bool, now: float) -> None:
        """Closing is putting new links in."""
        if closed:
            self._links = {phase: _Link() for phase in self._links}

    def status(self, *, closed: frozenset[int]) -> DeviceStatus:
        """What a fuse with an indicator would tell."""
        return DeviceStatus(kind="fuse", closed=closed, lockout=self.lockout, trips=len(self.blown), targets=self.blown)

    def _heat(self, link: _Link, *, dt_s: float) -> None:
        melt_s = self.settings.link.melt_s(link.i_a)
        if melt_s < inf:
            link.melting += dt_s / melt_s
        else:
            link.melting *= exp(-dt_s / self.settings.cooling_s)

    def _blow(self, *, now: float, without_current: frozenset[int]) -> list[Action]:
        gone = frozenset(
            phase
            for phase, link in self._links.items()
            if link.has_melted() and not link.blown and (now >= link.clears_at - 1e-9 or phase in without_current)
        )
        for phase in gone:
            self._links[phase].blown = True
        if not gone:
            return []
        return [Action(element=self.element, closed=False, phases=gone, before=(("fuse", f"blew, {named(gone)}"),))]
