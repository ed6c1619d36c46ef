"""Points and events as object blocks (IEEE 1815-2012 annex A). Little-endian, a flag octet first, times in
milliseconds since 1970."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from dnp3.application.fragment import ObjectBlock
from dnp3.application.qualifiers import ObjectHeader

from hil.endpoints.dnp3.database import Event, Shown
from hil.endpoints.dnp3.points import AnalogInput, AnalogOutput, AnyPoint, BinaryInput, BinaryOutput, Encoding, Flag

STATE = 0x80
"""Bit of a binary's flag octet that is its value."""
RANGE_16 = 0x01
"""Qualifier: first and last index, two octets each."""
INDEXED_16 = 0x28
"""Qualifier: a count and an index before each object, two octets each."""
FLOAT32_MAX = 3.4028234663852886e38
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_STATIC_INPUT = {Encoding.INT32: 1, Encoding.INT16: 2, Encoding.FLOAT32: 5}
_STATIC_OUTPUT = {Encoding.INT32: 1, Encoding.INT16: 2, Encoding.FLOAT32: 3}
_TIMED = {Encoding.INT32: 3, Encoding.INT16: 4, Encoding.FLOAT32: 7}
"""Variation of an analog event with time, groups 32 and 42."""
_LIMIT = {Encoding.INT32: 2.0**31 - 1.0, Encoding.INT16: 2.0**15 - 1.0, Encoding.FLOAT32: FLOAT32_MAX}
_PACK = {Encoding.INT32: "<i", Encoding.INT16: "<h", Encoding.FLOAT32: "<f"}
BLOCK_POINTS = 60
"""Points in one static block: blocks are put into fragments whole."""


def static_variation(point: AnyPoint) -> tuple[int, int]:
    """Group and variation of a point in an integrity poll."""
    match point:
        case BinaryInput():
            return 1, 2
        case BinaryOutput():
            return 10, 2
        case AnalogInput(encoding=encoding):
            return 30, _STATIC_INPUT[encoding]
        case AnalogOutput(encoding=encoding):
            return 40, _STATIC_OUTPUT[encoding]


def event_variation(point: AnyPoint) -> tuple[int, int]:
    """Group and variation of a point's events: always those with a time."""
    match point:
        case BinaryInput():
            return 2, 2
        case BinaryOutput():
            return 11, 2
        case AnalogInput(encoding=encoding):
            return 32, _TIMED[encoding]
        case AnalogOutput(encoding=encoding):
            return 42, _TIMED[encoding]


def static_blocks(points: Iterable[tuple[AnyPoint, Shown]]) -> Iterator[ObjectBlock]:
    """Blocks of consecutive indices and one variation each."""
    run: list[tuple[AnyPoint, Shown]] = []
    for point, shown in sorted(points, key=lambda pair: (static_variation(pair[0]), pair[0].index)):
        if run and (
            static_variation(run[-1][0]) != static_variation(point)
            or run[-1][0].index + 1 != point.index
            or len(run) == BLOCK_POINTS
        ):
            yield _static_block(run)
            run = []
        run.append((point, shown))
    if run:
        yield _static_block(run)


def event_blocks(events: Sequence[Event], *, clock: timedelta, start: datetime) -> list[ObjectBlock]:
    """Blocks in the order of the events. `start` is the date of feeder second 0, `clock` what the outstation's clock
    is ahead."""
    blocks = []
    for (group, variation), same in groupby(events, key=lambda event: event_variation(event.point)):
        objects = [
            struct.pack("<H", event.point.index)
            + _value(event.point, event.shown)
            + time_octets(start + timedelta(seconds=event.shown.time_s) + clock)
            for event in same
        ]
        header = ObjectHeader(group=group, variation=variation, qualifier=INDEXED_16)
        blocks.append(ObjectBlock(header=header, data=struct.pack("<H", len(objects)) + b"".join(objects)))
    return blocks


def event_octets(event: Event) -> int:
    """Most that an event adds to a fragment, its block's header included."""
    return 3 + 2 + 2 + len(_value(event.point, event.shown)) + 6


def time_octets(moment: datetime) -> bytes:
    """A date as the wire has it (IEEE 1815-2012 clause 11.3.1.1); one before 1970 as 1970."""
    milliseconds = max(0, (moment - _UNIX) // timedelta(milliseconds=1))
    return (milliseconds & (2**48 - 1)).to_bytes(6, "little")


def date_of(octets: bytes) -> datetime | None:
    """The date of six octets; None beyond the year 9999."""
    try:
        return _UNIX + timedelta(milliseconds=int.from_bytes(octets, "little"))
    except OverflowError:
        return None


def _static_block(run: Sequence[tuple[AnyPoint, Shown]]) -> ObjectBlock:
    group, variation = static_variation(run[0][0])
    span = struct.pack("<HH", run[0][0].index, run[-1][0].index)
    header = ObjectHeader(group=group, variation=variation, qualifier=RANGE_16)
    return ObjectBlock(header=header, data=span + b"".join(_value(point, shown) for point, shown in run))


def _value(point: AnyPoint, shown: Shown) -> bytes:
    """Flag octet and value. A value that the encoding cannot hold is its limit, OVER_RANGE (clause 11.6.1.1)."""
    match point:
        case BinaryInput() | BinaryOutput():
            return bytes([int(shown.flags) | (STATE if shown.value else 0)])
        case AnalogInput(encoding=encoding, scale=scale) | AnalogOutput(encoding=encoding, scale=scale):
            raw, limit = shown.value / scale, _LIMIT[encoding]
            held = min(max(raw, -limit), limit)
            flags = shown.flags | (Flag.OVER_RANGE if held != raw else Flag(0))
            whole = held if encoding is Encoding.FLOAT32 else round(held)
            return bytes([int(flags)]) + struct.pack(_PACK[encoding], whole)
