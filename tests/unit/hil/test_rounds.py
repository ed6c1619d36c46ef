import pytest

from adms.adapters.grpc_api.insight_proto import point_name
from adms.client import Grade, Mode, Point, PointKind
from adms.core.ids import ElementId
from adms.core.positions import Standing
from adms.core.telemetry import PointKey
from hil.rounds import RoundLog, point_in_plan_words
from hil.sensors.meter import name_of
from tests.unit.hil.measures.records import log, position, report


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("phase", [0, 3, 12])
@pytest.mark.parametrize("element", ["line.sw 2", "transformer.reg1a"])
def test_points_named_by_the_service_are_the_points_of_a_scenario(element: str, side: int, phase: int) -> None:
    key = PointKey(kind=PointKind.P_FLOW, element=ElementId(element), side=side, phase=phase)
    declared = Point(kind=PointKind.P_FLOW, element=element, side=side, phase=phase)
    assert point_in_plan_words(point_name(key)) == name_of(declared)


def test_words_that_are_no_point_are_refused() -> None:
    with pytest.raises(ValueError, match=r"names a point that is none: 'line\.x'"):
        point_in_plan_words("line.x")


def test_a_round_keeps_what_it_said() -> None:
    news = report(
        4.0,
        grade=Grade.PARTIAL,
        mode=Mode.ADVISE,
        rejected=("p_flow_w line.x side 1 phase 2",),
        positions=[position("switch.s"), position("switch.t", standing=Standing.AS_REPORTED)],
        apps=("voltvar", "dispatch", "voltvar"),
        estimate_ms=7.0,
        round_ms=9.0,
    )
    (one,) = log(news)
    assert (one.time_s, one.service_up, one.grade, one.mode) == (4.0, True, Grade.PARTIAL, Mode.ADVISE)
    assert one.rejected == {"p_flow_w/line.x/1/2"}
    assert one.wrong_positions == {"switch.s"}
    assert one.commands == {"voltvar": 2, "dispatch": 1}
    assert (one.estimate_ms, one.round_ms) == (7.0, 9.0)
    assert one.trusted


def test_a_round_that_did_not_come_is_none_to_trust() -> None:
    due, down = log(2.0, down=(4.0,))
    assert due.service_up
    assert not down.service_up
    for one in (due, down):
        assert one.grade is None
        assert not one.trusted
        assert one.commands == {}


def test_a_device_is_named_by_its_whole_id_only() -> None:
    ids = ("der.pv", "der.pv_1", "pv")
    (one,) = log(report(1.0, notes=(("dispatch", "limit not held: der.pv_1, der.pv.; der.pv_12"),)), devices=ids)
    assert one.noticed == {"der.pv_1", "der.pv"}


def test_equal_sets_of_a_day_are_one_object() -> None:
    rounds = RoundLog()
    for k in range(3):
        rounds.take(report(float(k), rejected=("p_flow_w line.x phase 2",)), time_s=float(k))
    assert len({id(one.rejected) for one in rounds}) == 1
    assert len({id(one.noticed) for one in rounds}) == 1
