from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hil.arms import run_idle
from hil.plant.circuit import build_circuit
from hil.plant.plant import Plant
from hil.plant.protection import why_it_never_trips
from hil.record import Trace
from hil.scenario import FaultEvent
from tests.unit.hil.bench_case import bench, small_circuit, small_feeder, steady_scenario


def small_plant(folder: Path, *, fault_s: float | None = None) -> Plant:
    fault = FaultEvent(time_s=fault_s, line="line.b", kind="three_phase") if fault_s is not None else None
    circuit = small_circuit(folder, fault="line.b" if fault else None)
    return Plant(circuit, scenario=steady_scenario(), seed=1, coordinates={"head": (0.0, 0.0)}, fault=fault)


def test_a_permanent_fault_runs_through_all_shots_and_locks_out(tmp_path: Path) -> None:
    plant = small_plant(tmp_path, fault_s=10.0)
    plant.advance(40.0)
    mine = [(round(e.time_s, 1), e.what) for e in plant.events if e.element == "switch.breaker"]
    # By hand: trip after 0.2 s, dead times 2 s and 5 s from the scenario, trip 0.2 s after each closing.
    assert mine == [
        (10.0, "indicator"),
        (10.2, "trip"),
        (10.2, "opened"),
        (12.2, "reclose"),
        (12.2, "closed"),
        (12.4, "trip"),
        (12.4, "opened"),
        (17.4, "reclose"),
        (17.4, "closed"),
        (17.6, "trip"),
        (17.6, "opened"),
        (17.6, "lockout"),
    ]
    assert plant.relays["switch.breaker"].lockout
    assert plant.indicators == {"switch.breaker": True, "switch.ab": True, "switch.bc": False}


def test_closing_onto_the_fault_trips_at_once_and_locks_out(tmp_path: Path) -> None:
    plant = small_plant(tmp_path, fault_s=10.0)
    plant.advance(40.0)
    plant.operate_switch("switch.breaker", closed=True)
    plant.advance(45.0)
    assert not plant.closed["switch.breaker"]
    assert plant.relays["switch.breaker"].lockout


def test_a_switch_arrives_after_its_travel_time(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    plant.operate_switch("switch.bc", closed=False)
    plant.advance(4.0)
    before = dict(plant.closed)
    plant.advance(5.0)
    assert (before["switch.bc"], plant.closed["switch.bc"]) == (True, False)
    # Load c (300 kW, 60 customers at the default 5 kW each) is off.
    assert plant.customers_off() == 60


def test_dead_loads_draw_nothing_and_dead_nodes_have_no_voltage(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    plant.operate_switch("switch.ab", closed=False)
    plant.advance(10.0)
    assert plant.unsolved == []
    assert plant.node_v("c", phase=1) < 1e-3
    # What is left is load a, 100 kW at nominal voltage; the line takes less than 1 %.
    assert 99e3 < plant.import_w() < 101e3


def test_a_der_on_a_dead_node_stops_and_returns_after_its_delay_with_a_ramp(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    unit = plant.ders["der.battery"]
    unit.p_target_w = 60e3
    plant.advance(10.0)
    assert unit.p_w == 60e3
    plant.operate_switch("switch.bc", closed=False)
    plant.advance(18.0)
    plant.operate_switch("switch.bc", closed=True)
    seen = [(unit.p_w, unit.tripped)]
    for time_s in (80.0, 84.0, 150.0):  # live again at 23 s; the delay is 60 s
        plant.advance(time_s)
        seen.append((unit.p_w, unit.tripped))
    assert seen[0] == seen[1] == (0.0, True)
    assert 0.0 < seen[2][0] < 60e3
    assert not seen[2][1]
    assert seen[3] == (60e3, False)


def test_a_battery_loses_what_it_gives_and_its_losses(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    unit = plant.ders["der.battery"]
    start = unit.soc_frac
    unit.p_target_w = 60e3
    unit.p_w = 60e3
    plant.advance(60.0)
    assert start is not None
    assert unit.soc_frac is not None
    # 60 kW for one minute at 90 % one way out of 100 kWh.
    assert np.isclose(start - unit.soc_frac, 60e3 / 0.9 / 60.0 / 100e3, rtol=1e-6)


def test_cold_load_pickup_adds_demand_after_an_outage(tmp_path: Path) -> None:
    deck, overlay = small_feeder(tmp_path)
    scenario = steady_scenario()
    scenario = replace(scenario, loads=replace(scenario.loads, cold_load_frac=0.5, cold_load_build_s=100.0))
    circuit = build_circuit(deck, overlay=overlay)
    plant = Plant(circuit, scenario=scenario, seed=1, coordinates={"head": (0.0, 0.0)}, fault=None)
    plant.operate_switch("switch.bc", closed=False)
    plant.advance(105.0)
    third = [load.name for load in circuit.loads].index("load.c")
    # 300 kW grown by half of 1 - 1/e after 100 s without supply.
    assert np.isclose(plant.demand_va[third].real, 300e3 * (1 + 0.5 * (1 - np.exp(-1.0))), rtol=0.02)


def test_two_plants_of_one_seed_are_the_same_and_of_two_seeds_are_not() -> None:
    imports = []
    for seed in (1, 1, 2):
        plant = bench(seed=seed).plant()
        plant.advance(30.0)
        imports.append(plant.import_w())
    assert imports[0] == imports[1]
    assert imports[0] != imports[2]


def test_left_alone_the_feeder_of_the_story_locks_out_and_keeps_its_customers_off() -> None:
    trace = run_idle(bench())
    assert [e.element for e in trace.events if e.what == "lockout"] == ["line.sw4"]
    assert trace.customers_off[-1] > 100
    assert max(trace.customers_off[:80]) == 0
    assert all(low > 0.9 and high < 1.08 for low, high in map(trace.live_range, range(80)))


def test_every_step_without_a_solution_is_recorded_with_its_reason(tmp_path: Path) -> None:
    plant = small_plant(tmp_path)
    plant.advance(2.0)
    assert plant.unsolved == []
    plant.circuit.engine.command("set maxiterations=1")
    plant.operate_switch("switch.ab", closed=False)
    plant.advance(3.0)
    trace = Trace(nodes=plant.circuit.nodes)
    trace.take(plant, in_fault=False)
    assert trace.unsolved == [(3.0, "no convergence in 1 iterations")]


@pytest.mark.parametrize(
    ("opened", "relays", "why"),
    [
        ((), ("switch.breaker",), ""),
        (("switch.ab",), ("switch.breaker",), "it had no supply when it failed"),
        ((), ("switch.bc",), "no breaker or recloser stands between it and its source"),
    ],
)
def test_a_fault_place_that_cannot_trip_anything_is_known(
    tmp_path: Path, opened: tuple[str, ...], relays: tuple[str, ...], why: str
) -> None:
    circuit = small_circuit(tmp_path, fault="line.b")
    closed = {switch.id: switch.normally_closed and switch.id not in opened for switch in circuit.overlay.switches}
    assert why_it_never_trips(circuit.fault_nodes, topology=circuit.topology, closed=closed, relays=relays) == why


@pytest.mark.parametrize("line", ["l999", "sw2", "sw7"])
def test_a_switch_a_removed_line_and_one_that_is_not_there_cannot_fail(line: str) -> None:
    with pytest.raises(ValueError, match=f"--fault {line}: the feeder has no line of that name that can fail"):
        bench(fault=line)
