"""Modbus TCP in front of simulated devices: pymodbus carries the frames, each unit id is a device.

What pymodbus leaves open is answered as the Modbus Application Protocol V1.1b3, section 7, asks: an unknown function
with exception 1, a count that no frame can hold with exception 3, each with the function's own number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from hil.endpoints.sunspec.bank import RefusedError
from hil.endpoints.sunspec.device import SunSpecDevice
from hil.endpoints.sunspec.faults import Cut, Fault, Garbled, Ignores, Raises, Silent, Slow

READ, WRITE_ONE, WRITE_MANY = 3, 6, 16
KNOWN = frozenset({READ, WRITE_ONE, WRITE_MANY})


class _Unanswerable(ModbusPDU):
    """A request that could not be read; it is answered with an exception."""

    function_code = 0

    async def datastore_update(self, context: Any, device_id: int) -> ModbusPDU:
        code = ExcCodes.ILLEGAL_VALUE if self.function_code in KNOWN else ExcCodes.ILLEGAL_FUNCTION
        return ExceptionResponse(self.function_code & 0x7F, code)


class _Decoder(DecodePDU):
    """Decodes what SunSpec uses (functions 3, 6 and 16); the rest is answered with an exception."""

    def decode(self, frame: bytes) -> ModbusPDU | None:
        function = frame[0]
        decoded = super().decode(frame) if function in KNOWN else None
        if decoded is not None:
            return decoded
        unanswerable = _Unanswerable()
        unanswerable.function_code = function
        return unanswerable


class _Units:
    """The devices as pymodbus asks for registers."""

    def __init__(self, devices: Mapping[int, SunSpecDevice], *, clock: Callable[[], float]) -> None:
        self._devices = devices
        self._clock = clock
        self.faults: dict[int, Fault] = {}

    def device_ids(self) -> list[int]:
        return list(self._devices)

    def _device(self, device_id: int) -> SunSpecDevice:
        if device_id not in self._devices:
            raise NoSuchIdException(f"no unit {device_id}")
        return self._devices[device_id]

    async def async_getValues(  # noqa: N802 (pymodbus asks for this name)
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        try:
            return self._device(device_id).read(address, count, now_s=self._clock())
        except RefusedError as refused:
            return ExcCodes(int(refused.refusal))

    async def async_setValues(  # noqa: N802
        self, device_id: int, func_code: int, address: int, values: list[int]
    ) -> ExcCodes | None:
        device = self._device(device_id)
        if isinstance(self.faults.get(device_id), Ignores):
            return None
        try:
            device.write(address, values, now_s=self._clock())
        except RefusedError as refused:
            return ExcCodes(int(refused.refusal))
        return None


class _Connection(ServerRequestHandler):
    """One client; faults of the units are played here."""

    server: _Server

    async def handle_request(self) -> None:
        request = self.last_pdu
        fault = None if request is None else self.server.units.faults.get(request.dev_id)
        match fault:
            case Silent():
                return
            case Cut():
                self.close()
                return
            case Slow(delay_s=delay_s):
                await asyncio.sleep(delay_s)
                if not self.is_active():
                    return
            case Raises(code=code) if request is not None:
                refusal = ExceptionResponse(request.function_code & 0x7F, code)
                refusal.dev_id, refusal.transaction_id = request.dev_id, request.transaction_id
                self.server_send(refusal, None)  # type: ignore[no-untyped-call]
                return
            case Garbled(answer=answer):
                self.send(answer)
                return
            case _:
                pass
        await super().handle_request()  # type: ignore[no-untyped-call]


class _Server(ModbusTcpServer):
    """The listener."""

    units: _Units

    def callback_new_connection(self) -> ServerRequestHandler:
        return _Connection(self, self.trace_packet, self.trace_pdu, self.trace_connect)  # type: ignore[no-untyped-call]


class SunSpecServer:
    """Serves devices on one address.

    async with SunSpecServer(devices={1: device}, clock=clock) as server:
        server.address  # "127.0.0.1:40321"
    """

    def __init__(
        self,
        *,
        devices: Mapping[int, SunSpecDevice],
        clock: Callable[[], float],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """`devices` by unit id, 1 to 247. `clock`: seconds, given to the devices at each request. Port 0 takes a free
        one."""
        self._units = _Units(devices, clock=clock)
        self._host, self._port = host, port
        self._server: _Server | None = None

    @property
    def address(self) -> str:
        """HOST:PORT, once it listens."""
        return f"{self._host}:{self._port}"

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return 0 if self._server is None else len(self._server.active_connections)

    def play(self, unit_id: int, fault: Fault | None) -> None:
        """Let a unit misbehave from now on, or, with None, behave again."""
        if fault is None:
            self._units.faults.pop(unit_id, None)
        else:
            self._units.faults[unit_id] = fault

    async def __aenter__(self) -> Self:
        """Raises OSError where the address cannot be had."""
        # Refused requests are everyday here and no news.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        # pymodbus wants registers of its own; ours take their place.
        placeholder = SimDevice(0, simdata=SimData(0, values=0, datatype=DataType.REGISTERS))
        self._server = _Server(placeholder, address=(self._host, self._port))
        self._server.units = self._units
        self._server.context = self._units  # type: ignore[assignment]
        self._server.decoder = _Decoder(True)
        if not await self._server.listen():
            raise OSError(f"cannot listen on {self.address} for Modbus")
        listening: Any = self._server.transport
        self._port = listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            # Connections that were closed let go of their sockets in the loop's next turns.
            for _ in range(3):
                await asyncio.sleep(0)
