"""The README's controller does what the README says."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2, control_pb2_grpc


class OneCommand(control_pb2_grpc.ControlServiceServicer):
    """Registers a controller, sends it one lease and keeps what it answers."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[control_pb2.OutcomeReport] = asyncio.Queue()

    async def Attach(self, request_iterator: Any, context: Any) -> AsyncIterator[control_pb2.AttachResponse]:
        async for request in request_iterator:
            if request.HasField("registration"):
                devices = [device.device_id for device in request.registration.devices]
                result = control_pb2.RegistrationResult(accepted_device_ids=devices, epoch=1)
                yield control_pb2.AttachResponse(registration_result=result)
                batch = control_pb2.CommandBatch(stream_sequence=1, commands=[_lease(devices[0])])
                yield control_pb2.AttachResponse(command_batch=batch)
            for report in request.outcomes.outcomes:
                await self.answers.put(report)


def _lease(device: str) -> control_pb2.Command:
    now = datetime.now(UTC)
    command = control_pb2.Command(command_id="c-1", device_id=device, epoch=1, sequence=1)
    command.issue_time.FromDatetime(now)
    command.expiry.FromDatetime(now + timedelta(minutes=1))
    command.setpoint.power.CopyFrom(common_pb2.PowerSetpoint(p_injection_w=50e3))
    return command


async def test_the_controller_of_the_readme_takes_a_lease(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.search(r"```python\n(.*?)```", (project_root / "README.md").read_text(), re.DOTALL)
    assert code is not None
    example: dict[str, Any] = {"__name__": "example"}
    exec(compile(code.group(1), "README.md", "exec"), example)
    server, service = grpc.aio.server(), OneCommand()
    control_pb2_grpc.add_ControlServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    running = asyncio.create_task(example["main"](f"127.0.0.1:{port}"))
    try:
        async with asyncio.timeout(20.0):
            report = await service.answers.get()
            while "50000.0 0.0" not in capsys.readouterr().out:
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await server.stop(None)
    assert (report.command_id, report.device_id) == ("c-1", "der.battery_7")
    assert report.code == common_pb2.OUTCOME_CODE_SUCCESS
