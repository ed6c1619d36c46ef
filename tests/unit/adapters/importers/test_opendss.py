"""The importer against the engine: Kirchhoff's law must close at OpenDSS's own solution."""

from pathlib import Path

import numpy as np
import pytest
from dss import DSS

from adms.adapters.importers.opendss import import_opendss
from adms.core.errors import InputError
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId, ModelVersion
from adms.grid.arrays import GROUND, S_BASE_VA, NetworkArrays
from adms.grid.load_law import at_voltage
from adms.grid.model import BranchKind, NetworkModel
from adms.grid.state import normal_state
from adms.grid.validation import check
from tests.unit.adapters.importers.engine_solution import engine_primitive, engine_solution

FEEDERS = Path("tests/cases/feeders")
DECKS = {
    "4Bus-DY-Bal/4Bus-DY-Bal.DSS": 1e-8,
    "4Bus-YD-Bal/4Bus-YD-Bal.DSS": 1e-8,
    "4Bus-YY-Bal/4Bus-YY-Bal.DSS": 1e-8,
    "4Bus-OYOD-UnBal/4bus-OYOD-UnBal.dss": 1e-8,
    "13Bus/IEEE13Nodeckt.dss": 1e-5,
    "34Bus/ieee34Mod2.dss": 1e-6,
    "ieee123": 1e-5,
}
"""Largest current, A, that may be missing at a node. Closed switches of 1e-6 ohm turn rounding of the engine's
voltages (5e-13 V at 2.4 kV) into microamperes."""


_SMALLEST = {"4Bus-OYOD-UnBal/4bus-OYOD-UnBal.dss": 1e-11}
"""Where the engine does not reach 1e-12."""


def _path(project_root: Path, deck: str) -> Path:
    if deck == "ieee123":
        return project_root / "hil" / "feeders" / "ieee123" / "IEEE123Master.dss"
    return project_root / FEEDERS / deck


def _missing_current_a(model: NetworkModel, v_phasor_v: dict[str, complex]) -> tuple[ComplexArray, ComplexArray]:
    """(current missing at each node, A; current that sources drive there when short-circuited, A)."""
    arrays = NetworkArrays(model, version=ModelVersion("test"))
    v = np.array([v_phasor_v[f"{node.bus}.{node.phase}"] for node in arrays.nodes])
    across = v[arrays.injector_fr] - np.where(arrays.injector_to == GROUND, 0.0, v[arrays.injector_to])
    s = at_voltage(arrays.injector_s_nominal_va, np.abs(across) / arrays.injector_v_nominal_v, arrays.injector_law)
    current = np.conj(s / across)
    injected = np.zeros(arrays.node_count, dtype=np.complex128)
    np.add.at(injected, arrays.injector_fr, current)
    paired = arrays.injector_to != GROUND
    np.add.at(injected, arrays.injector_to[paired], -current[paired])
    y_source, norton = arrays.source_norton_pu()
    base_a = S_BASE_VA / arrays.v_base_v
    carried = (arrays.admittance_pu(normal_state(model)) + y_source) @ (v / arrays.v_base_v) - norton
    return carried * base_a - injected, norton * base_a


@pytest.mark.parametrize(("deck", "tolerance_a"), DECKS.items())
def test_kirchhoff_closes_at_the_engines_solution(project_root: Path, deck: str, tolerance_a: float) -> None:
    path = _path(project_root, deck)
    model = import_opendss(path)
    missing_a, norton_a = _missing_current_a(
        model, engine_solution(path, tolerance=_SMALLEST.get(deck, 1e-12)).v_phasor_v
    )
    # OpenDSS turns degrees into radians with 1 rad = 57.29577951 deg: its source angles are off by up to 4e-10 rad.
    assert np.all(np.abs(missing_a) <= tolerance_a + 1e-9 * np.abs(norton_a))


@pytest.mark.parametrize("deck", ["13Bus/IEEE13Nodeckt.dss", "34Bus/ieee34Mod2.dss", "ieee123"])
def test_normal_tap_positions_are_where_the_engines_controls_come_to_rest(project_root: Path, deck: str) -> None:
    path = _path(project_root, deck)
    found = {b.id: 1.0 + b.taps.normal_position * b.taps.step_pu for b in import_opendss(path).branches if b.taps}
    expected = engine_solution(path).controls
    assert found.keys() == expected.keys()
    assert all(found[ElementId(name)] == pytest.approx(ratio, abs=1e-9) for name, ratio in expected.items())


def test_different_exponents_of_active_and_reactive_power_are_carried(project_root: Path) -> None:
    # In ieee34Mod1 exactly the loads of model 4 raise voltage to the power 1 for P and 2 for Q.
    loads = {load.id: load for load in import_opendss(project_root / FEEDERS / "34Bus/ieee34Mod1.dss").loads}
    load = loads[ElementId("load.d808_810sb")]
    assert load.q_law is not None
    assert (load.law.i_frac, load.q_law.z_frac) == (1.0, 1.0)


def test_the_123_bus_feeder_has_the_published_size(project_root: Path) -> None:
    # IEEE PES: 3,490 kW and 1,920 kvar of spot loads, 750 kvar of capacitors, seven single-phase or ganged regulators.
    model = import_opendss(_path(project_root, "ieee123"))
    assert sum(load.p_w for load in model.loads) == pytest.approx(3490e3)
    assert sum(load.q_var for load in model.loads) == pytest.approx(1920e3)
    assert sum(capacitor.rating_var for capacitor in model.capacitors) == pytest.approx(750e3)
    assert sum(b.kind is BranchKind.REGULATOR for b in model.branches) == 7
    assert sum(b.switch is not None for b in model.branches) == 8
    assert check(model) == ()
    length_m = {b.id: b.length_m for b in model.branches}
    assert length_m[ElementId("line.l115")] == pytest.approx(400 * 0.3048)  # 400 ft


def test_capacitor_admittance_follows_from_its_rating(project_root: Path) -> None:
    # 600 kvar at 4.16 kV: b = 200e3 / 2401.777^2 siemens a phase.
    model = import_opendss(_path(project_root, "ieee123"))
    c83 = next(c for c in model.capacitors if c.id == "capacitor.c83")
    assert c83.y_step_siemens.im[0][0] == pytest.approx(200e3 / (4160.0 / 3**0.5) ** 2, rel=1e-9)


def test_a_capacitor_switched_off_in_the_deck_keeps_its_admittance(tmp_path: Path) -> None:
    deck = tmp_path / "m.dss"
    deck.write_text(
        "clear\nnew circuit.c basekv=4.16 bus1=a r1=0.01 x1=0.1 r0=0.01 x0=0.1\n"
        "new line.l bus1=a bus2=b r1=0.1 x1=0.2 r0=0.1 x0=0.2 c1=0 c0=0\n"
        "new capacitor.k bus1=b numsteps=2 kvar=[100 100] kv=4.16 states=[1 0]\n"
        "new line.s bus1=b bus2=d switch=yes\nopen line.s term=1\n"
        "new load.x bus1=b kw=10 kvar=5 kv=4.16\nset voltagebases=[4.16]\ncalcv\n"
    )
    model = import_opendss(deck)
    (capacitor,) = model.capacitors
    assert (capacitor.steps, capacitor.normal_steps) == (2, 1)
    # 100 kvar a step at 4.16 kV: a third of it a phase.
    assert capacitor.y_step_siemens.im[0][0] == pytest.approx(100e3 / 4160.0**2, rel=1e-9)
    switch = next(b for b in model.branches if b.id == "line.s")
    assert switch.switch is not None
    assert not switch.switch.normally_closed
    assert abs(complex(switch.y_primitive_siemens.re[0][0], switch.y_primitive_siemens.im[0][0])) > 0.1


def test_importing_leaves_the_engine_and_the_working_folder_as_they_were(project_root: Path) -> None:
    folder, change_folder, circuits = Path.cwd(), DSS.AllowChangeDir, DSS.NumCircuits
    import_opendss(_path(project_root, "13Bus/IEEE13Nodeckt.dss"))
    assert (Path.cwd(), DSS.AllowChangeDir, DSS.NumCircuits) == (folder, change_folder, circuits)


def test_a_missing_deck_and_a_missing_overlay_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        import_opendss(tmp_path / "no.dss", overlay=tmp_path / "no.toml")
    told = [(Path(problem.element).name, problem.message) for problem in caught.value.problems]
    assert told == [("no.dss", "no such file"), ("no.toml", "no such file")]


def test_a_deck_that_the_engine_refuses_is_refused_with_its_words(tmp_path: Path) -> None:
    deck = tmp_path / "bad.dss"
    deck.write_text("clear\nnew circuit.c\nnew line.l bus1=a bus2=b linecode=nowhere\n")
    with pytest.raises(InputError, match="nowhere"):
        import_opendss(deck)


def test_a_deck_without_a_circuit_is_refused(tmp_path: Path) -> None:
    deck = tmp_path / "empty.dss"
    deck.write_text("clear\n")
    with pytest.raises(InputError):
        import_opendss(deck)


@pytest.mark.parametrize("position", [-16, -3, 0, 11, 16])
def test_a_moved_tap_has_the_primitive_that_the_engine_computes(project_root: Path, position: int) -> None:
    path = _path(project_root, "ieee123")
    model = import_opendss(path)
    arrays = NetworkArrays(model, version=ModelVersion("test"))
    name = ElementId("transformer.reg4b")
    index = arrays.branch_idx[name]
    y_pu = arrays.branch_admittance_pu(index, normal_state(model).with_tap(name, position=position))
    base_v = arrays.v_base_v[arrays.branch_nodes[index]]
    found = y_pu * S_BASE_VA / np.outer(base_v, base_v)
    expected = engine_primitive(path, name, tap=1.0 + position * 0.00625)
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-9 * np.abs(expected).max())
