"""When rounds happen: on ticks aligned to the period since 1970, so that every process and every run has the same."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adms.runtime.clock import Clock, VirtualClock

ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One due time."""

    time: datetime
    skipped: int = 0
    """Aligned ticks that passed while the round before was still running."""
    early: bool = False
    """An event pulled this look forward."""


def next_tick(after: datetime, *, period: timedelta) -> datetime:
    """First aligned time later than `after`."""
    return ORIGIN + ((after - ORIGIN) // period + 1) * period


class Scheduler:
    """Runs rounds, one after the other. A round that overruns resumes on the next aligned tick."""

    def __init__(self, clock: Clock, *, period: timedelta, early_gap: timedelta) -> None:
        self._clock = clock
        self._period = period
        self._early_gap = early_gap
        self._pull = asyncio.Event()

    def pull_forward(self) -> None:
        """An event happened: look soon. Without effect on a virtual clock, where rounds stay on their ticks so that
        two runs are equal."""
        if not self._clock.virtual:
            self._pull.set()

    async def run(self, round_once: Callable[[Tick], Awaitable[None]]) -> None:
        """Runs until cancelled."""
        if isinstance(self._clock, VirtualClock):
            await self._clock.begun()
        last = self._clock.now()
        last_aligned = last
        while True:
            due = next_tick(max(last, last_aligned), period=self._period)
            early = await self._wait(due, earliest=last + self._early_gap)
            now = self._clock.now()
            if early:
                await round_once(Tick(time=now, early=True))
                last = self._clock.now()
                continue
            skipped = (due - next_tick(last_aligned, period=self._period)) // self._period
            await round_once(Tick(time=due, skipped=max(0, skipped)))
            last_aligned = due
            last = self._clock.now()

    async def _wait(self, due: datetime, *, earliest: datetime) -> bool:
        """True when an event ended the wait before `due`."""
        if self._clock.virtual:
            await self._clock.sleep_until(due)
            return False
        sleeping = asyncio.ensure_future(self._clock.sleep_until(due))
        pulled = asyncio.ensure_future(self._pull.wait())
        try:
            await asyncio.wait({sleeping, pulled}, return_when=asyncio.FIRST_COMPLETED)
            early = pulled.done() and not sleeping.done() and earliest < due
            if early:
                await self._clock.sleep_until(earliest)
            elif not sleeping.done():
                await sleeping
            self._pull.clear()
            return early
        finally:
            sleeping.cancel()
            pulled.cancel()
