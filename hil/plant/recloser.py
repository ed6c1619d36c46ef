"""Reclosers and breakers: inverse or definite time, fast and slow operations, dead times, reclaim, lockout."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from hil.plant.curves import Curve, Timer
from hil.plant.gear import GROUND, Action, DeviceStatus, Reading, named

NO_CURRENT_FRAC = 0.01
"""Of the phase pickup: a device that carries less in every phase counts as without load."""


@dataclass(frozen=True, kw_only=True)
class Overcurrent:
    """One element: phase, or ground."""

    pickup_a: float
    fast: Curve
    slow: Curve


@dataclass(frozen=True, kw_only=True)
class ColdLoadRestraint:
    """For a while after load comes back, every pickup is raised: inrush and cold load are no fault."""

    after_outage_s: float
    """Without current for at least so long; 0 restrains after every closing."""
    pickup_frac: float
    """The pickup is so many times its setting"""
    for_s: float
    """for so long."""


@dataclass(frozen=True, kw_only=True)
class RecloserSettings:
    """Settings of one recloser or breaker."""

    sequence: tuple[str, ...]
    """"fast" or "slow" of each trip; after the last it locks out. One entry is a breaker that does not reclose."""
    dead_s: tuple[float, ...]
    """Open time before each reclosing: one fewer than trips."""
    phase: Overcurrent | None
    ground: Overcurrent | None
    reclaim_s: float
    """So long after a closing and without a pick-up the sequence starts again."""
    manual_block_s: float
    """A trip so soon after a commanded close locks out at once."""
    interrupting_s: float = 0.0
    """From the end of timing until the contacts are open and the arc is out."""
    single_pole: bool = False
    """Each phase trips and recloses by itself; otherwise all go together."""
    single_pole_lockout: bool = False
    """With single poles: a lockout leaves the other phases closed; otherwise it opens them."""
    restraint: ColdLoadRestraint | None = None


class _Poles:
    """The poles that move together: all, or one phase."""

    def __init__(self, phases: frozenset[int], *, elements: tuple[int, ...]) -> None:
        self.phases = phases
        self.timers = {element: Timer() for element in elements}
        self.trips = 0
        """In this sequence."""
        self.opens_at = inf
        self.recloses_at = inf
        self.last_close: float | None = None
        self.by_hand_at = -inf
        self.locked = False

    @property
    def waits(self) -> bool:
        return self.opens_at < inf or self.recloses_at < inf


class Recloser:
    """One recloser or breaker. After its own trip a timer starts from nothing; a current that drops below pickup
    before lets it reset by its curve."""

    def __init__(self, element: str, *, phases: tuple[int, ...], settings: RecloserSettings) -> None:
        self.element = element
        self.settings = settings
        elements = ((*phases,) if settings.phase is not None else ()) + ((GROUND,) if settings.ground else ())
        if settings.single_pole:
            self._groups = tuple(_Poles(frozenset((phase,)), elements=(phase,)) for phase in phases)
        else:
            self._groups = (_Poles(frozenset(phases), elements=elements),)
        self.shots = 0
        """Reclosings of the present sequence."""
        self.trips = 0
        """Since the run began."""
        self.targets: frozenset[int] = frozenset()
        self._now = 0.0
        self._without_load_since: float | None = None
        self._restrained_until = -inf

    @property
    def lockout(self) -> bool:
        """Locked out, in single-pole service with any pole."""
        return any(group.locked for group in self._groups)

    @property
    def busy(self) -> bool:
        """Something is timing: look closely."""
        return any(group.waits or any(t.picked_up for t in group.timers.values()) for group in self._groups)

    @property
    def due_s(self) -> float:
        """When it next trips, opens or recloses if nothing changes."""
        waiting = [min(group.opens_at, group.recloses_at) for group in self._groups]
        timing = [
            self._now + timer.remaining_s
            for group in self._groups
            if group.opens_at == inf
            for timer in group.timers.values()
        ]
        restrained = self._restrained_until if self._restrained_until > self._now and self.busy else inf
        return min((*waiting, *timing, restrained), default=inf)

    def timed(self, *, now: float, live: frozenset[int]) -> list[Action]:
        """Contacts that open and poles that reclose now."""
        actions: list[Action] = []
        for group in self._groups:
            if now >= group.opens_at - 1e-9:
                actions += self._open(group, now=group.opens_at)
            if now >= group.recloses_at - 1e-9:
                group.recloses_at = inf
                group.last_close = now
                told = f"shot {group.trips}" + self._of(group)
                actions.append(
                    Action(element=self.element, closed=True, phases=group.phases, before=(("reclose", told),))
                )
        return actions

    def sees(self, reading: Reading, *, now: float) -> list[Action]:
        """Integrate up to now with the currents held, take the new ones, trip what has timed out."""
        dt_s, self._now = now - self._now, now
        self._restrain(reading, now=now)
        actions: list[Action] = []
        for group in self._groups:
            closed = bool(group.phases & reading.closed) and not group.locked
            for element, timer in group.timers.items():
                timer.elapse(dt_s)
                if closed and group.opens_at == inf:
                    timer.hold(self._multiple(element, reading=reading, now=now), curve=self._curve(element, group))
            if not closed or group.opens_at < inf:
                continue
            if any(timer.done for timer in group.timers.values()):
                actions += self._trip(group, now=now)
            elif not any(timer.picked_up for timer in group.timers.values()):
                self._reclaim(group, now=now)
        return actions

    def operated(self, *, closed: bool, now: float) -> None:
        """Somebody commanded it: reclosing is off; a close starts a new sequence and ends a lockout."""
        for group in self._groups:
            group.opens_at = group.recloses_at = inf
            for timer in group.timers.values():
                timer.restart()
            if closed:
                group.locked = False
                group.trips = 0
                group.by_hand_at = group.last_close = now
        if closed:
            self.shots = 0

    def status(self, *, closed: frozenset[int]) -> DeviceStatus:
        """What it tells."""
        return DeviceStatus(
            kind="recloser", closed=closed, lockout=self.lockout, trips=self.trips, targets=self.targets
        )

    # ---- the sequence ---------------------------------------------------------------------------------------

    def _curve(self, element: int, group: _Poles) -> Curve:
        overcurrent = self._element(element)
        sequence = self.settings.sequence
        return overcurrent.fast if sequence[min(group.trips, len(sequence) - 1)] == "fast" else overcurrent.slow

    def _element(self, element: int) -> Overcurrent:
        found = self.settings.ground if element == GROUND else self.settings.phase
        if found is None:
            raise KeyError(f"{self.element} has no such element: {element}")
        return found

    def _multiple(self, element: int, *, reading: Reading, now: float) -> float:
        current_a = reading.residual_a if element == GROUND else reading.i_a.get(element, 0.0)
        restraint = self.settings.restraint
        raised = restraint.pickup_frac if restraint is not None and now < self._restrained_until else 1.0
        return current_a / (self._element(element).pickup_a * raised)

    def _restrain(self, reading: Reading, *, now: float) -> None:
        restraint = self.settings.restraint
        if restraint is None:
            return
        least_a = NO_CURRENT_FRAC * self._element(next(iter(self._groups[0].timers))).pickup_a
        if max(reading.i_a.values(), default=0.0) < least_a:
            if self._without_load_since is None:
                self._without_load_since = now
        elif self._without_load_since is not None:
            if now - self._without_load_since >= restraint.after_outage_s - 1e-9:
                self._restrained_until = now + restraint.for_s
            self._without_load_since = None

    def _trip(self, group: _Poles, *, now: float) -> list[Action]:
        self.targets = frozenset(element for element, timer in group.timers.items() if timer.done)
        self.trips += 1
        for timer in group.timers.values():
            timer.restart()
        told = (("trip", f"overcurrent, {named(self.targets)}"),)
        trip = Action(element=self.element, closed=False, phases=frozenset(), before=told)
        group.opens_at = now + self.settings.interrupting_s
        return [trip, *self._open(group, now=now)] if self.settings.interrupting_s <= 0.0 else [trip]

    def _open(self, group: _Poles, *, now: float) -> list[Action]:
        group.opens_at = inf
        group.trips += 1
        by_hand = now - group.by_hand_at < self.settings.manual_block_s
        if not by_hand and group.trips < len(self.settings.sequence):
            group.recloses_at = now + self.settings.dead_s[group.trips - 1]
            self.shots = max(self.shots, group.trips)
            return [Action(element=self.element, closed=False, phases=group.phases)]
        reclosings = group.trips - 1
        locked = (("lockout", f"after {reclosings} reclosings" + self._of(group)),)
        together = self._groups if not self.settings.single_pole_lockout else (group,)
        for other in together:
            other.locked = True
            other.opens_at = other.recloses_at = inf
            for timer in other.timers.values():
                timer.restart()
        phases = frozenset().union(*(other.phases for other in together))
        return [Action(element=self.element, closed=False, phases=phases, after=locked)]

    def _reclaim(self, group: _Poles, *, now: float) -> None:
        if group.last_close is not None and now - group.last_close > self.settings.reclaim_s:
            group.trips = 0
            self.shots = max(other.trips for other in self._groups)

    def _of(self, group: _Poles) -> str:
        return f", {named(group.phases)}" if self.settings.single_pole else ""
