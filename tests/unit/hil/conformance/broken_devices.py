"""Devices and meters that are broken on purpose, each in one way: those of the reference client, but for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from math import nan
from typing import Any

from adms.client import (
    DeviceController,
    Lease,
    OutcomeCode,
    PowerSetpoint,
    ReceivedCommand,
    TelemetrySource,
    utc_now,
)
from adms.client.channel import write_message
from adms.wire.telemetry.v1 import telemetry_pb2
from hil.conformance.reference_client import CAPABILITY, DEFAULT, Battery, ReferenceClient


class Linked(Battery):
    """Knows the controller that it hangs on."""

    controller: DeviceController


def held(battery: Battery) -> PowerSetpoint | None:
    """Setpoint of the newest lease, run out or not."""
    newest = battery.lease._newest
    return None if newest is None or not isinstance(newest.setpoint, PowerSetpoint) else newest.setpoint


class IgnoresLease(Battery):
    """The last setpoint holds for ever."""

    def wanted(self) -> tuple[float, float]:
        setpoint = held(self)
        return (0.0, 0.0) if setpoint is None else (setpoint.p_injection_w or 0.0, setpoint.q_injection_var or 0.0)


class HoldsWhileCut(Linked):
    """Nothing lapses while the stream is down."""

    def wanted(self) -> tuple[float, float]:
        setpoint = held(self)
        if self.controller.connected or setpoint is None:
            return super().wanted()
        return setpoint.p_injection_w or 0.0, setpoint.q_injection_var or 0.0


class DropsWhenCut(Linked):
    """Every lease is dropped as soon as the stream is down."""

    def wanted(self) -> tuple[float, float]:
        return super().wanted() if self.controller.connected else (0.0, 0.0)


class CountsFromArrival(Battery):
    """The lease lasts from its arrival as long as it was issued for."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        return super().take(replace(command, expiry=utc_now() + (command.expiry - command.issue_time)))


class ActsLate(Battery):
    """SUCCESS at once, movement a while after it."""

    LATE_S = 1.6

    def __init__(self) -> None:
        super().__init__()
        self._at = utc_now()
        self._before = (0.0, 0.0)

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        before = self.wanted()
        said = super().take(command)
        if said[0] is OutcomeCode.SUCCESS:
            self._at, self._before = utc_now() + timedelta(seconds=self.LATE_S), before
        return said

    def wanted(self) -> tuple[float, float]:
        return self._before if utc_now() < self._at else super().wanted()


class Clamps(Battery):
    """What is outside the nameplate is clamped to it, and taken."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and abs(setpoint.p_injection_w or 0.0) < 1e9:
            p_w = max(-100e3, min(100e3, setpoint.p_injection_w or 0.0))
            q_var = max(-44e3, min(44e3, setpoint.q_injection_var or 0.0))
            if abs(q_var) + abs(p_w) > 100e3:
                p_w = max(-80e3, min(80e3, p_w))
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var))
        return super().take(command)


class TakesNaN(Battery):
    """What is no number counts as nothing."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and not abs(setpoint.p_injection_w or 0.0) < 1e9:
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0))
        return super().take(command)


class AnyOrder(Lease):
    """The newest lease is the one that came last."""

    def take(self, command: ReceivedCommand) -> bool:
        before, self._newest = self._newest, None
        taken = super().take(command)
        if not taken:
            self._newest = before
        return taken


class DiesOfNaN(Battery):
    """Has no answer to what is no number."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and not abs(setpoint.p_injection_w or 0.0) < 1e9:
            raise ValueError("no number")
        return super().take(command)


class LastArrivalWins(Battery):
    """The order of sequences is not looked at."""

    def __init__(self) -> None:
        super().__init__(lease=AnyOrder(stored_default=DEFAULT))


class SharedLease(Battery):
    """All devices of the process hang on one lease."""

    common: Lease

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        self.lease = type(self).common
        return super().take(command)

    def wanted(self) -> tuple[float, float]:
        self.lease = type(self).common
        return super().wanted()


def shared() -> Callable[[], Battery]:
    return type("SharedLeaseOfOne", (SharedLease,), {"common": Lease(stored_default=DEFAULT)})


class OtherSign(Battery):
    """Counts what it draws."""

    def wanted(self) -> tuple[float, float]:
        p_w, q_var = super().wanted()
        return -p_w, q_var


class Pulses(Battery):
    """The same level once more switches it off."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        if held(self) == command.setpoint:
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0))
        return super().take(command)


class KeepsWhatIsLeftOut(Battery):
    """A quantity that is left out stays as it was."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        setpoint = command.setpoint
        if isinstance(setpoint, PowerSetpoint) and setpoint.p_injection_w is None:
            command = replace(command, setpoint=replace(setpoint, p_injection_w=self.p_w))
        return super().take(command)


class NoReactive(Battery):
    """Q is not followed."""

    def wanted(self) -> tuple[float, float]:
        return super().wanted()[0], 0.0


class NoRamp(Battery):
    """The declared ramp is not kept."""

    def step(self, elapsed_s: float) -> None:
        self.p_w, self.q_var = self.wanted()


class DipsAtRenewal(Battery):
    """Each new lease begins at the default."""

    dips = 0

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        self.dips = 8
        return super().take(command)

    def wanted(self) -> tuple[float, float]:
        self.dips -= 1
        return (0.0, 0.0) if self.dips > 0 else super().wanted()


class TakesSwitch(Battery):
    """Says that it has opened, and has."""

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        if not isinstance(command.setpoint, PowerSetpoint):
            command = replace(command, setpoint=PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0))
        return super().take(command)


class BrokenPlate(Battery):
    """A nameplate without reactive range."""

    def __init__(self) -> None:
        super().__init__(capability=replace(CAPABILITY, q_max_var=-1.0))


class DefaultOutside(ReferenceClient):
    """The stored default is more than it can."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        outside = PowerSetpoint(p_injection_w=150e3, q_injection_var=0.0)
        devices = self.controller._devices
        devices.update({name: replace(device, stored_default=outside) for name, device in devices.items()})


class Silent(ReferenceClient):
    """Measures nothing."""

    async def tell(self, outputs: Sequence[float]) -> None: ...


class Backwards(ReferenceClient):
    """Every second frame is older than the one before it."""

    back = False

    async def tell(self, outputs: Sequence[float]) -> None:
        self.back = not self.back
        time = utc_now() - timedelta(seconds=0.2 if self.back else 0.0)
        await self.source.send(measure_time=time, values=dict(enumerate(outputs)))


class SaysGood(ReferenceClient):
    """A value that is none is sent as GOOD."""

    async def tell(self, outputs: Sequence[float]) -> None:
        await super().tell([outputs[0], nan, *outputs[2:]])


class WrongClock(ReferenceClient):
    """Its meter's clock is fast."""

    async def tell(self, outputs: Sequence[float]) -> None:
        await self.source.send(measure_time=utc_now() + timedelta(seconds=3), values=dict(enumerate(outputs)))


class ForgetsFrames(TelemetrySource):
    """What was not acknowledged is lost with the stream."""

    async def _greet(self, call: Any) -> None:
        await super()._greet(call)
        self._kept.clear()


class SameEpoch(TelemetrySource):
    """Each process says the same instance_epoch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "instance_epoch": 1})


class FramesFirst(TelemetrySource):
    """Declares before it says hello."""

    async def _greet(self, call: Any) -> None:
        await write_message(call, telemetry_pb2.ReportRequest(declaration=telemetry_pb2.Declaration()))
        await super()._greet(call)
