"""`hil run` and `hil list` on the command line. Exit codes: 0 every limit held, 1 some did not, 2 bad input, or a run
that did not come to its end."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adms.client import AdapterError, InputError, Problem
from hil.library import chosen, library
from hil.runs import Done, RunOptions, run_scenario


def list_scenarios(arguments: argparse.Namespace) -> int:
    """Print the library."""
    try:
        entries = library()
    except InputError as refused:
        return _refused(refused)
    if arguments.as_json:
        rows = [
            {
                "name": entry.key,
                "title": entry.scenario.title,
                "tells": entry.scenario.tells,
                "feeder": entry.scenario.feeder,
                "duration_s": entry.scenario.timing.duration_s,
                "fast": entry.scenario.fast,
                "limits": {limit.name: limit.limit for limit in entry.scenario.acceptance.values()},
            }
            for entry in entries
        ]
        print(json.dumps(rows))
        return 0
    table = Table(title=f"{len(entries)} scenarios", title_justify="left")
    for heading in ("name", "what happens", "feeder", "length", "limits"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        scenario = entry.scenario
        name = f"{entry.key} (fast)" if scenario.fast else entry.key
        length = f"{scenario.timing.duration_s / 60.0:g} min"
        table.add_row(name, scenario.tells, scenario.feeder, length, str(len(scenario.acceptance)))
    Console().print(table)
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Play the scenarios that were asked for."""
    try:
        entries = chosen(arguments.scenario, every=arguments.all, fast=arguments.fast)
        if not entries:
            message = "name a scenario (`hil list` has them), or --all or --fast"
            raise InputError([Problem(element="command line", field="scenario", value="", message=message)])
    except InputError as refused:
        return _refused(refused)
    options = RunOptions(
        out=arguments.out, seed=arguments.seed, real_time=arguments.real_time, duration_s=arguments.duration
    )
    console = Console(stderr=arguments.as_json)
    ends: list[int] = []
    for number, entry in enumerate(entries, start=1):
        console.print(f"{number} of {len(entries)}: {entry.key}: {entry.scenario.title}", markup=False)
        try:
            done = asyncio.run(run_scenario(entry, options))
        except InputError as refused:
            ends.append(_refused(refused))
            continue
        except (AdapterError, RuntimeError, OSError, TimeoutError) as broken:
            print(f"hil: {entry.key} did not come to its end: {broken}", file=sys.stderr)
            ends.append(2)
            continue
        ends.append(0 if done.held else 1)
        if arguments.as_json:
            print(json.dumps(_as_json(done)), flush=True)
        _show(console, done)
    return max(ends)


def _as_json(done: Done) -> dict[str, object]:
    checks = [asdict(check) for check in done.run.checks]
    for check in checks:
        check["value"] = check["value"] if check["value"] == check["value"] else None
    return {
        "scenario": done.entry.key,
        "held": done.held,
        "seed": done.run.seed,
        "wall_s": round(done.run.wall_s, 1),
        "folder": str(done.folder),
        "journal": done.journal,
        "checks": checks,
    }


def _show(console: Console, done: Done) -> None:
    table = Table(title_justify="left")
    for heading in ("", "limit", "found"):
        table.add_column(heading, overflow="fold")
    for check in done.run.checks:
        verdict = Text("held" if check.held else "NOT HELD", style="green" if check.held else "bold red")
        table.add_row(verdict, check.name, Text(check.text))
    console.print(table)
    intact = "intact" if done.journal["intact"] else f"NOT intact: {done.journal['reason']}"
    end = "held" if done.held else "NOT held"
    words = f"{end} in {done.run.wall_s:.0f} s; journal {intact}; {done.folder}/report.html"
    console.print(words, markup=False, soft_wrap=True)


def _refused(refused: InputError) -> int:
    for problem in refused.problems:
        print(f"hil: {problem}", file=sys.stderr)
    return 2
