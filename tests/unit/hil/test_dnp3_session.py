"""What an outstation answers and reports, in virtual time. Clauses and tables are those of IEEE 1815-2012."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dnp3.application.parser import parse_response
from dnp3.core.flags import IIN

from adms.client import InputError, Point, PointKind
from hil.endpoints.dnp3.points import AnalogInput, BinaryInput, Encoding, Flag, Reading, Rtu
from tests.unit.hil.dnp3_case import CLOSED, MANNERS, NORMAL, POSITION, V, case_rtu
from tests.unit.hil.dnp3_desk import (
    READ_ALL,
    START,
    Desk,
    indications,
)


def with_points(*, analog: Sequence[AnalogInput] = (), binary: Sequence[BinaryInput] = ()) -> Rtu:
    return replace(
        case_rtu(points=[], manners=MANNERS),
        analog_inputs=tuple(analog),
        binary_inputs=tuple(binary),
        binary_outputs=(),
        analog_outputs=(),
    )


# ---- reading and events, clauses 4.4 and 5.1 -------------------------------------------------------------------------


def test_an_integrity_poll_tells_everything_that_holds() -> None:
    desk = Desk()
    desk.scan()
    desk.asked(1, READ_ALL)
    assert {index: one.value for index, one in desk.heard.binary_inputs.items()} == {
        0: True,
        1: True,
        2: False,
        3: False,
    }
    assert desk.heard.analog_inputs[0].value == pytest.approx(2401.8, rel=2**-24)
    assert {index: desk.heard.analog_inputs[index].value for index in (1, 2, 3)} == {1: 1.2e6, 2: 3.0, 3: 1.0}
    assert desk.heard.binary_outputs[0].value is True
    assert {index: one.value for index, one in desk.heard.analog_outputs.items()} == {0: 3.0, 1: 1.0}


def test_before_the_first_scan_every_point_says_restart() -> None:
    desk = Desk()
    desk.asked(1, READ_ALL)
    assert {one.quality for one in desk.heard.binary_inputs.values()} == {int(Flag.RESTART)}


def test_events_stay_until_they_are_confirmed() -> None:
    desk = Desk()
    desk.scan()
    first = desk.asked(1, READ_ALL)
    assert first[0] & 0x20, "an answer with events asks for a confirmation"
    again = desk.asked(1, "3c0206", sequence=1)
    assert len(parse_response(again).objects) > 0
    desk.confirm(again)
    assert not indications(desk.asked(1, "3c0106", sequence=2)) & IIN.CLASS_1_EVENTS


def test_a_confirmation_of_another_answer_is_not_taken() -> None:
    desk = Desk()
    desk.scan()
    answer = desk.asked(1, "3c0206")
    assert desk.session.answer(bytes([0xC0 | (answer[0] + 1) & 0x0F, 0]), now_s=0.0) is None
    assert indications(desk.asked(1, "3c0106", sequence=2)) & IIN.CLASS_1_EVENTS


def test_each_class_is_read_by_itself_and_indicated() -> None:
    desk = Desk()
    desk.scan()
    for block in ("3c0206", "3c0306", "3c0406"):
        desk.confirm(desk.asked(1, block))
    desk.now_s = 10.0
    desk.field.show(CLOSED, 0.0)  # class 1
    desk.field.show(POSITION, 4.0)  # class 2
    desk.field.show(V, NORMAL[V] + 100.0)  # class 3
    desk.scan()
    waiting = indications(desk.asked(1, "3c0106"))
    assert waiting & (IIN.CLASS_1_EVENTS | IIN.CLASS_2_EVENTS | IIN.CLASS_3_EVENTS) == 0x0E
    groups = []
    for number, block in enumerate(("3c0206", "3c0306", "3c0406")):
        answer = desk.asked(1, block, sequence=number + 1)
        groups.append([(one.header.group, one.header.variation) for one in parse_response(answer).objects])
        desk.confirm(answer)
    # With time: g2v2, g32v4 (16 bits), g32v7 (float32), tables of A.3, A.16.
    assert groups == [[(2, 2)], [(32, 4)], [(32, 7)]]


def test_an_event_carries_the_time_of_its_measurement() -> None:
    desk = Desk()
    desk.now_s = 20.0
    desk.field.show(CLOSED, 0.0, time_s=12.345)
    desk.scan()
    desk.asked(1, "3c0206")
    assert desk.heard.binary_inputs[0].timestamp == START + timedelta(seconds=12.345)
    assert desk.heard.binary_inputs[1].timestamp == START + timedelta(seconds=20.0)


def test_a_dead_band_counts_from_the_last_event() -> None:
    point = Point(kind=PointKind.V_MAGNITUDE, element="b", phase=1, sigma=1.0)
    desk = Desk(with_points(analog=[AnalogInput(index=0, point=point, dead_band=10.0, event_class=1)]))
    told = []
    for value in (100.0, 109.0, 110.0, 110.5, 118.0, 100.4, 100.6):
        desk.field.readings = {point: Reading(value=value)}
        desk.scan()
        answer = desk.asked(1, "3c0206")
        told.append(bool(parse_response(answer).objects))
        desk.confirm(answer)
    # 100 is the first; 110.5 is the first more than 10 from 100; 100.4 the first more than 10 from 110.5.
    assert told == [True, False, False, True, False, True, False]


def test_a_change_of_flags_is_an_event_whatever_the_dead_band() -> None:
    desk = Desk()
    desk.scan()
    desk.confirm(desk.asked(1, READ_ALL))
    desk.field.show(V, NORMAL[V], flags=Flag.ONLINE | Flag.LOCAL_FORCED)
    desk.scan()
    answer = desk.asked(1, "3c0406", sequence=1)
    assert len(parse_response(answer).objects) == 1
    assert desk.heard.analog_inputs[0].quality == Flag.ONLINE | Flag.LOCAL_FORCED


def test_of_too_many_events_the_oldest_are_lost_and_that_is_shown_until_there_is_room() -> None:
    binary = BinaryInput(index=0, point=CLOSED, event_class=1)
    desk = Desk(replace(with_points(binary=[binary]), events_max=3))
    for number in range(5):
        desk.field.show(CLOSED, float(number % 2))
        desk.scan()
    answer = desk.asked(1, "3c0206")
    assert indications(answer) & IIN.EVENT_BUFFER_OVERFLOW
    assert struct.unpack("<H", parse_response(answer).objects[0].data[:2]) == (3,)
    desk.confirm(answer)
    assert not indications(desk.asked(1, "3c0106")) & IIN.EVENT_BUFFER_OVERFLOW


def test_a_long_answer_comes_in_fragments_each_after_the_last_was_confirmed() -> None:
    points = [Point(kind=PointKind.V_MAGNITUDE, element=f"b{n}", phase=1, sigma=1.0) for n in range(300)]
    analog = [AnalogInput(index=n, point=point, dead_band=1.0, event_class=0) for n, point in enumerate(points)]
    desk = Desk(replace(with_points(analog=analog), fragment_max=500))
    desk.field.readings = {point: Reading(value=float(n)) for n, point in enumerate(points)}
    desk.scan()
    answer: bytes | None = desk.asked(1, READ_ALL, sequence=14)
    headers = []
    while answer is not None:
        assert len(answer) <= 500
        headers.append((bool(answer[0] & 0x80), bool(answer[0] & 0x40), bool(answer[0] & 0x20), answer[0] & 0x0F))
        answer = desk.confirm(answer)
        if answer is not None:
            desk.master.process_response(answer)
    # First, final, confirm, sequence: the sequence goes on from the request's, modulo 16 (clause 4.2.2.4.5).
    assert headers[0] == (True, False, True, 14)
    assert headers[1] == (False, False, True, 15)
    assert headers[2][3] == 0
    assert headers[-1][:3] == (False, True, False)
    assert [one.value for _, one in sorted(desk.heard.analog_inputs.items())] == [float(n) for n in range(300)]


def test_a_value_beyond_its_encoding_is_the_limit_and_over_range() -> None:
    point = Point(kind=PointKind.P_FLOW, element="l", phase=1, sigma=1.0)
    analog = AnalogInput(index=5, point=point, dead_band=1.0, scale=100.0, encoding=Encoding.INT16)
    desk = Desk(with_points(analog=[analog]))
    desk.field.readings = {point: Reading(value=-4e6)}
    desk.scan()
    desk.asked(1, "3c0106")
    assert desk.heard.analog_inputs[5].value == -32767.0
    assert desk.heard.analog_inputs[5].quality == Flag.ONLINE | Flag.OVER_RANGE
    desk.field.readings = {point: Reading(value=1.25e6)}
    desk.scan()
    desk.asked(1, "3c0106")
    assert desk.heard.analog_inputs[5].value == 12500.0


def test_a_group_is_read_by_itself_and_an_unknown_one_is_said_to_be() -> None:
    desk = Desk()
    desk.scan()
    answer = desk.asked(1, "010006")
    assert {one.header.group for one in parse_response(answer).objects} == {1}
    assert indications(desk.asked(1, "140006")) & IIN.OBJECT_UNKNOWN


# ---- reports unasked, clause 4.6 -------------------------------------------------------------------------------------


def test_after_a_restart_it_reports_that_first_then_events_once_they_are_enabled() -> None:
    desk = Desk()
    desk.scan()
    started = desk.session.unsolicited(now_s=0.0)
    assert started is not None
    assert (len(parse_response(started).objects), started[1]) == (0, 0x82)
    assert desk.session.unsolicited(now_s=0.0) is None, "one at a time"
    desk.confirm(started)
    assert desk.session.unsolicited(now_s=0.0) is None, "nothing is enabled"
    desk.asked(0x14, "3c0206", sequence=1)
    report = desk.session.unsolicited(now_s=0.0)
    assert report is not None
    assert {one.header.group for one in parse_response(report).objects} == {2}, "class 1 only"
    desk.confirm(report)
    assert desk.session.unsolicited(now_s=0.0) is None


def test_a_report_that_is_not_confirmed_is_sent_again_after_the_time_out() -> None:
    desk = Desk()
    desk.scan()
    first = desk.session.unsolicited(now_s=0.0)
    timeout_s = desk.session.rtu.confirm_timeout_s
    assert desk.session.unsolicited(now_s=timeout_s - 0.001) is None
    again = desk.session.unsolicited(now_s=timeout_s)
    assert first is not None
    assert again is not None
    assert (again[0] & 0x0F) == (first[0] & 0x0F) + 1


def test_an_rtu_without_reports_refuses_to_enable_them() -> None:
    desk = Desk(case_rtu(manners=replace(MANNERS, unsolicited=False)))
    desk.scan()
    assert desk.session.unsolicited(now_s=0.0) is None
    assert indications(desk.asked(0x14, "3c0206")) & IIN.NO_FUNC_CODE_SUPPORT


# ---- indications and time, clauses 4.5 and 10.3 ----------------------------------------------------------------------


def test_restart_is_indicated_until_the_master_clears_it() -> None:
    desk = Desk()
    assert indications(desk.asked(1, "3c0106")) & IIN.DEVICE_RESTART
    assert not indications(desk.asked(2, "500100 07 07 00", sequence=1)) & IIN.DEVICE_RESTART
    # It cannot be set, and no other indication can be written.
    for wrong in ("500100 07 07 01", "500100 05 05 00"):
        assert indications(desk.asked(2, wrong, sequence=2)) & IIN.PARAMETER_ERROR


def test_the_time_written_on_a_lan_is_that_of_the_recorded_request() -> None:
    desk = Desk()
    assert indications(desk.asked(1, "3c0106")) & IIN.NEED_TIME
    desk.now_s = 100.0
    desk.asked(0x18, sequence=1)
    desk.now_s = 130.0
    # The master's clock is an hour ahead of the outstation's when it asks at 100 s.
    written = (START + timedelta(seconds=100.0, hours=1) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        milliseconds=1
    )
    answer = desk.asked(2, "320307 01" + written.to_bytes(6, "little").hex(), sequence=2)
    assert not indications(answer) & (IIN.NEED_TIME | IIN.PARAMETER_ERROR)
    desk.scan()
    desk.asked(1, "3c0206", sequence=3)
    assert desk.heard.binary_inputs[0].timestamp == START + timedelta(seconds=130.0, hours=1)


def test_a_function_that_it_does_not_know_and_noise_are_answered_so() -> None:
    desk = Desk()
    assert indications(desk.asked(0x0D)) & IIN.NO_FUNC_CODE_SUPPORT
    noise = desk.session.answer(b"\xc0", now_s=0.0)
    assert noise is not None
    assert indications(noise) & IIN.PARAMETER_ERROR


def test_an_rtu_that_cannot_be_is_refused_with_every_problem() -> None:
    with pytest.raises(InputError) as refused:
        Rtu(
            name="",
            outstation_address=1,
            master_address=1,
            binary_inputs=(BinaryInput(index=0, point=CLOSED), BinaryInput(index=0, point=CLOSED, event_class=4)),
            select_timeout_s=0.0,
            direct_operate=False,
            unsolicited=False,
        )
    assert [problem.field for problem in refused.value.problems] == [
        "name",
        "outstation_address",
        "select_timeout_s",
        "index",
        "event_class",
    ]
