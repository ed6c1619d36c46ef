"""What a channel does to frames: by hand where nothing is drawn, within four standard errors where something is."""

from dataclasses import replace
from itertools import pairwise
from math import exp, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.client import Quality
from hil.sensors.channel import Channel, ChannelPlan, Delivery, Flag, Frame
from hil.sensors.terms import Distribution, Span

MANY = 10_000


def plan(**fields: Any) -> ChannelPlan:
    return ChannelPlan(source="rtu", **fields)


def channel(one: ChannelPlan, *, points: tuple[str, ...] = ("v/a", "v/b"), seed: int = 1) -> Channel:
    return Channel(one, source="rtu", points=points, seed=seed)


def frame(time_s: float) -> Frame:
    return Frame(measure_time_s=time_s, index=(0, 1), value=(time_s, -time_s))


def sent(one: Channel, times: list[float]) -> Channel:
    for time_s in times:
        one.send(frame(time_s), time_s)
    return one


def told(deliveries: list[Delivery]) -> list[tuple[float, float]]:
    """(arrival, time measured) of each."""
    return [(round(one.arrive_s, 6), one.frame.measure_time_s) for one in deliveries]


def test_a_perfect_channel_delivers_each_frame_at_once_and_once() -> None:
    one = channel(plan())
    for time_s in (1.0, 2.0):
        one.send(frame(time_s), time_s)
        assert [delivery.frame for delivery in one.due(time_s)] == [frame(time_s)]
    assert one.due(1e9) == []


def test_constant_latency_shifts_every_frame() -> None:
    one = sent(channel(plan(latency_s=2.5)), [1.0, 2.0])
    assert told(one.due(3.4)) == []
    assert told(one.due(3.5)) == [(3.5, 1.0)]
    assert told(one.due(9.0)) == [(4.5, 2.0)]


@pytest.mark.parametrize(
    ("distribution", "mean_s", "sigma_s", "beyond_1_s"),
    [
        # Uniform over 0 to 2 s: half lies beyond 1 s. Exponential with a mean of 2 s: exp(-1/2) does.
        (Distribution.UNIFORM, 1.0, 2.0 / sqrt(12), 0.5),
        (Distribution.EXPONENTIAL, 2.0, 2.0, exp(-0.5)),
    ],
)
def test_jitter_has_the_stated_distribution(
    distribution: Distribution, mean_s: float, sigma_s: float, beyond_1_s: float
) -> None:
    # A frame every 100 s: none waits for the one before it.
    one = sent(
        channel(plan(latency_s=0.5, jitter_s=2.0, jitter_distribution=distribution)), [100.0 * k for k in range(MANY)]
    )
    late = np.array([delivery.arrive_s - delivery.frame.measure_time_s for delivery in one.due(1e9)]) - 0.5
    assert abs(late.mean() - mean_s) < 4 * sigma_s / sqrt(MANY)
    assert abs((late > 1.0).mean() - beyond_1_s) < 4 * sqrt(beyond_1_s * (1 - beyond_1_s) / MANY)
    assert late.min() >= 0.0


def test_jitter_alone_never_reorders() -> None:
    one = sent(
        channel(plan(jitter_s=30.0, jitter_distribution=Distribution.EXPONENTIAL)), [float(k) for k in range(500)]
    )
    deliveries = one.due(1e9)
    assert [delivery.number for delivery in deliveries] == list(range(1, 501))
    assert all(a.arrive_s <= b.arrive_s for a, b in pairwise(deliveries))


def test_whole_frames_are_lost_at_the_stated_rate() -> None:
    one = sent(channel(plan(loss_frac=0.05)), [float(k) for k in range(MANY)])
    arrived = len(one.due(1e9))
    assert one.counts.lost == MANY - arrived
    assert abs(one.counts.lost - 500) < 4 * sqrt(MANY * 0.05 * 0.95)


def test_duplicates_come_a_second_time_at_the_stated_rate() -> None:
    one = sent(channel(plan(duplicate_frac=0.1, duplicate_delay_s=3.0)), [10.0 * k for k in range(MANY)])
    deliveries = one.due(1e9)
    first = {delivery.number: delivery for delivery in deliveries if delivery.copy == 0}
    again = [delivery for delivery in deliveries if delivery.copy == 1]
    assert len(first) == MANY
    assert abs(len(again) - 1000) < 4 * sqrt(MANY * 0.1 * 0.9)
    assert all(second.frame is first[second.number].frame for second in again)
    assert {round(second.arrive_s - first[second.number].arrive_s, 6) for second in again} == {3.0}


def test_held_back_frames_are_overtaken_at_the_stated_rate() -> None:
    # Held back by 2.5 s at one frame a second: two later ones come before it.
    one = sent(channel(plan(reorder_frac=0.1, reorder_delay_s=2.5)), [float(k) for k in range(MANY)])
    deliveries = one.due(1e9)
    late = [delivery for delivery in deliveries if delivery.arrive_s > delivery.frame.measure_time_s]
    assert {round(delivery.arrive_s - delivery.frame.measure_time_s, 6) for delivery in late} == {2.5}
    assert abs(len(late) - 1000) < 4 * sqrt(MANY * 0.1 * 0.9)
    assert sorted(delivery.number for delivery in deliveries) == list(range(1, MANY + 1))
    overtaken = sum(a.number > b.number for a, b in pairwise(deliveries))
    assert overtaken > 0.8 * len(late)


def test_frames_of_an_outage_are_lost_where_nothing_stores_them() -> None:
    one = sent(channel(plan(outages=(Span(start_s=3.0, duration_s=2.0),))), [float(k) for k in range(1, 8)])
    assert [time_s for _, time_s in told(one.due(1e9))] == [1.0, 2.0, 5.0, 6.0, 7.0]
    assert one.counts.cut_off == 2


def test_stored_frames_follow_in_a_burst_and_live_ones_queue_behind_them() -> None:
    one = channel(plan(outages=(Span(start_s=2.0, duration_s=4.0),), store_frames=10, burst_frames_per_s=2.0))
    sent(one, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    # From the end at 6 s two a second: those of 2 to 5 s at 6.0 to 7.5, of 6 s at 8.0, of 7 s at 8.5, of 8 s at 9.0 and
    # of 9 s at 9.5: then the link has caught up.
    assert told(one.due(5.0)) == [(1.0, 1.0)]
    assert told(one.due(1e9)) == [
        (6.0, 2.0),
        (6.5, 3.0),
        (7.0, 4.0),
        (7.5, 5.0),
        (8.0, 6.0),
        (8.5, 7.0),
        (9.0, 8.0),
        (9.5, 9.0),
    ]


def test_a_full_store_loses_its_oldest_frames_and_says_how_many() -> None:
    one = channel(plan(outages=(Span(start_s=2.0, duration_s=8.0),), store_frames=3, burst_frames_per_s=100.0))
    sent(one, [float(k) for k in range(1, 10)])
    assert [time_s for _, time_s in told(one.due(1e9))] == [1.0, 7.0, 8.0, 9.0]
    assert one.counts.overflowed == 5
    assert one.counts.sent == 9


def test_a_burst_that_meets_the_next_outage_waits_for_its_end() -> None:
    outages = (Span(start_s=1.0, duration_s=2.0), Span(start_s=4.0, duration_s=6.0))
    one = channel(plan(outages=outages, store_frames=10, burst_frames_per_s=1.0))
    sent(one, [1.0, 1.5, 2.0])
    assert told(one.due(1e9)) == [(3.0, 1.0), (10.0, 1.5), (11.0, 2.0)]


def test_the_sources_clock_is_ahead_and_gains() -> None:
    one = sent(channel(plan(clock_skew_s=-1.5, clock_drift_s_per_h=0.6)), [0.0, 3600.0])
    assert told(one.due(1e9)) == [(0.0, -1.5), (3600.0, 3600.0 - 1.5 + 0.6)]


def test_flags_are_set_at_the_stated_rate_on_the_points_that_are_meant() -> None:
    flag = Flag(point="v/b", quality=Quality.SUSPECT, chance_frac=0.2, span=Span())
    one = sent(channel(plan(flags=(flag,))), [float(k) for k in range(MANY)])
    qualities = [delivery.frame.quality for delivery in one.due(1e9)]
    assert set(qualities) == {(), (Quality.GOOD, Quality.SUSPECT)}
    flagged = sum(quality != () for quality in qualities)
    assert abs(flagged - 2000) < 4 * sqrt(MANY * 0.2 * 0.8)


def test_a_flag_over_an_interval_stands_in_it_and_the_last_of_several_counts() -> None:
    flags = (
        Flag(point="v/*", quality=Quality.SUSPECT, chance_frac=1.0, span=Span(start_s=2.0, duration_s=2.0)),
        Flag(point="v/a", quality=Quality.INVALID, chance_frac=1.0, span=Span(start_s=3.0)),
    )
    one = sent(channel(plan(flags=flags)), [1.0, 2.0, 3.0, 4.0])
    assert [delivery.frame.quality for delivery in one.due(1e9)] == [
        (),
        (Quality.SUSPECT, Quality.SUSPECT),
        (Quality.INVALID, Quality.SUSPECT),
        (Quality.INVALID, Quality.GOOD),
    ]


def test_frames_go_in_the_order_of_time() -> None:
    one = sent(channel(plan()), [5.0])
    with pytest.raises(ValueError, match=r"sent at 4\.0 s, after 5\.0 s"):
        one.send(frame(4.0), 4.0)


BUSY = plan(
    latency_s=0.3,
    jitter_s=1.0,
    jitter_distribution=Distribution.EXPONENTIAL,
    loss_frac=0.1,
    duplicate_frac=0.1,
    duplicate_delay_s=0.7,
    reorder_frac=0.1,
    reorder_delay_s=2.0,
    clock_skew_s=0.2,
    outages=(Span(start_s=20.0, duration_s=15.0), Span(start_s=50.0, duration_s=5.0)),
    store_frames=8,
    burst_frames_per_s=4.0,
)


@pytest.mark.parametrize("switched_off", ["loss_frac", "duplicate_frac", "reorder_frac", "jitter_s"])
def test_one_impairment_changes_no_draw_of_another(switched_off: str) -> None:
    calm = replace(BUSY, outages=(), store_frames=0, burst_frames_per_s=None)
    times = [10.0 * k for k in range(400)]  # far apart: none waits for another
    with_it = sent(channel(calm), times).due(1e9)
    none: dict[str, Any] = {switched_off: 0.0}
    without = sent(channel(replace(calm, **none)), times).due(1e9)
    lost = {one.number for one in without} - {one.number for one in with_it}
    assert bool(lost) == (switched_off == "loss_frac")
    twice, twice_without = ({one.number for one in found if one.copy} for found in (with_it, without))
    if switched_off != "duplicate_frac":
        assert twice == twice_without - lost
    if switched_off in ("loss_frac", "duplicate_frac"):
        arrival, same = ({one.number: one.arrive_s for one in found if not one.copy} for found in (with_it, without))
        assert all(arrival[number] == same[number] for number in arrival)


shares = st.sampled_from([0.0, 0.1, 0.5])
plans = st.builds(
    plan,
    latency_s=st.sampled_from([0.0, 0.4, 5.0]),
    jitter_s=st.sampled_from([0.0, 3.0]),
    jitter_distribution=st.sampled_from(list(Distribution)),
    loss_frac=shares,
    duplicate_frac=shares,
    duplicate_delay_s=st.sampled_from([0.0, 2.0]),
    reorder_frac=shares,
    reorder_delay_s=st.just(1.5),
    store_frames=st.sampled_from([0, 1, 4, 100]),
    burst_frames_per_s=st.sampled_from([0.5, 3.0]),
    outages=st.lists(
        st.builds(Span, start_s=st.integers(0, 40).map(float), duration_s=st.integers(1, 20).map(float)), max_size=3
    ).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(
    one=plans,
    gaps=st.lists(st.sampled_from([0.0, 0.5, 1.0, 7.0]), min_size=1, max_size=40),
    looks=st.lists(st.booleans(), min_size=40, max_size=40),
    seed=st.integers(0, 5),
)
def test_no_frame_is_lost_that_is_not_counted_and_looking_changes_nothing(
    one: ChannelPlan, gaps: list[float], looks: list[bool], seed: int
) -> None:
    watched, left_alone = channel(one, seed=seed), channel(one, seed=seed)
    time_s, seen = 0.0, []
    for gap_s, look in zip(gaps, looks, strict=False):
        time_s += gap_s
        for both in (watched, left_alone):
            both.send(frame(time_s), time_s)
        if look:
            seen += watched.due(time_s)
        counts = watched.counts
        gone = counts.delivered + counts.lost + counts.cut_off + counts.overflowed
        assert counts.sent == gone + watched.on_their_way
    seen += watched.due(1e6)
    assert watched.counts.sent == len(gaps)
    assert watched.on_their_way == 0
    assert seen == left_alone.due(1e6)
    assert watched.counts == left_alone.counts
    numbers = [delivery.number for delivery in seen if delivery.copy == 0]
    assert len(numbers) == len(set(numbers)) == watched.counts.delivered
    assert sum(delivery.copy for delivery in seen) == watched.counts.duplicated
    assert [delivery.arrive_s for delivery in seen] == sorted(delivery.arrive_s for delivery in seen)
    assert all(delivery.arrive_s >= delivery.frame.measure_time_s + one.latency_s - 1e-9 for delivery in seen)
    if one.reorder_frac == 0.0:
        assert numbers == sorted(numbers)
    if one.loss_frac == 0.0 and not one.outages:
        assert len(numbers) == len(gaps)
