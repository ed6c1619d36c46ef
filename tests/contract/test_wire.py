"""What a careless or hostile client gets: a status that says why, and a service that goes on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped, unused-ignore]

from adms.client import Insight, SimulationClock
from adms.client.channel import as_error
from adms.core.errors import InputError
from adms.runtime.clock import WallClock
from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2, control_pb2_grpc
from adms.wire.operations.v1 import operations_pb2, operations_pb2_grpc
from adms.wire.simulation.v1 import simulation_pb2, simulation_pb2_grpc
from adms.wire.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from tests.contract.loops import Loop, running
from tests.unit.runtime.feeders import at


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running(tmp_path) as loop:
        yield loop


async def report(loop: Loop, *requests: telemetry_pb2.ReportRequest) -> grpc.aio.AioRpcError:
    """The error that ends a telemetry stream."""

    async def send() -> AsyncIterator[telemetry_pb2.ReportRequest]:
        for request in requests:
            yield request
        await asyncio.sleep(5.0)

    async with grpc.aio.insecure_channel(loop.endpoint) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in telemetry_pb2_grpc.TelemetryServiceStub(channel).Report(send()):
                pass
    async with SimulationClock(loop.endpoint) as clock, Insight(loop.endpoint) as insight:
        before = (await insight.status()).rounds
        await clock.advance_to(at(2.0 * before))
        assert (await insight.status()).rounds == before + 1
    return caught.value


def hello(name: str = "rtu", *, epoch: int = 1) -> telemetry_pb2.ReportRequest:
    return telemetry_pb2.ReportRequest(hello=telemetry_pb2.Hello(source_id=name, instance_epoch=epoch))


def frame(**columns: object) -> telemetry_pb2.ReportRequest:
    return telemetry_pb2.ReportRequest(frame=telemetry_pb2.Frame(**columns))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([frame(sequence=1)], "says hello first"),
        ([hello("")], "source_id"),
        ([hello(), frame(sequence=1)], "measure_time: must be given"),
        ([hello(), frame(sequence=1, measure_time={"seconds": 10**15})], "no valid time"),
        ([hello(), frame(sequence=4, measure_time={"seconds": 1})], "expected 1"),
        ([hello(), frame(sequence=1, measure_time={"seconds": 1}, point_index=[7], value=[1.0])], "has 0 points"),
    ],
)
async def test_a_bad_frame_ends_the_stream_with_its_reason(
    loop: Loop, requests: list[telemetry_pb2.ReportRequest], said: str
) -> None:
    error = await report(loop, *requests)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    problems = as_error(error)
    assert isinstance(problems, InputError)
    assert said in str(problems)


async def test_an_oversized_message_is_refused(loop: Loop) -> None:
    count = 600_000
    error = await report(loop, hello(), frame(sequence=1, point_index=range(count), value=[1.0] * count))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_outcomes_before_a_registration_are_refused(loop: Loop) -> None:
    async def send() -> AsyncIterator[control_pb2.AttachRequest]:
        yield control_pb2.AttachRequest(outcomes=control_pb2.Outcomes(sequence=1))
        await asyncio.sleep(5.0)

    async with grpc.aio.insecure_channel(loop.endpoint) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in control_pb2_grpc.ControlServiceStub(channel).Attach(send()):
                pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_mode_of_the_future_is_refused_and_not_guessed(loop: Loop) -> None:
    async with grpc.aio.insecure_channel(loop.endpoint) as channel:
        stub: operations_pb2_grpc.OperationsServiceAsyncStub = operations_pb2_grpc.OperationsServiceStub(channel)
        request = operations_pb2.SetModeRequest(request_id="1", actor="op", reason="x", mode=99)  # type: ignore[arg-type]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SetMode(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_reason_of_megabytes_is_refused_and_the_journal_stays_readable(loop: Loop) -> None:
    async with grpc.aio.insecure_channel(loop.endpoint) as channel:
        stub: operations_pb2_grpc.OperationsServiceAsyncStub = operations_pb2_grpc.OperationsServiceStub(channel)
        request = operations_pb2.SetModeRequest(
            request_id="r", actor="op", reason="\x01" * 3_900_000, mode=common_pb2.MODE_OBSERVE
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SetMode(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "request.reason: has 3900000 characters; at most 1000" in (caught.value.details() or "")
    async with Insight(loop.endpoint) as insight:
        assert [entry.index async for entry in insight.journal()] == [0]


@pytest.mark.parametrize("index", [1, 2**63, 2**64 - 1])
async def test_a_journal_has_no_entry_beyond_its_last(loop: Loop, index: int) -> None:
    async with Insight(loop.endpoint) as insight:
        assert [entry async for entry in insight.journal(from_index=index)] == []


async def test_a_watcher_that_does_not_read_holds_up_nothing(loop: Loop) -> None:
    async with Insight(loop.endpoint) as insight, SimulationClock(loop.endpoint) as clock:
        rounds = insight.rounds(with_nodes=True)
        first = asyncio.ensure_future(anext(rounds))
        while not loop.service.watched():
            await asyncio.sleep(0.01)
        await clock.advance_to(at(0))
        async with asyncio.timeout(20.0):
            await first
            await clock.advance_to(at(2000))
        assert (await insight.status()).rounds == 1001
        await rounds.aclose()


async def test_health_is_told(loop: Loop) -> None:
    async with grpc.aio.insecure_channel(loop.endpoint) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "adms.telemetry.v1.TelemetryService", "adms.simulation.v1.SimulationClockService"):
            response = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_live_service_grants_no_time_and_does_not_describe_itself(tmp_path: Path) -> None:
    async with (
        running(tmp_path, clock=WallClock()) as live,
        grpc.aio.insecure_channel(live.endpoint) as channel,
    ):
        stub: simulation_pb2_grpc.SimulationClockServiceAsyncStub = simulation_pb2_grpc.SimulationClockServiceStub(
            channel
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.AdvanceTo(simulation_pb2.AdvanceToRequest())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        describe: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await describe(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
