"""Puts the parts of one service together. Nothing here decides or computes."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta

import structlog

from adms.adapters.grpc_api.control_servicer import ControlServicer
from adms.adapters.grpc_api.health import HealthBoard
from adms.adapters.grpc_api.insight_servicer import InsightServicer
from adms.adapters.grpc_api.operations_servicer import OperationsServicer
from adms.adapters.grpc_api.server import GrpcServer, Servicers
from adms.adapters.grpc_api.simulation_servicer import SimulationClockServicer
from adms.adapters.grpc_api.telemetry_servicer import TelemetryServicer
from adms.core.errors import AdapterError, InputError, Problem
from adms.core.ids import ModelVersion
from adms.core.journal import EntryKind
from adms.grid.arrays import NetworkArrays
from adms.grid.state import normal_state
from adms.ports.outward import LiveStore, Metrics
from adms.runtime.clock import BEFORE_TIME, Clock, VirtualClock, WallStopwatch
from adms.runtime.cycle import Cycle, CycleState
from adms.runtime.devices import DeviceRegister
from adms.runtime.feed import Signal
from adms.runtime.gate import Gate
from adms.runtime.gate_state import GatePolicy
from adms.runtime.image import ImagePolicy, TelemetryImage
from adms.runtime.insight_desk import Insight
from adms.runtime.journal import Draft, Journal
from adms.runtime.modes import ModeKeeper
from adms.runtime.operator_desk import Desk
from adms.runtime.recovery import Recovered, Recovery
from adms.runtime.round import Inlets, Outlets, Round
from adms.runtime.scheduler import Scheduler, Tick
from adms.runtime.simulation_desk import TimeGrant
from adms.runtime.stages import Stages
from adms.runtime.watchdog import Watchdog

QUEUE_DEPTH = 1000
"""Messages that may wait for one slow stream."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the composition needs to know of the configuration."""

    period_s: float
    early_gap_s: float
    good_rounds_before_control: int
    telemetry_max_age_s: float
    arrival_timeout_s: float
    image: ImagePolicy
    gate: GatePolicy
    epoch_floor: int = 0
    """The lowest epoch to take."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A composed service, ready to run."""

    server: GrpcServer
    journal: Journal
    epoch: int
    clock: Clock
    scheduler: Scheduler
    watchdog: Watchdog
    round_once: Callable[[Tick], Awaitable[None]]
    watched: Callable[[], bool]
    """Whether somebody watches the rounds now."""


def compose(
    arrays: NetworkArrays,
    *,
    settings: Settings,
    stages: Stages,
    clock: Clock,
    journal: Journal,
    recovery: Recovery,
    live: LiveStore,
    metrics: Metrics,
    executor: Executor,
) -> Service:
    """One service on an opened journal, which `recovery` has read. Takes the next epoch and journals the start. Raises
    InputError where the journal is one of simulations and time is not granted, or the other way round (X5)."""
    model, version = arrays.model, arrays.version
    before = _read_back(journal, recovery)
    _check_kind(journal, before, virtual=clock.virtual)
    epoch = max(before.epoch + 1, settings.epoch_floor)
    modes = ModeKeeper(good_rounds_before_control=settings.good_rounds_before_control)
    _record_start(journal, epoch=epoch, version=version, clock=clock, modes=modes)
    arrivals = Signal()
    scheduler = Scheduler(
        clock, period=timedelta(seconds=settings.period_s), early_gap=timedelta(seconds=settings.early_gap_s)
    )
    image = TelemetryImage(
        model,
        version=version,
        policy=settings.image,
        used=before.used,
        on_event=scheduler.pull_forward,
        on_arrival=arrivals.notify,
    )
    devices = DeviceRegister(model, epoch=epoch, on_arrival=arrivals.notify)
    telemetry, control = TelemetryServicer(queue_depth=QUEUE_DEPTH), ControlServicer(queue_depth=QUEUE_DEPTH)
    telemetry.bind(image)
    control.bind(devices)
    health = HealthBoard()
    gate = Gate(policy=settings.gate, check=stages.check, epoch=epoch, max_age_s=settings.telemetry_max_age_s)
    state = CycleState(
        grid=normal_state(model),
        estimator=None,
        apps=tuple(stage.initial for stage in stages.apps),
        gate=before.gate,
    )
    desk = Desk(
        model,
        clock=clock,
        journal=journal,
        modes=modes,
        state=before.desk,
        plans=lambda: rounds.state.plans,
    )
    inlets = Inlets(clock=clock, image=image, devices=devices, desk=desk, modes=modes)
    rounds = Round(
        Cycle(arrays=arrays, stages=stages, gate=gate),
        state=state,
        inlets=inlets,
        outlets=Outlets(
            journal=journal,
            frames=telemetry,
            outcomes=control,
            commands=control,
            live=live,
            metrics=metrics,
            health=health,
            stopwatch=WallStopwatch(),
        ),
        executor=executor,
    )
    insight = Insight(
        rounds, arrays=arrays, inlets=inlets, journal=journal, live=live, epoch=epoch, simulation=clock.virtual
    )
    simulation = None
    if isinstance(clock, VirtualClock):
        grant = TimeGrant(
            clock,
            image=image,
            devices=devices,
            commands=control,
            arrivals=arrivals,
            rounds=lambda: rounds.number,
            arrival_timeout_s=settings.arrival_timeout_s,
        )
        simulation = SimulationClockServicer(grant)
    interfaces = tuple(source.id for source in model.sources if source.interface)
    server = GrpcServer(
        Servicers(
            telemetry=telemetry,
            control=control,
            operations=OperationsServicer(desk, interfaces=interfaces),
            insight=InsightServicer(insight),
            simulation=simulation,
        ),
        health=health,
    )
    watchdog = Watchdog(
        WallStopwatch(),
        period_s=settings.period_s,
        modes=modes,
        health=health,
        metrics=metrics,
        carry=rounds.carry,
    )

    async def round_once(tick: Tick) -> None:
        await rounds.run(tick)
        watchdog.fed()

    return Service(
        server=server,
        journal=journal,
        epoch=epoch,
        clock=clock,
        scheduler=scheduler,
        watchdog=watchdog,
        round_once=round_once,
        watched=lambda: rounds.summaries.readers > 0,
    )


def _read_back(journal: Journal, recovery: Recovery) -> Recovered:
    """What the journal tells. One that cannot be understood is treated like one that does not verify; of one that does
    not verify, the rest is read as far as it goes, so that tags and epochs after the damage are not forgotten."""
    if journal.read_only:
        for entry in journal.entries(from_index=recovery.next_index):
            recovery.take(entry)
    if recovery.problem:
        journal.lock(f"{journal.path}: {recovery.problem}")
    return recovery.result()


def _check_kind(journal: Journal, before: Recovered, *, virtual: bool) -> None:
    if before.simulation is None or before.simulation is virtual:
        return
    held = "a simulation" if before.simulation else "a live service"
    message = f"the journal is of {held}: set simulation = {str(before.simulation).lower()}, or use another folder (X5)"
    raise InputError(
        [Problem(element="[service]", field="state_folder", value=str(journal.path.parent), message=message)]
    )


def _record_start(journal: Journal, *, epoch: int, version: ModelVersion, clock: Clock, modes: ModeKeeper) -> None:
    """The epoch is taken once this entry is on disk."""
    time = (journal.last_time or BEFORE_TIME) if clock.virtual else clock.now()
    body = {"epoch": epoch, "model_version": version, "simulation": clock.virtual}
    try:
        journal.commit([Draft(time=time, kind=EntryKind.START, actor="service", body=body)])
    except AdapterError as error:
        log.error("starting without a journal: observing only", reason=str(error))
        modes.block(str(error))
