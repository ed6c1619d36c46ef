"""A whole runtime without gRPC: the real image, desk, gate, journal and round around scripted stages."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adms.core.commands import Command, Outcome, OutcomeCode, Proposal
from adms.core.ids import ControllerId, ElementId, TelemetrySourceId
from adms.core.journal import EntryKind
from adms.core.modes import Mode
from adms.grid.state import normal_state
from adms.ports.records import (
    ControllerOutcomes,
    DerCapability,
    DeviceClass,
    DeviceRegistration,
    OperatorAct,
    Request,
    SetMode,
)
from adms.runtime.clock import WallStopwatch
from adms.runtime.cycle import Cycle, CycleState
from adms.runtime.devices import DeviceRegister
from adms.runtime.gate import Gate
from adms.runtime.image import TelemetryImage
from adms.runtime.journal import Draft, Journal, JournalWriter
from adms.runtime.modes import ModeKeeper
from adms.runtime.operator_desk import Desk
from adms.runtime.recovery import recovered
from adms.runtime.round import Inlets, Outlets, Round
from adms.runtime.scheduler import Tick
from tests.unit.runtime.feeders import (
    BANK,
    BATTERY,
    GATE_POLICY,
    IMAGE_POLICY,
    MAX_AGE_S,
    NORMAL,
    POINTS,
    PV,
    SWITCH,
    TIE,
    VERSION,
    Script,
    at,
    frame,
    power,
    small_arrays,
    small_model,
)

RTU, CONTROLLER = TelemetrySourceId("rtu"), ControllerId("gateway")


@dataclass(kw_only=True)
class Outside:
    """Everything that the round tells the world, in order."""

    sent: list[tuple[ControllerId, Command]] = field(default_factory=list)
    acknowledged: list[Mapping[TelemetrySourceId, int]] = field(default_factory=list)
    recorded: list[Mapping[ControllerId, int]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    healthy: list[bool] = field(default_factory=list)

    def send(self, controller: ControllerId, commands: tuple[Command, ...]) -> None:
        self.sent.extend((controller, command) for command in commands)

    def progress(self) -> Mapping[ControllerId, int]:
        return {}

    def acknowledge(self, used: Mapping[TelemetrySourceId, int]) -> None:
        self.acknowledged.append(dict(used))

    def acknowledge_outcomes(self, recorded: Mapping[ControllerId, int]) -> None:
        self.recorded.append(dict(recorded))

    def serving(self, *, ok: bool) -> None:
        self.healthy.append(ok)

    async def publish(self, *, time: datetime, values: Mapping[str, float], facts: Mapping[str, str]) -> None: ...

    def problem(self) -> str:
        return ""

    def round_done(self, *, duration_s: float, estimate_s: float, grade: str, mode: str) -> None: ...

    def round_dropped(self, *, reason: str) -> None:
        self.dropped.append(reason)

    def commands_sent(self, *, app: str, count: int) -> None: ...

    def refused(self, *, app: str, guard: str) -> None: ...

    def frames_used(self, *, source: str, count: int) -> None: ...

    def gauge(self, *, name: str, value: float) -> None: ...


class SetClock:
    """A clock that the test sets."""

    virtual = True

    def __init__(self) -> None:
        self.moment = at(0)

    def now(self) -> datetime:
        return self.moment

    def horizon(self) -> datetime:
        return self.moment

    async def sleep_until(self, moment: datetime) -> None:
        self.moment = max(self.moment, moment)


class Rig:
    """One process of the service, as it would start on this journal."""

    def __init__(self, path: Path, *, journal: JournalWriter | None = None) -> None:
        self.model = small_model()
        self.script = Script(arrays=small_arrays())
        self.outside = Outside()
        self.record = Journal(path)
        before = recovered(self.record.entries())
        self.epoch = before.epoch + 1
        writer: JournalWriter = journal or self.record
        self.record.commit([Draft(time=at(0), kind=EntryKind.START, actor="service", body={"epoch": self.epoch})])
        self.modes = ModeKeeper(good_rounds_before_control=2)
        self.clock = SetClock()
        self.image = TelemetryImage(
            self.model,
            version=VERSION,
            policy=IMAGE_POLICY,
            used=before.used,
            on_event=lambda: None,
            on_arrival=lambda: None,
        )
        self.devices = DeviceRegister(self.model, epoch=self.epoch, on_arrival=lambda: None)
        self.desk = Desk(
            self.model,
            clock=self.clock,
            journal=writer,
            modes=self.modes,
            state=before.desk,
            plans=lambda: self.round.state.plans,
        )
        stages = self.script.stages()
        self.executor = ThreadPoolExecutor(max_workers=1)
        self.round = Round(
            Cycle(
                arrays=self.script.arrays,
                stages=stages,
                gate=Gate(policy=GATE_POLICY, check=stages.check, epoch=self.epoch, max_age_s=MAX_AGE_S),
            ),
            state=CycleState(grid=normal_state(self.model), estimator=None, apps=(0,), gate=before.gate),
            inlets=Inlets(clock=self.clock, image=self.image, devices=self.devices, desk=self.desk, modes=self.modes),
            outlets=Outlets(
                journal=writer,
                frames=self.outside,
                outcomes=self.outside,
                commands=self.outside,
                live=self.outside,
                metrics=self.outside,
                health=self.outside,
                stopwatch=WallStopwatch(),
            ),
            executor=self.executor,
        )
        self.sequence = 0
        self.outcome_sequence = 0
        self._requests = 0

    def connect(self) -> None:
        """A source and a controller with every device."""
        self.sequence = self.image.hello(RTU, instance_epoch=1).used_sequence
        self.image.declare(RTU, instance_epoch=1, points=POINTS)
        self.devices.attach(CONTROLLER, instance="i", devices=every_device())

    def telemetry(self, seconds: float, values: tuple[float, ...] = NORMAL) -> None:
        """One frame of every point."""
        self.sequence += 1
        self.image.receive(RTU, instance_epoch=1, frame=frame(self.sequence, time=at(seconds), values=values))

    async def look(self, seconds: float, values: tuple[float, ...] = NORMAL) -> list[Command]:
        """Telemetry, then a round; the commands that left."""
        self.telemetry(seconds, values)
        return await self.tick(seconds)

    async def tick(self, seconds: float) -> list[Command]:
        """A round without new telemetry; the commands that left."""
        before = len(self.outside.sent)
        self.clock.moment = at(seconds)
        await self.round.run(Tick(time=at(seconds)))
        return [command for _, command in self.outside.sent[before:]]

    async def in_control(self) -> None:
        """Mode CONTROL, in effect after the good rounds at 0 and 2 s."""
        self.ask(SetMode(mode=Mode.CONTROL, device=None))
        await self.look(0.0)
        await self.look(2.0)
        assert self.modes.mode is Mode.CONTROL

    def ask(self, act: OperatorAct) -> Mode:
        """An operator's act."""
        self._requests += 1
        return self.desk.request(
            Request(request_id=f"e{self.epoch}-{self._requests}", actor="op", reason="test", act=act)
        )

    def answer(self, command: Command, code: OutcomeCode, *, seconds: float) -> None:
        """The controller's outcome."""
        self.outcome_sequence += 1
        outcome = Outcome(command_id=command.command_id, device=command.device, code=code, time=at(seconds))
        batch = ControllerOutcomes(controller=CONTROLLER, sequence=self.outcome_sequence, outcomes=(outcome,))
        self.devices.outcomes(batch, instance="i")

    def kill(self) -> None:
        """The process is gone; what is in the file stays."""
        self.record.close()
        self.executor.shutdown()


def every_device() -> tuple[DeviceRegistration, ...]:
    """Every device of the small model."""
    can = DerCapability(s_max_va=10e3, p_max_w=10e3, p_min_w=-10e3, q_max_var=4.4e3)
    ders = tuple(
        DeviceRegistration(device=der, device_class=DeviceClass.DER, capability=can, stored_default=power(0.0, 0.0))
        for der in (PV, BATTERY)
    )
    switches = tuple(DeviceRegistration(device=s, device_class=DeviceClass.SWITCH) for s in (SWITCH, TIE))
    return (*switches, DeviceRegistration(device=BANK, device_class=DeviceClass.CAPACITOR), *ders)


OPEN = (2400.0, 0.0, 0.0, 1.0)
"""Values of POINTS with the switch open."""


def asks(rig: Rig, *proposals: Proposal) -> None:
    rig.script.proposals = lambda view: proposals


def devices(commands: list[Command]) -> list[ElementId]:
    return [command.device for command in commands]


def ask(rig: Rig, act: OperatorAct) -> Request:
    """An operator's act, with a request id of its own."""
    name = f"{type(act).__name__}-{rig.epoch}-{len(rig.desk.state.requests)}"
    request = Request(request_id=name, actor="op", reason="test", act=act)
    rig.desk.request(request)
    return request
