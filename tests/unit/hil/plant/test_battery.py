import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.plant.battery import Battery, BatteryPlan
from tests.unit.hil.plant.units import BATTERY, at, run, unit

PLAN = BatteryPlan(
    charge_efficiency_frac=0.95,
    discharge_efficiency_frac=0.9,
    soc_min_frac=0.1,
    soc_max_frac=0.95,
    taper_frac=0.05,
    standby_w=50.0,
)


@settings(max_examples=60, deadline=None)
@given(
    orders=st.lists(st.floats(-120e3, 120e3), min_size=24, max_size=24),
    dt_s=st.sampled_from([1.0, 60.0, 900.0]),
    start=st.floats(0.1, 0.95),
)
def test_over_a_day_what_came_in_is_what_went_out_what_is_left_and_what_was_lost(
    orders: list[float], dt_s: float, start: float
) -> None:
    battery = Battery(PLAN, energy_wh=200e3, soc_frac=start)
    drawn_wh = given_wh = 0.0
    for k in range(int(86400 / dt_s) if dt_s > 1.0 else 3600):
        order_w = orders[int(k * dt_s // 3600) % 24]
        low, high = battery.limits_w(dt_s, p_min_w=-100e3, p_max_w=100e3)
        p_w = min(max(order_w, low), high)
        battery.step(dt_s, p_w=p_w)
        given_wh += max(p_w, 0.0) * dt_s / 3600
        drawn_wh += max(-p_w, 0.0) * dt_s / 3600
        assert battery.soc_frac <= 0.95 + 1e-9
        # Standby may take it below the least that it gives, never below empty.
        assert battery.soc_frac >= 0.0
    stored_wh = (battery.soc_frac - start) * 200e3
    assert drawn_wh - given_wh == pytest.approx(stored_wh + battery.lost_wh, abs=1e-3)
    assert battery.lost_wh >= 0.05 * drawn_wh - 1e-6
    assert (battery.drawn_wh, battery.given_wh) == pytest.approx((drawn_wh, given_wh), abs=1e-6)


def test_a_round_trip_costs_both_efficiencies() -> None:
    battery = Battery(
        BatteryPlan(charge_efficiency_frac=0.9, discharge_efficiency_frac=0.8), energy_wh=100e3, soc_frac=0.2
    )
    battery.step(3600.0, p_w=-50e3)
    # 50 kWh drawn, 90 % of it stored.
    assert battery.soc_frac == pytest.approx(0.2 + 0.45)
    battery.step(3600.0, p_w=36e3)
    # 36 kWh given took 45 kWh.
    assert battery.soc_frac == pytest.approx(0.2)
    assert battery.lost_wh == pytest.approx(50e3 - 36e3)


def test_standby_takes_energy_with_nothing_flowing() -> None:
    battery = Battery(
        BatteryPlan(charge_efficiency_frac=1.0, discharge_efficiency_frac=1.0, standby_w=100.0),
        energy_wh=10e3,
        soc_frac=0.5,
    )
    for _ in range(24):
        battery.step(3600.0, p_w=0.0)
    assert battery.soc_frac == pytest.approx(0.5 - 2400 / 10e3)


def test_power_falls_linearly_over_the_last_of_the_charge() -> None:
    battery = Battery(PLAN, energy_wh=200e3, soc_frac=0.925)
    # Half of the band of 5 % is left: half of the power in; out, all of it.
    assert battery.limits_w(1.0, p_min_w=-100e3, p_max_w=100e3) == pytest.approx((-50e3, 100e3))
    low = Battery(PLAN, energy_wh=200e3, soc_frac=0.11)
    assert low.limits_w(1.0, p_min_w=-100e3, p_max_w=100e3) == pytest.approx((-100e3, 20e3))


def test_heat_takes_power() -> None:
    plan = BatteryPlan(charge_efficiency_frac=1.0, discharge_efficiency_frac=1.0, derate_from_c=40.0, derate_to_c=60.0)
    battery = Battery(plan, energy_wh=200e3, soc_frac=0.5)
    found = [battery.limits_w(1.0, p_min_w=-100e3, p_max_w=100e3, temperature_c=t)[1] for t in (30.0, 45.0, 60.0)]
    assert found == pytest.approx([100e3, 75e3, 0.0])


def test_an_empty_battery_gives_nothing_and_a_full_one_takes_nothing() -> None:
    for soc_frac, target_w in ((0.0, 50e3), (1.0, -50e3)):
        made = unit(BATTERY, soc_frac=soc_frac, reactive_mode="constant_q")
        made.p_target_w = target_w
        run(made, at(1.0), seconds=60.0, dt_s=1.0)
        assert made.p_w == 0.0
        assert made.soc_frac == soc_frac


def test_a_unit_never_gives_more_energy_than_it_holds_in_one_long_step() -> None:
    made = unit(BATTERY, soc_frac=0.01, reactive_mode="constant_q")
    made.p_target_w = 100e3
    made.step(3600.0, irradiance_frac=0.0, terminal=at(1.0))
    # 2 kWh at 90 % within an hour.
    assert made.p_w == pytest.approx(1.8e3)
    assert made.soc_frac == pytest.approx(0.0, abs=1e-12)
