"""The wiring of a run: endpoints, gateways, and what goes between them and the plant with every tick.

bench = read_bench_file(path, overlay=overlay, real_time=True)
put_real_units(bench, plant=plant, ride_through=scenario.ride_through)      # before the meters
meters = Meters(plant, plan=..., seed=..., owners=owners_of(bench))
async with Wiring(bench, plant=plant, meters=meters, scenario=scenario, endpoint=endpoint, folder=out) as wiring:
    problems = await wiring.ready()
    pacer.start(zero_s=wiring.zero_s)
    while (now_s := await pacer.tick()) <= duration_s:
        wiring.obey(await wiring.act())
        plant.advance(now_s)
        await wiring.show(now_s, scans=meters.scan())
        ...  # service's round; wiring.round(report)
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from adms.client import DeviceClass, RoundReport
from hil.feeder_time import START, seconds
from hil.fieldbus import Connection, FieldBusError, Listener, Message
from hil.meters import Meters, Scan
from hil.plant.der import RideThrough
from hil.plant.plant import Plant
from hil.scenario import Scenario
from hil.sensors.channel import Delivery
from hil.wiring.bench_file import BenchFile
from hil.wiring.endpoints import ROLE
from hil.wiring.followed import Followed
from hil.wiring.latency import Latencies
from hil.wiring.processes import Started
from hil.wiring.real import RealUnit
from hil.wiring.told import (
    DNP3,
    SUNSPEC,
    check_sources,
    dnp3_toml,
    inverter_setup,
    left_out_of,
    rtu_setup,
    sunspec_toml,
    unit_now,
)

START_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 60.0
READY_LOOK_S = 1.0
LEAD_S = 8.0
"""From the start of the gateways to feeder second 0: about what they need to find their devices and the service."""


def put_real_units(bench: BenchFile, *, plant: Plant, ride_through: RideThrough) -> None:
    """Let a unit of the plant deliver what its real device delivers. Call it before the meters are made."""
    for entry in bench.sunspec:
        for name in entry.devices if entry.real is not None else ():
            assert entry.real is not None
            unit = plant.ders[name]
            plant.ders[name] = RealUnit(unit.entry, ride_through=ride_through, hold_s=entry.real.hold_s)


def move(plant: Plant, action: Message) -> None:
    """Let a line device of the plant begin to move as a field process says."""
    device, position = action["device_id"], int(action["position"])
    match action["kind"]:
        case DeviceClass.SWITCH:
            plant.operate_switch(device, closed=bool(position))
        case DeviceClass.TAP_CHANGER:
            plant.move_tap(device, position=position)
        case DeviceClass.CAPACITOR:
            plant.switch_capacitor(device, steps=position)


class Wiring:
    """Everything between a plant and its devices on real protocols, while it is entered."""

    def __init__(
        self,
        bench: BenchFile,
        *,
        plant: Plant,
        meters: Meters,
        scenario: Scenario,
        endpoint: str,
        folder: Path,
        granted_time: bool = True,
        lead_s: float = LEAD_S,
    ) -> None:
        """`endpoint`: of the service. `folder`: for configurations and logs. `granted_time`: the service lives on
        feeder time, else on this machine's UTC. Raises InputError for an RTU that does not fit the meters."""
        check_sources(bench, meters=meters, plant=plant)
        self.bench = bench
        self.left_out = left_out_of(bench)
        """Devices and sources that the gRPC field processes do not have: for `hil.setup`, and for their scans."""
        self.latencies = Latencies()
        self.notes: list[str] = []
        """What went wrong with real devices and gateways since it was asked; take them with `news`."""
        self.gateways: dict[str, Started] = {}
        """By protocol."""
        self.zero_s = 0.0
        """Feeder second 0 on the monotonic clock: for `Pacer.start`."""
        self._plant, self._meters, self._scenario = plant, meters, scenario
        self._endpoint, self._folder = endpoint, folder
        self._granted_time, self._lead_s = granted_time, lead_s
        self._real = {name: entry.real for entry in bench.sunspec if entry.real is not None for name in entry.devices}
        self._simulated = tuple(name for name in bench.ders if name not in self._real)
        behind_real = [name for rtu in bench.rtus if rtu.address is not None for name in rtu.devices]
        self._followed = Followed(behind_real)
        self._unseen = frozenset((*self._real, *behind_real))
        self._following: asyncio.Task[None] | None = None
        self._listener = Listener()
        self._process: Started | None = None
        self._bus: Connection | None = None
        self._stale = dict.fromkeys(self._real, False)
        self._told_ended: set[str] = set()

    async def __aenter__(self) -> Self:
        """Starts endpoints and gateways."""
        try:
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await asyncio.gather(*(gateway.end() for gateway in self.gateways.values()))
        if self._bus is not None:
            with contextlib.suppress(FieldBusError, ConnectionError, TimeoutError):
                await asyncio.wait_for(self._bus.ask({"type": "stop"}), 5.0)
            await self._bus.close()
        self._listener.close()
        if self._process is not None:
            await self._process.end()

    async def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        address = await self._listener.start()
        expected = self._listener.expect(ROLE)
        self._process = Started(("hil.wiring", "--bus", address), log=self._folder / "endpoints.log")
        await self._process.start()
        self._bus = await asyncio.wait_for(expected, START_TIMEOUT_S)
        self.zero_s = time.monotonic() + self._lead_s
        zero = datetime.fromtimestamp(time.time() + self._lead_s, UTC)
        offset_s = (START - zero).total_seconds() if self._granted_time else 0.0
        setups = {
            rtu.name: rtu_setup(
                rtu, plant=self._plant, meters=self._meters, supervision_lapse_s=self._scenario.supervision_lapse_s
            )
            for rtu in self.bench.rtus
        }
        places = await self._ask(
            {
                "type": "setup",
                "zero_monotonic_s": self.zero_s,
                "inverters": [inverter_setup(name, plant=self._plant, meters=self._meters) for name in self._simulated],
                "rtus": [setups[rtu.name] for rtu in self.bench.rtus if rtu.address is None],
                "real": [
                    {
                        "device_id": name,
                        "address": real.address,
                        "unit_id": real.unit_id,
                        "read_period_s": real.read_period_s,
                    }
                    for name, real in self._real.items()
                ],
            }
        )
        # Registers and points say what is, before anybody asks.
        await self.show(0.0, scans=self._meters.scan())
        inverters = {name: (str(where), int(unit)) for name, (where, unit) in places["inverters"].items()}
        inverters |= {name: (real.address, real.unit_id) for name, real in self._real.items()}
        if inverters:
            text = sunspec_toml(
                inverters,
                plant=self._plant,
                meters=self._meters,
                real=self._real,
                endpoint=self._endpoint,
                polls=self.bench.polls,
                clock_offset_s=offset_s,
            )
            await self._start_gateway(SUNSPEC, text)
        if self.bench.rtus:
            stations = {rtu.address or str(places["rtus"][rtu.name]): setups[rtu.name] for rtu in self.bench.rtus}
            text = dnp3_toml(
                stations,
                endpoint=self._endpoint,
                polls=self.bench.polls,
                state_file="dnp3-epoch.json",
                clock_offset_s=offset_s,
            )
            await self._start_gateway(DNP3, text)
        if any(rtu.address is not None for rtu in self.bench.rtus):
            self._following = asyncio.create_task(self._followed.run(self._endpoint))

    async def _start_gateway(self, protocol: str, text: str) -> None:
        path = self._folder / f"gateway-{protocol}.toml"
        path.write_text(text, encoding="utf-8")
        gateway = Started(("adms.gateway", protocol, str(path)), log=self._folder / f"gateway-{protocol}.log")
        self.gateways[protocol] = gateway
        await gateway.start()

    async def ready(self, *, timeout_s: float = READY_TIMEOUT_S) -> list[str]:
        """Wait until the gateways have found what is simulated; what they have not. Where that takes longer than until
        feeder second 0, the run begins later."""
        problems: list[str] = []
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            problems = (await self._ask({"type": "ready", "timeout_s": READY_LOOK_S}))["problems"]
            self._look_after_gateways()
            if not problems or self._told_ended:
                break
        return self.news() or problems

    @property
    def processes(self) -> Mapping[str, Started]:
        """Everything that was started, by what it is."""
        found = {f"{protocol} gateway": gateway for protocol, gateway in self.gateways.items()}
        return found if self._process is None else {ROLE: self._process, **found}

    # ---- with every tick --------------------------------------------------------------------------------------

    async def act(self) -> Message:
        """What was written and operated since the last tick, in the words of the field processes ("commands",
        "targets", "actions", "leased"). Judge it, then `obey` it, then advance the plant."""
        reply = await self._ask({"type": "act"})
        reply["actions"] += self._followed.actions()
        for name, times_s in reply["reads"].items():
            self.latencies.read(name, times_s)
        for name, times_s in reply["checks"].items():
            self.latencies.checked(name, times_s)
        for each in reply["actuated"]:
            self.latencies.actuated(each["device_id"], path=each["path"], time_s=each["time_s"])
        return reply

    def obey(self, reply: Message) -> None:
        """Let the plant do what its devices were told, and deliver what real ones deliver."""
        plant = self._plant
        leased = set(reply["leased"])
        for name, (p_w, q_var) in reply["targets"].items():
            unit = plant.ders[name]
            unit.p_target_w, unit.q_target_var = p_w, q_var
            if hasattr(unit, "leased"):
                unit.leased = name in leased
        for action in reply["actions"]:
            move(plant, action)
        plant.automatic.update(reply["automatic"])
        for name, delivered in reply["delivered"].items():
            self._deliver(name, delivered)
        self._look_after_gateways()

    def _look_after_gateways(self) -> None:
        for protocol, gateway in self.gateways.items():
            if not gateway.running and protocol not in self._told_ended:
                self._told_ended.add(protocol)
                self.notes.append(f"the {protocol} gateway has ended: {gateway.last_words or 'it said nothing'}")

    def _deliver(self, name: str, delivered: Mapping[str, Any]) -> None:
        unit = self._plant.ders[name]
        assert isinstance(unit, RealUnit)
        if delivered["newest"] is not None:
            p_w, q_var, age_s = delivered["newest"]
            unit.deliver(p_w, q_var, age_s=age_s)
        if unit.stale is self._stale[name]:
            return
        self._stale[name] = unit.stale
        where = f"{name} at {self._real[name].address} unit {self._real[name].unit_id}"
        if unit.stale:
            why = delivered["problem"] or "its readings are late"
            self.notes.append(f"{where}: not read for {unit.age_s:.1f} s ({why}); taken to deliver nothing")
        else:
            self.notes.append(f"{where}: read again")

    async def show(
        self,
        now_s: float,
        *,
        scans: Mapping[str, Scan] | None = None,
        deliveries: Mapping[str, Sequence[Delivery]] | None = None,
    ) -> None:
        """Let the endpoints show the plant as it is: what all meters show, or what their channels delivered. Owners
        that are not wired are left out."""
        frames: dict[str, list[Any]] = {}
        wired = (*self._simulated, *(rtu.name for rtu in self.bench.rtus))
        for owner in wired:
            if scans is not None and owner in scans:
                frames[owner] = [[now_s, scans[owner].index, scans[owner].value, ()]]
            elif deliveries is not None and owner in deliveries:
                frames[owner] = [delivery.to_message() for delivery in deliveries[owner]]
        units = {name: unit_now(name, plant=self._plant) for name in self._simulated}
        await self._ask({"type": "scan", "time_s": now_s, "frames": frames, "units": units})
        plant = self._plant
        for name in (*plant.ders, *plant.closed, *plant.taps, *plant.capacitors):
            # An inverter is read by its gateway, when that likes.
            if name not in self.bench.ders:
                self.latencies.read(name, (now_s,))

    def round(self, report: RoundReport) -> None:
        """A round of the service has ended: what it commands is awaited, but for what real devices do, which only
        their gateway sees."""
        commanded = [command.device_id for command in report.commands if command.device_id not in self._unseen]
        self.latencies.round(seconds(report.time), devices=commanded)

    def heard(self, command: Message) -> None:
        """A command that a gRPC field process has carried out, now."""
        self.latencies.actuated(command["device_id"], path="grpc", time_s=time.monotonic() - self.zero_s)

    def news(self) -> list[str]:
        """What went wrong since it was asked."""
        news, self.notes = self.notes, []
        return news

    async def _ask(self, message: Message) -> Message:
        assert self._bus is not None
        return await self._bus.ask(message)
