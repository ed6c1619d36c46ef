"""A whole story's incidents from TOML, played on the 123-bus plant."""

import tomllib

from hil.overlay import read_overlay
from hil.plant.circuit import build_circuit
from hil.plant.incident_plan import read_incidents
from hil.plant.plant import Plant
from tests.unit.hil.bench_case import FILES, scenario

STORY = """
[[fault]]
name = "branch"
time_s = 20.0
line = "line.l67"
at_frac = 0.3
kind = "LG"
phases = [2]
r_fault_ohm = 0.5
clears_after_dead_s = 0.5

[[fault]]
name = "lateral"
after = "lockout"
delay_s = 10.0
line = "line.l11"
at_frac = 0.5
kind = "LG"
phases = [1]
r_fault_ohm = 0.05

[[fault]]
name = "trunk"
time_s = 40.0
line = "line.l68"
at_frac = 0.9
kind = "LG"
phases = [3]
r_fault_ohm = 5.0
[[fault.evolves]]
after_s = 0.15
kind = "LLLG"
phases = [1, 2, 3]
r_fault_ohm = 0.05

[[protective_device]]
device = "line.sw4"
type = "recloser"
sequence = ["fast", "slow", "slow"]
dead_s = [1.0, 5.0]
reclaim_s = 10.0
manual_block_s = 5.0
interrupting_s = 0.04
[protective_device.phase]
pickup_a = 640.0
fast = { curve = "definite", delay_s = 0.05 }
slow = { curve = "ieee_very_inverse", dial = 0.1, high_set = { from_multiple = 4.0, delay_s = 0.1 } }
[protective_device.ground]
pickup_a = 320.0
fast = { curve = "definite", delay_s = 0.1 }
slow = { curve = "iec_extremely_inverse", dial = 0.05 }

[[protective_device]]
device = "line.l11"
type = "fuse"
cooling_s = 60.0
link = { melt_300s_a = 128.0, ratio_10s = 1.25, ratio_100ms = 7.2, clear_over_melt = 1.2, arcing_s = 0.02 }

[indicators]
rise_a = 250.0
min_a = 400.0
missing_frac = 0.2
false_frac = 0.1
delay_s = 2.0

[last_gasps]
through_frac = 0.6
after_s = 8.0
delay_min_s = 2.0
delay_max_s = 20.0
"""


def played(*, seed: int) -> Plant:
    plan = read_incidents(tomllib.loads(STORY))
    circuit = build_circuit(FILES.deck, overlay=read_overlay(FILES.overlay), faults=plan.faults)
    coordinates = {"1": (0.0, 0.0), "2": (1.0, 1.0)}
    plant = Plant(circuit, scenario=scenario(), seed=seed, coordinates=coordinates, fault=None, incidents=plan)
    while plant.time_s < 100.0:
        plant.advance(plant.time_s + 2.0)
    return plant


def test_three_faults_of_one_story_come_evolve_and_are_cleared_by_who_should() -> None:
    plant = played(seed=1)
    assert plant.unsolved == []
    told = [(e.element, e.what) for e in plant.events if e.what in ("fault", "evolved", "cleared", "lockout", "fuse")]
    assert told == [
        ("line.l67", "fault"),
        ("line.l67", "cleared"),
        ("line.l68", "fault"),
        ("line.l68", "evolved"),
        ("line.sw4", "lockout"),
        ("line.l11", "fault"),
        ("line.l11", "fuse"),
    ]
    lockout_s = next(e.time_s for e in plant.events if e.what == "lockout")
    lateral_s = next(e.time_s for e in plant.events if e.what == "fault" and e.element == "line.l11")
    assert abs(lateral_s - lockout_s - 10.0) <= 1e-3
    assert plant.incidents.faults.active == ("lateral", "trunk")
    assert not plant.closed["line.sw4"]
    assert plant.closed["line.sw1"]


def test_two_plants_of_one_seed_tell_the_same_story_and_of_two_seeds_do_not() -> None:
    first, second, other = (played(seed=seed) for seed in (1, 1, 2))
    assert first.events == second.events
    assert first.import_w() == second.import_w()
    gasps = [plant.incidents.last_gasps for plant in (first, second, other)]
    heard = [gasp.arrived for gasp in gasps if gasp is not None]
    assert heard[0] == heard[1] != heard[2]
    assert len(heard[0]) > 10
    latched = [[e.element for e in plant.events if e.what == "indicator"] for plant in (first, other)]
    assert latched[0] != latched[1]
