"""What a field client owes the feeder, without a service: messages are handed to it as the stream would."""

from datetime import datetime

import grpc
import grpc.aio
import pytest

from adms.client import (
    Device,
    DeviceClass,
    DeviceController,
    Lease,
    OutcomeCode,
    PowerSetpoint,
    ReceivedCommand,
    session,
)
from adms.convert.common import time_to_proto
from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2 as pb
from tests.unit.runtime.feeders import at

DEFAULT = PowerSetpoint(p_injection_w=None, q_injection_var=0.0)


class Bench:
    """A controller that nobody is connected to."""

    def __init__(self, *, seen_epoch: int = 0) -> None:
        self.now = at(0)
        device = Device(device_id="der.pv", device_class=DeviceClass.DER, stored_default=DEFAULT, seen_epoch=seen_epoch)
        self.controller = DeviceController(
            "127.0.0.1:1", controller_id="ctl", devices=[device], now=lambda: self.now, instance_id="i"
        )
        self.batches = 0

    async def give(self, *commands: pb.Command) -> None:
        self.batches += 1
        await self.controller._take(pb.CommandBatch(stream_sequence=self.batches, commands=commands))

    def queued(self) -> list[ReceivedCommand]:
        queue = self.controller._commands
        return [queue.get_nowait() for _ in range(queue.qsize())]

    def told(self) -> list[tuple[str, int]]:
        return [(o.command_id, o.code) for message in self.controller._kept for o in message.outcomes]


def command(
    name: str = "c1-1",
    *,
    epoch: int = 1,
    sequence: int = 1,
    p: float | None = 1e3,
    q: float | None = None,
    expiry: datetime | None = None,
    device: str = "der.pv",
) -> pb.Command:
    return pb.Command(
        command_id=name,
        device_id=device,
        epoch=epoch,
        sequence=sequence,
        issue_time=time_to_proto(at(0)),
        expiry=time_to_proto(expiry or at(60)),
        setpoint=common_pb2.Setpoint(power=common_pb2.PowerSetpoint(p_injection_w=p, q_injection_var=q)),
    )


async def test_a_lower_epoch_than_seen_is_refused() -> None:
    bench = Bench(seen_epoch=5)
    await bench.give(command(epoch=4))
    assert bench.queued() == []
    assert bench.told() == [("c1-1", common_pb2.OUTCOME_CODE_STALE_EPOCH)]
    await bench.give(command("c6-1", epoch=6))
    await bench.give(command("c5-2", epoch=5))
    assert [c.command_id for c in bench.queued()] == ["c6-1"]
    assert bench.controller.seen_epoch == 6


async def test_an_equal_epoch_of_another_service_is_refused() -> None:
    bench = Bench()
    await bench.give(command("c3-7", epoch=3, sequence=7))
    await bench.give(command("other-3-7", epoch=3, sequence=7))
    assert [c.command_id for c in bench.queued()] == ["c3-7"]
    assert bench.told() == [("other-3-7", common_pb2.OUTCOME_CODE_STALE_EPOCH)]


async def test_a_command_older_than_the_newest_of_its_device_is_not_carried_out() -> None:
    bench = Bench()
    await bench.give(command("c3-7", epoch=3, sequence=7))
    await bench.give(command("c3-6", epoch=3, sequence=6))
    assert [c.command_id for c in bench.queued()] == ["c3-7"]
    assert bench.told() == [("c3-6", common_pb2.OUTCOME_CODE_EXPIRED)]


async def test_a_later_service_counts_its_commands_anew() -> None:
    bench = Bench()
    await bench.give(command("c3-7", epoch=3, sequence=7))
    await bench.give(command("c4-1", epoch=4, sequence=1))
    assert [c.command_id for c in bench.queued()] == ["c3-7", "c4-1"]


class Ended:
    """A call of a service that answers the registration, then ends the stream."""

    def __init__(self) -> None:
        answer = pb.AttachResponse(registration_result=pb.RegistrationResult(epoch=1))
        self.said: list[object] = [answer, grpc.aio.EOF]

    async def read(self) -> object:
        return self.said.pop(0)

    async def write(self, message: object) -> None: ...

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    def cancel(self) -> None: ...


@pytest.mark.parametrize(("steady_s", "resets"), [(session.STEADY_S, 0), (0.0, 1)])
async def test_only_a_stream_that_lasted_ends_the_back_off(
    monkeypatch: pytest.MonkeyPatch, steady_s: float, resets: int
) -> None:
    # A stream that is greeted and ends at once must not be opened again at full speed.
    monkeypatch.setattr(session, "STEADY_S", steady_s)
    controller = Bench().controller
    counted: list[None] = []
    monkeypatch.setattr(controller._backoff, "reset", lambda: counted.append(None))
    monkeypatch.setattr(controller, "_open", lambda _: Ended())
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(ExceptionGroup):
            await controller._talk(channel)
    assert len(counted) == resets


async def test_a_repeated_command_is_answered_again_and_not_carried_out_again() -> None:
    bench = Bench()
    await bench.give(command())
    (taken,) = bench.queued()
    await bench.give(command())
    assert bench.queued() == []
    await bench.controller.report(taken, OutcomeCode.SUCCESS)
    await bench.give(command())
    assert bench.queued() == []
    assert bench.told() == [("c1-1", common_pb2.OUTCOME_CODE_SUCCESS)] * 2


async def test_a_command_that_comes_too_late_is_dropped() -> None:
    bench = Bench()
    bench.now = at(60)
    await bench.give(command())
    assert bench.queued() == []
    assert bench.told() == [("c1-1", common_pb2.OUTCOME_CODE_EXPIRED)]


async def test_what_this_version_does_not_know_is_not_supported() -> None:
    bench = Bench()
    unknown = command("c1-1")
    unknown.ClearField("setpoint")
    await bench.give(unknown, command("c1-2", device="der.other"))
    assert bench.queued() == []
    code = common_pb2.OUTCOME_CODE_NOT_SUPPORTED
    assert sorted(bench.told()) == [("c1-1", code), ("c1-2", code)]


async def test_outcomes_stay_until_they_are_recorded() -> None:
    bench = Bench()
    await bench.give(command("c1-1"), command("c1-2", sequence=2))
    for taken in bench.queued():
        await bench.controller.report(taken, OutcomeCode.SUCCESS)
    assert bench.controller.outcome_sequence == 2
    await bench.controller._drop(1)
    assert bench.told() == [("c1-2", common_pb2.OUTCOME_CODE_SUCCESS)]


async def test_a_batch_is_settled_when_all_of_it_is_reported() -> None:
    bench = Bench()
    await bench.give(command("c1-1"), command("c1-2", sequence=2))
    first, second = bench.queued()
    assert len(bench.controller._unsettled) == 2
    await bench.controller.report(first, OutcomeCode.SUCCESS)
    await bench.controller.report(second, OutcomeCode.HARDWARE_ERROR)
    await bench.controller.until_settled(1)


def received(sequence: int, *, epoch: int = 1, p: float | None = 1e3, q: float | None = None) -> ReceivedCommand:
    return ReceivedCommand(
        command_id=f"c{epoch}-{sequence}",
        device_id="der.pv",
        setpoint=PowerSetpoint(p_injection_w=p, q_injection_var=q),
        epoch=epoch,
        sequence=sequence,
        issue_time=at(0),
        expiry=at(60),
        app="dispatch",
        plan_id="",
        reason="",
        snapshot_id="",
        stream_sequence=1,
    )


def test_a_lease_holds_until_its_end_and_the_default_from_then_on() -> None:
    now = at(0)
    lease = Lease(stored_default=DEFAULT, now=lambda: now)
    assert (lease.due().setpoint, lease.due().leased) == (DEFAULT, False)
    assert lease.take(received(1, p=None, q=500.0))
    assert lease.due().setpoint == PowerSetpoint(p_injection_w=None, q_injection_var=500.0)
    now = at(59.999)
    assert lease.due().leased
    now = at(60)
    assert (lease.due().setpoint, lease.due().leased) == (DEFAULT, False)
    assert not lease.take(received(2))


def test_an_older_lease_does_not_replace_a_newer_one() -> None:
    lease = Lease(stored_default=DEFAULT, now=lambda: at(0))
    assert lease.take(received(5, epoch=2, p=2e3))
    assert not lease.take(received(9, epoch=1, p=1e3))
    assert not lease.take(received(4, epoch=2, p=1e3))
    assert lease.take(received(6, epoch=2, p=3e3))
    assert lease.due().setpoint.p_injection_w == 3e3
