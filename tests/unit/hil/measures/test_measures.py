"""Every measure on records made by hand."""

from math import isnan

import pytest

from hil.measures import MEASURES, Bound
from tests.unit.hil.measures.cases import feeder, fleet, plain, service
from tests.unit.hil.measures.records import Case

CASES = (*plain.CASES, *service.CASES, *feeder.CASES, *fleet.CASES)
UNITS = {
    "_frac": "1",
    "_frac_min": "1",
    "_frac_max": "1",
    "_ratio": "1",
    "_s": "s",
    "_s_max": "s",
    "_pu": "pu",
    "_w": "W",
    "_kwh": "kWh",
    "_ms": "ms",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}: {case.says}")
def test_a_measure_finds_in_a_record_made_by_hand_what_is_in_it(case: Case) -> None:
    finding = MEASURES[case.name].find(case.found)
    assert finding.value == pytest.approx(case.value, rel=1e-12, abs=1e-12, nan_ok=True)
    assert case.words in finding.text
    assert finding.text
    assert finding.applies == case.applies


def test_no_measure_is_without_a_case_that_it_counts_in() -> None:
    counted = {case.name for case in CASES if not isnan(case.value)}
    assert counted == set(MEASURES)


def test_no_measure_that_can_have_nothing_to_judge_is_without_a_case_of_that() -> None:
    # Counts of what is handed over, zero where nothing is: frames, unsafe operations, steps without a solution.
    always = {"frames_twice", "unsafe_commands", "plant_unsolved"}
    unjudged = {case.name for case in CASES if isnan(case.value)}
    assert unjudged == set(MEASURES) - always


def test_a_name_says_its_unit_and_a_measure_says_what_it_is() -> None:
    for name, measure in MEASURES.items():
        assert measure.name == name
        assert measure.what
        assert measure.what == measure.what.strip().rstrip(".")
        assert "\n" not in measure.what
        endings = [unit for ending, unit in UNITS.items() if name.endswith(ending)]
        assert all(unit == measure.unit for unit in endings), name
    assert {measure.bound for measure in MEASURES.values()} == set(Bound)
