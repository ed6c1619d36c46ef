"""Positions as reported: good values count, anything else is not known, nobody's word is no word."""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.ids import BusId, ElementId
from adms.core.telemetry import PointKey, PointKind, Quality, TelemetrySnapshot
from adms.grid.model import Capacitor, ComplexMatrix, NetworkModel, NodeRef, TapChanger
from adms.grid.reported import ReportedGrid, reported_grid
from adms.grid.state import normal_state
from tests.unit.estimation.scans import snapshot
from tests.unit.powerflow.networks import arrays_of, four_buses

SWITCH = ElementId("line.s23")
TIE = ElementId("line.t35")
REMOTE = arrays_of(four_buses())


def _by_hand() -> NetworkModel:
    """The tie is worked by hand: nobody has to report it."""
    branches = tuple(
        replace(b, switch=replace(b.switch, remote=False)) if b.id == TIE and b.switch is not None else b
        for b in REMOTE.model.branches
    )
    return replace(REMOTE.model, branches=branches)


ARRAYS = arrays_of(_by_hand())
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


def test_a_device_worked_by_hand_without_a_point_keeps_its_position_and_is_not_unknown() -> None:
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


def test_a_remote_switch_that_nobody_reports_is_not_known() -> None:
    """Its normal position is a guess, not a report."""
    got = reported_grid(reported(1.0), arrays=REMOTE, previous=normal_state(REMOTE.model), max_age_s=10.0)
    assert got.unknown == frozenset({TIE})
    assert got.grid.closed[TIE] is False


@pytest.mark.parametrize("remote", [True, False])
def test_a_tap_changer_and_a_capacitor_that_nobody_reports_are_unknown_where_they_are_remote(remote: bool) -> None:
    bank = Capacitor(
        id=ElementId("capacitor.c"),
        nodes=(NodeRef(BusId("3"), 1),),
        y_step_siemens=ComplexMatrix(re=((0.0,),), im=((1e-4,),)),
        steps=1,
        normal_steps=1,
        rating_var=576.0,
        remote=remote,
    )
    line = ElementId("line.l12")
    taps = TapChanger(terminal=1, step_pu=0.00625, min_position=-16, max_position=16, normal_position=0, remote=remote)
    branches = tuple(replace(b, taps=taps) if b.id == line else b for b in _by_hand().branches)
    model = replace(_by_hand(), branches=branches, capacitors=(bank,))
    arrays = arrays_of(model)
    none = snapshot(arrays, [], value=np.zeros(0), sigma=np.zeros(0))
    got = reported_grid(none, arrays=arrays, previous=normal_state(model), max_age_s=10.0)
    assert got.unknown == ({SWITCH, line, bank.id} if remote else {SWITCH})
