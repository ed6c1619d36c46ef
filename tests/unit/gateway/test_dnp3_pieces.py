"""Quality, controls, dates and order: the pieces of the DNP3 gateway without a connection. Octets are those of
IEEE 1815-2012 annex A, written by hand."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from dnp3.application.fragment import ObjectBlock
from dnp3.core.enums import CommandStatus, FunctionCode
from dnp3.core.flags import IIN, DoubleBitState
from dnp3.master.double_bit import DoubleBitValue
from dnp3.master.handler import AnalogValue, BinaryValue, ResponseInfo

from adms.client import CapacitorSetpoint, DeviceClass, OutcomeCode, PointKind, Quality, SwitchSetpoint, TapSetpoint
from adms.gateway.dnp3.config import Control, DeviceTable, Encoding, Object, PointTable
from adms.gateway.dnp3.controls import OUTCOME_OF, NoControl, control_of, status_in
from adms.gateway.dnp3.heard import Heard
from adms.gateway.dnp3.outbox import FRAMES_MAX, Outbox, Reading
from adms.gateway.dnp3.quality import quality_of
from hil.endpoints.dnp3.controls import STATUS_OF

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
POLLED = ResponseInfo(function=FunctionCode.RESPONSE, iin=IIN(0), sequence=0)
UNTIMED = ResponseInfo(function=FunctionCode.RESPONSE, iin=IIN.NEED_TIME, sequence=0)


class Frames:
    """A source that keeps what it is sent, once it is let."""

    def __init__(self) -> None:
        self.sent: list[tuple[datetime, dict[int, float], dict[int, Quality]]] = []

    async def send(
        self, *, measure_time: datetime, values: Mapping[int, float], quality: Mapping[int, Quality] | None = None
    ) -> int:
        self.sent.append((measure_time, dict(values), dict(quality or {})))
        return len(self.sent)


async def sent(outbox: Outbox) -> list[tuple[datetime, dict[int, float], dict[int, Quality]]]:
    """Everything that waits in an outbox."""
    frames = Frames()
    pumping = asyncio.create_task(outbox.pump(frames))
    for _ in range(3):
        await asyncio.sleep(0)
    pumping.cancel()
    await asyncio.gather(pumping, return_exceptions=True)
    return frames.sent


def heard(*tables: PointTable) -> tuple[Heard, Outbox]:
    outbox = Outbox()
    found = Heard(list(enumerate(tables)), outbox=outbox, event_time_ahead_max_s=5.0)
    found.asked = NOW
    return found, outbox


def binary(*, index: int = 0, invert: bool = False, kind: Object = Object.BINARY_INPUT) -> PointTable:
    return PointTable(kind=PointKind.SWITCH_CLOSED, element="s", object=kind, index=index, invert=invert)


def analog(*, scale: float = 1.0, offset: float = 0.0) -> PointTable:
    return PointTable(
        kind=PointKind.P_FLOW, element="l", phase=1, object=Object.ANALOG_INPUT, index=0, scale=scale, offset=offset
    )


# ---- quality ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "of_analog", "of_binary"),
    [
        (0x01, Quality.GOOD, Quality.GOOD),
        (0x81, Quality.GOOD, Quality.GOOD),  # the state bit of a binary is no flag
        (0x00, Quality.INVALID, Quality.INVALID),
        (0x03, Quality.INVALID, Quality.INVALID),
        (0x05, Quality.STALE, Quality.STALE),
        (0x04, Quality.STALE, Quality.STALE),
        (0x09, Quality.SUSPECT, Quality.SUSPECT),
        (0x11, Quality.SUSPECT, Quality.SUSPECT),
        (0x21, Quality.INVALID, Quality.SUSPECT),  # over range, or chatters
        (0x41, Quality.SUSPECT, Quality.GOOD),  # reference off; of a binary reserved
    ],
)
def test_flags_and_the_quality_they_mean(flags: int, of_analog: Quality, of_binary: Quality) -> None:
    assert quality_of(flags, analog=True) is of_analog
    assert quality_of(flags, analog=False) is of_binary


# ---- controls --------------------------------------------------------------------------------------------------------


def switch(control: Control = Control.TRIP_CLOSE) -> DeviceTable:
    return DeviceTable(id="s", device_class=DeviceClass.SWITCH, object=Object.BINARY_OUTPUT, index=3, control=control)


def tap(*, scale: float = 1.0, encoding: Encoding = Encoding.INT16) -> DeviceTable:
    return DeviceTable(
        id="t", device_class=DeviceClass.TAP_CHANGER, object=Object.ANALOG_OUTPUT, index=258, scale=scale,
        encoding=encoding,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("device", "setpoint", "octets"),
    [
        (switch(), SwitchSetpoint(closed=False), "0c0128 0100 0300 81 01 64000000 00000000 00"),
        (switch(), SwitchSetpoint(closed=True), "0c0128 0100 0300 41 01 64000000 00000000 00"),
        (switch(Control.LATCH), SwitchSetpoint(closed=True), "0c0128 0100 0300 03 01 00000000 00000000 00"),
        (switch(Control.LATCH), SwitchSetpoint(closed=False), "0c0128 0100 0300 04 01 00000000 00000000 00"),
        (tap(), TapSetpoint(position=-7), "290228 0100 0201 f9ff 00"),
        (tap(encoding=Encoding.INT32), TapSetpoint(position=-7), "290128 0100 0201 f9ffffff 00"),
        (tap(encoding=Encoding.FLOAT32, scale=0.5), TapSetpoint(position=3), "290328 0100 0201 0000c040 00"),
    ],
)
def test_a_setpoint_in_octets(device: DeviceTable, setpoint: SwitchSetpoint | TapSetpoint, octets: str) -> None:
    block = control_of(device, setpoint)
    assert isinstance(block, ObjectBlock)
    assert block.to_bytes() == bytes.fromhex(octets)


def test_a_bank_of_one_step_on_a_relay_has_no_second() -> None:
    bank = DeviceTable(
        id="c", device_class=DeviceClass.CAPACITOR, object=Object.BINARY_OUTPUT, index=0, control=Control.LATCH
    )
    assert isinstance(control_of(bank, CapacitorSetpoint(steps=1)), ObjectBlock)
    two = control_of(bank, CapacitorSetpoint(steps=2))
    assert isinstance(two, NoControl)
    assert two.code is OutcomeCode.OUT_OF_RANGE


def test_a_status_counts_only_in_a_true_echo_of_the_request() -> None:
    asked = control_of(switch(), SwitchSetpoint(closed=False))
    assert isinstance(asked, ObjectBlock)

    def echo(octets: bytes) -> CommandStatus | None:
        return status_in(asked, [ObjectBlock(header=asked.header, data=octets)])

    assert echo(asked.data) is CommandStatus.SUCCESS
    assert echo(asked.data[:-1] + b"\x07") is CommandStatus.LOCAL
    assert echo(asked.data[:-1] + b"\x50") is CommandStatus.UNDEFINED, "a status of no standard"
    assert echo(asked.data.replace(b"\x81", b"\x41")) is None, "close for trip"
    assert echo(asked.data + b"\x00") is None
    assert status_in(asked, []) is None
    assert status_in(asked, [asked, asked]) is None


def test_every_status_has_an_outcome_and_every_outcome_of_the_bench_comes_through() -> None:
    assert set(OUTCOME_OF) == set(CommandStatus)
    assert [s for s, code in OUTCOME_OF.items() if code is OutcomeCode.SUCCESS] == [
        CommandStatus.SUCCESS,
        CommandStatus.ALREADY_COMPLETE,
    ]
    assert set(STATUS_OF) == set(OutcomeCode)
    through = {code: OUTCOME_OF[status] for code, status in STATUS_OF.items()}
    # A device that refuses an epoch is one that is not authorised: DNP3 has no epochs.
    assert {code for code, back in through.items() if back is not code} == {OutcomeCode.STALE_EPOCH}


# ---- what is heard ---------------------------------------------------------------------------------------------------


async def test_values_are_scaled_and_inverted() -> None:
    ear, outbox = heard(analog(scale=100.0, offset=5.0), binary(invert=True))
    ear.on_analog_input([AnalogValue(index=0, value=12.0, quality=1)], POLLED)
    ear.on_binary_input([BinaryValue(index=0, value=True, quality=1), BinaryValue(index=9, value=True)], POLLED)
    assert await sent(outbox) == [(NOW, {0: 1205.0, 1: 0.0}, {})]


@pytest.mark.parametrize(
    ("state", "value", "quality"),
    [
        (DoubleBitState.ON, 1.0, Quality.GOOD),
        (DoubleBitState.OFF, 0.0, Quality.GOOD),
        (DoubleBitState.INTERMEDIATE, 0.0, Quality.INVALID),
        (DoubleBitState.INDETERMINATE, 0.0, Quality.INVALID),
    ],
)
async def test_a_double_bit_between_its_ends_is_not_known(
    state: DoubleBitState, value: float, quality: Quality
) -> None:
    ear, outbox = heard(binary(kind=Object.DOUBLE_BIT_INPUT))
    ear.on_double_bit_input([DoubleBitValue(index=0, state=state, quality=1)], POLLED)
    marked = {} if quality is Quality.GOOD else {0: quality}
    assert await sent(outbox) == [(NOW, {0: value}, marked)]


@pytest.mark.parametrize(
    ("stamp", "info", "dated"),
    [
        (None, POLLED, NOW),
        (NOW - timedelta(hours=1), POLLED, NOW - timedelta(hours=1)),
        (NOW + timedelta(seconds=5), POLLED, NOW + timedelta(seconds=5)),
        (NOW + timedelta(seconds=5.001), POLLED, NOW),
        (NOW - timedelta(hours=1), UNTIMED, NOW),
    ],
)
async def test_an_event_has_its_own_date_unless_that_cannot_be(
    stamp: datetime | None, info: ResponseInfo, dated: datetime
) -> None:
    ear, outbox = heard(binary())
    ear.on_binary_input([BinaryValue(index=0, value=True, quality=1, timestamp=stamp)], info)
    assert await sent(outbox) == [(dated, {0: 1.0}, {})]


async def test_a_lost_rtu_makes_what_was_known_stale_once() -> None:
    ear, outbox = heard(binary(), analog())
    ear.on_binary_input([BinaryValue(index=0, value=True, quality=1)], POLLED)
    await sent(outbox)
    later = NOW + timedelta(seconds=3)
    ear.lost(now=later)
    ear.lost(now=later + timedelta(seconds=3))
    assert await sent(outbox) == [(later, {0: 1.0}, {0: Quality.STALE})]


async def test_a_point_that_a_poll_no_longer_tells_is_stale_and_named() -> None:
    ear, outbox = heard(binary(), analog())
    ear.poll_begins()
    ear.on_binary_input([BinaryValue(index=0, value=True, quality=1)], POLLED)
    assert [table.element for table in ear.poll_ended()] == ["l"]
    ear.poll_begins()
    ear.on_analog_input([AnalogValue(index=0, value=1.0, quality=1)], POLLED)
    assert [table.element for table in ear.poll_ended()] == ["s"]
    assert (await sent(outbox))[-1][2] == {0: Quality.STALE}


# ---- outbox ----------------------------------------------------------------------------------------------------------


def reading(place: int, value: float, *, after_s: float = 0.0, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(place=place, value=value, quality=quality, time=NOW + timedelta(seconds=after_s))


async def test_readings_keep_their_order_and_one_frame_has_a_point_once() -> None:
    outbox = Outbox()
    outbox.put([reading(0, 1.0), reading(1, 2.0), reading(0, 3.0), reading(0, 4.0, after_s=-1.0)])
    assert await sent(outbox) == [
        (NOW, {0: 1.0, 1: 2.0}, {}),
        (NOW, {0: 3.0}, {}),
        (NOW - timedelta(seconds=1), {0: 4.0}, {}),
    ]


async def test_of_too_many_frames_the_newest_of_each_point_is_kept_with_its_quality() -> None:
    outbox = Outbox()
    outbox.put([reading(7, 1.0, quality=Quality.SUSPECT)])
    outbox.put([reading(0, float(n), after_s=float(n)) for n in range(1, FRAMES_MAX + 1)])
    assert await sent(outbox) == [
        (NOW, {7: 1.0}, {7: Quality.SUSPECT}),
        (NOW + timedelta(seconds=FRAMES_MAX), {0: float(FRAMES_MAX)}, {}),
    ]


async def test_newest_values_within_a_tenth_of_a_second_go_together_and_never_look_older() -> None:
    outbox = Outbox()
    outbox.put([reading(n, float(n), after_s=0.001 * n) for n in range(FRAMES_MAX + 50)])
    # 0 to 149 ms: from the youngest back, 149 to 49 ms are within 0.1 s; the rest goes before them.
    first, second = await sent(outbox)
    assert (first[0] - NOW, sorted(first[1])) == (timedelta(seconds=0.048), list(range(49)))
    assert (second[0] - NOW, sorted(second[1])) == (timedelta(seconds=0.149), list(range(49, 150)))
