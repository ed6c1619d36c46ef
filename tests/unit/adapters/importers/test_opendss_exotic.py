"""What feeders rarely have, in decks of a few lines, each against the engine; and what a deck may not do."""

from pathlib import Path

import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.core.errors import InputError
from adms.core.ids import BusId, ElementId
from adms.grid.model import DerKind, NetworkModel, SwitchKind
from tests.unit.adapters.importers.against_engine import Agreement, agreement
from tests.unit.adapters.importers.exotic_decks import DECKS, FOLDER, HEAD, LOADS, TAIL, of_load_model

LIMIT_PU = 1e-6
_LEFT_OUT = {"load_neutral_impedance": {"a.4"}}
"""A node that only a load's neutral stands on: the notes say so."""
_ADDED = {
    "open_at_one_end": {f"a~line.x.{phase}" for phase in (1, 2, 3)},
    "open_one_phase_line": {"a~line.x.2"},
    "swtcontrol_open": {f"b~line.x.{phase}" for phase in (1, 2, 3)},
}
"""The open end of a line that is charged from the other one."""
_STEP_PU = {"tiny_impedances": 1e-6}
"""1e-9 ohm: rounding of the currents through it moves voltages by 1e-7 pu."""


def compared(folder: Path, text: str, *, tolerance_pu: float = 1e-8) -> Agreement:
    """A deck's text against the engine."""
    deck = folder / "deck.dss"
    deck.write_text(text)
    return agreement(deck, tolerance_pu=tolerance_pu)


@pytest.mark.parametrize("model", range(1, 9))
def test_a_load_model_is_exact_inside_and_outside_its_limits(tmp_path: Path, model: int) -> None:
    found = compared(tmp_path, of_load_model(model))
    assert found.difference_pu < LIMIT_PU, found.worst
    assert found.model.notes == ()


@pytest.mark.parametrize("name", DECKS)
def test_an_exotic_deck_is_the_engines(name: str) -> None:
    found = agreement(FOLDER / f"{name}.dss", tolerance_pu=_STEP_PU.get(name, 1e-8))
    assert found.missing == _LEFT_OUT.get(name, set())
    assert found.added == _ADDED.get(name, set())
    assert found.difference_pu < LIMIT_PU, found.worst


def imported(folder: Path, text: str) -> NetworkModel:
    """The model of a deck's text."""
    deck = folder / "deck.dss"
    deck.write_text(text)
    return import_opendss(deck)


def test_der_carry_what_they_inject_and_what_they_are() -> None:
    model = import_opendss(FOLDER / "pv_storage_generators.dss")
    ders = {der.id: der for der in model.ders}
    # 0.8 of 500 kW, 0.94 of it at 40 degrees (between 1 at 25 and 0.8 at 75): 376 kW into an inverter of 600 kVA, whose
    # efficiency there is between 0.93 at 0.4 and 0.97 at 1.
    efficiency = 0.93 + 0.04 * (376 / 600 - 0.4) / 0.6
    p1 = ders[ElementId("pvsystem.p1")]
    assert p1.normal_p_injection_w == pytest.approx(376e3 * efficiency, rel=1e-6)
    assert (p1.kind, p1.p_max_w, p1.s_max_va) == (DerKind.PV, 500e3, 600e3)
    assert ders[ElementId("storage.s1")].kind is DerKind.BATTERY
    assert ders[ElementId("storage.s1")].normal_p_injection_w == pytest.approx(100e3)  # half of 200 kW
    assert ders[ElementId("storage.s2")].normal_p_injection_w < 0.0  # it charges
    assert ders[ElementId("storage.ev_7")].kind is DerKind.EV
    assert ders[ElementId("generator.g1")].kind is DerKind.GENERATOR
    assert ders[ElementId("generator.g1")].normal_q_injection_var == pytest.approx(100e3)
    assert any(note.startswith("pvsystem.p1: injects") for note in model.notes)


def test_lines_and_what_protects_them_carry_their_engineering_figures() -> None:
    model = import_opendss(FOLDER / "protection.dss")
    branches = {branch.id: branch for branch in model.branches}
    recloser, fuse = branches[ElementId("line.y")], branches[ElementId("line.z")]
    assert recloser.length_m == pytest.approx(1609.344)
    assert (recloser.rating_a, recloser.rating_emergency_a) == (300.0, 500.0)
    # 0.2 faults a mile and year, 40 % of them permanent, on one mile.
    assert recloser.failure_rate_per_year == pytest.approx(0.08)
    assert recloser.repair_h == 5.0
    assert fuse.failure_rate_per_year is None  # the deck says nothing
    assert recloser.switch is not None
    assert recloser.switch.kind is SwitchKind.RECLOSER
    assert (recloser.switch.pickup_a, recloser.switch.ground_pickup_a) == (400.0, 150.0)
    assert recloser.switch.reclose_shots == 2  # three shots to lockout
    assert fuse.switch is not None
    assert fuse.switch.kind is SwitchKind.FUSE
    relay = branches[ElementId("line.l0")].switch
    assert relay is not None
    assert (relay.kind, relay.pickup_a) == (SwitchKind.BREAKER, 600.0)
    assert sum(load.customers for load in model.loads if load.id == "load.d") == 7
    assert any(note.startswith("fuse.f: rated 65 A") for note in model.notes)


def test_a_line_open_at_one_end_can_be_closed_to_what_it_is() -> None:
    model = import_opendss(FOLDER / "open_at_one_end.dss")
    line, isolator = (next(b for b in model.branches if b.id == name) for name in ("line.x", "line.x.open"))
    assert isolator.switch is not None
    assert not isolator.switch.normally_closed
    assert {node.bus for node in line.terminals[0]} == {node.bus for node in isolator.terminals[1]}


def test_taps_that_move_a_grounded_neutral_are_a_table(tmp_path: Path) -> None:
    text = HEAD + LOADS
    text += "new transformer.t windings=2 buses=(a b.1.2.3.4) conns=(delta wye) kvs=(12.47 4.16) kvas=(900 900) xhl=6\n"
    text += "~ wdg=2 rneut=2 xneut=1 tap=1.013\nnew load.b bus1=b.1 phases=1 kv=2.4 kw=100\n"
    text += "new regcontrol.r transformer=t winding=2 vreg=122 ptratio=20 band=2\n" + TAIL
    found = compared(tmp_path, text)
    taps = next(branch.taps for branch in found.model.branches if branch.taps is not None)
    assert len(taps.primitives) == taps.max_position - taps.min_position + 1
    assert found.difference_pu < LIMIT_PU


def test_buses_without_a_base_get_the_nearest_rated_one() -> None:
    model = import_opendss(FOLDER / "no_bases.dss")
    base = {bus.id: bus.v_base_v for bus in model.buses}
    assert base[BusId("a")] == pytest.approx(12470 / 3**0.5)
    assert base[BusId("e")] == pytest.approx(480 / 3**0.5)
    assert any(note.startswith("bus.e: voltage base 277.128 V to ground, in the deck none") for note in model.notes)


def test_a_dead_section_has_the_base_of_what_it_is_switched_to() -> None:
    base = {bus.id: bus.v_base_v for bus in import_opendss(FOLDER / "dead_section.dss").buses}
    assert base[BusId("b")] == base[BusId("c")] == pytest.approx(12470 / 3**0.5)
    assert base[BusId("e")] == pytest.approx(480 / 3**0.5)


def test_whatever_is_left_out_is_named() -> None:
    notes = "\n".join(import_opendss(FOLDER / "disabled.dss").notes)
    for name in ("line.z: disabled", "load.off: disabled", "line.w: disabled"):
        assert name in notes


def test_a_deck_that_writes_shows_and_runs_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "deck", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    text = HEAD + LOADS + TAIL + "new energymeter.m element=line.l0\nset datapath=.. demandinterval=yes\n"
    text += "export voltages\nshow voltages\nsave circuit dir=kept\ndump\nplot profile\nexp curr\nfileedit deck.dss\n"
    text += "doscmd touch run\ncd ..\nset mode=daily number=3\nsolve\nclosedi\nvisualize what=powers element=line.l0\n"
    model = imported(folder, text)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["deck.dss"]
    assert any("the command export is left out" in note for note in model.notes)
    assert any("mode" in note for note in model.notes if note.startswith("circuit"))


def test_files_are_found_whatever_their_case_and_slashes(tmp_path: Path) -> None:
    folder = tmp_path / "Sub Folder"
    folder.mkdir()
    (folder / "Lines.DSS").write_text("new line.l1 bus1=a bus2=b length=1 units=km\nredirect more.dss\n")
    (folder / "More.dss").write_text(
        "/* a comment\nnew line.no bus1=q\n*/\nnew loadshape.s npts=2 mult=(file=SHAPE.CSV)\n"
    )
    (folder / "shape.csv").write_text("0.5\n1\n")
    (tmp_path / "coords.csv").write_text("a, 1, 2\n")
    text = HEAD + LOADS + 'Redirect ".\\sub folder\\lines.dss" ! the lines\n' + TAIL + "BusCoords Coords.CSV\n"
    model = imported(tmp_path, text)
    assert any(branch.id == "line.l1" for branch in model.branches)
    assert next(bus.x_m for bus in model.buses if bus.id == "a") == 1.0


def test_files_after_a_compile_are_looked_for_where_it_went(tmp_path: Path) -> None:
    # As the engine does: it stays in the folder of what it compiled, and comes back from what it redirected to.
    (tmp_path / "ckt" / "lines").mkdir(parents=True)
    (tmp_path / "ckt" / "master.dss").write_text(HEAD + "redirect lines/lines.dss\nredirect more.dss\n" + TAIL)
    (tmp_path / "ckt" / "lines" / "lines.dss").write_text("new line.l1 bus1=a bus2=b length=1 units=km\n")
    (tmp_path / "ckt" / "more.dss").write_text("new line.l2 bus1=b bus2=c length=1 units=km\n")
    (tmp_path / "ckt" / "extra.dss").write_text("new load.x bus1=c kv=12.47 kw=90\n")
    (tmp_path / "ckt" / "at.csv").write_text("a 1 2\n")
    found = compared(tmp_path, "compile (ckt\\master.dss)\nredirect extra.dss\nbuscoords at.csv\n")
    assert [load.id for load in found.model.loads] == ["load.x"]
    assert next(bus.x_m for bus in found.model.buses if bus.id == "a") == 1.0
    assert found.difference_pu < LIMIT_PU


def test_every_missing_file_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        imported(tmp_path, HEAD + "redirect nowhere.dss\ncompile (also nowhere.dss)\n")
    found = [(problem.element, problem.value) for problem in caught.value.problems]
    assert found == [("deck.dss:4", "nowhere.dss"), ("deck.dss:5", "also nowhere.dss")]


def test_a_deck_that_names_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="circle"):
        imported(tmp_path, "redirect deck.dss\n")


def test_what_the_engine_refuses_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"deck\.dss:4"):
        imported(tmp_path, HEAD + "new line.q bus1=a bus2=b linecode=nowhere\n")


def test_a_capacitor_control_by_its_own_voltage_is_carried_and_another_is_noted(tmp_path: Path) -> None:
    text = HEAD + LOADS + "new capacitor.k bus1=a kv=12.47 kvar=300\nnew capacitor.q bus1=a kv=12.47 kvar=300\n"
    text += (
        "new capcontrol.k capacitor=k element=line.l0 terminal=2 type=voltage ptratio=60 onsetting=118 offsetting=125\n"
    )
    text += "new capcontrol.q capacitor=q element=line.l0 terminal=2 type=kvar onsetting=150 offsetting=-225\n" + TAIL
    model = imported(tmp_path, text)
    capacitors = {capacitor.id: capacitor for capacitor in model.capacitors}
    base = 12470 / 3**0.5
    assert capacitors[ElementId("capacitor.k")].v_on_pu == pytest.approx(118 * 60 / base, rel=1e-6)
    assert capacitors[ElementId("capacitor.k")].v_off_pu == pytest.approx(125 * 60 / base, rel=1e-6)
    assert capacitors[ElementId("capacitor.q")].v_on_pu is None
    assert any(note.startswith("capcontrol.q: switches capacitor.q by kvar") for note in model.notes)


def test_a_report_that_fails_does_not_refuse_the_deck(tmp_path: Path) -> None:
    model = imported(tmp_path, HEAD + LOADS + TAIL + "buscoords nowhere.csv\nrelcalc\n")
    assert len(model.loads) == 3
    assert any(note.startswith("deck.dss:") and "buscoords" not in note.split()[0] for note in model.notes)


def test_controls_that_never_rest_are_noted() -> None:
    notes = import_opendss(FOLDER / "hunting_controls.dss").notes
    assert "circuit: the controls of the deck do not come to rest: carried where they stood" in notes
