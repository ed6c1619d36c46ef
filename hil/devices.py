"""What field devices do with commands: leases that lapse, latched positions, epochs. No wire and no clock in here.

Times are feeder seconds. Outcome codes are the API's words in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot

SUCCESS, EXPIRED, STALE_EPOCH = "success", "expired", "stale_epoch"
OUT_OF_RANGE, NOT_SUPPORTED, LOCAL = "out_of_range", "not_supported", "local"


@dataclass(frozen=True, kw_only=True)
class FieldCommand:
    """A command as a device sees it. One of the setpoints is not None (a power command may leave one quantity out)."""

    command_id: str
    device_id: str
    epoch: int
    expiry_s: float
    closed: bool | None = None
    tap: int | None = None
    steps: int | None = None
    power: tuple[float | None, float | None] | None = None
    reason: str = ""
    app: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Outcome of a command."""

    command_id: str
    device_id: str
    code: str
    text: str = ""


@dataclass(kw_only=True)
class LeaseHolder:
    """A DER controller: holds a lease until it ends, and a default that was stored before the first lease."""

    device_id: str
    s_max_va: float
    p_min_w: float
    p_max_w: float
    q_max_var: float
    default_p_w: float | None
    default_q_var: float
    seen_epoch: int = 0
    _power: tuple[float | None, float | None] | None = None
    _expiry_s: float = field(default=float("-inf"))

    def take(self, command: FieldCommand, *, now_s: float) -> Answer:
        """Accept a lease or say why not. A refused command leaves the lease in hand as it is."""

        def answer(code: str, text: str = "") -> Answer:
            return Answer(command_id=command.command_id, device_id=self.device_id, code=code, text=text)

        if command.power is None:
            return answer(NOT_SUPPORTED, "a DER takes power setpoints only")
        if command.epoch < self.seen_epoch:
            return answer(STALE_EPOCH, f"epoch {command.epoch} is older than {self.seen_epoch}")
        self.seen_epoch = command.epoch
        if command.expiry_s <= now_s:
            return answer(EXPIRED, f"ended {now_s - command.expiry_s:.1f} s ago")
        p, q = command.power
        inside = (p is None or self.p_min_w - 1.0 <= p <= self.p_max_w + 1.0) and (
            q is None or abs(q) <= self.q_max_var + 1.0
        )
        if not inside or hypot(p or 0.0, q or 0.0) > self.s_max_va * 1.000001:
            return answer(OUT_OF_RANGE, "outside the nameplate")
        self._power, self._expiry_s = command.power, command.expiry_s
        return answer(SUCCESS)

    def leased(self, *, now_s: float) -> bool:
        """Whether a lease is in force."""
        return self._power is not None and now_s < self._expiry_s

    def target(self, *, now_s: float) -> tuple[float | None, float]:
        """P and Q to aim at now: of the lease, else the stored default. P None is all that is available."""
        if self._power is None or not self.leased(now_s=now_s):
            return self.default_p_w, self.default_q_var
        p, q = self._power
        return (p if p is not None else self.default_p_w), (q if q is not None else self.default_q_var)


@dataclass(frozen=True, kw_only=True)
class LineDevice:
    """A device that takes latched commands. `kind` is switch, tap_changer or capacitor."""

    device_id: str
    kind: str
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Action:
    """What a line device does on the plant."""

    device_id: str
    kind: str
    position: int
    """1 closed, 0 open; tap; capacitor steps."""


class LineDevices:
    """Devices of the substation gateway: latched commands, dropped when late, and supervision that lapses (VV11)."""

    def __init__(self, devices: tuple[LineDevice, ...], *, supervision_lapse_s: float) -> None:
        self._devices = {device.device_id: device for device in devices}
        self._lapse_s = supervision_lapse_s
        self._supervised = False
        self._last_contact_s = 0.0
        self.seen_epoch = 0

    def take(self, command: FieldCommand, *, now_s: float) -> tuple[Answer, Action | None]:
        """Answer a command, with the action it starts."""

        def answer(code: str, text: str = "") -> Answer:
            return Answer(command_id=command.command_id, device_id=command.device_id, code=code, text=text)

        device = self._devices.get(command.device_id)
        if device is None:
            return answer(NOT_SUPPORTED, "no such device here"), None
        if command.epoch < self.seen_epoch:
            return answer(STALE_EPOCH, f"epoch {command.epoch} is older than {self.seen_epoch}"), None
        self.seen_epoch = command.epoch
        if command.expiry_s < now_s:
            return answer(EXPIRED, f"arrived {now_s - command.expiry_s:.1f} s late"), None
        wanted = {"switch": command.closed, "tap_changer": command.tap, "capacitor": command.steps}[device.kind]
        if wanted is None:
            return answer(NOT_SUPPORTED, f"not a setpoint of a {device.kind}"), None
        position = int(wanted)
        if not device.low <= position <= device.high:
            return answer(OUT_OF_RANGE, f"{position} is outside {device.low} to {device.high}"), None
        if device.kind != "switch":
            self._supervised = True
        return answer(SUCCESS), Action(device_id=device.device_id, kind=device.kind, position=position)

    def supervised(self, *, connected: bool, now_s: float) -> bool:
        """Whether somebody else minds voltage: from the first volt/var command until the stream was away too long.
        When it lapses, regulators and capacitors return to their local control."""
        if connected:
            self._last_contact_s = now_s
        elif now_s - self._last_contact_s > self._lapse_s:
            self._supervised = False
        return self._supervised
