"""What field devices do with commands: leases that lapse, latched positions. No wire in here.

Epochs, repetitions and latched commands that come too late are the business of the controller that a device hangs on
(`adms.client.DeviceController`); leases are `adms.client.Lease`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from adms.client import (
    CapacitorSetpoint,
    Device,
    DeviceClass,
    Due,
    Lease,
    Now,
    OutcomeCode,
    PowerSetpoint,
    ReceivedCommand,
    SwitchSetpoint,
    TapSetpoint,
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Outcome of a command."""

    code: OutcomeCode
    text: str = ""


class DerDevice:
    """A DER: a nameplate and a lease. `now` is its clock."""

    def __init__(self, device: Device, *, now: Now) -> None:
        if device.capability is None or device.stored_default is None:
            raise ValueError(f"{device.device_id}: a DER has a capability and a stored default")
        self._plate = device.capability
        self._lease = Lease(stored_default=device.stored_default, now=now)

    def take(self, command: ReceivedCommand) -> Answer:
        """Accept a lease or say why not. A refused command leaves the lease in hand as it is."""
        setpoint, plate = command.setpoint, self._plate
        if not isinstance(setpoint, PowerSetpoint):
            return Answer(code=OutcomeCode.NOT_SUPPORTED, text="a DER takes power setpoints only")
        p, q = setpoint.p_injection_w, setpoint.q_injection_var
        inside = (p is None or plate.p_min_w - 1.0 <= p <= plate.p_max_w + 1.0) and (
            q is None or abs(q) <= plate.q_max_var + 1.0
        )
        if not inside or hypot(p or 0.0, q or 0.0) > plate.s_max_va * 1.000001:
            return Answer(code=OutcomeCode.OUT_OF_RANGE, text="outside the nameplate")
        if not self._lease.take(command):
            return Answer(code=OutcomeCode.EXPIRED, text="the lease has ended, or there is a newer one")
        return Answer(code=OutcomeCode.SUCCESS)

    def due(self) -> Due:
        """What to do now: of the lease, else the stored default."""
        return self._lease.due()


@dataclass(frozen=True, kw_only=True)
class LineDevice:
    """A device that takes latched commands, and its end positions."""

    device: Device
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Action:
    """What a line device does on the plant."""

    device_id: str
    kind: DeviceClass
    position: int
    """1 closed, 0 open; tap; capacitor steps."""


def _wanted(command: ReceivedCommand) -> tuple[DeviceClass, int] | None:
    """Class of device that a latched command is for, and the position; None for one that is not latched."""
    match command.setpoint:
        case SwitchSetpoint(closed=closed):
            return DeviceClass.SWITCH, int(closed)
        case TapSetpoint(position=position):
            return DeviceClass.TAP_CHANGER, position
        case CapacitorSetpoint(steps=steps):
            return DeviceClass.CAPACITOR, steps
        case _:
            return None


class LineDevices:
    """Devices of the substation gateway: latched commands, and supervision that lapses (VV11)."""

    def __init__(self, devices: tuple[LineDevice, ...], *, supervision_lapse_s: float) -> None:
        self._devices = {line.device.device_id: line for line in devices}
        self._lapse_s = supervision_lapse_s
        self._supervised = False
        self._last_contact_s = 0.0

    def take(self, command: ReceivedCommand) -> tuple[Answer, Action | None]:
        """Answer a command for one of them, with the action it starts."""
        line, wanted = self._devices[command.device_id], _wanted(command)
        kind = line.device.device_class
        if wanted is None or wanted[0] is not kind:
            return Answer(code=OutcomeCode.NOT_SUPPORTED, text=f"not a setpoint of a {kind}"), None
        position = wanted[1]
        if not line.low <= position <= line.high:
            text = f"{position} is outside {line.low} to {line.high}"
            return Answer(code=OutcomeCode.OUT_OF_RANGE, text=text), None
        if kind is not DeviceClass.SWITCH:
            self._supervised = True
        return Answer(code=OutcomeCode.SUCCESS), Action(device_id=command.device_id, kind=kind, position=position)

    def supervised(self, *, connected: bool, now_s: float) -> bool:
        """Whether somebody else minds voltage: from the first volt/var command until the stream was away too long.
        When it lapses, regulators and capacitors return to their local control."""
        if connected:
            self._last_contact_s = now_s
        elif now_s - self._last_contact_s > self._lapse_s:
            self._supervised = False
        return self._supervised
