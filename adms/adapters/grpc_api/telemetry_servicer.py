"""Telemetry in, acknowledgements out."""

# ruff: noqa: N802 (methods are named by the protos)

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import grpc.aio

from adms.adapters.grpc_api.outbox import Outbox
from adms.adapters.grpc_api.refusal import Context, refusing
from adms.adapters.grpc_api.telemetry_proto import frame_from_proto, points_from_proto
from adms.convert.common import problem_to_proto
from adms.core.errors import InputError, Problem
from adms.core.ids import TelemetrySourceId
from adms.ports.inward import TelemetryIntake
from adms.wire.telemetry.v1 import telemetry_pb2 as pb
from adms.wire.telemetry.v1 import telemetry_pb2_grpc

Box = Outbox[pb.ReportResponse]


@dataclass(frozen=True, kw_only=True)
class _Stream:
    box: Box
    epoch: int
    """Instance of the source."""


class TelemetryServicer(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Serves sources, and is the runtime's `AcknowledgementSink`."""

    def __init__(self, *, queue_depth: int) -> None:
        self._depth = queue_depth
        self._intake: TelemetryIntake | None = None
        self._streams: dict[TelemetrySourceId, _Stream] = {}

    def bind(self, intake: TelemetryIntake) -> None:
        """Connects the runtime; called once, before serving."""
        self._intake = intake

    def acknowledge(self, used: Mapping[TelemetrySourceId, int]) -> None:
        """Tells each connected source how far its frames are accounted for."""
        for source, sequence in used.items():
            stream = self._streams.get(source)
            if stream is not None:
                stream.box.put(pb.ReportResponse(acknowledgement=pb.Acknowledgement(used_sequence=sequence)))

    async def Report(
        self, request_iterator: AsyncIterator[pb.ReportRequest], context: Context
    ) -> AsyncIterator[pb.ReportResponse]:
        """One source's stream. The newest stream of a source ends the one before."""
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
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "acknowledgements are not read")

    async def _read(self, requests: AsyncIterator[pb.ReportRequest], box: Box) -> None:
        intake = self._intake
        assert intake is not None
        source, epoch = TelemetrySourceId(""), 0
        try:
            async for request in requests:
                content = request.WhichOneof("content")
                if content == "hello":
                    source, epoch = TelemetrySourceId(request.hello.source_id), request.hello.instance_epoch
                    self._welcome(source, intake=intake, epoch=epoch, box=box)
                elif not source:
                    raise InputError([_out_of_turn(content)])
                elif content == "declaration":
                    points = points_from_proto(request.declaration)
                    taken = intake.declare(source, instance_epoch=epoch, points=points)
                    result = pb.DeclarationResult(
                        problems=[problem_to_proto(problem) for problem in taken.problems],
                        accepted_points=taken.accepted,
                    )
                    box.put(pb.ReportResponse(declaration_result=result))
                elif content == "frame":
                    frame = frame_from_proto(request.frame, source=source)
                    intake.receive(source, instance_epoch=epoch, frame=frame)
        except Exception as error:
            box.close(error)
        else:
            box.close()

    def _gone(self, box: Box) -> None:
        """The stream ended; another of the same source may have taken its place."""
        for source, stream in [(key, one) for key, one in self._streams.items() if one.box is box]:
            del self._streams[source]
            assert self._intake is not None
            self._intake.goodbye(source, instance_epoch=stream.epoch)

    def _welcome(self, source: TelemetrySourceId, *, intake: TelemetryIntake, epoch: int, box: Box) -> None:
        welcomed = intake.hello(source, instance_epoch=epoch)
        before = self._streams.get(source)
        if before is not None and before.box is not box:
            before.box.close()
        self._streams[source] = _Stream(box=box, epoch=epoch)
        welcome = pb.Welcome(used_sequence=welcomed.used_sequence, model_version=welcomed.model_version)
        box.put(pb.ReportResponse(welcome=welcome))


def _out_of_turn(content: str | None) -> Problem:
    return Problem(element="stream", field=content or "content", value="", message="a source says hello first")
