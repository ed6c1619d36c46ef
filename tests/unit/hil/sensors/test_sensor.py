"""Errors of one sensor against their definitions. Statistical bounds are four standard errors of the estimate (a chance
of about 6e-5 each); seeds are fixed."""

from math import exp, isnan, nan, sqrt
from typing import Any

import numpy as np
import pytest

from hil.sensors.lies import (
    Drift,
    Inverted,
    Lie,
    NotANumber,
    PhasesSwapped,
    Scaled,
    SensorFault,
    SignFlipped,
    StuckAtLast,
    StuckAtValue,
    TimeFrozen,
)
from hil.sensors.sensor import Errors, Sensor, SensorClass, errors_of
from hil.sensors.streams import meter_stream
from hil.sensors.terms import Distribution, Span, drawn_s


def fault(lie: Lie, *, start_s: float = 10.0, duration_s: float | None = 10.0) -> SensorFault:
    return SensorFault(point="*", span=Span(start_s=start_s, duration_s=duration_s), lie=lie)


def sensor(errors: Errors | None = None, *faults: SensorFault, noisy: bool = True) -> Sensor:
    noise = meter_stream(7, point="p_flow_w/line.a/0/1", owner="gateway")
    return Sensor(errors or Errors(), noise=noise, noisy=noisy, faults=faults)


def shown(one: Sensor, truth: float, *, time_s: float) -> float:
    reading = one.read(truth, time_s=time_s)
    assert reading is not None
    return reading.value


def drawn(name: str, **shares: Any) -> Errors:
    return errors_of(
        SensorClass(point="*", **shares),
        name=name,
        seed=3,
        rating=200.0,
        sigma=1.0,
        drop_out_frac=None,
        not_negative=False,
    )


def test_noise_has_the_stated_sigma_and_no_mean() -> None:
    one = sensor(Errors(noise_sigma=2.5))
    count = 20_000
    error = np.array([shown(one, 100.0, time_s=k) for k in range(count)]) - 100.0
    # Standard error of a mean sigma/sqrt(N), of a standard deviation sigma/sqrt(2N).
    assert abs(error.mean()) < 4 * 2.5 / sqrt(count)
    assert abs(error.std() - 2.5) < 4 * 2.5 / sqrt(2 * count)


def test_noise_of_a_class_is_a_share_of_the_rating_and_else_what_the_meter_plan_states() -> None:
    assert drawn("a", noise_sigma_frac=0.02).noise_sigma == pytest.approx(0.02 * 200.0)
    assert drawn("a").noise_sigma == 1.0


def test_bias_is_drawn_once_for_each_point_from_the_stated_sigma() -> None:
    names = [f"v_magnitude_v/bus{k}/0/1" for k in range(4000)]
    bias = np.array([drawn(name, bias_sigma_frac=0.01).bias for name in names])
    assert abs(bias.mean()) < 4 * 2.0 / sqrt(4000)
    assert abs(bias.std() - 2.0) < 4 * 2.0 / sqrt(2 * 4000)
    assert drawn(names[0], bias_sigma_frac=0.01).bias == bias[0]
    one = sensor(Errors(bias=3.0))
    assert [shown(one, truth, time_s=0.0) for truth in (0.0, 50.0)] == [3.0, 53.0]


def test_gain_error_grows_with_the_quantity_and_has_the_stated_sigma() -> None:
    gain = np.array([drawn(f"p{k}", gain_sigma_frac=0.005).gain_frac for k in range(4000)])
    assert abs(gain.mean()) < 4 * 0.005 / sqrt(4000)
    assert abs(gain.std() - 0.005) < 4 * 0.005 / sqrt(2 * 4000)
    one = sensor(Errors(gain_frac=0.1))
    assert [shown(one, truth, time_s=0.0) for truth in (0.0, -50.0, 50.0)] == pytest.approx([0.0, -55.0, 55.0])


def test_bias_and_gain_of_one_point_are_drawn_apart() -> None:
    both = drawn("a", gain_sigma_frac=0.005, bias_sigma_frac=0.01)
    assert both.bias == drawn("a", bias_sigma_frac=0.01).bias
    assert both.gain_frac == drawn("a", gain_sigma_frac=0.005).gain_frac
    assert both.bias / (0.01 * 200.0) != both.gain_frac / 0.005


def test_quantisation_shows_the_nearest_step_and_errs_evenly_within_half_a_step() -> None:
    one = sensor(Errors(quantum=0.5))
    assert [shown(one, truth, time_s=0.0) for truth in (0.2, 0.3, -0.8, 7.5)] == [0.0, 0.5, -1.0, 7.5]
    truth = np.random.default_rng(1).uniform(0.0, 1000.0, 20_000)
    error = np.array([shown(one, float(x), time_s=0.0) for x in truth]) - truth
    assert np.abs(error).max() <= 0.25 + 1e-9
    # An error even over a step q has the variance q^2/12, and its square the variance q^4/180.
    assert abs((error**2).mean() - 0.5**2 / 12) < 4 * 0.5**2 / sqrt(180 * 20_000)


def test_a_saturated_meter_shows_its_limit_and_a_magnitude_is_never_negative() -> None:
    limits = errors_of(
        SensorClass(point="*", saturation_frac=1.2),
        name="a",
        seed=1,
        rating=100.0,
        sigma=0.0,
        drop_out_frac=None,
        not_negative=False,
    )
    assert [shown(sensor(limits), truth, time_s=0.0) for truth in (-500.0, 119.0, 500.0)] == [-120.0, 119.0, 120.0]
    size = errors_of(None, name="a", seed=1, rating=100.0, sigma=50.0, drop_out_frac=None, not_negative=True)
    one = sensor(size)
    seen = [shown(one, 0.0, time_s=k) for k in range(200)]
    assert min(seen) == 0.0
    assert seen.count(0.0) == pytest.approx(100, abs=4 * sqrt(50))  # half of a symmetrical noise


def test_a_dead_band_reports_what_moved_and_refreshes_the_rest() -> None:
    one = sensor(Errors(dead_band=1.0, refresh_s=30.0))
    # First; +1.0 is not more than the band; +1.1 is; then still until 30 s after the last report, at 34 s.
    course = [(0, 10.0), (2, 11.0), (4, 11.1), (6, 10.2), (33, 11.1), (34, 11.1), (36, 11.1), (38, 12.2)]
    told = [time_s for time_s, truth in course if one.read(truth, time_s=time_s) is not None]
    assert told == [0, 4, 34, 38]


def test_readings_drop_out_at_the_stated_rate() -> None:
    one = sensor(Errors(drop_out_frac=0.03))
    missing = sum(one.read(1.0, time_s=k) is None for k in range(20_000))
    assert abs(missing - 600) < 4 * sqrt(20_000 * 0.03 * 0.97)


@pytest.mark.parametrize(
    ("lie", "before", "during", "after"),
    [
        # Truth is 5 at 9 s, 6 at 10 s, 7 at 19 s, 8 at 20 s; the fault is on from 10 s to 20 s.
        (StuckAtLast(), 5.0, [5.0, 5.0], 8.0),
        (StuckAtValue(value=-3.0), 5.0, [-3.0, -3.0], 8.0),
        (SignFlipped(), 5.0, [-6.0, -7.0], 8.0),
        (Scaled(factor=10.0), 5.0, [60.0, 70.0], 8.0),
        (Drift(drift_per_h=3600.0), 5.0, [6.0, 16.0], 8.0),
        (Inverted(), 5.0, [-5.0, -6.0], 8.0),
        (TimeFrozen(), 5.0, [6.0, 7.0], 8.0),
    ],
)
def test_each_lie_is_told_in_its_interval_and_only_there(
    lie: Lie, before: float, during: list[float], after: float
) -> None:
    one = sensor(None, fault(lie))
    assert shown(one, 5.0, time_s=9.0) == before
    assert [shown(one, 6.0, time_s=10.0), shown(one, 7.0, time_s=19.0)] == during
    assert shown(one, 8.0, time_s=20.0) == after


def test_a_sensor_can_show_that_it_is_no_number_and_is_healthy_again_afterwards() -> None:
    one = sensor(Errors(quantum=0.5, low=0.0, high=10.0), fault(NotANumber()))
    assert isnan(shown(one, 6.0, time_s=10.0))
    assert shown(one, 6.0, time_s=20.0) == 6.0
    assert isnan(shown(one, nan, time_s=21.0))


def test_a_two_state_point_shows_the_other_state() -> None:
    one = sensor(None, fault(Inverted()), noisy=False)
    assert [shown(one, truth, time_s=12.0) for truth in (0.0, 1.0)] == [1.0, 0.0]


def test_a_frozen_clock_says_the_time_of_the_faults_start() -> None:
    one = sensor(None, fault(TimeFrozen()))
    times = [one.read(1.0, time_s=t) for t in (9.0, 10.0, 15.0, 20.0)]
    assert [reading and reading.measure_time_s for reading in times] == [9.0, 10.0, 10.0, 20.0]


def test_a_sensor_stuck_from_the_start_holds_the_first_value_it_shows() -> None:
    one = sensor(None, fault(StuckAtLast(), start_s=0.0, duration_s=None))
    assert [shown(one, truth, time_s=truth) for truth in (4.0, 5.0, 6.0)] == [4.0, 4.0, 4.0]


def test_a_meter_that_sticks_holds_its_noise_too() -> None:
    one = sensor(Errors(noise_sigma=1.0), fault(StuckAtLast()))
    last = shown(one, 5.0, time_s=9.0)
    assert last != 5.0
    assert shown(one, 90.0, time_s=11.0) == last


def test_swapped_leads_read_the_other_phase_and_leave_the_third() -> None:
    one = sensor(None, fault(PhasesSwapped(phases=(1, 3))))
    assert [one.phase_at(phase, time_s=12.0) for phase in (1, 2, 3)] == [3, 2, 1]
    assert [one.phase_at(phase, time_s=20.0) for phase in (1, 2, 3)] == [1, 2, 3]


def test_overlapping_faults_act_in_their_order() -> None:
    one = sensor(None, fault(SignFlipped()), fault(Scaled(factor=2.0)), fault(StuckAtValue(value=9.0), start_s=15.0))
    assert shown(one, 3.0, time_s=12.0) == -6.0
    assert shown(one, 3.0, time_s=16.0) == 9.0


def test_a_fault_changes_no_later_noise() -> None:
    errors = Errors(noise_sigma=1.0, drop_out_frac=0.2)
    healthy, faulty = sensor(errors), sensor(errors, fault(StuckAtValue(value=0.0)), fault(NotANumber()))
    mine = [healthy.read(5.0, time_s=k) for k in range(60)]
    other = [faulty.read(5.0, time_s=k) for k in range(60)]
    assert mine[:10] == other[:10]
    assert mine[20:] == other[20:]
    assert [one is None for one in mine] == [one is None for one in other]


def test_delays_follow_their_distribution() -> None:
    rng = np.random.default_rng(2)
    count = 20_000
    even = np.array([drawn_s(rng, spread_s=3.0, distribution=Distribution.UNIFORM) for _ in range(count)])
    assert even.min() >= 0.0
    assert even.max() < 3.0
    assert abs(even.mean() - 1.5) < 4 * 3.0 / sqrt(12 * count)
    tail = np.array([drawn_s(rng, spread_s=3.0, distribution=Distribution.EXPONENTIAL) for _ in range(count)])
    assert abs(tail.mean() - 3.0) < 4 * 3.0 / sqrt(count)
    # A share of exp(-2) lies beyond twice the mean.
    assert abs((tail > 6.0).mean() - exp(-2)) < 4 * sqrt(exp(-2) * (1 - exp(-2)) / count)
