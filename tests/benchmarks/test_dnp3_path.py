"""Sensor to actuator over DNP3: 100 outstations on the loopback, the gateway, and a service that answers each trip at
once with a command. Both ends share one process and its one core, so the figures are an upper bound for the gateway."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from dnp3.core.enums import CommandStatus
from pytest_benchmark.fixture import BenchmarkFixture

from adms.client import DeviceClass, Point, PointKind, Setpoint, SwitchSetpoint, TapSetpoint
from hil.endpoints.dnp3.layout import rtu_of
from hil.endpoints.dnp3.outstation import Outstation
from tests.unit.hil.dnp3_case import MANNERS, POLLING, CaseField, Told, WallSeconds, configured, connected, gateway_for

STATIONS = 100
ASKED_P99_S = 1.0
"""Issue 5: sensor to actuator, 99 of 100 under 1 s at 100 devices on the loopback."""


@dataclass(kw_only=True)
class Station:
    """One RTU with a switch and a regulator, and when its last change was shown, told, and answered by the tap."""

    number: int
    field: CaseField = field(default_factory=lambda: CaseField({}))
    shown_s: float = 0.0
    told_s: float = 0.0
    operated_s: float = 0.0

    @property
    def switch(self) -> str:
        return f"line.sw{self.number}"

    @property
    def regulator(self) -> str:
        return f"transformer.reg{self.number}"

    @property
    def position(self) -> Point:
        return Point(kind=PointKind.SWITCH_CLOSED, element=self.switch)


class Plant:
    """All stations, the gateway, and the service that closes the loop."""

    def __init__(self, *, unsolicited: bool, event_poll_s: float) -> None:
        self.stations = [Station(number=number) for number in range(STATIONS)]
        self._manners = replace(MANNERS, unsolicited=unsolicited)
        self._polling = replace(POLLING, event_poll_s=event_poll_s, integrity_poll_s=2.0, response_timeout_s=5.0)
        self._stack = AsyncExitStack()
        self._endpoints: list[Outstation] = []
        self._moves = 0

    async def open(self, folder: Path) -> None:
        """Every RTU read and reporting."""
        now_s = WallSeconds()
        rtus = {}
        for station in self.stations:
            meters = [
                Point(kind=kind, element=f"{station.number}-{n}", phase=phase, sigma=1.0)
                for kind in (PointKind.V_MAGNITUDE, PointKind.P_INJECTION, PointKind.Q_INJECTION)
                for n, phase in enumerate((1, 2, 3))
            ]
            for point in meters:
                station.field.show(point, 1.0)
            station.field.show(station.position, 1.0)
            rtu = rtu_of(
                f"rtu-{station.number}",
                points=[station.position, *meters],
                devices={station.switch: DeviceClass.SWITCH, station.regulator: DeviceClass.TAP_CHANGER},
                outstation_address=10,
                master_address=1,
                manners=self._manners,
            )
            station.field.check = lambda *_, now_s: CommandStatus.SUCCESS  # type: ignore[method-assign]
            station.field.operate = self._operate(station)  # type: ignore[method-assign]
            endpoint = Outstation(rtu, field=station.field, now_s=now_s, start=now_s.start)
            endpoint.scan()
            rtus[await endpoint.listen()] = rtu
            self._endpoints.append(endpoint)
            self._stack.push_async_callback(endpoint.hang_up)
        entered = gateway_for(configured(folder, rtus, polling=self._polling))
        self._gateway, self._service = await self._stack.enter_async_context(entered)
        await connected(self._gateway)
        self._of = {station.position: station for station in self.stations}
        self._service.on_frame = self._told

    async def close(self) -> None:
        """Hang up."""
        await self._stack.aclose()

    def _told(self, frame: list[Told]) -> None:
        for told in frame:
            station = self._of.get(told.point)
            if station is not None and station.told_s < station.shown_s and told.value == self._wanted:
                station.told_s = time.perf_counter()
                self._service.command(station.regulator, TapSetpoint(position=1))

    def _operate(self, station: Station):  # type: ignore[no-untyped-def]
        def operate(device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
            assert not isinstance(setpoint, SwitchSetpoint)
            station.operated_s = time.perf_counter()
            return CommandStatus.SUCCESS

        return operate

    async def burst(self) -> None:
        """Every switch moves at once; returns when every tap changer has been operated."""
        self._moves += 1
        self._wanted = float(self._moves % 2 == 0)
        for station, endpoint in zip(self.stations, self._endpoints, strict=True):
            station.field.show(station.position, self._wanted)
            station.shown_s = time.perf_counter()
            endpoint.scan()
        operated = STATIONS * self._moves
        await self._service.until(lambda: len(self._service.outcomes) == operated)


@pytest.mark.parametrize(
    ("unsolicited", "event_poll_s"), [pytest.param(True, 2.0, id="reported"), pytest.param(False, 0.5, id="polled")]
)
def test_a_change_at_100_outstations_is_answered_within_a_second(
    benchmark: BenchmarkFixture, tmp_path: Path, unsolicited: bool, event_poll_s: float
) -> None:
    plant = Plant(unsolicited=unsolicited, event_poll_s=event_poll_s)
    up: list[float] = []
    down: list[float] = []

    with asyncio.Runner() as runner:
        runner.run(plant.open(tmp_path))

        def burst() -> None:
            runner.run(plant.burst())
            up.extend(station.told_s - station.shown_s for station in plant.stations)
            down.extend(station.operated_s - station.told_s for station in plant.stations)

        benchmark.pedantic(burst, rounds=20)  # type: ignore[no-untyped-call]
        runner.run(plant.close())
    both = np.array(up) + np.array(down)
    figures = {
        f"{name}_p{percent}_ms": round(1e3 * float(np.percentile(values, percent)), 1)
        for name, values in (("change_to_frame", up), ("command_to_operate", down), ("change_to_operate", both))
        for percent in (50, 99)
    }
    benchmark.extra_info.update(figures)
    print(f"{'reported' if unsolicited else 'polled'}, {len(both)} moves: {figures}")
    assert min(up) > 0.0
    assert min(down) > 0.0
    assert np.percentile(both, 99) < ASKED_P99_S
