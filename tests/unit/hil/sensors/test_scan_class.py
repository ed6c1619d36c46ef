"""Reading times and interval means, by hand."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.sensors.scan_class import IntervalMeans, IntervalMeters, Report, Reports, ScanClass
from hil.sensors.terms import Distribution


def read_at(one: ScanClass, steps: list[float]) -> list[float]:
    """When a class is read while the plant makes these steps from 0."""
    found, before = [], 0.0
    for now in steps:
        due_s = one.due_s(after_s=before, until_s=now)
        found += [due_s] if due_s is not None else []
        before = now
    return found


def test_a_class_is_read_at_its_offset_and_then_once_a_period() -> None:
    one = ScanClass(point="*", period_s=4.0, offset_s=1.0)
    assert read_at(one, [float(k) for k in range(1, 14)]) == [1.0, 5.0, 9.0, 13.0]


def test_a_period_that_is_no_binary_fraction_is_kept() -> None:
    one = ScanClass(point="*", period_s=0.3)
    steps = [round(0.1 * k, 6) for k in range(1, 10_001)]
    assert read_at(one, steps) == [round(0.3 * k, 6) for k in range(1, 3334)]


def test_a_class_faster_than_the_plants_steps_is_read_once_a_step_at_the_newest_time() -> None:
    assert read_at(ScanClass(point="*", period_s=1.0, offset_s=0.5), [4.0, 8.0]) == [3.5, 7.5]


def means(values: list[tuple[float, float]], *, interval_s: float = 10.0, offset_s: float = 0.0, begin_s: float = 0.0):  # type: ignore[no-untyped-def]
    """(end, mean) of a quantity that has a value until each time."""
    one = IntervalMeans(1, interval_s=interval_s, offset_s=offset_s, begin_s=begin_s)
    return [(m.end_s, float(m.mean[0])) for until, value in values for m in one.add(np.array([value]), until_s=until)]


def test_a_mean_weighs_each_value_with_the_time_that_it_held() -> None:
    # 2 for 4 s, 7 for 1 s and 3 for 5 s: (8 + 7 + 15) / 10.
    assert means([(4.0, 2.0), (5.0, 7.0), (10.0, 3.0)]) == [(10.0, 3.0)]


def test_a_step_over_the_end_of_an_interval_counts_in_both() -> None:
    # 1 until 8 s, then 6 until 14 s, then 0: (8 + 12) / 10 and (24 + 0) / 10.
    assert means([(8.0, 1.0), (14.0, 6.0), (20.0, 0.0)]) == [(10.0, 2.0), (20.0, 2.4)]


def test_a_step_longer_than_an_interval_gives_each_its_mean() -> None:
    assert means([(25.0, 4.0), (30.0, 8.0)]) == [(10.0, 4.0), (20.0, 4.0), (30.0, 6.0)]


def test_an_interval_that_was_not_watched_from_its_start_gives_no_mean() -> None:
    assert means([(12.0, 1.0), (20.0, 1.0)], begin_s=3.0) == [(20.0, 1.0)]
    # Intervals begin at 4 s: what comes before belongs to none.
    assert means([(4.0, 9.0), (14.0, 1.0)], offset_s=4.0) == [(14.0, 1.0)]
    assert means([(13.0, 9.0), (14.0, 1.0)], offset_s=4.0) == [(14.0, pytest.approx((9 * 9.0 + 1.0) / 10))]


@given(
    steps=st.lists(st.tuples(st.sampled_from([0.1, 0.5, 1.0, 7.0, 60.0]), st.integers(-9, 9)), min_size=1, max_size=60),
)
def test_the_energy_of_the_means_is_the_energy_that_flowed(steps: list[tuple[float, int]]) -> None:
    now, flowed, course = 0.0, 0.0, []
    for dt, power in steps:
        now = round(now + dt, 6)
        course.append((now, float(power)))
    found = means(course, interval_s=15.0)
    end = found[-1][0] if found else 0.0
    assert len(found) == int((now + 1e-6) // 15.0)
    before = 0.0
    for until, power_w in course:
        flowed += power_w * (min(until, end) - min(before, end))
        before = until
    assert sum(mean * 15.0 for _, mean in found) == pytest.approx(flowed, abs=1e-6)


def test_reports_are_late_by_the_stated_delay() -> None:
    meters = IntervalMeters(
        interval_s=900.0,
        power_sigma_frac=0.01,
        report_delay_s=120.0,
        report_spread_s=3600.0,
        report_distribution=Distribution.EXPONENTIAL,
    )
    rng = np.random.default_rng(4)
    late = np.array([meters.delay_s(rng) for _ in range(10_000)])
    assert late.min() >= 120.0
    # An exponential has its mean as its standard deviation; four standard errors.
    assert abs(late.mean() - 3720.0) < 4 * 3600.0 / sqrt(10_000)


def test_what_has_come_is_joined_by_interval_and_source() -> None:
    waiting = Reports()

    def add(index: int, *, of_s: float, due_s: float, owner: str = "ami") -> None:
        report = Report(owner=owner, measure_time_s=of_s, index=(index, index + 1), value=(of_s, -of_s))
        waiting.add(report, due_s=due_s)

    add(4, of_s=900.0, due_s=1000.0)
    add(0, of_s=900.0, due_s=1100.0)
    add(2, of_s=900.0, due_s=5000.0)
    add(0, of_s=1800.0, due_s=1900.0)
    assert waiting.due(999.0) == []
    first, second = waiting.due(2000.0)
    assert (first.measure_time_s, first.index) == (900.0, (0, 1, 4, 5))
    assert first.value == (900.0, -900.0, 900.0, -900.0)
    assert (second.measure_time_s, second.index) == (1800.0, (0, 1))
    assert len(waiting) == 1
    assert [report.index for report in waiting.due(5000.0)] == [(2, 3)]
