"""Rules of the overlay on small networks, of three phases and balanced, as any importer gives them."""

import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adms.adapters.importers.overlay import apply_overlay
from adms.adapters.importers.overlay_schema import Overlay, read_overlay
from adms.core.errors import InputError
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.admittance import dense
from adms.grid.arrays import NetworkArrays
from adms.grid.model import BranchKind, Bus, Der, DerKind, NetworkModel, NodeRef
from adms.grid.state import normal_state
from adms.grid.validation import check
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.grid.small_networks import bus as three_phase_bus
from tests.unit.grid.small_networks import line, load, network, nodes, source, two_feeders


def _overlay(text: str) -> Overlay:
    return Overlay.model_validate({"schema_version": 1, "name": "operated", **tomllib.loads(text)})


def _balanced() -> NetworkModel:
    """a - b - c of a balanced network, as pandapower's come, with a branch of low voltage and mixed-case names."""

    def bus(name: str, v: float = 2400.0) -> Bus:
        return replace(three_phase_bus(name, (0,)), v_base_v=v)

    low = replace(line("trafo.T1", "C", "d", (0,), BranchKind.TRANSFORMER), rating_va=400e3)
    return network(
        buses=(bus("a"), bus("b"), bus("C"), bus("d", 230.0)),
        sources=(source("ext_grid.0", "a", (0,)),),
        branches=(
            replace(line("line.Main Street", "a", "b", (0,)), length_m=2000.0),
            replace(line("line.1", "b", "C", (0,)), length_m=500.0),
            low,
        ),
        loads=(load("load.0", "b", 0), replace(load("load.1", "d", 0), v_nominal_v=230.0)),
    )


def test_a_balanced_network_takes_switches_sources_and_der_on_its_single_node() -> None:
    model = apply_overlay(
        _balanced(),
        _overlay("""
[[switch]]
id = "switch.tie"
between = ["b", "n"]
kind = "load_break"
normally_closed = false
remote = true
travel_s = 5.0
[[switch]]
id = "switch.s"
in_line = "main street"
at = "to"
kind = "breaker"
normally_closed = true
remote = true
travel_s = 0.1
breaking_a = 20e3
[[source]]
id = "source.n"
bus = "n"
v_pu = 1.02
angle_deg = -30.0
r1_ohm = 0.1
x1_ohm = 0.4
r0_ohm = 0.3
x0_ohm = 0.9
[[der]]
id = "der.k"
kind = "pv"
bus = "c"
s_max_va = 100e3
p_max_w = 90e3
p_min_w = 0.0
q_max_var = 44e3
normal_p_injection_w = 30e3
fault_current_pu = 1.2
"""),
    )
    assert check(model) == ()
    tie, breaker = model.branches[-2:]
    assert tie.terminals == (nodes("b", (0,)), nodes("n", (0,)))
    assert breaker.switch is not None
    assert breaker.switch.breaking_a == 20e3
    neighbour = model.sources[-1]
    # Of a balanced network only the positive sequence is there.
    assert 1.0 / dense(neighbour.y_primitive_siemens)[0, 0] == pytest.approx(0.1 + 0.4j)
    assert neighbour.v_angle_rad == pytest.approx((math.radians(-30.0),))
    der = model.ders[0]
    assert der.pairs == ((NodeRef(BusId("C"), 0), None),)
    assert (der.v_nominal_v, der.fault_current_pu, der.normal_p_injection_w) == (2400.0, 1.2, 30e3)
    arrays = NetworkArrays(model, version=ModelVersion("t"))
    flow = solve_power_flow(arrays, normal_state(model), s_nominal_va=arrays.injector_s_nominal_va)
    assert isinstance(flow, PowerFlow)


def test_limits_follow_the_class_of_the_bus_and_its_phase_to_phase_voltage() -> None:
    limits = {"v_min_pu": 0.95, "v_max_pu": 1.05, "v_emergency_min_pu": 0.9, "v_emergency_max_pu": 1.1}
    low = {**limits, "v_min_pu": 0.92, "phase_to_phase_min_v": 100.0, "phase_to_phase_max_v": 400.0}
    tables: dict[str, Any] = {"schema_version": 1, "name": "x", "voltage_limits": limits, "voltage_class": [low]}
    model = apply_overlay(_balanced(), Overlay.model_validate(tables))
    # 230 V to ground are 398.4 V between phases.
    assert [bus.v_min_pu for bus in model.buses] == [0.95, 0.95, 0.95, 0.92]


def test_ratings_and_reliability_by_class_with_the_most_conditions_first() -> None:
    model = apply_overlay(
        _balanced(),
        _overlay("""
rating = [
  {elements = ["line.1"], normal_a = 50.0, emergency_a = 60.0},
  {kind = "line", phases = 3, normal_a = 400.0, emergency_a = 500.0},
  {kind = "line", normal_a = 300.0, emergency_a = 300.0},
  {kind = "transformer", phase_to_phase_max_v = 10e3, rating_va = 630e3},
  {default = true, normal_a = 200.0, emergency_a = 250.0},
]
reliability = [
  {default = true, failure_rate_per_year = 0.01, repair_h = 8.0},
  {kind = "line", failure_rate_per_km_year = 0.1},
  {elements = ["t1"], repair_h = 24.0},
]
"""),
    )
    main, short, transformer = model.branches
    assert (main.rating_a, short.rating_a, transformer.rating_a) == (400.0, 50.0, None)
    assert transformer.rating_va == 630e3
    # Two kilometres at 0.1 a year and km; half a kilometre; what the default says.
    assert main.failure_rate_per_year == pytest.approx(0.2)
    assert short.failure_rate_per_year == pytest.approx(0.05)
    assert transformer.failure_rate_per_year == 0.01
    assert [b.repair_h for b in model.branches] == [8.0, 8.0, 24.0]


def test_zones_load_classes_and_customers() -> None:
    model = apply_overlay(
        _balanced(),
        _overlay("""
zone = [{name = "old town", buses = ["c", "d"]}, {name = "rest", default = true}]
load_class = [{name = "shop", zone = "old town"}, {name = "home", default = true}]
customers = [{default_w_per_customer = 5e3}, {load = "1", customers = 12, critical_customers = 2}]
"""),
    )
    assert [bus.zone for bus in model.buses] == ["rest", "rest", "old town", "old town"]
    assert [each.load_class for each in model.loads] == ["home", "shop"]
    assert [(each.customers, each.critical_customers) for each in model.loads] == [(8, 0), (12, 2)]


def test_a_single_pole_switch_is_one_branch_a_pole_that_solves_as_the_whole_does() -> None:
    text = """
[[switch]]
id = "switch.s"
in_line = "line.bc"
at = "fr"
kind = "recloser"
normally_closed = true
remote = true
travel_s = 1.0
single_pole = {single}
[[rating]]
elements = ["switch.s"]
normal_a = 100.0
emergency_a = 120.0
"""
    whole = apply_overlay(two_feeders(), _overlay(text.format(single="false")))
    poles = apply_overlay(two_feeders(), _overlay(text.format(single="true")))
    assert check(poles) == ()
    added = [b for b in poles.branches if b.switch is not None and b.switch.group == "switch.s"]
    assert [b.id for b in added] == ["switch.s_1", "switch.s_2", "switch.s_3"]
    assert {b.rating_a for b in added} == {100.0}
    y = [
        NetworkArrays(model, version=ModelVersion("t")).admittance_pu(normal_state(model)).toarray()
        for model in (whole, poles)
    ]
    assert np.array_equal(y[0], y[1])


def test_conductors_that_are_coupled_are_no_poles() -> None:
    model = two_feeders()
    y = model.branches[1].y_primitive_siemens
    coupled = replace(y, im=tuple(tuple(0.1 for _ in row) for row in y.re))
    model = replace(
        model,
        branches=(model.branches[0], replace(model.branches[1], y_primitive_siemens=coupled), *model.branches[2:]),
    )
    entry = {
        "id": "line.bc",
        "existing": True,
        "kind": "fuse",
        "normally_closed": True,
        "remote": False,
        "travel_s": 1.0,
    }
    tables = {"schema_version": 1, "name": "x", "switch": [{**entry, "single_pole": True}]}
    with pytest.raises(InputError, match="conductors are coupled"):
        apply_overlay(model, Overlay.model_validate(tables))


def test_der_of_the_network_are_changed_one_by_one_before_by_kind_before_all() -> None:
    def pv(name: str, at: str) -> Der:
        return Der(
            id=ElementId(name),
            kind=DerKind.PV,
            pairs=((NodeRef(BusId(at), 1), None),),
            s_max_va=5e3,
            p_max_w=5e3,
            p_min_w=0.0,
            q_max_var=2e3,
            v_nominal_v=2400.0,
        )

    model = replace(two_feeders(), ders=(pv("der.x", "b"), pv("der.y", "c")))
    changed = apply_overlay(
        model,
        _overlay("""
der_change = [
  {id = "der.x", owner = "mill"},
  {kind = "pv", owner = "co-op", fault_current_pu = 1.1},
  {default = true, ramp_w_per_s = 10.0},
]
"""),
    )
    assert [(d.owner, d.fault_current_pu, d.ramp_w_per_s) for d in changed.ders] == [
        ("mill", 1.1, 10.0),
        ("co-op", 1.1, 10.0),
    ]


def test_unknown_names_are_told_all_at_once_with_near_ones() -> None:
    with pytest.raises(InputError) as refused:
        apply_overlay(
            _balanced(),
            _overlay("""
remove = [{element = "line.main_street"}]
interface = {source = "ext_grid.1"}
rating = [{elements = ["line.2"], normal_a = 1.0, emergency_a = 1.0}]
zone = [{name = "z", buses = ["e", "a"]}, {name = "y", buses = ["a"]}]
load_class = [{name = "k", zone = "w"}, {name = "k", loads = ["load.7"]}]
customers = [{load = "load.1", customers = 1}, {load = "load.1", customers = 2}]
der_change = [{id = "der.x", owner = "o"}]
"""),
        )
    told = {(problem.element, problem.field): problem.message for problem in refused.value.problems}
    assert "near: line.Main Street" in told["line.main_street", "element"]
    assert "near: ext_grid.0" in told["interface", "source"]
    assert "near: line.1" in told["rating", "elements"]
    assert told["zone z", "buses"].startswith("no such bus")
    assert told["zone y", "buses"] == "is in zone z already"
    assert told["load_class k", "zone"] == "no such zone"
    assert "near: load." in told["load_class k", "loads"]
    assert told["load.1", "customers"] == "is given 2 times in [[customers]]"
    assert told["der.x", "id"] == "no such DER"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rating]]\nnormal_a = 1.0\nemergency_a = 1.0\n", "needs exactly one of elements, a class"),
        ("[[rating]]\ndefault = true\nkind = 'line'\nnormal_a = 1.0\nemergency_a = 1.0\n", "needs exactly one of"),
        ("[[rating]]\ndefault = true\nnormal_a = 2.0\nemergency_a = 1.0\n", "must not be below normal_a"),
        ("[[rating]]\ndefault = true\nnormal_a = '2'\nemergency_a = 1.0\n", "valid number"),
        ("[[rating]]\ndefault = true\nnormal_a = inf\nemergency_a = inf\n", "finite number"),
        ("[[reliability]]\nkind = 'line'\n", "says nothing"),
        ("[[capacitor]]\nid = 'c'\nsteps = 1\nnormal_steps = 2\nremote = true\n", "must not be above steps"),
        (
            "[voltage_limits]\nv_min_pu = 1.0\nv_max_pu = 0.9\nv_emergency_min_pu = 0.8\nv_emergency_max_pu = 1.1\n",
            "rise",
        ),
    ],
)
def test_a_rule_that_says_nothing_or_too_much_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "o.toml"
    path.write_text('schema_version = 1\nname = "x"\n' + text)
    with pytest.raises(InputError, match=words):
        read_overlay(path)


def test_an_overlay_of_another_network_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "o.toml"
    path.write_text('schema_version = 1\nname = "x"\ndeck = "Master.dss"\n')
    assert read_overlay(path, source=tmp_path / "master.DSS") == read_overlay(path)
    with pytest.raises(InputError, match=r"another network file than other\.dss"):
        read_overlay(path, source=tmp_path / "other.dss")
