"""What the overlay makes of the 123-bus deck."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.adapters.importers.overlay import apply_overlay
from adms.adapters.importers.overlay_schema import Overlay, read_overlay
from adms.core.errors import InputError
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.admittance import dense
from adms.grid.arrays import NetworkArrays
from adms.grid.model import BranchKind, DerKind, NetworkModel, NodeRef
from adms.grid.settled import settled
from adms.grid.state import normal_state
from adms.grid.topology import topology_of

FOLDER = Path("hil/feeders/ieee123")


@pytest.fixture(scope="module")
def deck(project_root: Path) -> NetworkModel:
    return import_opendss(project_root / FOLDER / "IEEE123Master.dss")


@pytest.fixture(scope="module")
def overlay(project_root: Path) -> Overlay:
    return read_overlay(project_root / FOLDER / "123-operated.toml")


@pytest.fixture(scope="module")
def operated(deck: NetworkModel, overlay: Overlay) -> NetworkModel:
    return settled(apply_overlay(deck, overlay))


def test_the_operated_feeder_is_what_the_story_needs(operated: NetworkModel) -> None:
    gear = {b.id: b.switch for b in operated.branches if b.switch is not None}
    added = [name for name, g in gear.items() if name.startswith("switch.s_") and g.remote and g.fault_indicator]
    assert len(added) >= 15
    assert sum(g.kind == "recloser" and g.reclose_shots == 2 for g in gear.values()) == 3
    assert sum(not g.normally_closed for g in gear.values()) == 6
    assert {s.id for s in operated.sources} >= {"source.s195", "source.s251", "source.s350", "source.s451"}
    kinds = [d.kind for d in operated.ders]
    assert len(kinds) >= 22
    batteries = [d for d in operated.ders if d.kind is DerKind.BATTERY]
    assert sum(d.p_max_w for d in batteries) >= 900e3
    assert sum(d.energy_wh or 0.0 for d in batteries) >= 2e6
    assert kinds.count(DerKind.EV) == 1
    assert all(b.rating_a is not None for b in operated.branches if b.kind is not BranchKind.TRANSFORMER)
    assert {b.id for b in operated.buses}.isdisjoint({"300_open", "94_open"})
    assert [s.id for s in operated.sources if s.interface] == ["vsource.source"]


def test_every_section_has_one_source_path_in_the_normal_state(operated: NetworkModel) -> None:
    normal = topology_of(NetworkArrays(operated, version=ModelVersion("test")), normal_state(operated))
    assert {normal.supply(section).count for section in normal.network.sections} == {1}


def test_every_node_is_energised_in_the_normal_state(operated: NetworkModel) -> None:
    arrays = NetworkArrays(operated, version=ModelVersion("test"))
    assert arrays.energised(normal_state(operated)).all()


def test_protection_of_the_overlay_coordinates(overlay: Overlay) -> None:
    # Peak currents and smallest bolted line-to-ground currents in and beyond each zone: OpenDSS, see the README beside
    # the overlay. A restored section is picked up at up to twice its load; SW13 asks for a reach of 1.5.
    peak_a = {"line.sw1": 656.0, "switch.s_l13": 229.0, "line.sw4": 243.0, "switch.s_l61": 81.0}
    smallest_fault_a = {"line.sw1": 3900.0, "switch.s_l13": 2486.0, "line.sw4": 1711.0, "switch.s_l61": 2218.0}
    protective = {s.id: s for s in overlay.switch if s.pickup_a is not None}
    assert protective.keys() == peak_a.keys()
    for name, switch in protective.items():
        assert switch.pickup_a is not None
        assert 1.8 * peak_a[name] <= switch.pickup_a <= smallest_fault_a[name] / 1.5
        assert switch.trip_delay_s is not None
    breaker = protective["line.sw1"]
    assert breaker.trip_delay_s is not None
    for name, switch in protective.items():
        if name != breaker.id:
            assert switch.trip_delay_s is not None
            assert breaker.trip_delay_s - switch.trip_delay_s >= 0.3 - 1e-9


def test_a_switch_in_a_line_stands_between_the_old_bus_and_the_line(operated: NetworkModel) -> None:
    branches = {b.id: b for b in operated.branches}
    switch, line = branches[ElementId("switch.s_l67")], branches[ElementId("line.l67")]
    assert switch.terminals[0][0] == NodeRef(BusId("67"), 1)
    assert switch.terminals[1] == line.terminals[0]
    assert line.terminals[0][2] == NodeRef(BusId("l67_fr_sw"), 3)
    assert line.terminals[1][0] == NodeRef(BusId("72"), 1)


def test_a_source_has_the_sequence_impedances_it_was_given(operated: NetworkModel) -> None:
    source = next(s for s in operated.sources if s.id == "source.s350")
    z = np.linalg.inv(dense(source.y_primitive_siemens))
    # Hand: z1 = z_self - z_mutual, z0 = z_self + 2 z_mutual.
    assert z[0, 0] - z[0, 1] == pytest.approx(0.10 + 0.36j)
    assert z[0, 0] + 2 * z[0, 1] == pytest.approx(0.28 + 0.80j)


def test_named_ratings_go_before_those_by_phases_and_those_before_the_default(operated: NetworkModel) -> None:
    rating = {b.id: b.rating_a for b in operated.branches}
    assert rating[ElementId("line.l115")] == 800.0
    assert rating[ElementId("line.l67")] == 400.0
    assert rating[ElementId("line.l9")] == 200.0


def test_critical_customers_override_the_rule(operated: NetworkModel) -> None:
    loads = {load.id: load for load in operated.loads}
    assert loads[ElementId("load.s1a")].customers == 8  # 40 kW at 5 kW each
    assert (loads[ElementId("load.s48")].customers, loads[ElementId("load.s48")].critical_customers) == (1, 1)


def test_every_problem_of_an_overlay_is_reported_at_once(deck: NetworkModel, project_root: Path) -> None:
    tables = tomllib.loads((project_root / FOLDER / "123-operated.toml").read_text())
    tables["remove"].append({"element": "line.nowhere"})
    tables["capacitor"][0]["id"] = "capacitor.nowhere"
    tables["der"][0]["bus"] = "nowhere"
    tables["der"][1]["id"] = tables["der"][2]["id"]
    tables["switch"][0]["between"] = ["nowhere", "elsewhere"]
    with pytest.raises(InputError) as caught:
        apply_overlay(deck, Overlay.model_validate(tables))
    fields = [(problem.element, problem.field) for problem in caught.value.problems]
    assert ("line.nowhere", "element") in fields
    assert ("capacitor.nowhere", "id") in fields
    assert ("der.pv_48", "bus") in fields
    assert (tables["der"][2]["id"], "id") in fields
    assert ("switch.t95_195", "between") in fields


def test_a_misspelt_key_is_refused_with_the_element_it_stands_in(project_root: Path, tmp_path: Path) -> None:
    text = (project_root / FOLDER / "123-operated.toml").read_text()
    path = tmp_path / "o.toml"
    path.write_text(
        text.replace("pickup_a = 1200.0", "pick_up_a = 1200.0").replace("p_max_w = 180000.0", "p_max_w = 'x'")
    )
    with pytest.raises(InputError) as caught:
        read_overlay(path)
    assert {(p.element, p.field) for p in caught.value.problems} == {
        ("line.sw1", "pick_up_a"),
        ("der.pv_48", "p_max_w"),
    }


def test_an_overlay_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "o.toml"
    path.write_text("[[switch]\n")
    with pytest.raises(InputError, match="not readable"):
        read_overlay(path)
