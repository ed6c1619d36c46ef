"""A pacer on a clock that only the test moves."""

from hil.wiring.pace import Pacer


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0
        self.oversleeps_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s + self.oversleeps_s


def started(clock: Clock, *, period_s: float = 1.0) -> Pacer:
    pacer = Pacer(period_s, clock=clock, sleep=clock.sleep)
    pacer.start()
    return pacer


async def test_work_in_time_is_begun_at_whole_periods() -> None:
    clock = Clock()
    pacer = started(clock)
    seen = []
    for worked_s in (0.2, 0.9, 0.4):
        seen.append((await pacer.tick(), clock.now_s - 1000.0))
        clock.now_s += worked_s
    pacing = pacer.stop()
    assert seen == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert (pacing.ticks, pacing.missed, pacing.left_out, pacing.late_starts) == (3, 0, 0, 0)
    # (0.2 + 0.9 + 0.4) / 3 of a second.
    assert abs(pacing.load_frac - 0.5) < 1e-9
    assert abs(pacing.load_worst_frac - 0.9) < 1e-9


async def test_work_that_takes_too_long_is_a_missed_deadline_and_the_next_tick_is_worked_at_once() -> None:
    clock = Clock()
    pacer = started(clock)
    await pacer.tick()
    clock.now_s += 1.3
    assert await pacer.tick() == 2.0
    assert abs(clock.now_s - 1002.3) < 1e-9
    assert await pacer.tick() == 3.0
    assert abs(clock.now_s - 1003.0) < 1e-9
    pacing = pacer.stop()
    assert (pacing.missed, pacing.left_out, pacing.late_starts) == (1, 0, 0)
    assert abs(pacing.worst_s - 0.3) < 1e-9


async def test_ticks_that_passed_during_long_work_are_left_out_and_do_not_bunch_up() -> None:
    clock = Clock()
    pacer = started(clock)
    await pacer.tick()
    clock.now_s += 3.5  # until second 4.5
    assert [await pacer.tick(), await pacer.tick()] == [4.0, 5.0]
    pacing = pacer.stop()
    # Seconds 2 and 3 were never worked; second 1 was over 2.5 s after second 2 was due.
    assert (pacing.ticks, pacing.missed, pacing.left_out) == (3, 1, 2)
    assert abs(pacing.worst_s - 2.5) < 1e-9


async def test_a_machine_that_wakes_late_is_told_apart_from_work_that_takes_too_long() -> None:
    clock = Clock()
    pacer = started(clock)
    clock.oversleeps_s = 0.05
    await pacer.tick()
    clock.now_s += 0.1
    pacing = pacer.stop()
    assert (pacing.missed, pacing.late_starts) == (0, 1)
    assert abs(pacing.worst_s - 0.05) < 1e-9


async def test_a_run_that_begins_after_its_second_0_begins_at_the_next_tick_without_a_missed_one() -> None:
    clock = Clock()
    pacer = Pacer(2.0, clock=clock, sleep=clock.sleep)
    pacer.start(zero_s=clock.now_s - 5.0)
    assert await pacer.tick() == 6.0
    pacing = pacer.stop()
    assert (pacing.missed, pacing.left_out, pacing.late_starts) == (0, 0, 0)


async def test_second_0_may_lie_ahead() -> None:
    clock = Clock()
    pacer = Pacer(1.0, clock=clock, sleep=clock.sleep)
    pacer.start(zero_s=clock.now_s + 8.0)
    assert pacer.now_s == -8.0
    assert await pacer.tick() == 1.0
    assert clock.now_s == 1009.0
