"""A feeder in real time with some of its devices behind the real gateways, and the real service."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adms.cli.configuration import with_values
from adms.cli.demo.settings import MODEL_FILE, write_configuration
from adms.client import EntryKind, Insight, RoundReport
from hil.arms import Bench, open_bench
from hil.demo import field_processes
from hil.feeders import FEEDERS
from hil.fieldbus import Connection, Message
from hil.link import ServiceLink
from hil.meters import GATEWAY, Meters
from hil.plant.plant import Plant
from hil.scenario_file import read_scenario
from hil.setup import ders_setup, gateway_setup
from hil.wiring.bench_file import check_bench_file
from hil.wiring.pace import Pacer
from hil.wiring.start import Wiring, move, put_real_units
from hil.wiring.told import owners_of

FILES = FEEDERS["123-operated"]
SCAN_S = 1.0


def quiet_bench(*, seed: int = 1, scan_s: float = SCAN_S) -> Bench:
    """The 123-bus feeder without a fault, on a clear day, in scans of a second."""
    scenario = read_scenario(FILES.scenario)
    timing = replace(scenario.timing, scan_s=scan_s)
    scenario = replace(scenario, fault=None, import_limit=None, clouds=(), timing=timing)
    return open_bench(FILES, scenario=scenario, seed=seed, fault_line=None, fault_kind=None)


@asynccontextmanager
async def service(folder: Path, *, bench: Bench, values: dict[tuple[str, str], Any]) -> AsyncIterator[str]:
    """The service with granted time; its endpoint."""
    folder.mkdir()
    run = [sys.executable, "-m", "adms.cli"]
    imported = subprocess.run(
        [*run, "import", str(FILES.deck), "--overlay", str(FILES.overlay), "-o", str(folder / MODEL_FILE)],
        capture_output=True,
        text=True,
    )
    assert imported.returncode == 0, imported.stderr
    loads, scan_s = bench.scenario.loads, bench.scenario.timing.scan_s
    feeder = {
        "name": FILES.name,
        "period_s": scan_s,
        "load_factor_mean": loads.mean_frac,
        "load_sigma_frac": loads.sigma_frac,
        "load_correlation_s": loads.correlation_s,
    }
    path = write_configuration(folder, listen="127.0.0.1:0", feeder=feeder)
    path.write_text(with_values(path.read_text(), values))
    with (folder / "service.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *run, "serve", "--config", str(path), stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60.0)
        assert line, (folder / "service.log").read_text()
        yield str(json.loads(line)["grpc"])
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(20.0):
            await process.communicate()


@dataclass(kw_only=True)
class Wired:
    """A run."""

    plant: Plant
    meters: Meters
    link: ServiceLink
    wiring: Wiring
    pacer: Pacer
    buses: dict[str, Connection]
    endpoint: str
    now_s: float = 0.0
    reports: list[RoundReport] = field(default_factory=list)
    replies: list[Message] = field(default_factory=list)
    """Of the endpoints, by tick."""
    outcomes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    async def until(self, time_s: float, *, done: Callable[[], bool] = lambda: False) -> bool:
        """Go on until a feeder second, or until something holds; whether it does."""
        while self.now_s < time_s and not done():
            await self._tick()
        return done()

    async def _tick(self) -> None:
        wiring, plant = self.wiring, self.plant
        now_s = self.now_s = await self.pacer.tick()
        self.replies.append(await wiring.act())
        wiring.obey(self.replies[-1])
        self.notes += wiring.news()
        plant.advance(now_s)
        scans = self.meters.scan()
        await wiring.show(now_s, scans=scans)
        frames: dict[str, int] = {}
        for role, bus in self.buses.items():
            mine = {
                owner: [scan.index, scan.value]
                for owner, scan in scans.items()
                if (owner == GATEWAY) == (role == GATEWAY) and owner not in wiring.left_out
            }
            frames.update((await bus.ask({"type": "scan", "time_s": now_s, "scans": mine}))["frames"])
        expect = await self.link.advance_to(now_s, frames=frames, outcomes=self.outcomes)
        report = await self.link.round_at(now_s)
        if report is not None:
            self.reports.append(report)
            wiring.round(report)
        for bus in self.buses.values():
            reply = await bus.ask({"type": "act", "time_s": now_s, "expect": dict(expect)})
            for command in reply["commands"]:
                wiring.heard(command)
            for action in reply["actions"]:
                move(plant, action)
            for name, (p_w, q_var) in reply["targets"].items():
                plant.ders[name].p_target_w, plant.ders[name].q_target_var = p_w, q_var
            if reply["supervised"] is not None:
                for name in plant.automatic.keys() - wiring.left_out:
                    plant.automatic[name] = not reply["supervised"]
            self.outcomes.update(reply["outcomes"])

    @property
    def modes(self) -> list[str]:
        """Round by round, with the grade of the picture."""
        return [f"{each.mode.name} {each.grade.name} {each.grade_reason}" for each in self.reports]

    @property
    def import_w(self) -> float:
        """Of the last moment."""
        return self.plant.import_w()

    async def outcomes_told(self) -> list[tuple[str, str, str]]:
        """(device, code, text) of everything that controllers have reported."""
        async with Insight(self.endpoint) as insight:
            bodies = [json.loads(e.body) async for e in insight.journal() if e.kind is EntryKind.OUTCOME]
        told = [body["outcome"] for body in bodies if body["told_by"] == "controller"]
        return [(each["device"], each["code"], each["text"]) for each in told]


@asynccontextmanager
async def wired(
    folder: Path,
    *,
    content: dict[str, Any],
    values: dict[tuple[str, str], Any],
    prepare: Callable[[Plant], None] = lambda _: None,
) -> AsyncIterator[Wired]:
    """A run that begins at feeder second 0."""
    bench = quiet_bench()
    scenario = bench.scenario
    plant = bench.plant()
    prepare(plant)
    file = check_bench_file(content, overlay=bench.overlay, real_time=True)
    put_real_units(file, plant=plant, ride_through=scenario.ride_through)
    meters = Meters(plant, plan=scenario.meters, seed=1, owners=owners_of(file))
    link = ServiceLink(run_id="wired")
    async with AsyncExitStack() as stack:
        endpoint = await stack.enter_async_context(service(folder / "service", bench=bench, values=values))
        buses = await stack.enter_async_context(field_processes())
        await link.connect(endpoint)
        stack.push_async_callback(link.close)
        wiring = await stack.enter_async_context(
            Wiring(file, plant=plant, meters=meters, scenario=scenario, endpoint=endpoint, folder=folder / "wiring")
        )
        for role, setup in ((GATEWAY, gateway_setup), ("ders", ders_setup)):
            await buses[role].send(setup(plant, meters, scenario=scenario, endpoint=endpoint, left_out=wiring.left_out))
            reply = await buses[role].ask({"type": "ready"})
            assert reply["problems"] == []
        assert await wiring.ready() == []
        pacer = Pacer(scenario.timing.scan_s)
        pacer.start(zero_s=wiring.zero_s)
        yield Wired(plant=plant, meters=meters, link=link, wiring=wiring, pacer=pacer, buses=buses, endpoint=endpoint)
