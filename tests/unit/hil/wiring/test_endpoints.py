"""The endpoints' process without the process: what the plant tells it, and what gateways would do with it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adms.client import InputError, PointKind, Quality, SwitchSetpoint, TapSetpoint
from adms.gateway.dnp3.config import read_configuration
from adms.gateway.sunspec import load_config
from adms.gateway.sunspec.modbus import Line
from hil.endpoints.dnp3.points import Flag
from hil.meters import GATEWAY, Meters
from hil.plant.plant import Plant
from hil.setup import ders_setup, gateway_setup
from hil.wiring.bench_file import BenchFile, Polls, check_bench_file
from hil.wiring.endpoints import Endpoints
from hil.wiring.told import (
    check_sources,
    dnp3_toml,
    inverter_setup,
    left_out_of,
    owners_of,
    rtu_setup,
    sunspec_toml,
    unit_now,
)
from tests.unit.hil.bench_case import bench

CONTENT: dict[str, Any] = {
    "sunspec": [{"devices": ["der.battery_47", "der.ev_55"]}],
    "dnp3": [{"name": "rtu-67", "devices": ["switch.s_l67", "transformer.reg4a"], "buses": ["67"]}],
}


def wired(content: dict[str, Any] = CONTENT) -> tuple[Plant, Meters, BenchFile]:
    run = bench()
    plant = run.plant()
    file = check_bench_file(content, overlay=run.overlay, real_time=True)
    meters = Meters(plant, plan=run.scenario.meters, seed=1, owners=owners_of(file))
    check_sources(file, meters=meters, plant=plant)
    return plant, meters, file


@asynccontextmanager
async def endpoints(plant: Plant, meters: Meters, file: BenchFile) -> AsyncIterator[tuple[Endpoints, dict[str, Any]]]:
    setup = {
        "zero_monotonic_s": time.monotonic(),
        "inverters": [inverter_setup(name, plant=plant, meters=meters) for name in file.ders],
        "rtus": [rtu_setup(rtu, plant=plant, meters=meters, supervision_lapse_s=0.2) for rtu in file.rtus],
        "real": [],
    }
    made = Endpoints(setup)
    try:
        yield made, await made.listen()
    finally:
        await made.close()


def frames_of(meters: Meters, file: BenchFile) -> dict[str, Any]:
    scans = meters.scan()
    wanted = (*file.ders, *(rtu.name for rtu in file.rtus))
    return {name: [[0.0, scans[name].index, scans[name].value, ()]] for name in wanted}


def test_what_is_wired_is_left_out_of_the_grpc_processes_and_nothing_else_is() -> None:
    plant, meters, file = wired()
    plain = Meters(plant, plan=bench().scenario.meters, seed=1)
    scenario, left_out = bench().scenario, left_out_of(file)
    gateway = gateway_setup(plant, meters, scenario=scenario, endpoint="e:1", left_out=left_out)
    ders = ders_setup(plant, meters, scenario=scenario, endpoint="e:1", left_out=left_out)
    devices = {each["device_id"] for each in gateway["controllers"][0]["devices"]}
    assert devices.isdisjoint({"switch.s_l67", "transformer.reg4a"})
    assert {"line.sw2", "transformer.reg4b"} <= devices
    assert {each["controller_id"] for each in ders["controllers"]} == set(plant.ders) - set(file.ders)
    # Every point has one owner, and all of them together are those of a bench without wiring.
    mine = [point for owner in meters.owners for point in meters.points_of(owner)]
    assert len(mine) == len(set(mine))
    assert set(mine) == {point for owner in plain.owners for point in plain.points_of(owner)}
    kinds = {(point.kind, point.element) for point in meters.points_of("rtu-67")}
    assert (PointKind.TAP_POSITION, "transformer.reg4a") in kinds
    assert (PointKind.V_MAGNITUDE, "67") in kinds
    assert not {point.element for point in meters.points_of(GATEWAY)} & {"switch.s_l67", "transformer.reg4a", "67"}


def test_an_rtu_is_refused_a_bus_without_a_meter_and_the_name_of_a_source() -> None:
    content = {"dnp3": [{"name": "gateway", "devices": ["switch.s_l67"], "buses": ["nowhere", "2"]}]}
    with pytest.raises(InputError) as refused:
        wired(content)
    told = [str(problem) for problem in refused.value.problems]
    assert any("is the name of a source" in each for each in told)
    assert any("has no such bus" in each for each in told)
    assert any("has no meter" in each for each in told)


async def test_the_gateways_take_the_configurations_that_are_written_for_them(tmp_path: Any) -> None:
    plant, meters, file = wired()
    sunspec, dnp3 = tmp_path / "s.toml", tmp_path / "d.toml"
    sunspec.write_text(
        sunspec_toml(
            {name: ("127.0.0.1:5020", unit) for unit, name in enumerate(file.ders, start=1)},
            plant=plant,
            meters=meters,
            real={},
            endpoint="127.0.0.1:7350",
            polls=Polls(),
            clock_offset_s=-14e6,
        )
    )
    setups = {"127.0.0.1:20000": rtu_setup(file.rtus[0], plant=plant, meters=meters, supervision_lapse_s=30.0)}
    dnp3.write_text(
        dnp3_toml(setups, endpoint="127.0.0.1:7350", polls=Polls(), state_file="e.json", clock_offset_s=-14e6)
    )
    config = load_config(sunspec)
    assert config.gateway.clock_offset_s == -14e6
    battery, charger = config.device
    assert (battery.p_control, battery.p_min_w, battery.default_p_injection_w) == ("setpoint", -250e3, 0.0)
    assert (charger.p_max_w, charger.default_p_injection_w) == (0.0, -90e3)
    (rtu,) = read_configuration(dnp3).rtu
    assert {table.point for table in rtu.points} == set(meters.points_of("rtu-67"))
    assert [device.id for device in rtu.devices] == ["switch.s_l67", "transformer.reg4a"]


async def test_a_register_written_is_a_target_at_the_next_tick_and_a_reading_is_noted() -> None:
    plant, meters, file = wired()
    async with endpoints(plant, meters, file) as (made, places):
        units = {name: unit_now(name, plant=plant) for name in file.ders}
        await made.answer({"type": "scan", "time_s": 0.0, "frames": frames_of(meters, file), "units": units})
        address, unit_id = places["inverters"]["der.battery_47"]
        device = made._inverters["der.battery_47"].device
        line = Line(address, timeout_s=1.0)
        try:
            for model, name in ((701, "W"), (704, "ID")):
                await line.read(unit_id, address=device.bank.address(model, name), count=1)
            # 100 kW at the scale factor of model 704, enabled, for 60 s.
            w_set = round(100e3 / 10.0 ** device.bank.exponent(704, "WSet"))
            for name, registers in (
                ("WSetRvrtTms", [0, 60]),
                ("WSet", [w_set >> 16, w_set & 0xFFFF]),
                ("WSetEna", [1]),
            ):
                await line.write(unit_id, address=device.bank.address(704, name), registers=registers)
        finally:
            await line.close()
        reply = await made.answer({"type": "act"})
        assert reply["targets"]["der.battery_47"][0] == pytest.approx(100e3)
        assert reply["leased"] == ["der.battery_47"]
        assert [len(reply["reads"][name]) for name in file.ders] == [1, 0]
        assert len(reply["checks"]["der.battery_47"]) == 1
        (actuated,) = reply["actuated"]
        assert actuated["time_s"] == pytest.approx(made.now_s(), abs=0.5)
        again = await made.answer({"type": "act"})
        assert (again["commands"], again["actuated"]) == ([], [])
        assert again["targets"]["der.battery_47"][0] == pytest.approx(100e3)
        # What can only absorb has nothing to hold back; its registers are read all the same.
        charger = made._inverters["der.ev_55"].device
        charger.read(charger.bank.address(701, "W"), 1, now_s=made.now_s())
        assert charger.bank.get(701, "ThrotPct") is None


async def test_an_operated_device_is_an_action_and_supervision_lapses_without_a_master() -> None:
    plant, meters, file = wired()
    async with endpoints(plant, meters, file) as (made, _):
        rtu = made._rtus["rtu-67"]
        rtu._operate("transformer.reg4a", TapSetpoint(position=3))
        rtu._operate("switch.s_l67", SwitchSetpoint(closed=False))
        assert rtu._check("transformer.reg4a", TapSetpoint(position=17)) == "out_of_range"
        assert rtu._check("transformer.reg4a", SwitchSetpoint(closed=True)) == "not_supported"
        reply = await made.answer({"type": "act"})
        assert [(action["device_id"], action["position"]) for action in reply["actions"]] == [
            ("transformer.reg4a", 3),
            ("switch.s_l67", 0),
        ]
        assert reply["automatic"] == {"transformer.reg4a": False}
        assert reply["connected"] == {"rtu-67": False}
        # The lapse of this bench is 0.2 s.
        await asyncio.sleep(0.25)
        assert (await made.answer({"type": "act"}))["automatic"] == {"transformer.reg4a": True}


async def test_an_rtu_shows_what_its_meters_delivered_with_its_quality() -> None:
    plant, meters, file = wired()
    async with endpoints(plant, meters, file) as (made, _):
        points = meters.points_of("rtu-67")
        place = next(k for k, point in enumerate(points) if point.kind is PointKind.TAP_POSITION)
        frame = [0.0, [place], [5.0], [Quality.SUSPECT]]
        units = {name: unit_now(name, plant=plant) for name in file.ders}
        await made.answer({"type": "scan", "time_s": 0.0, "frames": {"rtu-67": [frame]}, "units": units})
        outstation = made._rtus["rtu-67"].outstation
        tap = next(each for each in outstation.rtu.analog_inputs if each.point == points[place])
        shown = outstation._session.database.shown(tap)
        assert shown.value == 5.0
        # What a gateway takes for SUSPECT again (hil.endpoints.dnp3.scanned).
        assert shown.flags == Flag.ONLINE | Flag.LOCAL_FORCED
