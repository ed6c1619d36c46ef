"""Commands are levels, not pulses: repeating one is harmless. Outcomes say what became of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from adms.core.ids import CommandId, ElementId, PlanId, SnapshotId


@dataclass(frozen=True, kw_only=True)
class SwitchSetpoint:
    """Latched: open or close, all poles."""

    closed: bool


@dataclass(frozen=True, kw_only=True)
class TapSetpoint:
    """Latched: tap position in steps from neutral."""

    position: int


@dataclass(frozen=True, kw_only=True)
class CapacitorSetpoint:
    """Latched: number of steps in."""

    steps: int


@dataclass(frozen=True, kw_only=True)
class PowerSetpoint:
    """Lapsing: P and Q injected into the network. None leaves that quantity to the device's own default."""

    p_injection_w: float | None
    q_injection_var: float | None


Setpoint = SwitchSetpoint | TapSetpoint | CapacitorSetpoint | PowerSetpoint


class App(StrEnum):
    """Who asks."""

    FLISR = "flisr"
    VOLTVAR = "voltvar"
    DISPATCH = "dispatch"
    OPERATOR = "operator"


class Priority(IntEnum):
    """Lower number wins: safety and tags > operator > FLISR > limits > VVO > economics."""

    SAFETY = 0
    OPERATOR = 1
    FLISR = 2
    LIMITS = 3
    VOLTVAR = 4
    ECONOMICS = 5


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One change of one device that an app asks the gate for."""

    device: ElementId
    setpoint: Setpoint
    app: App
    priority: Priority
    plan_id: PlanId | None
    step: int
    """Index of the step in its plan; 0 where there is no plan."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """The one permitted change of one device."""

    command_id: CommandId
    device: ElementId
    setpoint: Setpoint
    app: App
    epoch: int
    """Leadership epoch; a device refuses a lower one than it has seen."""
    sequence: int
    """Grows by one for each command of the service."""
    issue_time: datetime
    expiry: datetime
    """Latched setpoints: dropped when delivered later than this. Lapsing ones: the end of the lease."""
    plan_id: PlanId | None
    step: int
    reason: str
    snapshot_id: SnapshotId
    guards: tuple[str, ...]
    """Ids of the invariants that were checked and held."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A proposal that the gate did not permit."""

    proposal: Proposal
    guard: str
    """Id of the invariant or rule that refused, e.g. "SW1", "DE8"."""
    reason: str


class OutcomeCode(StrEnum):
    """What a device answered; vocabulary after DNP3 (IEEE 1815 CROB status) and IEC 61850-7-2 (AddCause)."""

    SUCCESS = "success"
    EXPIRED = "expired"
    LOCAL = "local"
    """Device is not in remote mode."""
    INTERLOCKED = "interlocked"
    TOO_MANY_OPERATIONS = "too_many_operations"
    NOT_SUPPORTED = "not_supported"
    OUT_OF_RANGE = "out_of_range"
    STALE_EPOCH = "stale_epoch"
    HARDWARE_ERROR = "hardware_error"
    UNKNOWN = "unknown"
    """Nothing is known: read the device, never resend blindly."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a command, as its controller reports it. Confirmation still comes from telemetry."""

    command_id: CommandId
    device: ElementId
    code: OutcomeCode
    time: datetime
    text: str = ""


def setpoint_in_words(setpoint: Setpoint) -> str:
    """What a setpoint asks for."""
    match setpoint:
        case SwitchSetpoint(closed=closed):
            return "close" if closed else "open"
        case TapSetpoint(position=position):
            return f"tap {position:+d}"
        case CapacitorSetpoint(steps=steps):
            return f"{steps} step{'' if steps == 1 else 's'} in"
        case PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var):
            parts = [
                f"{name} {value / 1e3:.1f} {unit}"
                for name, value, unit in (("P", p_w, "kW"), ("Q", q_var, "kvar"))
                if value is not None
            ]
            return ", ".join(parts) or "its default"
