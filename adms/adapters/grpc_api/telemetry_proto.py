"""Telemetry between wire and domain."""

from adms.adapters.grpc_api.refusal import refuse_too_many
from adms.convert.common import time_from_proto, time_problem
from adms.convert.enums import POINT_KIND, QUALITY
from adms.core.errors import InputError, Problem
from adms.core.telemetry import PointKey, Quality
from adms.ports.records import POINTS_PER_DECLARATION_MAX, DeclaredPoint, TelemetryFrame
from adms.wire.telemetry.v1 import telemetry_pb2 as pb


def points_from_proto(message: pb.Declaration) -> tuple[DeclaredPoint | Problem, ...]:
    """Declared points; a kind that this version does not know is a Problem in its place. Raises
    InputError for too many."""
    refuse_too_many(len(message.points), most=POINTS_PER_DECLARATION_MAX, element="declaration", field="points")
    return tuple(_point(point) for point in message.points)


def _point(point: pb.Point) -> DeclaredPoint | Problem:
    kind = POINT_KIND.known(point.kind)
    if kind is None:
        return Problem(
            element=point.element, field="kind", value=str(point.kind), message="kind of point is not known here"
        )
    key = PointKey(kind=kind, element=point.element, side=point.side, phase=point.phase)
    return DeclaredPoint(key=key, sigma=point.sigma if point.HasField("sigma") else None)


def frame_from_proto(message: pb.Frame, *, source: str) -> TelemetryFrame:
    """A frame. Raises InputError where it says no valid time."""
    if not message.HasField("measure_time"):
        raise InputError([Problem(element=source, field="frame.measure_time", value="", message="must be given")])
    problem = time_problem(message.measure_time, element=source, field="frame.measure_time")
    if problem is not None:
        raise InputError([problem])
    # One that this version does not know is not trusted. Few distinct ones stand in a frame, however long it is.
    meaning = {number: QUALITY.from_proto(number, unknown=Quality.INVALID) for number in set(message.quality)}
    return TelemetryFrame(
        sequence=message.sequence,
        measure_time=time_from_proto(message.measure_time),
        point_index=tuple(message.point_index),
        value=tuple(message.value),
        quality=tuple(map(meaning.__getitem__, message.quality)),
    )
