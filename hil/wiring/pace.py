"""Real-time pace: one tick a period on a monotonic clock, and an account of the ticks that were not in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import floor

SLACK_S = 0.01
"""A tick this late is in time: what an operating system takes to wake a process."""


@dataclass(frozen=True, kw_only=True)
class Pacing:
    """How a run kept its pace."""

    period_s: float
    ticks: int
    """That were worked."""
    missed: int
    """Ticks whose work was not done when the next was due."""
    left_out: int
    """Ticks that were never worked, because the one before was over only after them."""
    late_starts: int
    """Ticks that began late for another reason than the work before them: the machine was busy."""
    worst_s: float
    """Furthest that work ended after the next tick was due, or that a tick began late."""
    load_frac: float
    """Mean time worked over the period."""
    load_worst_frac: float
    """Longest work over the period."""

    @property
    def in_words(self) -> str:
        """For a report."""
        return (
            f"{self.ticks} ticks of {self.period_s:g} s: {self.missed} missed, {self.left_out} left out, "
            f"{self.late_starts} begun late, worst {self.worst_s:.3f} s; load {self.load_frac:.0%}, "
            f"at most {self.load_worst_frac:.0%}"
        )


class Pacer:
    """Waits for ticks at whole periods after a start. A tick that comes too late is worked at once, those that passed
    meanwhile are left out: they never bunch up.

    Args:
        period_s: between ticks.
        clock: a monotonic clock, s.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        period_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.period_s = period_s
        self._clock, self._sleep = clock, sleep
        self._zero_s = clock()
        self._tick = 0
        self._began_s: float | None = None
        self._ticks = self._missed = self._left_out = self._late_starts = 0
        self._worst_s = self._worked_s = self._longest_s = 0.0

    def start(self, *, zero_s: float | None = None) -> None:
        """Let second 0 be at this reading of the clock, now where it is not given: tick k is due k periods later. Ticks
        that are over already are none of this run."""
        self._zero_s = self._clock() if zero_s is None else zero_s
        self._tick, self._began_s = max(0, floor(self.now_s / self.period_s)), None

    @property
    def now_s(self) -> float:
        """Seconds since second 0; negative before it."""
        return self._clock() - self._zero_s

    async def tick(self) -> float:
        """Ends the work in hand and waits for the next tick: its time, whole periods after second 0."""
        behind = self._end_of_work()
        self._tick += 1
        if behind:
            passed = floor(self.now_s / self.period_s + 1e-9)
            self._left_out += max(0, passed - self._tick)
            self._tick = max(self._tick, passed)
        due_s = self._tick * self.period_s
        while (left_s := due_s - self.now_s) > 0.0:
            await self._sleep(left_s)
        late_s = self.now_s - due_s
        if late_s > SLACK_S and not behind:
            self._late_starts += 1
            self._worst_s = max(self._worst_s, late_s)
        self._began_s = self.now_s
        self._ticks += 1
        return due_s

    def stop(self) -> Pacing:
        """Ends the work in hand; the account."""
        self._end_of_work()
        self._began_s = None
        return Pacing(
            period_s=self.period_s,
            ticks=self._ticks,
            missed=self._missed,
            left_out=self._left_out,
            late_starts=self._late_starts,
            worst_s=self._worst_s,
            load_frac=self._worked_s / self._ticks / self.period_s if self._ticks else 0.0,
            load_worst_frac=self._longest_s / self.period_s,
        )

    def _end_of_work(self) -> bool:
        """Accounts for the work in hand; whether it ended after the next tick was due."""
        if self._began_s is None:
            return False
        now_s = self.now_s
        worked_s = now_s - self._began_s
        self._worked_s += worked_s
        self._longest_s = max(self._longest_s, worked_s)
        over_s = now_s - (self._tick + 1) * self.period_s
        if over_s <= 0.0:
            return False
        self._missed += 1
        self._worst_s = max(self._worst_s, over_s)
        return True
