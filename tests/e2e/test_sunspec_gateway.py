"""The whole path: a service on wall time, `adms gateway sunspec` as a process of its own, an inverter on Modbus."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adms.apps.view import RoundView
from adms.client import EntryKind, Insight, Mode, Operator, TelemetrySource
from adms.core.commands import Proposal
from adms.core.telemetry import PointKey, PointKind
from adms.runtime.clock import WallClock
from hil.endpoints.sunspec import Nameplate, SunSpecDevice, SunSpecServer
from tests.contract.loops import CLIENT_POINTS, running
from tests.unit.hil.sunspec.units import MEASURED, Box
from tests.unit.runtime.feeders import NORMAL, PV, Script, power, proposal, small_arrays

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

# The PV of the small model.
PLATE = Nameplate(
    serial="1", phases=1, s_max_va=10e3, p_max_w=10e3, p_charge_max_w=0.0, q_max_var=4.4e3, v_nominal_v=2400.0
)
CONFIG = """
[gateway]
endpoint = "{endpoint}"
source_id = "sunspec"
controller_id = "sunspec"
poll_period_s = 0.2
frame_period_s = 0.05
answer_timeout_s = 1.0
back_off_first_s = 0.5
back_off_max_s = 5.0
connections = "per_device"
metrics_listen = "127.0.0.1:0"
status_period_s = 0.5

[[device]]
device_id = "der.pv"
address = "{address}"
unit_id = 1
bus = "b"
phases = [1]
p_control = "limit"
s_max_va = 10e3
p_max_w = 10e3
p_min_w = 0.0
q_max_var = 4.4e3
default_q_injection_var = 0.0
sigma_p_w = 50.0
sigma_q_var = 50.0
sigma_v_v = 12.0
without_reversion = "refuse"
"""


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "adms.cli", "gateway", "sunspec", *arguments]


async def until(holds: Callable[[], bool], *, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def test_a_lease_reaches_the_register_and_ends_there_when_the_gateway_is_killed(tmp_path: Path) -> None:
    box = Box(replace(MEASURED, p_w=(7_500.0,), q_var=(0.0,), v_v=(2_401.0,), soc_frac=None, p_available_w=7_500.0))
    ahead_s = 0.0

    def clock() -> float:
        return time.monotonic() + ahead_s

    inverter = SunSpecDevice(nameplate=PLATE, physics=box, now_s=clock())
    script = Script(arrays=small_arrays(), proposals=lambda view: ask(view))

    def ask(view: RoundView) -> tuple[Proposal, ...]:
        return (proposal(PV, power(4e3, -1e3)),)

    async with (
        SunSpecServer(devices={1: inverter}, clock=clock) as server,
        running(tmp_path, script=script, clock=WallClock()) as loop,
        TelemetrySource(loop.endpoint, source_id="rtu", instance_epoch=1, points=CLIENT_POINTS) as source,
        Operator(loop.endpoint, actor="op") as operator,
        Insight(loop.endpoint) as insight,
    ):
        config = tmp_path / "gateway.toml"
        config.write_text(CONFIG.format(endpoint=loop.endpoint, address=server.address))
        gateway = subprocess.Popen(command_line(str(config)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            await operator.set_mode(Mode.CONTROL, reason="test")

            async def positions() -> None:
                while True:
                    await source.send(measure_time=datetime.now(UTC), values=dict(enumerate(NORMAL)))
                    await asyncio.sleep(0.5)

            reporting = asyncio.create_task(positions())
            await until(lambda: box.wanted[-1].p_limit_w is not None, seconds=20.0)
            assert box.wanted[-1].p_limit_w == pytest.approx(4e3)
            assert box.wanted[-1].q_target_var == pytest.approx(-1e3)
            snapshot = script.views[-1].snapshot
            injected = PointKey(kind=PointKind.P_INJECTION, element=PV)
            assert snapshot.good(injected, max_age_s=10.0) == pytest.approx(7_500.0, abs=1.0)
            left_s = inverter.bank.get(704, "WMaxLimPctRvrtTms")
            # Of a lease of 60 s, staggered by up to 10 s, less what passed on the way.
            assert isinstance(left_s, int)
            assert 45 <= left_s <= 60
            await until(lambda: script.views[-1].snapshot is not snapshot, seconds=5.0)
            entries = [json.loads(e.body) async for e in insight.journal() if e.kind is EntryKind.OUTCOME]
            assert [entry["outcome"]["code"] for entry in entries][:1] == ["success"]

            gateway.send_signal(signal.SIGKILL)
            said, complained = await asyncio.to_thread(gateway.communicate, timeout=10.0)
            assert "1 of 1 devices answer" in said
            assert complained == ""
            ahead_s = 61.0
            inverter.advance(clock())
            assert box.wanted[-1].p_limit_w is None
            assert box.wanted[-1].q_target_var == pytest.approx(0.0)
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)
        finally:
            if gateway.poll() is None:
                gateway.kill()
                gateway.communicate(timeout=10.0)


def test_a_wrong_configuration_is_said_in_words_and_ends_with_2(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        CONFIG.format(endpoint="127.0.0.1:1", address="192.0.2.1").replace("unit_id = 1", "unit_id = 300")
    )
    ended = subprocess.run(command_line(str(config)), capture_output=True, text=True, timeout=30.0)
    assert ended.returncode == 2
    told = ended.stderr.splitlines()
    assert [line.startswith("adms gateway: [[device]] 1 (der.pv).") for line in told] == [True, True]
    assert ended.stdout == ""
