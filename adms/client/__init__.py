"""The client of the service's gRPC API: telemetry sources, device controllers, operators, insight, simulated time.

Everything that a field program or a bench needs is here; nothing of the service itself is.
"""

from adms.client.clock import Now, utc_now
from adms.client.device_controller import DeviceController
from adms.client.insight import Insight
from adms.client.lease import Due, Lease
from adms.client.operator import Operator
from adms.client.records import (
    Advance,
    Device,
    EstimateReport,
    JournalVerdict,
    ListedPlan,
    ListedStep,
    NodeVoltage,
    PlacedTag,
    Point,
    PositionReport,
    PositionWitness,
    ReceivedCommand,
    RoundCommand,
    RoundRefusal,
    RoundReport,
    SourcePower,
    StatusReport,
)
from adms.client.simulation_clock import SimulationClock
from adms.client.telemetry_source import TelemetrySource
from adms.core.commands import (
    CapacitorSetpoint,
    OutcomeCode,
    PowerSetpoint,
    Setpoint,
    SwitchSetpoint,
    TapSetpoint,
    setpoint_in_words,
)
from adms.core.devices import DerCapability as Capability
from adms.core.devices import DeviceClass, TagKind
from adms.core.errors import AdapterError, InputError, Problem
from adms.core.estimate import Grade, SigmaSource
from adms.core.journal import EntryKind, JournalEntry
from adms.core.modes import Mode
from adms.core.plans import PlanStatus
from adms.core.telemetry import PointKind, Quality

__all__ = [
    "AdapterError",
    "Advance",
    "Capability",
    "CapacitorSetpoint",
    "Device",
    "DeviceClass",
    "DeviceController",
    "Due",
    "EntryKind",
    "EstimateReport",
    "Grade",
    "InputError",
    "Insight",
    "JournalEntry",
    "JournalVerdict",
    "Lease",
    "ListedPlan",
    "ListedStep",
    "Mode",
    "NodeVoltage",
    "Now",
    "Operator",
    "OutcomeCode",
    "PlacedTag",
    "PlanStatus",
    "Point",
    "PointKind",
    "PositionReport",
    "PositionWitness",
    "PowerSetpoint",
    "Problem",
    "Quality",
    "ReceivedCommand",
    "RoundCommand",
    "RoundRefusal",
    "RoundReport",
    "Setpoint",
    "SigmaSource",
    "SimulationClock",
    "SourcePower",
    "StatusReport",
    "SwitchSetpoint",
    "TagKind",
    "TapSetpoint",
    "TelemetrySource",
    "setpoint_in_words",
    "utc_now",
]
