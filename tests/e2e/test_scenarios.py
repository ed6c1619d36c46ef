"""The bench's stories, each against a service of its own: the fast ones hold, one seed is one run, and what is broken
on purpose is found."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from hil.library import Entry, chosen, library
from hil.plant.der_class import read_der_defects
from hil.results import Results, Standing
from hil.results_file import read_results, repeatable
from hil.runs import RunOptions, run_scenario
from hil.scenario import Outage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
FAST = [entry.key for entry in library() if entry.scenario.fast]


def one(name: str) -> Entry:
    (entry,) = chosen([name], every=False, fast=False)
    return entry


def played(entry: Entry, out: Path, *, duration_s: float | None = None) -> Results:
    return asyncio.run(run_scenario(entry, RunOptions(out=out, seed=1, duration_s=duration_s)))


def broken_by(name: str) -> str:
    """A path on which processes of a run find what breaks them."""
    folder = Path(__file__).parent / "broken"
    return f"{folder / name}:{folder}"


def broken(results: Results) -> set[str]:
    return {check.name for check in results.all_checks if check.standing is Standing.BROKEN}


def journal_rows(folder: Path) -> list[tuple[object, ...]]:
    """Every row of a run's journal, with the hashes that chain them."""
    with sqlite3.connect(folder / "state" / "journal.sqlite") as database:
        return database.execute("select * from entries order by idx").fetchall()


def test_there_are_six_fast_stories() -> None:
    assert len(FAST) == 6


@pytest.mark.parametrize("name", FAST)
def test_a_fast_story_holds(name: str, tmp_path: Path) -> None:
    results = played(one(name), tmp_path)
    assert not broken(results)
    assert results.held
    assert read_results(tmp_path / name / "results.json").held


def test_two_runs_of_a_seed_are_one_run(tmp_path: Path) -> None:
    entry = one("service-killed")
    first = played(entry, tmp_path / "a", duration_s=150.0)
    second = played(entry, tmp_path / "b", duration_s=150.0)
    assert repeatable(first) == repeatable(second)
    rows = journal_rows(tmp_path / "a" / entry.key)
    assert len(rows) > 100
    assert rows == journal_rows(tmp_path / "b" / entry.key)


def test_an_estimator_that_trusts_a_bad_meter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", broken_by("trusts_meters"))
    results = played(one("gross-meter-error"), tmp_path, duration_s=160.0)
    assert broken(results) >= {"liar_named_s", "estimate_ratio_max"}
    assert not results.held


def test_a_client_that_ignores_the_end_of_its_lease_is_found(tmp_path: Path) -> None:
    """Leased for the import limit, the service killed for good, and one battery goes on."""
    limited, gone, deaf = (one(name).scenario for name in ("interface-limit", "service-gone", "deaf-der"))
    defects = read_der_defects([{"der": "der.battery_7", "mode": "ignores_leases", "from_s": 0.0}])
    scenario = replace(
        limited,
        plant=replace(deaf.plant, defects=defects),
        outage=Outage(start_s=200.0),
        acceptance=gone.acceptance,
    )
    results = played(replace(one("interface-limit"), scenario=scenario), tmp_path)
    assert "defaults_missed" in broken(results)
    assert not results.held


def test_a_gate_without_its_guard_on_faults_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closings without isolation: with its guard the gate refuses them."""
    monkeypatch.setenv("PYTHONPATH", broken_by("no_guard_on_faults"))
    results = played(one("permanent-fault"), tmp_path, duration_s=200.0)
    assert "unsafe_commands" in broken(results)
    assert not results.held
