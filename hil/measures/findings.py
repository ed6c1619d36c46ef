"""Everything that a run is judged by, as it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, nan

from adms.client import JournalVerdict
from hil.judging import Terms
from hil.measures.injections import Injections
from hil.oracle import Restoration
from hil.overlay import Limits
from hil.prices import Prices
from hil.record import EstimateRow, EstimateScore, Trace
from hil.referee import Unsafe
from hil.rounds import RoundLog


@dataclass(frozen=True, kw_only=True)
class FrameCount:
    """Frames of one source."""

    source_id: str
    sent: int
    """By the source's client: what a channel lost on purpose was never sent."""
    used: int
    """Acknowledged by the service, less those that its journal acknowledges without having folded them."""
    used_twice: int
    """Folded again, by the journal."""


@dataclass(frozen=True, kw_only=True)
class Actuation:
    """One command from what was sensed to who acts, by its times."""

    device_id: str
    sensed_s: float
    """Feeder second of the snapshot that it rests on."""
    heard_s: float
    """Feeder second at which the device had it."""
    wall_s: float = nan
    """From the sensor's frame to the device on the clock of the machine; NaN where that was not measured."""


@dataclass(frozen=True, kw_only=True)
class ServiceOutage:
    """A time without the service, feeder seconds."""

    start_s: float
    end_s: float = inf
    """When it was started again; infinite where it was not."""


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """A scan of a run in real time that came too late."""

    time_s: float
    late_s: float


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that is judged. None where the story had no such part."""

    trace: Trace
    limits: Limits
    frames: tuple[FrameCount, ...]
    unsafe: tuple[Unsafe, ...]
    fault: str
    """The line that failed; empty where none did."""
    never_trips: str
    """Why a fault at this place cannot trip anything; empty where it can."""
    restoration: Restoration | None
    """None where restoration did not begin: no fault, or no lockout after it."""
    restored_w: float
    import_max_w: float | None
    import_judged_from_s: float
    estimate: EstimateScore
    defaults_missed: tuple[str, ...]
    """DER that are not at their default although the service is gone."""
    service_gone: bool
    """It was not there at the end."""
    idle: Trace | None = None
    """The same feeder and seed without the service."""
    estimates: Sequence[EstimateRow] = ()
    rounds: RoundLog = field(default_factory=RoundLog)
    scan_s: float = nan
    injections: Injections = field(default_factory=Injections)
    outages: tuple[ServiceOutage, ...] = ()
    journal: JournalVerdict | None = None
    """Of the service's own check of its chain at the end; None where it was not asked."""
    actuations: tuple[Actuation, ...] = ()
    missed_deadlines: tuple[Deadline, ...] | None = None
    """None in lockstep, where nothing can be late."""
    export_max_w: float | None = None
    """Limit of export over the interface, W, positive."""
    export_judged_from_s: float = 0.0
    prices: Prices | None = None
    terms: Terms = field(default_factory=Terms)
