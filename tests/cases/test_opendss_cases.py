"""Every feeder of `tests/cases/opendss_*` against the engine, run live."""

import tomllib
from pathlib import Path

import pytest

from tests.unit.adapters.importers.against_engine import agreement

CASES = sorted(path.parent.name for path in Path(__file__).parent.glob("opendss_*/params.toml"))


def test_there_is_a_case_for_every_feeder() -> None:
    # Six of 4 buses, 13, two of 34, 37, 123, two of 8,500 nodes, the European low-voltage one.
    assert len(CASES) >= 14


@pytest.mark.parametrize("case", CASES)
def test_node_voltages_are_the_engines_with_its_controls_held(project_root: Path, case: str) -> None:
    params = tomllib.loads((project_root / "tests" / "cases" / case / "params.toml").read_text())
    found = agreement(project_root / params["deck"], engine_tolerance=params["engine_tolerance"])
    assert found.missing == found.added == frozenset()
    assert found.difference_pu < params["tolerance_pu"], found.worst
