"""Two demos of one seed are the same run: in lockstep nothing in the journal depends on wall time or on chance."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]

DURATION_S = "80"


def _journal(folder: Path, *, seed: int) -> list[tuple[Any, ...]]:
    """Every row of the journal of one demo, with the hashes that chain them."""
    run = [sys.executable, "-m", "adms.cli", "demo", "--json", "--out", str(folder)]
    done = subprocess.run([*run, "--seed", str(seed), "--duration", DURATION_S], capture_output=True, text=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [event for event in events if event["event"] == "end"]
    assert ends, done.stderr
    assert any(event["event"] == "leases" for event in events)
    assert any(event["event"] == "move" for event in events)
    with sqlite3.connect(ends[0]["journal"]["file"]) as database:
        return database.execute("SELECT * FROM entries ORDER BY idx").fetchall()


def test_the_same_seed_writes_the_same_journal_byte_by_byte(tmp_path: Path) -> None:
    first, second = (_journal(tmp_path / name, seed=5) for name in ("first", "second"))
    assert len(first) > 40
    for mine, other in zip(first, second, strict=False):
        assert mine == other
    assert len(first) == len(second)
