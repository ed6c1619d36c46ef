"""Control between wire and domain."""

from adms.adapters.grpc_api.refusal import refuse_too_many
from adms.convert.common import (
    capability_from_proto,
    power_from_proto,
    setpoint_to_proto,
    time_from_proto,
    time_problem,
    time_to_proto,
)
from adms.convert.enums import DEVICE_CLASS, OUTCOME
from adms.core.commands import Command, Outcome, OutcomeCode
from adms.core.errors import InputError, Problem
from adms.core.ids import CommandId, ControllerId, ElementId
from adms.ports.records import (
    DEVICES_PER_REGISTRATION_MAX,
    OUTCOMES_PER_MESSAGE_MAX,
    ControllerOutcomes,
    DeviceRegistration,
)
from adms.wire.control.v1 import control_pb2 as pb


def devices_from_proto(message: pb.Registration) -> tuple[DeviceRegistration, ...]:
    """Registered devices. Raises InputError for too many, and with every device whose class is not known."""
    refuse_too_many(len(message.devices), most=DEVICES_PER_REGISTRATION_MAX, element="registration", field="devices")
    found = [_device(device) for device in message.devices]
    problems = [each for each in found if isinstance(each, Problem)]
    if problems:
        raise InputError(problems)
    return tuple(each for each in found if isinstance(each, DeviceRegistration))


def _device(device: pb.Device) -> DeviceRegistration | Problem:
    device_class = DEVICE_CLASS.known(device.device_class)
    if device_class is None:
        return Problem(
            element=device.device_id, field="device_class", value=str(device.device_class), message="not known here"
        )
    return DeviceRegistration(
        device=ElementId(device.device_id),
        device_class=device_class,
        capability=capability_from_proto(device.capability) if device.HasField("capability") else None,
        stored_default=power_from_proto(device.stored_default) if device.HasField("stored_default") else None,
        seen_epoch=device.seen_epoch,
    )


def outcomes_from_proto(message: pb.Outcomes, *, controller: ControllerId) -> ControllerOutcomes:
    """Outcomes of one message. Raises InputError for too many and where one has no valid time."""
    refuse_too_many(len(message.outcomes), most=OUTCOMES_PER_MESSAGE_MAX, element=controller, field="outcomes")
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
                # One that this version does not know says that nothing is known.
                code=OUTCOME.from_proto(report.code, unknown=OutcomeCode.UNKNOWN),
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
