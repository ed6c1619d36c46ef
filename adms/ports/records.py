"""What crosses the ports and is no core record: registrations, frames, operator acts, summaries. Frozen values."""

from dataclasses import dataclass
from datetime import datetime

from adms.apps.view import InterfaceLimit
from adms.core.commands import App, Command, Outcome, PowerSetpoint, Refused
from adms.core.devices import DerCapability as DerCapability
from adms.core.devices import DeviceClass as DeviceClass
from adms.core.devices import TagKind
from adms.core.errors import Problem
from adms.core.estimate import Grade
from adms.core.ids import ControllerId, ElementId, ModelVersion, PlanId, TelemetrySourceId
from adms.core.modes import Mode
from adms.core.telemetry import PointKey, Quality

OUTCOMES_PER_MESSAGE_MAX = 1000
POINTS_PER_DECLARATION_MAX = 50_000
DEVICES_PER_REGISTRATION_MAX = 50_000


@dataclass(frozen=True, kw_only=True)
class DeclaredPoint:
    """A point that a source will report."""

    key: PointKey
    sigma: float | None
    """Standard deviation of the meter in the unit of the kind; None for positions and flags."""


@dataclass(frozen=True, kw_only=True)
class TelemetryFrame:
    """Values of one instant from one source. The columns run together."""

    sequence: int
    measure_time: datetime
    point_index: tuple[int, ...]
    """Place of each point in the source's declaration."""
    value: tuple[float, ...]
    quality: tuple[Quality, ...]
    """Empty when every value is GOOD."""


@dataclass(frozen=True, kw_only=True)
class Welcomed:
    """Answer to a source's hello."""

    used_sequence: int
    """Highest frame of this instance epoch that the journal accounts for; 0 where none."""
    model_version: ModelVersion


@dataclass(frozen=True, kw_only=True)
class DeclarationTaken:
    """Answer to a declaration."""

    accepted: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True)
class DeviceRegistration:
    """One device that a controller holds."""

    device: ElementId
    device_class: DeviceClass
    capability: DerCapability | None = None
    stored_default: PowerSetpoint | None = None
    """What a DER falls back to when its lease lapses; without one it takes no lease (DE4)."""
    seen_epoch: int = 0


@dataclass(frozen=True, kw_only=True)
class Attached:
    """Answer to a controller's registration."""

    accepted: tuple[ElementId, ...]
    problems: tuple[Problem, ...]
    epoch: int


@dataclass(frozen=True, kw_only=True)
class ControllerOutcomes:
    """Outcomes as one message of a controller carried them."""

    controller: ControllerId
    sequence: int
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True)
class SetMode:
    """Mode of the system, or of one device where `device` is given (which also clears its failure)."""

    mode: Mode
    device: ElementId | None


@dataclass(frozen=True, kw_only=True)
class ApprovePlan:
    """Lets a proposed plan execute."""

    approve: PlanId


@dataclass(frozen=True, kw_only=True)
class AbortPlan:
    """Stops a plan after the step in hand."""

    abort: PlanId


@dataclass(frozen=True, kw_only=True)
class PlaceTag:
    """Forbids operations of a device."""

    device: ElementId
    kind: TagKind


@dataclass(frozen=True, kw_only=True)
class RemoveTag:
    """Takes away a tag; only its holder may (SW4)."""

    tag_id: str


@dataclass(frozen=True, kw_only=True)
class EmergencyStop:
    """All automation off."""

    stop: bool = True


@dataclass(frozen=True, kw_only=True)
class SetInterfaceLimit:
    """Limits exchange with the transmission system."""

    limit: InterfaceLimit
    immediate: bool = False
    """True where no start was given: it is the time of receipt."""


OperatorAct = SetMode | ApprovePlan | AbortPlan | PlaceTag | RemoveTag | EmergencyStop | SetInterfaceLimit


@dataclass(frozen=True, kw_only=True)
class Request:
    """An operator's act with its attribution. The same `request_id` again has no further effect, except for
    a stop: that always stops."""

    request_id: str
    actor: str
    reason: str
    act: OperatorAct


@dataclass(frozen=True, kw_only=True)
class RoundSummary:
    """What one round saw and did. None where there is no picture."""

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
    estimate_s: float
    """Measured wall time, for people only."""
    round_s: float
    notes: tuple[tuple[App | None, str], ...]
    """Per note the app that said it, None for the service."""
    commands: tuple[Command, ...]
    refusals: tuple[Refused, ...]


@dataclass(frozen=True, kw_only=True)
class Status:
    """The service at a glance."""

    mode: Mode
    mode_reason: str
    emergency_stopped: bool
    model_name: str
    model_version: ModelVersion
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
class Verification:
    """Whether the journal's hash chain holds."""

    intact: bool
    entries: int
    """How many verify, from the first on."""
    first_bad_index: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """How far a grant of time went."""

    time: datetime
    rounds: int
    streams: tuple[tuple[ControllerId, int], ...]
    """Per controller with an open stream, the sequence of the last batch queued on it."""


@dataclass(frozen=True, kw_only=True)
class NotArrived:
    """Expected frames or outcomes that did not come in time; time was not granted."""

    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must have arrived before time moves on."""

    frames: tuple[tuple[TelemetrySourceId, int], ...] = ()
    outcomes: tuple[tuple[ControllerId, int], ...] = ()
