"""Time. The only module that reads a clock or sleeps; everything else takes a `Clock` or a time."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

BEFORE_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""What a virtual clock says before the first grant."""


class Clock(Protocol):
    """Where time comes from."""

    @property
    def virtual(self) -> bool:
        """True where time is granted."""
        ...

    def now(self) -> datetime:
        """Present time, UTC."""
        ...

    def horizon(self) -> datetime:
        """How far time may move without asking: the grant of a virtual clock, else `now`."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Returns once `now` is at least `moment`."""
        ...


class WallStopwatch:
    """Real seconds, for metrics, time-outs of the edge and the watchdog: never for a decision."""

    def seconds(self) -> float:
        """Seconds of the monotonic clock."""
        return _monotonic_s()

    async def sleep(self, seconds: float) -> None:
        """Returns after so many."""
        await asyncio.sleep(seconds)


SLEW_FRAC = 0.05
"""How fast `WallClock` follows the machine's clock: a second takes 20 s."""


def _monotonic_s() -> float:
    """Seconds that nobody sets; where the machine can tell, those that it slept count too."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class WallClock:
    """The machine's clock as it was at the start, carried on by the monotonic one: it never goes back and never jumps.

    A clock that was set while the service runs is followed by 5 % at most, so that small corrections take effect and
    rounds, leases and deadlines keep their lengths. Until it has caught up, telemetry that carries the machine's new
    time is STALE (set back) or INVALID (set forward by more than `clock_skew_max_s`), and the mode falls to OBSERVE:
    after a large correction start the service again.
    """

    virtual = False

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_s: Callable[[], float] = _monotonic_s,
    ) -> None:
        self._wall = wall
        self._monotonic_s = monotonic_s
        self._now = wall()
        self._at_s = monotonic_s()

    def now(self) -> datetime:
        """Present time, UTC."""
        at_s = self._monotonic_s()
        passed_s = max(0.0, at_s - self._at_s)
        carried = self._now + timedelta(seconds=passed_s)
        off_s = (self._wall() - carried).total_seconds()
        most_s = SLEW_FRAC * passed_s
        self._now = carried + timedelta(seconds=min(max(off_s, -most_s), most_s))
        self._at_s = max(at_s, self._at_s)
        return self._now

    def horizon(self) -> datetime:
        """Equal to `now`."""
        return self.now()

    async def sleep_until(self, moment: datetime) -> None:
        """Sleeps in real time."""
        while (left_s := (moment - self.now()).total_seconds()) > 0.0:  # noqa: ASYNC110 (nothing sets an event)
            await asyncio.sleep(left_s)


class VirtualClock:
    """Time that somebody grants. One task sleeps on it; a grant runs that task's wake-ups one by one."""

    virtual = True

    def __init__(self, *, start: datetime | None = None) -> None:
        self._now = start or BEFORE_TIME
        self._horizon = self._now
        self._started = start is not None
        self._begun = asyncio.Event()
        if self._started:
            self._begun.set()
        self._asleep = asyncio.Event()
        self._wake_at = self._now
        self._wake: asyncio.Future[None] | None = None

    @property
    def started(self) -> bool:
        """False before the first grant."""
        return self._started

    def now(self) -> datetime:
        """The time granted so far, or that of the wake-up being run."""
        return self._now

    def horizon(self) -> datetime:
        """The time granted."""
        return self._horizon

    async def begun(self) -> None:
        """Returns once the first grant has said what time it is."""
        await self._begun.wait()

    async def sleep_until(self, moment: datetime) -> None:
        """Waits for a grant up to `moment`, then it is `moment` (or later, where it had passed)."""
        if self._wake is not None:
            raise RuntimeError("one sleeper at a time on a virtual clock")
        self._wake = asyncio.get_running_loop().create_future()
        self._wake_at = moment
        self._asleep.set()
        try:
            await self._wake
        finally:
            self._wake = None

    async def advance_to(self, moment: datetime) -> None:
        """Grants time up to `moment` and returns when everything due has been done. The first grant sets the time to
        just before `moment`, so that only what is due at `moment` itself is done. A grant that is cancelled ends where
        it has come to: the rest of its time is granted no more."""
        if not self._started:
            self._started = True
            self._now = moment - timedelta(microseconds=1)
        self._horizon = max(self._horizon, moment)
        self._begun.set()
        try:
            await self._run_up_to(moment)
        finally:
            self._horizon = self._now

    async def _run_up_to(self, moment: datetime) -> None:
        while True:
            await self._asleep.wait()
            if self._wake is None or self._wake_at > moment:
                break
            self._now = max(self._now, self._wake_at)
            self._asleep.clear()
            self._wake.set_result(None)
        self._now = max(self._now, moment)
