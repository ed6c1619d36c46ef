"""What the endpoint refuses, frame by frame, as the Modbus Application Protocol V1.1b3 asks; nothing is carried out in
part."""

from __future__ import annotations

import asyncio
import struct

import pytest

from hil.endpoints.sunspec import SunSpecServer
from tests.unit.hil.sunspec.units import BATTERY, PV, Box, device

BASE = 40_000
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


async def ask(server: SunSpecServer, message: bytes, *, unit_id: int = 1) -> bytes:
    """The answer to one message, checked to belong to it."""
    host, port = server.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(struct.pack(">HHHB", 77, 0, len(message) + 1, unit_id) + message)
    async with asyncio.timeout(2.0):
        transaction, protocol, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
        body = await reader.readexactly(length - 1)
    writer.close()
    await writer.wait_closed()
    assert (transaction, protocol, unit) == (77, 0, unit_id)
    return body


def writing(address: int, *registers: int) -> bytes:
    head = struct.pack(">BHHB", 16, address, len(registers), 2 * len(registers))
    return head + struct.pack(f">{len(registers)}H", *registers)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (struct.pack(">BHH", 1, BASE, 1), ILLEGAL_FUNCTION),
        (struct.pack(">BHH", 4, BASE, 1), ILLEGAL_FUNCTION),
        (bytes([0x2B, 0x0E, 1, 0]), ILLEGAL_FUNCTION),
        (bytes([99]), ILLEGAL_FUNCTION),
        (struct.pack(">BHH", 3, BASE, 0), ILLEGAL_VALUE),
        (struct.pack(">BHH", 3, BASE, 126), ILLEGAL_VALUE),
        (struct.pack(">BH", 3, BASE), ILLEGAL_VALUE),
        (struct.pack(">BHHB", 16, BASE + 70, 2, 4) + bytes(2), ILLEGAL_VALUE),
        (struct.pack(">BHH", 3, 0, 2), ILLEGAL_ADDRESS),
        (struct.pack(">BHH", 3, BASE - 1, 2), ILLEGAL_ADDRESS),
        (struct.pack(">BHH", 3, 65_535, 2), ILLEGAL_ADDRESS),
    ],
)
async def test_a_request_that_cannot_be_answered_gets_the_exception_of_the_standard(message: bytes, code: int) -> None:
    async with SunSpecServer(devices={1: device()}, clock=lambda: 0.0) as server:
        assert await ask(server, message) == bytes([message[0] | 0x80, code])


async def test_a_unit_that_is_not_there_is_said_to_be_missing() -> None:
    """Exception 11: gateway target device failed to respond."""
    async with SunSpecServer(devices={1: device()}, clock=lambda: 0.0) as server:
        assert await ask(server, struct.pack(">BHH", 3, BASE, 2), unit_id=9) == bytes([0x83, 11])


@pytest.mark.parametrize(
    ("model", "point", "registers", "code"),
    [
        (701, "W", (5,), ILLEGAL_ADDRESS),  # read-only
        (704, "WMaxLimPctRvrtRem", (0, 5), ILLEGAL_ADDRESS),  # read-only
        (704, "WMaxLimPct_SF", (0,), ILLEGAL_ADDRESS),  # read-only
        (704, "WSet", (0,), ILLEGAL_ADDRESS),  # half of an int32
        (704, "WSetRvrtTms", (0, 5, 0), ILLEGAL_ADDRESS),  # into a read-only point
        (704, "PFWInj.PF", (900,), ILLEGAL_ADDRESS),  # half of a group that is written as one
        (705, "Crv[1].Pt[1].V", (9_000,), ILLEGAL_ADDRESS),  # the curve in force
        (704, "WMaxLimPct", (10_001,), ILLEGAL_VALUE),  # 100.01 %
        (704, "WMaxLimPct", (0xFFFF,), ILLEGAL_VALUE),  # "not implemented" is no setting
        (704, "WMaxLimPctEna", (2,), ILLEGAL_VALUE),  # no symbol of the enumeration
        (704, "WSet", (0xFFFF, 0xFFFF), ILLEGAL_VALUE),  # -1 W of a device that cannot charge
        (704, "VarSet", (0, 22_001), ILLEGAL_VALUE),  # over 22 kvar
        (704, "PFWInj.PF", (1_001, 0), ILLEGAL_VALUE),  # 1.001
        (705, "AdptCrvReq", (4,), ILLEGAL_VALUE),  # there are three
        (702, "WMax", (25_001,), ILLEGAL_VALUE),  # over the rating
        (704, "WMaxLimPct", (5_000, 10_001), ILLEGAL_VALUE),  # the second of two: neither is written
    ],
)
async def test_a_write_that_is_refused_changes_nothing(
    model: int, point: str, registers: tuple[int, ...], code: int
) -> None:
    box = Box()
    inverter = device(PV, box=box)
    before = list(inverter.bank.registers)
    address = inverter.bank.address(model, point)
    async with SunSpecServer(devices={1: inverter}, clock=lambda: 0.0) as server:
        assert await ask(server, writing(address, *registers)) == bytes([0x90, code])
    assert inverter.bank.registers == before
    assert len(box.wanted) == 1  # at the start


async def test_one_register_is_written_with_function_6() -> None:
    inverter = device(BATTERY)
    address = inverter.bank.address(704, "WMaxLimPctEna")
    async with SunSpecServer(devices={1: inverter}, clock=lambda: 0.0) as server:
        message = struct.pack(">BHH", 6, address, 1)
        assert await ask(server, message) == message
        assert await ask(server, struct.pack(">BHH", 6, address, 7)) == bytes([0x86, ILLEGAL_VALUE])
    assert inverter.bank.get(704, "WMaxLimPctEna") == 1
