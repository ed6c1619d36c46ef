"""What a position that is named wrong does to the picture of the running service."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from adms.core.estimate import Estimate, Grade
from adms.core.ids import ElementId
from adms.core.positions import PositionVerdict, Standing
from adms.core.telemetry import FloatArray
from adms.estimation import EstimatorState, estimate
from adms.estimation.hypotheses_belief import PositionBelief
from adms.estimation.quarantine import Quarantine, Record
from adms.grid.reported import ReportedGrid
from adms.service.positions import in_words, with_positions
from tests.estimation_study.draws import scan_of
from tests.estimation_study.plans import Extent
from tests.estimation_study.positions_by_odds import HYPOTHESES
from tests.estimation_study.studies import Study, study
from tests.estimation_study.wrong_positions import opened, stepped

AT_ONCE = replace(HYPOTHESES, work_ms_each_scan=1e6)
SWITCH, TAP = "line.671692", "transformer.reg1"

Seen = tuple[PositionBelief | None, Estimate, EstimatorState]


def of(*, at_taps: bool = False) -> Study:
    return study("13", extent=Extent(flows=4, at_taps=at_taps))


def scans(
    one: Study,
    values: FloatArray,
    *,
    unknown: frozenset[ElementId] = frozenset(),
    before: Callable[[EstimatorState], EstimatorState] = lambda state: state,
) -> Seen:
    """The last of some scans [point, scan]."""
    belief, state, picture = None, None, None
    for i in range(values.shape[1]):
        taken = scan_of(one.arrays, one.plan, value=values[:, i])
        taken = replace(taken, cut_time=taken.cut_time + timedelta(seconds=i))
        state, picture = estimate(
            taken,
            arrays=one.arrays,
            grid=one.grid,
            unknown=unknown,
            prior=one.prior,
            policy=one.policy,
            state=state,
        )
        assert state is not None
        assert isinstance(picture, Estimate)
        belief, picture, state = with_positions(
            belief,
            picture,
            snapshot=taken,
            arrays=one.arrays,
            positions=ReportedGrid(grid=one.grid, unknown=unknown),
            prior=one.prior,
            estimation=one.policy,
            hypotheses=AT_ONCE,
            estimator=before(state),
        )
    assert isinstance(picture, Estimate)
    assert state is not None
    return belief, picture, state


def test_a_switch_that_is_named_wrong_makes_the_picture_inconsistent_and_its_name_is_the_reason() -> None:
    one = of()
    _, picture, _ = scans(one, one.drawn(seed=61, count=1, grid=opened(one, SWITCH))[1])
    assert picture.grade is Grade.INCONSISTENT
    assert picture.reason.startswith(f"position wrong: {SWITCH} open, not as reported (odds 10^")
    assert picture.wrong_positions == {SWITCH}


def test_a_tap_that_is_named_wrong_leaves_a_partial_picture() -> None:
    one = of(at_taps=True)
    _, picture, _ = scans(one, one.drawn(seed=62, count=20, grid=stepped(one, TAP, 1))[1])
    assert picture.grade is Grade.PARTIAL
    assert picture.wrong_positions == {TAP}


def test_true_positions_change_nothing_but_are_told() -> None:
    one = of()
    _, picture, _ = scans(one, one.drawn(seed=63, count=2)[1])
    assert picture.grade is not Grade.INCONSISTENT
    assert "position" not in picture.reason
    assert {v.device: v.standing for v in picture.positions}[SWITCH] is Standing.AS_REPORTED


def test_nothing_is_claimed_of_an_unknown_device() -> None:
    one = of()
    values = one.drawn(seed=61, count=1, grid=opened(one, SWITCH))[1]
    _, picture, _ = scans(one, values, unknown=frozenset({ElementId(SWITCH)}))
    assert SWITCH not in {v.device for v in picture.positions}
    assert not picture.wrong_positions


@pytest.mark.parametrize(("grid", "left"), [("wrong", 0), ("right", 1)])
def test_while_a_position_is_wrong_no_meter_goes_into_quarantine(grid: str, left: int) -> None:
    one = of()
    positions = opened(one, SWITCH) if grid == "wrong" else one.grid
    key = one.plan.keys[0]
    blamed = Quarantine(records={key: Record(bad=9, fine=0, since=None)})
    values = one.drawn(seed=61, count=1, grid=positions)[1]
    _, _, state = scans(one, values, before=lambda state: replace(state, quarantine=blamed))
    assert len(state.quarantine.records) == left


def said(device: str, *, instead: tuple[str, ...], log_odds: float) -> PositionVerdict:
    return PositionVerdict(
        device=device,
        poles=(ElementId(device),),
        is_tap=False,
        standing=Standing.WRONG,
        instead=instead,
        log_odds=log_odds,
        why="",
        switch_named=True,
    )


def test_devices_that_are_named_together_are_told_once_with_the_larger_odds() -> None:
    both = ("a open", "b open")
    words = in_words([said("a", instead=both, log_odds=10.0), said("b", instead=both, log_odds=9.0)])
    assert words == "position wrong: a open or b open, not as reported (odds 2.2e+04 to 1)"
