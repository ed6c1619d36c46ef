"""The field processes: `gateway` (substation and line devices) and `ders` (one controller and one source per DER).

They hear the plant over the field bus and the service over gRPC, and nothing else. One message is answered by one
message, so that the bench can go in lockstep.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict
from typing import Any

from adms.client import (
    Capability,
    Device,
    DeviceClass,
    OutcomeCode,
    Point,
    PointKind,
    PowerSetpoint,
    Quality,
    ReceivedCommand,
    Setpoint,
    TapSetpoint,
)
from hil.devices import Answer, DerDevice, LineDevice, LineDevices
from hil.feeder_time import moment, seconds
from hil.fieldbus import Connection, FieldBusError, Message, call
from hil.link import ControlLink, TelemetryLink

READY_TIMEOUT_S = 30.0
ACKNOWLEDGE_TIMEOUT_S = 5.0


class Field:
    """Devices of one process."""

    def __init__(self, setup: Message) -> None:
        self._now_s = float(setup["time_s"])
        self._ders: dict[str, DerDevice] = {}
        self._line: LineDevices | None = None
        self._actions: list[Message] = []
        self._heard: list[Message] = []
        self._sent_at = time.perf_counter()
        """When the last frames were sent, on the clock of the machine: for latencies only."""
        self.sources: dict[str, TelemetryLink] = {}
        self.controllers: dict[str, ControlLink] = {}
        endpoint = str(setup["endpoint"])
        for source in setup["sources"]:
            points = tuple(Point(**{**point, "kind": PointKind(point["kind"])}) for point in source["points"])
            self.sources[source["source_id"]] = TelemetryLink(
                endpoint=endpoint, source_id=source["source_id"], instance_epoch=1, points=points
            )
        for controller in setup["controllers"]:
            self.controllers[controller["controller_id"]] = ControlLink(
                endpoint=endpoint,
                controller_id=controller["controller_id"],
                devices=self._devices(controller, lapse_s=float(setup["supervision_lapse_s"])),
                on_command=self._on_command,
                now_s=lambda: self._now_s,
            )

    def _devices(self, controller: Message, *, lapse_s: float) -> tuple[Device, ...]:
        devices, line = [], []
        for message in controller["devices"]:
            device = device_of(message)
            devices.append(device)
            if device.device_class is DeviceClass.DER:
                self._ders[device.device_id] = DerDevice(device, now=lambda: moment(self._now_s))
            else:
                line.append(LineDevice(device=device, low=message["low"], high=message["high"]))
        if line:
            self._line = LineDevices(tuple(line), supervision_lapse_s=lapse_s)
        return tuple(devices)

    def _on_command(self, command: ReceivedCommand) -> Answer:
        der = self._ders.get(command.device_id)
        if der is not None:
            answer = der.take(command)
        elif self._line is not None:
            answer, action = self._line.take(command)
            if action is not None:
                self._actions.append(asdict(action))
        else:
            answer = Answer(code=OutcomeCode.NOT_SUPPORTED)
        setpoint = command.setpoint
        self._heard.append(
            {
                "device_id": command.device_id,
                "tap": setpoint.position if isinstance(setpoint, TapSetpoint) else None,
                "power": _power(setpoint),
                "code": answer.code,
                "text": answer.text,
                "reason": command.reason,
                "issue_s": seconds(command.issue_time),
                "wall_s": time.perf_counter() - self._sent_at,
            }
        )
        return answer

    async def start(self) -> None:
        """Begin to connect."""
        for link in self._links:
            await link.start()

    @property
    def _links(self) -> tuple[TelemetryLink | ControlLink, ...]:
        return (*self.sources.values(), *self.controllers.values())

    async def ready(self) -> Message:
        """Wait until the service knows every source and controller; what it does not take of them."""
        async with asyncio.timeout(READY_TIMEOUT_S):
            for link in self._links:
                await link.ready()
        return {"problems": [problem for link in self._links for problem in link.problems]}

    async def lost(self) -> Message:
        """Wait until every stream has noticed that the service is gone."""
        async with asyncio.timeout(READY_TIMEOUT_S):
            while any(link.connected for link in self._links):  # noqa: ASYNC110 (streams have no common event)
                await asyncio.sleep(0.01)
        return {"lost": True}

    async def scan(self, message: Message) -> Message:
        """Send what the meters show; answers with the sequence of each source's frame."""
        self._now_s = float(message["time_s"])
        frames = {}
        for source_id, (index, value) in message["scans"].items():
            frames[source_id] = await self.sources[source_id].send(time_s=self._now_s, index=index, value=value)
        return {"frames": frames}

    async def deliver(self, message: Message) -> Message:
        """Send what has arrived from the meters, each frame with its own measure time and qualities, in the order of
        arrival; answers with the sequence of each source's last frame."""
        self._now_s = float(message["time_s"])
        self._sent_at = time.perf_counter()
        frames = {}
        for source_id, deliveries in message["deliveries"].items():
            for measure_time_s, index, value, quality in deliveries:
                frames[source_id] = await self.sources[source_id].send(
                    time_s=measure_time_s, index=index, value=value, quality=[Quality(one) for one in quality]
                )
        return {"frames": frames}

    async def act(self, message: Message) -> Message:
        """Wait for the commands that the service has sent, then say what the devices do about them."""
        self._now_s = float(message["time_s"])
        for controller_id, sequence in message["expect"].items():
            if controller_id in self.controllers:
                await self.controllers[controller_id].reached(int(sequence))
        actions, self._actions = self._actions, []
        heard, self._heard = self._heard, []
        dues = {name: der.due() for name, der in self._ders.items()}
        connected = all(link.connected for link in self.controllers.values())
        return {
            "actions": actions,
            "commands": heard,
            "targets": {name: _power(due.setpoint) for name, due in dues.items()},
            "leased": [name for name, due in dues.items() if due.leased],
            "supervised": self._line.supervised(connected=connected, now_s=self._now_s) if self._line else None,
            "outcomes": {name: link.outcome_sequence for name, link in self.controllers.items()},
        }

    async def counts(self, *, service_up: bool) -> Message:
        """Frames sent and acknowledged by source; waits a little for the last acknowledgements."""
        if service_up:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
                    for link in self.sources.values():
                        await link.until_acknowledged()
        return {"frames": {name: link.counts for name, link in self.sources.items()}}

    async def close(self) -> None:
        """End every stream."""
        for link in self._links:
            await link.close()


def device_of(message: Message) -> Device:
    """A device as the setup message describes it."""
    if message["kind"] != DeviceClass.DER:
        return Device(device_id=message["device_id"], device_class=DeviceClass(message["kind"]))
    return Device(
        device_id=message["device_id"],
        device_class=DeviceClass.DER,
        capability=Capability(**message["capability"]),
        stored_default=PowerSetpoint(**message["stored_default"]),
    )


def _power(setpoint: Setpoint) -> list[float | None] | None:
    return [setpoint.p_injection_w, setpoint.q_injection_var] if isinstance(setpoint, PowerSetpoint) else None


async def answer(field: Field, message: Message) -> Message:
    """One message of the plant, one answer. Raises FieldBusError for a message that is none."""
    match message["type"]:
        case "scan":
            return await field.scan(message)
        case "deliver":
            return await field.deliver(message)
        case "act":
            return await field.act(message)
        case "counts":
            return await field.counts(service_up=bool(message["service_up"]))
        case "ready":
            return await field.ready()
        case "lost":
            return await field.lost()
        case unknown:
            raise FieldBusError(f"unknown message {unknown}")


async def serve(*, role: str, address: str) -> None:
    """Run one field process until the plant says stop or goes away."""
    bus: Connection = await call(address, role=role)
    setup = await bus.receive()
    if setup["type"] == "stop":
        # The demonstration ended before it began, e.g. for want of a service.
        await bus.send({"stopped": True})
        await bus.close()
        return
    field = Field(setup)
    await field.start()
    try:
        while True:
            message: dict[str, Any] = await bus.receive()
            if message["type"] == "stop":
                await bus.send({"stopped": True})
                return
            await bus.send(await answer(field, message))
    except (FieldBusError, asyncio.CancelledError):
        return
    finally:
        await field.close()
        await bus.close()
