"""The field processes: `gateway` (substation and line devices) and `ders` (one controller and one source per DER).

They hear the plant over the field bus and the service over gRPC, and nothing else. One message is answered by one
message, so that the bench can go in lockstep.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hil.devices import SUCCESS, Answer, FieldCommand, LeaseHolder, LineDevice, LineDevices
from hil.fieldbus import Connection, FieldBusError, Message, call
from hil.link import ControlLink, TelemetryLink
from hil.meters import MeterPoint

READY_TIMEOUT_S = 30.0
ACKNOWLEDGE_TIMEOUT_S = 5.0


class Field:
    """Devices of one process."""

    def __init__(self, setup: Message) -> None:
        self._now_s = float(setup["time_s"])
        self._holders: dict[str, LeaseHolder] = {}
        self._line: LineDevices | None = None
        self._actions: list[Message] = []
        self._heard: list[Message] = []
        self.sources: dict[str, TelemetryLink] = {}
        self.controllers: dict[str, ControlLink] = {}
        endpoint = str(setup["endpoint"])
        for source in setup["sources"]:
            points = tuple(MeterPoint(**point) for point in source["points"])
            self.sources[source["source_id"]] = TelemetryLink(
                endpoint=endpoint, source_id=source["source_id"], instance_epoch=1, points=points
            )
        for controller in setup["controllers"]:
            self._devices(controller, lapse_s=float(setup["supervision_lapse_s"]))
            self.controllers[controller["controller_id"]] = ControlLink(
                endpoint=endpoint,
                controller_id=controller["controller_id"],
                devices=tuple(controller["devices"]),
                on_command=self._on_command,
                now_s=lambda: self._now_s,
            )

    def _devices(self, controller: Message, *, lapse_s: float) -> None:
        line = []
        for device in controller["devices"]:
            if device["kind"] == "der":
                self._holders[device["device_id"]] = LeaseHolder(
                    device_id=device["device_id"],
                    s_max_va=device["s_max_va"],
                    p_min_w=device["p_min_w"],
                    p_max_w=device["p_max_w"],
                    q_max_var=device["q_max_var"],
                    default_p_w=device["default_p_w"],
                    default_q_var=device["default_q_var"],
                )
            else:
                line.append(
                    LineDevice(
                        device_id=device["device_id"], kind=device["kind"], low=device["low"], high=device["high"]
                    )
                )
        if line:
            self._line = LineDevices(tuple(line), supervision_lapse_s=lapse_s)

    def _on_command(self, command: FieldCommand) -> Answer:
        holder = self._holders.get(command.device_id)
        if holder is not None:
            answer = holder.take(command, now_s=self._now_s)
        elif self._line is not None:
            answer, action = self._line.take(command, now_s=self._now_s)
            if action is not None:
                self._actions.append({"device_id": action.device_id, "kind": action.kind, "position": action.position})
        else:
            answer = Answer(command_id=command.command_id, device_id=command.device_id, code="not_supported")
        self._heard.append(
            {
                "device_id": command.device_id,
                "closed": command.closed,
                "tap": command.tap,
                "steps": command.steps,
                "power": list(command.power) if command.power is not None else None,
                "accepted": answer.code == SUCCESS,
                "code": answer.code,
                "text": answer.text,
                "app": command.app,
                "reason": command.reason,
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

    async def act(self, message: Message) -> Message:
        """Wait for the commands that the service has sent, then say what the devices do about them."""
        self._now_s = float(message["time_s"])
        for controller_id, sequence in message["expect"].items():
            if controller_id in self.controllers:
                await self.controllers[controller_id].reached(int(sequence))
        actions, self._actions = self._actions, []
        heard, self._heard = self._heard, []
        connected = all(link.connected for link in self.controllers.values())
        return {
            "actions": actions,
            "commands": heard,
            "targets": {name: holder.target(now_s=self._now_s) for name, holder in self._holders.items()},
            "leased": [name for name, holder in self._holders.items() if holder.leased(now_s=self._now_s)],
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


async def answer(field: Field, message: Message) -> Message:
    """One message of the plant, one answer. Raises FieldBusError for a message that is none."""
    match message["type"]:
        case "scan":
            return await field.scan(message)
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
    field = Field(await bus.receive())
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
