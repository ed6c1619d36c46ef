from pathlib import Path

import pytest

from hil.arms import open_bench
from hil.feeders import FEEDERS, read_coordinates
from hil.meters import Meters
from hil.scenario_file import read_scenario


@pytest.mark.parametrize("name", FEEDERS)
def test_every_feeder_of_the_bench_lives_within_its_limits_without_the_service(name: str) -> None:
    files = FEEDERS[name]
    bench = open_bench(files, scenario=read_scenario(files.scenario), seed=1, fault_line=None, fault_kind=None)
    plant = bench.plant()
    meters = Meters(plant, plan=bench.scenario.meters, seed=1)
    plant.advance(10.0)
    limits = bench.overlay.limits
    assert plant.unsolved == []
    assert plant.v_pu[plant.v_pu > 0.1].min() > limits.v_emergency_min_pu
    assert plant.v_pu.max() < limits.v_emergency_max_pu
    assert meters.scan()
    # A cloud that crosses the map needs to know where a unit stands.
    assert {unit.entry.bus for unit in plant.ders.values()} <= bench.coordinates.keys()


def test_coordinates_are_read_past_comments_and_headlines(tmp_path: Path) -> None:
    path = tmp_path / "buses.csv"
    path.write_text("// Bus x y\n! bus, x, y\nA, 1.0, 2.0\nb 3 4\n\n")
    assert read_coordinates(path) == {"a": (1.0, 2.0), "b": (3.0, 4.0)}
