from dataclasses import replace
from math import acos, exp, log, sqrt, tan

import numpy as np
import pytest

from hil.plant.ieee1547 import VOLT_VAR, VOLT_WATT, VOLT_WATT_STORAGE, WATT_VAR, Droop
from hil.plant.inverter import Defect, InverterUnit
from tests.unit.hil.plant.units import BATTERY, PV, at, run, unit


# IEEE Std 1547-2018 Table 8, of 100 kVA; half sun, so that active power leaves the room.
@pytest.mark.parametrize(
    ("category", "v_pu", "q_kvar"),
    [
        ("B", 0.90, 44.0),
        ("B", 0.95, 22.0),
        ("B", 1.0, 0.0),
        ("B", 1.05, -22.0),
        ("B", 1.09, -44.0),
        ("A", 0.90, 25.0),
        ("A", 0.98, 5.0),
        ("A", 1.0, 0.0),
        ("A", 1.04, -10.0),
    ],
)
def test_volt_var_stands_on_the_table(category: str, v_pu: float, q_kvar: float) -> None:
    made = unit(reactive_curve=VOLT_VAR[category])
    run(made, at(v_pu), seconds=200.0, dt_s=1.0, irradiance_frac=0.5)
    assert made.q_var == pytest.approx(q_kvar * 1e3, abs=1.0)


@pytest.mark.parametrize("dt_s", [0.1, 1.0, 5.0])
def test_after_the_open_loop_response_time_90_percent_of_the_way_is_gone(dt_s: float) -> None:
    made = unit()
    run(made, at(1.05), seconds=5.0, dt_s=dt_s, irradiance_frac=0.5)
    # Clause 3.1: open-loop response time, to 90 % of the final change. The final one is -22 kvar.
    assert made.q_var == pytest.approx(-0.9 * 22e3, rel=1e-9)


def test_volt_var_listens_to_the_mean_of_the_phases() -> None:
    made = unit()
    uneven = replace(at(1.05), v_low_pu=1.01, v_high_pu=1.09)
    run(made, uneven, seconds=100.0, dt_s=1.0, irradiance_frac=0.5)
    assert made.q_var == pytest.approx(-22e3, abs=1.0)


# Table 10: of 100 kW.
@pytest.mark.parametrize(("v_pu", "p_kw"), [(1.05, 100.0), (1.06, 100.0), (1.08, 60.0), (1.1, 20.0)])
def test_volt_watt_stands_on_the_table(v_pu: float, p_kw: float) -> None:
    made = unit(reactive_mode="constant_q", volt_watt=VOLT_WATT)
    run(made, at(v_pu), seconds=200.0, dt_s=1.0)
    assert made.p_w == pytest.approx(p_kw * 1e3, abs=1.0)


def test_volt_watt_takes_its_open_loop_response_time() -> None:
    made = unit(reactive_mode="constant_q", volt_watt=VOLT_WATT)
    run(made, at(1.08), seconds=10.0, dt_s=0.5)
    # 100 kW to 60 kW, 90 % of it in 10 s.
    assert made.p_w == pytest.approx(100e3 - 0.9 * 40e3, rel=1e-9)


def test_a_battery_with_volt_watt_stops_giving_and_may_still_take() -> None:
    made = unit(BATTERY, reactive_mode="constant_q", volt_watt=VOLT_WATT_STORAGE)
    made.p_target_w = 80e3
    run(made, at(1.1), seconds=200.0, dt_s=1.0)
    assert made.p_w == pytest.approx(0.0, abs=1.0)
    made.p_target_w = -50e3
    run(made, at(1.1), seconds=10.0, dt_s=1.0)
    assert made.p_w == pytest.approx(-50e3, abs=1.0)


@pytest.mark.parametrize(("absorbs", "sign"), [(False, 1.0), (True, -1.0)])
def test_constant_power_factor(absorbs: bool, sign: float) -> None:
    made = unit(reactive_mode="constant_pf", power_factor=0.95, absorbs=absorbs)
    run(made, at(1.0), seconds=100.0, dt_s=1.0, irradiance_frac=0.6)
    assert made.q_var == pytest.approx(sign * 60e3 * tan(acos(0.95)), rel=1e-6)


def test_watt_var_follows_active_power_both_ways() -> None:
    made = unit(BATTERY, reactive_mode="watt_var", reactive_curve=WATT_VAR["B"])
    for p_kw, q_kvar in ((75.0, -22.0), (40.0, 0.0), (-75.0, 22.0)):
        made.p_target_w = p_kw * 1e3
        run(made, at(1.0), seconds=60.0, dt_s=1.0)
        # Table 9: half way between half and full power, half of 44 %.
        assert made.q_var == pytest.approx(q_kvar * 1e3, abs=1.0)


def test_reactive_power_goes_before_active_and_the_other_way_where_it_is_set_so() -> None:
    first, second = unit(), unit(priority="active")
    for made in (first, second):
        run(made, at(1.09), seconds=100.0, dt_s=1.0)
    # Full sun at 100 kVA: 44 kvar leave sqrt(100² - 44²) = 89.8 kW (clause 5.3), or no room at all.
    assert (first.p_w, first.q_var) == pytest.approx((100e3 * sqrt(1 - 0.44**2), -44e3), rel=1e-6)
    assert (second.p_w, second.q_var) == pytest.approx((100e3, 0.0), abs=1.0)


def test_no_more_than_the_rated_current_flows_at_low_voltage() -> None:
    made = unit(i_max_pu=1.1)
    run(made, at(0.6), seconds=5.0)
    # 1.1 x 0.6 of 100 kVA, of which 44 kvar are reactive.
    assert np.hypot(made.p_w, made.q_var) == pytest.approx(66e3, rel=1e-3)


def test_frequency_watt_lowers_what_was_given_before() -> None:
    made = unit(reactive_mode="constant_q", droop=Droop())
    made.p_target_w = 80e3
    run(made, at(1.0, f_hz=60.0), seconds=10.0)
    run(made, at(1.0, f_hz=60.336), seconds=5.0)
    # Table 23: 0.1 of rated power less, 90 % of it after 5 s.
    assert made.p_w == pytest.approx(80e3 - 9e3, rel=1e-6)
    run(made, at(1.0, f_hz=60.0), seconds=100.0, dt_s=1.0)
    assert made.p_w == pytest.approx(80e3)
    run(made, at(1.0, f_hz=59.364), seconds=100.0, dt_s=1.0)
    assert made.p_w == pytest.approx(100e3)  # 20 kW more, which is all that there is


def test_targets_are_followed_with_the_ramp_and_a_cloud_without_one() -> None:
    made = unit(replace(PV, ramp_w_per_s=5e3), reactive_mode="constant_q")
    made.p_target_w = 40e3
    run(made, at(1.0), seconds=4.0)
    assert made.p_w == pytest.approx(80e3)
    run(made, at(1.0), seconds=0.1, irradiance_frac=0.3)
    assert made.p_w == pytest.approx(30e3)


def test_a_leased_reactive_power_goes_before_the_units_own_law() -> None:
    made = unit()
    made.leased, made.p_target_w, made.q_target_var = True, 50e3, 10e3
    run(made, at(1.05), seconds=60.0, dt_s=1.0)
    assert (made.p_w, made.q_var) == pytest.approx((50e3, 10e3), abs=1.0)
    made.leased, made.p_target_w, made.q_target_var = False, None, 0.0
    run(made, at(1.05), seconds=60.0, dt_s=1.0, irradiance_frac=0.5)
    assert (made.p_w, made.q_var) == pytest.approx((50e3, -22e3), abs=1.0)


# ---- what it may do wrong -------------------------------------------------------------------------------------------


def leased(made: InverterUnit, p_w: float | None, q_var: float | None) -> InverterUnit:
    made.leased, made.p_target_w, made.q_target_var = True, p_w, q_var
    return made


def lapsed(made: InverterUnit) -> InverterUnit:
    entry = made.entry
    made.leased, made.p_target_w, made.q_target_var = False, entry.default_p_injection_w, entry.default_q_injection_var
    return made


def test_one_that_ignores_its_leases_holds_the_last_for_ever() -> None:
    sound, bad = (unit(BATTERY, soc_frac=0.9, reactive_mode="constant_q") for _ in range(2))
    bad.defect = Defect.IGNORES_LEASES
    for made in (sound, bad):
        run(leased(made, 30e3, 10e3), at(1.0), seconds=20.0, dt_s=1.0)
        run(lapsed(made), at(1.0), seconds=3600.0, dt_s=60.0)
    assert (sound.p_w, sound.q_var) == pytest.approx((0.0, 0.0), abs=1.0)
    assert (bad.p_w, bad.q_var) == pytest.approx((30e3, 10e3), abs=1.0)
    run(leased(bad, -20e3, 0.0), at(1.0), seconds=60.0, dt_s=1.0)
    assert bad.p_w == pytest.approx(-20e3)


def test_a_deaf_one_stays_at_its_default() -> None:
    made = unit(BATTERY, reactive_mode="constant_q")
    made.defect = Defect.DEAF
    run(leased(made, 30e3, 10e3), at(1.0), seconds=60.0, dt_s=1.0)
    assert (made.p_w, made.q_var) == (0.0, 0.0)


def test_a_stuck_one_stays_where_it_was_as_far_as_there_is_sun() -> None:
    made = unit(reactive_mode="constant_q")
    run(leased(made, 60e3, 0.0), at(1.0), seconds=60.0, dt_s=1.0)
    made.defect = Defect.STUCK
    run(leased(made, 10e3, 20e3), at(1.0), seconds=60.0, dt_s=1.0)
    assert (made.p_w, made.q_var) == pytest.approx((60e3, 0.0), abs=1.0)
    run(made, at(1.0), seconds=1.0, irradiance_frac=0.2)
    assert made.p_w == pytest.approx(20e3)


def test_one_with_the_wrong_sign_does_the_opposite() -> None:
    made = unit(BATTERY, reactive_mode="constant_q")
    made.defect = Defect.WRONG_SIGN
    run(leased(made, 30e3, 10e3), at(1.0), seconds=60.0, dt_s=1.0)
    assert (made.p_w, made.q_var) == pytest.approx((-30e3, -10e3), abs=1.0)


@pytest.mark.parametrize("v_pu", [0.0, 0.3, 0.7, 0.85, 0.95, 1.0, 1.05, 1.09, 1.15, 1.25])
@pytest.mark.parametrize("defect", [None, *Defect])
def test_no_voltage_target_or_defect_brings_it_outside_its_nameplate(v_pu: float, defect: Defect | None) -> None:
    rng = np.random.default_rng([5, round(v_pu * 100)])
    made = unit(BATTERY, volt_watt=VOLT_WATT_STORAGE)
    made.defect = defect
    for _ in range(300):
        leased(made, float(rng.uniform(-2e5, 2e5)), float(rng.uniform(-1e5, 1e5)))
        made.step(1.0, irradiance_frac=1.0, terminal=at(v_pu))
        assert np.hypot(made.p_w, made.q_var) <= made.entry.s_max_va * (1 + 1e-12)
        assert abs(made.q_var) <= made.entry.q_max_var
        assert made.entry.p_min_w <= made.p_w <= made.entry.p_max_w
        assert v_pu > 0.02 or made.p_w == made.q_var == 0.0


def test_the_lag_is_exact_for_any_cut_of_the_time() -> None:
    whole, cut = unit(), unit()
    whole.step(3.0, irradiance_frac=0.5, terminal=at(1.06))
    for dt_s in (0.1, 1.4, 1.5):
        cut.step(dt_s, irradiance_frac=0.5, terminal=at(1.06))
    expected = -44e3 * (0.04 / 0.06) * (1 - exp(-3.0 * log(10.0) / 5.0))
    assert whole.q_var == pytest.approx(expected, rel=1e-9)
    assert cut.q_var == pytest.approx(expected, rel=1e-9)
