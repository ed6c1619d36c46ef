"""What the kit concludes from what it saw, without a client."""

from math import inf, nan

import pytest

from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2
from adms.wire.telemetry.v1 import telemetry_pb2 as pb
from hil.conformance.connection_rules import storm
from hil.conformance.levels import DeviceUnderTest, device_under_test, two_levels
from hil.conformance.rulebook import FULL
from hil.conformance.run import find_device
from hil.conformance.seen import Seen, SeenFrame, SeenSource, code_name, frame_fault
from hil.conformance.telemetry_rules import disorder


def device(*, p_min_w: float = -100e3, p_max_w: float = 100e3, default_p_w: float = 0.0) -> DeviceUnderTest:
    return DeviceUnderTest(
        device_id="der.x",
        controller_id="x",
        s_max_va=100e3,
        p_max_w=p_max_w,
        p_min_w=p_min_w,
        q_max_var=44e3,
        ramp_w_per_s=nan,
        default_p_w=default_p_w,
        default_q_var=0.0,
    )


def test_levels_are_apart_from_each_other_and_from_the_default() -> None:
    # Nine tenths and one tenth of the range of ±100 kW, by hand.
    assert two_levels(device(), tolerance_w=5e3, p_available_w=nan) == (80e3, -80e3)


def test_a_plant_without_sun_is_not_asked_for_more_than_there_is() -> None:
    pv = device(p_min_w=0.0, default_p_w=nan)
    found = two_levels(pv, tolerance_w=5e3, p_available_w=50e3)
    # Of 0 to 50 kW, and apart from 50 kW, where a PV goes by itself: 25 and 5 kW, or 5 and 25.
    assert found is not None
    assert sorted(found) == [5e3, 25e3]


def test_a_range_too_narrow_for_the_tolerance_has_no_levels() -> None:
    # Three tolerances apart are 15 kW; 18 kW have five candidates within 14.4 kW.
    assert two_levels(device(p_min_w=0.0, p_max_w=18e3), tolerance_w=5e3, p_available_w=nan) is None


def test_what_a_registration_leaves_out_is_no_zero() -> None:
    found = device_under_test(control_pb2.Device(device_id="der.x"), controller_id="x")
    assert str(found.ramp_w_per_s) == "nan"
    assert str(found.default_p_w) == "nan"
    assert two_levels(found, tolerance_w=0.0, p_available_w=nan) is None


@pytest.mark.parametrize("ramp_w_per_s", [1e-300, 0.0, -5.0, nan, inf])
def test_a_wait_for_a_ramp_is_bounded(ramp_w_per_s: float) -> None:
    can = control_pb2.DerCapability(s_max_va=1e5, p_max_w=1e5, ramp_w_per_s=ramp_w_per_s)
    found = device_under_test(control_pb2.Device(device_id="der.x", capability=can), controller_id="x")
    assert 0.0 <= found.reach_s(1e5) <= 3600.0


def test_the_device_under_test_is_the_named_der_or_the_first() -> None:
    switch = control_pb2.Device(device_id="sw", device_class=control_pb2.DEVICE_CLASS_SWITCH)
    der = control_pb2.Device(device_id="der", device_class=control_pb2.DEVICE_CLASS_DER)
    registrations = [control_pb2.Registration(controller_id="c", devices=[switch, der])]
    first, named = find_device(registrations, device_id=""), find_device(registrations, device_id="der")
    assert first is not None
    assert first.device_id == "der"
    assert named == first
    assert find_device(registrations, device_id="sw") is None


def test_a_client_that_doubles_its_waits_is_no_storm_and_one_that_does_not_is() -> None:
    # After the loss: 0.05 s doubling to 2 s, the back-off of adms.client without its jitter.
    doubling = [0.05, 0.15, 0.35, 0.75, 1.55, 3.15, 5.15]
    assert storm(doubling, began_s=0.0, for_s=6.0) is None
    steady = [0.1 * number for number in range(60)]
    # Five a second for 3 s, then two a second for 3 s.
    assert storm(steady, began_s=0.0, for_s=6.0) == (
        "at most 15 attempts in the first 3 s and 6 in the next",
        "30 and 30",
    )
    assert storm([0.4 * number for number in range(15)], began_s=0.0, for_s=6.0) is not None
    assert storm(steady, began_s=0.0, for_s=6.0, streams=5) is None


def frame(sequence: int, *, at_s: float = 0.0, stream: int = 1, repeated: bool = False) -> SeenFrame:
    return SeenFrame(sequence=sequence, measure_s=at_s, arrival_s=at_s, stream=stream, repeated=repeated, fault="")


def test_frames_in_order_are_in_order_also_over_a_reconnect() -> None:
    frames = [frame(1), frame(2, at_s=1.0), frame(2, at_s=1.0, stream=2, repeated=True), frame(3, at_s=1.0, stream=2)]
    assert disorder(frames, first=1) is None


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([frame(2)], "sequence 1 next"),
        ([frame(1), frame(3)], "sequence 2 next"),
        ([frame(1, at_s=5.0), frame(2, at_s=4.0)], "order of their measure_time"),
    ],
)
def test_a_gap_and_a_step_back_are_disorder(frames: list[SeenFrame], expected: str) -> None:
    found = disorder(frames, first=1)
    assert found is not None
    assert expected in found[0]


def test_where_counting_began_unseen_it_may_begin_anywhere() -> None:
    assert disorder([frame(7), frame(8)], first=None) is None


def a_frame(**columns: object) -> pb.Frame:
    return pb.Frame(measure_time={"seconds": 1}, **columns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"point_index": [0, 1], "value": [1.0]}, "2 indices for 1 values"),
        ({"point_index": [0], "value": [1.0], "quality": [1, 1]}, "2 qualities for 1 values"),
        ({"point_index": [2], "value": [1.0]}, "index 2 although 2 points are declared"),
        ({"point_index": [1], "value": [nan]}, "point 1 is nan and said to be GOOD"),
        ({"point_index": [1], "value": [inf], "quality": [1]}, "point 1 is inf and said to be GOOD"),
        ({"point_index": [1], "value": [nan], "quality": [4]}, ""),
        ({"point_index": [0, 1], "value": [1.0, 2.0]}, ""),
    ],
)
def test_columns_that_do_not_fit_are_a_fault(columns: dict[str, object], fault: str) -> None:
    assert frame_fault(a_frame(**columns), points=2) == fault


def test_an_output_is_the_sum_of_its_phases_and_unknown_where_one_is_not_good() -> None:
    seen = Seen(now_s=lambda: 10.0)
    points = [pb.Point(kind=pb.POINT_KIND_P_INJECTION_W, element="der.x", phase=phase) for phase in (1, 2, 3)]
    source = SeenSource(source_id="m", instance_epoch=1, points=points)
    good, bad = common_pb2.QUALITY_GOOD, common_pb2.QUALITY_SUSPECT
    seen.take_frame(source, a_frame(sequence=1, point_index=[0, 1, 2], value=[1.0, 2.0, 4.0]), stream=1)
    seen.take_frame(source, a_frame(sequence=2, point_index=[1], value=[3.0], quality=[good]), stream=1)
    seen.take_frame(source, a_frame(sequence=3, point_index=[1], value=[3.0], quality=[bad]), stream=1)
    assert [sample.p_w for sample in seen.samples["der.x"]][:2] == [7.0, 8.0]
    assert str(seen.samples["der.x"][2].p_w) == "nan"


def test_a_frame_that_comes_again_is_no_new_sample() -> None:
    seen = Seen(now_s=lambda: 10.0)
    point = pb.Point(kind=pb.POINT_KIND_P_INJECTION_W, element="der.x")
    source = SeenSource(source_id="m", instance_epoch=1, points=[point])
    for stream in (1, 2):
        seen.take_frame(source, a_frame(sequence=1, point_index=[0], value=[1.0]), stream=stream)
    assert len(seen.samples["der.x"]) == 1
    assert [frame.repeated for frame in source.frames] == [False, True]


def test_a_code_of_a_later_version_is_shown_as_its_number() -> None:
    assert code_name(common_pb2.OUTCOME_CODE_STALE_EPOCH) == "STALE_EPOCH"
    assert code_name(99) == "99"


def test_each_rule_has_an_id_of_its_own_and_says_where_it_comes_from() -> None:
    assert len({rule.rule_id for rule in FULL}) == len(FULL)
    places = (".proto", "SAFETY", "DESIGN", "AIP-", "IEEE")
    assert [rule.rule_id for rule in FULL if not any(place in rule.source for place in places)] == []
