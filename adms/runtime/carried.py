"""What cuts took in and the journal does not have yet. A dropped round loses nothing: the next one accounts for it.

The body of a CUT entry says what was folded since the CUT before it (JSON):

    "used":   {SOURCE_ID: [INSTANCE_EPOCH, SEQUENCE]}          how far the source is acknowledged from here on
    "frames": {SOURCE_ID: [{"instance_epoch": 1, "from": 17, "to": 18, "count": 2}]}

`frames` has one item per instance of the source (a second one only where it restarted between two cuts), with the
lowest and highest sequence folded and how many frames were folded, each counted every time. A source without a frame
is left out of both. Over all CUT entries of one instance: a frame is lost where `from` leaves a gap to the `to` before
it or `count` is below `to - from + 1`, and used twice where `from` is not above the `to` before it or `count` is above.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from adms.core.ids import ControllerId, ElementId, TelemetrySourceId
from adms.core.journal import EntryKind
from adms.core.modes import Mode
from adms.core.telemetry import TelemetrySnapshot
from adms.runtime.cycle import Picture
from adms.runtime.devices import DeviceCut, ReportedOutcome
from adms.runtime.frame_spans import FrameSpan, joined
from adms.runtime.image import Cut, UsedFrames
from adms.runtime.journal import Draft


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Taken in since the last commit."""

    used: Mapping[TelemetrySourceId, UsedFrames] = field(default_factory=dict)
    frames: Mapping[TelemetrySourceId, tuple[FrameSpan, ...]] = field(default_factory=dict)
    outcomes: tuple[ReportedOutcome, ...] = ()
    recorded: Mapping[ControllerId, int] = field(default_factory=dict)
    attached: frozenset[ElementId] = frozenset()
    cleared: frozenset[ElementId] = frozenset()
    drafts: tuple[Draft, ...] = ()

    def plus(self, cut: Cut, devices: DeviceCut, *, cleared: frozenset[ElementId]) -> "Carried":
        """With one more cut."""
        return Carried(
            used={**self.used, **cut.used},
            frames={
                source: joined((*self.frames.get(source, ()), *cut.frames.get(source, ())))
                for source in sorted({*self.frames, *cut.frames})
            },
            outcomes=(*self.outcomes, *devices.outcomes),
            recorded={**self.recorded, **devices.recorded},
            attached=self.attached | devices.attached,
            cleared=self.cleared | cleared,
            drafts=(*self.drafts, *devices.drafts),
        )

    def after_cut_only(self) -> "Carried":
        """What is still to do once the cut is journalled but no decision came of it."""
        return Carried(outcomes=self.outcomes, recorded=self.recorded, attached=self.attached, cleared=self.cleared)


def cut_draft(snapshot: TelemetrySnapshot, *, carried: Carried, picture: Picture | None, mode: Mode) -> Draft:
    """The entry from which on the used frames are acknowledged."""
    digest = hashlib.sha256()
    for column in (snapshot.value, snapshot.sigma, snapshot.age_s, snapshot.quality):
        digest.update(column.tobytes())
    body = {
        "snapshot_id": snapshot.snapshot_id,
        "model_version": snapshot.model_version,
        "points": len(snapshot.table.keys),
        "columns_sha256": digest.hexdigest(),
        "used": {source: [frames.instance_epoch, frames.sequence] for source, frames in carried.used.items()},
        "frames": {source: [_span_body(span) for span in spans] for source, spans in carried.frames.items()},
        "mode": mode.name,
        "grade": None if picture is None else picture.grade.name,
        "reason": "no picture was made" if picture is None else picture.estimate.reason,
    }
    return Draft(time=snapshot.cut_time, kind=EntryKind.CUT, actor="service", body=body)


def _span_body(span: FrameSpan) -> dict[str, int]:
    return {"instance_epoch": span.instance_epoch, "from": span.first, "to": span.last, "count": span.count}
