"""The bench in real time with devices on real protocols: endpoints, both gateways and the service are processes."""

from pathlib import Path

import numpy as np
import pytest

from hil.plant.plant import Plant
from tests.e2e.wired import Wired, wired

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

SUNSPEC = ("der.battery_47", "der.battery_60", "der.pv_48", "der.pv_76")
REGULATORS = ("transformer.reg4a", "transformer.reg4b", "transformer.reg4c")
LEASE_S = 12.0
VALUES = {("gate", "lease_s"): LEASE_S, ("gate", "renew_s"): 6.0, ("gate", "stagger_s"): 2.0}
CONTENT = {
    "sunspec": [{"devices": list(SUNSPEC)}],
    "dnp3": [{"name": "rtu-67", "devices": [*REGULATORS, "switch.s_l67"], "buses": ["67"]}],
}


def _taps_too_low(plant: Plant) -> None:
    """What the service has to cure through the RTU; the local controls would need longer."""
    for name in REGULATORS:
        plant._set_tap(name, position=-8, by="test")
        plant.automatic[name] = False
    plant._solve()


async def test_commands_reach_devices_through_the_gateways_and_a_killed_gateway_leaves_defaults(tmp_path: Path) -> None:
    async with wired(tmp_path, content=CONTENT, values=VALUES, prepare=_taps_too_low) as run:
        print()
        await run.until(6.0)
        assert await run.link.release_to_control() is None
        await run.until(10.0)
        limit_w = 0.9 * run.import_w
        await run.link.limit_import(limit_w)

        def leased() -> set[str]:
            return set(run.replies[-1]["leased"])

        assert await run.until(30.0, done=lambda: len(leased()) >= 2), run.reports[-1]
        led = leased()
        before = len(run.replies)
        assert await run.until(40.0, done=lambda: any(r["actions"] for r in run.replies))
        await run.until(45.0)
        # Renewed for more than two leases, and never lapsed between.
        assert all(led <= set(reply["leased"]) for reply in run.replies[before:])
        for name in led:
            unit = run.plant.ders[name]
            assert unit.p_target_w is not None
        moved = {action["device_id"] for reply in run.replies for action in reply["actions"]}
        assert moved & set(REGULATORS)
        assert [run.plant.taps[name] for name in moved & set(REGULATORS)] != [-8] * len(moved & set(REGULATORS))
        told = await run.outcomes_told()
        mine = [(device, code, text) for device, code, text in told if device in (*SUNSPEC, *REGULATORS)]
        print(f"{len(mine)} outcomes of wired devices")
        assert {code for _, code, _ in mine} == {"success"}, mine

        await run.wiring.gateways["sunspec"].kill()
        killed_s = run.now_s
        assert await run.until(killed_s + LEASE_S + 3.0, done=lambda: not leased()), leased()
        await run.until(run.now_s + 1.0)
        for name in led:
            entry, unit = run.plant.ders[name].entry, run.plant.ders[name]
            assert unit.p_target_w == entry.default_p_injection_w
            assert unit.q_target_var in (None, entry.default_q_injection_var)
        assert any("sunspec gateway has ended" in note for note in run.notes)
        _print(run)


def _print(run: Wired) -> None:
    print(run.pacer.stop().in_words)
    for latency in run.wiring.latencies.summary().values():
        print(latency.in_words)
    print(f"{run.wiring.latencies.unanswered} decisions not seen at a device")
    print(f"round {np.median([report.round_ms for report in run.reports]):.0f} ms in the middle")
