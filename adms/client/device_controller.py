"""A controller of devices: registers them, receives commands, returns outcomes. It outlives the service.

The checks that every device owes the feeder are made here: a lower epoch than seen is refused, and an equal one from
another instance of the service; a command older than the newest of its device is not carried out, a latched one that
comes too late is dropped, and one that comes twice is answered again without being carried out again.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import grpc.aio

from adms.client.channel import read_message, write_message
from adms.client.clock import Now, utc_now
from adms.client.field_proto import command_from_proto, device_to_proto, report_to_proto
from adms.client.records import Device, ReceivedCommand, Report
from adms.client.session import Reconnecting
from adms.convert.common import problem_from_proto, setpoint_from_proto
from adms.core.commands import OutcomeCode
from adms.core.errors import Problem
from adms.wire.control.v1 import control_pb2 as pb
from adms.wire.control.v1 import control_pb2_grpc

REMEMBERED = 1000
"""Command ids kept to recognise a repetition."""


class DeviceController(Reconnecting[pb.Outcomes]):
    """Holds devices under one controller id.

    async with DeviceController(endpoint, controller_id="pv-17", devices=[...]) as controller:
        async for command in controller.commands():
            ...
            await controller.report(command, OutcomeCode.SUCCESS)
    """

    def __init__(
        self,
        endpoint: str,
        *,
        controller_id: str,
        devices: Sequence[Device],
        now: Now = utc_now,
        instance_id: str | None = None,
    ) -> None:
        super().__init__(endpoint)
        self.controller_id = controller_id
        self._instance = instance_id or secrets.token_hex(8)
        self._devices = {device.device_id: device for device in devices}
        self._now = now
        self._commands: asyncio.Queue[ReceivedCommand] = asyncio.Queue()
        self._answers: OrderedDict[str, Report | None] = OrderedDict()
        self._newest: dict[str, tuple[int, int]] = {}
        """(epoch, sequence) of the newest command taken, by device."""
        self._unsettled: dict[str, int] = {}
        self._stream_sequence = 0
        self.seen_epoch = max((device.seen_epoch for device in devices), default=0)
        """Highest epoch of the service; commands of a lower one are refused."""
        self.accepted: frozenset[str] = frozenset()
        self.device_problems: tuple[Problem, ...] = ()
        """Devices that the service does not take."""

    @property
    def stream_sequence(self) -> int:
        """Last batch received on the present stream."""
        return self._stream_sequence

    @property
    def outcome_sequence(self) -> int:
        """Of the newest outcomes given to `report`; what `SimulationClock.advance_to` expects."""
        return self._sequence

    async def commands(self) -> AsyncGenerator[ReceivedCommand]:
        """Commands to carry out, in order, for as long as the controller is open."""
        while True:
            yield await self._commands.get()

    async def serve(self, carry_out: Callable[[ReceivedCommand], Awaitable[OutcomeCode]]) -> None:
        """Carries out every command with a callback and reports what it returns, until cancelled."""
        async for command in self.commands():
            await self.report(command, await carry_out(command))

    async def report(
        self, command: ReceivedCommand, code: OutcomeCode, *, text: str = "", time: datetime | None = None
    ) -> None:
        """Says what became of a command. Kept until the service's journal has it."""
        report = Report(
            command_id=command.command_id,
            device_id=command.device_id,
            code=code,
            time=time or self._now(),
            text=text,
        )
        await self._send([report])

    async def until_settled(self, stream_sequence: int) -> None:
        """Returns once everything in batches up to `stream_sequence` of the present stream has been reported on.
        Bound it with `asyncio.timeout`."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: (
                    self._stream_sequence >= stream_sequence
                    and all(batch > stream_sequence for batch in self._unsettled.values())
                )
            )

    async def until_recorded(self, outcome_sequence: int) -> None:
        """Returns once every outcome up to `outcome_sequence` is in the service's journal."""
        await self._until_recorded(outcome_sequence)

    async def _send(self, reports: Iterable[Report]) -> None:
        listed = list(reports)
        if not listed:
            return
        async with self._changed:
            for report in listed:
                self._answers[report.command_id] = report
                self._unsettled.pop(report.command_id, None)
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
            self._keep(pb.Outcomes(outcomes=[report_to_proto(report) for report in listed]))

    def _open(self, channel: grpc.aio.Channel) -> Any:
        return control_pb2_grpc.ControlServiceStub(channel).Attach()

    async def _greet(self, call: Any) -> None:
        registration = pb.Registration(
            controller_id=self.controller_id,
            instance_id=self._instance,
            devices=[device_to_proto(device, seen_epoch=self.seen_epoch) for device in self._devices.values()],
        )
        await write_message(call, pb.AttachRequest(registration=registration))
        result = (await read_message(call)).registration_result
        self._stream_sequence = 0
        self.accepted = frozenset(result.accepted_device_ids)
        self.device_problems = tuple(problem_from_proto(problem) for problem in result.problems)
        self.seen_epoch = max(self.seen_epoch, result.epoch)

    async def _hear(self, response: pb.AttachResponse) -> None:
        match response.WhichOneof("content"):
            case "command_batch":
                await self._take(response.command_batch)
            case "outcomes_acknowledgement":
                await self._drop(response.outcomes_acknowledgement.sequence)
            case _:
                pass

    def _request(self, message: pb.Outcomes) -> pb.AttachRequest:
        return pb.AttachRequest(outcomes=message)

    async def _take(self, batch: pb.CommandBatch) -> None:
        refused: list[Report] = []
        async with self._changed:
            for message in batch.commands:
                answer = self._refusal(message)
                if answer is not None:
                    refused.append(answer)
                    continue
                setpoint = setpoint_from_proto(message.setpoint)
                if setpoint is None:
                    refused.append(self._report(message, OutcomeCode.NOT_SUPPORTED, "kind of setpoint not known"))
                    continue
                if message.command_id in self._answers:
                    # Being carried out already: its report answers this repetition, too.
                    continue
                self._answers[message.command_id] = None
                self._newest[message.device_id] = (message.epoch, message.sequence)
                self._unsettled[message.command_id] = batch.stream_sequence
                self._commands.put_nowait(
                    command_from_proto(message, setpoint=setpoint, stream_sequence=batch.stream_sequence)
                )
            self._stream_sequence = batch.stream_sequence
            self._changed.notify_all()
        await self._send(refused)

    def _refusal(self, message: pb.Command) -> Report | None:
        """The answer to a command that is not to be carried out; None where it is."""
        if message.epoch < self.seen_epoch:
            text = f"epoch {message.epoch} is lower than {self.seen_epoch}"
            return self._report(message, OutcomeCode.STALE_EPOCH, text)
        self.seen_epoch = message.epoch
        if message.device_id not in self._devices:
            return self._report(message, OutcomeCode.NOT_SUPPORTED, "not a device of this controller")
        known = self._answers.get(message.command_id)
        if known is not None:
            return known
        if message.command_id in self._answers:
            return None
        if message.expiry.ToDatetime(self._now().tzinfo) <= self._now():
            return self._report(message, OutcomeCode.EXPIRED, "came too late")
        return self._older(message)

    def _older(self, message: pb.Command) -> Report | None:
        """The answer to a new command that is not newer than the newest of its device; None where it is."""
        newest = self._newest.get(message.device_id, (0, -1))
        if (message.epoch, message.sequence) > newest:
            return None
        if message.sequence < newest[1]:
            return self._report(message, OutcomeCode.EXPIRED, f"sequence {newest[1]} of the same epoch came before")
        # The wire carries no instance of the service: this is how two that lead in one epoch show.
        text = f"sequence {message.sequence} of epoch {message.epoch} was another command: two services lead"
        return self._report(message, OutcomeCode.STALE_EPOCH, text)

    def _report(self, message: pb.Command, code: OutcomeCode, text: str) -> Report:
        return Report(
            command_id=message.command_id, device_id=message.device_id, code=code, time=self._now(), text=text
        )
