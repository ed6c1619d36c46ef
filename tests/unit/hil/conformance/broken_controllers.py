"""Controllers that are broken on purpose, each in one way: that of `adms.client`, but for that."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc.aio
from google.protobuf.unknown_fields import UnknownFieldSet

from adms.client import (
    DeviceController,
    OutcomeCode,
    ReceivedCommand,
    utc_now,
)
from adms.client.channel import Backoff, open_channel
from adms.client.records import Report
from adms.wire.control.v1 import control_pb2 as pb


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
