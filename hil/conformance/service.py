"""The service's side of the control and telemetry API, played: it does what a rule says, and notes what comes."""

# ruff: noqa: N802 (methods are named by the protos)

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from adms.client import AdapterError
from adms.wire.control.v1 import control_pb2, control_pb2_grpc
from adms.wire.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from hil.conformance.seen import Seen, SeenFrame, SeenMessage, SeenOutcome, SeenSource, SeenStream

Context = grpc.aio.ServicerContext[Any, Any]
BIND_AGAIN_S = 10.0
"""How long a played service that comes back may wait for its own port."""


@dataclass(kw_only=True)
class Manner:
    """How the played service behaves just now."""

    refuse_control: bool = False
    """Control streams end with UNAVAILABLE before a word is said."""
    end_after_registration: bool = False
    """Control streams end as soon as the registration is answered."""
    refuse_telemetry: bool = False
    acknowledge_outcomes: bool = True
    acknowledge_frames: bool = True
    epoch: int = 0
    """Of the played service; 0 before the first registration, which decides it."""


class Line:
    """One open stream and what waits to be sent on it."""

    def __init__(self, *, index: int, controller_id: str = "") -> None:
        self.index = index
        self.controller_id = controller_id
        self.batches = 0
        self.cut = False
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def put(self, message: Any) -> None:
        """Queues a message."""
        self._queue.put_nowait(message)

    def end(self, *, cut: bool) -> None:
        """Ends the stream after what is queued; `cut` with UNAVAILABLE, else as one that is complete."""
        self.cut = cut
        self._queue.put_nowait(None)

    async def messages(self) -> AsyncIterator[Any]:
        """What is sent, until the end."""
        while (message := await self._queue.get()) is not None:
            yield message


class PlayedControl(control_pb2_grpc.ControlServiceServicer):
    """Takes registrations and outcomes."""

    def __init__(self, seen: Seen, manner: Manner) -> None:
        self._seen = seen
        self._manner = manner
        self.lines: dict[str, Line] = {}
        """Open and registered streams by controller."""

    async def Attach(
        self, request_iterator: AsyncIterator[control_pb2.AttachRequest], context: Context
    ) -> AsyncIterator[control_pb2.AttachResponse]:
        """One control stream."""
        self._seen.attach_attempts_s.append(self._seen.now_s())
        if self._manner.refuse_control:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the conformance kit takes no control stream now")
        stream = SeenStream(index=len(self._seen.streams) + 1, opened_s=self._seen.now_s())
        self._seen.streams.append(stream)
        line = Line(index=stream.index)
        reading = asyncio.create_task(self._read(request_iterator, line=line, stream=stream))
        try:
            async for message in line.messages():
                yield message
        finally:
            reading.cancel()
            stream.closed_s = self._seen.now_s()
            if self.lines.get(line.controller_id) is line:
                del self.lines[line.controller_id]
        if line.cut:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "cut by the conformance kit")

    async def _read(
        self, requests: AsyncIterator[control_pb2.AttachRequest], *, line: Line, stream: SeenStream
    ) -> None:
        try:
            async for request in requests:
                match request.WhichOneof("content"):
                    case "registration":
                        self._register(request.registration, line=line, stream=stream)
                    case "outcomes":
                        self._note(request.outcomes, line=line, stream=stream)
                    case _:
                        self._seen.fault(f"control stream {stream.index}: a request without content")
        finally:
            line.end(cut=False)

    def _register(self, message: control_pb2.Registration, *, line: Line, stream: SeenStream) -> None:
        manner = self._manner
        if manner.epoch == 0:
            manner.epoch = 1 + max((device.seen_epoch for device in message.devices), default=0)
        stream.registration, stream.registered_s, stream.epoch = message, self._seen.now_s(), manner.epoch
        line.controller_id = message.controller_id
        before = self.lines.get(message.controller_id)
        if before is not None and before is not line:
            before.end(cut=False)
        self.lines[message.controller_id] = line
        result = control_pb2.RegistrationResult(
            accepted_device_ids=[device.device_id for device in message.devices], epoch=manner.epoch
        )
        line.put(control_pb2.AttachResponse(registration_result=result))
        if manner.end_after_registration:
            line.end(cut=True)

    def _note(self, message: control_pb2.Outcomes, *, line: Line, stream: SeenStream) -> None:
        if stream.registration is None:
            self._seen.fault(f"control stream {stream.index}: outcomes before a registration")
            return
        now_s = self._seen.now_s()
        self._seen.messages.append(
            SeenMessage(
                controller_id=line.controller_id,
                instance_id=stream.registration.instance_id,
                stream=stream.index,
                sequence=message.sequence,
                arrival_s=now_s,
            )
        )
        self._seen.outcomes.extend(
            SeenOutcome(report=report, arrival_s=now_s, stream=stream.index, sequence=message.sequence)
            for report in message.outcomes
        )
        if self._manner.acknowledge_outcomes:
            acknowledgement = control_pb2.OutcomesAcknowledgement(sequence=message.sequence)
            line.put(control_pb2.AttachResponse(outcomes_acknowledgement=acknowledgement))


class PlayedTelemetry(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Takes frames."""

    def __init__(self, seen: Seen, manner: Manner) -> None:
        self._seen = seen
        self._manner = manner
        self._streams = 0
        self.lines: dict[str, Line] = {}
        """Open streams by source."""

    async def Report(
        self, request_iterator: AsyncIterator[telemetry_pb2.ReportRequest], context: Context
    ) -> AsyncIterator[telemetry_pb2.ReportResponse]:
        """One telemetry stream."""
        self._seen.report_attempts_s.append(self._seen.now_s())
        if self._manner.refuse_telemetry:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the conformance kit takes no telemetry now")
        self._streams += 1
        line = Line(index=self._streams)
        reading = asyncio.create_task(self._read(request_iterator, line=line))
        try:
            async for message in line.messages():
                yield message
        finally:
            reading.cancel()
            if self.lines.get(line.controller_id) is line:
                del self.lines[line.controller_id]
        if line.cut:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "cut by the conformance kit")

    async def _read(self, requests: AsyncIterator[telemetry_pb2.ReportRequest], *, line: Line) -> None:
        source: SeenSource | None = None
        try:
            async for request in requests:
                content = request.WhichOneof("content")
                if content == "hello":
                    source = self._hello(request.hello, line=line)
                elif source is None:
                    self._seen.fault(f"telemetry stream {line.index}: {content} before hello")
                elif content == "declaration":
                    source.points = tuple(request.declaration.points)
                    result = telemetry_pb2.DeclarationResult(accepted_points=len(source.points))
                    line.put(telemetry_pb2.ReportResponse(declaration_result=result))
                elif content == "frame":
                    self._seen.take_frame(source, request.frame, stream=line.index)
                    self._acknowledge(source, line=line)
        finally:
            line.end(cut=False)

    def _hello(self, hello: telemetry_pb2.Hello, *, line: Line) -> SeenSource:
        known = [source for source in self._seen.sources if source.source_id == hello.source_id]
        newest = max((source.instance_epoch for source in known), default=0)
        if hello.instance_epoch < newest:
            self._seen.fault(
                f"telemetry stream {line.index}: instance_epoch {hello.instance_epoch} of {hello.source_id}"
                f" after {newest}"
            )
        found = next((source for source in known if source.instance_epoch == hello.instance_epoch), None)
        if found is None:
            found = SeenSource(source_id=hello.source_id, instance_epoch=hello.instance_epoch)
            self._seen.sources.append(found)
        line.controller_id = hello.source_id
        self.lines[hello.source_id] = line
        welcome = telemetry_pb2.Welcome(used_sequence=found.used_sequence, model_version="conformance")
        line.put(telemetry_pb2.ReportResponse(welcome=welcome))
        return found

    def _acknowledge(self, source: SeenSource, *, line: Line) -> None:
        if self._manner.acknowledge_frames:
            newest: SeenFrame = source.frames[-1]
            source.used_sequence = max(source.used_sequence, newest.sequence)
            acknowledgement = telemetry_pb2.Acknowledgement(used_sequence=source.used_sequence)
            line.put(telemetry_pb2.ReportResponse(acknowledgement=acknowledgement))


class PlayedService:
    """Both services behind one address, which dies and comes back at the same port."""

    def __init__(self, *, host: str, port: int, now_s: Callable[[], float] = time.time) -> None:
        self._host = host
        self.port = port
        self.seen = Seen(now_s=now_s)
        self.manner = Manner()
        self.control = PlayedControl(self.seen, self.manner)
        self.telemetry = PlayedTelemetry(self.seen, self.manner)
        self._server: grpc.aio.Server | None = None

    @property
    def endpoint(self) -> str:
        """HOST:PORT for the client."""
        return f"{self._host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listens. Raises AdapterError where the address cannot be had."""
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        control_pb2_grpc.add_ControlServiceServicer_to_server(self.control, server)
        telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(self.telemetry, server)
        try:
            port = server.add_insecure_port(self.endpoint)
        except RuntimeError as error:
            raise AdapterError(f"cannot listen on {self.endpoint}: {error}", retryable=False) from error
        if port == 0:
            raise AdapterError(f"cannot listen on {self.endpoint}", retryable=False)
        self.port = port
        await server.start()
        self._server = server

    async def die(self) -> None:
        """Every stream breaks and nothing listens any more."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)

    async def revive(self) -> None:
        """Listens again at the same port."""
        until_s = self.seen.now_s() + BIND_AGAIN_S
        while not self.alive:
            try:
                await self.start()
            except AdapterError:
                if self.seen.now_s() > until_s:
                    raise
                await asyncio.sleep(0.1)
