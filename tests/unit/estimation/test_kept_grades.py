"""What a grade keeps from scan to scan: the same words as without, whatever switches, taps and drop-outs do."""

import numpy as np

from adms.core.telemetry import Quality
from adms.estimation import estimate, prior_from_model
from tests.unit.estimation.scans import POLICY, scan
from tests.unit.estimation.test_aged import first_scan
from tests.unit.estimation.test_feeder import factor, feeder


def test_a_warm_picture_gives_the_reasons_of_a_cold_one() -> None:
    """Each switch of the 123-bus feeder thrown in turn, a tap moved in between, and every fourth time the head silent
    on a phase: what is missing there is said each time."""
    arrays, normal, taken = feeder(), factor().grid, first_scan()
    prior = prior_from_model(arrays, POLICY)
    state, _ = scan(taken, arrays, grid=normal, prior=prior)
    tapped = arrays.branches[arrays.tapped[0]].id
    moved = normal.with_tap(tapped, position=normal.tap_position[tapped] + 1)
    of_phase = np.array([key.phase == 2 for key in taken.table.keys])
    reasons = set()
    for turn, (switch, closed) in enumerate(sorted(normal.closed.items())):
        taken.quality[of_phase] = int(Quality.INVALID if turn % 4 == 1 else Quality.GOOD)
        for grid in (normal.with_switch(switch, closed=not closed), moved):
            warm, got = estimate(
                taken, arrays=arrays, grid=grid, unknown=frozenset(), prior=prior, policy=POLICY, state=state
            )
            _, cold = estimate(
                taken, arrays=arrays, grid=grid, unknown=frozenset(), prior=prior, policy=POLICY, state=None
            )
            assert type(got) is type(cold)
            assert _reasons(got) == _reasons(cold)
            reasons |= _reasons(got)
            state = warm or state
    assert "no voltage measurement is in use on phase 2" in reasons


def _reasons(got: object) -> set[str]:
    """Without the numbers of chi-squared, which differ in their last digits."""
    return {one for one in getattr(got, "reason", "").split("; ") if "chi-squared" not in one}
