"""One outstation on a TCP port: link and transport layer around a session (IEEE 1815-2012 clauses 8, 9 and 13)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

from dnp3.core.enums import LinkFunctionCode
from dnp3.datalink.builder import build_ack, build_link_status, build_not_supported, build_unconfirmed_user_data
from dnp3.datalink.frame import DataLinkFrame
from dnp3.datalink.parser import FrameParser
from dnp3.transport.reassembler import Reassembler, ReassemblyError
from dnp3.transport.segment import TransportSegment
from dnp3.transport.segmenter import Segmenter

from hil.endpoints.dnp3.points import Field, Rtu
from hil.endpoints.dnp3.session import Session
from hil.feeder_time import START

READ_OCTETS = 4096
UNREAD_MAX_OCTETS = 256 * 1024
"""A master that leaves so much unread is hung up on."""
USER_DATA = (LinkFunctionCode.PRI_UNCONFIRMED_USER_DATA, LinkFunctionCode.PRI_CONFIRMED_USER_DATA)


class Outstation:
    """An RTU that listens. Whoever owns the plant calls `scan` after each of its steps.

    Args:
        rtu: its points.
        field: the plant behind it.
        now_s: feeder second now.
        start: date of feeder second 0, for the times of events.
    """

    def __init__(self, rtu: Rtu, *, field: Field, now_s: Callable[[], float], start: datetime = START) -> None:
        self.rtu = rtu
        self._field = field
        self._now_s = now_s
        self._start = start
        self._session = self._new_session()
        self._server: asyncio.Server | None = None
        self._talk: _Talk | None = None
        self._port = 0

    @property
    def connected(self) -> bool:
        """Whether a master is there."""
        return self._talk is not None

    @property
    def events_waiting(self) -> bool:
        """Whether the master has not confirmed everything that happened."""
        return any(self._session.database.waiting(each) for each in (1, 2, 3))

    async def listen(self, host: str = "127.0.0.1", *, port: int = 0) -> str:
        """Listen; HOST:PORT. Port 0 takes a free one, and the same again after `hang_up`. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host=host, port=port or self._port)
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        self._port = address[1]
        return f"{address[0]}:{address[1]}"

    def scan(self) -> None:
        """Read the field and report, where reporting unasked is enabled."""
        self._session.scan(now_s=self._now_s())
        self._report()

    async def hang_up(self) -> None:
        """Stop listening and end the connection; what is known stays, as when a line is cut."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if self._talk is not None:
            await self._talk.end()
        if server is not None:
            await server.wait_closed()

    async def restart(self) -> None:
        """Lose everything and start again, as after a power failure. Listens where it listened."""
        listened = self._server is not None
        await self.hang_up()
        self._session = self._new_session()
        if listened:
            await self.listen()

    def _new_session(self) -> Session:
        return Session(self.rtu, self._field, now_s=self._now_s(), start=self._start)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # One master at a time; the one that calls last is the one that is alive (clause 13.2).
        if self._talk is not None:
            await self._talk.end()
        talk = self._talk = _Talk(self.rtu, session=self._session, writer=writer, now_s=self._now_s)
        self._session.connected()
        self._report()
        try:
            # Only the end of the loop cancels it, and asyncio would tell that as an error of ours.
            with contextlib.suppress(asyncio.CancelledError):
                await talk.listen(reader)
        finally:
            if self._talk is talk:
                self._talk = None
            await talk.end()

    def _report(self) -> None:
        if self._talk is not None:
            self._talk.report()


class _Talk:
    """One connection."""

    def __init__(self, rtu: Rtu, *, session: Session, writer: asyncio.StreamWriter, now_s: Callable[[], float]) -> None:
        self._rtu = rtu
        self._session = session
        self._writer = writer
        self._now_s = now_s
        self._segmenter = Segmenter()
        self._reassembler = Reassembler(max_fragment_size=rtu.fragment_max)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Answers until the master goes away."""
        parser = FrameParser()
        with contextlib.suppress(ConnectionError):
            while octets := await reader.read(READ_OCTETS):
                for frame in parser.feed(octets):
                    self._take(frame)
                self.report()
                if self._writer.transport.get_write_buffer_size() > UNREAD_MAX_OCTETS:
                    self._writer.transport.abort()

    async def end(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    def report(self) -> None:
        """Sends what is to be reported unasked."""
        if not self._writer.is_closing():
            fragment = self._session.unsolicited(now_s=self._now_s())
            if fragment is not None:
                self._send(fragment)

    def _take(self, frame: DataLinkFrame) -> None:
        header = frame.header
        wanted = (self._rtu.outstation_address, self._rtu.master_address)
        if (header.destination, header.source) != wanted or not header.control.prm:
            return
        function = header.control.function_code
        ends = (self._rtu.master_address, self._rtu.outstation_address, False)
        if function in (LinkFunctionCode.PRI_RESET_LINK_STATE, LinkFunctionCode.PRI_TEST_LINK_STATE):
            self._writer.write(build_ack(*ends).to_bytes())
        elif function == LinkFunctionCode.PRI_REQUEST_LINK_STATUS:
            self._writer.write(build_link_status(*ends).to_bytes())
        elif function in USER_DATA:
            if function == LinkFunctionCode.PRI_CONFIRMED_USER_DATA:
                self._writer.write(build_ack(*ends).to_bytes())
            self._take_segment(frame.user_data)
        else:
            self._writer.write(build_not_supported(*ends).to_bytes())

    def _take_segment(self, octets: bytes) -> None:
        if not octets:
            return
        try:
            whole = self._reassembler.add(TransportSegment.from_bytes(octets))
        except (ReassemblyError, ValueError):
            # The series is broken; the master asks again.
            self._reassembler.reset()
            return
        if whole is not None:
            fragment = self._session.answer(whole.data, now_s=self._now_s())
            if fragment is not None:
                self._send(fragment)

    def _send(self, fragment: bytes) -> None:
        for segment in self._segmenter.segment(fragment):
            frame = build_unconfirmed_user_data(
                destination=self._rtu.master_address,
                source=self._rtu.outstation_address,
                dir_from_master=False,
                user_data=segment.to_bytes(),
            )
            self._writer.write(frame.to_bytes())
