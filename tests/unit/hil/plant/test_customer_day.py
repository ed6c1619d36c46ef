from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from adms.client import InputError
from hil.engine import Engine, LoadRecord
from hil.plant.cold_load import ColdLoad, ColdLoadPlan
from hil.plant.customer_day import Cooling, CustomerDay, CustomersPlan, read_customers
from hil.plant.customers import Customers
from hil.plant.ev import ChargerEntry
from hil.plant.load_series import read_load_series
from hil.plant.load_shapes import DeckShape, class_share, day_of
from hil.plant.local_time import LocalTime
from hil.plant.weather import Weather
from tests.unit.hil.bench_case import scenario, steady_scenario
from tests.unit.hil.plant.test_ev import PLAN as CHARGER
from tests.unit.hil.plant.test_weather import PLAN as WEATHER

LOADS = (
    LoadRecord(name="load.a", bus="a", phases=(1,), p_w=40e3, q_var=20e3),
    LoadRecord(name="load.b", bus="b", phases=(1, 2, 3), p_w=100e3, q_var=0.0),
)
MIDNIGHT = LocalTime(start=datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=-6))))
PLAN = CustomersPlan(
    default_class="residential", classes={"commercial": ("load.b",)}, cooling=None, cold_load=None, series=None
)


def day(
    plan: CustomersPlan = PLAN,
    *,
    weather: Weather | None = None,
    chargers: tuple[ChargerEntry, ...] = (),
    steady: bool = True,
    deck_shapes: Mapping[str, DeckShape] | None = None,
) -> CustomerDay:
    return CustomerDay(
        LOADS,
        statistics=steady_scenario().loads if steady else scenario().loads,
        plan=plan,
        local=MIDNIGHT,
        weather=weather,
        deck_shapes=deck_shapes or {},
        chargers=chargers,
        seed=1,
    )


def test_each_class_has_its_own_day_with_a_peak_of_one() -> None:
    # The formula of `class_share` at its landmarks.
    residential, commercial = day_of("residential"), day_of("commercial")
    assert residential.max() == commercial.max() == 1.0
    assert np.argmax(residential) / 60 == pytest.approx(19.0, abs=0.1)
    assert class_share("residential", hour=3.0, weekend=False) < 0.35
    assert class_share("commercial", hour=12.0, weekend=False) > 0.99
    assert class_share("commercial", hour=3.0, weekend=False) == pytest.approx(0.30, abs=0.01)
    # 0.30 + 0.4 x 0.70.
    assert class_share("commercial", hour=12.0, weekend=True) == pytest.approx(0.58, abs=0.005)


def test_loads_follow_their_class_over_the_day() -> None:
    customers = day()
    for hour in (4.0, 12.0, 19.0):
        found = customers.demand_va(hour * 3600.0)
        home, shop = (class_share(c, hour=hour, weekend=False) for c in ("residential", "commercial"))
        assert found[0] == pytest.approx(complex(40e3, 20e3) * home)
        assert found[1] == pytest.approx(100e3 * shop)


def test_a_flat_class_is_the_statistics_of_before_to_the_bit() -> None:
    flat = day(CustomersPlan(default_class="flat", classes={}, cooling=None, cold_load=None, series=None), steady=False)
    before = Customers(LOADS, statistics=scenario().loads, seed=1)
    for k in range(1, 30):
        live = np.array([True, k % 7 != 0])
        flat.step(1.0, live=live)
        before.step(1.0, live=live)
        assert flat.demand_va(float(k)).tobytes() == before.demand_va(float(k)).tobytes()


def test_chargers_change_nothing_that_customers_draw_otherwise() -> None:
    entry = ChargerEntry(id="home", plan=CHARGER, der=None, loads=("load.a",), per_load=3)
    with_cars, without = day(chargers=(entry,), steady=False), day(steady=False)
    live = np.ones(2, dtype=np.bool_)
    seen = 0.0
    for k in range(1, 145):
        for customers in (with_cars, without):
            customers.step(600.0, live=live)
        extra = with_cars.demand_va(600.0 * k) - without.demand_va(600.0 * k)
        drawn = sum(charger.drawn_w for _, charger in with_cars.chargers)
        assert extra[0] == pytest.approx(drawn, abs=1e-6)
        assert extra[1] == 0.0
        seen = max(seen, drawn)
    assert seen > 2 * 7680.0 - 1.0  # at least two of the three at once in the evening


def test_heat_drives_load_through_the_buildings_and_no_further_than_their_machines() -> None:
    cooling = Cooling(from_c=22.0, share_per_k=0.05, share_max_frac=0.4, building_s=3600.0, classes=("residential",))
    flat = replace(WEATHER, temperature_mean_c=26.0, temperature_swing_k=0.0)
    hot = Weather(flat, coordinates={}, local=MIDNIGHT, seed=1)
    customers = day(replace(PLAN, cooling=cooling), weather=hot)
    plain = day()
    ratio = customers.demand_va(0.0) / plain.demand_va(0.0)
    # Buildings at the air's 26 degrees: 4 K above, 5 % each; shops are not in the list.
    assert ratio == pytest.approx([1.2, 1.0])
    assert cooling.factor(35.0) == pytest.approx(1.4)
    assert cooling.factor(10.0) == 1.0


def test_buildings_follow_the_air_with_their_time_constant() -> None:
    cooling = Cooling(from_c=0.0, share_per_k=0.01, share_max_frac=5.0, building_s=7200.0, classes=("residential",))
    swinging = Weather(
        replace(WEATHER, temperature_mean_c=20.0, temperature_swing_k=10.0), coordinates={}, local=MIDNIGHT, seed=1
    )
    customers, plain = day(replace(PLAN, cooling=cooling), weather=swinging), day()
    live = np.ones(2, dtype=np.bool_)
    building = []
    for k in range(1, 289):
        customers.step(600.0, live=live)
        ratio = (customers.demand_va(600.0 * k) / plain.demand_va(600.0 * k)).real[0]
        building.append((ratio - 1.0) / 0.01)
    second = np.array(building[144:])
    # A sinusoid of 24 h behind a lag of 2 h: amplitude 10 / sqrt(1 + (2 pi 2 / 24)²) = 8.86, later by 24 h atan(0.5236)
    # / 2 pi = 1.84 h than 15 h; the step of 600 s is 5 min of that.
    assert (second.max() - second.min()) / 2 == pytest.approx(8.86, abs=0.05)
    assert (np.argmax(second) + 1) / 6 == pytest.approx(16.84, abs=0.25)


# ---- cold load ------------------------------------------------------------------------------------------------------

COLD = ColdLoadPlan(factor=2.5, build_s=1800.0, hold_s=600.0, decay_s=900.0)


def test_cold_load_pickup_is_the_delayed_exponential() -> None:
    cold = ColdLoad(COLD, count=2)
    for _ in range(60):
        cold.step(60.0, live=np.array([False, True]))
    # An hour at 1800 s: 1 - exp(-2) = 0.8647 of the diversity lost: 1 + 1.5 x 0.8647 = 2.297, for 600 x 0.8647 = 519 s.
    assert cold.factor == pytest.approx([2.29700, 1.0], abs=1e-5)
    live = np.ones(2, dtype=np.bool_)
    for _ in range(8):
        cold.step(60.0, live=live)
    assert cold.factor[0] == pytest.approx(2.29700, abs=1e-5)
    for _ in range(17):
        cold.step(60.0, live=live)
    # 1500 s after the return, 981.2 s into the decay: 1.297 x exp(-981.2 / 900) = 0.436.
    assert cold.factor[0] == pytest.approx(1.0 + 1.297 * np.exp(-981.2 / 900.0), abs=1e-4)


def test_cold_load_does_not_depend_on_the_step() -> None:
    fine, coarse = ColdLoad(COLD, count=1), ColdLoad(COLD, count=1)
    for live, seconds in ((False, 1200), (True, 900), (False, 300), (True, 1500)):
        for _ in range(seconds * 10):
            fine.step(0.1, live=np.array([live]))
        for _ in range(seconds // 60):
            coarse.step(60.0, live=np.array([live]))
        assert fine.factor[0] == pytest.approx(coarse.factor[0], rel=1e-9)


def test_a_short_outage_costs_little_and_a_long_one_no_more_than_the_factor() -> None:
    short, long = ColdLoad(COLD, count=1), ColdLoad(COLD, count=1)
    short.step(10.0, live=np.array([False]))
    long.step(1e6, live=np.array([False]))
    assert short.factor[0] == pytest.approx(1.0 + 1.5 * (1 - np.exp(-10.0 / 1800.0)))
    assert long.factor[0] == pytest.approx(2.5)


def test_the_plans_cold_load_takes_the_place_of_the_statistics() -> None:
    customers = day(replace(PLAN, cold_load=COLD, default_class="flat", classes={}))
    for _ in range(60):
        customers.step(60.0, live=np.array([False, True]))
    assert customers.demand_va(0.0) == pytest.approx([complex(40e3, 20e3) * 2.29700, 100e3], rel=1e-5)


# ---- series ---------------------------------------------------------------------------------------------------------


def test_a_series_is_interpolated_and_borrows_the_power_factor(tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    path.write_text(
        "quarter_hours,load.a p_w,load.b p_w,load.b q_var\n0,10000,1000,500\n1,20000,3000,100\n2,5000,3000,100\n"
    )
    series = read_load_series(path, loads=["load.a", "load.b"], duration_s=1800.0)
    customers = day(replace(PLAN, series=series))
    # A third of the first quarter of an hour; load.a has 20 kvar at 40 kW in the deck.
    assert customers.demand_va(300.0) == pytest.approx(
        [complex(13333.333, 6666.667), complex(1666.667, 366.667)], abs=1e-2
    )


def test_every_problem_of_a_series_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "loads.csv"
    path.write_text("time_s,load.a p_w,load.x p_w,load.b q_var\n0,10,,5\n60,nan,4,x\n60,1,1\n")
    with pytest.raises(InputError) as refused:
        read_load_series(path, loads=["load.a", "load.b"], duration_s=3600.0)
    text = str(refused.value)
    for part in (
        "column 3: the feeder has no such load (given: load.x)",
        "line 1: has q_var without p_w (given: load.b)",
        "line 2, load.x p_w: is missing or not a number",
        "line 3, load.a p_w: is missing or not a number (given: nan)",
        "line 3, load.b q_var: is missing or not a number (given: x)",
        "line 4: must have 4 values (given: 3)",
        "times must grow",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("time_s,load.a p_w\n60,1\n120,1\n", "must begin at 0"),
        ("time_s,load.a p_w\n0,1\n120,1\n", "ends before the run of 3600 s does"),
        ("hours,load.a p_w\n0,1\n3600,1\n", "the first column must be"),
        ("time_s,load.a p_w\n0,1\n", "must have two rows"),
        ("", "the first column must be"),
    ],
)
def test_a_series_that_cannot_be_used_is_refused(tmp_path: Path, rows: str, problem: str) -> None:
    path = tmp_path / "loads.csv"
    path.write_text(rows)
    with pytest.raises(InputError, match=problem):
        read_load_series(path, loads=None, duration_s=3600.0)


# ---- the deck's own shapes ------------------------------------------------------------------------------------------

DECK = """
clear
new circuit.small basekv=0.4 bus1=head
new loadshape.mine npts=24 interval=1 mult=({})
new loadshape.actual npts=24 interval=1 useactual=yes mult=({})
new load.a bus1=head phases=3 kv=0.4 kw=10 kvar=1 daily=mine
new load.c bus1=head phases=3 kv=0.4 kw=8 kvar=0 daily=actual
new load.b bus1=head phases=3 kv=0.4 kw=10 kvar=1
set voltagebases=[0.4]
calcvoltagebases
"""


def test_a_deck_shape_is_what_opendss_makes_of_it(tmp_path: Path) -> None:
    values = np.random.default_rng(4).uniform(0.2, 1.0, 24)
    path = tmp_path / "deck.dss"
    path.write_text(DECK.format(*(" ".join(f"{value * unit:.6f}" for value in values) for unit in (1.0, 8.0))))
    engine = Engine()
    engine.compile(path)
    told, actual = engine.daily_shape("load.a"), engine.daily_shape("load.c")
    assert told is not None
    assert actual is not None
    # OpenDSS takes the shape's peak for the power of a load with a shape of actual power.
    p_w = {load.name: load.p_w for load in engine.loads()}
    assert actual[0] * p_w["load.c"] == pytest.approx(values * 8e3, rel=1e-4)
    assert engine.daily_shape("load.b") is None
    shape = DeckShape(told[0], interval_s=told[1])
    # Referee: OpenDSS in its own daily mode, a quarter of an hour at a time.
    engine.command("set mode=daily stepsize=15m number=1")
    for k in range(1, 97):
        assert engine.solve()
        _, power = engine.flows("load.a", terminal=0)
        # Halves of an interval are left out: OpenDSS rounds them to the even hour, and sums up its steps.
        if k % 4 != 2:
            assert shape.share(k * 900.0) * 10e3 == pytest.approx(float(power.real.sum()), rel=1e-4), k


def test_what_is_wrong_with_customers_is_said_at_once(tmp_path: Path) -> None:
    content = {
        "default_class": "homes",
        "classes": {"commercial": ["load.a", "load.z"], "flat": ["load.a"], "farm": ["load.b"]},
        "cooling": {"from_c": 24.0, "share_per_k": "much", "share_max_frac": 1.0},
        "cold_load": {"factor": 0.5, "build_s": 0.0, "hold_s": 1.0, "decay_s": 1.0},
        "series_file": "none.csv",
        "shape": 1,
    }
    with pytest.raises(InputError) as refused:
        read_customers(content, folder=tmp_path, loads=["load.a", "load.b"])
    text = str(refused.value)
    for part in (
        "customers.default_class: must be one of commercial, deck, flat, residential (given: homes)",
        "customers.classes.commercial: the feeder has no such load (given: load.z)",
        "customers.classes.flat: is in commercial too (given: load.a)",
        "customers.classes.farm: is not known here",
        "customers.cooling.share_per_k: must be a finite number (given: much)",
        "customers.cooling.building_s: is missing",
        "customers.cold_load.factor: must be from 1 to 10 (given: 0.5)",
        "customers.cold_load.build_s: must be above 0 (given: 0.0)",
        "none.csv: cannot be read",
        "customers.shape: is not known here (given: 1)",
    ):
        assert part in text
