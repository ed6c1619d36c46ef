"""The records of a scenario, and the plant that lives by them."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.client import InputError
from hil.plant.circuit import build_circuit
from hil.plant.ev import EvUnit
from hil.plant.inverter import Defect, InverterUnit
from hil.plant.plan import PlantPlan, read_plant_plan
from hil.plant.plant import Plant
from tests.unit.hil.bench_case import FILES, bench, small_circuit, small_feeder, steady_scenario

TOML = """
[calendar]
start = 2026-07-01T12:00:00-06:00

[weather]
latitude_deg = 39.74
longitude_deg = -105.18
metres_per_unit = 0.3048
temperature_mean_c = 24.0
temperature_swing_k = 8.0
[weather.cloud_field]
cover_frac = 0.4
cell_m = 300.0
depth_frac = 0.6
speed_m_per_s = 10.0
heading_deg = 30.0
[[weather.heat_wave]]
start_s = 0.0
end_s = 40000.0
rise_k = 8.0
ramp_s = 3600.0

[customers]
default_class = "residential"
[customers.classes]
commercial = ["load.S48", "load.s65a"]
[customers.cooling]
from_c = 24.0
share_per_k = 0.03
share_max_frac = 0.5
building_s = 7200.0
[customers.cold_load]
factor = 2.0
build_s = 1800.0
hold_s = 600.0
decay_s = 900.0

[[ev_charger]]
id = "home"
loads = ["load.s10a", "load.s11a"]
per_load = 2
phases = 1
v_nominal_v = 240.0
i_max_a = 32.0
sessions_per_day = 0.8
arrival_mean_h = 18.0
arrival_sigma_h = 1.5
stay_mean_h = 11.0
stay_sigma_h = 1.0
energy_mean_wh = 12e3
energy_sigma_wh = 5e3
fallback_a = 8.0
fallback_after_s = 60.0

[der_class.pv_b]
kind = "pv"
normal_category = "B"
abnormal_category = "III"
reactive_mode = "volt_var"
volt_watt = true
trips_at = "clearing"
permissive = "cease"
return_v_min_pu = 0.917
return_v_max_pu = 1.05
return_f_min_hz = 59.5
return_f_max_hz = 60.1
return_delay_s = 300.0
return_random_s = 60.0
return_ramp_s = 300.0

[der_class.storage]
kind = "battery"
normal_category = "B"
abnormal_category = "III"
reactive_mode = "constant_q"
volt_watt = false
trips_at = "clearing"
permissive = "cease"
return_v_min_pu = 0.917
return_v_max_pu = 1.05
return_f_min_hz = 59.5
return_f_max_hz = 60.1
return_delay_s = 300.0
return_random_s = 60.0
return_ramp_s = 300.0
[der_class.storage.battery]
charge_efficiency_frac = 0.95
discharge_efficiency_frac = 0.95
soc_min_frac = 0.1
soc_max_frac = 0.95
taper_frac = 0.05
standby_w = 60.0

[[der_defect]]
der = "der.pv_48"
mode = "stuck"
from_s = 10.0

[mismatch]
line_length_frac = 0.1
load_allocation_frac = 0.1
"""


def content() -> dict[str, Any]:
    return tomllib.loads(TOML)


def plan(**changes: Any) -> PlantPlan:
    return replace(read_plant_plan(content(), folder=Path()), **changes)


def plant(chosen: PlantPlan, *, seed: int = 1) -> Plant:
    one = bench(seed=seed)
    circuit = build_circuit(one.files.deck, overlay=one.overlay)
    return Plant(circuit, scenario=one.scenario, seed=seed, coordinates=one.coordinates, fault=None, plan=chosen)


def test_every_record_of_a_scenario_is_read() -> None:
    found = plan()
    assert found.local is not None
    assert found.local.hour(0.0) == 12.0
    assert found.customers is not None
    assert found.customers.class_of("load.s48") == "commercial"
    assert [entry.plan.name for entry in found.classes] == ["pv_b", "storage"]
    assert [(defect.der, defect.mode) for defect in found.defects] == [("der.pv_48", Defect.STUCK)]
    assert found.mismatch is not None
    assert found.weather is not None
    assert found.chargers[0].per_load == 2
    # Table 8, category B.
    assert found.classes[0].plan.reactive_response_s == 5.0
    assert found.classes[0].plan.reactive_curve == ((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44))


def test_a_scenario_of_before_has_an_empty_plan() -> None:
    before = tomllib.loads(FILES.scenario.read_text())
    assert read_plant_plan(before, folder=Path()) == PlantPlan()


def test_problems_of_all_records_are_said_together() -> None:
    bad = content()
    del bad["calendar"]
    bad["weather"]["latitude_deg"] = 95.0
    bad["weather"]["cloud_field"]["cover_frac"] = 0.0
    bad["weather"]["clear_frac"] = 0.7
    bad["customers"]["default_class"] = "homes"
    bad["ev_charger"][0] |= {"i_max_a": 5.0, "phases": 2, "der": "der.ev"}
    pv = bad["der_class"]["pv_b"]
    del pv["return_delay_s"], pv["trips_at"]
    pv |= {
        "volt_var": [[0.9, -0.1], [1.1, 0.4]],
        "reactive_response_s": 200.0,
        "volt_wat": True,
        "return_f_min_hz": 60.2,
    }
    bad["der_class"]["storage"]["battery"] |= {"soc_min_frac": 0.99, "derate_from_c": 40.0}
    bad["der_class"]["other"] = {"kind": "pv"}
    bad["der_defect"][0] |= {"mode": "sleepy", "until_s": 5.0}
    bad["mismatch"]["line_length_frac"] = -0.1
    with pytest.raises(InputError) as refused:
        read_plant_plan(bad, folder=Path())
    text = str(refused.value)
    for part in (
        "weather.latitude_deg: must be from -90 to 90 (given: 95.0)",
        "weather.cloud_field.cover_frac: must be from 0.001 to 0.999",
        "weather.clear_frac: is not known here",
        "customers.default_class: must be one of",
        "ev_charger home.i_max_a: must be from 6 to 80 (given: 5.0)",
        "ev_charger home.phases: must be 1 or 3 (given: 2)",
        "ev_charger home.der: either der or loads must say where it is",
        "der_class.pv_b.return_delay_s: is missing",
        "der_class.pv_b.trips_at: is missing",
        "der_class.pv_b.reactive_response_s: must be from 0 to 90 (given: 200.0)",
        "der_class.pv_b.volt_var: must not rise",
        "der_class.pv_b.volt_wat: is not known here",
        "der_class.pv_b.return_f_min_hz: must be below return_f_max_hz",
        "der_class.storage.battery.soc_min_frac: must be below soc_max_frac",
        "der_class.storage.battery.derate_from_c: derate_from_c and derate_to_c come together",
        "der_class.other.kind: is in pv_b (given: pv)",
        "der_class.other.abnormal_category: is missing",
        "der_defect 1.mode: must be one of deaf, ignores_leases, stuck, wrong_sign (given: sleepy)",
        "der_defect 1.until_s: must be after from_s",
        "mismatch.line_length_frac: must be from 0 to 0.9 (given: -0.1)",
        "customers: needs [calendar]",
        "weather: needs [calendar]",
        "ev_charger: needs [calendar]",
    ):
        assert part in text, part


def test_what_a_plan_names_and_the_feeder_lacks_is_said_at_once(tmp_path: Path) -> None:
    chosen = plan(mismatch=None)
    with pytest.raises(InputError) as refused:
        Plant(
            small_circuit(tmp_path),
            scenario=steady_scenario(),
            seed=1,
            coordinates={"head": (0.0, 0.0)},
            fault=None,
            plan=chosen,
        )
    assert {problem.value for problem in refused.value.problems} == {
        "der.pv_48",
        "load.s10a",
        "load.s11a",
        "load.s48",
        "load.s65a",
    }


def test_two_plants_of_one_plan_and_seed_are_the_same_bit_for_bit() -> None:
    courses = []
    for seed in (1, 1, 2):
        one = plant(plan(), seed=seed)
        one.advance(60.0)
        courses.append((one.v_pu.tobytes(), one.demand_va.tobytes(), [unit.p_w for unit in one.ders.values()]))
        assert one.unsolved == []
    assert courses[0] == courses[1]
    assert courses[0] != courses[2]


def test_a_plant_says_what_differs_from_the_model_that_the_service_has() -> None:
    one = plant(plan())
    assert {change.kind for change in one.changes} == {"line_length", "load_allocation"}
    assert plant(plan(mismatch=None)).changes == ()


def test_a_switch_that_stands_elsewhere_is_so_for_the_plant_from_the_start(tmp_path: Path) -> None:
    found = read_plant_plan({"mismatch": {"switch": [{"id": "switch.bc", "closed": False}]}}, folder=tmp_path)
    deck, overlay = small_feeder(tmp_path)
    one = Plant(
        build_circuit(deck, overlay=overlay),
        scenario=steady_scenario(),
        seed=1,
        coordinates={"head": (0.0, 0.0)},
        fault=None,
        plan=found,
    )
    assert not one.closed["switch.bc"]
    assert one.customers_off() == 60
    assert one.node_v("c", phase=1) < 1e-3
    assert one.told_closed("switch.bc")
    one.operate_switch("switch.bc", closed=True)
    one.operate_switch("switch.ab", closed=False)
    one.advance(10.0)
    assert dict(one.closed)["switch.bc"]
    assert one.told_closed("switch.bc")
    one.operate_switch("switch.bc", closed=False)
    one.advance(20.0)
    assert not one.told_closed("switch.bc")
    assert not one.told_closed("switch.ab")


def test_volt_var_is_at_rest_on_its_curve_when_the_story_begins() -> None:
    one = plant(plan(defects=()))
    seen = one._terminals()
    for unit in one.ders.values():
        if isinstance(unit, InverterUnit):
            assert unit.unrest_pu(seen.of(unit.entry)) < 1e-3


def test_a_long_step_ends_where_short_ones_do() -> None:
    """A tap that moves is answered by every volt-var; nothing else changes meanwhile."""
    still = plan(weather=None, customers=None, chargers=(), mismatch=None, defects=())
    found = []
    for step_s in (0.5, 4.0, 60.0):
        one = bench()
        scenario = replace(steady_scenario(), timing=replace(steady_scenario().timing, step_s=step_s))
        circuit = build_circuit(one.files.deck, overlay=one.overlay)
        here = Plant(circuit, scenario=scenario, seed=1, coordinates=one.coordinates, fault=None, plan=still)
        here.automatic = dict.fromkeys(here.automatic, False)
        here.circuit.set_tap("transformer.reg1a", position=12)
        here.advance(120.0)
        found.append([unit.q_var / unit.entry.s_max_va for unit in here.ders.values()])
    # At rest again after two minutes, whatever the step: within the 1 % at which a unit counts as at rest.
    assert np.abs(found[0]).max() > 0.02
    for longer in found[1:]:
        assert longer == pytest.approx(found[0], abs=0.01)


def test_in_a_weak_grid_long_steps_do_not_make_volt_var_swing(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    # 3 MVA behind 1.25 ohm of 4.16 kV: 0.22 pu, times the slope 0.44 / 0.06 of Table 8 a loop gain of 1.6. Answering a
    # whole step of the voltage at once would swing with growing amplitude above 1.
    big = replace(
        overlay.ders[0],
        id="der.big",
        kind="pv",
        energy_wh=None,
        s_max_va=3e6,
        p_max_w=1e3,
        p_min_w=0.0,
        q_max_var=1.32e6,
    )
    classes = {"b": content()["der_class"]["pv_b"]}
    found = []
    for step_s in (0.5, 60.0):
        circuit = build_circuit(deck, overlay=replace(overlay, ders=(big,)))
        here = Plant(
            circuit,
            scenario=replace(steady_scenario(), timing=replace(steady_scenario().timing, step_s=step_s)),
            seed=1,
            coordinates={"head": (0.0, 0.0), "c": (1.0, 0.0)},
            fault=None,
            plan=read_plant_plan({"der_class": classes}, folder=tmp_path),
        )
        circuit.engine.command("vsource.source.pu=1.08")
        course = []
        for k in range(1, 11):
            here.advance(k * 60.0)
            course.append(here.ders["der.big"].q_var / 3e6)
        found.append(course)
    assert found[0][-1] < -0.05
    assert found[1][-3:] == pytest.approx(found[0][-3:], abs=0.01)


def test_an_empty_plan_is_none() -> None:
    chosen = plan(classes=(), defects=(), mismatch=None, weather=None, customers=None, chargers=(), local=None)
    assert chosen == PlantPlan()
    one = bench()
    circuit = build_circuit(one.files.deck, overlay=one.overlay)
    mine = plant(chosen)
    before = Plant(circuit, scenario=one.scenario, seed=1, coordinates=one.coordinates, fault=None)
    for each in (mine, before):
        each.advance(20.0)
    assert mine.v_pu.tobytes() == before.v_pu.tobytes()


def test_a_defect_begins_at_its_time() -> None:
    one = plant(plan(mismatch=None))
    unit = one.ders["der.pv_48"]
    assert isinstance(unit, InverterUnit)
    one.advance(9.0)
    assert unit.defect is None
    one.advance(10.0)
    assert unit.defect is Defect.STUCK


def test_a_charger_that_is_a_der_of_the_feeder_draws_through_it(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    entry = replace(
        overlay.ders[0], id="der.ev", kind="ev", p_max_w=0.0, p_min_w=-22e3, energy_wh=None, default_p_injection_w=None
    )
    told = content() | {"der_class": {}, "der_defect": [], "mismatch": {}}
    charger = told["ev_charger"][0] | {"der": "der.ev", "phases": 3, "v_nominal_v": 230.0, "sessions_per_day": 1.0}
    del charger["loads"], told["customers"], told["weather"]
    found = read_plant_plan(told | {"ev_charger": [charger]}, folder=tmp_path)
    one = Plant(
        build_circuit(deck, overlay=replace(overlay, ders=(entry,))),
        scenario=steady_scenario(),
        seed=1,
        coordinates={"head": (0.0, 0.0)},
        fault=None,
        plan=found,
    )
    unit = one.ders["der.ev"]
    assert isinstance(unit, EvUnit)
    imports, drawn = [], []
    for hour in (0.0, 7.0, 9.0):  # noon, seven and nine in the evening
        one.time_s = max(hour * 3600.0 - 1.0, 0.0)
        one.advance(hour * 3600.0 + 1.0)
        imports.append(one.import_w())
        drawn.append(-unit.p_w)
    assert drawn[0] == 0.0
    assert max(drawn) == pytest.approx(3 * 230.0 * 32.0)
    # What it draws is imported, with some losses of the lines.
    assert max(imports) - imports[0] == pytest.approx(max(drawn), rel=0.05)
