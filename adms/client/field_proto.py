"""What field clients say and hear, between client records and wire."""

from adms.client.records import Device, Point, ReceivedCommand, Report
from adms.convert.common import capability_to_proto, power_to_proto, time_from_proto, time_to_proto
from adms.convert.enums import DEVICE_CLASS, OUTCOME, POINT_KIND
from adms.core.commands import Setpoint
from adms.wire.control.v1 import control_pb2
from adms.wire.telemetry.v1 import telemetry_pb2


def point_to_proto(point: Point) -> telemetry_pb2.Point:
    """A declared point."""
    return telemetry_pb2.Point(
        kind=POINT_KIND.to_proto(point.kind),
        element=point.element,
        side=point.side,
        phase=point.phase,
        sigma=point.sigma,
    )


def device_to_proto(device: Device, *, seen_epoch: int) -> control_pb2.Device:
    """A registered device."""
    return control_pb2.Device(
        device_id=device.device_id,
        device_class=DEVICE_CLASS.to_proto(device.device_class),
        seen_epoch=max(seen_epoch, device.seen_epoch),
        capability=None if device.capability is None else capability_to_proto(device.capability),
        stored_default=None if device.stored_default is None else power_to_proto(device.stored_default),
    )


def report_to_proto(report: Report) -> control_pb2.OutcomeReport:
    """An outcome."""
    return control_pb2.OutcomeReport(
        command_id=report.command_id,
        device_id=report.device_id,
        code=OUTCOME.to_proto(report.code),
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
