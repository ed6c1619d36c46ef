"""A protective device on a table: currents by hand, poles that obey it, time that goes to whatever is due next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import floor

from hil.plant.gear import Action, Device, Reading

PHASES = (1, 2, 3)


@dataclass(kw_only=True)
class Driven:
    """`amperes(t, closed)` are the phase currents at a time, given the closed poles; `live(t)` the supplied phases."""

    device: Device
    amperes: Callable[[float, frozenset[int]], Mapping[int, float]]
    residual_a: Callable[[float, frozenset[int]], float] = lambda t, closed: 0.0
    live: Callable[[float], frozenset[int]] = lambda t: frozenset(PHASES)
    closed: frozenset[int] = frozenset(PHASES)
    told: list[tuple[float, str, tuple[int, ...]]] = field(default_factory=list)
    """(time, open or close, phases), and (time, note, ()) for every note."""

    def run(self, until_s: float, *, step_s: float = 0.1) -> list[tuple[float, str]]:
        """From 0 in steps on a grid, and to whatever is due between; (time, what) of every move and note."""
        now = 0.0
        self._show(now)
        while now < until_s:
            due = max(self.device.due_s, now + 1e-6)
            now = round(min(due, (floor(now / step_s + 1e-6) + 1) * step_s, until_s), 9)
            for action in self.device.timed(now=now, live=self.live(now)):
                self._obey(action, now=now)
            self._show(now)
        return [(time_s, what) for time_s, what, _ in self.told]

    def _show(self, now: float) -> None:
        while True:
            currents = dict.fromkeys(PHASES, 0.0) | dict(self.amperes(now, self.closed))
            reading = Reading(
                i_a={phase: i if phase in self.closed else 0.0 for phase, i in currents.items()},
                residual_a=self.residual_a(now, self.closed),
                closed=self.closed,
                live=self.live(now),
            )
            actions = self.device.sees(reading, now=now)
            for action in actions:
                self._obey(action, now=now)
            if not actions:
                return

    def _obey(self, action: Action, *, now: float) -> None:
        at = round(now, 3)
        self.told += [(at, what, ()) for what, _ in action.before]
        self.closed = self.closed | action.phases if action.closed else self.closed - action.phases
        if action.phases:
            self.told.append((at, "close" if action.closed else "open", tuple(sorted(action.phases))))
        self.told += [(at, what, ()) for what, _ in action.after]
