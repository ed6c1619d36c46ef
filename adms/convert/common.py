"""Times, problems, setpoints and capabilities, between core and wire. What is absent stays absent."""

from datetime import UTC, datetime
from typing import assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from adms.core.commands import CapacitorSetpoint, PowerSetpoint, Setpoint, SwitchSetpoint, TapSetpoint
from adms.core.devices import DerCapability
from adms.core.errors import Problem
from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2


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


def problem_to_proto(problem: Problem) -> common_pb2.Problem:
    """One problem."""
    return common_pb2.Problem(
        element=problem.element, field=problem.field, value=problem.value, message=problem.message
    )


def problem_from_proto(message: common_pb2.Problem) -> Problem:
    """One problem."""
    return Problem(element=message.element, field=message.field, value=message.value, message=message.message)


def power_to_proto(setpoint: PowerSetpoint) -> common_pb2.PowerSetpoint:
    """A lapsing setpoint."""
    return common_pb2.PowerSetpoint(p_injection_w=setpoint.p_injection_w, q_injection_var=setpoint.q_injection_var)


def power_from_proto(message: common_pb2.PowerSetpoint) -> PowerSetpoint:
    """A lapsing setpoint."""
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


def setpoint_from_proto(message: common_pb2.Setpoint) -> Setpoint | None:
    """Any setpoint; None for a kind that this version does not know."""
    match message.WhichOneof("kind"):
        case "switch":
            return SwitchSetpoint(closed=message.switch.closed)
        case "tap":
            return TapSetpoint(position=message.tap.position)
        case "capacitor":
            return CapacitorSetpoint(steps=message.capacitor.steps)
        case "power":
            return power_from_proto(message.power)
        case _:
            return None


def capability_to_proto(capability: DerCapability) -> control_pb2.DerCapability:
    """What a DER can do."""
    return control_pb2.DerCapability(
        s_max_va=capability.s_max_va,
        p_max_w=capability.p_max_w,
        p_min_w=capability.p_min_w,
        q_max_var=capability.q_max_var,
        energy_wh=capability.energy_wh,
        ramp_w_per_s=capability.ramp_w_per_s,
    )


def capability_from_proto(message: control_pb2.DerCapability) -> DerCapability:
    """What a DER can do."""
    return DerCapability(
        s_max_va=message.s_max_va,
        p_max_w=message.p_max_w,
        p_min_w=message.p_min_w,
        q_max_var=message.q_max_var,
        energy_wh=message.energy_wh if message.HasField("energy_wh") else None,
        ramp_w_per_s=message.ramp_w_per_s if message.HasField("ramp_w_per_s") else None,
    )
