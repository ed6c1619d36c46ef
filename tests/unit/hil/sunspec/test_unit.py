"""A DER of the plant led through its registers, and what they show of it."""

from __future__ import annotations

import pytest

from hil.endpoints.sunspec import OperatingState, SunSpecDevice, UnitPhysics, nameplate_of
from hil.endpoints.sunspec.words import encode
from hil.overlay import DerEntry
from hil.plant.der import DerUnit, RideThrough

RIDE = RideThrough(
    cease_below_pu=0.5,
    trip_after_s=1.0,
    return_min_pu=0.917,
    return_max_pu=1.05,
    return_delay_s=300.0,
    return_ramp_s=300.0,
)
V_V = 277.0


def pv(v_v: list[float]) -> tuple[DerUnit, UnitPhysics, SunSpecDevice]:
    entry = DerEntry(
        id="der.pv",
        kind="pv",
        bus="b",
        phases=(1, 2, 3),
        connection="wye",
        s_max_va=30e3,
        p_max_w=30e3,
        p_min_w=0.0,
        q_max_var=13.2e3,
        energy_wh=None,
        efficiency_frac=1.0,
        default_p_injection_w=None,
        default_q_injection_var=0.0,
        ramp_w_per_s=None,
    )
    unit = DerUnit(entry, ride_through=RIDE, soc_frac=None)
    unit.settle(irradiance_frac=0.8)
    physics = UnitPhysics(unit, v_v=lambda: v_v, f_hz=lambda: 60.0)
    nameplate = nameplate_of(entry, v_nominal_v=V_V, f_nominal_hz=60.0)
    return unit, physics, SunSpecDevice(nameplate=nameplate, physics=physics, now_s=0.0)


def test_a_limit_written_for_ten_seconds_curtails_the_unit_for_ten_seconds() -> None:
    """24 kW of sun, limited to 50 % of 30 kW; 9 kW held back is 30 % of WMax."""
    unit, physics, device = pv([V_V] * 3)
    for name, value, size in (("WMaxLimPct", 5_000, 1), ("WMaxLimPctRvrtTms", 10, 2), ("WMaxLimPctEna", 1, 1)):
        kind = "uint32" if size == 2 else "uint16"
        device.write(device.bank.address(704, name), encode(value, kind=kind, size=size), now_s=0.0)
    powers = []
    for k in range(1, 13):
        device.advance(float(k))
        unit.step(1.0, irradiance_frac=0.8, v_pu=1.0)
        powers.append(unit.p_w)
        if k == 5:
            device.read(40_000, 2, now_s=5.0)
            assert device.bank.scaled(701, "W") == pytest.approx(15e3)
            assert device.bank.get(701, "ThrotPct") == 30
            assert device.bank.get(701, "InvSt") == OperatingState.THROTTLED
    assert powers == [pytest.approx(15e3)] * 9 + [pytest.approx(24e3)] * 3
    assert physics.measured().state is OperatingState.RUNNING


def test_a_dead_or_tripped_unit_is_disconnected_and_has_nothing_to_give() -> None:
    volts = [0.0] * 3
    unit, physics, device = pv(volts)
    for _ in range(3):
        unit.step(1.0, irradiance_frac=0.8, v_pu=0.0)
    assert (physics.measured().connected, physics.measured().state) == (False, OperatingState.OFF)
    volts[:] = [V_V] * 3
    measured = physics.measured()
    assert (measured.connected, measured.state, measured.p_available_w) == (False, OperatingState.FAULT, 0.0)
    device.read(40_000, 2, now_s=3.0)
    assert device.bank.get(701, "ConnSt") == 0


def test_without_leave_to_serve_a_unit_stands_at_nothing() -> None:
    unit, _, device = pv([V_V] * 3)
    device.write(device.bank.address(703, "ES"), [0], now_s=0.0)
    unit.step(1.0, irradiance_frac=0.8, v_pu=1.0)
    assert (unit.p_w, unit.q_var) == (0.0, 0.0)
