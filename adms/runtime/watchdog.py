"""Watches from outside the rounds that they happen, in seconds that nobody sets. Not on a virtual clock: granted rounds
cannot be late."""

from collections.abc import Callable
from typing import Protocol

import structlog

from adms.ports.outward import Health, Metrics
from adms.runtime.modes import ModeChange, ModeKeeper

log = structlog.get_logger()

LATE_PERIODS = 3


class Seconds(Protocol):
    """Monotonic time: a clock that is set neither hides late rounds nor makes any."""

    def seconds(self) -> float:
        """Seconds since an arbitrary start, growing."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after so many."""
        ...


class Watchdog:
    """Demotes and reports when no round has ended for too long."""

    def __init__(
        self,
        stopwatch: Seconds,
        *,
        period_s: float,
        modes: ModeKeeper,
        health: Health,
        metrics: Metrics,
        carry: Callable[[ModeChange], None],
    ) -> None:
        self._stopwatch = stopwatch
        self._period_s = period_s
        self._modes = modes
        self._health = health
        self._metrics = metrics
        self._carry = carry
        self._last_s = stopwatch.seconds()

    def fed(self) -> None:
        """A round ended: called after the work, never before."""
        self._last_s = self._stopwatch.seconds()

    def look(self) -> bool:
        """True while rounds end in time; otherwise demotes and says so."""
        late_s = self._stopwatch.seconds() - self._last_s
        if late_s <= LATE_PERIODS * self._period_s:
            return True
        reason = f"no round has ended for {late_s:.1f} s"
        self._health.serving(ok=False)
        change = self._modes.round_failed(reason)
        if change is not None:
            self._carry(change)
            log.error("watchdog: observing", reason=reason)
        self._metrics.round_dropped(reason="watchdog")
        return False

    async def run(self) -> None:
        """Looks once a period until cancelled."""
        while True:
            await self._stopwatch.sleep(self._period_s)
            self.look()
