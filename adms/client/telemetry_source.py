"""A source of telemetry. Frames are kept until the service's journal accounts for them, and sent again after every
reconnect, so that none is lost when the service dies."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import grpc.aio

from adms.client.channel import read_message, write_message
from adms.client.field_proto import point_to_proto
from adms.client.records import Point
from adms.client.session import Reconnecting
from adms.convert.common import problem_from_proto, time_to_proto
from adms.convert.enums import QUALITY
from adms.core.errors import Problem
from adms.core.telemetry import Quality
from adms.wire.telemetry.v1 import telemetry_pb2 as pb
from adms.wire.telemetry.v1 import telemetry_pb2_grpc


class TelemetrySource(Reconnecting[pb.Frame]):
    """Reports the declared points under one source id.

    `instance_epoch` must grow with each start of the source process. At most `window` frames wait for their
    acknowledgement; `send` waits while that many do. Send every point at least once per the service's maximum age: a
    service that was restarted knows only what is sent from then on.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        source_id: str,
        instance_epoch: int,
        points: Sequence[Point],
        window: int = 200,
    ) -> None:
        super().__init__(endpoint)
        self.source_id = source_id
        self._epoch = instance_epoch
        self._points = tuple(points)
        self._window = window
        self.model_version = ""
        self.point_problems: tuple[Problem, ...] = ()
        """Declared points that the service does not take."""

    @property
    def sequence(self) -> int:
        """Of the newest frame given to `send`; what `SimulationClock.advance_to` expects."""
        return self._sequence

    @property
    def acknowledged(self) -> int:
        """Every frame up to here is in the journal's account."""
        return self._recorded

    @property
    def waiting(self) -> int:
        """Frames not acknowledged yet."""
        return len(self._kept)

    async def send(
        self,
        *,
        measure_time: datetime,
        values: Mapping[int, float],
        quality: Mapping[int, Quality] | None = None,
    ) -> int:
        """Queues one frame; its sequence number. `values` by place in `points`; `quality` of those that are not
        GOOD. Waits while the window is full."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._kept) < self._window)
            frame = pb.Frame(
                measure_time=time_to_proto(measure_time), point_index=list(values), value=list(values.values())
            )
            if quality:
                frame.quality.extend(QUALITY.to_proto(quality.get(index, Quality.GOOD)) for index in values)
            return self._keep(frame)

    async def until_acknowledged(self, sequence: int) -> None:
        """Returns once every frame up to `sequence` is in the journal's account."""
        await self._until_recorded(sequence)

    def _open(self, channel: grpc.aio.Channel) -> Any:
        return telemetry_pb2_grpc.TelemetryServiceStub(channel).Report()

    async def _greet(self, call: Any) -> None:
        hello = pb.Hello(source_id=self.source_id, instance_epoch=self._epoch)
        await write_message(call, pb.ReportRequest(hello=hello))
        welcome = (await read_message(call)).welcome
        self.model_version = welcome.model_version
        await self._drop(welcome.used_sequence)
        points = [point_to_proto(point) for point in self._points]
        await write_message(call, pb.ReportRequest(declaration=pb.Declaration(points=points)))

    async def _hear(self, response: pb.ReportResponse) -> None:
        match response.WhichOneof("content"):
            case "acknowledgement":
                await self._drop(response.acknowledgement.used_sequence)
            case "declaration_result":
                self.point_problems = tuple(
                    problem_from_proto(problem) for problem in response.declaration_result.problems
                )
            case _:
                pass

    def _request(self, message: pb.Frame) -> pb.ReportRequest:
        return pb.ReportRequest(frame=message)
