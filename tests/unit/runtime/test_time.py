import asyncio
import math
from datetime import datetime, timedelta

import pytest

from adms.core.estimate import Grade
from adms.core.modes import Mode
from adms.runtime.clock import VirtualClock, WallClock
from adms.runtime.modes import ModeChange, ModeKeeper
from adms.runtime.scheduler import Scheduler, Tick, next_tick
from adms.runtime.watchdog import Watchdog
from tests.unit.runtime.feeders import at
from tests.unit.runtime.rigs import Outside

PERIOD = timedelta(seconds=2)


class Grants:
    """A scheduler on a virtual clock, and the ticks it ran."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.scheduler = Scheduler(self.clock, period=PERIOD, early_gap=timedelta(seconds=0.1))
        self.ticks: list[Tick] = []

    async def round(self, tick: Tick) -> None:
        assert self.clock.now() == tick.time
        self.ticks.append(tick)

    async def __aenter__(self) -> "Grants":
        self.task = asyncio.create_task(self.scheduler.run(self.round))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_ticks_are_aligned_and_later() -> None:
    assert next_tick(at(0), period=PERIOD) == at(2)
    assert next_tick(at(0.1), period=PERIOD) == at(2)
    assert next_tick(at(-0.1), period=PERIOD) == at(0)


async def test_a_grant_runs_what_is_due_and_nothing_else() -> None:
    async with Grants() as grants:
        await grants.clock.advance_to(at(0))
        assert [tick.time for tick in grants.ticks] == [at(0)]
        await grants.clock.advance_to(at(1))
        assert len(grants.ticks) == 1
        await grants.clock.advance_to(at(6))
        assert [tick.time for tick in grants.ticks] == [at(0), at(2), at(4), at(6)]
        assert grants.clock.now() == at(6)


async def test_the_first_grant_says_what_time_it_is() -> None:
    """Else the rounds since 1970 would be due."""
    async with Grants() as grants:
        await grants.clock.advance_to(at(1))
        assert grants.ticks == []
        await grants.clock.advance_to(at(2))
        assert [tick.time for tick in grants.ticks] == [at(2)]


async def test_a_day_of_rounds_needs_no_day() -> None:
    async with Grants() as grants:
        await grants.clock.advance_to(at(0))
        await grants.clock.advance_to(at(3600))
        assert len(grants.ticks) == 1801


async def test_an_event_changes_no_tick_of_virtual_time() -> None:
    async with Grants() as grants:
        await grants.clock.advance_to(at(0))
        grants.scheduler.pull_forward()
        await grants.clock.advance_to(at(1.9))
        assert len(grants.ticks) == 1


async def test_a_grant_whose_caller_gave_up_keeps_no_horizon() -> None:
    async with Grants() as grants:
        await grants.clock.advance_to(at(0))
        in_round, go_on = asyncio.Event(), asyncio.Event()

        async def slow(tick: Tick) -> None:
            grants.ticks.append(tick)
            in_round.set()
            await go_on.wait()

        grants.task.cancel()
        await asyncio.gather(grants.task, return_exceptions=True)
        grants.task = asyncio.create_task(grants.scheduler.run(slow))
        await asyncio.sleep(0)
        abandoned = asyncio.create_task(grants.clock.advance_to(at(3600)))
        await in_round.wait()
        abandoned.cancel()
        await asyncio.gather(abandoned, return_exceptions=True)
        assert grants.clock.horizon() == at(2)
        go_on.set()
        await grants.clock.advance_to(at(4))
        assert [tick.time for tick in grants.ticks] == [at(0), at(2), at(4)]
        assert (grants.clock.now(), grants.clock.horizon()) == (at(4), at(4))


class HandClock:
    """A wall clock moved by hand: a sleeper wakes when the hand has passed its time."""

    virtual = False

    def __init__(self) -> None:
        self.time = at(0)
        self._moved = asyncio.Condition()

    def now(self) -> datetime:
        return self.time

    def horizon(self) -> datetime:
        return self.time

    async def sleep_until(self, moment: datetime) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self.time >= moment)

    async def move(self, seconds: float) -> None:
        async with self._moved:
            self.time = at(seconds)
            self._moved.notify_all()
        for _ in range(10):
            await asyncio.sleep(0)


async def test_a_round_that_overruns_resumes_on_the_next_aligned_tick() -> None:
    clock = HandClock()
    ticks: list[Tick] = []

    async def slow(tick: Tick) -> None:
        ticks.append(tick)
        if len(ticks) == 1:
            clock.time = at(7)

    task = asyncio.create_task(Scheduler(clock, period=PERIOD, early_gap=timedelta(seconds=0.1)).run(slow))
    await asyncio.sleep(0)
    await clock.move(2)
    await clock.move(8)
    assert [(tick.time, tick.skipped) for tick in ticks] == [(at(2), 0), (at(8), 2)]
    task.cancel()


async def test_an_event_pulls_the_next_look_forward_in_real_time() -> None:
    clock = HandClock()
    ticks: list[Tick] = []
    scheduler = Scheduler(clock, period=PERIOD, early_gap=timedelta(seconds=0.1))

    async def look(tick: Tick) -> None:
        ticks.append(tick)

    task = asyncio.create_task(scheduler.run(look))
    await asyncio.sleep(0)
    await clock.move(2)
    await clock.move(2.5)
    scheduler.pull_forward()
    await clock.move(2.6)
    await clock.move(4)
    assert [(tick.time, tick.early) for tick in ticks] == [(at(2), False), (at(2.6), True), (at(4), False)]
    task.cancel()


class HandStopwatch:
    """Seconds set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def seconds(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


async def test_the_watchdog_demotes_when_rounds_stop() -> None:
    stopwatch, outside = HandStopwatch(), Outside()
    modes = ModeKeeper(good_rounds_before_control=1)
    modes.request(Mode.CONTROL)
    modes.round_graded(Grade.SOLVED)
    changes: list[ModeChange] = []
    dog = Watchdog(stopwatch, period_s=2.0, modes=modes, health=outside, metrics=outside, carry=changes.append)
    stopwatch.now_s = 6.0
    assert dog.look()
    stopwatch.now_s = 6.1
    assert not dog.look()
    assert [(change.before, change.after) for change in changes] == [(Mode.CONTROL, Mode.OBSERVE)]
    dog.fed()
    assert dog.look()


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.wall = at(0)
        self.up_s = 100.0
        self.clock = WallClock(wall=lambda: self.wall, monotonic_s=lambda: self.up_s)

    def runs(self, seconds: float) -> float:
        """Seconds that the service's clock moves meanwhile."""
        before = self.clock.now()
        self.up_s += seconds
        self.wall += timedelta(seconds=seconds)
        return (self.clock.now() - before).total_seconds()


def test_a_machine_whose_clock_is_right_is_followed() -> None:
    machine = Machine()
    assert machine.runs(3600.0) == 3600.0
    assert machine.clock.now() == machine.wall


@pytest.mark.parametrize("hours", [-1.0, 1.0])
def test_a_clock_that_is_set_neither_stops_time_nor_makes_it_jump(hours: float) -> None:
    machine = Machine()
    machine.wall += timedelta(hours=hours)
    assert machine.clock.now() == at(0)
    # 5 % of a minute is 3 s.
    assert machine.runs(60.0) == 60.0 + math.copysign(3.0, hours)


@pytest.mark.parametrize("seconds", [-2.0, 2.0])
def test_a_small_correction_is_made_within_a_minute(seconds: float) -> None:
    machine = Machine()
    machine.wall += timedelta(seconds=seconds)
    machine.runs(50.0)
    assert machine.clock.now() == machine.wall


def test_one_bad_picture_between_good_ones_does_not_demote() -> None:
    modes = ModeKeeper(good_rounds_before_control=2)
    modes.request(Mode.CONTROL)
    seen = []
    for grade in (Grade.SOLVED, Grade.PARTIAL, Grade.FAILED, Grade.SOLVED, Grade.FAILED, Grade.FAILED):
        modes.round_graded(grade)
        seen.append(modes.mode)
    control, observe = Mode.CONTROL, Mode.OBSERVE
    assert seen == [observe, control, control, control, control, observe]


def test_inconsistent_pictures_demote_and_n_consistent_ones_bring_the_mode_back() -> None:
    modes = ModeKeeper(good_rounds_before_control=3)
    modes.request(Mode.CONTROL)
    for _ in range(10):
        modes.round_graded(Grade.INCONSISTENT)
    assert modes.mode is Mode.OBSERVE  # X6 counts none of them
    seen = []
    story = [Grade.PARTIAL] * 3 + [Grade.INCONSISTENT] * 2 + [Grade.SOLVED, Grade.PARTIAL, Grade.SOLVED]
    for grade in story:
        modes.round_graded(grade)
        seen.append(modes.mode)
    control, observe = Mode.CONTROL, Mode.OBSERVE
    assert seen == [observe, observe, control, control, observe, observe, observe, control]


def test_a_block_holds_whatever_the_operator_asks() -> None:
    modes = ModeKeeper(good_rounds_before_control=1)
    modes.request(Mode.CONTROL)
    modes.round_graded(Grade.SOLVED)
    assert modes.block("superseded") == ModeChange(before=Mode.CONTROL, after=Mode.OBSERVE, reason="superseded")
    modes.request(Mode.CONTROL)
    modes.round_graded(Grade.SOLVED)
    assert (modes.mode, modes.reason) == (Mode.OBSERVE, "superseded")
