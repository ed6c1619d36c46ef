"""Whatever stands in the registers and whatever comes over the wire, gateway and endpoint go on."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adms.client import OutcomeCode, PointKind, PowerSetpoint, Quality
from adms.gateway.sunspec.points import AC, CAPACITY, CONTROLS, OPERATION, STORAGE, Block
from adms.gateway.sunspec.reading import read_state
from adms.gateway.sunspec.writing import PowerControl, Refusal, achieved, keeps_time, target, writes
from hil.endpoints.sunspec import Garbled, SunSpecServer
from hil.endpoints.sunspec.bank import RefusedError
from tests.unit.gateway.sunspec.rigs import BATTERY, PV, rig
from tests.unit.gateway.sunspec.test_conversation import answering
from tests.unit.hil.sunspec import units
from tests.unit.hil.sunspec.units import device

SPECIAL = (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF, 10, 11, 0xFFF6, 0xFFF5)
WORD = st.one_of(st.sampled_from(SPECIAL), st.integers(0, 0xFFFF))


def words(size: int) -> st.SearchStrategy[list[int]]:
    """Registers of a model: any, and often of the values that mean something."""
    some = st.lists(WORD, min_size=0, max_size=size)
    return st.one_of(some, st.sampled_from([[word] * size for word in SPECIAL]))


@settings(max_examples=300, deadline=None)
@given(ac=words(125), capacity=words(52), storage=words(9), operation=words(9))
def test_any_registers_give_a_reading_in_which_good_means_plausible(
    ac: Sequence[int], capacity: Sequence[int], storage: Sequence[int], operation: Sequence[int]
) -> None:
    reading = read_state(
        Block(model_id=AC, registers=ac),
        capacity=Block(model_id=CAPACITY, registers=capacity),
        storage=Block(model_id=STORAGE, registers=storage),
        operation=Block(model_id=OPERATION, registers=operation),
        phases=3,
        s_max_va=10e3,
    )
    for measure in (reading.p_w, reading.q_var, reading.soc_frac, reading.p_available_w, *reading.v_v):
        if measure.quality is Quality.GOOD:
            assert measure.value is not None
            assert np.isfinite(measure.value)
    if reading.p_w.quality is Quality.GOOD:
        assert abs(reading.p_w.value or 0.0) <= 30e3
    if reading.soc_frac.quality is Quality.GOOD:
        assert 0.0 <= (reading.soc_frac.value or 0.0) <= 1.0


@settings(max_examples=500, deadline=None)
@given(
    registers=words(67),
    p_w=st.one_of(st.none(), st.floats(-1e6, 1e6)),
    q_var=st.one_of(st.none(), st.floats(-1e6, 1e6)),
    default_w=st.one_of(st.none(), st.floats(-1e5, 1e5)),
    hold_s=st.integers(0, 100_000),
    control=st.sampled_from(PowerControl),
    w_max_w=st.one_of(st.none(), st.floats(-1e6, 1e7)),
)
def test_any_control_registers_give_writes_inside_the_model_or_a_refusal(
    registers: Sequence[int],
    p_w: float | None,
    q_var: float | None,
    default_w: float | None,
    hold_s: int,
    control: PowerControl,
    w_max_w: float | None,
) -> None:
    block = Block(model_id=CONTROLS, registers=registers)
    wanted = target(
        PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var),
        default=PowerSetpoint(p_injection_w=default_w, q_injection_var=0.0),
        hold_s=hold_s,
        control=control,
        block=block,
        w_max_w=w_max_w,
    )
    if isinstance(wanted, Refusal):
        assert wanted.text
        return
    for function in (wanted.p, wanted.q):
        made = writes(function, block=block)
        # The enable comes last and alone, so that nothing is in force without its time.
        assert all(len(write.registers) == 1 for write in made[-1:])
        for write in made:
            assert write.offset >= 2
            assert write.offset + len(write.registers) <= len(registers)
            assert all(0 <= register <= 0xFFFF for register in write.registers)
        achieved(block, function)
        keeps_time(block, function)


def random_answers(seed: int) -> list[bytes]:
    """Frames of every kind of wrong: noise, headers of any length, right headers over wrong bodies."""
    rng = np.random.default_rng([seed, 704])
    made = [rng.bytes(int(rng.integers(1, 300))) for _ in range(20)]
    for _ in range(40):
        length = int(rng.choice([0, 1, 2, 3, 5, 253, 254, 255, 256, 0xFFFF]))
        body = rng.bytes(int(rng.integers(0, 260)))
        made.append(struct.pack(">HHHB", int(rng.integers(0, 6)), 0, length, 1) + body)
    return made


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_answers_stop_neither_the_gateway_nor_the_device_beside(seed: int) -> None:
    devices = {1: device(), 3: device()}
    other = {**PV, "device_id": "der.other", "unit_id": 3}
    async with SunSpecServer(devices=devices, clock=lambda: 0.0) as server:
        entries = [{**entry, "address": server.address} for entry in (PV, other)]
        async with rig(*entries, poll_period_s=0.004, answer_timeout_s=0.02, back_off_max_s=0.05) as running:
            await answering(running)
            for answer in random_answers(seed):
                server.play(1, Garbled(answer=answer))
                await asyncio.sleep(0.008)
            assert running.counts.total("garbled") + running.counts.total("silent") > 5
            assert running.counts.total("internal") == 0
            assert (await running.command(p_w=1_000.0, device_id="der.other"))[0] is OutcomeCode.SUCCESS
            server.play(1, None)
            await answering(running)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_register_contents_stop_neither_the_gateway_nor_the_endpoint(seed: int) -> None:
    rng = np.random.default_rng([seed, 701])
    battery = device(units.BATTERY)
    quick: dict[str, Any] = {"poll_period_s": 0.004, "back_off_first_s": 0.004, "back_off_max_s": 0.01}
    async with (
        SunSpecServer(devices={2: battery}, clock=lambda: 0.0) as server,
        rig({**BATTERY, "address": server.address}, **quick) as running,
    ):
        await answering(running, "der.battery")
        sound = list(battery.bank.registers)
        read = battery.bank.read
        battery.read = lambda address, count, *, now_s: read(address, count)  # type: ignore[method-assign]
        for _ in range(60):
            spoilt = list(sound)
            for place in rng.integers(0, len(sound), int(rng.integers(1, 400))):
                spoilt[place] = int(rng.choice(SPECIAL)) if rng.random() < 0.6 else int(rng.integers(0, 0x10000))
            battery.bank.registers[:] = spoilt
            running.send(p_w=float(rng.uniform(-40e3, 50e3)), q_var=0.0, lease_s=60.0, device_id="der.battery")
            await asyncio.sleep(0.008)
        asked = running.sequence
        await running.streams.until(lambda: len(running.streams.outcomes) == asked)
        assert running.counts.total("internal") == 0
        # All not implemented, then whole again.
        for word in (0x8000, 0xFFFF, 0):
            battery.bank.registers[:] = [word] * len(sound)
            await asyncio.sleep(0.02)
        battery.bank.registers[:] = sound
        polls = running.counts.total("polls")
        await running.streams.until(
            lambda: (
                running.counts.total("polls") > polls
                and running.streams.last(PointKind.REMOTE, "der.battery") == (1.0, Quality.GOOD)
            )
        )
        assert running.counts.total("internal") == 0


@settings(max_examples=300, deadline=None)
@given(address=st.integers(39_990, 41_000), registers=st.lists(WORD, max_size=130), later_s=st.floats(0, 99))
def test_any_write_to_an_endpoint_is_carried_out_whole_or_refused(
    address: int, registers: list[int], later_s: float
) -> None:
    unit = DEVICE
    before = list(unit.bank.registers)
    try:
        unit.write(address, registers, now_s=0.0)
    except RefusedError:
        # The heartbeat aside, which is read, not written.
        assert unit.bank.registers == before
    unit.advance(later_s)
    assert len(unit.bank.registers) == len(before)
    unit.wanted()


DEVICE = device(units.BATTERY)


async def test_random_frames_do_not_stop_the_endpoint() -> None:
    rng = np.random.default_rng([1, 502])
    async with SunSpecServer(devices={1: device()}, clock=lambda: 0.0) as server:
        host, port = server.address.split(":")
        for _ in range(150):
            reader, writer = await asyncio.open_connection(host, int(port))
            body = rng.bytes(int(rng.integers(0, 300)))
            if rng.random() < 0.7:
                length = len(body) + 1 if rng.random() < 0.6 else int(rng.integers(0, 0x10000))
                function = int(rng.choice([3, 6, 16, 22, 23, 43, 0, 0x83]))
                body = struct.pack(">HHHBB", 7, 0, length, 1, function) + body
            with contextlib.suppress(ConnectionError):
                writer.write(body)
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.002):
                        await reader.read(300)
            writer.close()
        async with rig({**PV, "address": server.address}) as running:
            await answering(running)
