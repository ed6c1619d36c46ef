"""A study applied to two feeders. Expected values by hand: loads of 40 kW and 20 kvar (`small_networks`)."""

from dataclasses import replace

import pytest

from adms.core.errors import InputError
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.faults import FaultKind
from adms.grid.model import Capacitor, Der, DerKind, NetworkModel, NodeRef, TapChanger
from adms.grid.study import Chosen, DerChange, FaultEvent, Forecast, LoadChange, NewDer, Quantity, Study
from adms.grid.study_applied import apply_study
from tests.unit.grid.small_networks import matrix, nodes, two_feeders
from tests.unit.powerflow.networks import bus, source

PV = Der(
    id=ElementId("der.pv"),
    kind=DerKind.PV,
    pairs=((NodeRef(BusId("b"), 1), None),),
    s_max_va=10e3,
    p_max_w=8e3,
    p_min_w=0.0,
    q_max_var=5e3,
    v_nominal_v=2400.0,
)
NEW = replace(PV, id=ElementId("der.new"), pairs=(), v_nominal_v=0.0, normal_q_injection_var=4e3)


def _model() -> NetworkModel:
    model = two_feeders()
    taps = TapChanger(terminal=1, step_pu=0.01, min_position=-5, max_position=5, normal_position=0)
    bank = Capacitor(
        id=ElementId("capacitor.k"),
        nodes=nodes("b", (1,)),
        y_step_siemens=matrix([[1e-3]]),
        steps=2,
        normal_steps=2,
        rating_var=6e3,
    )
    branches = (model.branches[0], replace(model.branches[1], taps=taps), *model.branches[2:])
    loads = tuple(replace(load, load_class=c) for load, c in zip(model.loads, ("home", "home", "shop"), strict=True))
    buses = tuple(replace(bus, zone="east" if bus.id in ("c", "e") else "west") for bus in model.buses)
    return replace(model, buses=buses, branches=branches, loads=loads, capacitors=(bank,), ders=(PV,))


def _powers(study: Study) -> dict[str, float]:
    return {load.id: load.p_w for load in apply_study(_model(), study).model.loads}


def test_an_empty_study_is_the_model_in_its_normal_state() -> None:
    applied = apply_study(_model(), Study(name="nothing"))
    assert applied.model == _model()
    assert applied.grid.closed[ElementId("switch.x2")] is False


def test_positions_are_those_that_it_says() -> None:
    study = Study(
        name="s", opened=("x1",), closed=("switch.X2",), taps=(("line.bc", 3),), capacitors=(("capacitor.k", 0),)
    )
    grid = apply_study(_model(), study).grid
    assert (grid.closed[ElementId("switch.x1")], grid.closed[ElementId("switch.x2")]) == (False, True)
    assert grid.tap_position[ElementId("line.bc")] == 3
    assert grid.capacitor_steps[ElementId("capacitor.k")] == 0


def test_an_element_goes_before_its_class_that_before_its_zone_and_that_before_the_default() -> None:
    changes = (
        LoadChange(chosen=Chosen(element="load.b"), p_w=1e3),
        LoadChange(chosen=Chosen(load_class="home"), scale_frac=0.5),
        LoadChange(chosen=Chosen(zone="east"), scale_frac=2.0),
        LoadChange(chosen=Chosen(default=True), scale_frac=3.0),
    )
    assert _powers(Study(name="s", loads=changes)) == {"load.b": 1e3, "load.c": 20e3, "load.e": 80e3}
    assert _powers(Study(name="s", loads=changes[3:])) == dict.fromkeys(("load.b", "load.c", "load.e"), 120e3)


def test_a_new_der_stands_on_the_phases_of_its_bus() -> None:
    study = Study(name="s", new_ders=(NewDer(der=NEW, bus=BusId("C"), phases=(), delta=True),))
    new = apply_study(_model(), study).model.ders[-1]
    assert [(fr.phase, to.phase) for fr, to in new.pairs if to is not None] == [(1, 2), (2, 3), (3, 1)]
    assert new.v_nominal_v == pytest.approx(2400.0 * 3**0.5)


def test_a_new_der_on_a_phase_twice_is_refused() -> None:
    study = Study(name="s", new_ders=(NewDer(der=NEW, bus=BusId("c"), phases=(1, 1), delta=False),))
    with pytest.raises(InputError, match="a phase twice"):
        apply_study(_model(), study)


def test_forecasts_hold_until_their_next_value_and_are_shared_by_the_parts_of_a_device() -> None:
    study = Study(
        name="s",
        new_ders=(NewDer(der=NEW, bus=BusId("c"), phases=(1, 2), delta=False),),
        forecasts=(
            Forecast(chosen=Chosen(default=True), quantity=Quantity.SCALE, times_s=(0.0, 900.0), values=(0.5, 0.25)),
            Forecast(chosen=Chosen(element="load.b"), quantity=Quantity.LOAD_P, times_s=(900.0,), values=(8e3,)),
            Forecast(
                chosen=Chosen(der_kind=DerKind.PV), quantity=Quantity.DER_AVAILABLE, times_s=(60.0,), values=(0.5,)
            ),
        ),
        step_s=450.0,
        steps=3,
    )
    # Each injector at nominal voltage: a load draws, so it is negative. load.b: 40 kW + 20 kvar by 0.5, and later 8 kW
    # with its power factor by 0.25; der.new: 0.5 of 8 kW, 4 kvar, over two phases.
    applied = apply_study(_model(), study)
    arrays = NetworkArrays(applied.model, version=ModelVersion("test"))
    s_va = applied.s_over_time_va(arrays)
    row = arrays.injector_rows
    assert s_va[row[ElementId("load.b")][0]].tolist() == [-20e3 - 10e3j, -20e3 - 10e3j, -2e3 - 1e3j]
    assert s_va[row[ElementId("der.pv")][0]].tolist() == [0.0, 4e3, 4e3]
    assert s_va[row[ElementId("der.new")]].tolist() == [[2e3j, 2e3 + 2e3j, 2e3 + 2e3j]] * 2


def test_a_fault_in_a_branch_is_at_its_nearer_end() -> None:
    fault = FaultEvent(
        branch="bc", at_frac=0.9, kind=FaultKind.LINE_GROUND, phases=(2,), r_fault_ohm=1.0, start_s=0.0, clear_s=None
    )
    (placed,) = apply_study(_model(), Study(name="s", faults=(fault,))).faults
    assert (placed.element, placed.fault.bus) == ("line.bc", "c")


@pytest.mark.parametrize(
    ("kind", "phases", "message"),
    [
        (FaultKind.LINE_GROUND, (1,), "only three-phase faults"),
        (FaultKind.LINE_LINE, (0, 0), "only three-phase faults"),
        (FaultKind.THREE_PHASE, (1, 2, 3), "phase 0 only"),
        (FaultKind.THREE_PHASE, (0,), None),
        (FaultKind.THREE_PHASE_GROUND, (), None),
    ],
)
def test_a_balanced_network_has_three_phase_faults_only(
    kind: FaultKind, phases: tuple[int, ...], message: str | None
) -> None:
    balanced = NetworkModel(
        name="balanced",
        frequency_hz=50.0,
        buses=(bus("1", phases=(0,)),),
        sources=(source("source.main", "1", phases=(0,)),),
        branches=(),
        capacitors=(),
        loads=(),
        ders=(),
    )
    event = FaultEvent(bus="1", kind=kind, phases=phases, r_fault_ohm=0.0, start_s=0.0, clear_s=None)
    study = Study(name="s", faults=(event,))
    if message is None:
        assert apply_study(balanced, study).faults[0].fault.bus == "1"
    else:
        with pytest.raises(InputError, match=message):
            apply_study(balanced, study)


def test_an_empty_name_is_no_name_and_not_the_default() -> None:
    for chosen in (Chosen(element=""), Chosen(load_class=""), Chosen(zone="")):
        study = Study(name="s", loads=(LoadChange(chosen=chosen, scale_frac=0.0),))
        with pytest.raises(InputError, match="no such"):
            apply_study(_model(), study)
    nowhere = FaultEvent(kind=FaultKind.THREE_PHASE, r_fault_ohm=0.0, start_s=0.0, clear_s=None)
    with pytest.raises(InputError, match="needs one of branch, section and bus"):
        apply_study(_model(), Study(name="s", faults=(nowhere,)))


def test_every_problem_of_a_study_is_told_at_once_with_near_names() -> None:
    fault = FaultEvent(bus="e", kind=FaultKind.LINE_LINE, phases=(1, 2), r_fault_ohm=0.0, start_s=0.0, clear_s=None)
    study = Study(
        name="s",
        opened=("switch.x9", "x1"),
        closed=("switch.x1",),
        taps=(("line.bc", 9),),
        capacitors=(("capacitor.k", 3),),
        loads=(LoadChange(chosen=Chosen(load_class="homes"), p_w=1.0),),
        ders=(DerChange(chosen=Chosen(element="der.pv"), p_injection_w=9e3),),
        new_ders=(NewDer(der=replace(NEW, id=ElementId("der.pv")), bus=BusId("nowhere"), phases=(), delta=False),),
        faults=(fault,),
    )
    with pytest.raises(InputError) as refused:
        apply_study(_model(), study)
    told = {(problem.element, problem.field): problem.message for problem in refused.value.problems}
    assert "near: switch.x" in told["switch.x9", "open"]
    assert told["switch.x1", "close"] == "is to be opened and closed"
    assert told["line.bc", "position"] == "must be -5 to 5"
    assert told["capacitor.k", "steps"] == "must be 0 to 2"
    assert "near: home" in told["homes", "class"]
    assert told["der.pv", "p_injection_w"] == "must be 0 to 8000 W"
    assert told["der.pv", "element"] == "this id is taken"
    assert "no such bus" in told["der.pv", "bus"]
    assert told["fault at e", "phases"] == "there are only phases 1"
