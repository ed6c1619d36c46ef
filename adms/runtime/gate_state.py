"""What the gate remembers between rounds: a value, adopted only after the journal has recorded how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from adms.apps.view import Operation
from adms.core.commands import (
    CapacitorSetpoint,
    Command,
    OutcomeCode,
    PowerSetpoint,
    Setpoint,
    SwitchSetpoint,
    TapSetpoint,
)
from adms.core.ids import CommandId, ControllerId, ElementId
from adms.core.telemetry import PointKey, PointKind, TelemetrySnapshot

HISTORY_S = 24 * 3600.0
"""Operations are counted over a day (VV4, SW21)."""


@dataclass(frozen=True, kw_only=True)
class GatePolicy:
    """How the gate issues commands. Times in seconds."""

    lease_s: float
    """Longest lease of a DER setpoint."""
    renew_s: float
    """A lease is renewed once it has less than this left."""
    stagger_s: float
    """Leases end up to this much earlier, each device by its own share, so that they never lapse together."""
    dead_band_w: float
    """A setpoint that moved less than this waits for the renewal."""
    dead_band_var: float
    der_moves_per_round_max: int
    """New or changed DER setpoints a round (DE7); renewals do not count."""
    unanswered_leases_max: int
    """A DER that answered none of this many commands is left alone (DE11)."""
    latched_expiry_s: float
    """A latched command delivered later than this is dropped by the device."""
    latched_travel_s: float
    """Time that a tap changer or capacitor needs to move; switches have their own in the model."""
    confirm_timeout_s: float
    """Telemetry has this long after the travel time to show the new position."""
    retry_s: float
    """A device that failed is tried again after this, given a fresh position (SW19)."""
    failures_max: int
    """Failures in a row after which only an operator clears the device."""


@dataclass(frozen=True, kw_only=True)
class Outstanding:
    """A latched command that telemetry has not confirmed."""

    command: Command
    deadline: datetime


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The newest command of a DER."""

    command: Command
    unanswered: int
    """Commands since the device last answered."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A device that refused or did not do what it was told."""

    reason: str
    since: datetime
    count: int
    """Failures without a success between them."""
    standing: bool = True
    """False while a retry is permitted."""


ISSUED_KEPT = 16
"""Newest commands of a device that an outcome may still be about."""


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A command that was sent, and what its device said so far."""

    command_id: CommandId
    epoch: int
    told: frozenset[OutcomeCode] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Strays:
    """Outcomes of one controller about commands that were never sent to their device."""

    noted: datetime
    """When the journal was last told."""
    count: int = 0
    """Since then."""


@dataclass(frozen=True, kw_only=True)
class GateState:
    """Everything that the gate carries from round to round."""

    next_sequence: int = 1
    outstanding: Mapping[ElementId, Outstanding] = field(default_factory=dict)
    leases: Mapping[ElementId, Lease] = field(default_factory=dict)
    failures: Mapping[ElementId, Failure] = field(default_factory=dict)
    history: Mapping[ElementId, tuple[Operation, ...]] = field(default_factory=dict)
    refused: frozenset[tuple[ElementId, str, str]] = frozenset()
    """(device, app, guard) refused in the round before: a refusal is journalled when it is new."""
    issued: Mapping[ElementId, tuple[Issued, ...]] = field(default_factory=dict)
    """Newest last, also those of epochs before."""
    strays: Mapping[ControllerId, Strays] = field(default_factory=dict)

    def failed_devices(self) -> dict[ElementId, str]:
        """Devices that are left alone, and why."""
        return {device: failure.reason for device, failure in self.failures.items() if failure.standing}


def with_issued(before: tuple[Issued, ...], command_id: CommandId, *, epoch: int) -> tuple[Issued, ...]:
    """A device's commands with one more."""
    return (*before, Issued(command_id=command_id, epoch=epoch))[-ISSUED_KEPT:]


def position_key(device: ElementId, *, setpoint: Setpoint) -> PointKey | None:
    """The point that shows where a latched device stands; None for lapsing setpoints."""
    match setpoint:
        case SwitchSetpoint():
            return PointKey(kind=PointKind.SWITCH_CLOSED, element=device)
        case TapSetpoint():
            return PointKey(kind=PointKind.TAP_POSITION, element=device)
        case CapacitorSetpoint():
            return PointKey(kind=PointKind.CAPACITOR_STEPS, element=device)
        case PowerSetpoint():
            return None


def reported_position(
    snapshot: TelemetrySnapshot, device: ElementId, *, like: Setpoint, max_age_s: float
) -> Setpoint | None:
    """Where telemetry says that the device stands, as a setpoint of the kind of `like`; None where not known."""
    key = position_key(device, setpoint=like)
    value = None if key is None else snapshot.good(key, max_age_s=max_age_s)
    if value is None:
        return None
    match like:
        case SwitchSetpoint():
            return SwitchSetpoint(closed=value != 0.0)
        case TapSetpoint():
            return TapSetpoint(position=round(value))
        case CapacitorSetpoint():
            return CapacitorSetpoint(steps=round(value))
        case PowerSetpoint():
            return None
