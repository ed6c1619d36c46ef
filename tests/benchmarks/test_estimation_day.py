"""A day of scans, one a second of virtual time, on the 123-bus feeder and on SimBench's rural grid: drop-outs, silent
remote units, late interval meters, two regulator moves an hour, the forecast as prior. Collected with
`--benchmark-enable`; tables with `-s`; `--day-seconds` for less than a day, `--day-seed` for another one.

Beliefs: 40 % of each load independent, 15 % of each class common, around class profiles. On 123 the truth is drawn
from them; on SimBench it is SimBench's series with the 40 % on top, so that there the class part of the belief is as
right as it happens to be.
"""

from functools import cache

import numpy as np
import pytest

from tests.estimation_study.day import DayResult, run_day
from tests.estimation_study.day_feeders import DAY_S, ieee_123, simbench_rural
from tests.estimation_study.day_hours import HEADINGS

FEEDERS = {"123": ieee_123, "simbench": simbench_rural}
SCANS_PER_H = 3600


@pytest.fixture(scope="session")
def day_seconds(request: pytest.FixtureRequest) -> int:
    """Length of the day."""
    return min(max(int(request.config.getoption("--day-seconds")), 600), DAY_S)


@pytest.fixture(scope="session")
def day_seed(request: pytest.FixtureRequest) -> int:
    """Of everything that is drawn."""
    return int(request.config.getoption("--day-seed"))


@cache
def day(name: str, seconds: int, seed: int) -> DayResult:
    feeder = FEEDERS[name](np.random.default_rng(seed))
    print(f"\n{feeder.name}: {feeder.arrays.node_count} nodes, {len(feeder.keys)} points, {seconds} scans, seed {seed}")
    print("\n".join(HEADINGS))
    found = run_day(feeder, seed=seed, seconds=seconds, show=print)
    print("\n".join(found.lines()))
    return found


@pytest.fixture(params=FEEDERS)
def whole(request: pytest.FixtureRequest, day_seconds: int, day_seed: int) -> DayResult:
    """The day of a feeder; run once."""
    return day(request.param, day_seconds, day_seed)


def test_every_scan_of_a_day_has_a_picture(whole: DayResult, day_seconds: int) -> None:
    assert whole.refused == []
    assert sum(hour.scans for hour in whole.hours) == day_seconds
    assert sum(hour.counts[0] for hour in whole.hours) == day_seconds  # every voltage of every picture is a number


def test_the_day_had_what_it_should_have(whole: DayResult) -> None:
    full = [hour for hour in whole.hours if hour.scans == SCANS_PER_H]
    assert all(hour.moves == 2 for hour in full)
    assert sum(hour.silent for hour in whole.hours) > 0


def test_the_error_is_below_that_of_power_flows_on_class_profiles_in_every_hour(whole: DayResult) -> None:
    for hour in whole.hours:
        estimate, _, _, flow, told = hour.rms[:5]
        assert estimate < flow
        assert estimate < told


def test_learning_brings_single_loads_nearer_than_class_profiles_do(whole: DayResult) -> None:
    on_forecast, on_profiles, forecast, profiles = whole.rms[5:]
    assert on_forecast < on_profiles
    assert forecast < profiles
