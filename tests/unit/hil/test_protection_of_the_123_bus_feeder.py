"""Fuse saving, sectionalising and single-pole tripping behind the recloser line.sw4 of the real plant."""

from dataclasses import replace
from math import exp
from pathlib import Path

import numpy as np
import pytest

from adms.client import InputError
from hil.overlay import read_overlay
from hil.plant.circuit import build_circuit
from hil.plant.curves import DefiniteTime, FuseLink, link_from_ratios
from hil.plant.fault_plan import Fault, FaultStage
from hil.plant.fuse import FuseSettings
from hil.plant.incident_plan import IncidentPlan
from hil.plant.plant import Plant
from hil.plant.protection import DevicePlan
from hil.plant.recloser import Overcurrent, RecloserSettings
from hil.plant.sectionaliser import SectionaliserSettings
from tests.unit.hil.bench_case import FILES, small_feeder, steady_scenario

RECLOSER, LATERAL = "line.sw4", "line.l72"
FAST_S, SLOW_S, COOLING_S = 0.05, 0.45, 20.0
"""The feeder breaker before it trips after 0.5 s."""
DEAD_S = (0.5, 2.0, 5.0)

FUSE_SAVING = RecloserSettings(
    sequence=("fast", "fast", "slow", "slow"),
    dead_s=DEAD_S,
    phase=Overcurrent(pickup_a=640.0, fast=DefiniteTime(delay_s=FAST_S), slow=DefiniteTime(delay_s=SLOW_S)),
    ground=None,
    reclaim_s=30.0,
    manual_block_s=1.0,
)
LINK = link_from_ratios(melt_300s_a=310.0, ratio_10s=1.6, ratio_100ms=13.0, clear_over_melt=1.2, arcing_s=0.02)


def lateral_fault(*, clears_after_dead_s: float | None = None) -> Fault:
    """Phase 3 of the lateral to buses 73, 74 and 75, half way along its first line."""
    stage = FaultStage(kind="LG", phases=(3,), r_fault_ohm=0.05)
    return Fault(
        name="f", line=LATERAL, at_frac=0.5, stages=(stage,), time_s=10.0, clears_after_dead_s=clears_after_dead_s
    )


def plant_of(fault: Fault, devices: DevicePlan) -> Plant:
    circuit = build_circuit(FILES.deck, overlay=read_overlay(FILES.overlay), faults=[fault])
    return Plant(
        circuit,
        scenario=steady_scenario(),
        seed=1,
        coordinates={"1": (0.0, 0.0), "2": (1.0, 1.0)},
        fault=None,
        incidents=IncidentPlan(devices=devices),
    )


def fused(link: FuseLink = LINK, *, clears_after_dead_s: float | None = None) -> Plant:
    devices = DevicePlan(
        reclosers={RECLOSER: FUSE_SAVING}, fuses={LATERAL: FuseSettings(link=link, cooling_s=COOLING_S)}
    )
    plant = plant_of(lateral_fault(clears_after_dead_s=clears_after_dead_s), devices)
    plant.advance(80.0)
    return plant


def told(plant: Plant, *whats: str) -> list[tuple[float, str, str]]:
    return [(round(e.time_s, 3), e.element, e.what) for e in plant.events if e.what in whats]


def test_the_fuse_outlasts_the_fast_trips_and_clears_before_the_slow_one() -> None:
    plant = fused()
    # The current by OpenDSS alone: the same fault on a plant of its own that stands still.
    still = build_circuit(FILES.deck, overlay=read_overlay(FILES.overlay), faults=[lateral_fault()])
    for regulator, position in plant.taps.items():
        still.set_tap(regulator, position=position)
    still.engine.command("fault.hil_1_1.enabled=yes")
    assert still.engine.solve()
    i_a = abs(still.engine.flows(LATERAL, terminal=0)[0][0])
    melt_s, clear_s = LINK.melt_s(i_a), LINK.clear.time_s(i_a)
    assert FAST_S < melt_s < clear_s < SLOW_S
    # By hand: heat of two fast trips, cooled over the dead times after each, the rest of the melting, the arcing.
    heat = (FAST_S / melt_s * exp(-DEAD_S[0] / COOLING_S) + FAST_S / melt_s) * exp(-DEAD_S[1] / COOLING_S)
    third_s = 10.0 + FAST_S + DEAD_S[0] + FAST_S + DEAD_S[1]
    blows_s = third_s + (1.0 - heat) * melt_s + clear_s - melt_s
    assert told(plant, "trip", "reclose", "lockout") == [
        (10.05, RECLOSER, "trip"),
        (10.55, RECLOSER, "reclose"),
        (10.6, RECLOSER, "trip"),
        (12.6, RECLOSER, "reclose"),
    ]
    ((at_s, element, _),) = told(plant, "fuse")
    assert element == LATERAL
    # 1 % of current moves melting by 2 %; regulators may stand a step (0.6 %) apart.
    assert at_s == pytest.approx(blows_s, abs=0.01)
    assert plant.closed[RECLOSER]
    assert plant.gear.open_poles == {LATERAL: frozenset({3})}


def test_only_the_customers_of_the_lateral_stay_off() -> None:
    plant = fused()
    off = {load.name for load, live in zip(plant.circuit.loads, plant.load_live(), strict=True) if not live}
    assert off == {"load.s73c", "load.s74c", "load.s75c"}
    assert plant.node_v("75", phase=3) < 1.0
    assert plant.node_v("72", phase=3) > 2000.0


def test_a_temporary_fault_is_saved_from_the_fuse() -> None:
    plant = fused(clears_after_dead_s=0.4)
    assert told(plant, "trip", "cleared", "reclose", "fuse", "lockout") == [
        (10.05, RECLOSER, "trip"),
        (10.45, LATERAL, "cleared"),
        (10.55, RECLOSER, "reclose"),
    ]
    assert plant.customers_off() == 0
    assert plant.gear.open_poles == {}


def test_a_fuse_that_is_too_small_blows_before_the_recloser_moves() -> None:
    small = link_from_ratios(melt_300s_a=50.0, ratio_10s=1.3, ratio_100ms=7.0, clear_over_melt=1.2, arcing_s=0.01)
    plant = fused(small, clears_after_dead_s=0.4)
    assert told(plant, "trip", "lockout") == []
    assert len(told(plant, "fuse")) == 1


def test_without_the_fuse_the_recloser_locks_out() -> None:
    plant = plant_of(lateral_fault(), DevicePlan(reclosers={RECLOSER: FUSE_SAVING}))
    plant.advance(40.0)
    # Trips after 0.05, 0.05, 0.45 and 0.45 s, dead times of 0.5, 2 and 5 s between them.
    assert told(plant, "lockout") == [(18.5, RECLOSER, "lockout")]
    assert plant.incidents.status(RECLOSER).targets == {3}


def test_a_sectionaliser_gives_the_recloser_back_to_the_others() -> None:
    settings = SectionaliserSettings(count_a=800.0, counts=2, opens_after_s=0.3, forgets_after_s=60.0)
    plant = plant_of(lateral_fault(), DevicePlan(sectionalisers={"switch.s_l67": settings}))
    plant.advance(80.0)
    # line.sw4 as the overlay has it: 0.2 s, dead times of 2 s and 5 s. Second trip at 12.4, open 0.3 s later, and the
    # reclosing at 17.4 holds.
    assert told(plant, "trip", "reclose", "sectionalise", "lockout") == [
        (10.2, RECLOSER, "trip"),
        (12.2, RECLOSER, "reclose"),
        (12.4, RECLOSER, "trip"),
        (12.7, "switch.s_l67", "sectionalise"),
        (17.4, RECLOSER, "reclose"),
    ]
    assert plant.closed[RECLOSER]
    assert not plant.closed["switch.s_l67"]
    assert ("67", 3) in plant.live
    assert ("72", 3) not in plant.live


def test_single_pole_tripping_keeps_the_other_phases_supplied() -> None:
    plant = plant_of(lateral_fault(), DevicePlan(reclosers={RECLOSER: replace(FUSE_SAVING, single_pole=True)}))
    plant.advance(11.0)
    assert plant.closed[RECLOSER]
    assert plant.gear.open_poles == {RECLOSER: frozenset({3})}
    assert plant.incidents.status(RECLOSER).closed == {1, 2}
    assert [("67", phase) in plant.live for phase in (1, 2, 3)] == [True, True, False]
    current = np.abs(plant.flow(RECLOSER, side=0)[0])
    assert (current[:2] > 50.0).all()
    assert current[2] < 1e-3
    plant.advance(40.0)  # the lockout opens all three
    assert not plant.closed[RECLOSER]
    assert plant.gear.open_poles == {}


def test_devices_that_do_not_fit_the_feeder_are_all_named() -> None:
    devices = DevicePlan(
        reclosers={"line.l1": FUSE_SAVING},
        fuses={"line.zz": FuseSettings(link=LINK, cooling_s=1.0), "line.l1": FuseSettings(link=LINK, cooling_s=1.0)},
    )
    with pytest.raises(InputError) as refused:
        plant_of(lateral_fault(), devices)
    assert {(problem.element, problem.field) for problem in refused.value.problems} == {
        ("line.l1", "recloser"),
        ("line.l1", "device"),
        ("line.zz", "fuse"),
    }


def test_a_feeder_without_a_switch_is_supplied_all_the_same(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    circuit = build_circuit(deck, overlay=replace(overlay, switches=(), sources=()))
    plant = Plant(circuit, scenario=steady_scenario(), seed=1, coordinates={"head": (0.0, 0.0)}, fault=None)
    assert ("c", 1) in plant.live
    assert plant.customers_off() == 0


@pytest.mark.parametrize("at_frac", [0.2, 0.8])
@pytest.mark.parametrize(
    ("kind", "phases"), [("LG", (2,)), ("LL", (1, 3)), ("LLG", (1, 2)), ("LLL", (1, 2, 3)), ("LLLG", (1, 2, 3))]
)
def test_every_kind_of_fault_carries_what_the_short_circuit_matrix_of_opendss_gives(
    kind: str, phases: tuple[int, ...], at_frac: float
) -> None:
    """Thevenin at the place: OpenDSS' own short-circuit impedance matrix and open-circuit voltages, without loads."""
    r_ohm = 0.5
    stage = FaultStage(kind=kind, phases=phases, r_fault_ohm=r_ohm)
    fault = Fault(name="f", line="line.l67", at_frac=at_frac, stages=(stage,), time_s=None)
    circuit = build_circuit(FILES.deck, overlay=read_overlay(FILES.overlay), faults=[fault])
    engine, place = circuit.engine, circuit.fault_places["f"]
    for idle in ("load", "generator"):
        engine.command(f"batchedit {idle}..* enabled=no")
    assert engine.solve()
    names = engine.node_names()
    v_open = engine.voltages()[[names.index((place.bus, phase)) for phase in (1, 2, 3)]]
    dss = engine._dss.ActiveCircuit  # the bench itself has no use for this matrix
    dss.SetActiveBus(place.bus)
    assert dss.ActiveBus.ZscRefresh()
    flat = np.array(dss.ActiveBus.ZscMatrix)
    z_ohm = (flat[0::2] + 1j * flat[1::2]).reshape(3, 3)
    # The fault as admittances: to ground, or between each two of its phases.
    y = np.zeros((3, 3), dtype=np.complex128)
    hit = [phase - 1 for phase in phases]
    if stage.grounded:
        y[hit, hit] = 1.0 / r_ohm
    else:
        for p in hit:
            for q in hit:
                y[p, q] = (len(hit) - 1) / r_ohm if p == q else -1.0 / r_ohm
    expected_a = y @ np.linalg.solve(np.eye(3) + z_ohm @ y, v_open)
    for element in place.elements[0]:
        engine.command(f"{element}.enabled=yes")
    assert engine.solve()
    into_line = engine.flows("line.l67", terminal=1)[0]
    beyond = engine.flows("line.hil_part_1", terminal=0)[0]
    # What leaves both parts of the line at the place flows into the fault.
    assert -(into_line + beyond) == pytest.approx(expected_a, rel=1e-7, abs=1e-4)
