"""Positions as reported: good values count, anything else is not known, nobody's word is no word."""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.ids import ElementId
from adms.core.telemetry import PointKey, PointKind, Quality, TelemetrySnapshot
from adms.grid.reported import ReportedGrid, reported_grid
from adms.grid.state import normal_state
from tests.unit.estimation.scans import snapshot
from tests.unit.powerflow.networks import arrays_of, four_buses

SWITCH = ElementId("line.s23")
TIE = ElementId("line.t35")
ARRAYS = arrays_of(four_buses())
NORMAL = normal_state(ARRAYS.model)


def reported(value: float) -> TelemetrySnapshot:
    """The position of `SWITCH`; the tie has no point."""
    key = PointKey(kind=PointKind.SWITCH_CLOSED, element=SWITCH)
    return snapshot(ARRAYS, [key], value=np.array([value]), sigma=np.array([np.nan]))


def taken(snap: TelemetrySnapshot) -> ReportedGrid:
    """With a limit of 10 s."""
    return reported_grid(snap, arrays=ARRAYS, previous=NORMAL, max_age_s=10.0)


def test_a_good_position_replaces_the_previous_one() -> None:
    got = taken(reported(0.0))
    assert got.grid.closed[SWITCH] is False
    assert got.unknown == frozenset()


def test_nothing_moved_gives_the_previous_state_itself() -> None:
    assert taken(reported(1.0)).grid is NORMAL


def test_a_device_without_a_point_keeps_its_position_and_is_not_unknown() -> None:
    got = taken(reported(0.0))
    assert got.grid.closed[TIE] is False
    assert TIE not in got.unknown


@pytest.mark.parametrize("value", [np.nan, 0.5, 2.0, -1.0])
def test_an_impossible_position_is_not_known_and_the_previous_one_stays(value: float) -> None:
    got = taken(reported(value))
    assert got.unknown == frozenset({SWITCH})
    assert got.grid.closed[SWITCH] is True


def test_a_stale_or_flagged_position_is_not_known() -> None:
    old = replace(reported(0.0), age_s=np.array([10.1]))
    missing = replace(reported(0.0), age_s=np.array([np.inf]))
    flagged = replace(reported(0.0), quality=np.array([int(Quality.SUSPECT)]))
    for poor in (old, missing, flagged):
        got = taken(poor)
        assert got.unknown == frozenset({SWITCH})
        assert got.grid.closed[SWITCH] is True
