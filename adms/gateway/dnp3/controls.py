"""Commands as control objects, and what an outstation answers to them (IEEE 1815-2012 clauses 4.4.4, A.8, A.20)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from dnp3.application.fragment import ObjectBlock
from dnp3.application.qualifiers import ObjectHeader
from dnp3.core.enums import CommandStatus

from adms.client import CapacitorSetpoint, DeviceClass, OutcomeCode, Setpoint, SwitchSetpoint, TapSetpoint
from adms.gateway.dnp3.config import Control, DeviceTable, Encoding, Object

INDEXED_16 = 0x28
"""Qualifier: a count and an index before each object, two octets each."""
CODES = {
    (Control.TRIP_CLOSE, True): 0x41,
    (Control.TRIP_CLOSE, False): 0x81,
    (Control.LATCH, True): 0x03,
    (Control.LATCH, False): 0x04,
}
"""Control octets: pulse on with CLOSE or TRIP; latch on or off."""
_PACK = {Encoding.INT32: (1, "<i", 2**31 - 1), Encoding.INT16: (2, "<h", 2**15 - 1), Encoding.FLOAT32: (3, "<f", 2**24)}
"""Variation of group 41, how the value is packed, and the largest whole number it holds."""

OUTCOME_OF = {
    CommandStatus.SUCCESS: OutcomeCode.SUCCESS,
    CommandStatus.TIMEOUT: OutcomeCode.EXPIRED,
    CommandStatus.NO_SELECT: OutcomeCode.EXPIRED,
    CommandStatus.FORMAT_ERROR: OutcomeCode.NOT_SUPPORTED,
    CommandStatus.NOT_SUPPORTED: OutcomeCode.NOT_SUPPORTED,
    CommandStatus.ALREADY_ACTIVE: OutcomeCode.INTERLOCKED,
    CommandStatus.HARDWARE_ERROR: OutcomeCode.HARDWARE_ERROR,
    CommandStatus.LOCAL: OutcomeCode.LOCAL,
    CommandStatus.TOO_MANY_OBJS: OutcomeCode.TOO_MANY_OPERATIONS,
    CommandStatus.NOT_AUTHORIZED: OutcomeCode.INTERLOCKED,
    CommandStatus.AUTOMATION_INHIBIT: OutcomeCode.INTERLOCKED,
    CommandStatus.PROCESSING_LIMITED: OutcomeCode.TOO_MANY_OPERATIONS,
    CommandStatus.OUT_OF_RANGE: OutcomeCode.OUT_OF_RANGE,
    CommandStatus.DOWNSTREAM_LOCAL: OutcomeCode.LOCAL,
    # A level that holds already: what was asked for is so.
    CommandStatus.ALREADY_COMPLETE: OutcomeCode.SUCCESS,
    CommandStatus.BLOCKED: OutcomeCode.INTERLOCKED,
    CommandStatus.CANCELLED: OutcomeCode.INTERLOCKED,
    CommandStatus.BLOCKED_OTHER_MASTER: OutcomeCode.INTERLOCKED,
    CommandStatus.DOWNSTREAM_FAIL: OutcomeCode.HARDWARE_ERROR,
    CommandStatus.NON_PARTICIPATING: OutcomeCode.NOT_SUPPORTED,
    CommandStatus.UNDEFINED: OutcomeCode.UNKNOWN,
}
"""Control status (IEEE 1815-2012 table 11-7). TIMEOUT and NO_SELECT both mean that the selection was over."""


@dataclass(frozen=True, kw_only=True)
class NoControl:
    """Why a command cannot be put as a control."""

    code: OutcomeCode
    text: str


def control_of(device: DeviceTable, setpoint: Setpoint) -> ObjectBlock | NoControl:
    """The object that asks for a setpoint; it is the same in SELECT and OPERATE."""
    match device.device_class, setpoint:
        case DeviceClass.SWITCH, SwitchSetpoint(closed=closed):
            return _relay(device, closed)
        case DeviceClass.CAPACITOR, CapacitorSetpoint(steps=steps) if device.object is Object.BINARY_OUTPUT:
            if steps not in (0, 1):
                return NoControl(code=OutcomeCode.OUT_OF_RANGE, text=f"{steps} steps of a bank that has one")
            return _relay(device, bool(steps))
        case DeviceClass.CAPACITOR, CapacitorSetpoint(steps=number):
            return _analog(device, number)
        case DeviceClass.TAP_CHANGER, TapSetpoint(position=number):
            return _analog(device, number)
        case _:
            return NoControl(code=OutcomeCode.NOT_SUPPORTED, text=f"no setpoint of a {device.device_class}")


def status_in(asked: ObjectBlock, answered: Sequence[ObjectBlock]) -> CommandStatus | None:
    """The status with which an outstation echoes the one object of a request; None where it does not echo it. A status
    that the standard does not define is UNDEFINED."""
    if len(answered) != 1:
        return None
    (echo,) = answered
    same = (echo.header, echo.data[:-1]) == (asked.header, asked.data[:-1])
    if not same or len(echo.data) != len(asked.data):
        return None
    try:
        return CommandStatus(echo.data[-1] & 0x7F)
    except ValueError:
        return CommandStatus.UNDEFINED


def _relay(device: DeviceTable, on: bool) -> ObjectBlock:
    assert device.control is not None  # a configuration with a binary output has it
    pulse_ms = device.pulse_on_ms if device.control is Control.TRIP_CLOSE else 0
    body = struct.pack("<BBIIB", CODES[device.control, on], 1, pulse_ms, 0, CommandStatus.SUCCESS)
    return _block(12, 1, device.index, body)


def _analog(device: DeviceTable, number: int) -> ObjectBlock | NoControl:
    assert device.scale is not None
    assert device.encoding is not None
    variation, form, most = _PACK[device.encoding]
    raw = number / device.scale
    if abs(raw) > most:
        return NoControl(code=OutcomeCode.OUT_OF_RANGE, text=f"{number} does not fit {device.encoding}")
    value = raw if device.encoding is Encoding.FLOAT32 else round(raw)
    return _block(41, variation, device.index, struct.pack(form, value) + bytes([CommandStatus.SUCCESS]))


def _block(group: int, variation: int, index: int, body: bytes) -> ObjectBlock:
    header = ObjectHeader(group=group, variation=variation, qualifier=INDEXED_16)
    return ObjectBlock(header=header, data=struct.pack("<HH", 1, index) + body)
