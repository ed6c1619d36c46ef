"""The DNP3 path, outstation and gateway together over loopback TCP; the service is a list of frames and outcomes."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from dnp3.core.enums import CommandStatus
from dnp3.core.flags import IIN

from adms.client import (
    CapacitorSetpoint,
    OutcomeCode,
    Point,
    PointKind,
    PowerSetpoint,
    Quality,
    Setpoint,
    SwitchSetpoint,
    TapSetpoint,
)
from hil.endpoints.dnp3.layout import rtu_of
from hil.endpoints.dnp3.points import Flag
from tests.unit.hil.dnp3_case import (
    BANK,
    CLOSED,
    MANNERS,
    NORMAL,
    POLLING,
    POSITION,
    REMOTE,
    STEPS,
    SWITCH,
    TAP,
    CaseField,
    V,
    both_ends,
    case_rtu,
    configured,
    connected,
    gateway_for,
    listening,
)

CLOCK_ERROR_S = 0.05
"""What setting the clock over the loopback may be off: one way of two messages, and a millisecond of the wire."""


async def test_everything_is_read_when_the_rtu_is_first_called(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, _, service):
        told = {point: service.newest(point) for point in service.points}
        assert {point: t.quality for point, t in told.items() if t} == dict.fromkeys(NORMAL, Quality.GOOD)
        # float32 holds 24 bits: 2401.8 is told within 2401.8 * 2**-24.
        assert all(abs(t.value - NORMAL[point]) <= abs(NORMAL[point]) * 2**-24 for point, t in told.items() if t)
        assert station.connected


async def test_a_change_is_told_by_itself_with_its_own_time_and_confirmed(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, field, service):
        field.show(CLOSED, 0.0, time_s=-3.0)
        station.scan()
        await service.until(lambda: service.shows(CLOSED, 0.0))
        told = service.newest(CLOSED)
        assert told is not None
        assert abs((told.time - station._start).total_seconds() + 3.0) < CLOCK_ERROR_S
        async with asyncio.timeout(5.0):
            while station.events_waiting:
                await asyncio.sleep(0.001)


async def test_only_a_change_beyond_the_dead_band_is_told_between_integrity_polls(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, field, service):
        # Dead band: 2 sigmas of 5 V. The first change stays inside; the trip behind it shows that it was passed over.
        field.show(V, NORMAL[V] + 9.9)
        station.scan()
        field.show(CLOSED, 0.0)
        station.scan()
        await service.until(lambda: service.shows(CLOSED, 0.0))
        before = service.newest(V)
        assert before is not None
        assert before.value == pytest.approx(NORMAL[V], abs=1e-3)
        field.show(V, NORMAL[V] + 10.1)
        station.scan()
        await service.until(lambda: service.newest(V) != before)
        after = service.newest(V)
        assert after is not None
        assert after.value == pytest.approx(NORMAL[V] + 10.1, abs=1e-3)


async def test_an_rtu_that_reports_nothing_unasked_is_polled(tmp_path: Path) -> None:
    rtu = case_rtu(manners=replace(MANNERS, unsolicited=False))
    async with both_ends(tmp_path, rtu=rtu, polling=replace(POLLING, event_poll_s=0.02)) as (station, field, service):
        field.show(CLOSED, 0.0)
        station.scan()
        await service.until(lambda: service.shows(CLOSED, 0.0))


@pytest.mark.parametrize(
    ("device_id", "setpoint", "point", "shown"),
    [
        (SWITCH, SwitchSetpoint(closed=False), CLOSED, 0.0),
        (TAP, TapSetpoint(position=-7), POSITION, -7.0),
        (BANK, CapacitorSetpoint(steps=0), STEPS, 0.0),
    ],
)
async def test_a_command_selects_operates_and_is_confirmed_by_telemetry(
    tmp_path: Path, device_id: str, setpoint: Setpoint, point: Point, shown: float
) -> None:
    async with both_ends(tmp_path) as (_, field, service):
        assert await service.outcome(service.command(device_id, setpoint)) == (OutcomeCode.SUCCESS, "")
        assert field.asked == [(device_id, setpoint)] * 2  # once selected, once operated
        assert field.operated == [(device_id, setpoint)]
        await service.until(lambda: service.shows(point, shown))


async def test_a_device_in_local_refuses_its_selection(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, field, service):
        field.show(REMOTE, 0.0)
        station.scan()
        code, text = await service.outcome(service.command(SWITCH, SwitchSetpoint(closed=False)))
        assert (code, text) == (OutcomeCode.LOCAL, "SELECT: LOCAL")
        assert field.operated == []


async def test_a_device_that_is_put_in_local_after_its_selection_is_not_operated(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (_, field, service):
        checked = field.check

        def once(device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
            status = checked(device_id, setpoint, now_s=now_s)
            field.show(REMOTE, 0.0)
            return status

        field.check = once  # type: ignore[method-assign]
        code, text = await service.outcome(service.command(SWITCH, SwitchSetpoint(closed=False)))
        assert (code, text) == (OutcomeCode.LOCAL, "OPERATE: LOCAL")
        assert field.operated == []


async def test_an_operate_after_the_select_time_out_is_refused_as_expired(tmp_path: Path) -> None:
    rtu = case_rtu(manners=replace(MANNERS, select_timeout_s=1e-9))
    async with both_ends(tmp_path, rtu=rtu) as (_, field, service):
        code, text = await service.outcome(service.command(SWITCH, SwitchSetpoint(closed=False)))
        assert (code, text) == (OutcomeCode.EXPIRED, "OPERATE: TIMEOUT")
        assert field.operated == []


async def test_a_command_that_comes_too_late_is_not_even_selected(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (_, field, service):
        code, text = await service.outcome(service.command(SWITCH, SwitchSetpoint(closed=False), lasts_s=0.0))
        assert code is OutcomeCode.EXPIRED
        assert "nothing was sent" in text
        assert field.asked == []


async def test_a_command_that_expires_after_its_selection_is_not_operated(tmp_path: Path) -> None:
    lasts_s = 0.5
    async with both_ends(tmp_path) as (station, field, service):
        took = station._session.answer

        def late(octets: bytes, *, now_s: float) -> bytes | None:
            answer = took(octets, now_s=now_s)
            if field.asked:
                # The answer to the selection is on its way for longer than the command lasts.
                deadline = asyncio.get_running_loop().time() + lasts_s
                while asyncio.get_running_loop().time() < deadline:
                    pass
            return answer

        station._session.answer = late  # type: ignore[method-assign]
        code, text = await service.outcome(service.command(SWITCH, SwitchSetpoint(closed=False), lasts_s=lasts_s))
        assert (code, text) == (OutcomeCode.EXPIRED, "expired between SELECT and OPERATE; nothing was operated")
        assert len(field.asked) == 1
        assert field.operated == []


async def test_a_setpoint_of_another_class_and_a_tap_beyond_the_wire_are_refused_without_asking(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (_, field, service):
        power = PowerSetpoint(p_injection_w=1.0, q_injection_var=None)
        code, _ = await service.outcome(service.command(SWITCH, power))
        assert code is OutcomeCode.NOT_SUPPORTED
        # Group 41 variation 2 holds 16 bits.
        code, _ = await service.outcome(service.command(TAP, TapSetpoint(position=2**15)))
        assert code is OutcomeCode.OUT_OF_RANGE
        assert field.asked == []


@pytest.mark.parametrize(
    ("flags", "quality"),
    [
        (Flag.ONLINE | Flag.LOCAL_FORCED, Quality.SUSPECT),
        (Flag.ONLINE | Flag.COMM_LOST, Quality.STALE),
        (Flag.ONLINE | Flag.OVER_RANGE, Quality.INVALID),
        (Flag.ONLINE | Flag.RESTART, Quality.INVALID),
        (Flag(0), Quality.INVALID),
    ],
)
async def test_flags_of_a_point_become_its_quality(tmp_path: Path, flags: Flag, quality: Quality) -> None:
    async with both_ends(tmp_path) as (station, field, service):
        field.show(V, NORMAL[V], flags=flags)
        station.scan()
        await service.until(lambda: (told := service.newest(V)) is not None and told.quality is quality)


async def test_a_reading_that_the_field_lost_is_the_last_one_and_stale(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, field, service):
        field.show(V, None)
        station.scan()
        await service.until(lambda: (told := service.newest(V)) is not None and told.quality is Quality.STALE)
        told = service.newest(V)
        assert told is not None
        assert told.value == pytest.approx(NORMAL[V], abs=1e-3)


async def test_an_rtu_that_goes_away_takes_only_its_own_points_with_it_and_comes_back(tmp_path: Path) -> None:
    other_point = Point(kind=PointKind.V_MAGNITUDE, element="x", phase=1, sigma=5.0)
    other_rtu = rtu_of(
        "rtu-2", points=[other_point], devices={}, outstation_address=11, master_address=1, manners=MANNERS
    )
    field, other_field = CaseField(), CaseField({other_point: 2400.0})
    said: list[str] = []
    async with (
        listening(case_rtu(), field) as (station, address),
        listening(other_rtu, other_field) as (other_station, other_address),
        gateway_for(configured(tmp_path, {address: station.rtu, other_address: other_rtu}), said=said) as (
            gateway,
            service,
        ),
    ):
        await connected(gateway)
        await station.hang_up()
        await service.until(lambda: all((t := service.newest(p)) and t.quality is Quality.STALE for p in NORMAL))
        assert service.shows(other_point, 2400.0)
        # A command meanwhile is refused at once, and never carried out later.
        code, text = await service.outcome(service.command(SWITCH, SwitchSetpoint(closed=False)))
        assert (code, text) == (OutcomeCode.HARDWARE_ERROR, "rtu-1 is not connected; nothing was sent to the device")
        other_field.show(other_point, 2500.0)
        other_station.scan()
        await service.until(lambda: service.shows(other_point, 2500.0))
        # What happens while nobody hears is told afterwards.
        field.show(CLOSED, 0.0)
        station.scan()
        await station.listen()
        await service.until(lambda: service.shows(CLOSED, 0.0) and service.shows(REMOTE, 1.0))
        await connected(gateway)
        assert field.asked == []
    assert [line.partition(": ")[2].partition(":")[0] for line in said if line.startswith("rtu-1")] == [
        "connected",
        "lost",
        "connected",
    ]


async def test_an_operate_without_an_answer_is_unknown_and_never_sent_again(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, field, service):

        def cut() -> None:
            assert station._talk is not None
            station._talk._writer.transport.abort()

        field.on_operate = cut
        first = service.command(SWITCH, SwitchSetpoint(closed=False))
        second = service.command(BANK, CapacitorSetpoint(steps=0))
        code, text = await service.outcome(first)
        assert code is OutcomeCode.UNKNOWN
        assert text == "OPERATE was not answered; the device is read, nothing is sent again"
        # What waited behind it is not sent either, then or later.
        code, text = await service.outcome(second)
        assert (code, text) == (OutcomeCode.HARDWARE_ERROR, "the RTU was lost; nothing was sent to the device")
        # It is called again and read; what the device did is seen, and it did it once.
        await service.until(lambda: service.shows(CLOSED, 0.0))
        assert field.operated == [(SWITCH, SwitchSetpoint(closed=False))]


async def test_an_rtu_that_restarts_is_read_again_and_its_restart_is_cleared(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, field, service):
        field.show(V, 2300.0)
        await station.restart()
        session = station._session
        assert session._indications() & IIN.DEVICE_RESTART
        station.scan()
        await service.until(lambda: service.shows(V, 2300.0))
        async with asyncio.timeout(5.0):
            while session._indications() & IIN.DEVICE_RESTART:
                await asyncio.sleep(0.001)
        # And it reports by itself again.
        field.show(CLOSED, 0.0)
        station.scan()
        await service.until(lambda: service.shows(CLOSED, 0.0))


async def test_a_point_that_the_rtu_does_not_have_is_said_and_stays_missing(tmp_path: Path) -> None:
    small, larger = case_rtu(points=[CLOSED, REMOTE]), case_rtu(points=[CLOSED, REMOTE, V])
    said: list[str] = []
    async with (
        listening(small, CaseField()) as (_, address),
        gateway_for(configured(tmp_path, {address: larger}), said=said) as (gateway, service),
    ):
        await connected(gateway)
        assert said[0] == "rtu-1: has no analog_input 0 (v_magnitude_v of 150 phase 1)"
        assert service.newest(V) is None


async def test_an_rtu_that_falls_silent_is_lost_and_its_command_was_not_operated(tmp_path: Path) -> None:
    async with both_ends(tmp_path, polling=replace(POLLING, response_timeout_s=0.2)) as (station, field, service):
        talking = station._session.answer
        station._session.answer = lambda octets, *, now_s: None  # type: ignore[method-assign]
        code, text = await service.outcome(service.command(SWITCH, SwitchSetpoint(closed=False)))
        assert (code, text) == (OutcomeCode.HARDWARE_ERROR, "SELECT was not answered; nothing was operated")
        await service.until(lambda: all((t := service.newest(p)) and t.quality is Quality.STALE for p in NORMAL))
        station._session.answer = talking  # type: ignore[method-assign]
        await service.until(lambda: service.shows(CLOSED, 1.0))
        assert field.asked == []
