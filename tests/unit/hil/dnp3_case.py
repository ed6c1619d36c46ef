"""One RTU with a switch, a tap changer and a capacitor bank, the field behind it, and a service that is a list."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dnp3.core.enums import CommandStatus

from adms.client import (
    CapacitorSetpoint,
    DeviceClass,
    OutcomeCode,
    Point,
    PointKind,
    PowerSetpoint,
    Quality,
    ReceivedCommand,
    Setpoint,
    SwitchSetpoint,
    TapSetpoint,
)
from adms.gateway.dnp3.config import Configuration, read_configuration
from adms.gateway.dnp3.gateway import Gateway, points_of
from hil.endpoints.dnp3.layout import Manners, Polling, gateway_toml, rtu_of
from hil.endpoints.dnp3.outstation import Outstation
from hil.endpoints.dnp3.points import Reading, Rtu

SWITCH, BANK, TAP = "line.sw", "capacitor.c", "transformer.reg"
CLOSED = Point(kind=PointKind.SWITCH_CLOSED, element=SWITCH)
REMOTE = Point(kind=PointKind.REMOTE, element=SWITCH)
LOCKOUT = Point(kind=PointKind.LOCKOUT, element=SWITCH)
INDICATOR = Point(kind=PointKind.FAULT_INDICATOR, element=SWITCH)
V = Point(kind=PointKind.V_MAGNITUDE, element="150", phase=1, sigma=5.0)
P = Point(kind=PointKind.P_FLOW, element=SWITCH, phase=1, sigma=1e3)
POSITION = Point(kind=PointKind.TAP_POSITION, element=TAP)
STEPS = Point(kind=PointKind.CAPACITOR_STEPS, element=BANK)
POINTS = (CLOSED, REMOTE, LOCKOUT, INDICATOR, V, P, POSITION, STEPS)
DEVICES = {SWITCH: DeviceClass.SWITCH, TAP: DeviceClass.TAP_CHANGER, BANK: DeviceClass.CAPACITOR}
MANNERS = Manners(select_timeout_s=2.0, direct_operate=False, unsolicited=True, dead_band_sigmas=2.0)
POLLING = Polling(response_timeout_s=1.0, integrity_poll_s=30.0, event_poll_s=30.0, reconnect_longest_s=0.1)
NORMAL = {CLOSED: 1.0, REMOTE: 1.0, LOCKOUT: 0.0, INDICATOR: 0.0, V: 2401.8, P: 1.2e6, POSITION: 3.0, STEPS: 1.0}


def case_rtu(name: str = "rtu-1", *, manners: Manners = MANNERS, points: Sequence[Point] = POINTS) -> Rtu:
    """The RTU. Index 0 on: binaries CLOSED, REMOTE, LOCKOUT, INDICATOR; analogs V, P, POSITION, STEPS; outputs SWITCH;
    TAP, BANK. The dead band of V is 10 V."""
    return rtu_of(name, points=points, devices=DEVICES, outstation_address=10, master_address=1, manners=manners)


class CaseField:
    """Shows what it is told to, and does what it is asked unless told otherwise."""

    def __init__(self, values: Mapping[Point, float] = NORMAL) -> None:
        self.readings = {point: Reading(value=value) for point, value in values.items()}
        self.answer = CommandStatus.SUCCESS
        self.asked: list[tuple[str, Setpoint]] = []
        self.operated: list[tuple[str, Setpoint]] = []
        self.on_operate: Callable[[], None] = lambda: None

    def show(self, point: Point, value: float | None, **more: object) -> None:
        """From now on."""
        self.readings[point] = replace(Reading(value=value), **more)  # type: ignore[arg-type]

    def read(self, points: Collection[Point], *, now_s: float) -> Mapping[Point, Reading]:
        return {point: self.readings[point] for point in points if point in self.readings}

    def check(self, device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
        self.asked.append((device_id, setpoint))
        if self.readings[REMOTE].value == 0.0:
            return CommandStatus.LOCAL
        return self.answer

    def operate(self, device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
        status = self.check(device_id, setpoint, now_s=now_s)
        if status is CommandStatus.SUCCESS:
            self.operated.append((device_id, setpoint))
            match setpoint:
                case SwitchSetpoint(closed=closed):
                    self.show(CLOSED, float(closed))
                case TapSetpoint(position=position):
                    self.show(POSITION, float(position))
                case CapacitorSetpoint(steps=steps):
                    self.show(STEPS, float(steps))
                case PowerSetpoint():
                    pass
        self.on_operate()
        return status


@dataclass(frozen=True, kw_only=True)
class Told:
    """One value of a frame."""

    point: Point
    value: float
    quality: Quality
    time: datetime


@dataclass(kw_only=True)
class CaseService:
    """The streams of a service: frames in, commands out, outcomes in."""

    points: Sequence[Point]
    frames: list[list[Told]] = field(default_factory=list)
    outcomes: list[tuple[str, OutcomeCode, str]] = field(default_factory=list)
    on_frame: Callable[[list[Told]], None] = lambda _: None
    waiting: asyncio.Queue[ReceivedCommand] = field(default_factory=asyncio.Queue)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    commands_given: int = 0

    async def send(
        self, *, measure_time: datetime, values: Mapping[int, float], quality: Mapping[int, Quality] | None = None
    ) -> int:
        frame = [
            Told(
                point=self.points[place],
                value=value,
                quality=(quality or {}).get(place, Quality.GOOD),
                time=measure_time,
            )
            for place, value in values.items()
        ]
        async with self.changed:
            self.frames.append(frame)
            self.on_frame(frame)
            self.changed.notify_all()
        return len(self.frames)

    async def commands(self) -> AsyncGenerator[ReceivedCommand]:
        while True:
            yield await self.waiting.get()

    async def report(
        self, command: ReceivedCommand, code: OutcomeCode, *, text: str = "", time: datetime | None = None
    ) -> None:
        async with self.changed:
            self.outcomes.append((command.command_id, code, text))
            self.changed.notify_all()

    def command(self, device_id: str, setpoint: Setpoint, *, lasts_s: float = 60.0) -> str:
        """Gives a command; its id."""
        self.commands_given += 1
        now = datetime.now(UTC)
        command = ReceivedCommand(
            command_id=f"c{self.commands_given}",
            device_id=device_id,
            setpoint=setpoint,
            epoch=1,
            sequence=self.commands_given,
            issue_time=now,
            expiry=now + timedelta(seconds=lasts_s),
            app="operator",
            plan_id="",
            reason="test",
            snapshot_id="",
            stream_sequence=1,
        )
        self.waiting.put_nowait(command)
        return command.command_id

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for a frame or an outcome after which this holds."""
        async with asyncio.timeout(10.0), self.changed:
            await self.changed.wait_for(holds)

    async def outcome(self, command_id: str) -> tuple[OutcomeCode, str]:
        """What became of a command."""
        await self.until(lambda: any(one == command_id for one, _, _ in self.outcomes))
        return next((code, text) for one, code, text in self.outcomes if one == command_id)

    def newest(self, point: Point) -> Told | None:
        """Last that was told of a point."""
        return next((t for frame in reversed(self.frames) for t in frame if t.point == point), None)

    def shows(self, point: Point, value: float, quality: Quality = Quality.GOOD) -> bool:
        """Whether this is the last that was told."""
        newest = self.newest(point)
        return newest is not None and (newest.value, newest.quality) == (value, quality)


def configured(folder: Path, rtus: Mapping[str, Rtu], *, polling: Polling = POLLING) -> Configuration:
    """The gateway's configuration as the bench writes it and the gateway reads it."""
    text = gateway_toml(
        rtus,
        endpoint="127.0.0.1:1",
        source_id="dnp3",
        controller_id="dnp3",
        state_file="epoch.json",
        polling=polling,
    )
    path = folder / "gateway.toml"
    path.write_text(text)
    return read_configuration(path)


@asynccontextmanager
async def gateway_for(
    configuration: Configuration, *, said: list[str] | None = None
) -> AsyncIterator[tuple[Gateway, CaseService]]:
    """A running gateway and the service it speaks with."""
    service = CaseService(points=points_of(configuration))
    said = [] if said is None else said
    gateway = Gateway(
        configuration,
        source=service,
        controller=service,
        keep_epoch=lambda _: None,
        say=said.append,
        now=lambda: datetime.now(UTC),
    )
    running = asyncio.create_task(gateway.run())
    try:
        yield gateway, service
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if not running.cancelled():
            running.result()


async def connected(gateway: Gateway) -> None:
    """Returns once every RTU has been read and its reports are on."""
    async with asyncio.timeout(10.0):
        while not all(link.connected for link in gateway.links):
            await asyncio.sleep(0.001)


class WallSeconds:
    """Feeder seconds on the machine's clock, with their date of second 0."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)

    def __call__(self) -> float:
        return (datetime.now(UTC) - self.start).total_seconds()


@asynccontextmanager
async def listening(rtu: Rtu, field: CaseField) -> AsyncIterator[tuple[Outstation, str]]:
    """An outstation that has read its field once, and its address."""
    now_s = WallSeconds()
    station = Outstation(rtu, field=field, now_s=now_s, start=now_s.start)
    station.scan()
    try:
        yield station, await station.listen()
    finally:
        await station.hang_up()


@asynccontextmanager
async def both_ends(
    folder: Path, *, rtu: Rtu | None = None, polling: Polling = POLLING, said: list[str] | None = None
) -> AsyncIterator[tuple[Outstation, CaseField, CaseService]]:
    """An outstation with a scanned field, and a gateway that has read it."""
    field_ = CaseField()
    async with listening(rtu or case_rtu(), field_) as (station, address):
        configuration = configured(folder, {address: station.rtu}, polling=polling)
        async with gateway_for(configuration, said=said) as (gateway, service):
            await service.until(lambda: all(service.newest(point) is not None for point in service.points))
            await connected(gateway)
            yield station, field_, service
