"""Watches from outside the rounds that they happen. Wall time only: granted rounds cannot be late."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from adms.ports.outward import Health, Metrics
from adms.runtime.clock import Clock
from adms.runtime.modes import ModeChange, ModeKeeper

log = structlog.get_logger()

LATE_PERIODS = 3


class Watchdog:
    """Demotes and reports when no round has ended for too long."""

    def __init__(
        self,
        clock: Clock,
        *,
        period: timedelta,
        modes: ModeKeeper,
        health: Health,
        metrics: Metrics,
        carry: Callable[[ModeChange], None],
    ) -> None:
        self._clock = clock
        self._period = period
        self._modes = modes
        self._health = health
        self._metrics = metrics
        self._carry = carry
        self._last: datetime = clock.now()

    def fed(self) -> None:
        """A round ended: called after the work, never before."""
        self._last = self._clock.now()

    def look(self) -> bool:
        """True while rounds end in time; otherwise demotes and says so."""
        late = self._clock.now() - self._last
        if late <= LATE_PERIODS * self._period:
            return True
        reason = f"no round has ended for {late.total_seconds():.1f} s"
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
            await self._clock.sleep_until(self._clock.now() + self._period)
            self.look()
