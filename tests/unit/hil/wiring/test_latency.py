import pytest

from hil.wiring.latency import Latencies


def test_the_way_is_measured_from_the_newest_reading_that_the_round_could_know() -> None:
    seen = Latencies()
    seen.read("der.a", [8.7, 9.2, 9.9, 10.4])
    seen.round(10.0, devices=["der.a"])
    seen.actuated("der.a", path="sunspec", time_s=10.5)
    (passage,) = seen.passages
    assert passage.measured_s == 9.9
    assert passage.sensor_to_actuator_s == pytest.approx(0.6)
    assert passage.decision_to_actuator_s == pytest.approx(0.5)


def test_a_slow_way_answers_the_first_decision_and_not_the_last() -> None:
    seen = Latencies()
    seen.read("der.a", [9.0, 10.0, 11.0])
    for time_s in (10.0, 11.0):
        seen.round(time_s, devices=["der.a"])
    seen.actuated("der.a", path="sunspec", time_s=11.5)
    assert [passage.decision_to_actuator_s for passage in seen.passages] == [1.5]
    assert seen.unanswered == 0


def test_a_decision_for_what_stands_already_is_no_slow_command() -> None:
    seen = Latencies()
    seen.read("der.a", [6.0, 7.0, 10.9])
    seen.round(7.0, devices=["der.a"])
    seen.checked("der.a", [7.2])
    seen.round(11.0, devices=["der.a"])
    seen.actuated("der.a", path="sunspec", time_s=11.1)
    assert [round(passage.decision_to_actuator_s, 3) for passage in seen.passages] == [0.1]
    assert seen.stood == 1


def test_a_write_that_no_round_asked_for_counts_for_nothing() -> None:
    seen = Latencies()
    seen.read("der.a", [9.0])
    seen.actuated("der.a", path="sunspec", time_s=9.5)
    seen.round(10.0, devices=["der.a", "der.b"])
    assert seen.passages == []
    assert seen.unanswered == 2


def test_percentiles_are_by_path() -> None:
    seen = Latencies()
    for k in range(1, 101):
        for path, delay_s in (("grpc", 0.001 * k), ("dnp3", 0.002 * k)):
            name = f"{path}{k}"
            seen.read(name, [5.0])
            seen.round(5.0, devices=[name])
            seen.actuated(name, path=path, time_s=5.0 + delay_s)
    found = seen.summary()
    assert list(found) == ["dnp3", "grpc"]
    # Of 1 to 100 ms: between the 50th and the 51st value.
    assert found["grpc"].p50_s == pytest.approx(0.0505)
    assert found["dnp3"].worst_s == pytest.approx(0.2)
    assert found["dnp3"].commands == 100
