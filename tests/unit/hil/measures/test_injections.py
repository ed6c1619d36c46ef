from dataclasses import replace
from math import inf

from adms.client import Point, PointKind
from hil.measures import Injections, injections
from hil.plant.events import PlantEvent
from hil.plant.mismatch import Change
from hil.sensors.faults import SensorPlan, read_sensor_plan
from tests.unit.hil.measures.records import event, trace

POINTS = {
    "gateway": (
        Point(kind=PointKind.P_FLOW, element="switch.s", phase=1, sigma=1.0),
        Point(kind=PointKind.P_FLOW, element="switch.s", phase=2, sigma=1.0),
        Point(kind=PointKind.SWITCH_CLOSED, element="switch.s"),
        Point(kind=PointKind.TAP_POSITION, element="transformer.r1"),
        Point(kind=PointKind.FAULT_INDICATOR, element="switch.s"),
    ),
    "der.a": (Point(kind=PointKind.P_INJECTION, element="der.a", sigma=1.0),),
}


def plan(*faults: dict[str, object]) -> SensorPlan:
    return read_sensor_plan({"sensor_fault": list(faults)})


def made(told: SensorPlan, *, changes: tuple[Change, ...] = (), events: tuple[PlantEvent, ...] = ()) -> Injections:
    """The switch is closed and the tap stands at 2 before the events."""
    run = replace(trace([1.0], events=events), first_positions={"switch.s": 1, "transformer.r1": 2})
    return injections(told, points=POINTS, trace=run, changes=changes, groups={"transformer.r1": "group.r"}, defects=())


def test_every_point_that_a_fault_means_lies_and_no_other() -> None:
    found = made(
        plan(
            {"point": "p_flow_w/switch.s/0/*", "kind": "scaled", "factor": 10.0, "start_s": 5.0, "duration_s": 3.0},
            {"point": "p_*", "source": "der.*", "kind": "sign_flipped", "start_s": 7.0},
        )
    )
    assert [(p.point, p.start_s, p.end_s, p.to_be_named) for p in found.points] == [
        ("p_flow_w/switch.s/0/1", 5.0, 8.0, True),
        ("p_flow_w/switch.s/0/2", 5.0, 8.0, True),
        ("p_injection_w/der.a/0/0", 7.0, inf, True),
    ]
    assert found.positions == ()


def test_what_cannot_be_found_out_by_others_need_not_be_named() -> None:
    found = made(
        plan(
            {"point": "p_flow_w/switch.s/0/1", "kind": "nan", "start_s": 0.0},
            {"point": "p_flow_w/switch.s/0/2", "kind": "time_frozen", "start_s": 0.0},
            {"point": "fault_indicator/*", "kind": "inverted", "start_s": 0.0},
        )
    )
    assert [p.to_be_named for p in found.points] == [False, False, False]


def test_a_position_that_lies_is_wrong_and_a_regulator_goes_by_its_group_too() -> None:
    found = made(
        plan(
            {"point": "switch_closed/switch.s/0/0", "kind": "inverted", "start_s": 5.0, "duration_s": 10.0},
            {"point": "tap_position/*", "kind": "stuck_at_value", "value": 3.0, "start_s": 8.0},
        )
    )
    assert [(w.device, w.also, w.start_s, w.end_s) for w in found.positions] == [
        ("switch.s", "", 5.0, 15.0),
        ("transformer.r1", "group.r", 8.0, inf),
    ]


def test_a_contact_that_stands_still_is_wrong_from_the_first_move_on() -> None:
    stuck = plan({"point": "switch_closed/switch.s/0/0", "kind": "stuck_at_last", "start_s": 5.0, "duration_s": 20.0})
    assert made(stuck).positions == ()
    moves = (event(2.0, "switch.s", "opened"), event(9.0, "switch.other", "opened"), event(12.0, "switch.s", "closed"))
    assert [(w.start_s, w.end_s) for w in made(stuck, events=moves).positions] == [(12.0, 25.0)]
    assert made(stuck, events=(event(30.0, "switch.s", "opened"),)).positions == ()


def test_a_position_told_right_by_chance_is_no_lie() -> None:
    stuck = plan({"point": "tap_position/*", "kind": "stuck_at_value", "value": 3.0, "start_s": 5.0})
    # 2 until 20 s, 3 until 40 s, 4 until 60 s, then 3 for good: told right from 20 to 40 s and from 60 s on.
    moves = tuple(
        event(t, "transformer.r1", "tap", text)
        for t, text in ((20.0, "+2 -> +3"), (40.0, "+3 -> +4"), (60.0, "+4 -> +3"))
    )
    assert [(w.start_s, w.end_s) for w in made(stuck, events=moves).positions] == [(5.0, 60.0)]
    right = plan({"point": "switch_closed/switch.s/*", "kind": "stuck_at_value", "value": 1.0, "start_s": 5.0})
    found = made(right)
    assert found.positions == ()
    assert [p.to_be_named for p in found.points] == [False]
    opened = made(right, events=(event(9.0, "switch.s", "opened"),))
    assert [(p.start_s, p.to_be_named) for p in opened.points] == [(9.0, True)]


def test_a_switch_of_a_mismatch_is_wrong_until_it_first_moves() -> None:
    changes = (
        Change(kind="switch", element="switch.s", told="closed", true="open"),
        Change(kind="line_length", element="line.x", told="1", true="1.1"),
    )
    found = made(SensorPlan(), changes=changes, events=(event(12.0, "switch.s", "closed"),))
    assert [(w.device, w.start_s, w.end_s, w.text) for w in found.positions] == [
        ("switch.s", 0.0, 12.0, "is open, told closed")
    ]
