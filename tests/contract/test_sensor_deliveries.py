"""What the service makes of late, repeated, overtaken and flagged frames that the bench's channels deliver."""

from dataclasses import asdict
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adms.client import Quality, SimulationClock
from adms.core.estimate import NotEstimated
from adms.core.ids import SnapshotId, TelemetrySourceId
from adms.core.telemetry import TelemetrySnapshot
from adms.ports.records import TelemetryFrame
from adms.runtime.image import TelemetryImage
from hil import feeder_time
from hil.field import Field, answer
from hil.sensors.channel import Channel, ChannelPlan, Delivery, Flag, Frame
from hil.sensors.terms import Distribution, Span
from tests.contract.loops import CLIENT_POINTS, running
from tests.unit.runtime.feeders import IMAGE_POLICY, POINTS, VERSION, Script, at, small_arrays, small_model

RTU = TelemetrySourceId("rtu")
NAMES = ("v", "s1", "tie", "bank")


def delivered(plan: ChannelPlan, *, seconds: int, seed: int = 1) -> list[Delivery]:
    """A frame a second, the voltage telling its own second."""
    channel, found = Channel(plan, source="rtu", points=NAMES, seed=seed), []
    for k in range(1, seconds + 1):
        channel.send(Frame(measure_time_s=float(k), index=(0, 1, 2, 3), value=(2400.0 + k, 1.0, 0.0, 1.0)), float(k))
        found += channel.due(float(k))
    return found + channel.due(1e6)


def picture(deliveries: list[Delivery], *, at_s: float) -> TelemetrySnapshot:
    """What the service sees once all of them have been sent, in their order, by a client that numbers them."""
    image = TelemetryImage(
        small_model(), version=VERSION, policy=IMAGE_POLICY, used={}, on_event=lambda: None, on_arrival=lambda: None
    )
    image.hello(RTU, instance_epoch=1)
    image.declare(RTU, instance_epoch=1, points=POINTS)
    for sequence, delivery in enumerate(deliveries, start=1):
        frame = delivery.frame
        taken = TelemetryFrame(
            sequence=sequence,
            measure_time=at(frame.measure_time_s),
            point_index=frame.index,
            value=frame.value,
            quality=frame.quality,
        )
        image.receive(RTU, instance_epoch=1, frame=taken)
    return image.cut(at(at_s), horizon=at(at_s), snapshot_id=SnapshotId("s")).snapshot


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    duplicate_frac=st.sampled_from([0.0, 0.3]),
    reorder_frac=st.sampled_from([0.0, 0.4]),
    loss_frac=st.sampled_from([0.0, 0.3]),
)
def test_however_frames_arrive_the_newest_measurement_stands(
    seed: int, duplicate_frac: float, reorder_frac: float, loss_frac: float
) -> None:
    plan = ChannelPlan(
        source="rtu",
        duplicate_frac=duplicate_frac,
        duplicate_delay_s=2.5,
        reorder_frac=reorder_frac,
        reorder_delay_s=3.5,
        loss_frac=loss_frac,
        jitter_s=1.0,
        jitter_distribution=Distribution.EXPONENTIAL,
    )
    deliveries = delivered(plan, seconds=12, seed=seed)
    if not deliveries:
        return
    seen = picture(deliveries, at_s=12.0)
    newest_s = max(delivery.frame.measure_time_s for delivery in deliveries)
    row = seen.table.row[POINTS[0].key]
    assert seen.value[row] == 2400.0 + newest_s
    assert seen.age_s[row] == 12.0 - newest_s
    assert len(seen.events) == 0  # a repeated or late position is no operation


def test_a_frame_of_a_clock_that_is_ahead_is_not_believed_and_one_behind_is_old() -> None:
    # The service believes half a second, and takes 10 s as the age of what is stale.
    for skew_s, quality in ((0.4, Quality.GOOD), (5.0, Quality.INVALID), (-5.0, Quality.GOOD), (-11.0, Quality.STALE)):
        seen = picture(delivered(ChannelPlan(source="rtu", clock_skew_s=skew_s), seconds=3), at_s=3.0)
        assert seen.quality[seen.table.row[POINTS[0].key]] == quality, skew_s


async def test_measure_times_and_qualities_cross_the_field_bus_and_the_wire(tmp_path: Path) -> None:
    flags = (
        Flag(point="v", quality=Quality.SUSPECT, chance_frac=1.0, span=Span(start_s=3.0, duration_s=1.0)),
        Flag(point="s1", quality=Quality.INVALID, chance_frac=1.0, span=Span(start_s=3.0, duration_s=1.0)),
    )
    plan = ChannelPlan(source="rtu", latency_s=0.75, duplicate_frac=1.0, flags=flags)
    channel = Channel(plan, source="rtu", points=NAMES, seed=1)
    seen: list[TelemetrySnapshot] = []

    def look(snapshot: TelemetrySnapshot) -> NotEstimated:
        seen.append(snapshot)
        return NotEstimated(snapshot_id=snapshot.snapshot_id, time=snapshot.cut_time, reason="not asked for")

    script = Script(arrays=small_arrays(), picture=look)
    async with running(tmp_path, script=script) as loop, SimulationClock(loop.endpoint) as clock:
        field = Field(
            {
                "time_s": 0.0,
                "endpoint": loop.endpoint,
                "supervision_lapse_s": 30.0,
                "sources": [{"source_id": "rtu", "points": [asdict(point) for point in CLIENT_POINTS]}],
                "controllers": [],
            }
        )
        await field.start()
        try:
            assert await answer(field, {"type": "ready"}) == {"problems": []}
            for k in (2, 3, 4):
                channel.send(Frame(measure_time_s=float(k), index=(0, 1, 2, 3), value=(2400.0 + k, 1.0, 0.0, 1.0)), k)
                arrived = channel.due(k)
                message = {"rtu": [delivery.to_message() for delivery in arrived]} if arrived else {}
                reply = await answer(field, {"type": "deliver", "time_s": float(k), "deliveries": message})
                # Of 2 s and 3 s, each twice, one scan late.
                assert reply == {"frames": {"rtu": 2 * (k - 2)} if k > 2 else {}}
                await clock.advance_to(feeder_time.moment(k), expect_frames=reply["frames"])
            snapshot = seen[-1]
            row = snapshot.table.row
            assert snapshot.cut_time == feeder_time.moment(4.0)
            assert snapshot.value[row[POINTS[0].key]] == 2403.0
            assert snapshot.age_s[row[POINTS[0].key]] == 1.0
            assert [snapshot.quality[row[point.key]] for point in POINTS] == [
                Quality.SUSPECT,
                Quality.INVALID,
                Quality.GOOD,
                Quality.GOOD,
            ]
        finally:
            await field.close()
