"""What makes a model unusable."""

import math
from dataclasses import replace
from typing import Any

import pytest

from adms.core.ids import BusId, ElementId
from adms.grid.model import (
    Branch,
    BranchKind,
    Capacitor,
    ComplexMatrix,
    Der,
    DerKind,
    NetworkModel,
    NodeRef,
    TapChanger,
    TapPrimitive,
    VoltageLaw,
)
from adms.grid.plausibility import oddities
from adms.grid.validation import check
from tests.unit.grid.small_networks import bus, line, load, matrix, nodes, switch, two_ends, two_feeders

SOUND = two_feeders()
TAPS = TapChanger(terminal=1, step_pu=0.00625, min_position=-16, max_position=16, normal_position=0)
BANK = Capacitor(
    id=ElementId("capacitor.k"),
    nodes=nodes("b", (1,)),
    y_step_siemens=matrix([[1e-3]]),
    steps=1,
    normal_steps=1,
    rating_var=6e3,
)
BATTERY = Der(
    id=ElementId("der.k"),
    kind=DerKind.BATTERY,
    pairs=((NodeRef(BusId("b"), 1), None),),
    s_max_va=110e3,
    p_max_w=100e3,
    p_min_w=-100e3,
    q_max_var=48.4e3,
    v_nominal_v=2400.0,
    energy_wh=200e3,
)


def _with_branch(**changes: Any) -> NetworkModel:
    branches = list(SOUND.branches)
    branches[1] = replace(branches[1], **changes)
    return replace(SOUND, branches=tuple(branches))


def _with_gear(**changes: Any) -> NetworkModel:
    first = SOUND.branches[0]
    assert first.switch is not None
    changed = replace(first, switch=replace(first.switch, **changes))
    return replace(SOUND, branches=(changed, *SOUND.branches[1:]))


def _with_source(**changes: Any) -> NetworkModel:
    return replace(SOUND, sources=(replace(SOUND.sources[0], **changes), SOUND.sources[1]))


def _with_load(**changes: Any) -> NetworkModel:
    return replace(SOUND, loads=(replace(SOUND.loads[0], **changes),))


def _with_bus(**changes: Any) -> NetworkModel:
    return replace(SOUND, buses=(replace(SOUND.buses[0], **changes), *SOUND.buses[1:]))


def test_a_sound_model_has_no_problems() -> None:
    full = replace(_with_branch(kind=BranchKind.REGULATOR, taps=TAPS), capacitors=(BANK,), ders=(BATTERY,))
    assert check(full) == ()


def _pole(name: str, phase: int) -> Branch:
    pole = switch(name, "b", "c", (phase,))
    assert pole.switch is not None
    return replace(pole, switch=replace(pole.switch, group="switch.p"))


WRONG: dict[str, tuple[NetworkModel, str, str]] = {
    "a bus id twice": (replace(SOUND, buses=(*SOUND.buses, bus("a"))), "a", "id"),
    "an element id twice": (
        replace(SOUND, branches=(*SOUND.branches, line("load.b", "a", "b"))),
        "load.b",
        "id",
    ),
    "an empty id": (replace(SOUND, loads=(load("", "b"),)), "element", "id"),
    "no branches": (replace(SOUND, branches=()), "model", "branches"),
    "no sources": (replace(SOUND, sources=()), "model", "sources"),
    "a frequency of zero": (replace(SOUND, frequency_hz=0.0), "model", "frequency_hz"),
    "an unknown bus": (_with_branch(terminals=(nodes("b"), nodes("z"))), "line.bc", "terminals"),
    "a phase that the bus lacks": (replace(SOUND, loads=(load("load.e", "e", 2),)), "load.e", "pairs"),
    "an empty terminal": (
        _with_branch(terminals=(nodes("b"), ()), y_primitive_siemens=matrix([[1.0] * 3] * 3)),
        "line.bc",
        "terminals",
    ),
    "a terminal at two buses": (
        _with_branch(terminals=((*nodes("b", (1, 2)), *nodes("c", (3,))), nodes("c"))),
        "line.bc",
        "terminals",
    ),
    "a matrix of the wrong size": (
        _with_branch(y_primitive_siemens=matrix([[1.0]])),
        "line.bc",
        "y_primitive_siemens",
    ),
    "a matrix with a NaN": (
        _with_branch(y_primitive_siemens=matrix([[math.nan] * 6] * 6)),
        "line.bc",
        "y_primitive_siemens",
    ),
    "a negative length": (_with_branch(length_m=-1.0), "line.bc", "length_m"),
    "an emergency rating below the normal one": (
        _with_branch(rating_a=400.0, rating_emergency_a=300.0),
        "line.bc",
        "rating_emergency_a",
    ),
    "gear on a line": (_with_branch(switch=SOUND.branches[0].switch), "line.bc", "switch"),
    "a switch without gear": (_with_branch(kind=BranchKind.SWITCH), "line.bc", "switch"),
    "a switch with unmatched phases": (
        replace(
            SOUND,
            branches=(
                *SOUND.branches,
                replace(switch("switch.y", "b", "c", (1,)), terminals=(nodes("b", (1,)), nodes("c", (2,)))),
            ),
        ),
        "switch.y",
        "terminals",
    ),
    "a switch between two voltages": (
        _with_bus(v_base_v=277.0),
        "switch.x1",
        "terminals",
    ),
    "a line between two voltages": (
        replace(SOUND, buses=tuple(replace(b, v_base_v=277.0) if b.id == "c" else b for b in SOUND.buses)),
        "line.bc",
        "terminals",
    ),
    "a line that joins different phases": (
        _with_branch(terminals=(nodes("b", (1, 2)), nodes("c", (2, 3))), y_primitive_siemens=two_ends(1.0, count=2)),
        "line.bc",
        "terminals",
    ),
    "a line of negative resistance": (
        _with_branch(y_primitive_siemens=two_ends(-1.0, count=3)),
        "line.bc",
        "y_primitive_siemens",
    ),
    "a line of negative reactance": (
        _with_branch(y_primitive_siemens=ComplexMatrix(re=two_ends(1.0, count=3).re, im=two_ends(1.0, count=3).re)),
        "line.bc",
        "y_primitive_siemens",
    ),
    "a line without an admittance": (
        _with_branch(y_primitive_siemens=two_ends(0.0, count=3)),
        "line.bc",
        "y_primitive_siemens",
    ),
    "a source without an admittance": (
        _with_source(y_primitive_siemens=matrix([[0.0] * 3] * 3)),
        "source.s1",
        "y_primitive_siemens",
    ),
    "a node on no element": (replace(SOUND, buses=(*SOUND.buses, bus("z", (2, 3)))), "z", "phases"),
    "a DER that no switch position connects": (
        replace(
            SOUND,
            buses=(*SOUND.buses, bus("y", (1,)), bus("z", (1,))),
            branches=(*SOUND.branches, line("line.yz", "y", "z", (1,))),
            ders=(replace(BATTERY, pairs=((NodeRef(BusId("z"), 1), None),)),),
        ),
        "der.k",
        "pairs",
    ),
    "a balanced node beside phases": (_with_bus(phases=(0, 1, 2, 3)), "a", "phases"),
    "a phase of astronomic number": (_with_bus(phases=(1, 2, 3, 10**40)), "a", "phases"),
    "a line of 4,000 km": (_with_branch(length_m=4e6), "line.bc", "length_m"),
    "a base voltage in kV": (_with_bus(v_base_v=2.4), "a", "v_base_v"),
    "a base voltage in mV": (_with_bus(v_base_v=2.4e6), "a", "v_base_v"),
    "a rating in kA": (_with_branch(rating_a=0.4), "line.bc", "rating_a"),
    "an impedance that no metre of conductor has": (
        _with_branch(length_m=2.0, y_primitive_siemens=two_ends(1e-4, count=3)),
        "line.bc",
        "y_primitive_siemens",
    ),
    "a load of 40 GW": (_with_load(p_w=40e9), "load.b", "p_w"),
    "a load's nominal voltage in kV": (_with_load(v_nominal_v=2.4), "load.b", "v_nominal_v"),
    "a source voltage in volts": (_with_source(v_magnitude_pu=(2400.0,) * 3), "source.s1", "v_magnitude_pu"),
    "two poles of one phase": (
        replace(
            SOUND,
            branches=(
                *SOUND.branches,
                *(_pole(name, phase) for name, phase in (("switch.p1", 1), ("switch.p2", 2), ("switch.p3", 2))),
            ),
        ),
        "switch.p1",
        "switch.group",
    ),
    "a tap table with a gap": (
        _with_branch(
            kind=BranchKind.REGULATOR,
            taps=replace(
                TAPS,
                min_position=0,
                max_position=2,
                primitives=tuple(TapPrimitive(position=k, y_primitive_siemens=two_ends(1.0, count=3)) for k in (0, 2)),
            ),
        ),
        "line.bc",
        "taps.primitives",
    ),
    "a million taps": (
        _with_branch(kind=BranchKind.REGULATOR, taps=replace(TAPS, max_position=10**6)),
        "line.bc",
        "taps.max_position",
    ),
    "more customers than people": (_with_load(customers=10**12), "load.b", "customers"),
    "a DER that injects no number": (
        replace(SOUND, ders=(replace(BATTERY, normal_p_injection_w=math.nan),)),
        "der.k",
        "normal_p_injection_w",
    ),
    "a relay without a delay": (_with_gear(pickup_a=600.0), "switch.x1", "trip_delay_s"),
    "a travel time of zero": (_with_gear(travel_s=0.0), "switch.x1", "travel_s"),
    "a tap beyond its stops": (
        _with_branch(kind=BranchKind.REGULATOR, taps=replace(TAPS, normal_position=17)),
        "line.bc",
        "taps.normal_position",
    ),
    "taps on a terminal that is not there": (
        _with_branch(kind=BranchKind.REGULATOR, taps=replace(TAPS, terminal=2)),
        "line.bc",
        "taps.terminal",
    ),
    "voltage limits that do not rise": (_with_bus(v_min_pu=1.06), "a", "voltage limits"),
    "a bus without phases": (_with_bus(phases=()), "a", "phases"),
    "a base voltage of zero": (_with_bus(v_base_v=0.0), "a", "v_base_v"),
    "too few source voltages": (_with_source(v_magnitude_pu=(1.0,)), "source.s1", "v_magnitude_pu"),
    "a source angle that is no number": (
        _with_source(v_angle_rad=(math.nan, 0.0, 0.0)),
        "source.s1",
        "v_angle_rad",
    ),
    "ZIP shares that are not one": (
        _with_load(law=VoltageLaw(z_frac=0.5, p_frac=1.0)),
        "load.b",
        "law.z_frac + i_frac + p_frac + e_frac",
    ),
    "an infinite load": (_with_load(p_w=math.inf), "load.b", "p_w"),
    "a load without pairs": (_with_load(pairs=()), "load.b", "pairs"),
    "a pair from a node to itself": (
        _with_load(pairs=((NodeRef(BusId("b"), 1), NodeRef(BusId("b"), 1)),)),
        "load.b",
        "pairs",
    ),
    "more capacitor steps than there are": (
        replace(SOUND, capacitors=(replace(BANK, normal_steps=2),)),
        "capacitor.k",
        "normal_steps",
    ),
    "half a capacitor control": (
        replace(SOUND, capacitors=(replace(BANK, v_on_pu=0.97),)),
        "capacitor.k",
        "v_off_pu",
    ),
    "a DER beyond its apparent power": (replace(SOUND, ders=(replace(BATTERY, p_max_w=200e3),)), "der.k", "p_max_w"),
    "a default that the DER cannot do": (
        replace(SOUND, ders=(replace(BATTERY, default_p_injection_w=105e3),)),
        "der.k",
        "default_p_injection_w",
    ),
    "an efficiency above one": (
        replace(SOUND, ders=(replace(BATTERY, efficiency_frac=1.1),)),
        "der.k",
        "efficiency_frac",
    ),
    "two interfaces": (
        replace(SOUND, sources=tuple(replace(s, interface=True) for s in SOUND.sources)),
        "model",
        "sources",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_it_is_found_where_it_is(what: str) -> None:
    model, element, field = WRONG[what]
    assert (element, field) in {(problem.element, problem.field) for problem in check(model)}


def test_all_problems_are_found_at_once() -> None:
    model = replace(_with_branch(length_m=-1.0, rating_a=0.0), frequency_hz=-50.0)
    found = {(problem.element, problem.field) for problem in check(model)}
    assert found >= {("line.bc", "length_m"), ("line.bc", "rating_a"), ("model", "frequency_hz")}


def test_a_disconnected_load_is_odd_and_no_problem() -> None:
    apart = replace(
        SOUND,
        buses=(*SOUND.buses, bus("y", (1,)), bus("z", (1,))),
        branches=(*SOUND.branches, line("line.yz", "y", "z", (1,))),
        loads=(*SOUND.loads, load("load.z", "z")),
    )
    assert check(apart) == ()
    assert {problem.element for problem in oddities(apart)} == {"load.z", "y", "z"}


def test_what_an_open_switch_could_connect_is_not_odd() -> None:
    assert oddities(SOUND) == ()
    without_second_source = replace(SOUND, sources=SOUND.sources[:1])
    assert oddities(without_second_source) == ()


def test_a_grounded_conductor_at_one_end_is_no_mismatch() -> None:
    four = _with_branch(terminals=(nodes("b"), nodes("c", (1, 2))), y_primitive_siemens=matrix([[1.0] * 5] * 5))
    assert ("line.bc", "terminals") not in {(problem.element, problem.field) for problem in check(four)}


@pytest.mark.parametrize(
    ("model", "element"),
    [
        (_with_branch(terminals=(nodes("b"), nodes("c", (2, 3, 1)))), "line.bc"),
        (_with_branch(length_m=5.0, y_primitive_siemens=two_ends(0.1, count=3)), "line.bc"),
        (_with_load(v_nominal_v=240.0), "load.b"),
        (_with_source(v_magnitude_pu=(0.5,) * 3), "source.s1"),
        (_with_branch(kind=BranchKind.REGULATOR, taps=replace(TAPS, step_pu=0.05)), "line.bc"),
    ],
    ids=["crossed phases", "2,000 ohm per km", "a tenth of the nominal voltage", "half a source", "taps of 80 %"],
)
def test_odd_values_are_told_and_used(model: NetworkModel, element: str) -> None:
    assert check(model) == ()
    assert element in {problem.element for problem in oddities(model)}
