"""Modbus TCP, the client's side, for devices that may answer anything: every answer is checked against its question,
and after one that is none the connection is opened anew, so that a late frame is never taken for another's.

Functions 3 and 16 of the Modbus Application Protocol V1.1b3, framed as in the Modbus TCP implementation guide V1.0b.
"""

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from enum import IntEnum, StrEnum

READ, WRITE = 3, 16
READ_MAX, WRITE_MAX = 125, 123
_HEADER = struct.Struct(">HHHB")
FRAME_MAX = 254
"""Largest length that a header may state: unit and 253 of the message."""


class FaultKind(StrEnum):
    """How a device failed to answer."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    CUT = "cut"
    GARBLED = "garbled"


class LineError(Exception):
    """No usable answer. The connection is closed."""

    def __init__(self, kind: FaultKind, text: str) -> None:
        self.kind = kind
        super().__init__(text)


class ExceptionCode(IntEnum):
    """What a device says when it refuses."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    BUSY = 6


class DeviceRefusedError(Exception):
    """The device answered with an exception."""

    def __init__(self, code: int) -> None:
        self.code = code
        known = code in set(ExceptionCode)
        super().__init__(ExceptionCode(code).name.lower().replace("_", " ") if known else f"exception {code}")


class Line:
    """One connection to HOST:PORT; one question at a time, each within `timeout_s`."""

    def __init__(self, address: str, *, timeout_s: float) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._timeout_s = timeout_s
        self._one_at_a_time = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._transaction = 0

    async def read(self, unit_id: int, *, address: int, count: int) -> list[int]:
        """Holding registers. Raises LineError and DeviceRefusedError."""
        body = await self._ask(unit_id, struct.pack(">BHH", READ, address, count))
        if len(body) != 2 + 2 * count or body[1] != 2 * count:
            await self._garbled(f"{len(body)} bytes instead of {2 + 2 * count}")
        return list(struct.unpack(f">{count}H", body[2:]))

    async def write(self, unit_id: int, *, address: int, registers: Sequence[int]) -> None:
        """Write holding registers in one message. Raises LineError and DeviceRefusedError."""
        count = len(registers)
        head = struct.pack(">BHHB", WRITE, address, count, 2 * count)
        body = await self._ask(unit_id, head + struct.pack(f">{count}H", *registers))
        if body != struct.pack(">BHH", WRITE, address, count):
            await self._garbled("the answer does not repeat what was written")

    async def close(self) -> None:
        """Let go of the connection."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _garbled(self, text: str) -> None:
        await self.close()
        raise LineError(FaultKind.GARBLED, text)

    async def _ask(self, unit_id: int, message: bytes) -> bytes:
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._ask_once_more_if_cut(unit_id, message)
            except TimeoutError:
                await self.close()
                raise LineError(FaultKind.SILENT, f"no answer in {self._timeout_s:g} s") from None
            except (LineError, asyncio.CancelledError):
                # An answer that comes later must find nobody.
                await self.close()
                raise

    async def _ask_once_more_if_cut(self, unit_id: int, message: bytes) -> bytes:
        """Devices let go of connections that were quiet for some seconds: of one that was open already, a cut is no
        news. Reads change nothing and writes are levels, so asking twice is harmless."""
        for last in (self._reader is None, True):
            reader, writer = await self._open()
            try:
                return await self._exchange(reader, writer, unit_id=unit_id, message=message)
            except (asyncio.IncompleteReadError, OSError) as gone:
                await self.close()
                if last:
                    raise LineError(FaultKind.CUT, "the connection was cut") from gone
        raise AssertionError("the second attempt is the last")

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._writer.is_closing() or self._reader.at_eof():
            await self.close()
            try:
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
            except OSError as error:
                raise LineError(FaultKind.UNREACHABLE, f"cannot be reached: {error.strerror or error}") from error
        return self._reader, self._writer

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, unit_id: int, message: bytes
    ) -> bytes:
        self._transaction = (self._transaction + 1) % 0x10000
        asked = (self._transaction, unit_id, message[0])
        writer.write(_HEADER.pack(self._transaction, 0, len(message) + 1, unit_id) + message)
        await writer.drain()
        transaction, protocol, length, unit = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        if protocol != 0 or not 3 <= length <= FRAME_MAX:
            raise LineError(FaultKind.GARBLED, f"protocol {protocol}, length {length} in the header")
        body = await reader.readexactly(length - 1)
        if (transaction, unit, body[0] & 0x7F) != asked:
            raise LineError(FaultKind.GARBLED, "the answer is to another question")
        if body[0] & 0x80:
            if len(body) != 2:
                raise LineError(FaultKind.GARBLED, f"an exception of {len(body)} bytes")
            raise DeviceRefusedError(body[1])
        return body
