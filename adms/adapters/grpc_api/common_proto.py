"""Common records between domain and wire."""

from datetime import UTC, datetime
from typing import assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from adms.core.commands import (
    CapacitorSetpoint,
    OutcomeCode,
    PowerSetpoint,
    Setpoint,
    SwitchSetpoint,
    TapSetpoint,
)
from adms.core.errors import Problem
from adms.core.modes import Mode
from adms.core.telemetry import Quality
from adms.wire.common.v1 import common_pb2

QUALITY = {
    common_pb2.QUALITY_GOOD: Quality.GOOD,
    common_pb2.QUALITY_SUSPECT: Quality.SUSPECT,
    common_pb2.QUALITY_STALE: Quality.STALE,
    common_pb2.QUALITY_INVALID: Quality.INVALID,
    common_pb2.QUALITY_MISSING: Quality.MISSING,
}
MODE = {
    common_pb2.MODE_OBSERVE: Mode.OBSERVE,
    common_pb2.MODE_ADVISE: Mode.ADVISE,
    common_pb2.MODE_CONTROL: Mode.CONTROL,
}
MODE_TO_PROTO = {mode: number for number, mode in MODE.items()}
OUTCOME = {
    common_pb2.OUTCOME_CODE_SUCCESS: OutcomeCode.SUCCESS,
    common_pb2.OUTCOME_CODE_EXPIRED: OutcomeCode.EXPIRED,
    common_pb2.OUTCOME_CODE_LOCAL: OutcomeCode.LOCAL,
    common_pb2.OUTCOME_CODE_INTERLOCKED: OutcomeCode.INTERLOCKED,
    common_pb2.OUTCOME_CODE_TOO_MANY_OPERATIONS: OutcomeCode.TOO_MANY_OPERATIONS,
    common_pb2.OUTCOME_CODE_NOT_SUPPORTED: OutcomeCode.NOT_SUPPORTED,
    common_pb2.OUTCOME_CODE_OUT_OF_RANGE: OutcomeCode.OUT_OF_RANGE,
    common_pb2.OUTCOME_CODE_STALE_EPOCH: OutcomeCode.STALE_EPOCH,
    common_pb2.OUTCOME_CODE_HARDWARE_ERROR: OutcomeCode.HARDWARE_ERROR,
    common_pb2.OUTCOME_CODE_UNKNOWN: OutcomeCode.UNKNOWN,
}


def time_to_proto(moment: datetime) -> Timestamp:
    """UTC to a protobuf timestamp."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def time_from_proto(stamp: Timestamp) -> datetime:
    """Protobuf timestamp to UTC. Raises ValueError or OverflowError outside the years 1 to 9999."""
    return stamp.ToDatetime(tzinfo=UTC)


def time_problem(stamp: Timestamp, *, element: str, field: str) -> Problem | None:
    """Why a timestamp that was given cannot be used."""
    try:
        time_from_proto(stamp)
    except (ValueError, OverflowError) as error:
        return Problem(element=element, field=field, value=f"{stamp.seconds}", message=f"no valid time: {error}")
    return None


def quality_from_proto(number: int) -> Quality:
    """Quality; one that this version does not know is not trusted."""
    return QUALITY.get(number, Quality.INVALID)  # type: ignore[call-overload, no-any-return]


def outcome_from_proto(number: int) -> OutcomeCode:
    """Outcome; one that this version does not know says that nothing is known."""
    return OUTCOME.get(number, OutcomeCode.UNKNOWN)  # type: ignore[call-overload, no-any-return]


def problem_to_proto(problem: Problem) -> common_pb2.Problem:
    """One problem."""
    return common_pb2.Problem(
        element=problem.element, field=problem.field, value=problem.value, message=problem.message
    )


def power_to_proto(setpoint: PowerSetpoint) -> common_pb2.PowerSetpoint:
    """A lapsing setpoint; absent stays absent."""
    return common_pb2.PowerSetpoint(p_injection_w=setpoint.p_injection_w, q_injection_var=setpoint.q_injection_var)


def power_from_proto(message: common_pb2.PowerSetpoint) -> PowerSetpoint:
    """A lapsing setpoint; absent stays absent."""
    return PowerSetpoint(
        p_injection_w=message.p_injection_w if message.HasField("p_injection_w") else None,
        q_injection_var=message.q_injection_var if message.HasField("q_injection_var") else None,
    )


def setpoint_to_proto(setpoint: Setpoint) -> common_pb2.Setpoint:
    """Any setpoint."""
    match setpoint:
        case SwitchSetpoint():
            return common_pb2.Setpoint(switch=common_pb2.SwitchSetpoint(closed=setpoint.closed))
        case TapSetpoint():
            return common_pb2.Setpoint(tap=common_pb2.TapSetpoint(position=setpoint.position))
        case CapacitorSetpoint():
            return common_pb2.Setpoint(capacitor=common_pb2.CapacitorSetpoint(steps=setpoint.steps))
        case PowerSetpoint():
            return common_pb2.Setpoint(power=power_to_proto(setpoint))
        case _ as unreachable:
            assert_never(unreachable)
