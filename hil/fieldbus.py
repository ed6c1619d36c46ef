"""The wire between plant and devices: one TCP connection a process on the loopback, length-prefixed JSON."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import suppress
from typing import Any

Message = dict[str, Any]
_LENGTH = struct.Struct(">I")
MAX_BYTES = 16 * 1024 * 1024


class FieldBusError(Exception):
    """The other end spoke wrongly or went away."""


class Connection:
    """One end of the wire."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, message: Message) -> None:
        """Send one message."""
        body = json.dumps(message, separators=(",", ":")).encode()
        self._writer.write(_LENGTH.pack(len(body)) + body)
        await self._writer.drain()

    async def receive(self) -> Message:
        """Next message. Raises FieldBusError when the other end went away or the message is too long."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > MAX_BYTES:
                raise FieldBusError(f"message of {length} bytes")
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as gone:
            raise FieldBusError("the other end of the field bus went away") from gone
        message: Message = json.loads(body)
        return message

    async def ask(self, message: Message) -> Message:
        """Send and wait for the answer."""
        await self.send(message)
        return await self.receive()

    async def close(self) -> None:
        """Close the wire."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class Listener:
    """The plant's end: waits for processes to call in by role."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._waiting: dict[str, asyncio.Future[Connection]] = {}

    async def start(self) -> str:
        """Listen on a free port; returns HOST:PORT."""
        self._server = await asyncio.start_server(self._accept, host="127.0.0.1", port=0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def expect(self, role: str) -> asyncio.Future[Connection]:
        """The connection of a role, once it calls."""
        return self._waiting.setdefault(role, asyncio.get_running_loop().create_future())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        hello = await connection.receive()
        self.expect(str(hello["role"])).set_result(connection)

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()


async def call(address: str, *, role: str) -> Connection:
    """Connect to the plant."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    connection = Connection(reader, writer)
    await connection.send({"role": role})
    return connection
