"""Calls end in time, whatever the service does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from adms.client import AdapterError, Insight, TelemetrySource
from adms.client import session as session_module
from adms.wire.insight.v1 import insight_pb2, insight_pb2_grpc
from adms.wire.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from tests.unit.runtime.feeders import at


class Silent(insight_pb2_grpc.InsightServiceServicer):
    """Takes a call and never answers."""

    async def GetStatus(self, request: insight_pb2.GetStatusRequest, context: Any) -> insight_pb2.GetStatusResponse:
        await asyncio.Event().wait()
        raise AssertionError("waits for ever")


class SilentOnce(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Says nothing on the first stream, and takes frames on the next."""

    def __init__(self) -> None:
        self.streams = 0
        self.frames: list[int] = []

    async def Report(
        self, request_iterator: AsyncIterator[telemetry_pb2.ReportRequest], context: Any
    ) -> AsyncIterator[telemetry_pb2.ReportResponse]:
        self.streams += 1
        if self.streams == 1:
            await asyncio.Event().wait()
        async for request in request_iterator:
            if request.HasField("hello"):
                yield telemetry_pb2.ReportResponse(welcome=telemetry_pb2.Welcome(used_sequence=1))
            elif request.HasField("frame"):
                self.frames.append(request.frame.sequence)
                acknowledgement = telemetry_pb2.Acknowledgement(used_sequence=request.frame.sequence)
                yield telemetry_pb2.ReportResponse(acknowledgement=acknowledgement)


@pytest.fixture
async def server() -> AsyncIterator[grpc.aio.Server]:
    serving = grpc.aio.server()
    yield serving
    await serving.stop(None)


async def test_a_call_that_is_not_answered_ends_at_its_deadline(server: grpc.aio.Server) -> None:
    serving = Silent()  # type: ignore[abstract]  # the other RPCs are not called
    insight_pb2_grpc.add_InsightServiceServicer_to_server(serving, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with Insight(f"127.0.0.1:{port}", timeout_s=0.3) as insight:
        with pytest.raises(AdapterError, match=r"no answer within 0\.3 s") as failed:
            await insight.status()
    assert failed.value.retryable


async def test_a_service_that_stays_away_is_named_as_away() -> None:
    # Port 1 of loopback: nothing listens there.
    async with Insight("127.0.0.1:1", timeout_s=0.3) as insight:
        with pytest.raises(AdapterError, match="UNAVAILABLE") as failed:
            await insight.status()
    assert failed.value.retryable


async def test_a_stream_that_is_not_answered_is_opened_again_and_sends_what_is_not_recorded(
    server: grpc.aio.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "GREETING_S", 0.2)
    serving = SilentOnce()
    telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(serving, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with TelemetrySource(f"127.0.0.1:{port}", source_id="m", instance_epoch=1, points=[]) as source:
        for second in range(3):
            await source.send(measure_time=at(second), values={})
        async with asyncio.timeout(10):
            await source.until_acknowledged(3)
        assert source.waiting == 0
    # The service said in its welcome that it had used frame 1.
    assert serving.frames == [2, 3]
    assert serving.streams == 2
