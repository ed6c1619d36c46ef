import asyncio
from datetime import datetime, timedelta

from adms.core.estimate import Grade
from adms.core.modes import Mode
from adms.runtime.clock import VirtualClock
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


async def test_the_watchdog_demotes_when_rounds_stop() -> None:
    clock, outside = HandClock(), Outside()
    modes = ModeKeeper(good_rounds_before_control=1)
    modes.request(Mode.CONTROL)
    modes.round_graded(Grade.SOLVED)
    changes: list[ModeChange] = []
    dog = Watchdog(clock, period=PERIOD, modes=modes, health=outside, metrics=outside, carry=changes.append)
    clock.time = at(6)
    assert dog.look()
    clock.time = at(6.1)
    assert not dog.look()
    assert [(change.before, change.after) for change in changes] == [(Mode.CONTROL, Mode.OBSERVE)]
    dog.fed()
    assert dog.look()


def test_one_bad_picture_between_good_ones_does_not_demote() -> None:
    modes = ModeKeeper(good_rounds_before_control=2)
    modes.request(Mode.CONTROL)
    seen = []
    for grade in (Grade.SOLVED, Grade.PARTIAL, Grade.FAILED, Grade.SOLVED, Grade.FAILED, Grade.FAILED):
        modes.round_graded(grade)
        seen.append(modes.mode)
    control, observe = Mode.CONTROL, Mode.OBSERVE
    assert seen == [observe, control, control, control, control, observe]


def test_a_block_holds_whatever_the_operator_asks() -> None:
    modes = ModeKeeper(good_rounds_before_control=1)
    modes.request(Mode.CONTROL)
    modes.round_graded(Grade.SOLVED)
    assert modes.block("superseded") == ModeChange(before=Mode.CONTROL, after=Mode.OBSERVE, reason="superseded")
    modes.request(Mode.CONTROL)
    modes.round_graded(Grade.SOLVED)
    assert (modes.mode, modes.reason) == (Mode.OBSERVE, "superseded")
