"""Runs of the demo as people run it, and what they leave behind."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DemoRun:
    """What a demo left behind."""

    code: int
    events: list[dict[str, Any]]
    errors: str
    folder: Path

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Events of one kind."""
        return [event for event in self.events if event["event"] == kind]

    @property
    def checks(self) -> dict[str, dict[str, Any]]:
        """The story's limits by name."""
        return {check["name"]: check for check in self.of("result")[0]["checks"]}


def run_demo(folder: Path, *options: str) -> DemoRun:
    """`adms demo --json --out FOLDER` with more options, to its end."""
    run = [sys.executable, "-m", "adms.cli", "demo", "--json", "--out", str(folder), *options]
    done = subprocess.run(run, capture_output=True, text=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return DemoRun(code=done.returncode, events=events, errors=done.stderr, folder=folder)
