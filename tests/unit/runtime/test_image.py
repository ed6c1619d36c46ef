import random
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adms.core.errors import InputError
from adms.core.ids import SnapshotId, TelemetrySourceId
from adms.core.telemetry import PointKey, PointKind, Quality, TelemetrySnapshot
from adms.ports.records import DeclaredPoint, TelemetryFrame
from adms.runtime.frame_spans import FrameSpan
from adms.runtime.image import Cut, TelemetryImage, UsedFrames
from tests.unit.runtime.feeders import (
    BANK,
    IMAGE_POLICY,
    POINTS,
    PV,
    SWITCH,
    VERSION,
    at,
    frame,
    small_model,
)

A, B = TelemetrySourceId("a"), TelemetrySourceId("b")
VOLTAGE = POINTS[0].key


def make(used: dict[TelemetrySourceId, UsedFrames] | None = None) -> TelemetryImage:
    return TelemetryImage(
        small_model(),
        version=VERSION,
        policy=IMAGE_POLICY,
        used=used or {},
        on_event=lambda: None,
        on_arrival=lambda: None,
    )


def started() -> TelemetryImage:
    image = make()
    image.hello(A, instance_epoch=1)
    image.declare(A, instance_epoch=1, points=POINTS)
    return image


def cut(image: TelemetryImage, seconds: float) -> Cut:
    return image.cut(at(seconds), horizon=at(seconds), snapshot_id=SnapshotId("s"))


def counts(cut: Cut) -> dict[TelemetrySourceId, int]:
    return {source: sum(span.count for span in spans) for source, spans in cut.frames.items()}


def value(snapshot: TelemetrySnapshot, key: PointKey = VOLTAGE) -> tuple[float, Quality]:
    row = snapshot.table.row[key]
    return float(snapshot.value[row]), Quality(snapshot.quality[row])


def test_a_point_that_never_came_is_missing_and_not_zero() -> None:
    snapshot = cut(started(), 1.0).snapshot
    assert np.isnan(snapshot.value).all()
    assert (snapshot.quality == Quality.MISSING).all()
    assert np.isinf(snapshot.age_s).all()


def test_a_value_ages_and_becomes_stale() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0)))
    assert value(cut(image, 10.0).snapshot) == (2400.0, Quality.GOOD)
    snapshot = cut(image, 10.5).snapshot
    assert value(snapshot) == (2400.0, Quality.STALE)
    assert snapshot.age_s[snapshot.table.row[VOLTAGE]] == 10.5


def test_a_repeated_frame_is_used_once() -> None:
    image = started()
    for _ in range(3):
        image.receive(A, instance_epoch=1, frame=frame(1, time=at(0)))
    assert counts(cut(image, 1.0)) == {A: 1}
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0)))
    assert counts(cut(image, 2.0)) == {}


def test_a_gap_is_refused() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0)))
    with pytest.raises(InputError, match="expected 2"):
        image.receive(A, instance_epoch=1, frame=frame(3, time=at(0)))


def test_a_lower_instance_is_refused_and_a_higher_one_starts_over() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0)))
    assert image.hello(A, instance_epoch=2).used_sequence == 0
    with pytest.raises(InputError, match="later instance, 2"):
        image.hello(A, instance_epoch=1)
    with pytest.raises(InputError, match="superseded"):
        image.receive(A, instance_epoch=1, frame=frame(2, time=at(0)))
    image.declare(A, instance_epoch=2, points=POINTS)
    image.receive(A, instance_epoch=2, frame=frame(1, time=at(1)))
    assert cut(image, 1.0).used[A] == UsedFrames(instance_epoch=2, sequence=1)


def test_a_cut_tells_the_frames_of_each_instance_apart() -> None:
    image = started()
    for sequence in (1, 2):
        image.receive(A, instance_epoch=1, frame=frame(sequence, time=at(0)))
    image.hello(A, instance_epoch=2)
    image.declare(A, instance_epoch=2, points=POINTS)
    image.receive(A, instance_epoch=2, frame=frame(1, time=at(1)))
    assert cut(image, 1.0).frames == {
        A: (
            FrameSpan(instance_epoch=1, first=1, last=2, count=2),
            FrameSpan(instance_epoch=2, first=1, last=1, count=1),
        )
    }


def test_what_the_journal_accounts_for_is_not_used_again() -> None:
    image = make(used={A: UsedFrames(instance_epoch=1, sequence=7)})
    assert image.hello(A, instance_epoch=1).used_sequence == 7
    image.declare(A, instance_epoch=1, points=POINTS)
    for sequence in (6, 7, 8):
        image.receive(A, instance_epoch=1, frame=frame(sequence, time=at(0)))
    assert counts(cut(image, 1.0)) == {A: 1}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_an_impossible_voltage_is_invalid(bad: float) -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0), values=(bad, 1.0, 0.0, 1.0)))
    assert value(cut(image, 0.0).snapshot)[1] is Quality.INVALID


def test_a_switch_is_open_or_closed_and_nothing_between() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0), values=(2400.0, 0.5, 0.0, 1.0)))
    assert value(cut(image, 0.0).snapshot, POINTS[1].key)[1] is Quality.INVALID


def test_a_flag_of_the_source_is_kept() -> None:
    image = started()
    quality = (Quality.SUSPECT, Quality.GOOD, Quality.GOOD, Quality.GOOD)
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0), quality=quality))
    assert value(cut(image, 0.0).snapshot) == (2400.0, Quality.SUSPECT)


def test_an_older_measurement_does_not_replace_a_newer_one() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(5), values=(2500.0,)))
    image.receive(A, instance_epoch=1, frame=frame(2, time=at(3), values=(2300.0,)))
    assert value(cut(image, 6.0).snapshot) == (2500.0, Quality.GOOD)


def test_a_frame_of_the_future_waits_as_far_as_time_is_granted() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(2), values=(2402.0,)))
    image.receive(A, instance_epoch=1, frame=frame(2, time=at(4), values=(2404.0,)))
    first = image.cut(at(2), horizon=at(4), snapshot_id=SnapshotId("s"))
    assert (value(first.snapshot)[0], counts(first)) == (2402.0, {A: 1})
    second = image.cut(at(4), horizon=at(4), snapshot_id=SnapshotId("s"))
    assert (value(second.snapshot)[0], counts(second)) == (2404.0, {A: 1})


def test_a_meter_whose_clock_is_ahead_is_not_believed() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(3600)))
    assert value(cut(image, 0.0).snapshot)[1] is Quality.INVALID
    # Its clock is put right: the next frame counts, although it is "older".
    image.receive(A, instance_epoch=1, frame=frame(2, time=at(2)))
    assert value(cut(image, 2.0).snapshot)[1] is Quality.GOOD


def test_a_little_skew_is_no_age() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0.4)))
    snapshot = cut(image, 0.0).snapshot
    assert value(snapshot)[1] is Quality.GOOD
    assert snapshot.age_s[snapshot.table.row[VOLTAGE]] == 0.0


def test_a_flood_is_refused_and_nothing_of_it_is_lost_to_the_source() -> None:
    image = started()
    for sequence in range(1, IMAGE_POLICY.waiting_frames_max + 1):
        image.receive(A, instance_epoch=1, frame=frame(sequence, time=at(0)))
    late = frame(IMAGE_POLICY.waiting_frames_max + 1, time=at(0))
    with pytest.raises(InputError, match="too many frames"):
        image.receive(A, instance_epoch=1, frame=late)
    cut(image, 1.0)
    image.receive(A, instance_epoch=1, frame=late)
    assert counts(cut(image, 2.0)) == {A: 1}


def test_every_bad_column_of_a_frame_is_named() -> None:
    image = started()
    bad = TelemetryFrame(sequence=5, measure_time=at(0), point_index=(0, 9), value=(1.0,), quality=(Quality.GOOD,))
    with pytest.raises(InputError) as caught:
        image.receive(A, instance_epoch=1, frame=bad)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"frame.sequence", "frame.value", "frame.quality", "frame.point_index"}


@pytest.mark.parametrize(
    ("key", "sigma", "field"),
    [
        (PointKey(kind=PointKind.V_MAGNITUDE, element="x", phase=1), 1.0, "element"),
        (PointKey(kind=PointKind.V_MAGNITUDE, element="b", phase=2), 1.0, "phase"),
        (PointKey(kind=PointKind.V_MAGNITUDE, element="b", phase=1, side=1), 1.0, "side"),
        (PointKey(kind=PointKind.V_MAGNITUDE, element="b", phase=1), None, "sigma"),
        (PointKey(kind=PointKind.V_MAGNITUDE, element="b", phase=1), 0.0, "sigma"),
        (PointKey(kind=PointKind.P_FLOW, element=SWITCH, side=2, phase=1), 1.0, "side"),
        (PointKey(kind=PointKind.P_FLOW, element=SWITCH, side=1, phase=3), 1.0, "phase"),
        (PointKey(kind=PointKind.TAP_POSITION, element=SWITCH), None, "kind"),
        (PointKey(kind=PointKind.SWITCH_CLOSED, element=BANK), None, "kind"),
        (PointKey(kind=PointKind.SOC, element="load.b"), None, "kind"),
        (PointKey(kind=PointKind.SWITCH_CLOSED, element=SWITCH, phase=1), None, "phase"),
    ],
)
def test_a_point_that_the_model_does_not_have_is_refused_alone(key: PointKey, sigma: float | None, field: str) -> None:
    image = make()
    image.hello(A, instance_epoch=1)
    taken = image.declare(A, instance_epoch=1, points=(DeclaredPoint(key=key, sigma=sigma), POINTS[1]))
    assert taken.accepted == 1
    assert [problem.field for problem in taken.problems] == [field]


def test_the_first_source_holds_a_point() -> None:
    image = started()
    image.hello(B, instance_epoch=1)
    taken = image.declare(B, instance_epoch=1, points=POINTS[:1])
    assert taken.accepted == 0
    assert "source a" in taken.problems[0].message
    image.receive(B, instance_epoch=1, frame=frame(1, time=at(0), values=(9999.0,)))
    assert value(cut(image, 0.0).snapshot)[1] is Quality.MISSING


def test_a_lockout_is_an_event_that_stays_for_the_later_rounds() -> None:
    image = make()
    key = PointKey(kind=PointKind.LOCKOUT, element=SWITCH)
    image.hello(A, instance_epoch=1)
    image.declare(A, instance_epoch=1, points=(DeclaredPoint(key=key, sigma=None),))
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0), values=(0.0,)))
    image.receive(A, instance_epoch=1, frame=frame(2, time=at(1), values=(1.0,)))
    assert [(e.element, e.time, e.text) for e in cut(image, 2.0).snapshot.events] == [(SWITCH, at(1), "lockout")]
    assert len(cut(image, 900.0).snapshot.events) == 1
    assert cut(image, 902.0).snapshot.events == ()


@given(seed=st.integers(0, 10_000), sources=st.integers(2, 4), frames=st.integers(1, 6))
def test_the_order_in_which_sources_are_heard_changes_nothing(seed: int, sources: int, frames: int) -> None:
    """Frames of each source stay in order (a stream keeps it); between sources any order is possible."""
    chance = random.Random(seed)
    names = [TelemetrySourceId(f"s{n}") for n in range(sources)]
    points = (*POINTS, DeclaredPoint(key=PointKey(kind=PointKind.P_AVAILABLE, element=PV), sigma=None))
    queues = {
        name: [
            frame(k + 1, time=at(chance.choice((0.0, 1.0, 2.0))), values=(chance.choice((0.0, 1.0)),))
            for k in range(frames)
        ]
        for name in names
    }
    cuts = []
    for attempt in range(2):
        image = make()
        for n, name in enumerate(names):
            image.hello(name, instance_epoch=1)
            image.declare(name, instance_epoch=1, points=(points[n],))
        order = [name for name in names for _ in range(frames)]
        random.Random(seed + attempt + 1).shuffle(order)
        positions = dict.fromkeys(names, 0)
        for name in order:
            image.receive(name, instance_epoch=1, frame=queues[name][positions[name]])
            positions[name] += 1
        cuts.append(image.cut(at(3), horizon=at(3) + timedelta(0), snapshot_id=SnapshotId("s")))
    first, second = cuts
    assert first.used == second.used
    assert first.snapshot.table == second.snapshot.table
    for column in ("value", "sigma", "age_s", "quality"):
        np.testing.assert_array_equal(getattr(first.snapshot, column), getattr(second.snapshot, column))
    assert first.snapshot.events == second.snapshot.events


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((1, 0, 1), "stands in the frame twice"),
        ((0,) * 400_000, "more entries than the declaration, which has 4 points"),
    ],
)
def test_a_frame_says_each_point_once(index: tuple[int, ...], message: str) -> None:
    image = started()
    odd = TelemetryFrame(sequence=1, measure_time=at(0), point_index=index, value=(1.0,) * len(index), quality=())
    with pytest.raises(InputError, match=message):
        image.receive(A, instance_epoch=1, frame=odd)
    assert image.received(A) == 0


def test_events_of_a_chattering_switch_are_bounded_and_the_newest_stay() -> None:
    image = started()
    row = next(n for n, point in enumerate(POINTS) if point.key.element == SWITCH)
    most = 10_000
    for sequence in range(1, most + 51):
        chatter = TelemetryFrame(
            sequence=sequence,
            measure_time=at(sequence / 1000.0),
            point_index=(row,),
            value=(float(sequence % 2),),
            quality=(),
        )
        image.receive(A, instance_epoch=1, frame=chatter)
        if sequence % 100 == 0:
            cut(image, sequence / 1000.0)
    events = cut(image, 20.0).snapshot.events
    assert len(events) == most
    assert events[-1].time == at((most + 50) / 1000.0)


def test_names_of_sources_are_bounded() -> None:
    with pytest.raises(InputError, match="201 characters; at most 200"):
        make().hello(TelemetrySourceId("s" * 201), instance_epoch=1)


def test_points_of_a_source_that_has_gone_are_taken_over_once_they_are_stale() -> None:
    image = started()
    image.receive(A, instance_epoch=1, frame=frame(1, time=at(0)))
    cut(image, 0.0)
    image.goodbye(A, instance_epoch=1)
    cut(image, 2.0)
    image.hello(B, instance_epoch=1)
    # MAX_AGE_S is 10: at 12 s the source has been gone for exactly that.
    for seconds, accepted in ((2.0, 0), (12.0, 0), (14.0, len(POINTS))):
        cut(image, seconds)
        assert image.declare(B, instance_epoch=1, points=POINTS).accepted == accepted
    assert value(cut(image, 16.0).snapshot)[1] is Quality.MISSING
    image.receive(B, instance_epoch=1, frame=frame(1, time=at(16)))
    assert value(cut(image, 16.0).snapshot) == (2400.0, Quality.GOOD)
    # The first one comes back: its points are another's now, and what it sends of them is not used.
    image.hello(A, instance_epoch=1)
    assert image.declare(A, instance_epoch=1, points=POINTS).accepted == 0


def test_points_of_a_source_that_came_back_are_its_own() -> None:
    image = started()
    image.goodbye(A, instance_epoch=1)
    cut(image, 0.0)
    image.hello(A, instance_epoch=1)
    cut(image, 100.0)
    image.hello(B, instance_epoch=1)
    assert image.declare(B, instance_epoch=1, points=POINTS).accepted == 0
