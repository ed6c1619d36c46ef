import tomllib

import pytest

from adms.client import InputError
from hil.plant.curves import DefiniteTime, HighSet, inverse
from hil.plant.device_plan import read_devices
from hil.plant.incident_plan import IncidentPlan, read_incidents
from hil.plant.recloser import ColdLoadRestraint, Overcurrent

RECORDS = """
[[protective_device]]
device = "Switch.S_L13"
type = "recloser"
sequence = ["fast", "slow"]
dead_s = [0.5]
reclaim_s = 60.0
manual_block_s = 5.0
interrupting_s = 0.04
[protective_device.phase]
pickup_a = 400.0
fast = { curve = "definite", delay_s = 0.05 }
slow = { curve = "ieee_very_inverse", dial = 2.0, high_set = { from_multiple = 12.0, delay_s = 0.1 } }
[protective_device.cold_load]
after_outage_s = 60.0
pickup_frac = 2.0
for_s = 10.0

[[protective_device]]
device = "switch.s_l24"
type = "sectionaliser"
count_a = 300.0
counts = 3
opens_after_s = 0.2
forgets_after_s = 120.0

[[protective_device]]
device = "line.l11"
type = "fuse"
melt = [[130.0, 300.0], [160.0, 10.0], [920.0, 0.1]]
clear = [[155.0, 300.0], [240.0, 10.0], [1100.0, 0.13]]
cooling_s = 60.0
"""


def test_records_become_settings() -> None:
    plan = read_devices(tomllib.loads(RECORDS)["protective_device"])
    settings = plan.reclosers["switch.s_l13"]
    assert settings.phase == Overcurrent(
        pickup_a=400.0,
        fast=DefiniteTime(delay_s=0.05),
        slow=HighSet(curve=inverse("ieee_very_inverse", dial=2.0), from_multiple=12.0, delay_s=0.1),
    )
    assert settings.restraint == ColdLoadRestraint(after_outage_s=60.0, pickup_frac=2.0, for_s=10.0)
    assert (settings.sequence, settings.dead_s, settings.interrupting_s) == (("fast", "slow"), (0.5,), 0.04)
    assert plan.sectionalisers["switch.s_l24"].counts == 3
    assert plan.fuses["line.l11"].link.melt_s(160.0) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("dead_s = [0.5]", "dead_s = [0.5, 5.0]", "dead_s"),
        ("reclaim_s = 60.0", "", "reclaim_s"),
        ("interrupting_s = 0.04", "", "interrupting_s"),
        ("pickup_a = 400.0", "pickup_a = 0.0", "pickup_a"),
        ('curve = "definite", delay_s = 0.05', 'curve = "definitely"', "curve"),
        ("dial = 2.0", "dial = 2.0, delay_s = 1.0", "delay_s"),
        ('very_inverse", dial = 2.0', 'very_inverse"', "dial"),
        ("from_multiple = 12.0", "from_multiple = 1.0", "from_multiple"),
        ("manual_block_s = 5.0", "manual_block_s = 5.0\nsingle_pole = 1", "single_pole"),
        ("counts = 3", "counts = 0", "counts"),
        ("[160.0, 10.0]", "[120.0, 10.0]", "melt"),
        ("[1100.0, 0.13]", "[500.0, 0.13]", "clear"),
        ("cooling_s = 60.0", "", "cooling_s"),
        ("cooling_s = 60.0", "cooling_s = 60.0\nlink = {}", "link"),
        ('type = "fuse"', 'type = "fuze"', "type"),
        ('"line.l11"', '"switch.s_l24"', "device"),
    ],
)
def test_a_record_that_is_wrong_is_refused_at_its_field(old: str, new: str, field: str) -> None:
    text = RECORDS.replace(old, new)
    assert text != RECORDS
    with pytest.raises(InputError) as refused:
        read_devices(tomllib.loads(text)["protective_device"])
    assert field in {problem.field for problem in refused.value.problems}


def test_all_problems_of_all_records_are_told_at_once() -> None:
    with pytest.raises(InputError) as refused:
        read_devices([{"device": "a", "type": "recloser"}, {"type": "sectionaliser"}, {"device": "c", "type": "fuse"}])
    told = {(problem.element, problem.field) for problem in refused.value.problems}
    assert {
        ("protective device a", "sequence"),
        ("protective device a", "phase"),
        ("protective device a", "reclaim_s"),
        ("protective device 2", "device"),
        ("protective device 2", "counts"),
        ("protective device c", "melt"),
        ("protective device c", "cooling_s"),
    } <= told


def test_a_link_by_ratios_is_read() -> None:
    link = {"melt_300s_a": 128.0, "ratio_10s": 1.25, "ratio_100ms": 7.0, "clear_over_melt": 1.2, "arcing_s": 0.02}
    (settings,) = read_devices([{"device": "line.x", "type": "fuse", "link": link, "cooling_s": 60.0}]).fuses.values()
    assert settings.link.melt_s(896.0) == pytest.approx(0.1)


def test_a_story_gives_faults_devices_indicators_and_meters_at_once_or_all_that_is_wrong_with_them() -> None:
    plan = read_incidents(tomllib.loads(RECORDS + STORY))
    assert [fault.name for fault in plan.faults] == ["line.l67"]
    assert set(plan.devices.fuses) == {"line.l11"}
    assert plan.indicators is not None
    assert plan.indicators.missing_frac == 0.02
    assert plan.last_gasps is not None
    assert read_incidents({"fault": {"line": "line.l67"}}) == IncidentPlan()
    wrong = {"fault": [{"line": "line.b"}], "indicators": {"rise_a": 1.0}, "last_gasps": [], "protective_device": {}}
    with pytest.raises(InputError) as refused:
        read_incidents(wrong)
    assert {problem.element for problem in refused.value.problems} == {
        "fault line.b",
        "indicators",
        "last_gasps",
        "protective_device",
    }


STORY = """
[[fault]]
time_s = 180.0
line = "line.l67"
at_frac = 0.3
kind = "LL"
phases = [1, 3]
r_fault_ohm = 0.05
[indicators]
rise_a = 250.0
min_a = 400.0
missing_frac = 0.02
[last_gasps]
through_frac = 0.6
after_s = 15.0
delay_min_s = 2.0
delay_max_s = 60.0
"""
