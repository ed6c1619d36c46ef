"""The telemetry image: everything received, from which each round cuts one frozen snapshot.

Nothing is folded when it arrives. A cut folds the waiting frames by source id, then by sequence, so that the order in
which sources were heard changes nothing. Frames measured after the cut wait for a later one as far as time is granted;
beyond that the meter's clock is wrong, and its values are INVALID.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from adms.core.errors import InputError, Problem
from adms.core.ids import ElementId, ModelVersion, SnapshotId, TelemetrySourceId
from adms.core.telemetry import (
    PointKey,
    PointKind,
    PointTable,
    ProtectionEvent,
    Quality,
    TelemetrySnapshot,
)
from adms.grid.model import NetworkModel
from adms.grid.points import PointRules, plausible
from adms.ports.records import DeclarationTaken, DeclaredPoint, TelemetryFrame, Welcomed
from adms.runtime.frame_problems import frame_problems
from adms.runtime.frame_spans import FrameSpan, joined
from adms.runtime.text_bounds import ID_MAX, too_long

EVENT_KINDS = frozenset({PointKind.LOCKOUT, PointKind.SWITCH_CLOSED})
EVENTS_MAX = 10_000
"""Protection events kept; of more the newest."""


@dataclass(frozen=True, kw_only=True)
class ImagePolicy:
    """How the image treats time and floods."""

    max_age_s: float
    """A value older than this is STALE."""
    clock_skew_max_s: float
    """A frame this much ahead of the cut is used as if measured at the cut."""
    waiting_frames_max: int
    """Frames that one source may have waiting for a cut; more are refused."""
    events_keep_s: float
    """How long a protection event stays in the snapshots."""


@dataclass(frozen=True, kw_only=True)
class UsedFrames:
    """How far a source's frames are accounted for."""

    instance_epoch: int
    sequence: int


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A snapshot and the frames that went into it."""

    snapshot: TelemetrySnapshot
    used: Mapping[TelemetrySourceId, UsedFrames]
    """Sources whose account moved."""
    frames: Mapping[TelemetrySourceId, tuple[FrameSpan, ...]]
    """What was folded in this cut, per source; sources without a frame are left out."""


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    instance_epoch: int
    points: tuple[PointKey | None, ...]
    """The declaration as it was when the frame came; None where a point was not accepted."""
    frame: TelemetryFrame


@dataclass(kw_only=True)
class _Source:
    instance_epoch: int = 0
    received: int = 0
    used: int = 0
    points: tuple[PointKey | None, ...] = ()
    waiting: list[_Waiting] = field(default_factory=list)
    gone_since: datetime | None = None
    """The cut that first found its stream ended; None while it is connected."""


@dataclass(frozen=True, kw_only=True)
class _Value:
    value: float
    quality: Quality
    measured: datetime


class TelemetryImage:
    """Takes in frames (`adms.ports.inward.TelemetryIntake`) and cuts snapshots."""

    def __init__(
        self,
        model: NetworkModel,
        *,
        version: ModelVersion,
        policy: ImagePolicy,
        used: Mapping[TelemetrySourceId, UsedFrames],
        on_event: Callable[[], None],
        on_arrival: Callable[[], None],
    ) -> None:
        self._version = version
        self._policy = policy
        self._rules = PointRules(model)
        self._on_event = on_event
        self._on_arrival = on_arrival
        self._sources = {
            source: _Source(instance_epoch=was.instance_epoch, received=was.sequence, used=was.sequence)
            for source, was in used.items()
        }
        self._owner: dict[PointKey, TelemetrySourceId] = {}
        self._sigma: dict[PointKey, float] = {}
        self._values: dict[PointKey, _Value] = {}
        self._newest: dict[PointKey, float] = {}
        self._table = PointTable(keys=())
        self._table_changed = False
        self._events: list[ProtectionEvent] = []
        self._connected: set[TelemetrySourceId] = set()
        self._streams_ended: set[TelemetrySourceId] = set()
        self._last_cut: datetime | None = None

    @property
    def source_count(self) -> int:
        """Sources that said hello to this process."""
        return len(self._connected)

    def hello(self, source: TelemetrySourceId, *, instance_epoch: int) -> Welcomed:
        """A source begins or resumes. Raises InputError for a lower epoch than seen and for an empty id."""
        wrong = too_long(source, most=ID_MAX) if source else ("", "must not be empty")
        if wrong is not None:
            raise _refused("hello", "source_id", *wrong)
        known = self._sources.setdefault(source, _Source(instance_epoch=instance_epoch))
        if instance_epoch < known.instance_epoch:
            message = f"a later instance, {known.instance_epoch}, has reported"
            raise _refused(source, "instance_epoch", str(instance_epoch), message)
        if instance_epoch > known.instance_epoch:
            known.instance_epoch, known.received, known.used = instance_epoch, 0, 0
        self._connected.add(source)
        self._streams_ended.discard(source)
        known.gone_since = None
        return Welcomed(used_sequence=known.used, model_version=self._version)

    def declare(
        self, source: TelemetrySourceId, *, instance_epoch: int, points: tuple[DeclaredPoint | Problem, ...]
    ) -> DeclarationTaken:
        """Replaces the points of a source; those with a problem are left out."""
        known = self._current(source, instance_epoch)
        problems: list[Problem] = []
        taken: list[PointKey | None] = []
        mine: set[PointKey] = set()
        for point in points:
            problem = point if isinstance(point, Problem) else self._point_problem(point, source=source, mine=mine)
            if isinstance(point, Problem) or problem is not None:
                problems.extend([problem] if problem is not None else [])
                taken.append(None)
            else:
                mine.add(point.key)
                taken.append(point.key)
        for key in [key for key, holder in self._owner.items() if holder == source and key not in mine]:
            del self._owner[key], self._sigma[key]
            self._values.pop(key, None)
            self._newest.pop(key, None)
        for point in points:
            if not isinstance(point, Problem) and point.key in mine:
                if self._owner.get(point.key, source) != source:
                    self._values.pop(point.key, None)
                self._owner[point.key] = source
                self._sigma[point.key] = np.nan if point.sigma is None else point.sigma
        known.points = tuple(taken)
        self._table_changed = True
        return DeclarationTaken(accepted=len(mine), problems=tuple(problems))

    def receive(self, source: TelemetrySourceId, *, instance_epoch: int, frame: TelemetryFrame) -> None:
        """Keeps a frame for the next cut; one already received is dropped. Raises InputError as the port says."""
        known = self._current(source, instance_epoch)
        if frame.sequence <= known.received:
            return
        problems = frame_problems(
            frame,
            source=source,
            expected=known.received + 1,
            declared=len(known.points),
            full=len(known.waiting) >= self._policy.waiting_frames_max,
        )
        if problems:
            raise InputError(problems)
        known.received = frame.sequence
        known.waiting.append(_Waiting(instance_epoch=instance_epoch, points=known.points, frame=frame))
        self._notice_events(known.points, frame)
        self._on_arrival()

    def goodbye(self, source: TelemetrySourceId, *, instance_epoch: int) -> None:
        """The stream of this instance is gone. Does nothing where another instance took over."""
        known = self._sources.get(source)
        if known is not None and known.instance_epoch == instance_epoch:
            self._streams_ended.add(source)

    def received(self, source: TelemetrySourceId) -> int:
        """Highest frame received of the source's present instance."""
        known = self._sources.get(source)
        return 0 if known is None else known.received

    def instance_epoch(self, source: TelemetrySourceId) -> int:
        """Present instance of a source."""
        return self._sources[source].instance_epoch

    def cut(self, now: datetime, *, horizon: datetime, snapshot_id: SnapshotId) -> Cut:
        """Freezes everything known at `now`; a pure function of what was received and of the times given."""
        for ended in self._streams_ended:
            self._sources[ended].gone_since = now
        self._streams_ended.clear()
        self._last_cut = now
        used: dict[TelemetrySourceId, UsedFrames] = {}
        frames: dict[TelemetrySourceId, tuple[FrameSpan, ...]] = {}
        skew = timedelta(seconds=self._policy.clock_skew_max_s)
        for source_id in sorted(self._sources):
            source = self._sources[source_id]
            folded: list[FrameSpan] = []
            for item in source.waiting:
                if now + skew < item.frame.measure_time <= horizon:
                    break
                self._fold(item, now=now, believable=item.frame.measure_time <= now + skew, source=source_id)
                epoch, sequence = item.instance_epoch, item.frame.sequence
                folded.append(FrameSpan(instance_epoch=epoch, first=sequence, last=sequence, count=1))
                if epoch == source.instance_epoch:
                    source.used = sequence
                used[source_id] = UsedFrames(instance_epoch=epoch, sequence=sequence)
            if folded:
                del source.waiting[: len(folded)]
                frames[source_id] = joined(folded)
        return Cut(snapshot=self._snapshot(now, snapshot_id), used=used, frames=frames)

    def _current(self, source: TelemetrySourceId, instance_epoch: int) -> _Source:
        known = self._sources.get(source)
        if known is None or known.instance_epoch != instance_epoch:
            raise _refused(source, "instance_epoch", str(instance_epoch), "superseded by a later instance")
        return known

    def _point_problem(self, point: DeclaredPoint, *, source: TelemetrySourceId, mine: set[PointKey]) -> Problem | None:
        key = point.key
        found = self._rules.problem(key, sigma=point.sigma)
        if found is not None:
            return found
        holder = self._owner.get(key)
        if key in mine:
            message = "declared twice"
        elif holder not in (None, source) and not self._abandoned(holder):
            message = f"already reported by source {holder}"
        else:
            return None
        return Problem(element=key.element, field="kind", value=key.kind.value, message=message)

    def _abandoned(self, source: TelemetrySourceId | None) -> bool:
        """True for a source that has been gone for so long that all it told is stale: others may report its points."""
        known = None if source is None else self._sources.get(source)
        if known is None or known.gone_since is None or self._last_cut is None:
            return False
        return (self._last_cut - known.gone_since).total_seconds() > self._policy.max_age_s

    def _notice_events(self, points: tuple[PointKey | None, ...], frame: TelemetryFrame) -> None:
        event = False
        for index, value in zip(frame.point_index, frame.value, strict=True):
            key = points[index]
            if key is not None and key.kind in EVENT_KINDS:
                event |= self._newest.get(key, value) != value
                self._newest[key] = value
        if event:
            self._on_event()

    def _fold(self, item: _Waiting, *, now: datetime, believable: bool, source: TelemetrySourceId) -> None:
        frame = item.frame
        qualities = frame.quality or (Quality.GOOD,) * len(frame.value)
        measured = min(frame.measure_time, now) if believable else now
        for index, value, quality in zip(frame.point_index, frame.value, qualities, strict=True):
            key = item.points[index]
            if key is None or self._owner.get(key) != source:
                continue
            before = self._values.get(key)
            if before is not None and measured < before.measured:
                continue
            if not believable or not plausible(key.kind, value):
                quality = Quality.INVALID
            if quality is Quality.GOOD:
                self._note_event(key, value, before=before, measured=measured)
            self._values[key] = _Value(value=value, quality=quality, measured=measured)

    def _note_event(self, key: PointKey, value: float, *, before: _Value | None, measured: datetime) -> None:
        if before is None or before.quality is not Quality.GOOD or before.value == value:
            return
        if key.kind is PointKind.SWITCH_CLOSED:
            text = "closed" if value else "opened"
        elif key.kind is PointKind.LOCKOUT and value:
            text = "lockout"
        elif key.kind is PointKind.FAULT_INDICATOR and value:
            text = "fault current passed"
        else:
            return
        self._events.append(ProtectionEvent(element=ElementId(key.element), time=measured, text=text))

    def _snapshot(self, now: datetime, snapshot_id: SnapshotId) -> TelemetrySnapshot:
        if self._table_changed:
            self._table = PointTable(keys=tuple(sorted(self._owner)))
            self._table_changed = False
        count = len(self._table.keys)
        value = np.full(count, np.nan)
        age_s = np.full(count, np.inf)
        quality = np.full(count, int(Quality.MISSING), dtype=np.int64)
        for row, key in enumerate(self._table.keys):
            found = self._values.get(key)
            if found is None:
                continue
            value[row] = found.value
            age_s[row] = (now - found.measured).total_seconds()
            stale = found.quality is Quality.GOOD and age_s[row] > self._policy.max_age_s
            quality[row] = Quality.STALE if stale else found.quality
        sigma = np.array([self._sigma[key] for key in self._table.keys], dtype=np.float64)
        for column in (value, age_s, quality, sigma):
            column.flags.writeable = False
        oldest = now - timedelta(seconds=self._policy.events_keep_s)
        recent = (event for event in self._events if event.time >= oldest)
        self._events = sorted(recent, key=lambda e: (e.time, e.element, e.text))[-EVENTS_MAX:]
        return TelemetrySnapshot(
            snapshot_id=snapshot_id,
            cut_time=now,
            model_version=self._version,
            table=self._table,
            value=value,
            sigma=sigma,
            age_s=age_s,
            quality=quality,
            events=tuple(self._events),
        )


def _refused(element: str, field_name: str, value: str, message: str) -> InputError:
    return InputError([Problem(element=element, field=field_name, value=value, message=message)])
