"""Commands out, outcomes in."""

# ruff: noqa: N802 (methods are named by the protos)

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import grpc.aio

from adms.adapters.grpc_api.control_proto import command_to_proto, devices_from_proto, outcomes_from_proto
from adms.adapters.grpc_api.outbox import Outbox
from adms.adapters.grpc_api.refusal import Context, refusing
from adms.convert.common import problem_to_proto
from adms.core.commands import Command
from adms.core.errors import InputError, Problem
from adms.core.ids import ControllerId
from adms.ports.inward import ControlDesk
from adms.wire.control.v1 import control_pb2 as pb
from adms.wire.control.v1 import control_pb2_grpc

Box = Outbox[pb.AttachResponse]


@dataclass(kw_only=True)
class _Stream:
    box: Box
    instance: str
    sequence: int = 0


class ControlServicer(control_pb2_grpc.ControlServiceServicer):
    """Serves controllers; is the runtime's `CommandSink` and `OutcomeAcknowledgementSink`."""

    def __init__(self, *, queue_depth: int) -> None:
        self._depth = queue_depth
        self._desk: ControlDesk | None = None
        self._streams: dict[ControllerId, _Stream] = {}

    def bind(self, desk: ControlDesk) -> None:
        """Connects the runtime; called once, before serving."""
        self._desk = desk

    def send(self, controller: ControllerId, commands: tuple[Command, ...]) -> None:
        """Queues commands on the controller's stream, in order; a controller that is gone loses them."""
        stream = self._streams.get(controller)
        if stream is None or stream.box.closed:
            return
        stream.sequence += 1
        batch = pb.CommandBatch(
            stream_sequence=stream.sequence, commands=[command_to_proto(command) for command in commands]
        )
        stream.box.put(pb.AttachResponse(command_batch=batch))

    def progress(self) -> Mapping[ControllerId, int]:
        """Sequence number of the last batch queued on each stream that is open."""
        return {controller: stream.sequence for controller, stream in self._streams.items() if not stream.box.closed}

    def acknowledge_outcomes(self, recorded: Mapping[ControllerId, int]) -> None:
        """Tells each connected controller how far its outcomes are in the journal."""
        for controller, sequence in recorded.items():
            stream = self._streams.get(controller)
            if stream is not None:
                acknowledgement = pb.OutcomesAcknowledgement(sequence=sequence)
                stream.box.put(pb.AttachResponse(outcomes_acknowledgement=acknowledgement))

    async def Attach(
        self, request_iterator: AsyncIterator[pb.AttachRequest], context: Context
    ) -> AsyncIterator[pb.AttachResponse]:
        """One controller's stream. The newest stream of a controller ends the one before."""
        box: Box = Outbox(depth=self._depth)
        async with refusing(context):
            reading = asyncio.create_task(self._read(request_iterator, box))
            try:
                async for response in box:
                    yield response
            finally:
                reading.cancel()
                self._gone(box)
        if box.overflowed:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "commands are not read")

    async def _read(self, requests: AsyncIterator[pb.AttachRequest], box: Box) -> None:
        desk = self._desk
        assert desk is not None
        controller, instance = ControllerId(""), ""
        try:
            async for request in requests:
                content = request.WhichOneof("content")
                if content == "registration":
                    if controller and controller != request.registration.controller_id:
                        raise InputError([_problem("controller_id", "one stream carries one controller")])
                    controller = ControllerId(request.registration.controller_id)
                    instance = request.registration.instance_id
                    self._register(request.registration, desk=desk, box=box)
                elif content == "outcomes":
                    if not controller:
                        raise InputError([_problem("outcomes", "a controller registers first")])
                    desk.outcomes(outcomes_from_proto(request.outcomes, controller=controller), instance=instance)
        except Exception as error:
            box.close(error)
        else:
            box.close()

    def _register(self, message: pb.Registration, *, desk: ControlDesk, box: Box) -> None:
        controller = ControllerId(message.controller_id)
        attached = desk.attach(controller, instance=message.instance_id, devices=devices_from_proto(message))
        before = self._streams.get(controller)
        if before is not None and before.box is not box:
            before.box.close()
        if before is None or before.box is not box:
            self._streams[controller] = _Stream(box=box, instance=message.instance_id)
        result = pb.RegistrationResult(
            accepted_device_ids=attached.accepted,
            problems=[problem_to_proto(problem) for problem in attached.problems],
            epoch=attached.epoch,
        )
        box.put(pb.AttachResponse(registration_result=result))

    def _gone(self, box: Box) -> None:
        """The stream ended; another of the same controller may have taken its place."""
        for controller, stream in [(c, s) for c, s in self._streams.items() if s.box is box]:
            del self._streams[controller]
            assert self._desk is not None
            self._desk.detach(controller, instance=stream.instance)


def _problem(field: str, message: str) -> Problem:
    return Problem(element="stream", field=field, value="", message=message)
