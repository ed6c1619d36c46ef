"""Clients of the conformance kit that are broken on purpose, each in one way: the reference client, but for that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from math import nan
from pathlib import Path
from typing import Any

import grpc.aio
from google.protobuf.unknown_fields import UnknownFieldSet

from adms.client import (
    DeviceController,
    Lease,
    OutcomeCode,
    PowerSetpoint,
    ReceivedCommand,
    TelemetrySource,
    utc_now,
)
from adms.client.channel import Backoff, open_channel, write_message
from adms.client.records import Report
from adms.wire.control.v1 import control_pb2 as pb
from adms.wire.telemetry.v1 import telemetry_pb2
from hil.conformance.reference_client import CAPABILITY, DEFAULT, Battery, Memory, ReferenceClient

Make = Callable[[str, Path], ReferenceClient]
NAMES = ("der.reference", "der.reference_2")


class InProcess:
    """A client in this process, started and ended as the kit asks."""

    def __init__(self, make: Make, *, folder: Path) -> None:
        self._make = make
        self._memory = folder / "memory.json"
        self._running: asyncio.Task[None] | None = None

    @property
    def exit_code(self) -> int | None:
        return 1 if self._running is not None and self._running.done() else None

    async def start(self, endpoint: str) -> None:
        self._running = asyncio.create_task(self._make(endpoint, self._memory).run())

    async def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await running


def client(
    *,
    battery: Callable[[], Battery] = Battery,
    controller: Callable[..., DeviceController] = DeviceController,
    source: Callable[..., TelemetrySource] = TelemetrySource,
    kind: type[ReferenceClient] = ReferenceClient,
) -> Make:
    """The reference client with some part replaced."""

    def make(endpoint: str, memory: Path) -> ReferenceClient:
        made = kind(
            endpoint,
            batteries={name: battery() for name in NAMES},
            memory=Memory(path=memory),
            controller=controller,
            source=source,
        )
        for each in made.batteries.values():
            if isinstance(each, Linked):
                each.controller = made.controller
        return made

    return make


# --- what is done with a lease ---------------------------------------------------------------------------------------


class Linked(Battery):
    """Knows the controller that it hangs on."""

    controller: DeviceController


def held(battery: Battery) -> PowerSetpoint | None:
    """Setpoint of the newest lease, run out or not."""
    newest = battery.lease._newest
    return None if newest is None or not isinstance(newest.setpoint, PowerSetpoint) else newest.setpoint


class IgnoresLease(Battery):
    """The last setpoint holds for ever."""

    def wanted(self) -> tuple[float, float]:
        setpoint = held(self)
        return (0.0, 0.0) if setpoint is None else (setpoint.p_injection_w or 0.0, setpoint.q_injection_var or 0.0)


class HoldsWhileCut(Linked):
    """Nothing lapses while the stream is down."""

    def wanted(self) -> tuple[float, float]:
        setpoint = held(self)
        if self.controller.connected or setpoint is None:
            return super().wanted()
        return setpoint.p_injection_w or 0.0, setpoint.q_injection_var or 0.0


class DropsWhenCut(Linked):
    """Every lease is dropped as soon as the stream is down."""

    def wanted(self) -> tuple[float, float]:
        return super().wanted() if self.controller.connected else (0.0, 0.0)


class CountsFromArrival(Battery):
    """The lease lasts from its arrival as long as it was issued for."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        return super().take(replace(command, expiry=utc_now() + (command.expiry - command.issue_time)))


class ActsLate(Battery):
    """SUCCESS at once, movement a while after it."""

    LATE_S = 1.6

    def __init__(self) -> None:
        super().__init__()
        self._at = utc_now()
        self._before = (0.0, 0.0)

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        before = self.wanted()
        said = super().take(command)
        if said[0] is OutcomeCode.SUCCESS:
            self._at, self._before = utc_now() + timedelta(seconds=self.LATE_S), before
        return said

    def wanted(self) -> tuple[float, float]:
        return self._before if utc_now() < self._at else super().wanted()


class Clamps(Battery):
    """What is outside the nameplate is clamped to it, and taken."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and abs(setpoint.p_injection_w or 0.0) < 1e9:
            p_w = max(-100e3, min(100e3, setpoint.p_injection_w or 0.0))
            q_var = max(-44e3, min(44e3, setpoint.q_injection_var or 0.0))
            if abs(q_var) + abs(p_w) > 100e3:
                p_w = max(-80e3, min(80e3, p_w))
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var))
        return super().take(command)


class TakesNaN(Battery):
    """What is no number counts as nothing."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and not abs(setpoint.p_injection_w or 0.0) < 1e9:
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0))
        return super().take(command)


class AnyOrder(Lease):
    """The newest lease is the one that came last."""

    def take(self, command: ReceivedCommand) -> bool:
        before, self._newest = self._newest, None
        taken = super().take(command)
        if not taken:
            self._newest = before
        return taken


class DiesOfNaN(Battery):
    """Has no answer to what is no number."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and not abs(setpoint.p_injection_w or 0.0) < 1e9:
            raise ValueError("no number")
        return super().take(command)


class LastArrivalWins(Battery):
    """The order of sequences is not looked at."""

    def __init__(self) -> None:
        super().__init__(lease=AnyOrder(stored_default=DEFAULT))


class SharedLease(Battery):
    """All devices of the process hang on one lease."""

    common: Lease

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        self.lease = type(self).common
        return super().take(command)

    def wanted(self) -> tuple[float, float]:
        self.lease = type(self).common
        return super().wanted()


def shared() -> Callable[[], Battery]:
    return type("SharedLeaseOfOne", (SharedLease,), {"common": Lease(stored_default=DEFAULT)})


class OtherSign(Battery):
    """Counts what it draws."""

    def wanted(self) -> tuple[float, float]:
        p_w, q_var = super().wanted()
        return -p_w, q_var


class Pulses(Battery):
    """The same level once more switches it off."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        if held(self) == command.setpoint:
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0))
        return super().take(command)


class KeepsWhatIsLeftOut(Battery):
    """A quantity that is left out stays as it was."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and setpoint.p_injection_w is None:
            command = replace(command, setpoint=replace(setpoint, p_injection_w=self.p_w))
        return super().take(command)


class NoReactive(Battery):
    """Q is not followed."""

    def wanted(self) -> tuple[float, float]:
        return super().wanted()[0], 0.0


class NoRamp(Battery):
    """The declared ramp is not kept."""

    def step(self, elapsed_s: float) -> None:
        self.p_w, self.q_var = self.wanted()


class DipsAtRenewal(Battery):
    """Each new lease begins at the default."""

    dips = 0

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        self.dips = 8
        return super().take(command)

    def wanted(self) -> tuple[float, float]:
        self.dips -= 1
        return (0.0, 0.0) if self.dips > 0 else super().wanted()


class TakesSwitch(Battery):
    """Says that it has opened, and has."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        if not isinstance(command.setpoint, PowerSetpoint):
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0))
        return super().take(command)


class BrokenPlate(Battery):
    """A nameplate without reactive range."""

    def __init__(self) -> None:
        super().__init__(capability=replace(CAPABILITY, q_max_var=-1.0))


class DefaultOutside(ReferenceClient):
    """The stored default is more than it can."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        outside = PowerSetpoint(p_injection_w=150e3, q_injection_var=0.0)
        devices = self.controller._devices
        devices.update({name: replace(device, stored_default=outside) for name, device in devices.items()})


# --- what is done on the control stream ------------------------------------------------------------------------------


class OldEpochs(DeviceController):
    """An old epoch is as good as the newest."""

    def _refusal(self, message: pb.Command) -> Report | None:
        message.epoch = max(message.epoch, self.seen_epoch)
        return super()._refusal(message)


class AlwaysSuccess(DeviceController):
    """Says SUCCESS, whatever it did."""

    async def report(self, command: ReceivedCommand, code: OutcomeCode, **words: Any) -> None:
        await super().report(command, OutcomeCode.SUCCESS, **words)

    def _report(self, message: pb.Command, code: OutcomeCode, text: str) -> Report:
        return super()._report(message, OutcomeCode.SUCCESS, text)


class LeasesAgain(DeviceController):
    """A repetition is carried out again, with a lease as long as the first was."""

    def _refusal(self, message: pb.Command) -> Report | None:
        if self._answers.get(message.command_id) is not None:
            del self._answers[message.command_id]
            self._newest.pop(message.device_id, None)
            length = message.expiry.ToDatetime() - message.issue_time.ToDatetime()
            message.expiry.FromDatetime(utc_now() + length)
        return super()._refusal(message)


class ActsOnRepetitions(DeviceController):
    """A repetition is a command like any other."""

    def _refusal(self, message: pb.Command) -> Report | None:
        self._answers.pop(message.command_id, None)
        self._newest.pop(message.device_id, None)
        return super()._refusal(message)


class ForgetsIds(DeviceController):
    """Does not know a repetition for one."""

    def _refusal(self, message: pb.Command) -> Report | None:
        self._answers.clear()
        return super()._refusal(message)


class RefusesNewEpochs(DeviceController):
    """Obeys the first leader that it met and no other."""

    def _refusal(self, message: pb.Command) -> Report | None:
        if self._newest and message.epoch > max(epoch for epoch, _ in self._newest.values()):
            return self._report(message, OutcomeCode.STALE_EPOCH, "not my leader")
        return super()._refusal(message)


class NoOrder(DeviceController):
    """The order of sequences is not looked at."""

    def _older(self, message: pb.Command) -> Report | None:
        return None


class Reversed(NoOrder):
    """The last of a batch is done first."""

    async def _take(self, batch: pb.CommandBatch) -> None:
        commands = list(batch.commands)[::-1]
        await super()._take(pb.CommandBatch(stream_sequence=batch.stream_sequence, commands=commands))


class Endless(DeviceController):
    """A setpoint without an end is taken for a day."""

    def _refusal(self, message: pb.Command) -> Report | None:
        if not message.HasField("expiry"):
            message.expiry.FromDatetime(utc_now() + timedelta(days=1))
        return super()._refusal(message)


class TakesForeign(DeviceController):
    """Whatever comes is for the first device."""

    def _refusal(self, message: pb.Command) -> Report | None:
        if message.device_id not in self._devices:
            message.device_id = next(iter(self._devices))
        return super()._refusal(message)


class NoInstance(DeviceController):
    """Without an instance_id."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._instance = ""


class NewInstance(DeviceController):
    """Another instance_id on each stream."""

    async def _greet(self, call: Any) -> None:
        self._instance += "x"
        await super()._greet(call)


class ForgetsEpoch(DeviceController):
    """Registers as if it had seen nothing."""

    async def _greet(self, call: Any) -> None:
        self.seen_epoch = 0
        await super()._greet(call)


class SameInstance(DeviceController):
    """Each process calls itself the same and goes on counting where nobody knows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "instance_id": "always"})
        self._sequence = 4


class AnswersTwice(DeviceController):
    """One delivery, two outcomes."""

    async def report(self, command: ReceivedCommand, code: OutcomeCode, **words: Any) -> None:
        await super().report(command, code, **words)
        await super().report(command, code, **words)


class LeavesGaps(DeviceController):
    """Every second number is left out."""

    def _keep(self, message: pb.Outcomes) -> int:
        self._sequence += 1
        return super()._keep(message)


class ForgetsOutcomes(DeviceController):
    """What was not acknowledged is lost with the stream."""

    async def _greet(self, call: Any) -> None:
        await super()._greet(call)
        self._kept.clear()


class RepeatsAll(DeviceController):
    """Says everything anew on each stream."""

    async def _drop(self, recorded: int) -> None: ...


class Fragile(DeviceController):
    """Ends its stream at what it does not know."""

    async def _hear(self, response: pb.AttachResponse) -> None:
        if response.WhichOneof("content") is None:
            raise ValueError("what is this?")
        await super()._hear(response)


class Picky(DeviceController):
    """Ends its stream at a kind of setpoint that it does not know."""

    def _refusal(self, message: pb.Command) -> Report | None:
        if message.setpoint.WhichOneof("kind") is None:
            raise ValueError("what is this?")
        return super()._refusal(message)


class Strict(DeviceController):
    """Refuses a command with a field that it does not know."""

    def _refusal(self, message: pb.Command) -> Report | None:
        if len(UnknownFieldSet(message)) > 0:
            return self._report(message, OutcomeCode.NOT_SUPPORTED, "an unknown field")
        return super()._refusal(message)


class Leaves(DeviceController):
    """Does not come back."""

    async def _talk(self, channel: grpc.aio.Channel) -> None:
        try:
            await super()._talk(channel)
        finally:
            await asyncio.get_running_loop().create_future()


class Storms(DeviceController):
    """Comes back at once, each time over a connection of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._backoff = Backoff(first_s=0.02, longest_s=0.02)

    async def _talk(self, channel: grpc.aio.Channel) -> None:
        async with open_channel(self._endpoint) as fresh:
            await super()._talk(fresh)


# --- what is done on the telemetry stream ----------------------------------------------------------------------------


class Silent(ReferenceClient):
    """Measures nothing."""

    async def tell(self, outputs: Sequence[float]) -> None: ...


class Backwards(ReferenceClient):
    """Every second frame is older than the one before it."""

    back = False

    async def tell(self, outputs: Sequence[float]) -> None:
        self.back = not self.back
        time = utc_now() - timedelta(seconds=0.2 if self.back else 0.0)
        await self.source.send(measure_time=time, values=dict(enumerate(outputs)))


class SaysGood(ReferenceClient):
    """A value that is none is sent as GOOD."""

    async def tell(self, outputs: Sequence[float]) -> None:
        await super().tell([outputs[0], nan, *outputs[2:]])


class WrongClock(ReferenceClient):
    """Its meter's clock is fast."""

    async def tell(self, outputs: Sequence[float]) -> None:
        await self.source.send(measure_time=utc_now() + timedelta(seconds=3), values=dict(enumerate(outputs)))


class ForgetsFrames(TelemetrySource):
    """What was not acknowledged is lost with the stream."""

    async def _greet(self, call: Any) -> None:
        await super()._greet(call)
        self._kept.clear()


class SameEpoch(TelemetrySource):
    """Each process says the same instance_epoch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "instance_epoch": 1})


class FramesFirst(TelemetrySource):
    """Declares before it says hello."""

    async def _greet(self, call: Any) -> None:
        await write_message(call, telemetry_pb2.ReportRequest(declaration=telemetry_pb2.Declaration()))
        await super()._greet(call)
