"""One conversation with one outstation, from its connection to its end: requests, and what their answers say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dnp3.application.fragment import ObjectBlock, RequestFragment
from dnp3.application.header import RequestHeader
from dnp3.application.parser import ParseError, parse_response
from dnp3.application.qualifiers import ObjectHeader
from dnp3.core.enums import FunctionCode
from dnp3.core.flags import IIN
from dnp3.master import Master, MasterConfig, MasterTcpRunner
from dnp3.master.handler import ResponseInfo
from dnp3.transport_io.channel import TcpConfig
from dnp3.transport_io.tcp_client import TcpClientChannel

from adms.client import Now
from adms.gateway.dnp3.config import RtuTable
from adms.gateway.dnp3.heard import Heard

NOTHING = IIN(0)
REFUSED = IIN.NO_FUNC_CODE_SUPPORT | IIN.OBJECT_UNKNOWN | IIN.PARAMETER_ERROR
CLEAR_RESTART = ObjectBlock(header=ObjectHeader(group=80, variation=1, qualifier=0x00), data=b"\x07\x07\x00")
"""Internal indication 7 written 0 (IEEE 1815-2012 clause 4.5.5)."""
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an outstation answered to one request."""

    indications: IIN
    objects: Sequence[ObjectBlock]


@dataclass
class _ListeningMaster(Master):
    """The library's master, which also keeps the objects of the last answer: it reports values, and no statuses."""

    heard: list[ObjectBlock] = field(default_factory=list)
    indications: IIN = NOTHING
    cut_short: str = ""

    def process_response(self, data: bytes) -> ResponseInfo | None:
        """Parses a fragment; its values go to the sequence-of-events callbacks."""
        info = super().process_response(data)
        if info is not None:
            self.indications = info.iin
            if info.truncation is not None:
                where = info.truncation
                self.cut_short = f"group {where.group} variation {where.variation}: {where.reason.value}"
            if not info.is_unsolicited:
                try:
                    self.heard += parse_response(data).objects
                except ParseError:
                    return None
        return info


class Association:
    """Open it, ask, close it. Every method raises an exception of the library, or OSError, where the link fails or the
    outstation is silent for longer than the time-out."""

    def __init__(self, rtu: RtuTable, *, heard: Heard, response_timeout_s: float, now: Now) -> None:
        host, port = rtu.host_and_port
        self._heard = heard
        self._now = now
        config = MasterConfig(
            address=rtu.master_address,
            outstation_address=rtu.outstation_address,
            response_timeout=response_timeout_s,
        )
        self._master = _ListeningMaster(config=config, handler=heard)
        self._channel = TcpClientChannel(config=TcpConfig(host=host, port=port, connect_timeout=response_timeout_s))
        self._runner = MasterTcpRunner(master=self._master, response_timeout=response_timeout_s, channel=self._channel)

    @property
    def indications(self) -> IIN:
        """Of the newest answer or report."""
        return self._master.indications

    @property
    def cut_short(self) -> str:
        """Where an answer could not be read on, so that what followed is not known; empty where none was."""
        return self._master.cut_short

    async def open(self) -> None:
        """Connect."""
        await self._runner.open()

    async def close(self) -> None:
        """Hang up."""
        await self._runner.close()
        await self._channel.close()

    async def read_all(self) -> None:
        """Integrity poll: events of every class, then everything as it is."""
        await self._request(self._master.build_integrity_poll())

    async def read_events(self) -> None:
        """Events of every class."""
        await self._request(self._master.build_class_poll(class_1=True, class_2=True, class_3=True))

    async def report_unasked(self, *, wanted: bool) -> bool:
        """Switch unsolicited responses on or off, all classes; whether the outstation knows them."""
        build = self._master.build_enable_unsolicited if wanted else self._master.build_disable_unsolicited
        return not (await self._request(build())).indications & REFUSED

    async def clear_restart(self) -> None:
        """Say that its restart has been noticed."""
        await self.ask(FunctionCode.WRITE, CLEAR_RESTART)

    async def set_time(self) -> bool:
        """The LAN procedure (IEEE 1815-2012 clause 10.3.3.2); whether the outstation takes it."""
        sent = self._now()
        recorded = await self.ask(FunctionCode.RECORD_CURRENT_TIME)
        if recorded.indications & REFUSED:
            return False
        milliseconds = (sent - _UNIX) // timedelta(milliseconds=1)
        header = ObjectHeader(group=50, variation=3, qualifier=0x07)
        written = ObjectBlock(header=header, data=b"\x01" + milliseconds.to_bytes(6, "little"))
        return not (await self.ask(FunctionCode.WRITE, written)).indications & REFUSED

    async def ask(self, function: FunctionCode, *objects: ObjectBlock) -> Answer:
        """One request of any function."""
        header = RequestHeader.build(function=function, seq=self._master.next_request_sequence())
        return await self._request(RequestFragment(header=header, objects=objects))

    async def listen(self, *, timeout_s: float) -> bool:
        """Wait for a report that nobody asked for; whether one came in time."""
        self._heard.asked = self._now()
        return await self._runner.listen_unsolicited(timeout=timeout_s) is not None

    async def _request(self, request: RequestFragment) -> Answer:
        self._heard.asked = self._now()
        self._master.heard = []
        # The library's own deadline bounds reading; this one is for a peer that does not let us write.
        async with asyncio.timeout(2.0 * self._runner.response_timeout):
            infos = await self._runner.request(request)
        return Answer(indications=infos[-1].iin, objects=self._master.heard)
