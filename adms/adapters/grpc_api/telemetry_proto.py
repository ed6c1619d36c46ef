"""Telemetry between wire and domain."""

from adms.adapters.grpc_api.common_proto import quality_from_proto, time_from_proto, time_problem
from adms.core.errors import InputError, Problem
from adms.core.telemetry import PointKey, PointKind
from adms.ports.records import DeclaredPoint, TelemetryFrame
from adms.wire.telemetry.v1 import telemetry_pb2 as pb

KIND = {
    pb.POINT_KIND_V_MAGNITUDE_V: PointKind.V_MAGNITUDE,
    pb.POINT_KIND_P_FLOW_W: PointKind.P_FLOW,
    pb.POINT_KIND_Q_FLOW_VAR: PointKind.Q_FLOW,
    pb.POINT_KIND_I_MAGNITUDE_A: PointKind.I_MAGNITUDE,
    pb.POINT_KIND_P_INJECTION_W: PointKind.P_INJECTION,
    pb.POINT_KIND_Q_INJECTION_VAR: PointKind.Q_INJECTION,
    pb.POINT_KIND_SWITCH_CLOSED: PointKind.SWITCH_CLOSED,
    pb.POINT_KIND_TAP_POSITION: PointKind.TAP_POSITION,
    pb.POINT_KIND_CAPACITOR_STEPS: PointKind.CAPACITOR_STEPS,
    pb.POINT_KIND_FAULT_INDICATOR: PointKind.FAULT_INDICATOR,
    pb.POINT_KIND_LOCKOUT: PointKind.LOCKOUT,
    pb.POINT_KIND_REMOTE: PointKind.REMOTE,
    pb.POINT_KIND_SOC_FRAC: PointKind.SOC,
    pb.POINT_KIND_P_AVAILABLE_W: PointKind.P_AVAILABLE,
}


def points_from_proto(message: pb.Declaration) -> tuple[DeclaredPoint | Problem, ...]:
    """Declared points; a kind that this version does not know is a Problem in its place."""
    return tuple(_point(point) for point in message.points)


def _point(point: pb.Point) -> DeclaredPoint | Problem:
    kind = KIND.get(point.kind)
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
    return TelemetryFrame(
        sequence=message.sequence,
        measure_time=time_from_proto(message.measure_time),
        point_index=tuple(message.point_index),
        value=tuple(message.value),
        quality=tuple(quality_from_proto(quality) for quality in message.quality),
    )
