"""The endpoints' process: simulated inverters and RTUs on real protocols, and readers of real inverters.

It is a process of its own, so that a step of the plant holds up no answer and no answer holds up a step. It speaks with
the bench as the other field processes do: one message, one answer.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from adms.client import DeviceClass, OutcomeCode
from hil.endpoints.sunspec import SunSpecServer
from hil.fieldbus import Connection, FieldBusError, Message, call
from hil.wiring.inverters import SimulatedInverter
from hil.wiring.real import InverterReader
from hil.wiring.stations import SimulatedRtu

UNITS_PER_ADDRESS = 200
"""Below the 247 units of one Modbus address."""
LOOK_S = 0.05
ROLE = "endpoints"


class Endpoints:
    """All of them."""

    def __init__(self, setup: Message) -> None:
        self._zero_s = float(setup["zero_monotonic_s"])
        self._inverters = {
            each["entry"]["id"]: SimulatedInverter(each, now_s=self.now_s()) for each in setup["inverters"]
        }
        self._rtus = {each["name"]: SimulatedRtu(each, now_s=self.now_s) for each in setup["rtus"]}
        self._readers = {
            each["device_id"]: InverterReader(
                each["address"], unit_id=each["unit_id"], period_s=each["read_period_s"], now_s=self.now_s
            )
            for each in setup["real"]
        }
        self._stack = AsyncExitStack()
        self._reading: list[asyncio.Task[None]] = []

    def now_s(self) -> float:
        """Feeder second. The monotonic clock is the same in every process of a machine."""
        return time.monotonic() - self._zero_s

    async def listen(self) -> Message:
        """Take free ports; where each device and RTU is."""
        inverters: dict[str, list[Any]] = {}
        names = list(self._inverters)
        for first in range(0, len(names), UNITS_PER_ADDRESS):
            units = dict(enumerate(names[first : first + UNITS_PER_ADDRESS], start=1))
            server = await self._stack.enter_async_context(
                SunSpecServer(
                    devices={unit: self._inverters[name].device for unit, name in units.items()}, clock=self.now_s
                )
            )
            inverters |= {name: [server.address, unit] for unit, name in units.items()}
        rtus = {name: await rtu.outstation.listen() for name, rtu in self._rtus.items()}
        for rtu in self._rtus.values():
            self._stack.push_async_callback(rtu.outstation.hang_up)
        for reader in self._readers.values():
            self._reading.append(asyncio.create_task(reader.run()))
        return {"inverters": inverters, "rtus": rtus}

    async def answer(self, message: Message) -> Message:
        """One message of the bench, one answer. Raises FieldBusError for a message that is none."""
        match message["type"]:
            case "scan":
                return self._show(message)
            case "act":
                return self._act()
            case "ready":
                return await self._ready(timeout_s=float(message["timeout_s"]))
            case unknown:
                raise FieldBusError(f"unknown message {unknown}")

    def _show(self, message: Message) -> Message:
        """What the plant and its meters show. Frames by source: (measure time, index, value, quality)."""
        for name, inverter in self._inverters.items():
            frames = message["frames"].get(name, ())
            index = [place for frame in frames for place in frame[1]]
            value = [shown for frame in frames for shown in frame[2]]
            inverter.show(message["units"][name], index=index, value=value)
            # What was written for a time runs out by itself, asked or not.
            inverter.device.advance(self.now_s())
        for name, rtu in self._rtus.items():
            for measure_time_s, index, value, quality in message["frames"].get(name, ()):
                rtu.show(measure_time_s=measure_time_s, index=index, value=value, quality=quality)
            rtu.scan()
        return {"frames": {}}

    def _act(self) -> Message:
        """What was written and operated since the last answer, and what holds now; in the words of the other field
        processes."""
        now_s = self.now_s()
        commands: list[Message] = []
        actions: list[Message] = []
        actuated: list[Message] = []
        reads: dict[str, list[float]] = {}
        checks: dict[str, list[float]] = {}
        for name, inverter in self._inverters.items():
            inverter.device.advance(now_s)
            reads[name], checks[name], written_s = inverter.news()
            if written_s is not None:
                commands.append(_command(name, power=inverter.target))
                actuated.append({"device_id": name, "path": "sunspec", "time_s": written_s})
        automatic: dict[str, bool] = {}
        for rtu in self._rtus.values():
            for done in rtu.operated():
                tap = done.position if done.kind is DeviceClass.TAP_CHANGER else None
                commands.append(_command(done.device_id, tap=tap))
                actions.append({key: value for key, value in asdict(done).items() if key != "time_s"})
                actuated.append({"device_id": done.device_id, "path": "dnp3", "time_s": done.time_s})
            supervised = rtu.supervised()
            automatic |= {
                name: not supervised for name, (kind, *_) in rtu.devices.items() if kind is not DeviceClass.SWITCH
            }
        return {
            "actions": actions,
            "commands": commands,
            "targets": {name: inverter.target for name, inverter in self._inverters.items()},
            "leased": [name for name, inverter in self._inverters.items() if inverter.leased],
            "supervised": None,
            "automatic": automatic,
            "outcomes": {},
            "actuated": actuated,
            "reads": reads,
            "checks": checks,
            "delivered": {name: self._delivered(reader, now_s=now_s) for name, reader in self._readers.items()},
            "connected": {name: rtu.outstation.connected for name, rtu in self._rtus.items()},
        }

    @staticmethod
    def _delivered(reader: InverterReader, *, now_s: float) -> Message:
        newest = reader.newest
        told = None if newest is None else [newest.p_w, newest.q_var, now_s - newest.time_s]
        return {"newest": told, "problem": reader.problem}

    async def _ready(self, *, timeout_s: float) -> Message:
        """Wait until the gateways have found everything that is simulated; what they have not."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._unfound():  # noqa: ASYNC110 (devices have no common event)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            return {"problems": [f"{name} has not been asked by its gateway" for name in self._unfound()]}
        return {"problems": []}

    def _unfound(self) -> list[str]:
        unread = [name for name, each in self._inverters.items() if not (each.read_once or bool(each.device.reads_s))]
        return unread + [name for name, rtu in self._rtus.items() if not rtu.outstation.connected]

    async def close(self) -> None:
        """End everything."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        await self._stack.aclose()


def _command(device_id: str, *, tap: int | None = None, power: list[float | None] | None = None) -> Message:
    return {
        "device_id": device_id,
        "tap": tap,
        "power": power,
        "code": OutcomeCode.SUCCESS,
        "text": "",
        "reason": "",
    }


async def serve(*, address: str) -> None:
    """Run until the bench says stop or goes away."""
    bus: Connection = await call(address, role=ROLE)
    endpoints: Endpoints | None = None
    try:
        while True:
            message = await bus.receive()
            if message["type"] == "setup":
                endpoints = Endpoints(message)
                await bus.send(await endpoints.listen())
            elif message["type"] == "stop":
                await bus.send({"stopped": True})
                return
            elif endpoints is not None:
                await bus.send(await endpoints.answer(message))
    except (FieldBusError, asyncio.CancelledError):
        return
    finally:
        if endpoints is not None:
            await endpoints.close()
        await bus.close()
