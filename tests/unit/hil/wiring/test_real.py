"""A real inverter as the plant and the bench see it: here another simulated one plays it."""

import asyncio
import time
from dataclasses import replace

import pytest

from hil.endpoints.sunspec import Nameplate, Silent, SunSpecDevice, SunSpecServer
from hil.overlay import read_overlay
from hil.plant.terminals import Terminals
from hil.wiring.bench_file import check_bench_file
from hil.wiring.real import InverterReader, RealUnit
from hil.wiring.start import put_real_units
from tests.unit.hil.bench_case import FILES, bench
from tests.unit.hil.sunspec.units import MEASURED, Box

OVERLAY = read_overlay(FILES.overlay)
ENTRY = next(der for der in OVERLAY.ders if der.id == "der.pv_48")
PLATE = Nameplate(
    serial="1", phases=3, s_max_va=198e3, p_max_w=180e3, p_charge_max_w=0.0, q_max_var=87e3, v_nominal_v=2400.0
)


def unit(*, hold_s: float = 5.0) -> RealUnit:
    return RealUnit(ENTRY, ride_through=bench().scenario.ride_through, hold_s=hold_s)


def test_it_delivers_what_was_read_for_the_stated_time_and_then_nothing() -> None:
    real = unit(hold_s=5.0)
    real.step(1.0, irradiance_frac=1.0, v_pu=1.0)
    assert (real.p_w, real.stale) == (0.0, True)
    real.deliver(90e3, -20e3, age_s=0.5)
    seen = []
    for _ in range(6):
        real.step(1.0, irradiance_frac=0.0, v_pu=1.0)
        seen.append((real.p_w, real.q_var))
    # 0.5 s old when it was told: after four more seconds 4.5 s, after five 5.5 s.
    assert seen == [(90e3, -20e3)] * 4 + [(0.0, 0.0)] * 2
    real.deliver(80e3, 0.0, age_s=0.1)
    real.step(1.0, irradiance_frac=0.0, v_pu=1.0)
    assert (real.p_w, real.stale) == (80e3, False)


def test_on_a_dead_bus_it_delivers_nothing() -> None:
    real = unit()
    real.deliver(90e3, 0.0, age_s=0.0)
    real.step(1.0, irradiance_frac=1.0, v_pu=0.0)
    assert real.p_w == 0.0


def test_the_plant_takes_what_the_real_device_delivers_into_its_power_flow() -> None:
    plant = bench().plant()
    file = check_bench_file(
        {"sunspec": [{"devices": ["der.pv_48"], "address": "192.0.2.1:502", "unit_id": 1}]},
        overlay=OVERLAY,
        real_time=True,
    )
    put_real_units(file, plant=plant, ride_through=bench().scenario.ride_through)
    real = plant.ders["der.pv_48"]
    assert isinstance(real, RealUnit)
    plant.advance(1.0)
    without_w = plant.import_w()
    real.deliver(180e3, 0.0, age_s=0.0)
    # The same second again, without what the loads do meanwhile.
    real.step(0.0, irradiance_frac=0.0, v_pu=1.0)
    plant._solve()
    # 180 kW less, but for what losses and voltage-dependent loads do: under a tenth of it.
    assert without_w - plant.import_w() == pytest.approx(180e3, rel=0.1)
    assert isinstance(plant._terminals(), Terminals)


async def _until(holds, *, timeout_s: float = 5.0) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.01)


async def test_the_reader_follows_the_device_and_says_why_it_cannot() -> None:
    box = Box(replace(MEASURED, p_w=(30e3,) * 3, q_var=(-5e3,) * 3))
    device = SunSpecDevice(nameplate=PLATE, physics=box, now_s=0.0)
    async with SunSpecServer(devices={7: device}, clock=time.monotonic) as server:
        reader = InverterReader(server.address, unit_id=7, period_s=0.05, now_s=time.monotonic)
        running = asyncio.create_task(reader.run())
        try:
            await _until(lambda: reader.newest is not None)
            assert reader.newest is not None
            # Three phases of 30 kW and -5 kvar. Registers have steps of 100 W (two times 198 kVA in 32 000 steps,
            # upwards to a power of ten), so half a step is 50.
            assert reader.newest.p_w == pytest.approx(90e3, abs=50.0)
            assert reader.newest.q_var == pytest.approx(-15e3, abs=50.0)
            box.now = replace(MEASURED, p_w=(10e3,) * 3, q_var=(0.0,) * 3)
            await _until(lambda: reader.newest is not None and reader.newest.p_w < 31e3)
            server.play(7, Silent())
            await _until(lambda: reader.problem != "")
            last = reader.newest
            server.play(7, None)
            await _until(lambda: reader.problem == "")
            assert reader.newest is not last
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_reader_of_nobody_says_so() -> None:
    reader = InverterReader("127.0.0.1:1", unit_id=1, period_s=0.05, now_s=time.monotonic)
    running = asyncio.create_task(reader.run())
    try:
        await _until(lambda: "cannot be reached" in reader.problem)
        assert reader.newest is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
