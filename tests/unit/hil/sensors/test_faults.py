"""The reader of a sensor plan: what it takes, and that it names every problem at once."""

import tomllib

import pytest

import hil.sensors.faults as faults_module
from adms.client import InputError, Quality
from hil.sensors.channel import ChannelPlan, Flag
from hil.sensors.faults import SensorPlan, read_sensor_plan
from hil.sensors.lies import LIES, PhasesSwapped, Scaled, SensorFault
from hil.sensors.terms import Distribution, Span


def read(text: str) -> SensorPlan:
    return read_sensor_plan(tomllib.loads(text))


def problems(text: str) -> set[str]:
    with pytest.raises(InputError) as refused:
        read(text)
    return {str(problem) for problem in refused.value.problems}


def test_nothing_is_an_empty_plan() -> None:
    assert read("") == SensorPlan()


def test_the_example_of_the_module_is_a_plan() -> None:
    text = (faults_module.__doc__ or "").split("```toml")[1].split("```")[0]
    plan = read(text)
    assert len(plan.sensors) == len(plan.scan_classes) == 1
    assert plan.intervals is not None
    assert plan.intervals.report_distribution is Distribution.EXPONENTIAL
    assert plan.faults == (
        SensorFault(point="p_flow_w/switch.x/0/*", span=Span(start_s=120.0, duration_s=300.0), lie=Scaled(factor=10.0)),
    )
    assert plan.channels == (
        ChannelPlan(
            source="gateway",
            latency_s=0.2,
            loss_frac=0.01,
            clock_skew_s=-1.5,
            outages=(Span(start_s=200.0, duration_s=60.0),),
            flags=(Flag(point="v_magnitude_v/*", quality=Quality.SUSPECT, chance_frac=0.05, span=Span()),),
        ),
    )


PARAMETERS = {
    "stuck_at_value": "value = 1",
    "scaled": "factor = -2.5",
    "drift": "drift_per_h = 3.0",
    "phases_swapped": "phases = [1, 2]",
}


@pytest.mark.parametrize("kind", LIES)
def test_every_kind_of_lie_can_be_told(kind: str) -> None:
    (fault,) = read(f'[[sensor_fault]]\npoint = "*"\nkind = "{kind}"\nstart_s = 5\n{PARAMETERS.get(kind, "")}').faults
    assert isinstance(fault.lie, LIES[kind])
    assert fault.kind == kind
    assert fault.span == Span(start_s=5.0)
    if kind == "phases_swapped":
        assert fault.lie == PhasesSwapped(phases=(1, 2))


def test_all_problems_are_told_at_once_each_with_its_place_key_and_value() -> None:
    found = problems("""
        [[sensr]]
        point = "*"
        [[sensor]]
        point = "x"
        dead_band_frac = -0.1
        [[sensor]]
        point = "x"
        dead_band_frac = 0.1
        [[sensor_fault]]
        kind = "scald"
        [[sensor_fault]]
        point = "x"
        kind = "scaled"
        start_s = 0
        factr = 1
        [[sensor_fault]]
        point = "x"
        kind = "phases_swapped"
        start_s = 0
        phases = [1, 1]
        [[sensor_fault]]
        point = "x"
        kind = "stuck_at_value"
        start_s = 0
        duration_s = 0
        value = nan
        [[channel]]
        source = "g"
        jitter_s = "1"
        loss_frac = 2
        reorder_frac = 0.1
        [[channel]]
        source = "g"
        reorder_frac = 0.1
        store_frames = 5
        jitter_s = 1.0
        [[channel.outage]]
        start_s = -1
        [[channel.flag]]
        point = "*"
        quality = "bad"
        chance_frac = 1
        [interval_meters]
        interval_s = 900
        """)
    assert found == {
        "[sensr]: no such table; did you mean sensor?",
        "[[sensor]] 1.dead_band_frac: must be greater than or equal to 0 (given: -0.1)",
        "[[sensor]] 2.refresh_s: must be given with a dead band: without it a steady value is reported once",
        "[[sensor_fault]] 1.kind: no such kind; did you mean scaled? (given: scald)",
        "[[sensor_fault]] 1.start_s: is missing",
        "[[sensor_fault]] 1.point: is missing",
        "[[sensor_fault]] 2.factr: no such key; did you mean factor? (given: 1)",
        "[[sensor_fault]] 2.factor: is missing",
        "[[sensor_fault]] 3.phases: must be two different phases (given: [1, 1])",
        "[[sensor_fault]] 4.duration_s: must be greater than 0 (given: 0)",
        "[[sensor_fault]] 4.value: must be a finite number (given: nan)",
        "[[channel]] 1.jitter_s: must be a valid number (given: '1')",
        "[[channel]] 1.loss_frac: must be less than or equal to 1 (given: 2)",
        "[[channel 2.outage]] 1.start_s: must be greater than or equal to 0 (given: -1)",
        "[[channel 2.flag]] 1.quality: must be one of good, suspect, stale, invalid, missing (given: bad)",
        "[[channel]] 2.jitter_distribution: must be given with a jitter",
        "[[channel]] 2.reorder_delay_s: must be above zero for a frame to be overtaken (given: 0.0)",
        "[[channel]] 2.burst_frames_per_s: must be given with store_frames",
        "[interval_meters].power_sigma_frac: is missing",
        "[interval_meters].report_delay_s: is missing",
        "[interval_meters].report_spread_s: is missing",
        "[interval_meters].report_distribution: is missing",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sensor = 1", "[[sensor]]: must be an array of tables, each under its own [[...]] (given: 1)"),
        ("interval_meters = 1", "[interval_meters]: must be one table (given: 1)"),
        ("[channel]\nsource = 'g'", "[[channel]]: must be an array of tables, each under its own [[...]]"),
        ("[[channel]]\nsource = ''", "[[channel]] 1.source: must have at least 1 character (given: '')"),
        (
            "[[channel]]\nsource = 1979-05-27",
            "[[channel]] 1.source: must not be a date or a time of day (given: 1979-05-27)",
        ),
    ],
)
def test_what_is_no_table_or_no_name_is_refused_in_words(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.startswith(problem)
