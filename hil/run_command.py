"""`hil run`, `list`, `report` and `compare` on the command line. Exit codes: 0 every limit held, 1 some did not, 2 bad
input, or a run that did not come to its end."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from rich.console import Console
from rich.table import Table

from adms.client import AdapterError, InputError, Problem
from hil.compare_page import compare_folders
from hil.index_page import write_index
from hil.junit import write_junit
from hil.library import chosen, library
from hil.report import report
from hil.results import Results
from hil.results_file import plain
from hil.runs import RunOptions, run_scenario
from hil.terminal import show, show_all


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
        out=arguments.out,
        seed=arguments.seed,
        real_time=arguments.real_time,
        with_service=not arguments.without_service,
        bench_file=arguments.bench,
        duration_s=arguments.duration,
    )
    console = Console(stderr=arguments.as_json)
    codes: list[int] = []
    played: list[Results] = []
    for number, entry in enumerate(entries, start=1):
        console.print(f"{number} of {len(entries)}: {entry.key}", markup=False)
        try:
            results = asyncio.run(run_scenario(entry, options))
        except InputError as refused:
            codes.append(_refused(refused))
            continue
        except (AdapterError, RuntimeError, OSError, TimeoutError) as broken:
            print(f"hil: {entry.key} did not come to its end: {broken}", file=sys.stderr)
            codes.append(2)
            continue
        played.append(results)
        codes.append(0 if results.held or arguments.without_service else 1)
        if arguments.as_json:
            print(json.dumps(plain(results)), flush=True)
        else:
            show(console, results)
            console.print(f"{options.out / entry.key}/report.html", markup=False, soft_wrap=True)
    if len(entries) > 1:
        show_all(console, played)
        write_index(played, options.out / "index.html")
        console.print(f"{options.out}/index.html", markup=False, soft_wrap=True)
    if arguments.junit is not None:
        write_junit(played, arguments.junit)
    return max(codes)


def report_of(arguments: argparse.Namespace) -> int:
    """Write the report of a run, or of a folder of runs, again."""
    try:
        print(report(arguments.folder, out=arguments.out))
    except InputError as refused:
        return _refused(refused)
    return 0


def compare_runs(arguments: argparse.Namespace) -> int:
    """Two runs, or two folders of runs, side by side."""
    try:
        compare_folders(arguments.a, arguments.b, out=arguments.out, as_json=arguments.as_json, console=Console())
    except InputError as refused:
        return _refused(refused)
    return 0


def _refused(refused: InputError) -> int:
    for problem in refused.problems:
        print(f"hil: {problem}", file=sys.stderr)
    return 2
