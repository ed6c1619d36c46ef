"""The application layer of one outstation: requests in, fragments out. No socket, no clock: time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dnp3.application.builder import build_response, build_unsolicited_response
from dnp3.application.fragment import ObjectBlock, RequestFragment
from dnp3.application.header import RESPONSE_HEADER_SIZE
from dnp3.application.parser import parse_request
from dnp3.application.qualifiers import ObjectHeader
from dnp3.core.enums import CommandStatus, FunctionCode
from dnp3.core.flags import IIN

from hil.endpoints.dnp3.controls import ControlFormatError, Selection, echoed, judged, objects_of
from hil.endpoints.dnp3.database import Database, Event
from hil.endpoints.dnp3.encoding import date_of, event_blocks, event_octets, static_blocks, static_variation
from hil.endpoints.dnp3.points import Field, Rtu

CLASS_GROUP, DELAY_GROUP = 60, 52
STATIC_GROUPS = (1, 10, 30, 40)
NO_ANSWER = frozenset({FunctionCode.CONFIRM, FunctionCode.DIRECT_OPERATE_NO_ACK})
NOTHING = IIN(0)
SEQUENCES = 16
RESTART_BIT, NEED_TIME_BIT = 7, 4
"""Places among the internal indications (IEEE 1815-2012 clause 4.5)."""


@dataclass(frozen=True, kw_only=True)
class _Fragment:
    objects: tuple[ObjectBlock, ...]
    events: tuple[Event, ...]


@dataclass(kw_only=True)
class _Unconfirmed:
    sequence: int
    events: tuple[Event, ...]
    until_s: float
    startup: bool = False


class Session:
    """What one outstation knows and answers. One master at a time."""

    def __init__(self, rtu: Rtu, field: Field, *, now_s: float, start: datetime) -> None:
        self.rtu = rtu
        self.database = Database(rtu, now_s=now_s)
        self._field = field
        self._start = start
        self._clock = timedelta()
        self._restarted = True
        self._need_time = rtu.need_time
        self._selection: Selection | None = None
        self._enabled: set[int] = set()
        self._startup_told = not rtu.unsolicited
        self._unsolicited: _Unconfirmed | None = None
        self._unsolicited_sequence = 0
        self._rest: deque[_Fragment] = deque()
        self._awaited: _Unconfirmed | None = None
        self._last: tuple[bytes, bytes | None] = (b"", None)
        self._time_request_s: float | None = None

    def scan(self, *, now_s: float) -> None:
        """Reads the field; what changed becomes events."""
        self.database.update(self._field.read(self.database.wanted, now_s=now_s), now_s=now_s)

    def connected(self) -> None:
        """A master has called: nothing of the last one's talk goes on. What it enabled stays enabled (clause 4.6)."""
        self._selection = self._unsolicited = self._awaited = None
        self._rest.clear()
        self._last = (b"", None)

    def answer(self, octets: bytes, *, now_s: float) -> bytes | None:
        """The fragment to send for one that came; None for none."""
        try:
            request = parse_request(octets)
        except Exception:  # Whatever a parser makes of octets from the wire: the request is malformed.
            self._selection = None
            return self._response(0, (), error=IIN.PARAMETER_ERROR)
        function, sequence = request.header.function, request.header.control.seq
        if function is FunctionCode.CONFIRM:
            return self._confirmed(sequence, unsolicited=request.header.control.uns, now_s=now_s)
        if function is not FunctionCode.READ and octets == self._last[0]:
            # The master has not heard the answer. Nothing is done twice (clause 4.2.2.4.5).
            return self._last[1]
        self._awaited = self._unsolicited = None
        self._rest.clear()
        if function is not FunctionCode.OPERATE:
            self._selection = None
        answered = self._carry_out(request, octets[2:], now_s=now_s)
        self._last = (octets, answered)
        return answered

    def unsolicited(self, *, now_s: float) -> bytes | None:
        """The report to send unasked now; None while there is none, or the last waits to be confirmed."""
        pending = (self._awaited, self._unsolicited)
        if not self.rtu.unsolicited or any(each is not None and now_s < each.until_s for each in pending):
            return None
        events: tuple[Event, ...] = ()
        if self._startup_told:
            events = tuple(self._choose(self._enabled, room=self.rtu.fragment_max - RESPONSE_HEADER_SIZE))
            if not events:
                self._unsolicited = None
                return None
        self._unsolicited_sequence = (self._unsolicited_sequence + 1) % SEQUENCES
        self._unsolicited = _Unconfirmed(
            sequence=self._unsolicited_sequence,
            events=events,
            until_s=now_s + self.rtu.confirm_timeout_s,
            startup=not self._startup_told,
        )
        blocks = event_blocks(events, clock=self._clock, start=self._start)
        return build_unsolicited_response(
            objects=tuple(blocks), iin=self._indications(), seq=self._unsolicited_sequence, con=True
        ).to_bytes()

    # ---- requests ---------------------------------------------------------------------------------------------

    def _carry_out(self, request: RequestFragment, body: bytes, *, now_s: float) -> bytes | None:
        function, sequence = request.header.function, request.header.control.seq
        if request.truncation is not None:
            # Where one object ends is not known, so nothing of the request is done.
            return None if function in NO_ANSWER else self._response(sequence, (), error=IIN.PARAMETER_ERROR)
        match function:
            case FunctionCode.READ:
                return self._read(request, sequence, now_s=now_s)
            case FunctionCode.WRITE:
                return self._response(sequence, (), error=self._write(request.objects, now_s=now_s))
            case FunctionCode.SELECT | FunctionCode.OPERATE | FunctionCode.DIRECT_OPERATE:
                return self._control(request, body, now_s=now_s)
            case FunctionCode.DIRECT_OPERATE_NO_ACK:
                self._control(request, body, now_s=now_s)
                return None
            case FunctionCode.ENABLE_UNSOLICITED | FunctionCode.DISABLE_UNSOLICITED:
                return self._response(sequence, (), error=self._enable(request))
            case FunctionCode.DELAY_MEASURE:
                return self._response(sequence, (_time_delay(),))
            case FunctionCode.RECORD_CURRENT_TIME:
                self._time_request_s = now_s
                return self._response(sequence, ())
            case _:
                return self._response(sequence, (), error=IIN.NO_FUNC_CODE_SUPPORT)

    def _control(self, request: RequestFragment, body: bytes, *, now_s: float) -> bytes:
        function, sequence = request.header.function, request.header.control.seq
        selection, self._selection = self._selection, None
        try:
            objects = objects_of(request.objects)
        except ControlFormatError:
            return self._response(sequence, (), error=IIN.PARAMETER_ERROR)
        refusal: CommandStatus | None = None
        if function is FunctionCode.OPERATE:
            if selection is None or selection.objects != body or sequence != (selection.sequence + 1) % SEQUENCES:
                refusal = CommandStatus.NO_SELECT
            elif now_s > selection.until_s:
                refusal = CommandStatus.TIMEOUT
        elif function is not FunctionCode.SELECT and not self.rtu.direct_operate:
            refusal = CommandStatus.NOT_SUPPORTED
        act = self._field.check if function is FunctionCode.SELECT else self._field.operate
        if refusal is not None:
            statuses = [refusal] * len(objects)
        else:
            statuses = judged(objects, self.rtu, lambda device_id, what: act(device_id, what, now_s=now_s))
        if function is FunctionCode.SELECT and objects and all(s is CommandStatus.SUCCESS for s in statuses):
            until_s = now_s + self.rtu.select_timeout_s
            self._selection = Selection(objects=body, sequence=sequence, until_s=until_s)
        elif function is not FunctionCode.SELECT and CommandStatus.SUCCESS in statuses:
            self.scan(now_s=now_s)
        return self._response(sequence, echoed(request.objects, statuses))

    def _write(self, blocks: Sequence[ObjectBlock], *, now_s: float) -> IIN:
        error = IIN(0)
        for block in blocks:
            match block.header.group, block.header.variation:
                case 80, 1:
                    error |= self._write_indications(block.data)
                case 50, 1 | 3 as variation:
                    error |= self._write_time(block.data, lan=variation == 3, now_s=now_s)
                case _:
                    error |= IIN.OBJECT_UNKNOWN
        return error

    def _write_indications(self, octets: bytes) -> IIN:
        """Restart and need-time may be cleared, and nothing else written."""
        if len(octets) != 3 or octets[0] != octets[1] or octets[2] & 1:
            return IIN.PARAMETER_ERROR
        if octets[0] == RESTART_BIT:
            self._restarted = False
        elif octets[0] == NEED_TIME_BIT:
            self._need_time = False
        else:
            return IIN.PARAMETER_ERROR
        return IIN(0)

    def _write_time(self, octets: bytes, *, lan: bool, now_s: float) -> IIN:
        """Sets the clock. On a LAN the time is that of the recorded request (clause 10.3.3.2)."""
        written = date_of(octets[1:7]) if len(octets) == 7 and octets[0] == 1 else None
        at_s = self._time_request_s if lan else now_s
        if written is None or at_s is None:
            return IIN.PARAMETER_ERROR
        self._clock = written - (self._start + timedelta(seconds=at_s))
        self._time_request_s = None
        self._need_time = False
        return IIN(0)

    def _enable(self, request: RequestFragment) -> IIN:
        if not self.rtu.unsolicited:
            return IIN.NO_FUNC_CODE_SUPPORT
        classes = {block.header.variation - 1 for block in request.objects if block.header.group == CLASS_GROUP}
        if not classes <= {1, 2, 3}:
            return IIN.PARAMETER_ERROR
        if request.header.function is FunctionCode.ENABLE_UNSOLICITED:
            self._enabled |= classes
        else:
            self._enabled -= classes
        return IIN(0)

    # ---- reading ----------------------------------------------------------------------------------------------

    def _read(self, request: RequestFragment, sequence: int, *, now_s: float) -> bytes:
        classes: list[int] = []
        static: list[ObjectBlock] = []
        error = IIN(0)
        for block in request.objects:
            group, variation = block.header.group, block.header.variation
            if group == CLASS_GROUP and variation in (2, 3, 4):
                classes.append(variation - 1)
            elif group == CLASS_GROUP and variation == 1:
                static += self._static(STATIC_GROUPS)
            elif variation == 0 and block.header.qualifier == 0x06:
                wanted = self._static({group})
                static += wanted
                error |= IIN(0) if wanted else IIN.OBJECT_UNKNOWN
            else:
                error |= IIN.OBJECT_UNKNOWN
        self._rest = deque(self._fragments(classes, static))
        return self._next(sequence, now_s=now_s, error=error, first=True)

    def _static(self, groups: Collection[int]) -> list[ObjectBlock]:
        points = (point for point in self.rtu.points if static_variation(point)[0] in groups)
        return list(static_blocks((point, self.database.shown(point)) for point in points))

    def _fragments(self, classes: Iterable[int], static: Iterable[ObjectBlock]) -> Iterable[_Fragment]:
        """Events first, in the order in which they happened, then what holds now, so that the newest comes last."""
        room = self.rtu.fragment_max - RESPONSE_HEADER_SIZE
        left = self._choose(classes, room=None)
        objects: list[ObjectBlock] = []
        held: list[Event] = []
        octets = 0
        pieces = [([event], None, event_octets(event)) for event in left]
        for events, block, size in [*pieces, *(([], block, block.size) for block in static)]:
            if octets + size > room and octets:
                yield self._fragment(held, objects)
                held, objects, octets = [], [], 0
            held += events
            objects += [block] if block is not None else []
            octets += size
        yield self._fragment(held, objects)

    def _fragment(self, events: list[Event], static: list[ObjectBlock]) -> _Fragment:
        blocks = event_blocks(events, clock=self._clock, start=self._start)
        return _Fragment(objects=(*blocks, *static), events=tuple(events))

    def _choose(self, classes: Iterable[int], *, room: int | None) -> list[Event]:
        used = 0

        def fits(event: Event) -> bool:
            nonlocal used
            used += event_octets(event)
            return room is None or used <= room

        return self.database.chosen(sorted(set(classes)), fits=fits)

    def _next(self, sequence: int, *, now_s: float, error: IIN = NOTHING, first: bool = False) -> bytes:
        """The next fragment of an answer. It asks for a confirmation where it holds events or more comes."""
        fragment = self._rest.popleft()
        last = not self._rest
        asks = bool(fragment.events) or not last
        if asks:
            until_s = now_s + self.rtu.confirm_timeout_s
            self._awaited = _Unconfirmed(sequence=sequence, events=fragment.events, until_s=until_s)
        return self._response(sequence, fragment.objects, error=error, first=first, last=last, confirm=asks)

    def _confirmed(self, sequence: int, *, unsolicited: bool, now_s: float) -> bytes | None:
        awaited = self._unsolicited if unsolicited else self._awaited
        if awaited is None or awaited.sequence != sequence:
            return None
        self.database.confirmed(awaited.events)
        if unsolicited:
            self._startup_told = self._startup_told or awaited.startup
            self._unsolicited = None
            return None
        self._awaited = None
        return self._next((sequence + 1) % SEQUENCES, now_s=now_s) if self._rest else None

    # ---- answers ----------------------------------------------------------------------------------------------

    def _response(
        self,
        sequence: int,
        objects: Sequence[ObjectBlock],
        *,
        error: IIN = NOTHING,
        first: bool = True,
        last: bool = True,
        confirm: bool = False,
    ) -> bytes:
        response = build_response(
            objects=tuple(objects), iin=self._indications() | error, seq=sequence, fir=first, fin=last, con=confirm
        )
        return response.to_bytes()

    def _indications(self) -> IIN:
        found = IIN.DEVICE_RESTART if self._restarted else IIN(0)
        if self._need_time:
            found |= IIN.NEED_TIME
        if self.database.overflowed:
            found |= IIN.EVENT_BUFFER_OVERFLOW
        for event_class, bit in ((1, IIN.CLASS_1_EVENTS), (2, IIN.CLASS_2_EVENTS), (3, IIN.CLASS_3_EVENTS)):
            if self.database.waiting(event_class):
                found |= bit
        return found


def _time_delay() -> ObjectBlock:
    """Group 52 variation 2: no time passes between request and answer."""
    return ObjectBlock(header=ObjectHeader(group=DELAY_GROUP, variation=2, qualifier=0x07), data=b"\x01\x00\x00")
