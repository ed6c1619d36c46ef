"""The gateway: stations, one a device, between the service's streams and the devices' registers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Protocol

from adms.client import (
    DeviceController,
    Now,
    OutcomeCode,
    ReceivedCommand,
    TelemetrySource,
    utc_now,
)
from adms.gateway.sunspec.board import Board, Telemetry
from adms.gateway.sunspec.config import GatewayConfig
from adms.gateway.sunspec.counts import Counts
from adms.gateway.sunspec.modbus import Line
from adms.gateway.sunspec.station import Station

ANSWER_TO_DECLARATION_S = 1.0


class Commands(Protocol):
    """Where commands come from and outcomes go: `adms.client.DeviceController`."""

    def commands(self) -> AsyncIterator[ReceivedCommand]:
        """Commands to carry out."""
        ...

    async def report(
        self, command: ReceivedCommand, code: OutcomeCode, *, text: str = "", time: datetime | None = None
    ) -> None:
        """Says what became of one."""
        ...


class Gateway:
    """All devices of one configuration, between two streams that may come and go."""

    def __init__(
        self,
        config: GatewayConfig,
        *,
        board: Board,
        telemetry: Telemetry,
        commands: Commands,
        counts: Counts,
        now: Now = utc_now,
    ) -> None:
        self._config, self._board = config, board
        self._telemetry, self._commands, self._counts = telemetry, commands, counts
        self._lines: dict[str, Line] = {}
        self.stations = {
            entry.device_id: Station(
                entry,
                gateway=config.gateway,
                line=self._line(entry.address, device_id=entry.device_id),
                board=board,
                counts=counts,
                report=self._report,
                now=now,
            )
            for entry in config.device
        }

    def _line(self, address: str, *, device_id: str) -> Line:
        shared = self._config.gateway.connections == "per_address"
        key = address if shared else device_id
        return self._lines.setdefault(key, Line(address, timeout_s=self._config.gateway.answer_timeout_s))

    async def _report(self, command: ReceivedCommand, code: OutcomeCode, text: str) -> None:
        await self._commands.report(command, code, text=text)

    async def run(self) -> None:
        """Works until cancelled; then lets go of the devices, which keep what they were given for its time."""
        try:
            async with asyncio.TaskGroup() as tasks:
                period_s = self._config.gateway.poll_period_s
                for place, station in enumerate(self.stations.values()):
                    # Spread over the period, so that answers do not come in bursts.
                    tasks.create_task(station.run(start_after_s=period_s * place / len(self.stations)))
                tasks.create_task(self._distribute())
                tasks.create_task(self._board.forward(self._telemetry, period_s=self._config.gateway.frame_period_s))
        finally:
            for line in self._lines.values():
                await line.close()

    async def _distribute(self) -> None:
        async for command in self._commands.commands():
            station = self.stations.get(command.device_id)
            if station is None:
                await self._commands.report(command, OutcomeCode.NOT_SUPPORTED, text="not a device of this gateway")
            else:
                station.take(command)


async def run_gateway(config: GatewayConfig) -> None:
    """Connects to the service and works until cancelled. Raises AdapterError where the metrics' address is taken."""
    table = config.gateway
    counts = Counts()
    board = Board(config.device)
    offset = timedelta(seconds=table.clock_offset_s)

    def now() -> datetime:
        return utc_now() + offset

    if table.metrics_listen is not None:
        host, _, port = table.metrics_listen.rpartition(":")
        print(f"metrics on {host}:{counts.serve(host=host.strip('[]'), port=int(port))}", flush=True)
    # Grows with every start, as the API asks of an instance.
    epoch = int(datetime.now(UTC).timestamp() * 1e3)
    try:
        async with AsyncExitStack() as stack:
            source = await stack.enter_async_context(
                TelemetrySource(
                    table.endpoint, source_id=table.source_id, instance_epoch=epoch, points=tuple(board.points)
                )
            )
            controller = await stack.enter_async_context(
                DeviceController(
                    table.endpoint,
                    controller_id=table.controller_id,
                    devices=[entry.registered for entry in config.device],
                    now=now,
                )
            )
            gateway = Gateway(config, board=board, telemetry=source, commands=controller, counts=counts, now=now)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(gateway.run())
                tasks.create_task(_tell_refusals(source, controller))
                if table.status_period_s is not None:
                    tasks.create_task(_tell(gateway, counts, controller=controller, period_s=table.status_period_s))
    finally:
        counts.close()


async def _tell(gateway: Gateway, counts: Counts, *, controller: DeviceController, period_s: float) -> None:
    """A line of counts, and who does not answer."""
    while True:
        await asyncio.sleep(period_s)
        print(counts.status(), flush=True)
        if not controller.connected:
            print(f"the service does not answer: {controller.problem}", flush=True)
        for name, station in gateway.stations.items():
            if station.problem:
                print(f"{name} at {station.entry.address} unit {station.entry.unit_id}: {station.problem}", flush=True)


async def _tell_refusals(source: TelemetrySource, controller: DeviceController) -> None:
    """Points and devices that the service does not take, once."""
    await asyncio.gather(source.until_connected(), controller.until_connected())
    # The answer to the declaration of points follows the greeting.
    await asyncio.sleep(ANSWER_TO_DECLARATION_S)
    for problem in (*source.point_problems, *controller.device_problems):
        print(f"not taken: {problem}", flush=True)
