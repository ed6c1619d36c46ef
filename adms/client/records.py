"""What the client says and hears that is no core record."""

from dataclasses import dataclass
from datetime import datetime

from adms.core.commands import OutcomeCode, PowerSetpoint, Setpoint
from adms.core.devices import DerCapability, DeviceClass, TagKind
from adms.core.estimate import Grade, SigmaSource
from adms.core.modes import Mode
from adms.core.plans import PlanStatus
from adms.core.positions import Standing
from adms.core.telemetry import PointKind


@dataclass(frozen=True, kw_only=True)
class Point:
    """One measured quantity that a source declares."""

    kind: PointKind
    element: str
    """Bus id for voltages, element id otherwise."""
    side: int = 0
    """Terminal of a branch: 0 is fr, 1 is to."""
    phase: int = 0
    """1, 2, 3; 0 where the point belongs to no one phase."""
    sigma: float | None = None
    """Standard deviation of the meter in the unit of the kind; None for positions and flags."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device that a controller holds."""

    device_id: str
    """Element id of the network model."""
    device_class: DeviceClass
    capability: DerCapability | None = None
    """Of a DER."""
    stored_default: PowerSetpoint | None = None
    """What a DER falls back to when its lease lapses."""
    seen_epoch: int = 0
    """Highest epoch that the device has obeyed; store `DeviceController.seen_epoch` across restarts."""


@dataclass(frozen=True, kw_only=True)
class ReceivedCommand:
    """A command to carry out."""

    command_id: str
    device_id: str
    setpoint: Setpoint
    epoch: int
    sequence: int
    issue_time: datetime
    expiry: datetime
    """Latched: too late after this. Lapsing: the end of the lease."""
    app: str
    plan_id: str
    reason: str
    snapshot_id: str
    stream_sequence: int
    """Batch of the stream that carried it."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of a command."""

    command_id: str
    device_id: str
    code: OutcomeCode
    time: datetime
    text: str


@dataclass(frozen=True, kw_only=True)
class StatusReport:
    """The service at a glance."""

    mode: Mode
    mode_reason: str
    emergency_stopped: bool
    model_name: str
    model_version: str
    epoch: int
    time: datetime
    simulation: bool
    telemetry_sources: int
    controllers: int
    devices: int
    rounds: int
    journal_entries: int
    live_store_problem: str


@dataclass(frozen=True, kw_only=True)
class NodeVoltage:
    """The estimate at one node; None where unobservable."""

    bus: str
    phase: int
    v_pu: float | None
    angle_rad: float | None
    sigma_v_pu: float | None
    source: SigmaSource


@dataclass(frozen=True, kw_only=True)
class SourcePower:
    """Power delivered into the network by a source."""

    source_id: str
    p_w: float
    q_var: float


@dataclass(frozen=True, kw_only=True)
class PositionWitness:
    """A reading on which a verdict on a position rests."""

    point: str
    reported_sigmas: float
    """How far it is off, in its standard deviations, with the reported position,"""
    instead_sigmas: float
    """and with the other one."""


@dataclass(frozen=True, kw_only=True)
class PositionReport:
    """What the readings say of a device's reported position."""

    device_id: str
    standing: Standing
    instead: tuple[str, ...]
    """What may be true instead, the most probable first."""
    log_odds: float
    """Natural logarithm of the odds of the most probable other position against the reported one."""
    why: str
    witnesses: tuple[PositionWitness, ...]


@dataclass(frozen=True, kw_only=True)
class EstimateReport:
    """A picture of the feeder."""

    snapshot_id: str
    time: datetime
    grade: Grade
    reason: str
    topology_version: str
    nodes: tuple[NodeVoltage, ...]
    chi2: float
    degrees_of_freedom: int
    iterations: int
    losses_w: float
    oldest_input_s: float
    rejected_points: tuple[str, ...]
    sources: tuple[SourcePower, ...]
    positions: tuple[PositionReport, ...] = ()
    """Of switches and tap changers; none where they are not tested, or not yet."""


@dataclass(frozen=True, kw_only=True)
class RoundCommand:
    """A command that a round issued."""

    command_id: str
    device_id: str
    setpoint: Setpoint
    app: str
    reason: str
    plan_id: str


@dataclass(frozen=True, kw_only=True)
class RoundRefusal:
    """A proposal that the gate did not permit."""

    device_id: str
    app: str
    guard: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """What one round saw and did; None where there is no picture."""

    round: int
    time: datetime
    mode: Mode
    grade: Grade
    grade_reason: str
    v_min_pu: float | None
    v_min_node: str
    v_max_pu: float | None
    v_max_node: str
    losses_w: float | None
    interface_import_w: float | None
    interface_import_max_w: float | None
    sigma_mean_pu: float | None
    estimate_ms: float
    round_ms: float
    notes: tuple[tuple[str, str], ...]
    """(app, text)."""
    commands: tuple[RoundCommand, ...]
    refusals: tuple[RoundRefusal, ...]
    estimate: EstimateReport | None
    """With `with_nodes`."""


@dataclass(frozen=True, kw_only=True)
class JournalVerdict:
    """Whether the journal's chain holds."""

    intact: bool
    entries: int
    first_bad_index: int | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlacedTag:
    """A tag on a device."""

    tag_id: str
    device_id: str
    kind: TagKind
    holder: str
    reason: str
    placed: datetime


@dataclass(frozen=True, kw_only=True)
class ListedStep:
    """One step of a plan."""

    device_id: str
    setpoint: Setpoint
    reason: str
    checks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListedPlan:
    """A plan and how far it has come."""

    plan_id: str
    app: str
    created: datetime
    snapshot_id: str
    title: str
    reason: str
    steps: tuple[ListedStep, ...]
    predicted: tuple[tuple[str, float], ...]
    rejected: tuple[tuple[str, str], ...]
    """(what, why not)."""
    binding_limit: str
    status: PlanStatus
    steps_done: int
    status_text: str


@dataclass(frozen=True, kw_only=True)
class Advance:
    """How far a grant of time went."""

    time: datetime
    rounds: int
    streams: dict[str, int]
    """Per controller with an open stream, the sequence of the last batch queued on it."""
