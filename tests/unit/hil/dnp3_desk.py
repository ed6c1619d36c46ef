"""A master's hand on an outstation's session: octets out, octets in, and the library's reading of them."""

import struct
from datetime import UTC, datetime

from dnp3.application.parser import parse_response
from dnp3.core.enums import CommandStatus
from dnp3.core.flags import IIN
from dnp3.master import DefaultSOEHandler, Master, MasterConfig

from hil.endpoints.dnp3.points import Rtu
from hil.endpoints.dnp3.session import Session
from tests.unit.hil.dnp3_case import CaseField, case_rtu

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
READ_ALL = "3c0206 3c0306 3c0406 3c0106"
TRIP = "0c0128 0100 0000 81 01 64000000 00000000 00"
"""Control relay output block, index 0: pulse on with TRIP, once, 100 ms on."""
CLOSE = "0c0128 0100 0000 41 01 64000000 00000000 00"
TAP_MINUS_7 = "290228 0100 0000 f9ff 00"
"""Group 41 variation 2, index 0: -7."""
SELECT, OPERATE, DIRECT, DIRECT_SILENT = 3, 4, 5, 6


class Desk:
    """A master's hand on a session: octets out, octets in, and the library's reading of them."""

    def __init__(self, rtu: Rtu | None = None) -> None:
        self.field = CaseField()
        self.session = Session(rtu or case_rtu(), self.field, now_s=0.0, start=START)
        self.now_s = 0.0
        self.heard = DefaultSOEHandler()
        self.master = Master(handler=self.heard, config=MasterConfig(address=1, outstation_address=10))

    def scan(self) -> None:
        self.session.scan(now_s=self.now_s)

    def ask(self, function: int, objects: str = "", *, sequence: int = 0) -> bytes | None:
        request = bytes([0xC0 | sequence, function]) + bytes.fromhex(objects)
        return self.session.answer(request, now_s=self.now_s)

    def asked(self, function: int, objects: str = "", *, sequence: int = 0) -> bytes:
        answer = self.ask(function, objects, sequence=sequence)
        assert answer is not None
        self.master.process_response(answer)
        return answer

    def confirm(self, answer: bytes) -> bytes | None:
        return self.session.answer(bytes([0xC0 | answer[0] & 0x1F, 0]), now_s=self.now_s)

    def statuses(self, function: int, objects: str, *, sequence: int) -> list[CommandStatus]:
        """Status octets of an answer: the last octet of each object."""
        blocks = parse_response(self.asked(function, objects, sequence=sequence)).objects
        found = []
        for block in blocks:
            count = struct.unpack("<H", block.data[:2])[0]
            each = (len(block.data) - 2) // count
            found += [CommandStatus(block.data[2 + each * (n + 1) - 1]) for n in range(count)]
        return found


def indications(answer: bytes) -> IIN:
    """Octets 3 and 4 of a response."""
    return IIN(int.from_bytes(answer[2:4], "little"))
