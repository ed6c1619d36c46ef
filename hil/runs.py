"""Runs of scenarios, one after the other, each with a service of its own in a folder of its own."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from hil.arms import open_bench
from hil.demo import play
from hil.feeders import FEEDERS
from hil.launch import STATE_FOLDER, ServiceProcess
from hil.library import Entry
from hil.report import Run, write_report, write_results
from hil.story import Story


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `hil run` was asked for."""

    out: Path
    seed: int
    real_time: bool = False
    duration_s: float | None = None
    """Feeder time to play; None as the scenario says."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A run that came to its end."""

    entry: Entry
    folder: Path
    run: Run
    journal: dict[str, Any]
    """What `adms journal verify` says of the service's record."""

    @property
    def held(self) -> bool:
        """Whether every limit held and the record is whole."""
        return self.run.held and bool(self.journal["intact"])


async def run_scenario(entry: Entry, options: RunOptions) -> Done:
    """Play one scenario. Its folder has the report, the results, the events, the service's journal and logs; what an
    earlier run left there is removed. Raises AdapterError where the service cannot be started."""
    began = time.perf_counter()
    scenario = entry.scenario
    if options.duration_s is not None:
        scenario = replace(scenario, timing=replace(scenario.timing, duration_s=options.duration_s))
    folder = options.out / entry.key
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / STATE_FOLDER, ignore_errors=True)
    files = FEEDERS[scenario.feeder]
    bench = open_bench(files, scenario=scenario, seed=options.seed, fault_line=None, fault_kind=None)
    service = ServiceProcess(folder, scenario=scenario, files=files)
    await service.prepare()
    with (folder / "events.jsonl").open("w", encoding="utf-8") as events:
        try:
            endpoint = await service.start()
            run = await play(
                bench,
                endpoint=endpoint,
                supervisor=service,
                story=_story(events),
                real_time=options.real_time,
                began=began,
            )
        finally:
            await service.stop()
    journal = dict(await service.journal_verdict())
    write_report(run, path=folder / "report.html")
    write_results(run, path=folder / "results.json")
    (folder / "journal_verdict.json").write_text(json.dumps(journal) + "\n")
    return Done(entry=entry, folder=folder, run=run, journal=journal)


def _story(out: TextIO) -> Story:
    return Story(out=out)
