"""Voltage, moves, customers, energy."""

from dataclasses import replace
from math import nan

from hil.prices import Prices
from tests.unit.hil.measures.records import BEST, EMPTY, Case, event, found, tap, trace

# Outside of the fault (2nd scan): 2 + 1 + 2 live node-scans, one of them below 0.95.
LOW = trace(
    [10.0, 20.0, 30.0, 50.0],
    v=[[1.0, 1.0], [0.2, 0.3], [1.0, 0.0], [0.94, 1.0]],
    in_fault=[False, True, False, False],
)
FINE = trace([10.0, 20.0], v=[[1.0, 1.0], [1.0, 1.06]])
# 2000 node-scans from 1.00001 to 1.02 pu in steps of 1e-5.
MANY = trace(range(1, 1001), v=[[1.0 + 2e-5 * k + 1e-5, 1.0 + 2e-5 * k + 2e-5] for k in range(1000)])
# Node 0 is low at 20 and 30 s (10 s each), node 1 high at 30, 50 and 55 s (10 + 20 + 5), dead at 60 s.
OUT = trace(
    [10.0, 20.0, 30.0, 50.0, 55.0, 60.0],
    v=[[1.0, 1.0], [0.9, 1.0], [0.9, 1.1], [1.0, 1.1], [1.0, 1.1], [1.0, 0.0]],
)
REG_A, REG_B, CAP = "transformer.a", "transformer.b", "capacitor.c"
# Regulator a: up, down at 100 s, up at 200 s, down at 2000 s: reversals at 100, 200 and 2000 s. The last window of
# 1800 s, from 200 to 2000 s, has two of them. Regulator b goes one way.
WORN = trace(
    [2100.0],
    events=[
        tap(0.0, REG_A, way=1),
        tap(100.0, REG_A, way=-1, by="local"),
        tap(200.0, REG_A, way=1),
        tap(2000.0, REG_A, way=-1),
        tap(300.0, REG_B, way=1),
        tap(301.0, REG_B, way=1),
        event(400.0, CAP, "capacitor", "0 -> 1 steps"),
        event(900.0, CAP, "capacitor", "1 -> 0 steps"),
        event(1300.0, CAP, "capacitor", "0 -> 2 steps", by="local"),
    ],
)
STILL = trace([2100.0])
OTHERS = trace([2100.0], events=[tap(1.0, REG_B, way=1)] * 4)

# 10 s at 0, 10 s at 60, 20 s at 30, 10 s at 0 customers: (600 + 600) / 60 customer minutes.
AWAY = trace(
    [10.0, 20.0, 40.0, 50.0],
    off=[0, 60, 30, 0],
    in_fault=[False, True, False, False],
    events=[event(12.0, "line.x", "fault", by="nature"), event(15.0, "line.sw", "lockout", by="protection")],
)
TWICE = trace([10.0, 20.0, 40.0, 50.0], off=[0, 60, 60, 60])
CLEARS = trace(
    [10.0, 20.0, 40.0, 50.0],
    off=[0, 60, 5, 4],
    in_fault=[False, True, False, False],
    events=[event(18.0, "line.x", "cleared", by="nature")],
)
# 1 h at 1000 kW, 1 h at -500 kW, 2 h at 200 kW in two scans.
POWER = trace([3600.0, 7200.0, 10800.0, 14400.0], import_w=[1e6, -0.5e6, 0.2e6, 0.2e6])
FLAT = trace([3600.0, 7200.0], import_w=[1e6, 1e6], losses_w=[20e3, 20e3])
# 0.20 in the first hour, 0.40 from the third on; export pays 0.10: 200 - 50 + 80 + 80. Idle: 200 + 200 of FLAT.
PRICES = Prices(currency="EUR", import_per_kwh=((0.0, 0.2), (7200.0, 0.4)), export_per_kwh=((0.0, 0.1),))

CASES = (
    Case(name="voltage_ok_frac_min", says="4 of 5", found=found(trace=LOW), value=0.8),
    Case(name="voltage_ok_frac_min", says="gone", found=found(trace=LOW, service_gone=True), value=nan, applies=False),
    Case(name="voltage_ok_frac_min", says="nothing", found=EMPTY, value=nan),
    Case(name="voltage_ok_gain_frac", says="4/5 less 3/4", found=found(trace=LOW, idle=FINE), value=0.05),
    Case(name="voltage_ok_gain_frac", says="no idle run", found=found(trace=LOW), value=nan),
    Case(
        name="v_max_p999_pu",
        says="0.1 % of 2000 are 2: the 1998th value, 1.01998 pu",
        found=found(trace=MANY),
        value=1.01998,
    ),
    Case(name="v_max_p999_pu", says="few: the highest; not in the fault", found=found(trace=LOW), value=1.0),
    Case(name="v_max_p999_pu", says="nothing", found=EMPTY, value=nan),
    Case(
        name="v_min_p999_pu",
        says="0.1 % of 2000 are 2: the 3rd value, 1.00003 pu",
        found=found(trace=MANY),
        value=1.00003,
    ),
    Case(name="v_min_p999_pu", says="few: the lowest that is alive", found=found(trace=LOW), value=0.94),
    Case(name="v_min_p999_pu", says="nothing", found=EMPTY, value=nan),
    Case(name="voltage_out_longest_s", says="node 1", found=found(trace=OUT), value=35.0, words="n1 phase 1"),
    Case(name="voltage_out_longest_s", says="none", found=found(trace=trace([1.0], v=[[1.0]])), value=0.0),
    Case(name="voltage_out_longest_s", says="nothing", found=EMPTY, value=nan),
    Case(
        name="tap_moves_per_regulator_max",
        says="a moves four times, once by itself",
        found=found(trace=WORN),
        value=4.0,
        words="transformer.a: 4, 3 by command; 2 regulators moved",
    ),
    Case(name="tap_moves_per_regulator_max", says="none", found=found(trace=STILL), value=0.0),
    Case(name="tap_moves_per_regulator_max", says="nothing", found=EMPTY, value=nan),
    Case(name="tap_moves_vs_idle_frac", says="6 against 4", found=found(trace=WORN, idle=OTHERS), value=0.5),
    Case(name="tap_moves_vs_idle_frac", says="0 against 4", found=found(trace=STILL, idle=OTHERS), value=-1.0),
    Case(name="tap_moves_vs_idle_frac", says="0 against 0", found=found(trace=STILL, idle=STILL), value=0.0),
    Case(
        name="tap_moves_vs_idle_frac",
        says="6 against 0 is no share",
        found=found(trace=WORN, idle=STILL),
        value=nan,
        words="no share",
    ),
    Case(name="tap_moves_vs_idle_frac", says="no idle run", found=found(trace=WORN), value=nan),
    Case(name="capacitor_moves_max", says="three", found=found(trace=WORN), value=3.0, words="3, 2 by command"),
    Case(name="capacitor_moves_max", says="none", found=found(trace=STILL), value=0.0),
    Case(name="capacitor_moves_max", says="nothing", found=EMPTY, value=nan),
    Case(name="reversals_max", says="two of three within 1800 s", found=found(trace=WORN), value=2.0),
    Case(name="reversals_max", says="none", found=found(trace=OTHERS), value=0.0),
    Case(name="reversals_max", says="nothing", found=EMPTY, value=nan),
    Case(
        name="restored_frac_min",
        says="0.9 of 1 MW",
        found=found(fault="line.x", restoration=BEST, restored_w=0.9e6),
        value=0.9,
    ),
    Case(name="restored_frac_min", says="no fault", found=EMPTY, value=nan, applies=False),
    Case(
        name="restored_frac_min",
        says="the service was gone",
        found=found(fault="line.x", restoration=BEST, service_gone=True),
        value=nan,
        applies=False,
    ),
    Case(
        name="restored_frac_min",
        says="nothing could trip",
        found=found(fault="line.x", never_trips="it had no supply"),
        value=nan,
        words="was not judged: it had no supply",
        applies=False,
    ),
    Case(name="restored_frac_min", says="no lockout came", found=found(fault="line.x"), value=nan, words="no lockout"),
    Case(
        name="restored_frac_min",
        says="nothing restorable, all tried",
        found=found(fault="line.x", restoration=replace(BEST, restorable_w=0.0)),
        value=1.0,
    ),
    Case(
        name="restoration_time_s",
        says="lockout at 15 s, the last back at 50 s",
        found=found(trace=AWAY, restoration=BEST, restored_w=1e6),
        value=35.0,
    ),
    Case(
        name="restoration_time_s",
        says="not all of it is back",
        found=found(trace=AWAY, restoration=BEST, restored_w=0.9e6),
        value=nan,
        words="900 of 1000 restorable kW",
    ),
    Case(
        name="restoration_time_s",
        says="nothing could be restored",
        found=found(trace=AWAY, restoration=replace(BEST, restorable_w=0.0)),
        value=0.0,
    ),
    Case(name="restoration_time_s", says="no lockout", found=found(trace=TWICE, restoration=BEST), value=nan),
    Case(
        name="customer_minutes_vs_idle_frac",
        says="20 against 60 * 40 s = 40 customer minutes",
        found=found(trace=AWAY, idle=TWICE),
        value=-0.5,
    ),
    Case(name="customer_minutes_vs_idle_frac", says="no idle run", found=found(trace=AWAY), value=nan),
    Case(name="customers_off_at_end", says="60", found=found(trace=TWICE), value=60.0),
    Case(name="customers_off_at_end", says="nothing", found=EMPTY, value=nan),
    Case(
        name="customers_off_in_temporary_fault",
        says="not the 60 while protection works, and not the 4 at the end",
        found=found(trace=CLEARS),
        value=5.0,
    ),
    Case(name="customers_off_in_temporary_fault", says="a permanent one", found=found(trace=AWAY), value=nan),
    Case(name="energy_imported_kwh", says="1000 + 2 * 200", found=found(trace=POWER), value=1400.0),
    Case(name="energy_imported_kwh", says="nothing", found=EMPTY, value=nan),
    Case(name="energy_exported_kwh", says="500", found=found(trace=POWER), value=500.0),
    Case(name="energy_exported_kwh", says="nothing", found=EMPTY, value=nan),
    Case(
        name="losses_vs_idle_frac",
        says="30 against 40 kWh",
        found=found(trace=trace([3600.0, 7200.0], losses_w=[20e3, 10e3]), idle=FLAT),
        value=-0.25,
    ),
    Case(name="losses_vs_idle_frac", says="no idle run", found=found(trace=FLAT), value=nan),
    Case(
        name="curtailed_energy_frac",
        says="20 of 100 in 1 h, 0 of 100 in 3 h; more than there is makes nothing good",
        found=found(
            trace=trace([3600.0, 14400.0, 18000.0], pv_w=[80e3, 100e3, 11e3], available_w=[100e3, 100e3, 10e3])
        ),
        value=20 / 410,
    ),
    Case(name="curtailed_energy_frac", says="at night", found=found(trace=STILL), value=nan),
    Case(name="curtailed_energy_frac", says="nothing", found=EMPTY, value=nan),
    Case(name="energy_cost", says="200 - 50 + 80 + 80", found=found(trace=POWER, prices=PRICES), value=310.0),
    Case(name="energy_cost", says="no prices", found=found(trace=POWER), value=nan),
    Case(
        name="energy_cost_vs_idle",
        says="310 less 400",
        found=found(trace=POWER, idle=FLAT, prices=PRICES),
        value=-90.0,
    ),
    Case(name="energy_cost_vs_idle", says="no prices", found=found(trace=POWER, idle=FLAT), value=nan),
    Case(
        name="plant_unsolved",
        says="one",
        found=found(trace=replace(trace([1.0], v=[[1.0]]), unsolved=[(181.3, "no convergence")])),
        value=1.0,
        words="first at 181.3 s: no convergence",
    ),
)
