"""Time. The only module that reads a clock or sleeps; everything else takes a `Clock` or a time."""

import asyncio
import time
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
    """Real seconds, for metrics and time-outs of the edge: never for a decision."""

    def seconds(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()


class WallClock:
    """The machine's clock."""

    virtual = False

    def now(self) -> datetime:
        """Present time, UTC."""
        return datetime.now(UTC)

    def horizon(self) -> datetime:
        """Equal to `now`."""
        return self.now()

    async def sleep_until(self, moment: datetime) -> None:
        """Sleeps in real time; the loop guards against a clock that was set back."""
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
        just before `moment`, so that only what is due at `moment` itself is done."""
        if not self._started:
            self._started = True
            self._now = moment - timedelta(microseconds=1)
        self._horizon = max(self._horizon, moment)
        self._begun.set()
        while True:
            await self._asleep.wait()
            if self._wake is None or self._wake_at > moment:
                break
            self._now = max(self._now, self._wake_at)
            self._asleep.clear()
            self._wake.set_result(None)
        self._now = max(self._now, moment)
