"""Playing a story: the field processes, the session, the judgement, the report. `hil demo` does so beside a service
that its parent has started."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hil.acceptance import Check, FrameCount
from hil.arms import Bench, open_bench
from hil.conclude import conclude
from hil.feeders import FEEDERS
from hil.fieldbus import Connection, Listener
from hil.frames import FrameUse
from hil.link import ServiceLink
from hil.meters import GATEWAY, Meters
from hil.record import Trace
from hil.referee import Referee
from hil.report import Run, compare, write_report, write_results
from hil.rounds import RoundLog
from hil.run import Session, Supervisor
from hil.scenario import Outage
from hil.scenario_file import read_scenario
from hil.setup import ders_setup, gateway_setup
from hil.story import Story
from hil.wiring.bench_file import BenchFile
from hil.wiring.start import Wiring, put_real_units
from hil.wiring.told import owners_of

ROLES = (GATEWAY, "ders")
START_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `hil demo` was asked for."""

    endpoint: str
    feeder: str
    out: Path
    seed: int
    fault: str | None
    fault_kind: str | None
    scenario: Path | None
    duration_s: float | None
    real_time: bool
    outage: Outage | None


class Parent:
    """Whoever started the bench, told on standard output and heard on standard input; the service is its child."""

    async def kill(self) -> None:
        """Wait until it says so. Raises RuntimeError when it says something else or has closed its end."""
        await self._hear("killed")

    async def start(self) -> str:
        """Wait until it says so; the address of the service's API."""
        return (await self._hear("started"))[0]

    async def _hear(self, word: str) -> list[str]:
        text: str = await asyncio.to_thread(sys.stdin.readline)
        if not text:
            raise RuntimeError("the parent closed standard input")
        line = text.split()
        if not line or line[0] != word:
            raise RuntimeError(f"waited for {word!r} on stdin, heard {' '.join(line)!r}")
        return line[1:]


@asynccontextmanager
async def field_processes() -> AsyncIterator[dict[str, Connection]]:
    """The gateway and the DER processes, connected; they end with the block."""
    listener = Listener()
    address = await listener.start()
    processes = []
    buses: dict[str, Connection] = {}
    try:
        for role in ROLES:
            expected = listener.expect(role)
            processes.append(await asyncio.create_subprocess_exec(sys.executable, "-m", "hil", role, "--bus", address))
            buses[role] = await asyncio.wait_for(expected, START_TIMEOUT_S)
        yield buses
    finally:
        for bus in buses.values():
            with contextlib.suppress(Exception):
                await asyncio.wait_for(bus.ask({"type": "stop"}), 5.0)
            await bus.close()
        listener.close()
        for process in processes:
            try:
                await asyncio.wait_for(process.wait(), 5.0)
            except TimeoutError:
                process.kill()
                await process.wait()


async def demo(options: Options) -> int:
    """Play a story against a running service; 0 where every limit held, else 1."""
    began = time.perf_counter()
    files = FEEDERS[options.feeder]
    scenario = read_scenario(options.scenario or files.scenario)
    if options.duration_s is not None:
        scenario = replace(scenario, timing=replace(scenario.timing, duration_s=options.duration_s))
    if options.outage is not None:
        scenario = replace(scenario, outage=options.outage)
    bench = open_bench(
        files, scenario=scenario, seed=options.seed, fault_line=options.fault, fault_kind=options.fault_kind
    )
    options.out.mkdir(parents=True, exist_ok=True)
    story = Story()
    run = await play(
        bench, endpoint=options.endpoint, supervisor=Parent(), story=story, real_time=options.real_time, began=began
    )
    report, results = options.out / "report.html", options.out / "results.json"
    write_report(run, path=report)
    write_results(run, path=results)
    story.emit(
        "result",
        time_s=run.run.time_s[-1],
        held=run.held,
        checks=[_check_line(check) for check in run.checks],
        comparison=_comparison_lines(run),
        report=str(report),
        results=str(results),
        wall_s=round(time.perf_counter() - began, 1),
    )
    return 0 if run.held else 1


async def play(
    bench: Bench,
    *,
    endpoint: str,
    supervisor: Supervisor,
    story: Story,
    real_time: bool,
    began: float,
    wired: BenchFile | None = None,
    folder: Path | None = None,
) -> Run:
    """Play a story against the service at an address, and judge it.

    Args:
        bench: files and choices.
        endpoint: of the service.
        supervisor: who kills and starts it.
        story: where events go.
        real_time: at wall speed.
        began: when the run did, s of the performance counter.
        wired: devices on other protocols than gRPC; in real time only.
        folder: for their configurations and logs.
    """
    scenario = bench.scenario
    plant = bench.plant()
    if wired is not None:
        put_real_units(wired, plant=plant, ride_through=scenario.ride_through)
    owners = owners_of(wired) if wired is not None else None
    meters = Meters(plant, plan=scenario.meters, seed=bench.seed, sensors=scenario.sensors, owners=owners)
    service = ServiceLink(run_id=f"bench-{bench.seed}")
    async with AsyncExitStack() as stack:
        buses = await stack.enter_async_context(field_processes())
        await service.connect(endpoint)
        wiring = None
        if wired is not None and folder is not None:
            wiring = await stack.enter_async_context(
                Wiring(wired, plant=plant, meters=meters, scenario=scenario, endpoint=endpoint, folder=folder)
            )
        left_out = wiring.left_out if wiring is not None else frozenset()
        session = Session(
            bench=bench,
            plant=plant,
            meters=meters,
            referee=Referee(plant.circuit, tap_min_interval_s=scenario.tap_min_interval_s),
            pseudo=bench.pseudo_flow(),
            trace=Trace(nodes=plant.circuit.nodes),
            rounds=RoundLog(devices=tuple(plant.ders)),
            story=story,
            service=service,
            supervisor=supervisor,
            endpoint=endpoint,
            buses=buses,
            outage=scenario.outage,
            real_time=real_time,
            wiring=wiring,
        )
        for role, setup in ((GATEWAY, gateway_setup), ("ders", ders_setup)):
            await buses[role].send(setup(plant, meters, scenario=scenario, endpoint=endpoint, left_out=left_out))
        for bus in buses.values():
            reply = await asyncio.wait_for(bus.ask({"type": "ready"}), START_TIMEOUT_S)
            for problem in reply["problems"]:
                story.emit("problem", time_s=0.0, message=problem)
        for problem in await wiring.ready() if wiring is not None else ():
            story.emit("problem", time_s=0.0, message=problem)
        _start(session)
        await session.play()
        frames = await _frame_counts(session)
        journal = await service.verify_journal() if session.service_up else None
        await service.close()
    return conclude(session, frames=frames, journal=journal, wall_s=time.perf_counter() - began)


def _start(session: Session) -> None:
    bench, timing = session.bench, session.bench.scenario.timing
    session.story.emit(
        "start",
        time_s=0.0,
        feeder=bench.files.name,
        seed=bench.seed,
        fault=bench.fault.line if bench.fault else None,
        duration_s=timing.duration_s,
        scan_s=timing.scan_s,
        v_min_pu=bench.overlay.limits.v_min_pu,
        v_max_pu=bench.overlay.limits.v_max_pu,
        ders=len(session.plant.ders),
        points=sum(len(session.meters.points_of(owner)) for owner in session.meters.owners),
    )


async def _frame_counts(session: Session) -> tuple[FrameCount, ...]:
    """What each source sent and what the service has used; a few more grants let the last acknowledgements arrive."""
    counts = []
    acknowledged: dict[str, tuple[int, int]] = {}
    for bus in session.buses.values():
        reply = await bus.ask({"type": "counts", "service_up": session.service_up})
        acknowledged.update(reply["frames"])
    journal = await session.service.frames_used() if session.service_up else {}
    for source_id, (sent, used) in acknowledged.items():
        account = journal.get(source_id, FrameUse(acknowledged=0, lost=0, twice=0))
        if session.service_up:
            used = min(used, account.acknowledged) - account.lost
        counts.append(FrameCount(source_id=source_id, sent=sent, used=used, used_twice=account.twice))
    return tuple(counts)


def _check_line(check: Check) -> dict[str, Any]:
    line = asdict(check)
    line["value"] = check.value if check.value == check.value else None
    return line


def _comparison_lines(run: Run) -> Sequence[dict[str, str]]:
    return [
        {"what": what, "with_service": with_it, "doing_nothing": without} for what, with_it, without in compare(run)
    ]
