from dataclasses import asdict
from math import isnan

import pytest

from adms.client import InputError
from hil.measures import MEASURES, FrameCount, Verdict, check_names, examine, held, judge
from hil.scenario import AcceptanceLimit
from tests.unit.hil.bench_case import scenario
from tests.unit.hil.measures.records import found, trace

LOST = found(frames=(FrameCount(source_id="gateway", sent=10, used=8, used_twice=0),), trace=trace([1.0], off=[3]))


def limit(name: str, value: float, *, shortfall: str = "") -> dict[str, AcceptanceLimit]:
    return {name: AcceptanceLimit(name=name, limit=value, reason="because", shortfall=shortfall)}


def test_exactly_the_entries_of_the_scenario_are_judged_in_its_order() -> None:
    entries = {**limit("customers_off_at_end", 3.0), **limit("frames_lost", 1.0), **limit("frames_twice", 0.0)}
    checks = judge(LOST, limits=entries)
    assert [check.name for check in checks] == ["customers_off_at_end", "frames_lost", "frames_twice"]
    assert [check.held for check in checks] == [True, False, True]
    assert [check.verdict for check in checks] == [Verdict.HELD, Verdict.BROKEN, Verdict.HELD]
    assert not held(checks)
    assert checks[1].value == 2.0
    assert checks[1].reason == "because"


def test_a_good_thing_must_be_at_least_its_limit_and_a_bad_one_at_most() -> None:
    run = found(trace=trace([1.0], v=[[1.0, 0.9]]))  # half of the node-scans
    good = {value: judge(run, limits=limit("voltage_ok_frac_min", value))[0].held for value in (0.5, 0.6)}
    assert good == {0.5: True, 0.6: False}
    bad = {value: judge(LOST, limits=limit("frames_lost", value))[0].held for value in (2.0, 1.9)}
    assert bad == {2.0: True, 1.9: False}


def test_what_was_not_judged_never_holds_whatever_the_limit() -> None:
    nothing = found()
    unjudged = [
        name
        for name, measure in MEASURES.items()
        if isnan((finding := measure.find(nothing)).value) and finding.applies
    ]
    assert len(unjudged) > len(MEASURES) // 2
    for value in (-1e300, 1e300):
        entries = {key: entry for name in unjudged for key, entry in limit(name, value).items()}
        checks = judge(nothing, limits=entries)
        assert [check.name for check in checks] == unjudged
        assert {check.verdict for check in checks} == {Verdict.BROKEN}


def test_a_question_that_does_not_arise_is_left_out_with_its_reason() -> None:
    judgement = examine(found(service_gone=True), limits={**limit("frames_lost", 0.0), **limit("frames_twice", 0.0)})
    assert [check.name for check in judgement.checks] == ["frames_twice"]
    assert [one.name for one in judgement.left_out] == ["frames_lost"]
    assert "the service was gone" in judgement.left_out[0].reason


def test_a_run_of_which_nothing_was_judged_does_not_pass() -> None:
    judgement = examine(found(service_gone=True), limits=limit("frames_lost", 0.0))
    assert judgement.checks == ()
    assert not judgement.held


def test_a_shortfall_that_does_not_hold_is_open_and_fails_nothing() -> None:
    entries = {**limit("frames_lost", 0.0, shortfall="not yet"), **limit("frames_twice", 0.0)}
    judgement = examine(LOST, limits=entries)
    (open_one,) = judgement.open_shortfalls
    assert open_one.verdict is Verdict.OPEN_SHORTFALL
    assert not open_one.held
    assert open_one.shortfall == "not yet"
    assert judgement.held


def test_a_shortfall_that_holds_can_be_closed() -> None:
    (check,) = judge(LOST, limits=limit("frames_lost", 2.0, shortfall="not yet"))
    assert check.verdict is Verdict.SHORTFALL_CLOSED
    assert check.held
    assert asdict(check)["verdict"] == "shortfall closed"


def test_unknown_names_are_refused_all_at_once_with_the_nearest_ones() -> None:
    with pytest.raises(InputError) as refused:
        check_names(["frames_lost", "voltage_ok_frac", "zzz"])
    first, second = refused.value.problems
    assert first.value == "voltage_ok_frac"
    assert "voltage_ok_frac_min" in first.message
    assert second.value == "zzz"
    assert "there are: " in second.message
    with pytest.raises(InputError, match="frame_lost"):
        judge(LOST, limits=limit("frame_lost", 0.0))


def test_the_demonstration_s_own_limits_are_all_measures() -> None:
    check_names(scenario().acceptance)
