"""What the runtime needs from the edge; implemented by adapters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from adms.core.commands import Command
from adms.core.ids import ControllerId, TelemetrySourceId


class CommandSink(Protocol):
    """Carries commands to the controllers that hold the devices."""

    def send(self, controller: ControllerId, commands: tuple[Command, ...]) -> None:
        """Queues commands on the controller's stream, in order. A controller that is gone loses them: its devices
        fall back by themselves, and the gate sees no confirmation."""
        ...

    def progress(self) -> Mapping[ControllerId, int]:
        """Sequence number of the last batch queued on each stream that is open."""
        ...


class LiveStore(Protocol):
    """Live values for other processes. Losing it loses nothing and permits nothing: no method raises."""

    async def publish(self, *, time: datetime, values: Mapping[str, float], facts: Mapping[str, str]) -> None:
        """Replaces the live picture in one packed frame."""
        ...

    def problem(self) -> str:
        """Why it is not used now; empty when it works."""
        ...


class Metrics(Protocol):
    """Counters and durations, for people and alarms only: nothing reads them back."""

    def round_done(self, *, duration_s: float, estimate_s: float, grade: str, mode: str) -> None:
        """One round of the cycle."""
        ...

    def round_dropped(self, *, reason: str) -> None:
        """A round that ended without a decision, by the class of the failure."""
        ...

    def commands_sent(self, *, app: str, count: int) -> None:
        """Commands that left the gate."""
        ...

    def refused(self, *, app: str, guard: str) -> None:
        """A proposal that the gate did not permit."""
        ...

    def frames_used(self, *, source: str, count: int) -> None:
        """Frames that a journalled cut accounts for."""
        ...

    def gauge(self, *, name: str, value: float) -> None:
        """A feeder quantity with the unit in its name, e.g. ("losses_w", 95e3)."""
        ...


class AcknowledgementSink(Protocol):
    """Tells telemetry sources which frames are in the journal's account."""

    def acknowledge(self, used: Mapping[TelemetrySourceId, int]) -> None:
        """Per source, the highest frame sequence used of the instance that is connected."""
        ...


class OutcomeAcknowledgementSink(Protocol):
    """Tells controllers which outcomes are in the journal."""

    def acknowledge_outcomes(self, recorded: Mapping[ControllerId, int]) -> None:
        """Per controller, the highest outcome sequence recorded of the instance that is connected."""
        ...


class Health(Protocol):
    """What health checks are told."""

    def serving(self, *, ok: bool) -> None:
        """Whether rounds run as they should."""
        ...


class Stopwatch(Protocol):
    """Wall time for people and metrics; nothing decides on it."""

    def seconds(self) -> float:
        """Seconds since an arbitrary start, growing."""
        ...
