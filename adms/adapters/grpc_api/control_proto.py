"""Control between wire and domain."""

from adms.adapters.grpc_api.common_proto import (
    outcome_from_proto,
    power_from_proto,
    setpoint_to_proto,
    time_from_proto,
    time_problem,
    time_to_proto,
)
from adms.core.commands import Command, Outcome
from adms.core.errors import InputError, Problem
from adms.core.ids import CommandId, ControllerId, ElementId
from adms.ports.records import ControllerOutcomes, DerCapability, DeviceClass, DeviceRegistration
from adms.wire.control.v1 import control_pb2 as pb

DEVICE_CLASS = {
    pb.DEVICE_CLASS_SWITCH: DeviceClass.SWITCH,
    pb.DEVICE_CLASS_TAP_CHANGER: DeviceClass.TAP_CHANGER,
    pb.DEVICE_CLASS_CAPACITOR: DeviceClass.CAPACITOR,
    pb.DEVICE_CLASS_DER: DeviceClass.DER,
}


def devices_from_proto(message: pb.Registration) -> tuple[DeviceRegistration, ...]:
    """Registered devices. Raises InputError with every device whose class is not known."""
    problems = [
        Problem(element=d.device_id, field="device_class", value=str(d.device_class), message="not known here")
        for d in message.devices
        if d.device_class not in DEVICE_CLASS
    ]
    if problems:
        raise InputError(problems)
    return tuple(_device(device) for device in message.devices)


def _device(device: pb.Device) -> DeviceRegistration:
    can = device.capability
    capability = DerCapability(
        s_max_va=can.s_max_va,
        p_max_w=can.p_max_w,
        p_min_w=can.p_min_w,
        q_max_var=can.q_max_var,
        energy_wh=can.energy_wh if can.HasField("energy_wh") else None,
        ramp_w_per_s=can.ramp_w_per_s if can.HasField("ramp_w_per_s") else None,
    )
    return DeviceRegistration(
        device=ElementId(device.device_id),
        device_class=DEVICE_CLASS[device.device_class],
        capability=capability if device.HasField("capability") else None,
        stored_default=power_from_proto(device.stored_default) if device.HasField("stored_default") else None,
        seen_epoch=device.seen_epoch,
    )


def outcomes_from_proto(message: pb.Outcomes, *, controller: ControllerId) -> ControllerOutcomes:
    """Outcomes of one message. Raises InputError where one has no valid time."""
    problems = [
        problem
        for report in message.outcomes
        if (problem := time_problem(report.time, element=report.device_id, field="time")) is not None
    ]
    if problems:
        raise InputError(problems)
    return ControllerOutcomes(
        controller=controller,
        sequence=message.sequence,
        outcomes=tuple(
            Outcome(
                command_id=CommandId(report.command_id),
                device=ElementId(report.device_id),
                code=outcome_from_proto(report.code),
                time=time_from_proto(report.time),
                text=report.text[:500],
            )
            for report in message.outcomes
        ),
    )


def command_to_proto(command: Command) -> pb.Command:
    """One command."""
    return pb.Command(
        command_id=command.command_id,
        device_id=command.device,
        epoch=command.epoch,
        sequence=command.sequence,
        issue_time=time_to_proto(command.issue_time),
        expiry=time_to_proto(command.expiry),
        setpoint=setpoint_to_proto(command.setpoint),
        app=command.app.value,
        plan_id=command.plan_id or "",
        reason=command.reason,
        snapshot_id=command.snapshot_id,
    )
