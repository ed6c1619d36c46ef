"""Select before operate at an outstation, in virtual time. Clauses and tables are those of IEEE 1815-2012."""

from dataclasses import replace

import pytest
from dnp3.core.enums import CommandStatus
from dnp3.core.flags import IIN

from adms.client import SwitchSetpoint, TapSetpoint
from tests.unit.hil.dnp3_case import MANNERS, SWITCH, TAP, case_rtu
from tests.unit.hil.dnp3_desk import (
    CLOSE,
    DIRECT,
    DIRECT_SILENT,
    OPERATE,
    READ_ALL,
    SELECT,
    TAP_MINUS_7,
    TRIP,
    Desk,
    indications,
)

# ---- select before operate, clause 4.4.4 -----------------------------------------------------------------------------


def test_an_operate_within_the_time_out_is_carried_out_once() -> None:
    desk = Desk()
    assert desk.statuses(SELECT, TRIP, sequence=1) == [CommandStatus.SUCCESS]
    desk.now_s = MANNERS.select_timeout_s
    assert desk.statuses(OPERATE, TRIP, sequence=2) == [CommandStatus.SUCCESS]
    assert desk.field.operated == [(SWITCH, SwitchSetpoint(closed=False))]


def test_an_operate_after_the_time_out_is_answered_timeout() -> None:
    desk = Desk()
    desk.asked(SELECT, TRIP, sequence=1)
    desk.now_s = MANNERS.select_timeout_s + 0.001
    assert desk.statuses(OPERATE, TRIP, sequence=2) == [CommandStatus.TIMEOUT]
    assert desk.field.operated == []


@pytest.mark.parametrize(
    ("operated", "sequence", "between"),
    [
        pytest.param(CLOSE, 2, None, id="another control"),
        pytest.param(TRIP, 3, None, id="a sequence left out"),
        pytest.param(TRIP, 2, 1, id="a read in between"),
    ],
)
def test_an_operate_that_does_not_follow_its_select_is_answered_no_select(
    operated: str, sequence: int, between: int | None
) -> None:
    desk = Desk()
    desk.asked(SELECT, TRIP, sequence=1)
    if between is not None:
        desk.asked(between, READ_ALL, sequence=5)
    assert desk.statuses(OPERATE, operated, sequence=sequence) == [CommandStatus.NO_SELECT]
    assert desk.field.operated == []


def test_an_operate_without_a_select_or_on_a_new_connection_is_answered_no_select() -> None:
    desk = Desk()
    assert desk.statuses(OPERATE, TRIP, sequence=2) == [CommandStatus.NO_SELECT]
    desk.asked(SELECT, TRIP, sequence=3)
    desk.session.connected()
    assert desk.statuses(OPERATE, TRIP, sequence=4) == [CommandStatus.NO_SELECT]
    assert desk.field.operated == []


def test_a_selection_is_used_once() -> None:
    desk = Desk()
    desk.asked(SELECT, TRIP, sequence=1)
    desk.asked(OPERATE, TRIP, sequence=2)
    assert desk.statuses(OPERATE, TRIP, sequence=3) == [CommandStatus.NO_SELECT]
    assert len(desk.field.operated) == 1


def test_an_operate_that_is_repeated_because_its_answer_was_lost_is_answered_and_not_done_again() -> None:
    desk = Desk()
    desk.asked(SELECT, TRIP, sequence=1)
    first = desk.asked(OPERATE, TRIP, sequence=2)
    assert desk.ask(OPERATE, TRIP, sequence=2) == first
    assert len(desk.field.operated) == 1


def test_one_object_that_is_refused_arms_none() -> None:
    desk = Desk()
    both = "0c0128 0200 0000 81 01 64000000 00000000 00 0700 81 01 64000000 00000000 00"
    assert desk.statuses(SELECT, both, sequence=1) == [CommandStatus.SUCCESS, CommandStatus.NOT_SUPPORTED]
    assert desk.statuses(OPERATE, both, sequence=2) == [CommandStatus.NO_SELECT] * 2
    assert desk.field.operated == []


def test_objects_beyond_what_one_request_may_carry_are_too_many() -> None:
    desk = Desk(replace(case_rtu(), controls_max=1))
    two = "0c0128 0200 0000 81 01 64000000 00000000 00 0000 81 01 64000000 00000000 00"
    assert desk.statuses(SELECT, two, sequence=1) == [CommandStatus.SUCCESS, CommandStatus.TOO_MANY_OBJS]


def test_direct_operate_is_refused_unless_it_is_allowed() -> None:
    desk = Desk()
    assert desk.statuses(DIRECT, TRIP, sequence=1) == [CommandStatus.NOT_SUPPORTED]
    assert desk.ask(DIRECT_SILENT, TRIP, sequence=2) is None
    assert desk.field.operated == []
    desk = Desk(case_rtu(manners=replace(MANNERS, direct_operate=True)))
    assert desk.statuses(DIRECT, TRIP, sequence=1) == [CommandStatus.SUCCESS]
    assert desk.ask(DIRECT_SILENT, CLOSE, sequence=2) is None
    assert [what for _, what in desk.field.operated] == [SwitchSetpoint(closed=False), SwitchSetpoint(closed=True)]


@pytest.mark.parametrize(
    "control",
    [
        pytest.param("03 01", id="latch on, of a trip and close pair"),
        pytest.param("01 01", id="pulse without trip or close"),
        pytest.param("41 02", id="two pulses"),
        pytest.param("61 01", id="clear"),
        pytest.param("51 01", id="queue"),
        pytest.param("0f 01", id="an operation that is not defined"),
    ],
)
def test_a_control_code_that_means_nothing_here_is_not_supported(control: str) -> None:
    desk = Desk()
    block = f"0c0128 0100 0000 {control} 64000000 00000000 00"
    assert desk.statuses(SELECT, block, sequence=1) == [CommandStatus.NOT_SUPPORTED]
    assert desk.field.asked == []


@pytest.mark.parametrize(
    "status",
    [
        CommandStatus.LOCAL,
        CommandStatus.ALREADY_ACTIVE,
        CommandStatus.HARDWARE_ERROR,
        CommandStatus.BLOCKED,
        CommandStatus.OUT_OF_RANGE,
    ],
)
def test_what_the_field_answers_is_the_status(status: CommandStatus) -> None:
    desk = Desk()
    desk.field.answer = status
    assert desk.statuses(SELECT, TRIP, sequence=1) == [status]
    assert desk.statuses(OPERATE, TRIP, sequence=2) == [CommandStatus.NO_SELECT]


def test_a_setpoint_on_an_analog_output_moves_the_tap_and_half_a_step_is_out_of_range() -> None:
    desk = Desk()
    desk.asked(SELECT, TAP_MINUS_7, sequence=1)
    assert desk.statuses(OPERATE, TAP_MINUS_7, sequence=2) == [CommandStatus.SUCCESS]
    assert desk.field.operated == [(TAP, TapSetpoint(position=-7))]
    half = "290328 0100 0000 0000003f 00"  # 0.5 as float32
    assert desk.statuses(SELECT, half, sequence=3) == [CommandStatus.OUT_OF_RANGE]


def test_a_control_that_is_cut_short_or_of_another_group_is_a_parameter_error() -> None:
    desk = Desk()
    for objects in ("0c0128 0100 0000 81 01", "0a0228 0100 0000 81", "0c0106"):
        assert indications(desk.asked(SELECT, objects, sequence=1)) & IIN.PARAMETER_ERROR
    assert desk.field.asked == []
