"""Control requests: objects to setpoints, and the selection that an OPERATE needs (IEEE 1815-2012 clause 4.4.4)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dnp3.application.fragment import ObjectBlock
from dnp3.core.enums import CommandStatus, ControlCode, OperationType, TripCloseCode

from adms.client import CapacitorSetpoint, OutcomeCode, PowerSetpoint, Setpoint, SwitchSetpoint, TapSetpoint
from hil.endpoints.dnp3.points import AnalogOutput, BinaryOutput, Control, Quantity, Rtu

CROB_GROUP, ANALOG_GROUP = 12, 41
_PACK = {1: "<i", 2: "<h", 3: "<f", 4: "<d"}
"""Group 41: value by variation."""
_PREFIX_OCTETS = {0x17: 1, 0x28: 2}
"""Qualifiers of control requests, and the octets of count and index."""
STATUS_OF = {
    OutcomeCode.SUCCESS: CommandStatus.SUCCESS,
    OutcomeCode.EXPIRED: CommandStatus.TIMEOUT,
    OutcomeCode.LOCAL: CommandStatus.LOCAL,
    OutcomeCode.INTERLOCKED: CommandStatus.BLOCKED,
    OutcomeCode.TOO_MANY_OPERATIONS: CommandStatus.TOO_MANY_OBJS,
    OutcomeCode.NOT_SUPPORTED: CommandStatus.NOT_SUPPORTED,
    OutcomeCode.OUT_OF_RANGE: CommandStatus.OUT_OF_RANGE,
    OutcomeCode.STALE_EPOCH: CommandStatus.NOT_AUTHORIZED,
    OutcomeCode.HARDWARE_ERROR: CommandStatus.HARDWARE_ERROR,
    OutcomeCode.UNKNOWN: CommandStatus.UNDEFINED,
}
"""How an outstation says each outcome of the bench's devices (IEEE 1815-2012 table 11-7)."""


class ControlFormatError(ValueError):
    """A control request whose objects cannot be told apart."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One object of a control request."""

    group: int
    variation: int
    index: int
    body: bytes
    """Without the status octet at its end."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is armed."""

    objects: bytes
    """Octets of the request after its function code: the OPERATE must have the same."""
    sequence: int
    until_s: float


Judge = Callable[[str, Setpoint], CommandStatus]
"""What is answered for a device and a setpoint."""


def objects_of(blocks: Sequence[ObjectBlock]) -> list[Asked]:
    """The objects of a control request. Raises ControlFormatError."""
    return [asked for block in blocks for asked in _objects(block)]


def echoed(blocks: Sequence[ObjectBlock], statuses: Sequence[CommandStatus]) -> list[ObjectBlock]:
    """The request's objects with a status each, as they are answered."""
    left = iter(statuses)
    answered = []
    for block in blocks:
        width = _PREFIX_OCTETS[block.header.qualifier]
        parts = [block.data[:width]]
        for asked in _objects(block):
            parts += [asked.index.to_bytes(width, "little"), asked.body, bytes([next(left)])]
        answered.append(ObjectBlock(header=block.header, data=b"".join(parts)))
    return answered


def judged(objects: Sequence[Asked], rtu: Rtu, judge: Judge) -> list[CommandStatus]:
    """A status for each object; only what means something for a point of the RTU reaches `judge`."""
    statuses = []
    for place, asked in enumerate(objects):
        meant = _meant(asked, rtu)
        if place >= rtu.controls_max:
            statuses.append(CommandStatus.TOO_MANY_OBJS)
        elif isinstance(meant, CommandStatus):
            statuses.append(meant)
        else:
            statuses.append(judge(*meant))
    return statuses


def _objects(block: ObjectBlock) -> Iterator[Asked]:
    width = _PREFIX_OCTETS.get(block.header.qualifier)
    group, variation = block.header.group, block.header.variation
    if group == CROB_GROUP and variation == 1:
        octets = 10
    elif group == ANALOG_GROUP and variation in _PACK:
        octets = struct.calcsize(_PACK[variation])
    else:
        raise ControlFormatError(f"no control object: group {group} variation {variation}")
    if width is None:
        raise ControlFormatError(f"qualifier {block.header.qualifier:#04x} of a control")
    count = int.from_bytes(block.data[:width], "little")
    each = width + octets + 1
    if len(block.data) != width + count * each:
        raise ControlFormatError("objects do not fit their count")
    for at in range(width, len(block.data), each):
        index = int.from_bytes(block.data[at : at + width], "little")
        body = block.data[at + width : at + width + octets]
        yield Asked(group=group, variation=variation, index=index, body=body)


def _meant(asked: Asked, rtu: Rtu) -> tuple[str, Setpoint] | CommandStatus:
    """Device and setpoint of an object; a status where it means none."""
    if asked.group == CROB_GROUP:
        for output in rtu.binary_outputs:
            if output.index == asked.index:
                closed = _closed(asked.body, output)
                return (
                    CommandStatus.NOT_SUPPORTED if closed is None else (output.device_id, SwitchSetpoint(closed=closed))
                )
        return CommandStatus.NOT_SUPPORTED
    for analog in rtu.analog_outputs:
        if analog.index == asked.index:
            (raw,) = struct.unpack(_PACK[asked.variation], asked.body)
            return _setpoint(float(raw) * analog.scale, analog)
    return CommandStatus.NOT_SUPPORTED


def _closed(body: bytes, output: BinaryOutput) -> bool | None:
    """What a control relay output block asks of a switch; None for what is not carried out here."""
    octet, count = body[0], body[1]
    try:
        code = ControlCode(octet)
    except ValueError:
        return None
    if code.queue or code.clear or count != 1:
        return None
    match (output.control, code.op_type, code.tcc):
        case (Control.TRIP_CLOSE, OperationType.PULSE_ON, TripCloseCode.CLOSE):
            return True
        case (Control.TRIP_CLOSE, OperationType.PULSE_ON, TripCloseCode.TRIP):
            return False
        case (Control.LATCH, OperationType.LATCH_ON, TripCloseCode.NUL):
            return True
        case (Control.LATCH, OperationType.LATCH_OFF, TripCloseCode.NUL):
            return False
        case _:
            return None


def _setpoint(value: float, output: AnalogOutput) -> tuple[str, Setpoint] | CommandStatus:
    if not math.isfinite(value):
        return CommandStatus.OUT_OF_RANGE
    whole = round(value)
    match output.quantity:
        case Quantity.P_INJECTION_W:
            return output.device_id, PowerSetpoint(p_injection_w=value, q_injection_var=None)
        case Quantity.Q_INJECTION_VAR:
            return output.device_id, PowerSetpoint(p_injection_w=None, q_injection_var=value)
        case Quantity.TAP | Quantity.STEPS if abs(value - whole) > 1e-6:
            return CommandStatus.OUT_OF_RANGE
        case Quantity.TAP:
            return output.device_id, TapSetpoint(position=whole)
        case Quantity.STEPS:
            return output.device_id, CapacitorSetpoint(steps=whole)
