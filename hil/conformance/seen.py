"""What the kit saw of a client, in the order in which it arrived. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan

from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2
from adms.wire.telemetry.v1 import telemetry_pb2


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The output of one device at one instant, from GOOD values only."""

    measure_s: float
    """The client's own time of it, seconds since 1970 UTC."""
    arrival_s: float
    """When the kit received it, on the kit's clock."""
    p_w: float
    """Active power injected into the network; NaN where nothing GOOD is known."""
    q_var: float
    p_available_w: float


@dataclass(frozen=True, kw_only=True)
class SeenOutcome:
    """One outcome, as often as it was sent."""

    report: control_pb2.OutcomeReport
    arrival_s: float
    stream: int
    """Which stream of the controller carried it, from 1."""
    sequence: int

    @property
    def code(self) -> str:
        """Name of the code; its number where this version does not know it."""
        return code_name(self.report.code)


@dataclass(frozen=True, kw_only=True)
class SeenMessage:
    """One `Outcomes` message."""

    controller_id: str
    instance_id: str
    stream: int
    sequence: int
    arrival_s: float


@dataclass(kw_only=True)
class SeenStream:
    """One control stream, from its opening on."""

    index: int
    opened_s: float
    registration: control_pb2.Registration | None = None
    registered_s: float = nan
    epoch: int = 0
    """What the kit said in its RegistrationResult."""
    closed_s: float = nan


@dataclass(frozen=True, kw_only=True)
class SeenFrame:
    """One frame, as often as it was sent."""

    sequence: int
    measure_s: float
    arrival_s: float
    stream: int
    repeated: bool
    """It had arrived before."""
    fault: str
    """What is wrong with its columns; empty where nothing is."""


@dataclass(kw_only=True)
class SeenSource:
    """One telemetry source in one instance epoch."""

    source_id: str
    instance_epoch: int
    points: Sequence[telemetry_pb2.Point] = ()
    frames: list[SeenFrame] = field(default_factory=list)
    newest_sequence: int = 0
    used_sequence: int = 0
    """Acknowledged by the kit."""
    values: dict[int, float] = field(default_factory=dict)
    """By point; NaN where the newest value is not GOOD."""


@dataclass(kw_only=True)
class Seen:
    """Everything of one run."""

    now_s: Callable[[], float]
    attach_attempts_s: list[float] = field(default_factory=list)
    report_attempts_s: list[float] = field(default_factory=list)
    streams: list[SeenStream] = field(default_factory=list)
    messages: list[SeenMessage] = field(default_factory=list)
    outcomes: list[SeenOutcome] = field(default_factory=list)
    sources: list[SeenSource] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """By device."""
    faults: list[tuple[float, str]] = field(default_factory=list)
    """Breaches of the order of a stream: (when, what)."""

    def fault(self, text: str) -> None:
        """Notes a breach of the order of a stream."""
        self.faults.append((self.now_s(), text))

    def take_frame(self, source: SeenSource, frame: telemetry_pb2.Frame, *, stream: int) -> None:
        """Notes a frame, and the output of the devices that it speaks of."""
        now_s = self.now_s()
        repeated = frame.sequence <= source.newest_sequence
        fault = frame_fault(frame, points=len(source.points))
        seconds = frame.measure_time.seconds + frame.measure_time.nanos * 1e-9
        source.frames.append(
            SeenFrame(
                sequence=frame.sequence,
                measure_s=seconds,
                arrival_s=now_s,
                stream=stream,
                repeated=repeated,
                fault=fault,
            )
        )
        if repeated or len(frame.point_index) != len(frame.value):
            return
        source.newest_sequence = frame.sequence
        touched: dict[str, None] = {}
        for place, (index, value) in enumerate(zip(frame.point_index, frame.value, strict=True)):
            if index >= len(source.points):
                continue
            good = place >= len(frame.quality) or frame.quality[place] == common_pb2.QUALITY_GOOD
            source.values[index] = value if good else nan
            touched[source.points[index].element] = None
        for element in touched:
            sample = Sample(
                measure_s=seconds,
                arrival_s=now_s,
                p_w=_total(source, element, kind=telemetry_pb2.POINT_KIND_P_INJECTION_W),
                q_var=_total(source, element, kind=telemetry_pb2.POINT_KIND_Q_INJECTION_VAR),
                p_available_w=_total(source, element, kind=telemetry_pb2.POINT_KIND_P_AVAILABLE_W),
            )
            self.samples.setdefault(element, []).append(sample)


def code_name(code: int) -> str:
    """An outcome code without its prefix; its number where this version does not know it."""
    if code not in common_pb2.OutcomeCode.values():
        return str(code)
    return common_pb2.OutcomeCode.Name(common_pb2.OutcomeCode.ValueType(code)).removeprefix("OUTCOME_CODE_")


def frame_fault(frame: telemetry_pb2.Frame, *, points: int) -> str:
    """What is wrong with a frame's columns (telemetry.proto, Frame); empty where nothing is."""
    if len(frame.point_index) != len(frame.value):
        return f"{len(frame.point_index)} indices for {len(frame.value)} values"
    if frame.quality and len(frame.quality) != len(frame.value):
        return f"{len(frame.quality)} qualities for {len(frame.value)} values"
    beyond = [index for index in frame.point_index if index >= points]
    if beyond:
        return f"index {beyond[0]} although {points} points are declared"
    if not frame.HasField("measure_time"):
        return "no measure_time"
    for place, value in enumerate(frame.value):
        good = not frame.quality or frame.quality[place] == common_pb2.QUALITY_GOOD
        if good and not isfinite(value):
            return f"point {frame.point_index[place]} is {value} and said to be GOOD"
    return ""


def _total(source: SeenSource, element: str, *, kind: int) -> float:
    """Of all phases; a point of no one phase stands for them all."""
    found = {
        index: point for index, point in enumerate(source.points) if (point.element, point.kind) == (element, kind)
    }
    whole = [index for index, point in found.items() if point.phase == 0]
    chosen = whole[:1] or list(found)
    return sum(source.values.get(index, nan) for index in chosen) if chosen else nan
