"""Runs of scenarios, one after the other, each with a service of its own in a folder of its own."""

from __future__ import annotations

import platform
import shutil
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from hil.arms import Bench, open_bench
from hil.conclude import left_alone
from hil.demo import play
from hil.feeders import FEEDERS
from hil.launch import STATE_FOLDER, ServiceProcess
from hil.library import Entry
from hil.recorded import Run, results_of
from hil.report import write_report
from hil.results import Results
from hil.results_file import write_results
from hil.story import Story
from hil.wiring.bench_file import read_bench_file

_VERSIONS = ("adms-lite", "dss_python", "numpy", "highspy")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `hil run` was asked for."""

    out: Path
    seed: int
    real_time: bool = False
    with_service: bool = True
    bench_file: Path | None = None
    """Devices on other protocols than gRPC, real ones among them."""
    duration_s: float | None = None
    """Feeder time to play; None as the scenario says."""


async def run_scenario(entry: Entry, options: RunOptions) -> Results:
    """Play one scenario. Its folder has the report, the results, the events, the service's journal and logs; what an
    earlier run left there is removed. Raises AdapterError where the service cannot be started."""
    began = time.perf_counter()
    scenario = entry.scenario
    if options.duration_s is not None:
        scenario = replace(scenario, timing=replace(scenario.timing, duration_s=options.duration_s))
    folder = options.out / entry.key
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / STATE_FOLDER, ignore_errors=True)
    bench = open_bench(FEEDERS[scenario.feeder], scenario=scenario, seed=options.seed, fault_line=None, fault_kind=None)
    if options.with_service:
        run = await _beside_a_service(bench, options=options, folder=folder, began=began)
    else:
        run = left_alone(bench, wall_s=time.perf_counter() - began)
    run = replace(
        run,
        scenario=entry.key,
        command=f"hil run {entry.key} --seed {options.seed}{'' if options.with_service else ' --without-service'}",
        versions={name: version(name) for name in _VERSIONS} | {"python": platform.python_version()},
        machine=platform.machine(),
    )
    results = results_of(run)
    write_results(results, path=folder / "results.json")
    write_report(run, path=folder / "report.html")
    return results


async def _beside_a_service(bench: Bench, *, options: RunOptions, folder: Path, began: float) -> Run:
    wired = None
    if options.bench_file is not None:
        wired = read_bench_file(options.bench_file, overlay=bench.overlay, real_time=options.real_time)
    service = ServiceProcess(folder, scenario=bench.scenario, files=bench.files)
    await service.prepare()
    with (folder / "events.jsonl").open("w", encoding="utf-8") as events:
        try:
            endpoint = await service.start()
            run = await play(
                bench,
                endpoint=endpoint,
                supervisor=service,
                story=Story(out=events),
                real_time=options.real_time,
                began=began,
                wired=wired,
                folder=folder / "wiring",
            )
        finally:
            await service.stop()
    return replace(run, journal=dict(await service.journal_verdict()))
