"""What field clients say and hear, between client records and wire."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from adms.client.records import (
    Device,
    DeviceClass,
    Point,
    ReceivedCommand,
    Report,
)
from adms.core.commands import (
    CapacitorSetpoint,
    OutcomeCode,
    PowerSetpoint,
    Setpoint,
    SwitchSetpoint,
    TapSetpoint,
)
from adms.core.telemetry import PointKind, Quality
from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2
from adms.wire.telemetry.v1 import telemetry_pb2 as tm

KIND_TO_PROTO = {
    PointKind.V_MAGNITUDE: tm.POINT_KIND_V_MAGNITUDE_V,
    PointKind.P_FLOW: tm.POINT_KIND_P_FLOW_W,
    PointKind.Q_FLOW: tm.POINT_KIND_Q_FLOW_VAR,
    PointKind.I_MAGNITUDE: tm.POINT_KIND_I_MAGNITUDE_A,
    PointKind.P_INJECTION: tm.POINT_KIND_P_INJECTION_W,
    PointKind.Q_INJECTION: tm.POINT_KIND_Q_INJECTION_VAR,
    PointKind.SWITCH_CLOSED: tm.POINT_KIND_SWITCH_CLOSED,
    PointKind.TAP_POSITION: tm.POINT_KIND_TAP_POSITION,
    PointKind.CAPACITOR_STEPS: tm.POINT_KIND_CAPACITOR_STEPS,
    PointKind.FAULT_INDICATOR: tm.POINT_KIND_FAULT_INDICATOR,
    PointKind.LOCKOUT: tm.POINT_KIND_LOCKOUT,
    PointKind.REMOTE: tm.POINT_KIND_REMOTE,
    PointKind.SOC: tm.POINT_KIND_SOC_FRAC,
    PointKind.P_AVAILABLE: tm.POINT_KIND_P_AVAILABLE_W,
}
QUALITY_TO_PROTO = {
    Quality.GOOD: common_pb2.QUALITY_GOOD,
    Quality.SUSPECT: common_pb2.QUALITY_SUSPECT,
    Quality.STALE: common_pb2.QUALITY_STALE,
    Quality.INVALID: common_pb2.QUALITY_INVALID,
    Quality.MISSING: common_pb2.QUALITY_MISSING,
}
OUTCOME_TO_PROTO = {
    OutcomeCode.SUCCESS: common_pb2.OUTCOME_CODE_SUCCESS,
    OutcomeCode.EXPIRED: common_pb2.OUTCOME_CODE_EXPIRED,
    OutcomeCode.LOCAL: common_pb2.OUTCOME_CODE_LOCAL,
    OutcomeCode.INTERLOCKED: common_pb2.OUTCOME_CODE_INTERLOCKED,
    OutcomeCode.TOO_MANY_OPERATIONS: common_pb2.OUTCOME_CODE_TOO_MANY_OPERATIONS,
    OutcomeCode.NOT_SUPPORTED: common_pb2.OUTCOME_CODE_NOT_SUPPORTED,
    OutcomeCode.OUT_OF_RANGE: common_pb2.OUTCOME_CODE_OUT_OF_RANGE,
    OutcomeCode.STALE_EPOCH: common_pb2.OUTCOME_CODE_STALE_EPOCH,
    OutcomeCode.HARDWARE_ERROR: common_pb2.OUTCOME_CODE_HARDWARE_ERROR,
    OutcomeCode.UNKNOWN: common_pb2.OUTCOME_CODE_UNKNOWN,
}
CLASS_TO_PROTO = {
    DeviceClass.SWITCH: control_pb2.DEVICE_CLASS_SWITCH,
    DeviceClass.TAP_CHANGER: control_pb2.DEVICE_CLASS_TAP_CHANGER,
    DeviceClass.CAPACITOR: control_pb2.DEVICE_CLASS_CAPACITOR,
    DeviceClass.DER: control_pb2.DEVICE_CLASS_DER,
}


def time_to_proto(moment: datetime) -> Timestamp:
    """UTC to a protobuf timestamp."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def time_from_proto(stamp: Timestamp) -> datetime:
    """Protobuf timestamp to UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


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
            power = message.power
            return PowerSetpoint(
                p_injection_w=power.p_injection_w if power.HasField("p_injection_w") else None,
                q_injection_var=power.q_injection_var if power.HasField("q_injection_var") else None,
            )
        case _:
            return None


def point_to_proto(point: Point) -> tm.Point:
    """A declared point."""
    return tm.Point(
        kind=KIND_TO_PROTO[point.kind], element=point.element, side=point.side, phase=point.phase, sigma=point.sigma
    )


def device_to_proto(device: Device, *, seen_epoch: int) -> control_pb2.Device:
    """A registered device."""
    message = control_pb2.Device(
        device_id=device.device_id,
        device_class=CLASS_TO_PROTO[device.device_class],
        seen_epoch=max(seen_epoch, device.seen_epoch),
    )
    can = device.capability
    if can is not None:
        message.capability.CopyFrom(
            control_pb2.DerCapability(
                s_max_va=can.s_max_va,
                p_max_w=can.p_max_w,
                p_min_w=can.p_min_w,
                q_max_var=can.q_max_var,
                energy_wh=can.energy_wh,
                ramp_w_per_s=can.ramp_w_per_s,
            )
        )
    default = device.stored_default
    if default is not None:
        message.stored_default.CopyFrom(
            common_pb2.PowerSetpoint(p_injection_w=default.p_injection_w, q_injection_var=default.q_injection_var)
        )
    return message


def report_to_proto(report: Report) -> control_pb2.OutcomeReport:
    """An outcome."""
    return control_pb2.OutcomeReport(
        command_id=report.command_id,
        device_id=report.device_id,
        code=OUTCOME_TO_PROTO[report.code],
        time=time_to_proto(report.time),
        text=report.text,
    )


def command_from_proto(message: control_pb2.Command, *, setpoint: Setpoint, stream_sequence: int) -> ReceivedCommand:
    """A command whose setpoint was understood."""
    return ReceivedCommand(
        command_id=message.command_id,
        device_id=message.device_id,
        setpoint=setpoint,
        epoch=message.epoch,
        sequence=message.sequence,
        issue_time=time_from_proto(message.issue_time),
        expiry=time_from_proto(message.expiry),
        app=message.app,
        plan_id=message.plan_id,
        reason=message.reason,
        snapshot_id=message.snapshot_id,
        stream_sequence=stream_sequence,
    )
