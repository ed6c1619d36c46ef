"""Positions examined in turns, a piece of work each scan, and which meters are listened to meanwhile."""

from dataclasses import replace
from datetime import timedelta

from adms.core.positions import PositionVerdict
from adms.core.telemetry import FloatArray
from adms.estimation.hypotheses import in_turns, weighed
from adms.estimation.hypotheses_belief import PositionBelief
from adms.estimation.hypotheses_policy import HypothesisPolicy
from adms.estimation.quarantine import Quarantine, Record
from tests.estimation_study.draws import scan_of
from tests.estimation_study.positions_by_odds import HYPOTHESES, Positions
from tests.estimation_study.studies import Study
from tests.unit.estimation.positions import SWITCH_13, of, with_open


def turn(
    one: Study,
    state: PositionBelief | None,
    value: FloatArray,
    *,
    second: int,
    hypotheses: HypothesisPolicy,
    troubled: bool = False,
) -> tuple[PositionBelief, tuple[PositionVerdict, ...]]:
    taken = scan_of(one.arrays, one.plan, value=value)
    after, said = in_turns(
        state,
        snapshot=replace(taken, cut_time=taken.cut_time + timedelta(seconds=second)),
        arrays=one.arrays,
        grid=one.grid,
        prior=one.prior,
        policy=one.policy,
        hypotheses=hypotheses,
        troubled=troubled,
    )
    assert after is not None
    return after, said


def test_in_turns_a_scan_does_one_piece_of_work_or_rests() -> None:
    """With next to no budget, one piece is done as soon as the last one is paid for; the verdict is the same."""
    one = of("13")
    values = with_open("13", SWITCH_13)
    slow = replace(HYPOTHESES, work_ms_each_scan=1.0)
    state: PositionBelief | None = None
    said: tuple[PositionVerdict, ...] = ()
    scans = 0
    while not said:
        before = state
        state, said = turn(one, state, values[:, 0], second=0, hypotheses=slow)
        scans += 1
        if before is not None and before.credit_ms <= -1.0:
            assert state.at_work == before.at_work
    assert 10 < scans < 200
    at_once = Positions(one)(values[:, 0])
    assert [(v.device, v.standing, v.log_odds) for v in said] == [(v.device, v.standing, v.log_odds) for v in at_once]


def test_trouble_begins_anew_with_the_readings_of_now() -> None:
    one = of("13")
    slow = replace(HYPOTHESES, work_ms_each_scan=1.0)
    state, _ = turn(one, None, one.drawn(seed=8, count=1)[1][:, 0], second=0, hypotheses=slow)
    value = with_open("13", SWITCH_13)[:, 0]
    after, _ = turn(one, state, value, second=1, hypotheses=slow, troubled=True)
    assert len(after.at_work) == 2
    assert after.begun_at[-1] == scan_of(one.arrays, one.plan, value=value).cut_time + timedelta(seconds=1)


def test_meters_in_quarantine_are_not_listened_to_once_they_were_heard() -> None:
    """At first they are: what a wrong position makes look wrong is what speaks against it."""
    one = of("13")
    value = one.drawn(seed=8, count=1)[1][:, 0]
    taken = scan_of(one.arrays, one.plan, value=value)
    estimator, _ = one.scan(value, state=None)
    key = one.plan.keys[0]
    aside = Quarantine(records={key: Record(bad=10, fine=0, since=taken.cut_time - timedelta(seconds=1))})
    estimator = replace(estimator, quarantine=aside)
    state, heard = None, []
    for second in range(4):
        state, _ = weighed(
            state,
            snapshot=replace(taken, cut_time=taken.cut_time + timedelta(seconds=second)),
            arrays=one.arrays,
            grid=one.grid,
            prior=one.prior,
            policy=one.policy,
            hypotheses=HYPOTHESES,
            estimator=estimator,
        )
        assert state is not None
        row = state.layout.rows.table_rows.tolist().index(0)
        heard.append(bool(state.window.count[row] > 0.0))
    assert heard == [True, True, False, False]
    assert state is not None
    assert state.set_aside == {key}
