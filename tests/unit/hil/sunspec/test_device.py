"""A device without a wire: reversions on the time it is given, and what its registers ask of the unit."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest

from hil.endpoints.sunspec import Nameplate, SunSpecDevice
from hil.endpoints.sunspec.words import decode, encode
from tests.unit.hil.sunspec.units import BATTERY, MEASURED, PV, Box, device


def put(unit: SunSpecDevice, point: str, value: int, *, now_s: float, kind: str = "uint16", model: int = 704) -> None:
    size = 2 if kind.endswith("32") else 1
    unit.write(unit.bank.address(model, point), encode(value, kind=kind, size=size), now_s=now_s)


def test_a_reversion_runs_from_the_last_write_and_not_from_a_write_to_another_function() -> None:
    box = Box()
    unit = device(BATTERY, box=box)
    put(unit, "WSetRvrtTms", 10, now_s=0.0, kind="uint32")
    put(unit, "WSet", 20_000, now_s=0.0, kind="int32")
    put(unit, "WSetEna", 1, now_s=1.0)
    put(unit, "WSet", 21_000, now_s=5.0, kind="int32")
    put(unit, "VarSet", 1_000, now_s=9.0, kind="int32")
    unit.advance(14.99)
    assert box.wanted[-1].p_target_w == pytest.approx(21_000.0)
    assert unit.bank.get(704, "WSetRvrtRem") == 1
    unit.advance(15.0)
    assert box.wanted[-1].p_target_w is None  # WSetEnaRvrt is 0
    assert unit.bank.get(704, "WSetRvrtRem") == 0


def test_a_function_that_is_switched_off_reverts_no_more() -> None:
    box = Box()
    unit = device(BATTERY, box=box)
    put(unit, "WSetRvrtTms", 10, now_s=0.0, kind="uint32")
    put(unit, "WSetEnaRvrt", 1, now_s=0.0)
    put(unit, "WSetEna", 1, now_s=0.0)
    put(unit, "WSetEna", 0, now_s=5.0)
    told = len(box.wanted)
    unit.advance(1_000.0)
    assert len(box.wanted) == told
    assert unit.bank.get(704, "WSetEna") == 0


def test_time_never_runs_backwards_in_a_device() -> None:
    box = Box()
    unit = device(BATTERY, box=box)
    put(unit, "WSetRvrtTms", 10, now_s=100.0, kind="uint32")
    put(unit, "WSetEna", 1, now_s=100.0)
    unit.advance(0.0)
    unit.advance(109.0)
    assert unit.bank.get(704, "WSetRvrtRem") == 1


@pytest.mark.parametrize(
    ("mode", "var"),
    [(0, 25_000.0), (1, 13_200.0), (3, 30_000.0)],  # 50 % of WMax 50 kW, VarMaxInj 26.4 kvar, VAMax 60 kVA
)
def test_reactive_power_in_percent_is_of_what_its_mode_says(mode: int, var: float) -> None:
    box = Box()
    unit = device(BATTERY, box=box)
    put(unit, "VarSetMod", mode, now_s=0.0)
    put(unit, "VarSetPct", 5_000, now_s=0.0, kind="int16")
    put(unit, "VarSetEna", 1, now_s=0.0)
    assert box.wanted[-1].q_target_var == pytest.approx(var)


def test_a_power_factor_and_leave_to_serve_reach_the_unit() -> None:
    box = Box()
    unit = device(box=box)
    unit.write(unit.bank.address(704, "PFWInj.PF"), [950, 1], now_s=0.0)
    put(unit, "PFWInjEna", 1, now_s=0.0)
    put(unit, "ES", 0, now_s=0.0, model=703)
    wanted = box.wanted[-1]
    assert wanted.power_factor_injecting is not None
    assert wanted.power_factor_injecting.factor == pytest.approx(0.95)
    assert not wanted.power_factor_injecting.over_excited
    assert not wanted.permitted


def test_a_curve_reverts_to_the_one_named_for_it() -> None:
    box = Box()
    unit = device(box=box)
    # Curve 2 with its first voltage at 90 %, adopted for a minute; curve 3 is as delivered (92 %).
    put(unit, "Crv[2].Pt[1].V", 9_000, now_s=0.0, model=705)
    put(unit, "RvrtCrv", 3, now_s=0.0, model=705)
    put(unit, "RvrtTms", 60, now_s=0.0, kind="uint32", model=705)
    put(unit, "Ena", 1, now_s=0.0, model=705)
    put(unit, "AdptCrvReq", 2, now_s=0.0, model=705)
    assert np.allclose(box.wanted[-1].curves["volt_var"].points[0], (0.90, 0.44))
    unit.advance(60.0)
    assert np.allclose(box.wanted[-1].curves["volt_var"].points[0], (0.92, 0.44))


def test_a_device_starts_with_the_settings_of_ieee_1547() -> None:
    """Tables 13 and 18, category III, and table 24; the functions of reactive power are off."""
    wanted = device().wanted()
    assert set(wanted.curves) == {
        f"{side}_{what}.must" for side in ("low", "high") for what in ("voltage", "frequency")
    }
    assert np.allclose(wanted.curves["low_voltage.must"].points[1], (0.88, 21.0))
    assert np.allclose(wanted.curves["high_frequency.must"].points[0], (61.2, 300.0))
    assert wanted.droop is not None
    assert wanted.droop.dead_band_over_hz == pytest.approx(0.036)
    assert wanted.droop.k_over == pytest.approx(0.05)
    assert (wanted.p_target_w, wanted.p_limit_w, wanted.q_target_var, wanted.permitted) == (None, None, None, True)


def test_what_is_not_measured_is_not_implemented_and_never_zero() -> None:
    unit = device(PV, box=Box(replace(MEASURED, p_w=(nan, 1.0, 1.0), v_v=(0.0, 277.0, 277.0), p_available_w=None)))
    unit.read(40_000, 10, now_s=0.0)
    for name in ("W", "VA", "WL1", "AL1", "A", "ThrotPct", "TmpCab", "TotWhInj"):
        assert unit.bank.get(701, name) is None, name
    assert unit.bank.scaled(701, "VL1") == 0.0  # measured: dead


@pytest.mark.parametrize("s_max_va", [1_000.0, 12_500.0, 333_000.0, 5e6])
def test_scale_factors_fit_the_rating_from_a_balcony_to_a_plant(s_max_va: float) -> None:
    """Within half a step of the coarsest fit: 32,000 steps carry twice the rating, so a step is at most rating/1600."""
    plate = Nameplate(
        serial="x",
        phases=1,
        s_max_va=s_max_va,
        p_max_w=s_max_va,
        p_charge_max_w=0.0,
        q_max_var=0.44 * s_max_va,
        v_nominal_v=230.0,
    )
    box = Box(replace(MEASURED, p_w=(1.9 * s_max_va,), q_var=(-1.9 * s_max_va,), v_v=(231.0,)))
    unit = device(plate, box=box)
    unit.read(40_000, 10, now_s=0.0)
    assert unit.bank.scaled(701, "W") == pytest.approx(1.9 * s_max_va, abs=s_max_va / 1600.0)
    assert unit.bank.scaled(701, "Var") == pytest.approx(-1.9 * s_max_va, abs=s_max_va / 1600.0)
    assert unit.bank.scaled(702, "WMax") == pytest.approx(s_max_va, abs=s_max_va / 1600.0)


@pytest.mark.parametrize(
    ("kind", "registers"),
    [
        ("int16", [0x8000]),
        ("uint16", [0xFFFF]),
        ("enum16", [0xFFFF]),
        ("int32", [0x8000, 0]),
        ("uint32", [0xFFFF, 0xFFFF]),
        ("bitfield32", [0xFFFF, 0xFFFF]),
        ("uint64", [0xFFFF] * 4),
        ("sunssf", [0x8000]),
        ("string", [0, 0]),
        ("pad", [0x8000]),
    ],
)
def test_not_implemented_is_written_as_sunspec_says(kind: str, registers: list[int]) -> None:
    """The values are those of the SunSpec Device Information Model Specification, table of types."""
    assert encode(None, kind=kind, size=len(registers)) == registers
    assert decode(registers, kind=kind) is None
