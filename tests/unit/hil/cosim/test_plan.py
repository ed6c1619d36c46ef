import builtins
import tomllib
from pathlib import Path
from typing import Any

import pytest

from adms.client import InputError
from hil.cosim.federate import PlantFederate
from hil.cosim.membership import Membership
from hil.cosim.plan import Core, Form, Given, SourceImpedance, Told, check_against, read_cosim
from tests.unit.hil.cosim.federation import HEAD, IMPORT, feeder_plan, small_plant

WHOLE = """
[cosim]
federate = "feeder"
core = "zmq"
broker = "tcp://grid.example:23500"
period_s = 4.0
fresh_within_s = 8.0
grant_timeout_s = 60.0
join_timeout_s = 120.0

[[cosim.subscribe]]
quantity = "source_voltage"
publication = "grid/v_head"
source = "vsource.source"
unit = "V"
form = "per_phase"
unbalance_max_frac = 0.02
impedance = "removed"

[[cosim.subscribe]]
quantity = "frequency_hz"
publication = "grid/f_hz"

[[cosim.publish]]
quantity = "source_power"
name = "s_import"
source = "vsource.source"
form = "total"

[[cosim.publish]]
quantity = "bus_voltage"
name = "v_c"
bus = "c"

[cosim.messages]
sources = ["gateway", "der.*"]
"""


def test_a_scenario_without_a_co_simulation_has_none() -> None:
    assert read_cosim({"loads": {}}) is None


def test_a_whole_table_is_read_as_it_stands() -> None:
    plan = read_cosim(tomllib.loads(WHOLE))
    assert plan is not None
    assert (plan.core, plan.broker, plan.start_broker) == (Core.ZMQ, "tcp://grid.example:23500", False)
    assert [one.quantity for one in plan.subscribe] == [Given.SOURCE_VOLTAGE, Given.FREQUENCY_HZ]
    assert (plan.subscribe[0].form, plan.subscribe[0].impedance) == (Form.PER_PHASE, SourceImpedance.REMOVED)
    assert [one.quantity for one in plan.publish] == [Told.SOURCE_POWER, Told.BUS_VOLTAGE]
    assert plan.messages is not None
    assert plan.messages.sources == ("gateway", "der.*")


def test_every_problem_is_told_at_once() -> None:
    table: dict[str, Any] = {
        "federate": "feeder",
        "core": "carrier pigeon",
        "period_s": 4.0,
        "grant_timeout_s": 0.0,
        "join_timeout_s": 5.0,
        "subscribe": [
            {"quantity": "frequency_hz", "publication": "grid/f_hz", "unit": "pu"},
            {"quantity": "source_voltage"},
        ],
        "publish": [{"quantity": "bus_voltage", "name": "v", "source": "vsource.source"}],
        "messages": {"frames": ["*"]},
        "brocker": "x",
    }
    with pytest.raises(InputError) as refused:
        read_cosim({"cosim": table})
    told = [(problem.element, problem.field) for problem in refused.value.problems]
    assert told == [
        ("[[cosim.subscribe]] 1", "unit"),
        ("[[cosim.subscribe]] 2", "publication"),
        ("[[cosim.publish]] 1", "source"),
        ("[[cosim.publish]] 1", "bus"),
        ("[cosim.messages]", "frames"),
        ("[cosim]", "core"),
        ("[cosim]", "grant_timeout_s"),
        ("[cosim]", "brocker"),
        ("[cosim]", "fresh_within_s"),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"broker": "x"}, "broker"),
        ({"start_broker": None, "federates": None}, "broker"),
        ({"federates": None}, "federates"),
        ({"start_broker": False, "broker": "x"}, "federates"),
        ({"iterations_max": 3}, "tolerance_pu"),
        ({"iterations_max": 3, "tolerance_pu": 1e-6, "messages": {"sources": ["*"]}}, "iterations_max"),
        ({"fresh_within_s": 3.9}, "fresh_within_s"),
        ({"messages": {}}, "sources"),
        ({"subscribe": [{**HEAD, "form": "per_phase"}]}, "unbalance_max_frac"),
        ({"subscribe": [{**HEAD, "unbalance_max_frac": 0.1}]}, "unbalance_max_frac"),
        ({"subscribe": [{**HEAD, "form": "total"}]}, "form"),
        ({"subscribe": [HEAD, {**HEAD, "publication": "grid/other"}]}, "source"),
        ({"publish": [IMPORT, IMPORT]}, "name"),
        ({"publish": [{**IMPORT, "form": "positive_sequence"}]}, "form"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        feeder_plan(**changes)
    assert [problem.field for problem in refused.value.problems] == [field]


def test_what_the_feeder_does_not_have_is_told_at_once(tmp_path: Path) -> None:
    plan = feeder_plan(
        period_s=6.0,
        subscribe=[{**HEAD, "source": "vsource.sorce"}],
        publish=[{**IMPORT, "source": "source.nowhere"}, {"quantity": "bus_voltage", "name": "v", "bus": "zz"}],
    )
    with pytest.raises(InputError) as refused:
        check_against(plan, small_plant(tmp_path), scan_s=4.0)
    problems = refused.value.problems
    assert [(p.field, p.value) for p in problems] == [
        ("period_s", "6.0"),
        ("source", "vsource.sorce"),
        ("source", "source.nowhere"),
        ("bus", "zz"),
    ]
    assert "did you mean vsource.source?" in problems[1].message


def test_without_helics_the_user_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **keys: Any) -> Any:
        if name == "helics":
            raise ImportError("No module named 'helics'")
        return real(name, *rest, **keys)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'adms-lite\[cosim\]'"):
        PlantFederate(feeder_plan(), plant=small_plant(tmp_path), scan_s=4.0)


def test_a_period_of_several_scans_is_one_grant(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    plan = feeder_plan(federates=1, subscribe=[], period_s=4.0)
    federate = PlantFederate(plan, plant=plant, scan_s=2.0)
    federate.join()
    done = [federate.advance(2.0 * k, plant) for k in range(1, 7)]
    federate.close()
    assert done == [False, True, False, True, False, True]


def test_two_federates_of_one_name_are_refused() -> None:
    plan = feeder_plan()
    first = Membership(plan)
    other = feeder_plan(start_broker=None, federates=None, broker=first.broker)
    with pytest.raises(Exception, match="cannot join"):
        Membership(other)
    first.fail("the test is over")
    first.leave()
