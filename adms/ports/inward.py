"""What the edge may ask of the runtime; implemented by the runtime, called by the gRPC servicers."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from adms.apps.view import Tag
from adms.core.errors import Problem
from adms.core.estimate import Estimate, NotEstimated
from adms.core.ids import ControllerId, TelemetrySourceId
from adms.core.journal import JournalEntry
from adms.core.modes import Mode
from adms.core.plans import PlanProgress
from adms.grid.arrays import NetworkArrays
from adms.ports.records import (
    Advanced,
    Attached,
    ControllerOutcomes,
    DeclarationTaken,
    DeclaredPoint,
    DeviceRegistration,
    Expected,
    NotArrived,
    Request,
    RoundSummary,
    Status,
    TelemetryFrame,
    Verification,
    Welcomed,
)


class TelemetryIntake(Protocol):
    """Takes in what sources measure."""

    def hello(self, source: TelemetrySourceId, *, instance_epoch: int) -> Welcomed:
        """A source begins or resumes. Raises InputError for a lower epoch than seen and for an empty id."""
        ...

    def declare(
        self, source: TelemetrySourceId, *, instance_epoch: int, points: tuple[DeclaredPoint | Problem, ...]
    ) -> DeclarationTaken:
        """Replaces the points of a source; those with a problem are left out. A Problem stands in the place of a
        point that the edge could not read."""
        ...

    def receive(self, source: TelemetrySourceId, *, instance_epoch: int, frame: TelemetryFrame) -> None:
        """Keeps a frame for the next cut. A frame already received is dropped. Raises InputError for a malformed
        frame, a gap in the sequence, a superseded instance and more waiting frames than a source may have."""
        ...

    def goodbye(self, source: TelemetrySourceId, *, instance_epoch: int) -> None:
        """The stream of this instance is gone. Does nothing where another instance took over."""
        ...


class ControlDesk(Protocol):
    """Takes in what device controllers say."""

    def attach(self, controller: ControllerId, *, instance: str, devices: tuple[DeviceRegistration, ...]) -> Attached:
        """A controller opens its stream. Devices that it may not hold come back as problems."""
        ...

    def detach(self, controller: ControllerId, *, instance: str) -> None:
        """The stream of this instance is gone. Does nothing where another instance took over."""
        ...

    def outcomes(self, batch: ControllerOutcomes, *, instance: str) -> None:
        """Keeps outcomes for the next cut. Raises InputError for a gap in the sequence or an unknown controller."""
        ...


class OperatorDesk(Protocol):
    """Takes in what operators ask. Raises InputError for what cannot be done and says why, AdapterError where the
    journal cannot record it."""

    def request(self, request: Request) -> Mode:
        """Journals and applies an act; the effective mode after it (of the device, for one device's mode). An emergency
        stop is in force also where this raises."""
        ...

    def placed_tag(self, request_id: str) -> Tag:
        """The tag that a request placed."""
        ...

    def tags(self) -> tuple[Tag, ...]:
        """All tags in force."""
        ...

    def plans(self, *, open_only: bool) -> tuple[PlanProgress, ...]:
        """Plans, oldest first."""
        ...

    def now(self) -> datetime:
        """The service's time."""
        ...


class InsightDesk(Protocol):
    """Read only."""

    def status(self) -> Status:
        """The service at a glance."""
        ...

    def arrays(self) -> NetworkArrays:
        """The network that estimates refer to."""
        ...

    def estimate(self) -> Estimate | NotEstimated | None:
        """The newest picture; None before the first round."""
        ...

    def rounds(self) -> AsyncIterator[tuple[RoundSummary, Estimate | None]]:
        """Every round as it ends. A reader that is too slow misses rounds; it never holds anything up."""
        ...

    def journal(self, *, from_index: int, follow: bool) -> AsyncIterator[JournalEntry]:
        """Entries from an index on, then those to come if asked."""
        ...

    async def verify(self) -> Verification:
        """Recomputes the hash chain."""
        ...


class SimulationClock(Protocol):
    """Grants time, in simulation only."""

    async def advance_to(self, time: datetime, *, expected: Expected) -> Advanced | NotArrived:
        """Waits (bounded) for what is expected, then does everything due up to and including `time`. Raises
        InputError for a time that lies in the past or too far ahead."""
        ...
