"""The line against a server that answers what a test tells it, byte by byte."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from adms.gateway.sunspec.modbus import DeviceRefusedError, FaultKind, Line, LineError

Answer = Callable[[bytes], bytes | None]
"""From a request's frame to the bytes that go back; None closes the connection."""


class Served:
    def __init__(self, line: Line) -> None:
        self.line = line
        self.connections = 0


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[Served]:
    """A line to a server that gives these answers in turn, the last one again and again."""
    left = list(answers)
    closing: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        closing.append(writer)
        while header := await reader.read(7):
            length = struct.unpack(">HHHB", header)[2]
            frame = header + await reader.readexactly(length - 1)
            answer = (left.pop(0) if len(left) > 1 else left[0])(frame)
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, host="127.0.0.1", port=0)
    host, port = server.sockets[0].getsockname()
    served = Served(Line(f"{host}:{port}", timeout_s=0.2))
    try:
        yield served
    finally:
        await served.line.close()
        server.close()
        for writer in closing:
            writer.close()
        await asyncio.sleep(0.01)


def framed(frame: bytes, body: bytes, *, transaction: int = 0, protocol: int = 0, unit: int = 0) -> bytes:
    """An answer to a request, with its header as much off as is asked for."""
    asked, _, _, asked_unit = struct.unpack(">HHHB", frame[:7])
    return struct.pack(">HHHB", asked + transaction, protocol, len(body) + 1, asked_unit + unit) + body


def good(frame: bytes) -> bytes:
    """Two registers, 7 and 8; or the echo of a write."""
    return framed(frame, struct.pack(">BBHH", 3, 4, 7, 8) if frame[7] == 3 else frame[7:12])


async def read(line: Line) -> list[int]:
    return await line.read(1, address=40_000, count=2)


async def test_a_question_is_framed_as_the_standard_says_and_its_answer_read() -> None:
    frames: list[bytes] = []

    def keep(frame: bytes) -> bytes:
        frames.append(frame)
        return good(frame)

    async with serving(keep) as served:
        assert await read(served.line) == [7, 8]
        await served.line.write(1, address=40_100, registers=[1, 0xFFFF])
    # Transaction, protocol 0, length, unit; function, address, count (and bytes, registers).
    assert frames[0] == bytes.fromhex("0001 0000 0006 01 03 9c40 0002")
    assert frames[1] == bytes.fromhex("0002 0000 000b 01 10 9ca4 0002 04 0001 ffff")
    assert served.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda frame: framed(frame, struct.pack(">BBHH", 3, 4, 7, 8), transaction=1),
        lambda frame: framed(frame, struct.pack(">BBHH", 3, 4, 7, 8), protocol=1),
        lambda frame: framed(frame, struct.pack(">BBHH", 3, 4, 7, 8), unit=1),
        lambda frame: framed(frame, struct.pack(">BBHH", 4, 4, 7, 8)),
        lambda frame: framed(frame, struct.pack(">BBH", 3, 2, 7)),
        lambda frame: framed(frame, struct.pack(">BBHH", 3, 2, 7, 8)),
        lambda frame: framed(frame, struct.pack(">BBHHH", 3, 6, 7, 8, 9)),
        lambda frame: framed(frame, b"\x83\x02\x00"),
        lambda frame: framed(frame, b""),
        lambda frame: frame[:4] + b"\xff\xff" + frame[6:],
    ],
)
async def test_an_answer_to_another_question_is_none_and_the_next_one_is_asked_on_a_new_connection(
    answer: Answer,
) -> None:
    async with serving(answer, good) as served:
        with pytest.raises(LineError) as failed:
            await read(served.line)
        assert failed.value.kind is FaultKind.GARBLED
        assert await read(served.line) == [7, 8]
        assert served.connections == 2


async def test_half_an_answer_is_silence_and_an_exception_keeps_the_connection() -> None:
    async with serving(lambda frame: good(frame)[:-1], lambda frame: framed(frame, b"\x83\x06"), good) as served:
        with pytest.raises(LineError) as failed:
            await read(served.line)
        assert failed.value.kind is FaultKind.SILENT
        with pytest.raises(DeviceRefusedError) as refused:
            await read(served.line)
        assert refused.value.code == 6
        assert await read(served.line) == [7, 8]
        assert served.connections == 2


async def test_a_connection_that_was_let_go_is_opened_again_but_not_twice() -> None:
    async with serving(good, lambda frame: None, good, lambda frame: None) as served:
        assert await read(served.line) == [7, 8]
        assert await read(served.line) == [7, 8]  # cut, asked again
        with pytest.raises(LineError) as failed:
            await read(served.line)
        assert failed.value.kind is FaultKind.CUT


async def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(LineError) as failed:
        await read(Line("127.0.0.1:1", timeout_s=0.5))
    assert failed.value.kind is FaultKind.UNREACHABLE
