"""All RTUs of one process, between the links and the service."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Protocol

from adms.client import Device, DeviceController, Now, OutcomeCode, Point, ReceivedCommand, TelemetrySource, utc_now
from adms.gateway.dnp3.config import Configuration
from adms.gateway.dnp3.heard import Heard
from adms.gateway.dnp3.link import NOT_SENT, Link, Say
from adms.gateway.dnp3.outbox import Outbox, Source
from adms.gateway.dnp3.state import SeenEpoch

PROBLEMS_LOOKED_AT_S = 1.0
"""How often what the service does not take is looked at."""


class Controller(Protocol):
    """Who gives commands and takes outcomes; `adms.client.DeviceController`."""

    def commands(self) -> AsyncGenerator[ReceivedCommand]:
        """Commands to carry out."""
        ...

    async def report(
        self, command: ReceivedCommand, code: OutcomeCode, *, text: str = "", time: datetime | None = None
    ) -> None:
        """What became of one."""
        ...


class Gateway:
    """Runs every link of a configuration between a source and a controller, which the caller has opened."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        source: Source,
        controller: Controller,
        keep_epoch: Callable[[int], None],
        say: Say,
        now: Now,
    ) -> None:
        self._source = source
        self._keep_epoch = keep_epoch
        self._controller = controller
        self._outbox = Outbox()
        self._link_of: dict[str, Link] = {}
        self.links: list[Link] = []
        place = 0
        for rtu in configuration.rtu:
            numbered = list(enumerate(rtu.points, start=place))
            place += len(numbered)
            ahead_max_s = configuration.gateway.event_time_ahead_max_s
            heard = Heard(numbered, outbox=self._outbox, event_time_ahead_max_s=ahead_max_s)
            link = Link(rtu, gateway=configuration.gateway, heard=heard, report=self._report, say=say, now=now)
            self.links.append(link)
            self._link_of.update((device.id, link) for device in rtu.devices)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._outbox.pump(self._source))
            tasks.create_task(self._dispatch())
            for link in self.links:
                tasks.create_task(link.run())
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                for link in self.links:
                    link.end()

    async def _dispatch(self) -> None:
        async for command in self._controller.commands():
            link = self._link_of[command.device_id]
            try:
                self._keep_epoch(command.epoch)
            except OSError as error:
                text = f"the epoch {command.epoch} cannot be written down: {error}; {NOT_SENT}"
                await self._report(command, OutcomeCode.HARDWARE_ERROR, text)
                continue
            if not link.submit(command):
                text = f"{link.rtu.name} is not connected; {NOT_SENT}"
                await self._report(command, OutcomeCode.HARDWARE_ERROR, text)

    async def _report(self, command: ReceivedCommand, code: OutcomeCode, text: str) -> None:
        await self._controller.report(command, code, text=text)


def points_of(configuration: Configuration) -> tuple[Point, ...]:
    """Points of every RTU, in the order of the declaration."""
    return tuple(table.point for rtu in configuration.rtu for table in rtu.points)


async def run_gateway(configuration: Configuration, *, state: SeenEpoch, say: Say) -> None:
    """Connect to the service and to every RTU, and carry between them until cancelled. The service may come and go."""
    table = configuration.gateway
    offset = timedelta(seconds=table.clock_offset_s)

    def now() -> datetime:
        return utc_now() + offset

    devices = [
        Device(device_id=device.id, device_class=device.device_class, seen_epoch=state.value)
        for rtu in configuration.rtu
        for device in rtu.devices
    ]
    source = TelemetrySource(
        table.endpoint,
        source_id=table.source_id,
        # Grows with every start, as the API asks of an instance.
        instance_epoch=int(utc_now().timestamp() * 1e3),
        points=points_of(configuration),
    )
    controller = DeviceController(table.endpoint, controller_id=table.controller_id, devices=devices, now=now)
    async with source, controller:
        gateway = Gateway(configuration, source=source, controller=controller, keep_epoch=state.keep, say=say, now=now)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gateway.run())
            tasks.create_task(_watch(source, controller, say=say))


async def _watch(source: TelemetrySource, controller: DeviceController, *, say: Say) -> None:
    """Says what the service does not take, and whether it is there."""
    told: set[str] = set()
    there: bool | None = None
    while True:
        connected = source.connected and controller.connected
        problem = source.problem or controller.problem
        if connected is not there and (connected or problem):
            say("service: connected" if connected else f"service: away: {problem}")
            there = connected
        problems = {str(problem) for problem in (*source.point_problems, *controller.device_problems)}
        for problem in sorted(problems - told):
            say(f"not taken by the service: {problem}")
        told = problems
        await asyncio.sleep(PROBLEMS_LOOKED_AT_S)
