"""Sensors and channels together, on truths that a test sets."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.client import InputError, Point, PointKind, Quality
from hil.sensors.bank import SensorBank
from hil.sensors.channel import ChannelPlan, Delivery, Flag
from hil.sensors.faults import SensorPlan, read_sensor_plan
from hil.sensors.lies import Inverted, PhasesSwapped, Scaled, SensorFault, StuckAtValue, TimeFrozen
from hil.sensors.meter import Meter, name_of
from hil.sensors.scan_class import IntervalMeters, ScanClass
from hil.sensors.sensor import SensorClass
from hil.sensors.streams import meter_stream
from hil.sensors.terms import Distribution, Span


@dataclass
class Truth:
    """Quantities that a test sets, by name."""

    value: dict[str, float] = field(default_factory=dict)

    def meter(
        self,
        owner: str,
        kind: PointKind,
        element: str,
        *,
        phase: int = 0,
        truth: float = 0.0,
        sigma: float | None = None,
        rating: float | None = None,
        interval_meter: str = "",
    ) -> Meter:
        point = Point(kind=kind, element=element, phase=phase, sigma=sigma)
        self.value[name_of(point)] = truth
        return Meter(
            owner=owner,
            point=point,
            read=lambda: self.value[name_of(point)],
            rating=rating,
            interval_meter=interval_meter,
        )


def feeder(truth: Truth, *, sigma: float = 0.0) -> list[Meter]:
    """A gateway with three phases and a switch, and two DER."""
    rated: dict[str, Any] = {"sigma": sigma, "rating": 100.0}
    return [
        *(truth.meter("gateway", PointKind.V_MAGNITUDE, "b", phase=k, truth=100.0 * k, **rated) for k in (1, 2, 3)),
        truth.meter("gateway", PointKind.SWITCH_CLOSED, "switch.s", truth=1.0),
        truth.meter("der.a", PointKind.P_INJECTION, "der.a", truth=10.0, **rated),
        truth.meter("der.b", PointKind.P_INJECTION, "der.b", truth=20.0, **rated),
    ]


def customers(truth: Truth, *, count: int = 2) -> list[Meter]:
    """Interval meters that draw."""
    return [
        truth.meter(
            "ami", PointKind.P_AVERAGE, f"load.{k}", truth=-100.0, sigma=0.0, rating=1e3, interval_meter=f"load.{k}"
        )
        for k in range(count)
    ]


def bank(
    meters: list[Meter], plan: SensorPlan | None = None, *, seed: int = 1, drop_out_frac: float = 0.0
) -> SensorBank:
    return SensorBank(meters, plan=plan or SensorPlan(), seed=seed, drop_out_frac=drop_out_frac, begin_s=0.0)


def fault(point: str, lie: object, *, source: str = "*") -> SensorFault:
    return SensorFault(point=point, source=source, span=Span(start_s=5.0), lie=lie)  # type: ignore[arg-type]


def of(deliveries: Mapping[str, tuple[Delivery, ...]]) -> dict[str, list[tuple[float, dict[int, float]]]]:
    """(measure time, value by index) of every frame, by owner."""
    return {
        owner: [(one.frame.measure_time_s, dict(zip(one.frame.index, one.frame.value, strict=True))) for one in found]
        for owner, found in deliveries.items()
    }


def test_an_empty_plan_reads_every_meter_at_every_scan() -> None:
    one = bank(feeder(Truth()))
    all_of_gateway = {0: 100.0, 1: 200.0, 2: 300.0, 3: 1.0}
    for now in (2.0, 4.0):
        assert of(one.deliveries(now)) == {
            "gateway": [(now, all_of_gateway)],
            "der.a": [(now, {0: 10.0})],
            "der.b": [(now, {0: 20.0})],
        }


def test_classes_read_owners_and_points_at_their_own_times() -> None:
    plan = SensorPlan(
        scan_classes=(
            ScanClass(point="*", period_s=1.0),
            ScanClass(point="*", source="der.*", period_s=4.0, offset_s=1.0),
            ScanClass(point="v_magnitude_v/b/0/3", period_s=60.0),
        )
    )
    one = bank(feeder(Truth()), plan)
    told: dict[str, list[tuple[float, list[int]]]] = {}
    for step in range(1, 13):
        one.observe(float(step))
        if step % 2 == 0:
            for owner, frames in of(one.deliveries(float(step))).items():
                told.setdefault(owner, []).extend((time_s, sorted(value)) for time_s, value in frames)
    # All are polled once when the run begins, at the first step.
    assert told["der.a"] == told["der.b"] == [(1.0, [0]), (5.0, [0]), (9.0, [0])]
    assert told["gateway"] == [(1.0, [0, 1, 2, 3]), *((float(k), [0, 1, 3]) for k in range(2, 13))]


def test_faults_reach_the_points_that_are_meant_and_no_other() -> None:
    truth = Truth()
    plan = SensorPlan(
        faults=(
            fault("p_injection_w/*", Scaled(factor=10.0), source="der.b"),
            fault("v_magnitude_v/b/0/*", PhasesSwapped(phases=(1, 2))),
            fault("switch_closed/switch.s/0/0", Inverted()),
        )
    )
    one = bank(feeder(truth), plan)
    assert of(one.deliveries(4.0))["gateway"] == [(4.0, {0: 100.0, 1: 200.0, 2: 300.0, 3: 1.0})]
    lies = of(one.deliveries(6.0))
    assert lies["gateway"] == [(6.0, {0: 200.0, 1: 100.0, 2: 300.0, 3: 0.0})]
    assert (lies["der.a"], lies["der.b"]) == ([(6.0, {0: 10.0})], [(6.0, {0: 200.0})])


def test_a_frozen_time_stands_in_a_frame_of_its_own() -> None:
    one = bank(feeder(Truth()), SensorPlan(faults=(fault("v_magnitude_v/b/0/2", TimeFrozen()),)))
    assert of(one.deliveries(8.0))["gateway"] == [(5.0, {1: 200.0}), (8.0, {0: 100.0, 2: 300.0, 3: 1.0})]


def test_a_sensor_class_takes_the_place_of_an_earlier_one_and_leaves_what_is_exact() -> None:
    plan = SensorPlan(
        sensors=(
            SensorClass(point="*", quantum_frac=0.3, saturation_frac=1.0),
            SensorClass(point="*", source="der.*", quantum_frac=0.03),
        )
    )
    shown = of(bank(feeder(Truth()), plan).deliveries(2.0))
    # Steps of 30 on a rating of 100, limited to 100 before: 90. Steps of 3: 10 is shown as 9, 20 as 21.
    assert shown["gateway"] == [(2.0, {0: 90.0, 1: 90.0, 2: 90.0, 3: 1.0})]
    assert [shown[owner][0][1][0] for owner in ("der.a", "der.b")] == pytest.approx([9.0, 21.0])


INTERVALS = IntervalMeters(
    interval_s=10.0,
    power_sigma_frac=0.01,
    report_delay_s=3.0,
    report_spread_s=20.0,
    report_distribution=Distribution.UNIFORM,
)


def test_interval_meters_report_true_means_late_with_the_intervals_end_as_time() -> None:
    truth = Truth()
    one = bank(customers(truth), SensorPlan(intervals=replace(INTERVALS, report_spread_s=0.0)))
    told = {}
    for step in range(1, 25):
        truth.value["p_average_w/load.0/0/0"] = -100.0 * step
        one.observe(float(step))
        for frames in of(one.deliveries(float(step))).values():
            told[float(step)] = frames
    # The value of a step holds over the second that ends with it: -(100 + ... + 1000)/10, then -(1100 + ... + 2000)/10.
    assert told == {13.0: [(10.0, {0: -550.0, 1: -100.0})], 23.0: [(20.0, {0: -1550.0, 1: -100.0})]}


def test_each_interval_meter_is_late_by_its_own_draw_and_none_is_forgotten() -> None:
    one = bank(customers(Truth(), count=50), SensorPlan(intervals=INTERVALS))
    late: list[tuple[float, float, int]] = []
    for step in range(1, 124):
        for frames in of(one.deliveries(float(step))).values():
            late += [(step, time_s, index) for time_s, values in frames for index in values]
    for end_s in [10.0 * k for k in range(1, 11)]:
        assert sorted(index for _, time_s, index in late if time_s == end_s) == list(range(50))
    delays = np.array([arrived - time_s for arrived, time_s, _ in late if time_s <= 100.0])
    # Found at the next whole second: 3 to 23 s and up to one more; the mean 13.5 within four standard errors.
    assert delays.min() >= 3.0
    assert delays.max() <= 24.0
    assert abs(delays.mean() - 13.5) < 4 * (20.0 / np.sqrt(12)) / np.sqrt(delays.size)


def test_two_reports_of_one_frozen_time_do_not_stand_in_one_frame_twice() -> None:
    plan = SensorPlan(
        intervals=replace(INTERVALS, report_delay_s=15.0, report_spread_s=0.0),
        faults=(fault("p_average_w/load.0/0/0", TimeFrozen()),),
    )
    one = bank(customers(Truth()), plan)
    for step in range(1, 41):
        one.observe(float(step))
    for frames in one.deliveries(40.0).values():
        assert all(len(set(frame.frame.index)) == len(frame.frame.index) for frame in frames)
        # Each report comes in its step, 15 s after the ends at 10 and 20 s.
        assert [frame.frame.measure_time_s for frame in frames] == [5.0, 10.0, 5.0, 20.0]


def test_noise_is_the_stream_of_the_point_and_its_owner() -> None:
    meters = feeder(Truth(), sigma=2.0)
    shown = of(bank(meters, seed=9).deliveries(2.0))
    for owner, index, name, truth in (
        ("gateway", 1, "v_magnitude_v/b/0/2", 200.0),
        ("der.b", 0, "p_injection_w/der.b/0/0", 20.0),
    ):
        noise = meter_stream(9, point=name, owner=owner)
        assert shown[owner][0][1][index] == truth + 2.0 * float(noise.standard_normal())


EVERYTHING = SensorPlan(
    sensors=(SensorClass(point="*", bias_sigma_frac=0.01, gain_sigma_frac=0.01, dead_band_frac=0.02, refresh_s=8.0),),
    scan_classes=(ScanClass(point="*", source="der.*", period_s=3.0),),
    intervals=INTERVALS,
    faults=(fault("v_magnitude_v/b/0/1", StuckAtValue(value=7.0)),),
    channels=(
        ChannelPlan(
            source="*",
            latency_s=0.5,
            jitter_s=1.0,
            jitter_distribution=Distribution.EXPONENTIAL,
            loss_frac=0.1,
            flags=(Flag(point="*", quality=Quality.SUSPECT, chance_frac=0.3, span=Span()),),
        ),
    ),
)


def course(meters: list[Meter], *, seed: int) -> dict[str, list[tuple[float, float, dict[str, tuple[float, Quality]]]]]:
    """(arrival, measure time, value and quality by name) by owner, over 40 s."""
    one = bank(meters, EVERYTHING, seed=seed, drop_out_frac=0.1)
    names: dict[str, list[str]] = {}
    for meter in meters:
        names.setdefault(meter.owner, []).append(name_of(meter.point))
    found: dict[str, list[tuple[float, float, dict[str, tuple[float, Quality]]]]] = {}
    for step in range(1, 41):
        one.observe(float(step))
        for owner, deliveries in (one.deliveries(float(step)) if step % 2 == 0 else {}).items():
            for delivery in deliveries:
                frame = delivery.frame
                qualities = frame.quality or (Quality.GOOD,) * len(frame.index)
                shown = {
                    names[owner][index]: (value, quality)
                    for index, value, quality in zip(frame.index, frame.value, qualities, strict=True)
                }
                found.setdefault(owner, []).append((delivery.arrive_s, frame.measure_time_s, shown))
    return found


@settings(max_examples=15, deadline=None)
@given(order=st.randoms(use_true_random=False), seed=st.integers(0, 3))
def test_the_order_of_points_changes_no_draw(order: random.Random, seed: int) -> None:
    meters = [*feeder(Truth(), sigma=1.0), *customers(Truth(), count=3)]
    shuffled = order.sample(meters, len(meters))
    assert course(shuffled, seed=seed) == course(meters, seed=seed)


def test_a_device_more_changes_nothing_of_the_others() -> None:
    truth = Truth()
    meters = [*feeder(truth, sigma=1.0), *customers(truth, count=3)]
    more = [
        truth.meter("der.0", PointKind.P_INJECTION, "der.0", truth=5.0, sigma=1.0, rating=10.0),
        *meters,
    ]
    with_it = course(more, seed=2)
    assert with_it.pop("der.0")
    assert with_it == course(meters, seed=2)


def test_two_runs_of_one_seed_are_equal_and_of_two_are_not() -> None:
    first, second, other = (course(feeder(Truth(), sigma=1.0) + customers(Truth()), seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_what_a_plan_means_must_be_there() -> None:
    plan = read_sensor_plan(
        {
            "sensor": [{"point": "switch_closed/*"}],
            "scan_class": [
                {"point": "v_magnitude_v/c/*", "period_s": 1.0},
                {"point": "p_average_w/*", "period_s": 1.0},
            ],
            "sensor_fault": [
                {"point": "v_magnitude_v/b/0/4", "kind": "nan", "start_s": 0.0},
                {"point": "p_injection_w/*", "source": "der.c", "kind": "nan", "start_s": 0.0},
                {"point": "v_magnitude_v/b/0/3", "kind": "inverted", "start_s": 0.0},
                {"point": "p_injection_w/der.a/0/0", "kind": "phases_swapped", "phases": [1, 2], "start_s": 0.0},
            ],
            "channel": [
                {"source": "gatewy"},
                {"source": "der.*", "flag": [{"point": "v_*", "quality": "stale", "chance_frac": 1.0}]},
            ],
        }
    )
    truth = Truth()
    with pytest.raises(InputError) as refused:
        bank([*feeder(truth), *customers(truth)], plan)
    found = [str(problem) for problem in refused.value.problems]
    assert found == [
        "[[sensor]] 1.point: means only points that are exact (given: switch_closed/*)",
        "[[scan_class]] 1.point: means no point; did you mean v_magnitude_v/b/0/3? (given: v_magnitude_v/c/*)",
        "[[scan_class]] 2.point: means only means over intervals (given: p_average_w/*)",
        "[[sensor_fault]] 1.point: means no point; did you mean v_magnitude_v/b/0/3? (given: v_magnitude_v/b/0/4)",
        "[[sensor_fault]] 2.point: means no point of source der.c (given: p_injection_w/*)",
        "[[sensor_fault]] 3.point: has more than two states; inverted is for positions of switches, indicators and "
        "flags (given: v_magnitude_v/b/0/3)",
        "[[sensor_fault]] 4.point: means no point of phase 1 or 2 (given: p_injection_w/der.a/0/0)",
        "[[channel]] 1.source: means no source; did you mean gateway? (given: gatewy)",
        "[[channel 2.flag]] 1.point: means no point of these sources; there are: p_injection_w/der.a/0/0, "
        "p_injection_w/der.b/0/0 (given: v_*)",
    ]


def test_a_phase_that_is_not_metered_cannot_be_swapped() -> None:
    meters = feeder(Truth())[:1]
    with pytest.raises(InputError, match=r"cannot show v_magnitude_v/b/0/2: nothing is metered there"):
        bank(meters, SensorPlan(faults=(fault("v_*", PhasesSwapped(phases=(1, 2))),)))


def test_channels_are_told_apart_by_source_and_the_last_plan_counts() -> None:
    plan = SensorPlan(channels=(ChannelPlan(source="*", latency_s=1.0), ChannelPlan(source="der.b", latency_s=5.0)))
    one = bank(feeder(Truth()), plan)
    arrived = {now: sorted(one.deliveries(now)) for now in (2.0, 3.0, 7.0)}
    assert arrived == {2.0: [], 3.0: ["der.a", "gateway"], 7.0: ["der.a", "der.b", "gateway"]}
    assert one.counts["der.b"].sent == 3
    assert one.on_their_way["der.b"] == 2
