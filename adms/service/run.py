"""The service as a process: starts everything, says that it is ready, and ends in order on SIGTERM or Ctrl-C."""

import asyncio
import contextlib
import fcntl
import json
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from adms.adapters.embedded_valkey import EmbeddedValkey
from adms.adapters.live_store import NoLiveStore, RedisLiveStore
from adms.adapters.metrics import PrometheusMetrics
from adms.core.errors import AdapterError, InputError, Problem
from adms.forecast import ready
from adms.grid.arrays import NetworkArrays
from adms.ports.outward import LiveStore
from adms.powerflow.prepare import prepare
from adms.runtime.clock import Clock, VirtualClock, WallClock
from adms.runtime.image import ImagePolicy
from adms.runtime.journal import Journal
from adms.runtime.recovery import Recovery
from adms.service.compose import Service, Settings, compose
from adms.service.config import Configuration, split_address
from adms.service.stages import bound_stages

GRACE_S = 1.0
JOURNAL_FILE = "journal.sqlite"

log = structlog.get_logger()


@contextlib.contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Holds a folder for this process. Raises InputError where another service runs on it."""
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            problem = Problem(
                element="[service]",
                field="state_folder",
                value=str(folder),
                message="another service runs on this folder",
            )
            raise InputError([problem]) from None
        yield


async def serve(configuration: Configuration) -> None:
    """Runs until told to stop. Raises InputError and AdapterError where it cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as ending:
        ending.enter_context(sole_user(configuration.state_folder))
        live_starting = asyncio.create_task(_start_live_store(configuration, ending))
        recovery = Recovery()
        journal = Journal(configuration.state_folder / JOURNAL_FILE, replay=recovery.take)
        ending.callback(journal.close)
        executor = ending.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="cycle"))
        metrics = PrometheusMetrics()
        host, port = split_address(configuration.service.metrics_listen)
        metrics_port = metrics.serve(host=host, port=port)
        ending.callback(metrics.close)
        clock: Clock = VirtualClock() if configuration.service.simulation else WallClock()
        arrays = NetworkArrays(configuration.model, version=configuration.model_version)
        await loop.run_in_executor(executor, prepare, arrays)
        await loop.run_in_executor(executor, ready)
        service = compose(
            arrays,
            settings=_settings(configuration),
            stages=bound_stages(configuration, arrays=arrays),
            clock=clock,
            journal=journal,
            recovery=recovery,
            live=await live_starting,
            metrics=metrics,
            executor=executor,
        )
        grpc_host, _ = split_address(configuration.service.listen)
        grpc_port = await service.server.start(configuration.service.listen)
        async with _running(service) as tasks:
            _say_ready(
                grpc=f"{grpc_host}:{grpc_port}",
                metrics=f"{host}:{metrics_port}",
                epoch=service.epoch,
                journal=str(journal.path),
            )
            await _until_stopped(stop, tasks)
            await service.server.stop(grace_s=GRACE_S)


@contextlib.asynccontextmanager
async def _running(service: Service) -> AsyncIterator[set[asyncio.Task[None]]]:
    tasks = {asyncio.create_task(service.scheduler.run(service.round_once))}
    if not service.clock.virtual:
        tasks.add(asyncio.create_task(service.watchdog.run()))
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_stopped(stop: asyncio.Event, tasks: set[asyncio.Task[None]]) -> None:
    """Returns when told to stop; raises what ended a task that never ends."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for task in done - {stopping}:
        task.result()


async def _start_live_store(configuration: Configuration, ending: contextlib.AsyncExitStack) -> LiveStore:
    """A store that works, or a stand-in that says why not: live values are never a reason not to start."""
    url = configuration.service.redis_url
    if url is None:
        embedded = EmbeddedValkey(configuration.state_folder)
        try:
            await asyncio.to_thread(embedded.start)
        except AdapterError as error:
            log.warning("no live values", reason=str(error))
            return NoLiveStore(str(error))
        ending.callback(embedded.stop)
        url = embedded.url
    store = RedisLiveStore(url, feeder=configuration.service.name)
    store.start()
    ending.push_async_callback(store.close)
    return store


def _settings(configuration: Configuration) -> Settings:
    cycle = configuration.round
    return Settings(
        period_s=cycle.period_s,
        early_gap_s=cycle.early_gap_s,
        good_rounds_before_control=cycle.good_rounds_before_control,
        telemetry_max_age_s=cycle.telemetry_max_age_s,
        arrival_timeout_s=configuration.service.arrival_timeout_s,
        image=ImagePolicy(
            max_age_s=cycle.telemetry_max_age_s,
            clock_skew_max_s=cycle.clock_skew_max_s,
            waiting_frames_max=cycle.waiting_frames_max,
            events_keep_s=cycle.events_keep_s,
        ),
        gate=configuration.gate,
        epoch_floor=configuration.service.epoch_floor,
    )


def _say_ready(*, grpc: str, metrics: str, epoch: int, journal: str) -> None:
    line = {"ready": True, "grpc": grpc, "metrics": metrics, "epoch": epoch, "journal": journal}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
