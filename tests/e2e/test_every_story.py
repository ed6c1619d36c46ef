"""The whole story for ten seeds and for faults all over the feeder: about ten minutes, so only when it is named:
`pytest tests/e2e/test_every_story.py`. A story passes when every limit that it judges itself by is held."""

from pathlib import Path

import pytest

from tests.e2e.runs import run_demo

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]

HEAD = ["l1", "l3", "l34"]
BRANCHES = ["l22", "l36", "l45", "l58", "l60", "l73", "l82", "l86", "l97", "l105", "l108", "l114", "l117"]


@pytest.mark.parametrize("seed", range(1, 11))
def test_the_story_holds_for_every_seed(tmp_path: Path, seed: int) -> None:
    run = run_demo(tmp_path / "out", "--seed", str(seed))
    assert run.code == 0, [check for check in run.checks.values() if not check["held"]]


@pytest.mark.parametrize(("seed", "fault"), list(enumerate(HEAD + BRANCHES, start=11)))
def test_the_story_holds_for_every_fault_place(tmp_path: Path, seed: int, fault: str) -> None:
    run = run_demo(tmp_path / "out", "--seed", str(seed), "--fault", fault)
    assert run.code == 0, [check for check in run.checks.values() if not check["held"]]


def test_the_story_holds_though_the_service_is_killed_in_the_middle_of_the_restoration(tmp_path: Path) -> None:
    run = run_demo(tmp_path / "out", "--seed", "1", "--service-outage", "195,20")
    assert run.code == 0, [check for check in run.checks.values() if not check["held"]]
