"""The records of a scenario: what is read, and what is refused."""

import tomllib
from pathlib import Path

import pytest

from adms.client import InputError
from hil.plant.inverter import Defect
from hil.plant.plan import PlantPlan, read_plant_plan
from hil.plant.plant import Plant
from tests.unit.hil.bench_case import FILES, small_circuit, steady_scenario
from tests.unit.hil.plant.plans import content, plan


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
