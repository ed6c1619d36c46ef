"""The gateway with simulated inverters over real loopback TCP. Time of leases and reversions is set, not waited for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from math import nan

import pytest
from prometheus_client import generate_latest

from adms.client import OutcomeCode, PointKind, Quality
from hil.endpoints.sunspec import Cut, Garbled, Ignores, Raises, Silent, Slow, SunSpecServer
from tests.unit.gateway.sunspec.rigs import BATTERY, PV, Rig, rig
from tests.unit.hil.sunspec import units
from tests.unit.hil.sunspec.units import MEASURED, Box, device


class Clock:
    """Seconds of the devices."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def until(holds: object) -> None:
    """Waits for something that has no event of its own."""
    async with asyncio.timeout(5.0):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.002)


async def answering(running: Rig, device_id: str = "der.pv") -> None:
    await running.streams.until(lambda: running.streams.last(PointKind.REMOTE, device_id) == (1.0, Quality.GOOD))


async def test_what_a_device_measures_arrives_as_telemetry_of_the_network() -> None:
    """Numbers are those of `units.MEASURED`; the device's L1 is phase 2 of the network here."""
    async with (
        SunSpecServer(devices={2: device(units.BATTERY)}, clock=Clock()) as server,
        rig({**BATTERY, "address": server.address, "phases": [2, 3, 1]}) as running,
    ):
        await answering(running, "der.battery")

        def good(kind: PointKind, element: str, phase: int = 0) -> float | None:
            value, quality = running.streams.last(kind, element, phase) or (None, None)
            return value if quality is Quality.GOOD else None

        assert good(PointKind.P_INJECTION, "der.battery") == pytest.approx(30_000.0)
        assert good(PointKind.Q_INJECTION, "der.battery") == pytest.approx(-500.0, abs=5.0)
        assert good(PointKind.V_MAGNITUDE, "b7", 2) == pytest.approx(277.3, abs=0.05)
        assert good(PointKind.V_MAGNITUDE, "b7", 1) == pytest.approx(278.2, abs=0.05)
        assert good(PointKind.SOC, "der.battery") == pytest.approx(0.625)
        # 30 kW now and 24 % of 50 kW held back.
        assert good(PointKind.P_AVAILABLE, "der.battery") == pytest.approx(42_000.0)


async def test_a_lease_is_written_with_its_time_and_the_default_as_reversion() -> None:
    box, clock = Box(), Clock()
    inverter = device(box=box)
    async with (
        SunSpecServer(devices={1: inverter}, clock=clock) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        code, _ = await running.command(p_w=20_000.0, q_var=-3_000.0, lease_s=60.7)
        assert code is OutcomeCode.SUCCESS
        assert box.wanted[-1].p_limit_w == pytest.approx(20_000.0)
        assert box.wanted[-1].q_target_var == pytest.approx(-3_000.0)
        # Whole seconds, never more than the lease has; the stored default has no limit and Q 0.
        assert inverter.bank.get(704, "WMaxLimPctRvrtTms") == 60
        assert inverter.bank.get(704, "WMaxLimPctEnaRvrt") == 0
        assert inverter.bank.get(704, "VarSetEnaRvrt") == 1
        assert inverter.bank.get(704, "VarSetRvrt") == 0
        # A renewal starts the time anew.
        clock.now_s += 30.0
        running.now += timedelta(seconds=30.0)
        code, _ = await running.command(p_w=20_000.0, q_var=-3_000.0, lease_s=60.0)
        assert code is OutcomeCode.SUCCESS
        assert inverter.bank.get(704, "WMaxLimPctRvrtRem") == 60


async def test_a_clock_that_is_behind_makes_no_lease_longer() -> None:
    """The lease is 60 s long; this machine's clock says that 360 s of it are left."""
    inverter = device()
    async with (
        SunSpecServer(devices={1: inverter}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        issued = running.now
        running.now -= timedelta(seconds=300.0)
        assert (await running.command(p_w=20_000.0, issue_time=issued))[0] is OutcomeCode.SUCCESS
        assert inverter.bank.get(704, "WMaxLimPctRvrtTms") == 60


async def test_a_battery_is_led_by_setpoint_and_charges_on_a_negative_one() -> None:
    box = Box()
    async with (
        SunSpecServer(devices={2: device(units.BATTERY, box=box)}, clock=Clock()) as server,
        rig({**BATTERY, "address": server.address}) as running,
    ):
        await answering(running, "der.battery")
        code, _ = await running.command(p_w=-15_000.0, device_id="der.battery")
        assert code is OutcomeCode.SUCCESS
        assert box.wanted[-1].p_target_w == pytest.approx(-15_000.0)


async def test_the_device_falls_back_by_itself_when_the_gateway_is_killed() -> None:
    box, clock = Box(), Clock()
    battery = device(units.BATTERY, box=box)
    async with (
        SunSpecServer(devices={2: battery}, clock=clock) as server,
        rig({**BATTERY, "address": server.address, "default_p_injection_w": 1_000.0}) as running,
    ):
        await answering(running, "der.battery")
        assert (await running.command(p_w=25_000.0, lease_s=60.0, device_id="der.battery"))[0] is OutcomeCode.SUCCESS
        await running.kill()
        battery.advance(59.9)
        assert box.wanted[-1].p_target_w == pytest.approx(25_000.0)
        battery.advance(60.0)
        assert box.wanted[-1].p_target_w == pytest.approx(1_000.0)
        assert box.wanted[-1].q_target_var == pytest.approx(0.0)


async def test_a_lease_that_lapses_under_a_living_gateway_ends_at_the_default() -> None:
    """The device's own clock stands, so that it is the gateway who writes."""
    box = Box()
    async with (
        SunSpecServer(devices={2: device(units.BATTERY, box=box)}, clock=Clock()) as server,
        rig({**BATTERY, "address": server.address}) as running,
    ):
        await answering(running, "der.battery")
        assert (await running.command(p_w=25_000.0, device_id="der.battery"))[0] is OutcomeCode.SUCCESS
        running.now += timedelta(seconds=61.0)
        await until(lambda: box.wanted[-1].p_target_w == 0.0)


async def test_a_gateway_that_starts_lets_a_running_reversion_run_out_and_ends_what_has_none() -> None:
    box, clock = Box(), Clock()
    battery = device(units.BATTERY, box=box)
    entry = {**BATTERY}
    async with SunSpecServer(devices={2: battery}, clock=clock) as server:
        entry["address"] = server.address
        async with rig(entry) as first:
            await answering(first, "der.battery")
            assert (await first.command(p_w=25_000.0, device_id="der.battery"))[0] is OutcomeCode.SUCCESS
        async with rig(entry) as second:
            await answering(second, "der.battery")
            await until(lambda: second.counts.total("polls") > 5)
            assert box.wanted[-1].p_target_w == pytest.approx(25_000.0)
            clock.now_s = 61.0
            await until(lambda: box.wanted[-1].p_target_w == 0.0)
        # Left behind by somebody for ever:
        battery.write(battery.bank.address(704, "WSetRvrtTms"), [0, 0], now_s=clock())
        battery.write(battery.bank.address(704, "WSet"), [0, 9_000], now_s=clock())
        battery.write(battery.bank.address(704, "WSetEna"), [1], now_s=clock())
        async with rig(entry):
            await until(lambda: box.wanted[-1].p_target_w == 0.0)


@pytest.mark.parametrize(
    ("p_w", "q_var", "why"),
    [(60_000.0, None, "nameplate"), (None, 23_000.0, "nameplate"), (-5_000.0, None, "nameplate")],
)
async def test_a_setpoint_outside_the_nameplate_is_refused_and_the_lease_in_hand_stays(
    p_w: float | None, q_var: float | None, why: str
) -> None:
    box = Box()
    async with (
        SunSpecServer(devices={1: device(box=box)}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        assert (await running.command(p_w=10_000.0, q_var=1_000.0))[0] is OutcomeCode.SUCCESS
        code, text = await running.command(p_w=p_w, q_var=q_var)
        assert (code, why in text) == (OutcomeCode.OUT_OF_RANGE, True)
        assert box.wanted[-1].p_limit_w == pytest.approx(10_000.0)


async def test_a_device_smaller_than_configured_refuses_by_itself() -> None:
    """The inverter's own range is 22 kvar; the configuration claims 40."""
    box = Box()
    async with (
        SunSpecServer(devices={1: device(box=box)}, clock=Clock()) as server,
        rig({**PV, "address": server.address, "q_max_var": 40_000.0}) as running,
    ):
        await answering(running)
        code, text = await running.command(q_var=30_000.0)
        assert (code, "illegal value" in text) == (OutcomeCode.OUT_OF_RANGE, True)
        assert box.wanted[-1].q_target_var == 0.0


async def test_a_device_in_local_control_is_not_remote_and_not_fought() -> None:
    box = Box()
    inverter = device(box=box)
    async with (
        SunSpecServer(devices={1: inverter}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        box.now = replace(MEASURED, local=True)
        await running.streams.until(lambda: running.streams.last(PointKind.REMOTE, "der.pv") == (0.0, Quality.GOOD))
        writes = inverter.writes
        assert (await running.command(p_w=10_000.0))[0] is OutcomeCode.LOCAL
        assert inverter.writes == writes


async def test_a_gateway_that_finds_a_device_in_local_control_leaves_it_as_it_stands() -> None:
    box = Box()
    inverter = device(units.BATTERY, box=box)
    inverter.write(inverter.bank.address(704, "WSet"), [0, 9_000], now_s=0.0)
    inverter.write(inverter.bank.address(704, "WSetEna"), [1], now_s=0.0)
    box.now = replace(MEASURED, local=True)
    async with (
        SunSpecServer(devices={2: inverter}, clock=Clock()) as server,
        rig({**BATTERY, "address": server.address}) as running,
    ):
        await until(lambda: running.counts.total("polls") > 5)
        assert running.counts.total("default_refused") == 0
        assert box.wanted[-1].p_target_w == pytest.approx(9_000.0)
        box.now = MEASURED
        await until(lambda: box.wanted[-1].p_target_w == 0.0)


async def test_a_device_that_accepts_a_write_and_does_nothing_is_found_out() -> None:
    async with (
        SunSpecServer(devices={1: device()}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        server.play(1, Ignores())
        code, text = await running.command(p_w=10_000.0)
        assert (code, "WMaxLimPct" in text) == (OutcomeCode.HARDWARE_ERROR, True)


@pytest.mark.parametrize(("policy", "code"), [("refuse", OutcomeCode.NOT_SUPPORTED), ("accept", OutcomeCode.SUCCESS)])
async def test_a_device_whose_reversion_does_not_count_is_led_only_by_permission(
    policy: str, code: OutcomeCode
) -> None:
    """There are inverters whose reversion time reads back and never runs."""
    box = Box()
    inverter = device(box=box)
    inverter._reversions.written = lambda names, *, now_s: None  # type: ignore[method-assign]
    async with (
        SunSpecServer(devices={1: inverter}, clock=Clock()) as server,
        rig({**PV, "address": server.address, "without_reversion": policy}) as running,
    ):
        await answering(running)
        assert (await running.command(p_w=10_000.0))[0] is code
        await until(lambda: (box.wanted[-1].p_limit_w is None) == (policy == "refuse"))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Silent(), "silent"),
        (Slow(delay_s=0.4), "silent"),
        (Cut(), "cut"),
        (Raises(code=6), "exception"),
        (Garbled(answer=b"\x00\x01\x00\x00\xff\xff\x01\x03"), "garbled"),
        (Garbled(answer=b"\x00\x01\x00\x00\x00\x05\x01\x03\x02\x00\x00"), "garbled"),
        (Garbled(answer=b"HTTP/1.1 400 Bad Request\r\n\r\n"), "garbled"),
    ],
)
async def test_a_faulty_device_is_not_remote_holds_up_nobody_and_is_found_again(fault: object, kind: str) -> None:
    other = {**PV, "device_id": "der.other", "unit_id": 3}
    async with (
        SunSpecServer(devices={1: device(), 3: device()}, clock=Clock()) as server,
        rig({**PV, "address": server.address}, {**other, "address": server.address}) as running,
    ):
        await answering(running)
        server.play(1, fault)  # type: ignore[arg-type]
        await running.streams.until(lambda: running.streams.last(PointKind.REMOTE, "der.pv") == (0.0, Quality.GOOD))
        value, quality = running.streams.last(PointKind.P_INJECTION, "der.pv") or (0.0, Quality.GOOD)
        assert value == pytest.approx(30_000.0)
        assert quality is Quality.STALE
        assert running.counts.total(kind) >= 2
        assert running.counts.total("internal") == 0
        assert (await running.command(p_w=10_000.0))[0] is OutcomeCode.HARDWARE_ERROR
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        assert (await running.command(p_w=10_000.0, device_id="der.other"))[0] is OutcomeCode.SUCCESS
        assert loop.time() - began_s < 0.2
        server.play(1, None)
        await answering(running)
        assert (await running.command(p_w=10_000.0))[0] is OutcomeCode.SUCCESS


async def test_a_device_lost_in_the_middle_of_a_write_is_unknown_and_returns_to_its_default() -> None:
    box = Box()
    inverter = device(box=box)
    async with (
        SunSpecServer(devices={1: inverter}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        write = inverter.write

        def lost(address: int, registers: list[int], *, now_s: float) -> None:
            write(address, registers, now_s=now_s)
            if address == inverter.bank.address(704, "WMaxLimPctEna"):
                server.play(1, Silent())

        inverter.write = lost  # type: ignore[method-assign, assignment]
        assert (await running.command(p_w=10_000.0))[0] is OutcomeCode.UNKNOWN
        inverter.write = write  # type: ignore[method-assign]
        assert box.wanted[-1].p_limit_w == pytest.approx(10_000.0)
        server.play(1, None)
        await answering(running)
        # It reverts by itself after its time: that is let run out.
        inverter.advance(60.0)
        assert box.wanted[-1].p_limit_w is None


async def test_older_commands_that_wait_are_answered_and_only_the_newest_is_written() -> None:
    box = Box()
    async with (
        SunSpecServer(devices={1: device(box=box)}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        names = [running.send(p_w=1_000.0 * k, q_var=None, lease_s=60.0, device_id="der.pv") for k in range(1, 11)]
        await running.streams.until(lambda: len(running.streams.outcomes) == 10)
        codes = {name: code for name, code, _ in running.streams.outcomes}
        assert codes[names[-1]] is OutcomeCode.SUCCESS
        assert set(codes.values()) <= {OutcomeCode.SUCCESS, OutcomeCode.EXPIRED}
        assert box.wanted[-1].p_limit_w == pytest.approx(10_000.0)


async def test_devices_behind_one_logger_share_one_connection() -> None:
    entries = [{**PV, "device_id": f"der.{k}", "unit_id": k} for k in (1, 2, 3)]
    async with SunSpecServer(devices={k: device() for k in (1, 2, 3)}, clock=Clock()) as server:
        shared = [{**entry, "address": server.address} for entry in entries]
        async with rig(*shared, connections="per_address") as running:
            for entry in entries:
                await answering(running, entry["device_id"])
            assert server.connections == 1


async def test_a_silent_device_on_a_shared_connection_costs_the_others_its_time_out_only() -> None:
    entries = [{**PV, "device_id": f"der.{k}", "unit_id": k} for k in (1, 2)]
    async with SunSpecServer(devices={k: device() for k in (1, 2)}, clock=Clock()) as server:
        shared = [{**entry, "address": server.address} for entry in entries]
        async with rig(*shared, connections="per_address", answer_timeout_s=0.05) as running:
            await answering(running, "der.1")
            await answering(running, "der.2")
            server.play(1, Silent())
            await running.streams.until(lambda: running.streams.last(PointKind.REMOTE, "der.1") == (0.0, Quality.GOOD))
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            assert (await running.command(p_w=10_000.0, device_id="der.2"))[0] is OutcomeCode.SUCCESS
            # Read, written and read back between time-outs of 0.05 s, of which one comes every 0.2 s at most.
            assert loop.time() - began_s < 1.0
            assert running.streams.last(PointKind.REMOTE, "der.2") == (1.0, Quality.GOOD)


async def test_what_a_device_never_measured_is_not_sent_and_never_zero() -> None:
    box = Box(replace(MEASURED, p_w=(nan,) * 3, v_v=(277.0, nan, 277.0)))
    async with (
        SunSpecServer(devices={1: device(box=box)}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        assert running.streams.last(PointKind.P_INJECTION, "der.pv") is None
        assert running.streams.last(PointKind.V_MAGNITUDE, "b7", 2) is None
        assert running.streams.last(PointKind.V_MAGNITUDE, "b7", 1) is not None
        box.now = MEASURED
        await running.streams.until(lambda: running.streams.last(PointKind.P_INJECTION, "der.pv") is not None)
        # Lost again, the last value goes out, flagged.
        box.now = replace(MEASURED, p_w=(nan,) * 3)
        await running.streams.until(
            lambda: (running.streams.last(PointKind.P_INJECTION, "der.pv") or (0, 0))[1] is Quality.MISSING
        )


async def test_a_power_that_no_such_device_can_have_is_invalid_and_counted() -> None:
    """A scale factor that is two too high: 30 kW reads as 3 MW of a 50 kVA inverter."""
    inverter = device()
    inverter.bank.put(701, "W_SF", 3)
    inverter._shown = MEASURED
    inverter.bank.put(701, "W", 3_000)
    async with (
        SunSpecServer(devices={1: inverter}, clock=Clock()) as server,
        rig({**PV, "address": server.address}) as running,
    ):
        await answering(running)
        assert running.streams.last(PointKind.P_INJECTION, "der.pv") == (3e6, Quality.INVALID)
        assert running.streams.last(PointKind.P_AVAILABLE, "der.pv") is None
        assert running.counts.total("implausible") > 0
        exposed = generate_latest(running.counts.registry).decode()
        assert 'adms_sunspec_faults_total{device="der.pv",kind="implausible"}' in exposed
        assert 'adms_sunspec_answering{device="der.pv"} 1.0' in exposed
