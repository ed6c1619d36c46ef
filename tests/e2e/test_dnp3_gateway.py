"""An RTU and the service with `adms gateway dnp3` between them, a process of its own."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dnp3.core.enums import CommandStatus

from adms.apps.view import RoundView
from adms.client import DeviceClass, EntryKind, Insight, Mode, Operator, Point, PointKind, SwitchSetpoint
from adms.core.commands import Proposal
from adms.core.telemetry import PointKey, Quality
from adms.runtime.clock import WallClock
from hil.endpoints.dnp3.layout import gateway_toml, rtu_of
from hil.endpoints.dnp3.outstation import Outstation
from tests.contract.loops import CLIENT_POINTS, running
from tests.unit.hil.dnp3_case import MANNERS, POLLING, CaseField, WallSeconds
from tests.unit.runtime.feeders import BANK, NORMAL, SWITCH, Script, opened, proposal, small_arrays

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
REMOTE = Point(kind=PointKind.REMOTE, element=SWITCH)
POSITION = PointKey(kind=PointKind.SWITCH_CLOSED, element=SWITCH)


@asynccontextmanager
async def gateway_process(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Ended by SIGTERM, and well."""
    run = (sys.executable, "-m", "adms.cli", "gateway", "dnp3", str(path))
    process = await asyncio.create_subprocess_exec(*run, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10.0):
            _, errors = await process.communicate()
        print(errors.decode())
        assert process.returncode == 0


async def until(holds, *, timeout_s: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.02)


async def test_telemetry_comes_up_a_command_goes_down_and_a_lost_rtu_is_stale(tmp_path: Path) -> None:
    wanted: list[Proposal] = []

    def ask(_: RoundView) -> tuple[Proposal, ...]:
        return tuple(wanted)

    field, now_s = CaseField(dict(zip(CLIENT_POINTS, NORMAL, strict=True))), WallSeconds()
    field.show(REMOTE, 1.0)
    field.operate = lambda device_id, setpoint, *, now_s: moved(device_id, setpoint)  # type: ignore[method-assign]

    def moved(device_id: str, what: object) -> CommandStatus:
        assert isinstance(what, SwitchSetpoint)
        field.operated.append((device_id, what))
        field.show(CLIENT_POINTS[1], float(what.closed))
        return CommandStatus.SUCCESS

    field.check = lambda *_, now_s: CommandStatus.SUCCESS  # type: ignore[method-assign]
    rtu = rtu_of(
        "rtu-1",
        points=[*CLIENT_POINTS, REMOTE],
        devices={SWITCH: DeviceClass.SWITCH, BANK: DeviceClass.CAPACITOR},
        outstation_address=10,
        master_address=1,
        manners=MANNERS,
    )
    station = Outstation(rtu, field=field, now_s=now_s, start=now_s.start)
    station.scan()
    address = await station.listen()
    script = Script(arrays=small_arrays(), proposals=ask)
    path = tmp_path / "gateway.toml"
    async with running(tmp_path, script=script, clock=WallClock()) as loop:
        path.write_text(
            gateway_toml(
                {address: rtu},
                endpoint=loop.endpoint,
                source_id="dnp3",
                controller_id="dnp3",
                state_file="state/epoch.json",
                polling=POLLING,
            )
        )

        def position() -> tuple[float, int] | None:
            if not script.views or POSITION not in script.views[-1].snapshot.table.row:
                return None
            snapshot = script.views[-1].snapshot
            row = snapshot.table.row[POSITION]
            return float(snapshot.value[row]), int(snapshot.quality[row])

        async with gateway_process(path), Operator(loop.endpoint, actor="op", run_id="r") as operator:
            await until(lambda: position() == (1.0, Quality.GOOD))
            await operator.set_mode(Mode.CONTROL, reason="test")
            wanted.append(proposal(SWITCH, opened()))
            await until(lambda: field.operated == [(SWITCH, SwitchSetpoint(closed=False))])
            await until(lambda: position() == (0.0, Quality.GOOD))
            async with Insight(loop.endpoint) as insight:
                bodies = [json.loads(e.body) async for e in insight.journal() if e.kind is EntryKind.OUTCOME]
            told = [(body["outcome"]["code"], body["told_by"]) for body in bodies]
            assert told == [("success", "controller"), ("success", "telemetry")]
            await station.hang_up()
            await until(lambda: position() == (0.0, Quality.STALE))
        assert len(field.operated) == 1
        epoch = json.loads((tmp_path / "state" / "epoch.json").read_text())["seen_epoch"]
        assert epoch == 1


def test_a_configuration_that_is_wrong_is_refused_with_every_problem_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[gateway]\nendpoint = "here"\nsurprise = 1\n[[rtu]]\nname = ""\n')
    run = [sys.executable, "-m", "adms.cli", "gateway", "dnp3", str(path)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert all(line.startswith("adms gateway: ") for line in lines)
    for said in ("gateway.surprise", "gateway.response_timeout_s", "rtu[0].name", "rtu[0].address"):
        assert any(said in line for line in lines), done.stderr
