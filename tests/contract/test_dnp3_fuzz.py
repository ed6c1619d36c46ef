"""Whatever octets come on a DNP3 connection, either end goes on, and nothing is operated by chance."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dnp3.datalink.builder import build_unconfirmed_user_data
from dnp3.transport.segmenter import Segmenter

from hil.endpoints.dnp3.layout import rtu_of
from hil.endpoints.dnp3.session import Session
from tests.unit.hil.dnp3_case import (
    CLOSED,
    MANNERS,
    NORMAL,
    CaseField,
    V,
    WallSeconds,
    both_ends,
    case_rtu,
    configured,
    connected,
    gateway_for,
    listening,
)

SEED = 20260601
MASTER_SAYS, OUTSTATION_SAYS = range(0x22), (0x81, 0x82)
"""Function codes of requests and of responses."""


def octets(chance: np.random.Generator) -> Iterator[bytes]:
    """Noise without form."""
    while True:
        yield chance.bytes(int(chance.integers(1, 400)))


def fragments(chance: np.random.Generator, *, functions: tuple[int, ...] | range) -> Iterator[bytes]:
    """Fragments with a true header, true or false object headers and noise behind them: what a parser must bear."""
    groups = (1, 2, 3, 10, 11, 12, 20, 30, 32, 40, 41, 42, 50, 51, 60, 80, 110, 120, 255)
    qualifiers = (0x00, 0x01, 0x06, 0x07, 0x08, 0x17, 0x28, 0x5B, 0x0F, 0xFF)
    while True:
        function = int(chance.choice(functions))
        parts = [bytes([int(chance.choice([0xC0, 0xE0, 0xF0, 0x80, 0x40, 0xD0])) | int(chance.integers(16)), function])]
        if function >= 0x80:
            parts.append(chance.bytes(2))
        for _ in range(int(chance.integers(4))):
            header = bytes([int(chance.choice(groups)), int(chance.integers(9)), int(chance.choice(qualifiers))])
            parts += [header, chance.bytes(int(chance.integers(30)))]
        yield b"".join(parts)


def framed(fragment: bytes, *, from_master: bool, segmenter: Segmenter) -> bytes:
    """A fragment in true link frames between the case's addresses."""
    ends = {"destination": 10, "source": 1} if from_master else {"destination": 1, "source": 10}
    return b"".join(
        build_unconfirmed_user_data(**ends, dir_from_master=from_master, user_data=segment.to_bytes()).to_bytes()
        for segment in segmenter.segment(fragment)
    )


def test_a_session_answers_or_is_silent_and_operates_nothing_that_was_not_selected() -> None:
    field = CaseField()
    session = Session(case_rtu(), field, now_s=0.0, start=WallSeconds().start)
    session.scan(now_s=0.0)
    chance = np.random.default_rng([SEED, 1])
    for number, fragment in zip(range(5000), fragments(chance, functions=MASTER_SAYS), strict=False):
        answer = session.answer(fragment, now_s=float(number))
        assert answer is None or len(answer) >= 4
        session.unsolicited(now_s=float(number))
    assert field.operated == []


@pytest.mark.parametrize("form", ["noise", "frames"])
async def test_an_outstation_goes_on_whatever_it_is_sent(tmp_path: Path, form: str) -> None:
    field = CaseField()
    chance, segmenter = np.random.default_rng([SEED, 2]), Segmenter()
    sent = octets(chance) if form == "noise" else fragments(chance, functions=MASTER_SAYS)
    async with listening(case_rtu(), field) as (station, address):
        host, port = address.split(":")
        for _ in range(20):
            reader, writer = await asyncio.open_connection(host, int(port))
            for _, one in zip(range(25), sent, strict=False):
                writer.write(one if form == "noise" else framed(one, from_master=True, segmenter=segmenter))
            await writer.drain()
            writer.write_eof()
            with suppress(ConnectionError):
                async with asyncio.timeout(5.0):
                    while await reader.read(4096):
                        pass
            writer.close()
        assert field.operated == []
        async with gateway_for(configured(tmp_path, {address: station.rtu})) as (gateway, service):
            await connected(gateway)
            await service.until(lambda: service.shows(CLOSED, 1.0))


@pytest.mark.parametrize("form", ["noise", "frames"])
async def test_a_gateway_goes_on_whatever_an_rtu_sends_and_its_other_rtus_do_not_notice(
    tmp_path: Path, form: str
) -> None:
    calls = 0
    chance, segmenter = np.random.default_rng([SEED, 3]), Segmenter()
    sent = octets(chance) if form == "noise" else fragments(chance, functions=OUTSTATION_SAYS)

    async def mad(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        with suppress(ConnectionError):
            for _, one in zip(range(40), sent, strict=False):
                writer.write(one if form == "noise" else framed(one, from_master=False, segmenter=segmenter))
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    field = CaseField({V: 2400.0})
    good = rtu_of("good", points=[V], devices={}, outstation_address=10, master_address=1, manners=MANNERS)
    mad_rtu = case_rtu("mad", points=[point for point in NORMAL if point != V])
    server = await asyncio.start_server(mad, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, listening(good, field) as (station, address):
        configuration = configured(tmp_path, {f"127.0.0.1:{port}": mad_rtu, address: good})
        async with gateway_for(configuration) as (gateway, service):
            async with asyncio.timeout(20.0):
                while calls < 20:
                    await asyncio.sleep(0.005)
            field.show(V, 2500.0)
            station.scan()
            await service.until(lambda: service.shows(V, 2500.0))
            assert gateway.links[1].connected


async def test_only_frames_between_its_own_addresses_are_heard(tmp_path: Path) -> None:
    rtu = case_rtu(manners=replace(MANNERS, direct_operate=True))
    # DIRECT_OPERATE of one control relay output block: index 0, pulse on with TRIP, once, 100 ms.
    trip = bytes.fromhex("c5050c0128010000008101640000000000000000")
    async with both_ends(tmp_path, rtu=rtu) as (station, field, _):
        for destination, source, heard in ((11, 1, 0), (10, 2, 0), (10, 1, 1)):
            reader, writer = await asyncio.open_connection("127.0.0.1", station._port)
            frame = build_unconfirmed_user_data(
                destination=destination, source=source, dir_from_master=True, user_data=b"\xc0" + trip
            )
            writer.write(frame.to_bytes())
            writer.write_eof()
            async with asyncio.timeout(5.0):
                await reader.read()
            writer.close()
            assert len(field.operated) == heard
