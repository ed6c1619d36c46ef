"""Telemetry frames and commands as HELICS messages, so that a communication simulator can hold them up or lose them.

Each way has an endpoint at either end, both ours: a frame leaves `source/<owner>` for `centre/<owner>`, a command
leaves `command/<device>` for `device/<device>`. Whoever simulates the network puts filters on the first of a pair
(delay, loss, rerouting through an endpoint of its own) or sends on what it was handed. What nobody touches arrives in
the same scan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from adms.client import Quality
from hil.cosim.library import CosimError
from hil.cosim.membership import Membership
from hil.cosim.plan import MessagePlan
from hil.fieldbus import Message
from hil.sensors.channel import Delivery, Frame
from hil.sensors.terms import matches

_SWITCHING_S = 1e-6
"""Each exchange is a grant of its own so much later: HELICS gives nothing out at the instant that it was sent."""
_DIGITS = 9
"""HELICS counts nanoseconds."""


@dataclass(kw_only=True)
class MessageCounts:
    """What became of the messages. Without copies made on the way, `sent` less `arrived`, less `garbled`, are under way
    or lost: only who simulates the network knows which."""

    sent: int = 0
    arrived: int = 0
    garbled: int = 0
    """Arrived, and is not what can have been sent: treated as lost."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A command as it reached its device."""

    device: str
    arrive_s: float
    message: Message


class MessagePath:
    """The ways of one run. Made before the federation is entered; without a `[cosim.messages]` there is none."""

    def __init__(
        self, plan: MessagePlan, *, membership: Membership, owners: Iterable[str], devices: Iterable[str]
    ) -> None:
        self._membership, self._network = membership, plan.network
        self.counts = MessageCounts()
        self._sources = self._pairs("source", "centre", names=owners, patterns=plan.sources)
        self._commands = self._pairs("command", "device", names=devices, patterns=plan.commands)

    def _pairs(
        self, out: str, back: str, *, names: Iterable[str], patterns: Sequence[str]
    ) -> dict[str, tuple[Any, Any]]:
        h, federate = self._membership.h, self._membership.federate
        return {
            name: (
                h.helicsFederateRegisterGlobalEndpoint(federate, f"{out}/{name}", ""),
                h.helicsFederateRegisterGlobalEndpoint(federate, f"{back}/{name}", ""),
            )
            for name in sorted(names)
            if any(matches(pattern, name) for pattern in patterns)
        }

    def carry_frames(self, deliveries: Mapping[str, Sequence[Delivery]]) -> dict[str, list[Delivery]]:
        """Hand in what the owners' channels deliver in this scan; what reaches the centre by now, by owner, in the
        order of arrival. `arrive_s` grows by what the network took; nothing else of a delivery changes. One grant."""
        arrived = {owner: list(found) for owner, found in deliveries.items() if owner not in self._sources}
        now_s = self._membership.time_s
        with self._membership.speaking():
            for owner, found in sorted(deliveries.items()):
                if owner in self._sources:
                    for delivery in found:
                        self._send(self._sources[owner], f"centre/{owner}", _of_delivery(delivery, sent_s=now_s))
        self._switch()
        for owner, ends in self._sources.items():
            read = [self._delivery(content, time_s) for content, time_s in self._receive(ends)]
            arrived[owner] = [delivery for delivery in read if delivery is not None]
        return arrived

    def carry_commands(self, commands: Iterable[tuple[str, Message]]) -> list[Arrival]:
        """Hand in what the centre orders in this scan, (device, message); what reaches the devices by now. One
        grant."""
        now_s = self._membership.time_s
        arrived: list[Arrival] = []
        with self._membership.speaking():
            for device, message in commands:
                if device in self._commands:
                    content: Message = {"sent_s": now_s, "message": message}
                    self._send(self._commands[device], f"device/{device}", content)
                else:
                    arrived.append(Arrival(device=device, arrive_s=now_s, message=message))
        self._switch()
        for device, ends in self._commands.items():
            for content, time_s in self._receive(ends):
                body = content.get("message")
                if isinstance(body, dict):
                    self.counts.arrived += 1
                    arrived.append(Arrival(device=device, arrive_s=time_s, message=body))
                else:
                    self.counts.garbled += 1
        return arrived

    def _send(self, ends: tuple[Any, Any], to: str, content: Message) -> None:
        self.counts.sent += 1
        body = json.dumps(content, separators=(",", ":")).encode()
        self._membership.h.helicsEndpointSendBytesTo(ends[0], body, to)

    def _switch(self) -> None:
        membership = self._membership
        membership.grant(membership.time_s + _SWITCHING_S)
        if self._network is not None and not membership.present(self._network):
            # Its filters go with it: from here on nothing would be held up any more.
            reason = f"the network {self._network} is not in the federation"
            membership.fail(reason)
            raise CosimError(f"the co-simulation ended after {membership.time_s:g} s: {reason}")

    def _receive(self, ends: tuple[Any, Any]) -> list[tuple[Message, float]]:
        """(content, time) of each message that is a JSON object."""
        h = self._membership.h
        found: list[tuple[Message, float]] = []
        while h.helicsEndpointHasMessage(ends[1]):
            message = h.helicsEndpointGetMessage(ends[1])
            content: Any = None
            with suppress(ValueError):
                content = json.loads(bytes(h.helicsMessageGetBytes(message)))
            if isinstance(content, dict):
                found.append((content, round(float(h.helicsMessageGetTime(message)), _DIGITS)))
            else:
                self.counts.garbled += 1
        return found

    def _delivery(self, content: Message, time_s: float) -> Delivery | None:
        try:
            delivery = _to_delivery(content)
            taken_s = round(time_s - float(content["sent_s"]), _DIGITS)
        except (KeyError, TypeError, ValueError):
            self.counts.garbled += 1
            return None
        self.counts.arrived += 1
        return replace(delivery, arrive_s=round(delivery.arrive_s + taken_s, _DIGITS))


def _of_delivery(delivery: Delivery, *, sent_s: float) -> Message:
    return {
        "sent_s": sent_s,
        "arrive_s": delivery.arrive_s,
        "number": delivery.number,
        "copy": delivery.copy,
        "frame": delivery.to_message(),
    }


def _to_delivery(content: Message) -> Delivery:
    measure_time_s, index, value, quality = content["frame"]
    return Delivery(
        arrive_s=float(content["arrive_s"]),
        number=int(content["number"]),
        copy=int(content["copy"]),
        frame=Frame(
            measure_time_s=float(measure_time_s),
            index=tuple(int(k) for k in index),
            value=tuple(float(v) for v in value),
            quality=tuple(Quality(q) for q in quality),
        ),
    )
