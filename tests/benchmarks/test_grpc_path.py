"""Telemetry frame in to command out, over real gRPC: client, service, journal on disk, client. Stages are stand-ins, so
that the path is measured and not the estimator."""

import asyncio
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from adms.apps.view import RoundView
from adms.client import DeviceController, Mode, Operator, OutcomeCode, SimulationClock, TelemetrySource
from adms.core.commands import Proposal
from tests.contract.loops import ALL_DEVICES, CLIENT_POINTS, running
from tests.unit.runtime.feeders import NORMAL, PV, Script, at, power, proposal, small_arrays

VALUES = dict(enumerate(NORMAL))


def test_telemetry_frame_in_to_command_out(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    def ask(view: RoundView) -> tuple[Proposal, ...]:
        # Another setpoint each round, far outside the dead band: each round sends a command.
        return (proposal(PV, power(1e3 if view.now.second % 4 else 5e3)),)

    with asyncio.Runner() as runner:
        stages = Script(arrays=small_arrays(), proposals=ask)
        service = running(tmp_path, script=stages)
        loop = runner.run(service.__aenter__())
        source = TelemetrySource(loop.endpoint, source_id="rtu", instance_epoch=1, points=CLIENT_POINTS)
        controller = DeviceController(loop.endpoint, controller_id="ctl", devices=ALL_DEVICES, now=lambda: at(0))
        clock = SimulationClock(loop.endpoint)
        ticks = iter(range(0, 1_000_000, 2))

        async def scan() -> None:
            tick = next(ticks)
            await source.send(measure_time=at(tick), values=VALUES)
            await clock.advance_to(
                at(tick),
                expect_frames={"rtu": source.sequence},
                expect_outcomes={"ctl": controller.outcome_sequence},
            )

        async def frame_to_command() -> None:
            await scan()
            command = await anext(controller.commands())
            await controller.report(command, OutcomeCode.SUCCESS)

        async def start() -> None:
            for part in (source, controller):
                await part.__aenter__()
                await part.until_connected()
            async with Operator(loop.endpoint, actor="op") as operator:
                await operator.set_mode(Mode.CONTROL, reason="benchmark")
            await scan()
            await frame_to_command()

        async def stop() -> None:
            for part in (source, controller, clock):
                await part.__aexit__(None, None, None)
            await service.__aexit__(None, None, None)

        runner.run(start())
        benchmark.pedantic(  # type: ignore[no-untyped-call]
            lambda: runner.run(frame_to_command()), rounds=100
        )
        runner.run(stop())
