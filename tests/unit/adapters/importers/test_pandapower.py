"""Every kind of pandapower element against pandapower's own power flow, also with switches and taps moved."""

import copy
import json
import math
from pathlib import Path

import pandapower as pp
import pytest

from adms.adapters.importers.pandapower import import_pandapower
from adms.adapters.model_file import load_model, save_model
from adms.core.errors import InputError
from adms.core.ids import BusId, ElementId
from adms.grid.model import DerKind, NetworkModel, NodeRef, SwitchKind
from adms.grid.state import normal_state
from tests.unit.adapters.importers.pandapower_feeder import Net, feeder, line
from tests.unit.adapters.importers.pandapower_nets import NETS
from tests.unit.adapters.importers.pandapower_random import random_net
from tests.unit.adapters.importers.pandapower_referee import (
    largest_difference_pu,
    losses_w,
    our_flow,
    solved,
    solved_3ph,
)
from tests.unit.adapters.importers.pandapower_three_phase import THREE_PHASE_GROUPS, three_phase

DIFFERENCE_PU = 2e-8
"""Ours stop at 1e-8, closed switches drop up to 1e-8 and the source 3e-9; what is asked for is 1e-6."""
TAPPED = [name for name in NETS if "tap" in name or "shifter" in name or "windings" in name or "steps" in name]
SWITCHED = ["open line ends", "an open transformer", "busbars", "three windings, one open"]


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_element_solves_as_in_pandapower(name: str) -> None:
    net = NETS[name]()
    result = solved(net)
    model = import_pandapower(net)
    assert largest_difference_pu(model, result) < DIFFERENCE_PU


@pytest.mark.parametrize("seed", range(8))
def test_nets_by_chance_solve_as_in_pandapower(seed: int) -> None:
    net = random_net(seed)
    assert largest_difference_pu(import_pandapower(net), solved(net)) < DIFFERENCE_PU


@pytest.mark.parametrize("name", SWITCHED)
def test_every_switch_can_be_moved(name: str) -> None:
    net = NETS[name]()
    model = import_pandapower(net)
    grid = normal_state(model)
    for place, index in enumerate(net.switch.index):
        moved = copy.deepcopy(net)
        moved.switch.at[index, "closed"] = not net.switch.closed[index]
        element = ElementId(f"switch.{index}")
        assert element in grid.closed, place
        other = grid.with_switch(element, closed=not grid.closed[element])
        assert largest_difference_pu(model, solved(moved), grid=other) < DIFFERENCE_PU


@pytest.mark.parametrize("name", TAPPED)
def test_every_tap_can_be_moved(name: str) -> None:
    net = NETS[name]()
    model = import_pandapower(net)
    grid = normal_state(model)
    table = "trafo3w" if "windings" in name else "trafo"
    if name == "tap between positions":
        assert not grid.tap_position
        return
    element = next(e for e in grid.tap_position if e.startswith(f"{table}."))
    taps = next(b.taps for b in model.branches if b.id == element)
    assert taps is not None
    neutral = 0 if taps.primitives else int(net[table].tap_neutral[0])
    for position in (taps.min_position, taps.max_position):
        moved = copy.deepcopy(net)
        moved[table]["tap_pos"] = float(position + neutral)
        difference = largest_difference_pu(model, solved(moved), grid=grid.with_tap(element, position=position))
        assert difference < DIFFERENCE_PU


def test_a_switched_line_without_resistance_stays_passive() -> None:
    net = NETS["open line ends"]()
    net.line["r_ohm_per_km"] = [0.0, 1e-9, *net.line.r_ohm_per_km[2:]]
    net.line["x_ohm_per_km"] = 0.3
    assert largest_difference_pu(import_pandapower(net), solved(net)) < DIFFERENCE_PU


def test_capacitor_steps_can_be_moved() -> None:
    net = NETS["shunts"]()
    model = import_pandapower(net)
    net.shunt.at[0, "step"] = 5
    grid = normal_state(model).with_capacitor(ElementId("shunt.0"), steps=5)
    assert largest_difference_pu(model, solved(net), grid=grid) < DIFFERENCE_PU


@pytest.mark.parametrize("vector_group", THREE_PHASE_GROUPS)
def test_three_phases_solve_as_in_pandapower(vector_group: str) -> None:
    net = three_phase(vector_group)
    model = import_pandapower(net)
    assert {bus.phases for bus in model.buses} == {(1, 2, 3)}
    # The zero sequence of Yzn depends on pandapower's base power, so that it can be compared at the net's own only.
    own = vector_group == "Yzn"
    result = solved_3ph(net, base_mva=net.sn_mva) if own else solved_3ph(net)
    assert largest_difference_pu(model, result) < (1e-7 if own else DIFFERENCE_PU)


def test_open_switches_of_three_phases_solve_as_in_pandapower() -> None:
    net = three_phase()
    model = import_pandapower(net)
    for index in net.switch.index:
        moved = copy.deepcopy(net)
        moved.switch.at[index, "closed"] = False
        grid = normal_state(model).with_switch(ElementId(f"switch.{index}"), closed=False)
        assert largest_difference_pu(model, solved_3ph(moved), grid=grid) < DIFFERENCE_PU


def test_powers_are_those_of_three_phases_and_currents_of_one() -> None:
    net = feeder()
    result = solved(net)
    model = import_pandapower(net)
    arrays, flow = our_flow(model)
    assert flow.s_source_va.sum().real == pytest.approx(1e6 * result.res_ext_grid.p_mw.sum(), abs=1.0)
    assert flow.losses_w == pytest.approx(losses_w(result), abs=1.0)
    current = arrays.branch_current_a(
        arrays.branch_idx[ElementId("line.cable 1")], normal_state(model), flow.v_phasor_pu
    )
    assert abs(current[0]) == pytest.approx(1e3 * result.res_line.i_from_ka[0], rel=1e-6)
    power = arrays.branch_power_va(arrays.branch_idx[ElementId("trafo.0")], normal_state(model), flow.v_phasor_pu)
    assert power[0].real == pytest.approx(1e6 * result.res_trafo.p_hv_mw[0], rel=1e-6)


def test_a_balanced_net_read_as_three_phases_has_the_same_positive_sequence() -> None:
    net = three_phase()
    for table in ("asymmetric_load", "asymmetric_sgen"):
        net[table] = net[table].iloc[:0]
    balanced = import_pandapower(net)
    assert {bus.phases for bus in balanced.buses} == {(0,)}
    three = import_pandapower(net, three_phase=True)
    arrays, flow = our_flow(three)
    result = solved(net)
    for index, vm in result.res_bus.vm_pu.items():
        node = arrays.node_idx[NodeRef(BusId(f"bus_{index}"), 1)]
        assert abs(flow.v_phasor_pu[node]) == pytest.approx(vm, abs=DIFFERENCE_PU)


def test_the_zero_sequence_is_asked_for_where_it_is_missing() -> None:
    net = three_phase()
    net.line.loc[0, "r0_ohm_per_km"] = float("nan")
    net.trafo["vector_group"] = "YNd"
    with pytest.raises(InputError) as refused:
        import_pandapower(net, three_phase=True)
    assert {(problem.element, problem.field) for problem in refused.value.problems} == {
        ("line.0", "r0_ohm_per_km"),
        ("trafo.0", "vector_group"),
    }
    model = import_pandapower(net)
    assert {bus.phases for bus in model.buses} == {(0,)}
    assert any(note.startswith("net: balanced") and "r0_ohm_per_km" in note for note in model.notes)
    assert any(note.startswith("asymmetric_load.0: carried over as the sum") for note in model.notes)


def _notes(model: NetworkModel, start: str) -> list[str]:
    return [note for note in model.notes if note.startswith(start)]


def test_what_is_not_carried_over_is_named_element_by_element() -> None:
    net = NETS["devices"]()
    pp.create_poly_cost(net, 0, "ext_grid", cp1_eur_per_mw=1.0)
    pp.create_measurement(net, "v", "bus", 1.0, 0.01, 0)
    pp.create_gen(net, 4, p_mw=0.5, vm_pu=1.0)
    dead = pp.create_bus(net, 20.0, in_service=False, name="Dead")
    pp.create_load(net, dead, p_mw=1.0, name="There")
    model = import_pandapower(net)
    for start in (
        "poly_cost.0: not part",
        "measurement.0: not part",
        "gen.0: its control",
        "bus.dead: out of service",
        "load.there: left out",
        "load.3: out of service",
        "motor.0: a motor",
        "asymmetric_load.0: carried over as the sum",
    ):
        assert len(_notes(model, start)) == 1, start
    assert BusId("dead") not in {bus.id for bus in model.buses}


def test_ids_are_unique_and_do_not_change() -> None:
    net = feeder()
    net.bus["name"] = ["A", "A", None, " b ", "a_1"]
    net.line["name"] = ["Feeder", "feeder", None]
    first, again = import_pandapower(net), import_pandapower(net)
    assert [bus.id for bus in first.buses] == ["a_0", "a_1_1", "bus_2", "b", "a_1"]
    assert [b.id for b in first.branches if b.id.startswith("line.")] == ["line.feeder_0", "line.feeder_1", "line.2"]
    assert first == again


def test_engineering_values_come_over() -> None:
    net = NETS["devices"]()
    net.bus["geo"] = ['{"coordinates": [1.5, 2.5], "type": "Point"}', None, "nonsense", None, None]
    net.bus["zone"] = ["z", None, None, None, None]
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = 0.95, 1.04
    line(net, 2, 3, 1.0, parallel=2, df=0.5, name="rated")
    pp.create_switch(net, 2, 3, "l", type="CB", name="S")
    model = import_pandapower(net)
    bus = model.buses[0]
    assert (bus.x_m, bus.y_m, bus.zone, bus.v_min_pu, bus.v_max_pu) == (1.5, 2.5, "z", 0.95, 1.04)
    assert bus.v_base_v == pytest.approx(110e3 / math.sqrt(3.0))
    assert (model.buses[2].x_m, model.buses[2].zone) == (None, "")
    branch = {branch.id: branch for branch in model.branches}
    rated = branch[ElementId("line.rated")]
    assert rated.length_m == 1000.0
    assert rated.rating_a == pytest.approx(300.0)
    assert branch[ElementId("trafo.0")].rating_va == pytest.approx(25e6)
    gear = branch[ElementId("switch.s")].switch
    assert gear is not None
    assert (gear.kind, gear.normally_closed, gear.remote) == (SwitchKind.BREAKER, True, False)
    der = {der.id: der for der in model.ders}
    assert der[ElementId("sgen.roof")].kind is DerKind.PV
    assert der[ElementId("sgen.roof")].normal_p_injection_w == pytest.approx(1.2e6)
    store = der[ElementId("storage.0")]
    assert (store.kind, store.energy_wh) == (DerKind.BATTERY, 2e6)
    assert store.normal_p_injection_w == pytest.approx(0.6e6)


def test_a_file_gives_the_same_model_as_the_net(tmp_path: Path) -> None:
    net = NETS["busbars"]()
    pp.to_json(net, str(tmp_path / "net.json"))
    model = import_pandapower(tmp_path / "net.json")
    assert model == import_pandapower(net)
    save_model(model, tmp_path / "model.json")
    assert load_model(tmp_path / "model.json")[0] == model


def test_a_net_given_is_not_changed() -> None:
    net = NETS["load laws"]()
    before = pp.to_json(net)
    import_pandapower(net)
    assert pp.to_json(net) == before


def test_an_overlay_adds_to_a_pandapower_net(tmp_path: Path) -> None:
    overlay = tmp_path / "more.toml"
    overlay.write_text(
        """
schema_version = 1
name = "operated"
deck = "net.json"

[voltage_limits]
v_min_pu = 0.95
v_max_pu = 1.05
v_emergency_min_pu = 0.9
v_emergency_max_pu = 1.08

[interface]
source = "ext_grid.0"

[[switch]]
id = "switch.new"
in_line = "line.cable 2"
at = "fr"
kind = "recloser"
normally_closed = true
remote = true
travel_s = 1.0
""",
        encoding="utf-8",
    )
    model = import_pandapower(feeder(), overlay=overlay)
    switch = next(branch for branch in model.branches if branch.id == "switch.new")
    assert [terminal[0] for terminal in switch.terminals] == [("mv 2", 0), ("cable 2_fr_sw", 0)]
    assert model.sources[0].interface
    assert largest_difference_pu(model, solved(feeder())) < 1e-7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable as JSON"),
        ("[]", "not a pandapower net"),
        ('{"_object": 5}', "not a pandapower net"),
        ('{"bus": 3}', "bus: is no table"),
        ('{"bus": 3, "measurement": 0}', "measurement: is no table"),
        (json.dumps({"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": {"bus": 1}}), "no table"),
        (json.dumps({"bus": {"_module": "os", "_class": "system", "_object": "x"}}), "no class of a net"),
        (json.dumps({"bus": json.dumps({"_module": "subprocess", "_class": "Popen"})}), "no class of a net"),
    ],
)
def test_a_file_that_is_no_net_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "net.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_pandapower(path)


def test_every_problem_of_a_net_is_told_at_once() -> None:
    net: Net = feeder()
    net.line.at[0, "to_bus"] = 99
    net.line.at[1, "length_km"] = float("nan")
    net.line.loc[2, ["r_ohm_per_km", "x_ohm_per_km"]] = 0.0
    net.load.at[0, "p_mw"] = float("inf")
    net.bus.at[3, "vn_kv"] = -20.0
    pp.create_switch(net, 1, 0, "b")
    net.switch.at[0, "element"] = 77
    with pytest.raises(InputError) as refused:
        import_pandapower(net)
    assert {(problem.element, problem.field) for problem in refused.value.problems} == {
        ("line.0", "to_bus"),
        ("line.1", "length_km"),
        ("line.2", "x_ohm_per_km"),
        ("load.0", "p_mw"),
        ("bus.3", "vn_kv"),
        ("switch.0", "element"),
    }


def test_no_net_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        import_pandapower(tmp_path / "absent.json")
    with pytest.raises(InputError, match="not a pandapower net"):
        import_pandapower({"bus": 1})
    with pytest.raises(InputError, match=r"absent\.toml: no such file"):
        import_pandapower(feeder(), overlay=tmp_path / "absent.toml")


def test_a_net_that_pandapower_cannot_solve_has_no_generators_to_hold() -> None:
    net = NETS["generators"]()
    net.load["p_mw"] = 900.0
    with pytest.raises(InputError, match="pandapower does not solve it"):
        import_pandapower(net)
