"""The bench in real time with devices on real protocols: endpoints, both gateways and the service are processes."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.endpoints.sunspec import Measured, Nameplate, Silent, SunSpecDevice, SunSpecServer
from hil.plant.plant import Plant
from tests.e2e.wired import Wired, wired
from tests.unit.hil.sunspec.units import MEASURED, Box

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

SUNSPEC = ("der.battery_47", "der.battery_60", "der.pv_48", "der.pv_76")
REGULATORS = ("transformer.reg4a", "transformer.reg4b", "transformer.reg4c")
LEASE_S = 10.0
VALUES = {
    ("gate", "lease_s"): LEASE_S,
    ("gate", "renew_s"): 5.0,
    ("gate", "stagger_s"): 2.0,
    ("voltvar", "slow_period_s"): 20.0,
}
REAL, REAL_W, HOLD_S = "der.pv_65", 60e3, 3.0
PLATE = Nameplate(
    serial="1", phases=3, s_max_va=132e3, p_max_w=120e3, p_charge_max_w=0.0, q_max_var=58080.0, v_nominal_v=2401.8
)
CONTENT: dict[str, Any] = {
    "dnp3": [{"name": "rtu-67", "devices": [*REGULATORS, "switch.s_l67"], "buses": ["67"]}],
}


class Inverter(Box):
    """Stands on the bench: gives 60 kW, or what it is limited to."""

    def measured(self) -> Measured:
        asked_w = self.wanted[-1].p_limit_w if self.wanted else None
        p_w = REAL_W if asked_w is None else min(REAL_W, asked_w)
        volts = (2401.8,) * 3
        return replace(MEASURED, p_w=(p_w / 3.0,) * 3, q_var=(0.0,) * 3, v_v=volts, p_available_w=REAL_W)


def _taps_too_low(plant: Plant) -> None:
    """What the service has to cure through the RTU; the local controls would need longer."""
    for name in REGULATORS:
        plant._set_tap(name, position=-8, by="test")
        plant.automatic[name] = False
    plant._solve()


async def test_commands_reach_devices_through_the_gateways_and_a_killed_gateway_leaves_defaults(tmp_path: Path) -> None:
    box = Inverter(MEASURED)
    real = SunSpecDevice(nameplate=PLATE, physics=box, now_s=time.monotonic())
    async with SunSpecServer(devices={9: real}, clock=time.monotonic) as server:
        entry = {"devices": [REAL], "address": server.address, "unit_id": 9, "hold_s": HOLD_S}
        content = {**CONTENT, "sunspec": [{"devices": list(SUNSPEC)}, entry]}
        async with wired(tmp_path, content=content, values=VALUES, prepare=_taps_too_low) as run:
            await _obeyed(run, box=box)
            await _killed(run)
            await _silent(run, server=server)
            _print(run)


async def _obeyed(run: Wired, *, box: Inverter) -> None:
    print()
    await run.until(6.0)
    # The plant takes what stands on the bench; 100 W is a step of its registers.
    assert run.plant.ders[REAL].p_w == pytest.approx(REAL_W, abs=100.0)
    assert await run.link.release_to_control() is None
    await run.until(10.0)
    limit_w = 0.9 * run.import_w
    await run.link.limit_import(limit_w)

    def leased() -> set[str]:
        return set(run.replies[-1]["leased"])

    assert await run.until(30.0, done=lambda: len(leased()) >= 2), run.modes
    led = leased()
    before = len(run.replies)
    assert await run.until(30.0, done=lambda: any(r["actions"] for r in run.replies))
    await run.until(36.0)
    # Renewed for more than two leases, and never lapsed between.
    assert all(led <= set(reply["leased"]) for reply in run.replies[before:])
    for name in led:
        unit = run.plant.ders[name]
        assert unit.p_target_w is not None
    moved = {action["device_id"] for reply in run.replies for action in reply["actions"]}
    assert moved & set(REGULATORS)
    assert any(run.plant.taps[name] > -8 for name in moved & set(REGULATORS))
    # Volt/VAR asks the real inverter for reactive power sooner or later.
    assert await run.until(50.0, done=lambda: any(each.q_target_var for each in box.wanted))
    told = await run.outcomes_told()
    mine = [(device, code, text) for device, code, text in told if device in (*SUNSPEC, *REGULATORS, REAL)]
    print(f"{len(mine)} outcomes of wired devices")
    assert {code for _, code, _ in mine} == {"success"}, mine
    assert {REAL, *led} <= {device for device, _, _ in mine}
    # Limited or not, the plant follows what it gives.
    assert run.plant.ders[REAL].p_w == pytest.approx(sum(box.measured().p_w), abs=100.0)


async def _killed(run: Wired) -> None:
    led = set(run.replies[-1]["leased"])
    await run.wiring.gateways["sunspec"].kill()
    killed_s = run.now_s
    assert await run.until(killed_s + LEASE_S + 3.0, done=lambda: not run.replies[-1]["leased"])
    await run.until(run.now_s + 1.0)
    for name in led:
        entry, unit = run.plant.ders[name].entry, run.plant.ders[name]
        assert unit.p_target_w == entry.default_p_injection_w
        assert unit.q_target_var in (None, entry.default_q_injection_var)
    assert any("sunspec gateway has ended" in note for note in run.notes)


async def _silent(run: Wired, *, server: SunSpecServer) -> None:
    assert run.plant.ders[REAL].p_w > 0.0
    server.play(9, Silent())
    silent_s = run.now_s
    # Read each second, held for three: at most five until it is zero.
    assert await run.until(silent_s + HOLD_S + 2.0, done=lambda: run.plant.ders[REAL].p_w == 0.0)
    assert run.now_s - silent_s >= HOLD_S - 1.0
    await run.until(run.now_s + 1.0)
    assert any(REAL in note and "taken to deliver nothing" in note for note in run.notes), run.notes


def _print(run: Wired) -> None:
    print(run.pacer.stop().in_words)
    for latency in run.wiring.latencies.summary().values():
        print(latency.in_words)
    print(f"{run.wiring.latencies.unanswered} decisions not seen at a device")
    print(f"round {np.median([report.round_ms for report in run.reports]):.0f} ms in the middle")
